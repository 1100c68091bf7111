package examples_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// stuck is a server that does not answer an operation, and tells when it is called.
func stuck(t *testing.T, op string) (c chat, called <-chan struct{}) {
	t.Helper()
	calls := make(chan struct{}, 100)
	c = newChat(t, rocketchattest.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/"+op) {
				_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
				calls <- struct{}{}
				<-r.Context().Done()
				return
			}
			next.ServeHTTP(w, r)
		})
	}))
	return c, calls
}

// interrupted runs a program, presses Ctrl-C when a call has come, and waits for its end.
func (p program) interrupted(t *testing.T, called <-chan struct{}) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command := p.command(t)
	command.Stdout, command.Stderr = &stdout, &stderr
	require.NoError(t, command.Start())
	select {
	case <-called:
	case <-time.After(longest):
	}
	require.NoError(t, command.Process.Signal(os.Interrupt))
	_, ok := errors.AsType[*exec.ExitError](command.Wait())
	r := result{stdout.String(), stderr.String()}
	require.Equal(t, p.code != 0, ok)
	require.Equal(t, p.code, command.ProcessState.ExitCode(), r.all())
	p.keepsSecrets(t, r)
	return r
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	var people strings.Builder
	people.WriteString("username,email\n")
	for i := range 12 {
		fmt.Fprintf(&people, "new.%d,new.%d@example.com\n", i, i)
	}
	path := file(t, "people.csv", people.String())
	for _, tc := range []struct {
		op   string
		tool string
		args []string
		says []string
	}{
		{"users.setStatus", "quickstart", nil, []string{"5 of 5 accounts deleted", "it was interrupted"}},
		{
			"users.create", "provision",
			[]string{"-concurrency", "2", path},
			[]string{": FAILED", "may or may not have happened", "not done: new.", "new.11", "12 not done", "it was interrupted"},
		},
		{
			"users.setActiveStatus", "offboard",
			[]string{"anna.weber", "ben.okafor", "chloe.martin", "dev.patel", "elif.kaya", "frank.ito", "grace.lund"},
			[]string{"not done: ", "0 of 7 done", "1 of 7 failed, 6 were not begun", "it was interrupted"},
		},
		{"users.setAvatar", "avatars", []string{"-concurrency", "1", samples(t)}, []string{"not done: ben.okafor.png, chloe.martin.jpg"}},
	} {
		t.Run(tc.tool, func(t *testing.T) {
			t.Parallel()
			c, called := stuck(t, tc.op)
			before := c.usernames()
			r := program{tool: tc.tool, args: tc.args, env: c.login(), code: 1}.interrupted(t, called)
			for _, part := range tc.says {
				assert.Contains(t, r.all(), part)
			}
			assert.Equal(t, before, c.usernames())
			assert.Equal(t, c.Count("login"), c.Count("logout"), "it leaves in good order")
		})
	}
}

// onTerminal runs a program on a terminal, on which somebody answers the question as often
// as it is asked.
func (p program) onTerminal(t *testing.T, question string, answer func() string) string {
	t.Helper()
	command := p.command(t)
	command.Stdin = nil
	screen, err := pty.Start(command)
	require.NoError(t, err)
	defer screen.Close()
	var shown bytes.Buffer
	answered := 0
	part := make([]byte, 4096)
	for {
		n, err := screen.Read(part)
		shown.Write(part[:n])
		if question != "" && strings.Count(shown.String(), question) > answered {
			answered++
			_, err := io.WriteString(screen, answer()+"\n")
			require.NoError(t, err)
		}
		if err != nil { // the terminal is gone with the program
			break
		}
	}
	_ = command.Wait()
	require.Equal(t, p.code, command.ProcessState.ExitCode(), shown.String())
	return shown.String()
}

// What is not known is asked for.
func TestTerminalAsks(t *testing.T) {
	t.Parallel()
	const key = "JBSWY3DPEHPK3PXP"
	c := newChat(t)
	_, err := c.AddUser(rocketchattest.User{Username: "tess", Roles: []string{"admin"}, TOTPSecret: key})
	require.NoError(t, err)
	c.PersonalAccessToken("admin", "backup", false)
	c.PersonalAccessToken("tess", "backup", false)
	p := program{tool: "rotate-tokens", args: []string{"-dry-run", "backup"}, env: c.token("admin")}
	assert.NotContains(t, p.onTerminal(t, "", nil), "needs", "nothing is asked for in vain")

	p.args[0] = "-print"
	const question = "needs the password of the account: "
	wrong := "a wrong password"
	p.code = 1
	assert.NotContains(t, p.onTerminal(t, question, func() string { return wrong }), wrong, "what is typed is not shown")
	p.code = 0
	shown := p.onTerminal(t, question, func() string { return rocketchattest.AdminPassword })
	assert.Contains(t, shown, `"backup #2" took its place`)
	assert.NotContains(t, shown, rocketchattest.AdminPassword)
	assert.Equal(t, 1, strings.Count(shown, question), "it is asked once")

	p.args[1], p.code = "backup #2", 1
	shown = p.onTerminal(t, question, func() string { return "\x03" })
	assert.Contains(t, shown, "no password was typed", "Ctrl-C")

	p.args[1], p.code = "backup", 0
	p.env = c.token("tess")
	shown = p.onTerminal(t, "needs a second factor (totp): ", func() string { return rocketchattest.TOTPCode(key, time.Now()) })
	assert.Contains(t, shown, `"backup #2" took its place`)
}

func TestTerminalBar(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	var people strings.Builder
	people.WriteString("username,email\n")
	for i := range 12 {
		fmt.Fprintf(&people, "new.%d,new.%d@example.com\n", i, i)
	}
	p := program{tool: "provision", args: []string{file(t, "people.csv", people.String())}, env: c.login()}
	shown := p.onTerminal(t, "", nil)
	assert.Regexp(t, `accounts +\d+% \|█*`, shown, "a bar")
	assert.NotContains(t, shown, "new.11: created", "and no lines")
	assert.Contains(t, shown, "12 created")
	p.args[0] = file(t, "more.csv", strings.ReplaceAll(people.String(), "new.", "more."))
	assert.Contains(t, p.run(t).stderr, "12/12 ", "lines without a terminal")
}
