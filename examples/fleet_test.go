package examples_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// fleetChat is a server with an account for a fleet, which is not exempt from its limits.
func fleetChat(t *testing.T) (chat, []string) {
	t.Helper()
	c := newChat(t, rocketchattest.WithLimit(20, time.Second))
	c.AddRole("manager", "manager", "")
	for _, permission := range []string{"create-user", "edit-other-user-info", "view-full-other-user-info", "view-outside-room"} {
		c.Grant(permission, "manager")
	}
	_, err := c.AddUser(rocketchattest.User{Username: "manager", Password: "a-long-password", Roles: []string{"user", "manager"}})
	require.NoError(t, err)
	return c, append(c.token("manager"), "ROCKETCHAT_PASSWORD=a-long-password")
}

// people makes a CSV file of n people.
func people(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("username,email,name\n")
	for i := range n {
		fmt.Fprintf(&b, "p%03d,p%03d@example.com,Person %d\n", i, i, i)
	}
	return file(t, "people.csv", b.String())
}

func TestFleet(t *testing.T) {
	t.Parallel()
	c, env := fleetChat(t)
	list := people(t, 60)
	p := program{tool: "fleet", args: []string{"--processes", "3", "--batch", "7", list}, env: env}
	assert.Contains(t, p.run(t).stderr, "60 created, 0 changed, 0 unchanged, 0 failed")
	assert.Contains(t, p.run(t).stderr, "0 created, 0 changed, 60 unchanged, 0 failed", "again")
	assert.Equal(t, 60, c.Count("users.create"))
	for _, call := range c.Calls() {
		assert.NotEqual(t, http.StatusTooManyRequests, call.Status, "the limits are shared")
	}
}

// TestFleetLosesAProcess: what a process has begun when it is killed is done by others.
func TestFleetLosesAProcess(t *testing.T) {
	t.Parallel()
	c, env := fleetChat(t)
	p := program{tool: "fleet", args: []string{"--processes", "3", "--batch", "7", people(t, 60)}, env: env}
	command := p.command(t)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	require.NoError(t, command.Start())
	require.Eventually(t, func() bool { return c.Count("users.create") > 5 }, longest, 10*time.Millisecond)
	pid := strconv.Itoa(command.Process.Pid)
	var children []string
	tasks, err := os.ReadDir("/proc/" + pid + "/task") // each thread has children of its own
	require.NoError(t, err)
	for _, task := range tasks {
		text, err := os.ReadFile("/proc/" + pid + "/task/" + task.Name() + "/children")
		require.NoError(t, err)
		children = append(children, strings.Fields(string(text))...)
	}
	require.Len(t, children, 3)
	child, err := strconv.Atoi(children[0])
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(child, syscall.SIGKILL))
	require.NoError(t, command.Wait(), output.String())
	assert.Contains(t, output.String(), "ended early")
	for i := range 60 {
		c.user(t, fmt.Sprintf("p%03d", i))
	}
}
