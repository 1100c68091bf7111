package rocketchattest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func TestWrongOptions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		option rocketchattest.Option
		want   string
	}{
		{rocketchattest.WithVersion("abc"), `version "abc": must look like 8.3.0`},
		{rocketchattest.WithVersion("8"), `version "8": must look like 8.3.0`},
		{rocketchattest.WithVersion("8.3.x"), `version "8.3.x": must look like 8.3.0`},
		{rocketchattest.WithVersion("5.4.0"), `version "5.4.0": only 6.0 to 8.8.x are supported`},
		{rocketchattest.WithVersion("8.9.0"), `version "8.9.0": only 6.0 to 8.8.x are supported`},
		{rocketchattest.WithSetting("Accounts_AllowUsernameChang", false), `setting "Accounts_AllowUsernameChang": does not exist`},
		{rocketchattest.WithSetting("Accounts_AllowUsernameChange", "no"), `setting "Accounts_AllowUsernameChange": string, want boolean`},
		{rocketchattest.WithSetting("LDAP_Enable", true), `setting "LDAP_Enable": has no effect on this server`},
		{rocketchattest.WithEnv("PORT", "3000"), `environment variable "PORT": has no effect on this server`},
		{rocketchattest.WithLatency(-1), `latency -1ns: must not be negative`},
		{rocketchattest.WithLimit(10, 0), `limit of 10 calls in 0s: both must be positive; with 0 calls there is no limit`},
		{rocketchattest.WithLimit(-1, time.Minute), `limit of -1 calls in 1m0s: both must be positive; with 0 calls there is no limit`},
	}
	for _, tt := range tests {
		_, err := rocketchattest.Start(tt.option)
		require.EqualError(t, err, tt.want)
		assert.PanicsWithValue(t, "rocketchattest: "+tt.want, func() { rocketchattest.New(tt.option) })
	}
	for _, version := range []string{"6.0", "7.7.1", "8.3.0-develop", "8.8.12"} {
		_, err := rocketchattest.Start(rocketchattest.WithVersion(version))
		require.NoError(t, err)
	}
}

// TestWrongNames has a test misspell what it asks of a running server.
func TestWrongNames(t *testing.T) {
	t.Parallel()
	s := rocketchattest.New()
	none := func(http.ResponseWriter, *http.Request) {}
	for want, wrong := range map[string]func(){
		`setting "SMTP_Hosts": does not exist`:                   func() { s.Set("SMTP_Hosts", "x") },
		`permission "create-users": does not exist`:              func() { s.Grant("create-users", "admin") },
		`operation "users.inof": does not exist in 7.7.1`:        func() { s.AnswerNext("users.inof", none) },
		`operation "users.verifyEmail": does not exist in 7.7.1`: func() { s.AnswerNext("users.verifyEmail", none) },
		`operation "users.inof": does not exist`:                 func() { s.Count("users.inof") },
	} {
		assert.PanicsWithValue(t, "rocketchattest: "+want, wrong)
	}
}

func TestLogOfCalls(t *testing.T) {
	t.Parallel()
	const most, more = 10_000, 3
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	for range more {
		w.ok("", "GET /api/info", "")
	}
	for range most {
		w.call("", "GET me", "", nil)
	}
	w.ok("", "GET /api/info", "")
	calls := w.Calls()
	require.Len(t, calls, most)
	assert.Equal(t, "me", calls[0].Op)
	assert.Equal(t, "info", calls[most-1].Op, "the last one")
	assert.Equal(t, more+1, w.Count("info"), "the count goes on")
}

// TestCreateRace has a call to create a user begin before another one has created the same user.
func TestCreateRace(t *testing.T) {
	t.Parallel()
	for different, want := range map[string]string{
		`{"email":"another@example.org"}`: "Username already exists. [403]",
		`{"username":"another"}`:          "Email already exists. [403]",
	} {
		w := newWorld(t, rocketchattest.WithLimit(0, 0))
		body, late := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/api/v1/users.create", body)
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		id, token := w.Login("admin")
		req.Header.Set("X-User-Id", id)
		req.Header.Set("X-Auth-Token", token)
		answers := make(chan *http.Response)
		go func() {
			res, err := w.RoundTrip(req)
			assert.NoError(t, err)
			answers <- res
		}()
		_, err = late.Write([]byte(but(newUser, different)))
		require.NoError(t, err)
		w.ok("admin", "POST users.create", but(newUser, `{}`))
		require.NoError(t, late.Close())
		res := <-answers
		assert.Equal(t, http.StatusBadRequest, res.StatusCode)
		var answer any
		require.NoError(t, json.NewDecoder(res.Body).Decode(&answer))
		assert.Equal(t, want, dig(answer, "error"))
		assert.InDelta(t, http.StatusForbidden, dig(answer, "errorType"), 0, "a number")

		_, answer = w.call("admin", "POST users.create", but(newUser, `{}`), nil)
		assert.Equal(t, "error-field-unavailable", dig(answer, "errorType"), "later calls are told by the check")
	}
}
