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
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// stuck is a server that does not answer an operation, and reports when a session calls it for
// the first time.
func stuck(t *testing.T, op string) (c chat, called <-chan struct{}) {
	t.Helper()
	calls := make(chan struct{}, 100)
	var sessions sync.Map
	c = newChat(t, rocketchattest.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/"+op) {
				_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
				if _, known := sessions.LoadOrStore(r.Header.Get("X-Auth-Token"), true); !known {
					calls <- struct{}{}
				}
				<-r.Context().Done()
				return
			}
			next.ServeHTTP(w, r)
		})
	}))
	return c, calls
}

// interrupted runs a program, presses Ctrl-C when all of its processes have called, and waits
// for the end.
func (p program) interrupted(t *testing.T, called <-chan struct{}, processes int) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command := p.command(t)
	command.Stdout, command.Stderr = &stdout, &stderr
	require.NoError(t, command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for range processes {
		select {
		case <-called:
		case err := <-ended:
			require.Fail(t, "it ended before the call", "%v: %s", err, stdout.String()+stderr.String())
		}
	}
	require.NoError(t, command.Process.Signal(os.Interrupt))
	_, ok := errors.AsType[*exec.ExitError](<-ended)
	r := result{stdout.String(), stderr.String()}
	require.Equal(t, p.code != 0, ok)
	require.Equal(t, p.code, command.ProcessState.ExitCode(), r.all())
	p.keepsSecrets(t, r)
	return r
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	list.WriteString("username,email\n")
	for i := range 12 {
		fmt.Fprintf(&list, "new.%d,new.%d@example.com\n", i, i)
	}
	path := file(t, "people.csv", list.String())
	for _, tc := range []struct {
		op   string
		tool string
		args []string
		says []string
	}{
		{"users.setStatus", "quickstart", nil, []string{"5 of 5 accounts deleted", "quickstart: interrupted"}},
		{"users.setStatus", "observability", []string{"--listen", "127.0.0.1:0"}, []string{"5 of 5 accounts deleted", "observability: interrupted", "failed: canceled", "5 × users.delete"}},
		{
			"users.create", "provision",
			[]string{"-concurrency", "2", path},
			[]string{": FAILED", "may or may not have taken effect", "new.11: not begun", "0 created, 0 updated, 0 activated, ", " not begun, 0 refused", "provision: interrupted"},
		},
		{
			"users.setActiveStatus", "offboard",
			[]string{"anna.weber", "ben.okafor", "chloe.martin", "dev.patel", "elif.kaya", "frank.ito", "grace.lund"},
			[]string{"grace.lund: not begun", "0 done, 1 failed, 6 not begun", "offboard: interrupted"},
		},
		{
			"users.create", "fleet",
			[]string{"--processes", "2", "--batch", "3", people(t, 12)},
			[]string{"0 created, 0 changed, 0 unchanged, ", "4 batches were not done, or only in part", "fleet: interrupted"},
		},
		{"users.setAvatar", "avatars", []string{"-concurrency", "1", samples(t)}, []string{"ben.okafor.png: not begun", "chloe.martin.jpg: not begun", "0 done, 1 failed, 2 not begun"}},
	} {
		t.Run(tc.tool, func(t *testing.T) {
			t.Parallel()
			c, called := stuck(t, tc.op)
			before := c.usernames()
			processes := 1
			if tc.tool == "fleet" {
				processes = 2
			}
			r := program{tool: tc.tool, args: tc.args, env: c.login(), code: 1}.interrupted(t, called, processes)
			for _, part := range tc.says {
				assert.Contains(t, r.all(), part)
			}
			assert.Equal(t, before, c.usernames())
			assert.Equal(t, c.Count("login"), c.Count("logout"), "it leaves in good order")
		})
	}
}
