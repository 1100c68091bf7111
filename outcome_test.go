package rocketchat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// rawServer answers every request with the same bytes, and counts the requests.
func rawServer(t *testing.T, answer string) (url string, served *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	served = new(atomic.Int32)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				for request := make([]byte, 64<<10); ; {
					if _, err := conn.Read(request); err != nil {
						return
					}
					served.Add(1)
					_, _ = io.WriteString(conn, answer)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String(), served
}

func deleteUser(ctx context.Context, c *Client) error {
	_, err := c.Users.Delete(ctx, ByID("a"), UserDeleteOptions{})
	return err
}

// TestStatusesBelow200: a write answered so may have taken effect, and the response of a
// switched protocol, which never ends, holds no call up.
func TestStatusesBelow200(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n",
	} {
		url, served := rawServer(t, answer)
		c, err := New(url, WithToken("u", "t"))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err = deleteUser(ctx, c)
		require.NoError(t, ctx.Err(), answer)
		require.ErrorIs(t, err, ErrUnreachable, answer)
		require.ErrorIs(t, err, ErrOutcomeUnknown, answer)
		assert.EqualValues(t, 1, served.Load(), answer)
	}
}

// TestBrokenTransports: a transport that breaks the rules for one does not make a call
// panic.
func TestBrokenTransports(t *testing.T) {
	t.Parallel()
	for name, res := range map[string]*http.Response{"no response": nil, "no body": {StatusCode: http.StatusOK}} {
		c := newTestClient(t, roundTripper(func(*http.Request) (*http.Response, error) { return res, nil }), WithRetry(RetryPolicy{MaxAttempts: 1}))
		require.ErrorIs(t, deleteUser(t.Context(), c), ErrOutcomeUnknown, name)
		_, err := c.Me.Get(t.Context())
		require.Error(t, err, name)
	}
}

// TestNothingWasSent: what fails before the request leaves is certain.
func TestNothingWasSent(t *testing.T) {
	t.Parallel()
	url, served := rawServer(t, "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
	withHeader := func(name, value string) Trace {
		return Trace{AttemptStart: func(ctx context.Context, info AttemptInfo) context.Context {
			info.Header[name] = []string{value}
			return ctx
		}}
	}
	for name, trace := range map[string]Trace{
		"bad name":  withHeader("Bad Name", "x"),
		"no name":   withHeader("", "x"),
		"colon":     withHeader("A:", "x"),
		"not ASCII": withHeader("Ümlaut", "x"),
		"bad value": withHeader("A", "x\ny"),
		"ended by the trace": {AttemptStart: func(ctx context.Context, _ AttemptInfo) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		}},
	} {
		c, err := New(url, WithToken("u", "t"), WithTrace(trace))
		require.NoError(t, err)
		err = deleteUser(t.Context(), c)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, ErrOutcomeUnknown, name)
	}
	assert.Zero(t, served.Load())
}

// TestNoContext: a nil context is an error like any other argument that is missing.
func TestNoContext(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, serve(nil))
	login, err := c.With(WithLogin("u", "p"))
	require.NoError(t, err)
	var none context.Context
	require.ErrorIs(t, deleteUser(none, c), ErrInvalid)
	require.ErrorIs(t, deleteUser(none, login), ErrInvalid)
	_, err = login.Credentials(none)
	require.ErrorIs(t, err, ErrInvalid)
	for _, err := range c.Users.All(none, UserListOptions{}) {
		require.ErrorIs(t, err, ErrInvalid)
	}
}

// TestDialErrorAfterTheRequest: a transport that tries again and then finds no connection
// has sent the request all the same.
func TestDialErrorAfterTheRequest(t *testing.T) {
	t.Parallel()
	url, served := rawServer(t, "HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n")
	network := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	t.Cleanup(network.CloseIdleConnections)
	c, err := New(url, WithToken("u", "t"), WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		res, err := network.RoundTrip(r)
		if err == nil {
			_ = res.Body.Close()
			err = &net.OpError{Op: "dial", Err: errors.New("refused")}
		}
		return nil, err
	})))
	require.NoError(t, err)
	require.ErrorIs(t, deleteUser(t.Context(), c), ErrOutcomeUnknown)
	assert.EqualValues(t, 1, served.Load())
}

// TestTransportThatFetchesAToken: a request to another server, made in the context of a
// write, is not taken for the write made again. The write made again is stopped.
func TestTransportThatFetchesAToken(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + `{"success":true}`
	url, served := rawServer(t, ok)
	tokens := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(tokens.Close)
	network := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	t.Cleanup(network.CloseIdleConnections)
	fetching := roundTripper(func(r *http.Request) (*http.Response, error) {
		token, err := http.NewRequestWithContext(r.Context(), http.MethodGet, tokens.URL, nil)
		if err != nil {
			return nil, err
		}
		res, err := network.RoundTrip(token)
		if err != nil {
			return nil, err
		}
		_ = res.Body.Close()
		return network.RoundTrip(r)
	})
	c, err := New(url, WithToken("u", "t"), WithTransport(fetching))
	require.NoError(t, err)
	require.NoError(t, deleteUser(t.Context(), c))
	assert.EqualValues(t, 1, served.Load())

	repeating := roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		for {
			again := r.Clone(r.Context())
			again.Body = io.NopCloser(strings.NewReader(string(body)))
			res, err := network.RoundTrip(again)
			if err != nil {
				return nil, err
			}
			_ = res.Body.Close()
		}
	})
	c, err = New(url, WithToken("u", "t"), WithTransport(repeating))
	require.NoError(t, err)
	require.ErrorIs(t, deleteUser(t.Context(), c), ErrOutcomeUnknown)
	assert.EqualValues(t, 2, served.Load())
}

// TestNamesThatAreIDs: people choose their usernames, and users.info takes an ID for a
// username and the other way round.
func TestNamesThatAreIDs(t *testing.T) {
	t.Parallel()
	var changed atomic.Bool
	c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost {
			changed.Store(true)
		}
		return replyJSON(200, `{"success":true,"user":{"_id":"strangersid","username":"victimsid","canViewAllInfo":true}}`), nil
	}))
	for _, ref := range []UserRef{ByUsername("strangersid"), ByID("victimsid")} {
		_, err := c.Users.Get(t.Context(), ref)
		require.ErrorIs(t, err, ErrNotFound, ref)
		_, err = c.Users.Update(t.Context(), ref, UserUpdateOptions{Password: new(NewSecret("p"))})
		require.ErrorIs(t, err, ErrNotFound, ref)
	}
	require.ErrorIs(t, c.Users.Activate(t.Context(), ByUsername("strangersid")), ErrNotFound)
	assert.False(t, changed.Load())
}

// TestMaxWaitOfAWholeCall: the log-in and the look-up that a call needs wait as part of
// it, and so does a call that waits for the log-in of another.
func TestMaxWaitOfAWholeCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const password = "Ordinary-Passw0rd"
		srv := rocketchattest.New(rocketchattest.WithLatency(latency), rocketchattest.WithLimit(2, time.Minute))
		_, err := srv.AddUser(rocketchattest.User{Username: "ordinary", Password: password})
		require.NoError(t, err)
		c, err := New(srv.URL(), WithTransport(srv), WithLogin("ordinary", password))
		require.NoError(t, err)
		for range 2 { // use up the limit
			_, err := c.Sessions.Login(t.Context(), "ordinary", NewSecret(password))
			require.NoError(t, err)
		}
		start := time.Now()
		var leader sync.WaitGroup
		leader.Go(func() {
			_, err := c.Me.Get(t.Context(), WithMaxWait(time.Hour))
			assert.NoError(t, err)
		})
		time.Sleep(time.Second)
		_, err = c.Me.Get(t.Context(), WithMaxWait(30*time.Second))
		require.ErrorIs(t, err, ErrRateLimited)
		soon, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err = c.Me.Get(soon)
		require.ErrorIs(t, err, ErrRateLimited)
		assert.Equal(t, time.Second, time.Since(start))
		_, err = c.Me.Get(t.Context(), WithMaxWait(2*time.Minute))
		require.NoError(t, err)
		leader.Wait()
	})
}

// TestMaxWaitOfALookUp: two refusals of 40 s each are more than a minute.
func TestMaxWaitOfALookUp(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *Client, CallOption) error{
		"reference": func(ctx context.Context, c *Client, opt CallOption) error {
			return c.Users.Activate(ctx, ByUsername("ann"), opt)
		},
		"update": func(ctx context.Context, c *Client, opt CallOption) error {
			_, err := c.Users.Update(ctx, ByID("a"), UserUpdateOptions{Name: new("Ann")}, opt)
			return err
		},
		"ensure": func(ctx context.Context, c *Client, opt CallOption) error {
			_, err := c.Users.Ensure(ctx, UserCreateOptions{Username: "bob", Email: "b@x", Password: NewSecret("p")}, opt)
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			refused := make(map[string]bool)
			c := newTestClient(t, serve(func(_ int, r *http.Request) (*http.Response, error) {
				switch {
				case !refused[r.URL.Path]:
					refused[r.URL.Path] = true
					return replyJSON(429, `{"success":false,"error":"You must wait 40 seconds before trying this endpoint again."}`), nil
				case r.URL.Query().Get("username") == "bob":
					return replyJSON(400, `{"success":false,"error":"User not found."}`), nil
				}
				return replyJSON(200, `{"success":true,"user":{"_id":"a","username":"ann"}}`), nil
			}))
			start := time.Now()
			require.ErrorIs(t, call(t.Context(), c, WithMaxWait(time.Minute)), ErrRateLimited, name)
			assert.Less(t, time.Since(start), time.Minute, name)
			assert.NoError(t, call(t.Context(), c, WithMaxWait(time.Minute)), name)
		})
	}
}

// TestFactorOfALookUp: a second factor that was given for a call is not sent with the
// look-up that the call needs.
func TestFactorOfALookUp(t *testing.T) {
	t.Parallel()
	sent := make(map[string]string)
	c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		sent[r.URL.Path] = r.Header.Get("X-2fa-Method")
		return replyJSON(200, `{"success":true,"user":{"_id":"a","username":"ann"}}`), nil
	}))
	code := WithTwoFactorCode(TwoFactorTOTP, "123456")
	_, err := c.Users.Update(t.Context(), ByUsername("ann"), UserUpdateOptions{Name: new("Ann")}, code)
	require.NoError(t, err)
	require.NoError(t, c.Users.Activate(t.Context(), ByUsername("ann"), code))
	assert.Equal(t, map[string]string{"/api/v1/users.info": "", "/api/v1/users.update": "totp", "/api/v1/users.setActiveStatus": "totp"}, sent)
}

// TestLoopEndsWithItsContext: no item is yielded after the context ended, though some have
// arrived.
func TestLoopEndsWithItsContext(t *testing.T) {
	t.Parallel()
	body := func() string {
		var items []string
		for i := range 5000 {
			items = append(items, fmt.Sprintf(`{"_id":"%06d","username":"user%06d","bio":"somebody"}`, i, i))
		}
		return `{"success":true,"users":[` + strings.Join(items, ",") + `],"total":5000}`
	}()
	for name, opts := range map[string]UserListOptions{"stream": {}, "pages": {Count: 100}} {
		c := newTestClient(t, roundTripper(func(*http.Request) (*http.Response, error) { return replyJSON(200, body), nil }))
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		n := 0
		var last error
		for _, err := range c.Users.All(ctx, opts) {
			if last = err; err == nil {
				n++
			}
			cancel(errors.New("enough,\nthank you"))
		}
		assert.Equal(t, 1, n, name)
		require.ErrorIs(t, last, context.Canceled, name)
		isClean(t, last.Error())
	}
}

// TestNilFromTheCaller: a trace that returns no context changes none, and a challenge that
// no server sent has nobody to mail a code.
func TestNilFromTheCaller(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) {
		return replyJSON(200, `{"success":true,"_id":"a"}`), nil
	}),
		WithTrace(Trace{
			CallStart:    func(context.Context, CallInfo) context.Context { return nil },
			AttemptStart: func(context.Context, AttemptInfo) context.Context { return nil },
		}))
	_, err := c.Me.Get(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, TwoFactorChallenge{}.SendEmailCode(t.Context()), ErrInvalid)
}
