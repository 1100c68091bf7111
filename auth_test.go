package rocketchat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
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
	c, err := New(srv.URL(), append([]Option{WithTransport(srv), WithLogin("admin", rocketchattest.AdminPassword)}, opts...)...)
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
	c, err := New(srv.URL(), WithTransport(srv), WithToken(id, token))
	require.NoError(t, err)
	require.NoError(t, exec(t.Context(), c, post("users.logout").json(map[string]string{"userId": id}), nil))
}

func TestLoginDoesNotLoop(t *testing.T) {
	t.Parallel()
	var logins, calls atomic.Int32
	c, err := New("https://chat.example.org", WithLogin("u", "p"), WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
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
		c, err := New(srv.URL(), WithTransport(srv), WithLogin("admin", "wrong-password"))
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
	c, err := New(srv.URL(), WithTransport(srv), WithLogin("admin", rocketchattest.AdminPassword), WithToken("admin", "expired"))
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
	require.NoError(t, loginClient(t, srv).Close(), "nothing was opened")
	assert.Empty(t, srv.Calls())
	c := loginClient(t, srv)
	_, err := c.Users.Get(t.Context(), ByUsername("admin"))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	assert.Equal(t, 1, srv.Count("logout"))
	require.NoError(t, c.Close(), "a second time does nothing")
	assert.Equal(t, 1, srv.Count("logout"))
	_, err = c.Users.Get(t.Context(), ByUsername("admin"))
	require.ErrorIs(t, err, ErrUnauthorized)
	require.ErrorContains(t, err, "closed")
	assert.Equal(t, 1, srv.Count("login"))

	c = loginClient(t, srv)
	_, err = c.Users.Get(t.Context(), ByUsername("admin"))
	require.NoError(t, err)
	endSessions(t, srv, "admin")
	require.NoError(t, c.Close(), "a session that is over is closed")
	assert.Equal(t, 2, srv.Count("login"), "it does not log in to log out")

	id, token := srv.PersonalAccessToken("admin", "bot", false)
	bot, err := New(srv.URL(), WithTransport(srv), WithToken(id, token))
	require.NoError(t, err)
	logouts := srv.Count("logout")
	require.NoError(t, bot.Close())
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
		return replyJSON(200, `{"success":true,"user":{"_id":"a"}}`), nil
	})))
	require.NoError(t, err)
	_, err = c.Users.Get(t.Context(), ByID("a"))
	require.NoError(t, err)
	assert.Contains(t, p.asked, Credentials{UserID: "u", Token: NewSecret("old")})
	p.closed = true
	_, err = c.Users.Get(t.Context(), ByID("a"))
	require.ErrorContains(t, err, "the vault is closed")
}

// TestLostLoginLeavesTheCallCertain: a call that failed because its log-in's answer was
// lost was not sent, so nothing about it is unknown.
func TestLostLoginLeavesTheCallCertain(t *testing.T) {
	t.Parallel()
	c, err := New("https://chat.example.org", WithLogin("ann", "the-password"),
		WithTransport(serve(func(_ int, r *http.Request) (*http.Response, error) {
			assert.Equal(t, "/api/v1/login", r.URL.Path)
			return nil, io.ErrUnexpectedEOF
		})))
	require.NoError(t, err)
	err = c.Users.Activate(t.Context(), ByID("a"))
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
		c, err := New(srv.URL(), WithTransport(srv), WithLogin("admin", "wrong-password"))
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

func TestCredentialsMustFitAHeader(t *testing.T) {
	t.Parallel()
	_, err := New("https://chat.example.org", WithToken("u", "token\n"))
	require.ErrorIs(t, err, ErrInvalid)
	assert.NotContains(t, err.Error(), "token\n")
}

// unreachable fails like a dial that times out, after the same time.
func unreachable(took time.Duration) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		timer := time.NewTimer(took)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("dial: %w", context.DeadlineExceeded)}
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	})
}

// TestLoginsDoNotQueue: when the server cannot be reached, everybody who waits for a
// log-in fails with it, rather than to log in one after the other.
func TestLoginsDoNotQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		took := func(callers int) time.Duration {
			c, err := New("https://chat.example.org", WithTransport(unreachable(15*time.Second)), WithLogin("u", "p"),
				WithRetry(RetryPolicy{MaxAttempts: 4, BaseDelay: time.Second, MaxDelay: time.Second}))
			require.NoError(t, err)
			start := time.Now()
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					_, err := c.Users.Get(t.Context(), ByID("a"))
					assert.ErrorIs(t, err, ErrUnreachable)
				})
			}
			all.Wait()
			return time.Since(start)
		}
		assert.LessOrEqual(t, took(100), took(1)*11/10)
	})
}

// TestLoginThatMayNotWait: a call that may not wait until the rate limit allows its log-in
// does not fail those that wait for the same log-in and may wait longer.
func TestLoginThatMayNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logins := 0
		c, err := New("https://chat.example.org", WithLogin("u", "p"), WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != "/api/v1/login" {
				return replyJSON(200, `{"success":true,"_id":"u"}`), nil
			}
			time.Sleep(2 * time.Second)
			if logins++; logins == 1 {
				return replyJSON(429, `{"success":false,"error":"You must wait 40 seconds before trying this endpoint again."}`), nil
			}
			return replyJSON(200, `{"status":"success","data":{"userId":"u","authToken":"t"}}`), nil
		})))
		require.NoError(t, err)
		var leader sync.WaitGroup
		leader.Go(func() {
			_, err := c.Me.Get(t.Context(), WithMaxWait(10*time.Second))
			assert.ErrorIs(t, err, ErrRateLimited)
		})
		time.Sleep(time.Second)
		_, err = c.Me.Get(t.Context())
		require.NoError(t, err)
		leader.Wait()
	})
}

// openSessions counts the sessions that were opened and not closed.
func openSessions(srv *rocketchattest.Server) (n int) {
	for _, call := range srv.Calls() {
		switch {
		case call.Status != http.StatusOK:
		case call.Op == "login":
			n++
		case call.Op == "logout":
			n--
		}
	}
	return n
}

// TestCloseLeavesNoSession: whatever calls begin before or during Close, no session is
// open afterwards.
func TestCloseLeavesNoSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(200) {
			random := rand.New(rand.NewPCG(seed, 11))
			srv := rocketchattest.New(rocketchattest.WithLatency(100*time.Millisecond), rocketchattest.WithLimit(0, 0))
			c := loginClient(t, srv)
			var all sync.WaitGroup
			for range 8 {
				wait := time.Duration(random.IntN(600)) * time.Millisecond
				all.Go(func() {
					time.Sleep(wait)
					_, err := c.Me.Get(t.Context())
					if err != nil {
						assert.ErrorIs(t, err, ErrUnauthorized)
					}
				})
			}
			time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
			assert.NoError(t, c.Close())
			all.Wait()
			require.Zero(t, openSessions(srv), "seed %d", seed)
		}
	})
}

// TestCloseDuringSlowLogin: a log-in that ends after Close gave up waiting is undone.
func TestCloseDuringSlowLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLatency(8 * time.Second))
		c := loginClient(t, srv, WithAttemptTimeout(time.Minute))
		var call sync.WaitGroup
		call.Go(func() {
			_, err := c.Me.Get(t.Context())
			assert.ErrorIs(t, err, ErrUnauthorized)
		})
		synctest.Wait()
		start := time.Now()
		require.ErrorIs(t, c.Close(), context.DeadlineExceeded)
		assert.Equal(t, closeTime, time.Since(start))
		call.Wait()
		time.Sleep(time.Minute)
		assert.Zero(t, openSessions(srv))
	})
}

// TestCredentialsOfASession: the credentials of a session can be had.
func TestCredentialsOfASession(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	c := loginClient(t, srv)
	credentials, err := c.Credentials(t.Context())
	require.NoError(t, err)
	other, err := c.With(WithToken(credentials.UserID, credentials.Token.Reveal()))
	require.NoError(t, err)
	me, err := other.Me.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "admin", me.Username)
	assert.Equal(t, 1, srv.Count("login"))

	none, err := New(srv.URL(), WithTransport(srv))
	require.NoError(t, err)
	_, err = none.Credentials(t.Context())
	require.ErrorIs(t, err, ErrUnauthorized)
}

// TestBadCredentialsAreNotSent: what net/http would refuse to send is refused before,
// and the outcome of a write is not in doubt.
func TestBadCredentialsAreNotSent(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]Option{
		"token":   WithCredentials(staticCredentials{UserID: "u", Token: NewSecret("t\n")}),
		"user ID": WithCredentials(staticCredentials{UserID: "u\r\nX: y", Token: NewSecret("t")}),
	} {
		c, err := New("https://chat.example.org", opt, WithTransport(roundTripper(func(*http.Request) (*http.Response, error) {
			t.Error("sent")
			return nil, io.EOF
		})))
		require.NoError(t, err)
		_, err = c.Users.Delete(t.Context(), ByID("a"), UserDeleteOptions{})
		require.ErrorIs(t, err, ErrInvalid, name)
		require.NotErrorIs(t, err, ErrOutcomeUnknown, name)
		assert.ErrorContains(t, err, name)
	}
	for code, opt := range map[string]CallOption{"given": WithTwoFactorCode("totp\n", "123456"), "asked for": nil} {
		srv, c := secured(t, rocketchattest.User{TOTPSecret: "JBSWY3DPEHPK3PXP"}, WithTwoFactor(func(context.Context, TwoFactorChallenge) (Secret, error) {
			return NewSecret("123\x00456"), nil
		}))
		var callOpts []CallOption
		want := 1
		if opt != nil {
			callOpts, want = append(callOpts, opt), 0
		}
		_, err := c.Tokens.Generate(t.Context(), "bot", TokenGenerateOptions{}, callOpts...)
		require.Error(t, err, code)
		require.NotErrorIs(t, err, ErrOutcomeUnknown, code)
		assert.Equal(t, want, srv.Count("users.generatePersonalAccessToken"), code)
	}
}

// TestRefusedSessions: a server that refuses every session, as behind a proxy that drops
// headers, does not make every call log in.
func TestRefusedSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logins atomic.Int32
		refuses := true
		c, err := New("https://chat.example.org", WithLogin("u", "p"), WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			time.Sleep(latency)
			switch {
			case r.URL.Path == "/api/v1/login":
				return replyJSON(200, fmt.Sprintf(`{"status":"success","data":{"userId":"u","authToken":"t%d"}}`, logins.Add(1))), nil
			case refuses:
				return replyJSON(401, `{"success":false,"error":"You must be logged in to do this."}`), nil
			}
			return replyJSON(200, `{"success":true,"_id":"u"}`), nil
		})))
		require.NoError(t, err)
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 30 * time.Millisecond)
				_, err := c.Me.Get(t.Context())
				assert.ErrorIs(t, err, ErrUnauthorized)
			})
		}
		all.Wait()
		assert.EqualValues(t, maxUnproven, logins.Load())

		time.Sleep(wrongFor)
		_, err = c.Me.Get(t.Context())
		require.ErrorIs(t, err, ErrUnauthorized)
		assert.EqualValues(t, maxUnproven+1, logins.Load(), "the server can have been set right")
		refuses = false
		for range 10 { // sessions that end are another thing
			_, err = c.Me.Get(t.Context())
			require.NoError(t, err)
		}
		assert.EqualValues(t, maxUnproven+1, logins.Load())
	})
}

// TestLoginAnswers: a refusal is one whatever its text, and a log-in without a token opens
// no session.
func TestLoginAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		body   string
		class  Class
		logins int32
	}{
		{401, `{"status":"error","error":403,"message":"User not found"}`, ErrUnauthorized, 1},
		{401, `{"status":"error","error":"Unauthorized","message":"User not found"}`, ErrUnauthorized, 1},
		{200, `{"status":"success","data":{}}`, ErrBadAnswer, 20},
		{200, `{"status":"success","data":{"userId":"u"}}`, ErrBadAnswer, 20},
		{200, `{"status":"success","data":{"authToken":"t"}}`, ErrBadAnswer, 20},
		{200, `{"status":"success","data":null}`, ErrBadAnswer, 20},
	} {
		var logins, others atomic.Int32
		c, err := New("https://chat.example.org", WithLogin("u", "p"), WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/api/v1/login" {
				logins.Add(1)
			} else {
				others.Add(1)
			}
			return replyJSON(tc.status, tc.body), nil
		})))
		require.NoError(t, err)
		for range 20 {
			require.ErrorIs(t, deleteUser(t.Context(), c), tc.class, tc.body)
		}
		assert.Equal(t, tc.logins, logins.Load(), tc.body)
		assert.Zero(t, others.Load(), tc.body)
	}
}

// TestPanicDuringLogin: the panic of a caller's function goes to the call that logged in.
// Those who wait fail with it, rather than to log in one after the other.
func TestPanicDuringLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logins, panics atomic.Int32
		c, err := New("https://chat.example.org", WithLogin("u", "p"),
			WithTwoFactor(func(context.Context, TwoFactorChallenge) (Secret, error) { panic("no code") }),
			WithTransport(roundTripper(func(*http.Request) (*http.Response, error) {
				time.Sleep(latency)
				logins.Add(1)
				return replyJSON(401, `{"success":false,"error":"totp-required","errorType":"totp-required","details":{"method":"totp"}}`), nil
			})))
		require.NoError(t, err)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				defer func() {
					if recover() != nil {
						panics.Add(1)
					}
				}()
				_, err := c.Me.Get(t.Context())
				assert.ErrorIs(t, err, errLoginBroken)
			})
		}
		all.Wait()
		assert.EqualValues(t, 1, panics.Load())
		assert.EqualValues(t, 1, logins.Load())
	})
}
