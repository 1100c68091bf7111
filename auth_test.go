package rocketchat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func loginClient(t *testing.T, srv *rocketchattest.Server, opts ...Option) *Client {
	t.Helper()
	c, err := New(srv.URL(), append([]Option{WithTransport(srv), WithLogin("admin", NewSecret(rocketchattest.AdminPassword))}, opts...)...)
	require.NoError(t, err)
	return c
}

func TestLoginOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLatency(latency))
		c := loginClient(t, srv)
		derived, err := c.With(WithMaxWait(time.Hour))
		require.NoError(t, err)
		assert.Zero(t, srv.Count("login"), "New uses no network")
		allAtOnce(t, 1000, func(i int) error {
			client := c
			if i%2 == 0 {
				client = derived
			}
			_, err := client.Users.Get(t.Context(), ByUsername("admin"))
			return err
		})
		assert.Equal(t, 1, srv.Count("login"))
	})
}

func TestLoginAgainAfterTheSessionEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLatency(latency))
		c := loginClient(t, srv)
		_, err := c.Users.Get(t.Context(), ByUsername("admin"))
		require.NoError(t, err)
		endSessions(t, srv, "admin")
		allAtOnce(t, 100, func(int) error {
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			return err
		})
		assert.Equal(t, 2, srv.Count("login"), "once more, for all")
	})
}

// endSessions drops every token of a user, as an administrator would.
func endSessions(t *testing.T, srv *rocketchattest.Server, username string) {
	t.Helper()
	id, token := srv.Login(username)
	c, err := New(srv.URL(), WithTransport(srv), WithToken(id, NewSecret(token)))
	require.NoError(t, err)
	require.NoError(t, exec(t.Context(), c, post("users.logout"), map[string]string{"userId": id}, nil))
}

func TestLoginIsNoLoop(t *testing.T) {
	t.Parallel()
	var logins, calls atomic.Int32
	c, err := New("https://chat.example.org", WithLogin("u", NewSecret("p")), WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/api/v1/login" {
			logins.Add(1)
			return replyJSON(200, fmt.Sprintf(`{"status":"success","data":{"userId":"u","authToken":"t%d"}}`, logins.Load())), nil
		}
		calls.Add(1)
		return replyJSON(401, `{"success":false,"error":"You must be logged in to do this."}`), nil
	})))
	require.NoError(t, err)
	_, err = c.Users.Get(t.Context(), ByID("a"))
	require.ErrorIs(t, err, ErrUnauthorized)
	assert.EqualValues(t, 2, logins.Load())
	assert.EqualValues(t, 2, calls.Load())
}

func TestRefusedLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLatency(latency))
		c, err := New(srv.URL(), WithTransport(srv), WithLogin("admin", NewSecret("wrong-password")))
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				_, err := c.Users.Get(t.Context(), ByUsername("admin"))
				assert.ErrorIs(t, err, ErrUnauthorized)
				assert.NotContains(t, err.Error(), "wrong-password")
			})
		}
		wg.Wait()
		assert.Equal(t, 1, srv.Count("login"), "whoever waits for a log-in shares its failure")
		assert.Zero(t, srv.Count("users.info"))
	})
}

// TestLoginOutlivesItsCaller: when the one who logs in gives up, the others do not.
func TestLoginOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLatency(time.Second))
		c := loginClient(t, srv)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Users.Get(ctx, ByUsername("admin"))
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		for range 10 {
			wg.Go(func() {
				_, err := c.Users.Get(t.Context(), ByUsername("admin"))
				assert.NoError(t, err)
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

func TestTokenIsNeverReplaced(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	c, err := New(srv.URL(), WithTransport(srv), WithLogin("admin", NewSecret(rocketchattest.AdminPassword)), WithToken("admin", NewSecret("expired")))
	require.NoError(t, err)
	_, err = c.Users.Get(t.Context(), ByUsername("admin"))
	require.ErrorIs(t, err, ErrUnauthorized)
	assert.Zero(t, srv.Count("login"))
	assert.Equal(t, 1, srv.Count("users.info"))
}

func TestNoCredentials(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	c, err := New(srv.URL(), WithTransport(srv))
	require.NoError(t, err)
	_, err = c.Users.Get(t.Context(), ByUsername("admin"))
	require.ErrorIs(t, err, ErrUnauthorized)
	assert.Empty(t, srv.Calls(), "nothing is sent")
	session, err := c.Sessions.Login(t.Context(), "admin", NewSecret(rocketchattest.AdminPassword))
	require.NoError(t, err)
	assert.Equal(t, "admin", session.Me.Username)
}

func TestCloseEndsOnlyItsOwnSession(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	c := loginClient(t, srv)
	require.NoError(t, c.Close(t.Context()), "nothing was opened")
	assert.Empty(t, srv.Calls())
	_, err := c.Users.Get(t.Context(), ByUsername("admin"))
	require.NoError(t, err)
	require.NoError(t, c.Close(t.Context()))
	assert.Equal(t, 1, srv.Count("logout"))
	require.NoError(t, c.Close(t.Context()), "a second time does nothing")
	assert.Equal(t, 1, srv.Count("logout"))
	_, err = c.Users.Get(t.Context(), ByUsername("admin"))
	require.NoError(t, err, "a closed client can be used again")
	assert.Equal(t, 2, srv.Count("login"))

	endSessions(t, srv, "admin")
	require.NoError(t, c.Close(t.Context()), "a session that is over is closed")
	assert.Equal(t, 2, srv.Count("login"), "it does not log in to log out")

	id, token := srv.PersonalAccessToken("admin", "bot", false)
	bot, err := New(srv.URL(), WithTransport(srv), WithToken(id, NewSecret(token)))
	require.NoError(t, err)
	logouts := srv.Count("logout")
	require.NoError(t, bot.Close(t.Context()))
	assert.Equal(t, logouts, srv.Count("logout"), "a token that was given stays")
	_, err = bot.Users.Get(t.Context(), ByUsername("admin"))
	require.NoError(t, err)
}

type rotatingProvider struct {
	token  Secret
	closed bool
	asked  []Credentials
}

func (p *rotatingProvider) Credentials(_ context.Context, refused Credentials) (Credentials, error) {
	p.asked = append(p.asked, refused)
	switch {
	case p.closed:
		return Credentials{}, errors.New("the vault is closed")
	case refused.Token == NewSecret("old"):
		p.token = NewSecret("new")
	}
	return Credentials{UserID: "u", Token: p.token}, nil
}

func TestCredentialsProvider(t *testing.T) {
	t.Parallel()
	p := &rotatingProvider{token: NewSecret("old")}
	c, err := New("https://chat.example.org", WithCredentials(p), WithTransport(serve(func(_ int, r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Auth-Token") == "old" {
			return replyJSON(401, `{"status":"error","message":"You must be logged in to do this."}`), nil
		}
		return replyJSON(200, `{"success":true,"user":{}}`), nil
	})))
	require.NoError(t, err)
	_, err = c.Users.Get(t.Context(), ByID("a"))
	require.NoError(t, err)
	assert.Contains(t, p.asked, Credentials{UserID: "u", Token: NewSecret("old")})
	p.closed = true
	_, err = c.Users.Get(t.Context(), ByID("a"))
	require.ErrorContains(t, err, "the vault is closed")
}

// TestLostLoginIsNotTheCallsDoubt: a call that failed because its log-in's answer was
// lost was not sent, so nothing about it is unknown.
func TestLostLoginIsNotTheCallsDoubt(t *testing.T) {
	t.Parallel()
	c, err := New("https://chat.example.org", WithLogin("ann", NewSecret("the-password")),
		WithTransport(serve(func(_ int, r *http.Request) (*http.Response, error) {
			assert.Equal(t, "/api/v1/login", r.URL.Path)
			return nil, io.ErrUnexpectedEOF
		})))
	require.NoError(t, err)
	err = c.Users.Activate(t.Context(), "a")
	require.ErrorIs(t, err, ErrUnreachable)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NotErrorIs(t, err, ErrOutcomeUnknown)
	_, err = c.Sessions.Login(t.Context(), "ann", NewSecret("the-password"))
	require.ErrorIs(t, err, ErrOutcomeUnknown, "of the log-in itself it is")
}

// TestWrongPasswordIsNotTriedAgain: a program that goes on after a refused log-in must
// not have the account blocked.
func TestWrongPasswordIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New()
		c, err := New(srv.URL(), WithTransport(srv), WithLogin("admin", NewSecret("wrong-password")))
		require.NoError(t, err)
		for range 30 {
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			require.ErrorIs(t, err, ErrUnauthorized)
		}
		assert.Equal(t, 1, srv.Count("login"))
		time.Sleep(2 * wrongFor)
		_, err = c.Users.Get(t.Context(), ByUsername("admin"))
		require.ErrorIs(t, err, ErrUnauthorized)
		assert.Equal(t, 2, srv.Count("login"), "it can have been set right")
	})
}

func TestCredentialsThatNoHeaderHolds(t *testing.T) {
	t.Parallel()
	_, err := New("https://chat.example.org", WithToken("u", NewSecret("token\n")))
	require.ErrorIs(t, err, ErrInvalid)
	assert.NotContains(t, err.Error(), "token\n")
}
