package rocketchat

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serve makes a transport of a function that answers attempt number n, from 1 on.
func serve(answer func(n int, r *http.Request) (*http.Response, error)) http.RoundTripper {
	n := 0
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		n++
		return answer(n, r)
	})
}

// reply is an answer with a body of a content type.
func reply(status int, contentType, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
}

func replyJSON(status int, body string) *http.Response {
	return reply(status, "application/json", body)
}

func newTestClient(t *testing.T, rt http.RoundTripper, opts ...Option) *Client {
	t.Helper()
	c, err := New("https://chat.example.org", append([]Option{WithTransport(rt), WithToken("uid", "the-token")}, opts...)...)
	require.NoError(t, err)
	return c
}

func TestNewRejectsBadAddresses(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "chat.example.org", "ftp://chat.example.org", "https://", "https://user:pw@chat.example.org",
		"https://chat.example.org?x=1", "https://chat.example.org#x", "http://chat.example.org", "https://chat example.org", "://",
		"https://chat.example.org/a%2fb", "https://chat.example.org:99999",
	} {
		_, err := New(raw)
		require.ErrorIs(t, err, ErrInvalid, raw)
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok)
		assert.Equal(t, "baseURL", e.Field, raw)
		assert.NotContains(t, err.Error(), "pw", raw)
	}
}

func TestNewReadsAddresses(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://chat.example.org":               "https://chat.example.org",
		"https://chat.example.org/":              "https://chat.example.org",
		"https://chat.example.org/api/v1":        "https://chat.example.org",
		"https://chat.example.org/api/v1/users/": "https://chat.example.org",
		"https://example.org/chat/api/v1/":       "https://example.org/chat",
		" https://chat.example.org:8443 ":        "https://chat.example.org:8443",
		"http://localhost:3000":                  "http://localhost:3000",
		"http://127.0.0.1:3000/":                 "http://127.0.0.1:3000",
		"http://[::1]:3000":                      "http://[::1]:3000",
	} {
		c, err := New(raw)
		require.NoError(t, err, raw)
		assert.Equal(t, want, c.BaseURL(), raw)
	}
	c, err := New("http://chat.example.org", WithPlainHTTP())
	require.NoError(t, err)
	assert.Equal(t, "http://chat.example.org", c.BaseURL())
}

func TestOptionsRejectBadInput(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]Option{
		"token without user":  WithToken("", "t"),
		"user without token":  WithToken("u", ""),
		"login without user":  WithLogin("", "p"),
		"no password":         WithLogin("u", ""),
		"nil provider":        WithCredentials(nil),
		"nil transport":       WithTransport(nil),
		"nil gate":            WithGate(nil),
		"nil logger":          WithLogger(nil),
		"no attempts":         WithRetry(RetryPolicy{}),
		"waits reversed":      WithRetry(RetryPolicy{MaxAttempts: 1, BaseDelay: 2, MaxDelay: 1}),
		"no attempt timeout":  WithAttemptTimeout(0),
		"no room for answers": WithMaxAnswer(0),
		"negative wait":       WithMaxWait(-1),
		"no user agent":       WithUserAgent(""),
	} {
		_, err := New("https://chat.example.org", opt)
		assert.Error(t, err, name)
	}
}

// TestBadAnswers: whatever stands between the client and the server may
// answer; each time the error says which call it was, what status and what class.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	const page = "<html><body>the-token is not logged in</body></html>"
	for name, tc := range map[string]struct {
		answer *http.Response
		class  Class
		status int
	}{
		"proxy's page as success":    {reply(200, "text/html; charset=utf-8", page), ErrBadAnswer, 200},
		"proxy's page as failure":    {reply(400, "text/html", page), ErrBadAnswer, 400},
		"proxy's page as 502":        {reply(502, "text/html", page), ErrServer, 502},
		"proxy wants a log-in":       {reply(401, "text/html", page), ErrUnauthorized, 401},
		"empty":                      {replyJSON(200, ""), ErrBadAnswer, 200},
		"no content":                 {reply(204, "", ""), ErrBadAnswer, 204},
		"cut JSON":                   {replyJSON(200, `{"success":true,"user":{"_id":"a"`), ErrBadAnswer, 200},
		"JSON and more":              {replyJSON(200, `{"success":true,"user":{}} trailing`), ErrBadAnswer, 200},
		"not an object":              {replyJSON(200, `["user"]`), ErrBadAnswer, 200},
		"no user in it":              {replyJSON(200, `{"success":true}`), ErrBadAnswer, 200},
		"null for the user":          {replyJSON(200, `{"success":true,"user":null}`), ErrBadAnswer, 200},
		"user of another kind":       {replyJSON(200, `{"success":true,"user":"the-token"}`), ErrBadAnswer, 200},
		"JSON that claims not to be": {reply(200, "text/plain", `{"success":true,"user":{"_id":"a"}}`), ErrBadAnswer, 200},
		"unsuccessful success":       {replyJSON(200, `{"success":false,"error":"User not found."}`), ErrNotFound, 200},
		"unknown route":              {reply(404, "text/plain; charset=UTF-8", "404 Not Found"), ErrEndpointUnknown, 404},
		"redirect": {&http.Response{
			StatusCode: http.StatusMovedPermanently, Body: http.NoBody,
			Header: http.Header{"Location": {"https://evil.example.net/steal?token=1"}},
		}, ErrRedirected, 301},
		"redirect to nowhere": {&http.Response{StatusCode: http.StatusFound, Body: http.NoBody, Header: http.Header{}}, ErrRedirected, 302},
		"not modified":        {&http.Response{StatusCode: http.StatusNotModified, Body: http.NoBody, Header: http.Header{}}, ErrRedirected, 304},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := 0
			c := newTestClient(t, serve(func(n int, r *http.Request) (*http.Response, error) {
				sent = n
				assert.Equal(t, "chat.example.org", r.URL.Host)
				return tc.answer, nil
			}), WithRetry(RetryPolicy{MaxAttempts: 1}))
			user, err := c.Users.Get(t.Context(), ByID("a"))
			assert.Nil(t, user)
			require.ErrorIs(t, err, tc.class)
			e, ok := errors.AsType[*Error](err)
			require.True(t, ok)
			assert.Equal(t, "users.info", e.Op)
			assert.Equal(t, tc.status, e.StatusCode)
			assert.Equal(t, 1, e.Attempts)
			assert.Equal(t, 1, sent)
			assert.NotContains(t, err.Error(), "the-token")
			assert.NotContains(t, err.Error(), "steal")
		})
	}
}

func TestAnswerIsBounded(t *testing.T) {
	t.Parallel()
	endless := func(int, *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusOK, ContentLength: -1, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(io.MultiReader(strings.NewReader(`{"user":"`), endlessReader{})),
		}, nil
	}
	announced := func(int, *http.Request) (*http.Response, error) {
		res := replyJSON(200, `{}`)
		res.ContentLength = 1 << 40
		return res, nil
	}
	for name, answer := range map[string]func(int, *http.Request) (*http.Response, error){"endless": endless, "announced": announced} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newTestClient(t, serve(answer), WithMaxAnswer(1<<16))
			_, err := c.Users.Get(t.Context(), ByID("a"))
			require.ErrorIs(t, err, ErrBadAnswer)
			assert.ErrorContains(t, err, "larger than")
		})
	}
}

type endlessReader struct{}

func (endlessReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// TestRetries: what is sent again depends on the call and on what may have happened.
func TestRetries(t *testing.T) {
	t.Parallel()
	const ok = `{"success":true,"user":{"_id":"a"},"token":"t","preferences":{}}`
	dial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	reset := &net.OpError{Op: "read", Err: errors.New("connection reset")}
	status := func(code int) func() (*http.Response, error) {
		return func() (*http.Response, error) { return reply(code, "text/html", "<html>"), nil }
	}
	failure := func(err error) func() (*http.Response, error) {
		return func() (*http.Response, error) { return nil, err }
	}
	cut := func() (*http.Response, error) {
		res := replyJSON(200, ok[:20])
		res.ContentLength = int64(len(ok))
		return res, nil
	}
	refused := func() (*http.Response, error) {
		return replyJSON(429, `{"success":false,"error":"Error, too many requests. [error-too-many-requests]"}`), nil
	}
	read := func(ctx context.Context, c *Client) error {
		_, err := c.Users.Get(ctx, ByID("a"))
		return err
	}
	idempotent := func(ctx context.Context, c *Client) error {
		_, err := do[struct{}](ctx, c, post("users.setStatus").retried().json(struct{}{}), nil)
		return err
	}
	write := func(ctx context.Context, c *Client) error {
		_, err := do[struct{}](ctx, c, post("users.create").json(struct{}{}), nil)
		return err
	}
	for _, tc := range []struct {
		name    string
		fails   func() (*http.Response, error) // the first answer; the second is a success
		call    func(context.Context, *Client) error
		repeats bool
		unknown bool
	}{
		{"read, never sent", failure(dial), read, true, false},
		{"read, connection broken", failure(reset), read, true, false},
		{"read, answer cut", cut, read, true, false},
		{"read, 429", refused, read, true, false},
		{"read, 502", status(502), read, true, false},
		{"read, 503", status(503), read, true, false},
		{"read, 504", status(504), read, true, false},
		{"read, 500", status(500), read, false, false},
		{"read, 501", status(501), read, false, false},
		{"idempotent write, never sent", failure(dial), idempotent, true, false},
		{"idempotent write, connection broken", failure(reset), idempotent, true, false},
		{"idempotent write, answer cut", cut, idempotent, true, false},
		{"idempotent write, 502", status(502), idempotent, true, false},
		{"idempotent write, 500", status(500), idempotent, false, true},
		{"write, never sent", failure(dial), write, true, false},
		{"write, 429", refused, write, true, false},
		{"write, connection broken", failure(reset), write, false, true},
		{"write, answer cut", cut, write, false, true},
		{"write, 500", status(500), write, false, true},
		{"write, 502", status(502), write, false, true},
		{"write, 503", status(503), write, false, true},
		{"write, 504", status(504), write, false, true},
		{"write, a proxy's 524", status(524), write, false, true},
		{"idempotent write, a proxy's 524", status(524), idempotent, false, true},
		{"write, 501", status(501), write, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				c := newTestClient(t, serve(func(n int, _ *http.Request) (*http.Response, error) {
					if attempts = n; n == 1 {
						return tc.fails()
					}
					return replyJSON(200, ok), nil
				}))
				err := tc.call(t.Context(), c)
				assert.Equal(t, tc.unknown, errors.Is(err, ErrOutcomeUnknown), "outcome unknown: %v", err)
				if tc.repeats {
					require.NoError(t, err)
					assert.Equal(t, 2, attempts)
					return
				}
				require.Error(t, err)
				assert.Equal(t, 1, attempts)
			})
		})
	}
}

// TestOutcomeStaysUnknown: once an attempt may have had its effect, a later refusal does not
// prove that it had none.
func TestOutcomeStaysUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTestClient(t, serve(func(n int, _ *http.Request) (*http.Response, error) {
			if n == 1 {
				return nil, io.ErrUnexpectedEOF
			}
			return replyJSON(400, `{"success":false,"error":"Not allowed [error-not-allowed]","errorType":"error-not-allowed"}`), nil
		}))
		err := exec(t.Context(), c, post("users.setStatus").retried().json(struct{}{}), nil)
		require.ErrorIs(t, err, ErrForbidden)
		require.ErrorIs(t, err, ErrOutcomeUnknown)
	})
}

func TestAttemptTimeoutIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTestClient(t, serve(func(n int, r *http.Request) (*http.Response, error) {
			if n < 3 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return replyJSON(200, `{"success":true,"user":{"_id":"a"}}`), nil
		}), WithAttemptTimeout(5*time.Second))
		start := time.Now()
		user, err := c.Users.Get(t.Context(), ByID("a"))
		require.NoError(t, err)
		assert.Equal(t, "a", user.ID)
		assert.GreaterOrEqual(t, time.Since(start), 10*time.Second)
	})
}

func TestCallerCancels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := serve(func(_ int, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		})
		c := newTestClient(t, hang, WithAttemptTimeout(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := c.Users.Get(ctx, ByID("a"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, ErrUnreachable)
		assert.NotErrorIs(t, err, ErrOutcomeUnknown, "a read leaves no doubt")

		mine := errors.New("the user closed the window")
		ctx2, cancel2 := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel2(mine) })
		err = exec(ctx2, c, post("users.create").json(struct{}{}), nil)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, mine)
		require.ErrorIs(t, err, ErrOutcomeUnknown)
	})
}

func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		var seen []Attempt
		c := newTestClient(t, serve(func(n int, _ *http.Request) (*http.Response, error) {
			attempts = n
			return nil, io.ErrUnexpectedEOF
		}), WithRetry(RetryPolicy{MaxAttempts: 3, BaseDelay: time.Second, MaxDelay: 2 * time.Second}),
			WithTrace(Trace{AttemptDone: func(_ context.Context, a Attempt) { seen = append(seen, a) }}))
		start := time.Now()
		_, err := c.Users.Get(t.Context(), ByID("secret-id"))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.NotContains(t, err.Error(), "secret-id")
		assert.Equal(t, 3, attempts)
		took := time.Since(start)
		assert.GreaterOrEqual(t, took, 2*time.Second, "BaseDelay is the shortest pause")
		assert.LessOrEqual(t, took, 4*time.Second, "MaxDelay is the longest")
		require.Len(t, seen, 3)
		assert.Equal(t, 3, seen[2].Number)
		require.ErrorIs(t, seen[2].Err, io.ErrUnexpectedEOF)
	})
}

// TestEndlessRefusals: a call is given up by time, not after a number of
// refusals.
func TestEndlessRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		c := newTestClient(t, serve(func(n int, _ *http.Request) (*http.Response, error) {
			attempts = n
			res := reply(429, "text/html", "slow down")
			res.Header.Set("Retry-After", "2")
			return res, nil
		}))
		start := time.Now()
		_, err := c.Users.Get(t.Context(), ByID("a"), WithMaxWait(time.Minute))
		require.ErrorIs(t, err, ErrRateLimited)
		e, _ := errors.AsType[*Error](err)
		assert.Equal(t, 429, e.StatusCode, "what the server said last")
		assert.Greater(t, attempts, 12)
		took := time.Since(start)
		assert.GreaterOrEqual(t, took, time.Duration(attempts-1)*2*time.Second, "the proxy's Retry-After is kept")
		assert.LessOrEqual(t, took, time.Minute)
	})
}

func TestWithDerives(t *testing.T) {
	t.Parallel()
	var users []string
	c := newTestClient(t, serve(func(_ int, r *http.Request) (*http.Response, error) {
		users = append(users, r.Header.Get("X-User-Id"))
		return replyJSON(200, `{"success":true,"user":{"_id":"a"}}`), nil
	}))
	other, err := c.With(WithToken("other", "t"))
	require.NoError(t, err)
	for _, client := range []*Client{c, other, c} {
		_, err := client.Users.Get(t.Context(), ByID("a"))
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"uid", "other", "uid"}, users)
	assert.Same(t, c.config.gate, other.config.gate)
	_, err = c.With(WithMaxAnswer(-1))
	require.ErrorIs(t, err, ErrInvalid)
}

func TestRawAnswer(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) {
		return replyJSON(400, `{"success":false,"error":"User not found."}`), nil
	}))
	var raw []byte
	_, err := c.Users.Get(t.Context(), ByID("a"), WithRawAnswer(&raw))
	require.ErrorIs(t, err, ErrNotFound)
	assert.JSONEq(t, `{"success":false,"error":"User not found."}`, string(raw))
}

// TestOutcomeStaysUnknownAfterRedirect: a redirect of the second attempt says nothing of the first.
func TestOutcomeStaysUnknownAfterRedirect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTestClient(t, serve(func(n int, _ *http.Request) (*http.Response, error) {
			if n == 1 {
				return nil, io.ErrUnexpectedEOF
			}
			return &http.Response{
				StatusCode: http.StatusFound, Body: http.NoBody, Header: http.Header{"Location": {"https://portal.example.net/"}},
			}, nil
		}))
		err := exec(t.Context(), c, post("users.setStatus").retried().json(struct{}{}), nil)
		require.ErrorIs(t, err, ErrRedirected)
		require.ErrorIs(t, err, ErrOutcomeUnknown)
	})
}

// TestAnswerAtTheDeadline: an answer that has come is kept, although the caller's time
// is up. An error would say of a write that was done that it was not.
func TestAnswerAtTheDeadline(t *testing.T) {
	t.Parallel()
	for status, body := range map[int]string{
		http.StatusOK:         `{"success":true}`,
		http.StatusBadRequest: `{"success":false,"error":"Not allowed [error-not-allowed]","errorType":"error-not-allowed"}`,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) {
			cancel()
			return replyJSON(status, body), nil
		}))
		err := exec(ctx, c, post("users.delete").json(struct{}{}), nil)
		if status == http.StatusOK {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrForbidden)
		assert.NotErrorIs(t, err, ErrOutcomeUnknown)
	}
}

// TestEmptyObject: where the whole answer is the result, it must say that
// the call succeeded. Something that answers {} to everything would be believed.
func TestEmptyObject(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `null`, `{"user":{"_id":"a"}}`} {
		c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) { return replyJSON(200, body), nil }))
		err := exec(t.Context(), c, post("users.delete").json(struct{}{}), nil)
		require.ErrorIs(t, err, ErrBadAnswer, body)
		require.ErrorIs(t, err, ErrOutcomeUnknown, body)
		_, err = c.Me.Get(t.Context())
		require.ErrorIs(t, err, ErrBadAnswer, body)
		require.NotErrorIs(t, err, ErrOutcomeUnknown, body)
		_, err = c.Users.List(t.Context(), UserListOptions{})
		require.ErrorIs(t, err, ErrBadAnswer, body)
	}
}

// TestNoConnection: a firewall that swallows what is sent to it swallows no write.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		c := newTestClient(t, &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			time.Sleep(time.Minute) // net/http continues to dial after the attempt has ended
			return nil, errors.New("no route to host")
		}}, WithAttemptTimeout(time.Second))
		err := exec(t.Context(), c, post("users.create").json(struct{}{}), nil)
		require.ErrorIs(t, err, ErrUnreachable)
		require.NotErrorIs(t, err, ErrOutcomeUnknown)
		assert.EqualValues(t, 4, dials.Load(), "it is tried again")
		time.Sleep(2 * time.Minute)
	})
}

func TestUnreadableRedirect(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusFound, Body: http.NoBody, Header: http.Header{"Location": {"https://x y/%zz?rc_token=the-token"}}}, nil
	}))
	_, err := c.Users.Get(t.Context(), ByID("a"))
	require.ErrorIs(t, err, ErrRedirected)
	assert.NotContains(t, err.Error(), "the-token")
}
