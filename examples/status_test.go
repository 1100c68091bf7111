package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	c := newChat(t, rocketchattest.WithVersion("8.6.1"))
	now := time.Now()
	end := now.Add(time.Hour).Truncate(time.Second)
	calendar := file(t, "work.ics", event("Writing tests", now.Add(-time.Hour), end))
	r := program{tool: "status", args: []string{calendar}, env: c.token("anna.weber")}.run(t)
	assert.Contains(t, r.stdout, "busy: Writing tests, until "+end.UTC().Format("Mon 15:04"))
	assert.Equal(t, "Writing tests", c.user(t, "anna.weber").StatusText)
	info, err := c.client(t, "anna.weber").Status.Get(t.Context(), rocketchat.Self())
	require.NoError(t, err)
	assert.Equal(t, rocketchat.StatusBusy, info.Status)
	assert.True(t, end.Equal(info.StatusExpiresAt.Time), "the server ends it")

	program{tool: "status", args: []string{"-clear"}, env: c.token("anna.weber")}.run(t)
	assert.Empty(t, c.user(t, "anna.weber").StatusText)
}

func TestStatusOfOthers(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	now := time.Now()
	secret := file(t, "a.ics", event("Seeing a doctor", now.Add(-time.Hour), now.Add(time.Hour), "CLASS:PRIVATE"))
	r := program{tool: "status", args: []string{"-user", "ben.okafor", secret}, env: c.login()}.run(t)
	assert.Contains(t, r.stderr, "this server does not end a status by itself")
	assert.NotContains(t, r.all(), "doctor")
	assert.Equal(t, "Busy", c.user(t, "ben.okafor").StatusText)
	assert.Empty(t, c.user(t, "admin").StatusText)

	over := file(t, "b.ics", event("Busy", now.Add(-2*time.Hour), now.Add(-time.Hour)))
	program{tool: "status", args: []string{"-user", "ben.okafor", over}, env: c.login()}.run(t)
	assert.Empty(t, c.user(t, "ben.okafor").StatusText, "what is from the calendar is cleared")

	require.NoError(t, c.client(t, "ben.okafor").Status.Set(t.Context(), rocketchat.Self(), rocketchat.StatusSetOptions{Message: new("my own words")}))
	r = program{tool: "status", args: []string{"-user", "ben.okafor", over}, env: c.login()}.run(t)
	assert.Contains(t, r.stdout, "no event is on")
	assert.Equal(t, "my own words", c.user(t, "ben.okafor").StatusText)
}

func TestStatusUnreadable(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	r := program{tool: "status", args: []string{file(t, "x.ics", "no calendar\r\n")}, env: c.login(), code: 1}.run(t)
	assert.Contains(t, r.stderr, "x.ics: is not a calendar")
	program{tool: "status", args: []string{"none.ics"}, env: c.login(), code: 1}.run(t)
	assert.Empty(t, c.writes())
}

// With -watch it switches when an event begins and ends, and takes its status back when it
// is stopped on a server that would keep it.
func TestStatusWatch(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	text := func() string { return c.user(t, "anna.weber").StatusText }
	for length := time.Second; ; length *= 2 {
		require.Less(t, length, longest, "the program is never in time for the event")
		now := time.Now().Truncate(time.Second)
		begin, end := now.Add(2*length), now.Add(4*length)
		calendar := file(t, "work.ics", event("Deep work", begin, end))
		p := program{tool: "status", args: []string{"-watch", calendar}, env: c.token("anna.weber")}
		var stderr bytes.Buffer
		command := p.command(t)
		command.Stderr = &stderr
		stdout, err := command.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, command.Start())
		lines := bufio.NewScanner(stdout)
		require.True(t, lines.Scan(), "it says how things are when it begins")
		late := !time.Now().Before(begin)
		if !late {
			require.True(t, lines.Scan())
			assert.Contains(t, lines.Text(), "busy: Deep work, until ")
			assert.False(t, time.Now().Before(begin))
			require.True(t, lines.Scan())
			assert.Contains(t, lines.Text(), "online, no message")
			assert.False(t, time.Now().Before(end))
			assert.Empty(t, text())
		}
		require.NoError(t, command.Process.Signal(os.Interrupt))
		require.NoError(t, command.Wait(), stderr.String())
		assert.Contains(t, stderr.String(), "stopped: the status is no longer kept up to date")
		if !late {
			return
		}
	}
}

func TestStatusWatchStopped(t *testing.T) {
	t.Parallel()
	for version, left := range map[string]string{"7.7.1": "", "8.6.1": "Deep work"} {
		c := newChat(t, rocketchattest.WithVersion(version))
		now := time.Now()
		calendar := file(t, "work.ics", event("Deep work", now.Add(-time.Hour), now.Add(time.Hour)))
		ctx, cancel := context.WithTimeout(t.Context(), longest)
		defer cancel()
		called := make(chan struct{})
		go func() {
			defer close(called)
			for tick := time.Tick(20 * time.Millisecond); ctx.Err() == nil && c.Count("users.setStatus") == 0; {
				<-tick
			}
		}()
		program{tool: "status", args: []string{"-watch", calendar}, env: c.token("anna.weber")}.interrupted(t, called, 1)
		assert.Equal(t, left, c.user(t, "anna.weber").StatusText, "on %s", version)
	}
}
