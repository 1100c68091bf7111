package rocketchat

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

const latency = 50 * time.Millisecond

// ordinaryClient makes calls on srv as a user whom the limiter counts.
func ordinaryClient(t *testing.T, srv *rocketchattest.Server, opts ...Option) *Client {
	t.Helper()
	_, err := srv.AddUser(rocketchattest.User{Username: "ordinary"})
	require.NoError(t, err)
	id, token := srv.Login("ordinary")
	c, err := New(srv.URL(), append([]Option{WithTransport(srv), WithToken(id, token)}, opts...)...)
	require.NoError(t, err)
	return c
}

// refusals are the 429s that a server answered from its nth call on.
func refusals(srv *rocketchattest.Server) (all []rocketchattest.Call) {
	for _, call := range srv.Calls() {
		if call.Status == http.StatusTooManyRequests {
			all = append(all, call)
		}
	}
	return all
}

// allAtOnce makes n calls at the same time and fails unless every one succeeds.
func allAtOnce(t *testing.T, n int, call func(i int) error) (took time.Duration) {
	t.Helper()
	start := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { assert.NoError(t, call(i)) })
	}
	wg.Wait()
	return time.Since(start)
}

// within reports how far above the least possible time a run was.
func within(t *testing.T, took, least time.Duration, share float64) {
	t.Helper()
	assert.GreaterOrEqual(t, took, least)
	assert.LessOrEqual(t, float64(took), float64(least)*(1+share), "took %s, %.2f %% above %s", took, 100*(float64(took)/float64(least)-1), least)
}

func TestGateAgainstTheRealWindow(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name         string
		limit, calls int
		offset       time.Duration // of the server's clock
		share        float64       // of time allowed above the minimum
		refused      int           // allowed
	}{
		{"clocks agree", 10, 40, 0, 0.01, 0},
		{"server 5 minutes ahead", 10, 40, 5 * time.Minute, 0.02, 0},
		{"server 5 minutes behind", 10, 40, -5 * time.Minute, 0.02, 0},
		{"server an hour ahead", 10, 40, time.Hour, 0.02, 0},
		{"server an hour behind", 10, 40, -time.Hour, 0.02, 0},
		{"server 0.3 s ahead", 10, 40, 300 * time.Millisecond, 0.02, 0},
		// Clocks that may agree are assumed to agree, until the first refusal shows that they
		// do not.
		{"server 0.3 s behind", 10, 40, -300 * time.Millisecond, 0.02, 1},
		{"server an odd time ahead", 10, 40, 77777 * time.Millisecond, 0.02, 0},
		{"one call a window", 1, 6, 0, 0.01, 0},
		{"five calls a window", 5, 22, 0, 0.01, 0},
		{"a thousand calls a window", 1000, 2500, 0, 0.01, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := rocketchattest.New(rocketchattest.WithLimit(tc.limit, time.Minute), rocketchattest.WithLatency(latency),
					rocketchattest.WithClock(func() time.Time { return time.Now().Add(tc.offset) }))
				c := ordinaryClient(t, srv)
				time.Sleep(537 * time.Millisecond) // Date has whole seconds: do not start on one
				took := allAtOnce(t, tc.calls, func(int) error {
					_, err := c.Users.Get(t.Context(), ByUsername("admin"))
					return err
				})
				within(t, took, time.Duration((tc.calls-1)/tc.limit)*time.Minute, tc.share)
				assert.LessOrEqual(t, len(refusals(srv)), tc.refused)
				assert.Equal(t, tc.calls+len(refusals(srv)), srv.Count("users.info"))
			})
		})
	}
}

// TestGateWithNeighbour shares the address with somebody whose calls the client can
// see only in what is left: at most one refusal a window, and every call succeeds.
func TestGateWithNeighbour(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := rocketchattest.New(rocketchattest.WithLimit(10, time.Minute), rocketchattest.WithLatency(latency))
				c := ordinaryClient(t, srv)
				neighbour, err := srv.AddUser(rocketchattest.User{Username: "neighbour"})
				require.NoError(t, err)
				_, token := srv.Login("neighbour")
				random := rand.New(rand.NewPCG(seed, 1))
				stop, done := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(done)
					for window := 0; ; window++ {
						for range 3 { // half the time in the middle of the client's burst
							pause := time.Duration(random.Int64N(int64(20 * time.Second)))
							if random.IntN(2) == 0 {
								pause = time.Duration(random.Int64N(int64(4 * latency)))
							}
							select {
							case <-stop:
								return
							case <-time.After(pause):
							}
							bypass(srv, "users.info?username=admin", neighbour.ID, token)
						}
						select {
						case <-stop:
							return
						case <-time.After(time.Minute):
						}
					}
				}()
				start := time.Now()
				allAtOnce(t, 40, func(int) error {
					_, err := c.Users.Get(t.Context(), ByUsername("admin"))
					return err
				})
				close(stop)
				<-done
				mine := map[time.Duration]int{}
				for _, refused := range refusals(srv) {
					if refused.UserID != neighbour.ID {
						mine[refused.At.Sub(start).Truncate(time.Minute)]++
					}
				}
				for window, n := range mine {
					assert.LessOrEqual(t, n, 1, "refusals in the window at %s", window)
				}
			})
		})
	}
}

// bypass makes a call past every client.
func bypass(srv *rocketchattest.Server, pathAndQuery, userID, token string) int {
	req, err := http.NewRequest(http.MethodGet, srv.URL()+"/api/v1/"+pathAndQuery, http.NoBody)
	if err != nil {
		return 0
	}
	req.Header.Set("X-User-Id", userID)
	req.Header.Set("X-Auth-Token", token)
	res, err := srv.RoundTrip(req)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// TestGateWithTwoInstances talks to two servers behind a balancer, each with windows
// of its own: it must neither stall nor storm.
func TestGateWithTwoInstances(t *testing.T) {
	t.Parallel()
	for name, choose := range map[string]func(n int, r *rand.Rand) bool{
		"in turn":   func(n int, _ *rand.Rand) bool { return n%2 == 0 },
		"at random": func(_ int, r *rand.Rand) bool { return r.IntN(2) == 0 },
		"sticky":    func(n int, _ *rand.Rand) bool { return n/15%2 == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				first := rocketchattest.New(rocketchattest.WithLimit(10, time.Minute), rocketchattest.WithLatency(latency))
				second := first.Replica()
				random := rand.New(rand.NewPCG(1, 2))
				var mu sync.Mutex
				n := 0
				balancer := roundTripper(func(r *http.Request) (*http.Response, error) {
					mu.Lock()
					server := first
					if choose(n, random) {
						server = second
					}
					n++
					mu.Unlock()
					return server.RoundTrip(r)
				})
				c := ordinaryClient(t, first, WithTransport(balancer))
				// The windows of the second instance begin at another time.
				go func() {
					time.Sleep(20 * time.Second)
					id, token := first.Login("ordinary")
					bypass(second, "users.info?username=admin", id, token)
				}()
				took := allAtOnce(t, 60, func(int) error {
					_, err := c.Users.Get(t.Context(), ByUsername("admin"))
					return err
				})
				assert.LessOrEqual(t, took, 5*time.Minute+10*time.Second, "slower than one instance alone")
				windows := int(took/time.Minute) + 1
				assert.LessOrEqual(t, len(refusals(first))+len(refusals(second)), 2*windows)
			})
		})
	}
}

// TestUnlimitedCalls does not wait where the server does not limit.
func TestUnlimitedCalls(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]rocketchattest.Option{
		"limiter off":   {rocketchattest.WithLimit(0, 0)},
		"exempt caller": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := rocketchattest.New(append(opts, rocketchattest.WithLatency(latency))...)
				id, token := srv.Login("admin")
				c, err := New(srv.URL(), WithTransport(srv), WithToken(id, token))
				require.NoError(t, err)
				took := allAtOnce(t, 200, func(int) error {
					_, err := c.Users.Get(t.Context(), ByUsername("admin"))
					return err
				})
				assert.LessOrEqual(t, took, 20*latency, "step by step, then all")
				known, ok := c.RateLimit("users.info")
				assert.True(t, ok)
				assert.True(t, known.Exempt)
			})
		})
	}
}

// TestGateKeepsCallersApart: that an administrator is exempt says nothing of others
// who use the same gate, nor the other way round.
func TestGateKeepsCallersApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLatency(latency))
		ordinary := ordinaryClient(t, srv)
		id, token := srv.Login("admin")
		admin, err := ordinary.With(WithToken(id, token))
		require.NoError(t, err)
		start := time.Now()
		allAtOnce(t, 60, func(i int) error {
			c := ordinary
			if i%3 > 0 {
				c = admin
			}
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			if c == admin {
				assert.Less(t, time.Since(start), 10*time.Second, "an exempt caller need not wait")
			}
			return err
		})
		assert.Empty(t, refusals(srv))
		assert.GreaterOrEqual(t, time.Since(start), time.Minute, "twenty calls of the other need two windows")
	})
}

func TestRateLimitIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New()
		c := ordinaryClient(t, srv)
		_, ok := c.RateLimit("users.info")
		assert.False(t, ok)
		for range 3 {
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			require.NoError(t, err)
		}
		known, ok := c.RateLimit("users.info")
		require.True(t, ok)
		assert.Equal(t, 10, known.Limit)
		assert.Equal(t, 7, known.Remaining)
		assert.InDelta(t, time.Minute, known.Reset, float64(time.Second))
		time.Sleep(2 * time.Minute)
		known, _ = c.RateLimit("users.info")
		assert.Equal(t, 10, known.Remaining)
		assert.Zero(t, known.Reset)
		assert.InDelta(t, time.Minute, known.Window, float64(time.Second))
	})
}

// TestWaitTooLong: a call that cannot go in time is not kept waiting for nothing.
func TestWaitTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New()
		c := ordinaryClient(t, srv, WithMaxWait(50*time.Second))
		for range 10 {
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			require.NoError(t, err)
		}
		start := time.Now()
		refusedAtOnce := func(err error, wait time.Duration) {
			t.Helper()
			require.ErrorIs(t, err, ErrRateLimited)
			e, ok := errors.AsType[*Error](err)
			require.True(t, ok)
			assert.InDelta(t, wait, e.RetryAfter, float64(time.Second))
			assert.Zero(t, e.Attempts)
			assert.Zero(t, time.Since(start))
		}
		_, err := c.Users.Get(t.Context(), ByUsername("admin"))
		refusedAtOnce(err, time.Minute)

		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err = c.Users.Get(ctx, ByUsername("admin"), WithMaxWait(time.Hour))
		refusedAtOnce(err, time.Minute)

		_, err = c.Users.Get(t.Context(), ByUsername("admin"), WithMaxWait(2*time.Minute))
		require.NoError(t, err)
		within(t, time.Since(start), time.Minute-time.Second, 0.03)

		// A call behind ten others needs one more window.
		for range 9 {
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			require.NoError(t, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() { _, _ = c.Users.Get(ctx, ByUsername("admin"), WithMaxWait(time.Hour)) })
		}
		synctest.Wait()
		start = time.Now()
		_, err = c.Users.Get(t.Context(), ByUsername("admin"), WithMaxWait(90*time.Second))
		refusedAtOnce(err, 2*time.Minute)
		cancel()
		waiting.Wait()
	})
}

// TestGateSurvivesLostProbes: when the call that was to find out gets no answer, the
// next one takes its place.
func TestGateSurvivesLostProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLatency(latency))
		var calls atomic.Int32
		c := ordinaryClient(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			if calls.Add(1) <= 3 {
				return nil, errors.New("connection reset")
			}
			return srv.RoundTrip(r)
		})))
		allAtOnce(t, 20, func(int) error {
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			return err
		})
		assert.Empty(t, refusals(srv))
	})
}

// TestHiddenLimit: the limiter per target user holds one call, not the route.
func TestHiddenLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithHiddenLimit())
		id, token := srv.Login("admin")
		c, err := New(srv.URL(), WithTransport(srv), WithToken(id, token))
		require.NoError(t, err)
		update := func(ctx context.Context, user rocketchattest.User, address string) error {
			return exec(ctx, c, post("users.update").retried().
				json(map[string]any{"userId": user.ID, "data": map[string]any{"email": address}}), nil)
		}
		ann, err := srv.AddUser(rocketchattest.User{Username: "ann"})
		require.NoError(t, err)
		bob, err := srv.AddUser(rocketchattest.User{Username: "bob"})
		require.NoError(t, err)

		start := time.Now()
		require.NoError(t, update(t.Context(), ann, "ann1@example.com"))
		var wg sync.WaitGroup
		wg.Go(func() {
			assert.NoError(t, update(t.Context(), ann, "ann2@example.com"))
			assert.GreaterOrEqual(t, time.Since(start), 59*time.Second)
		})
		synctest.Wait()
		require.NoError(t, update(t.Context(), bob, "bob1@example.com"), "another user's call goes on")
		assert.Less(t, time.Since(start), time.Second)
		wg.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start = time.Now()
		err = update(ctx, ann, "ann3@example.com")
		require.ErrorIs(t, err, ErrRateLimited)
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok)
		assert.Greater(t, e.RetryAfter, 10*time.Second)
		assert.Less(t, time.Since(start), time.Second, "it does not wait for what cannot come in time")
	})
}

func TestTraceWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New()
		told := map[string]time.Duration{}
		c := ordinaryClient(t, srv, WithTrace(Trace{Waiting: func(_ context.Context, w WaitInfo) { told[w.Op] = w.Wait }}))
		for range 10 {
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			require.NoError(t, err)
		}
		assert.Empty(t, told)
		_, err := c.Users.Get(t.Context(), ByUsername("admin"))
		require.NoError(t, err)
		assert.InDelta(t, time.Minute, told["users.info"], float64(time.Second))
	})
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLimit(0, 0))
		c := ordinaryClient(t, srv, WithThrottle(rate.NewLimiter(2, 1)))
		took := allAtOnce(t, 21, func(int) error {
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			return err
		})
		within(t, took, 10*time.Second, 0.01)

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := c.Users.Get(ctx, ByUsername("admin"))
		require.ErrorIs(t, err, ErrRateLimited)
	})
}

// TestThrottleThatIsGivenUp: a call that does not wait for the throttle leaves its turn, in
// the gate and in the throttle, to the next one.
func TestThrottleThatIsGivenUp(t *testing.T) {
	t.Parallel()
	const interval = 40 * time.Second
	for name, test := range map[string]struct {
		giveUp func(context.Context) (context.Context, context.CancelFunc)
		err    error
	}{
		"the deadline is too soon": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, ErrRateLimited},
		"cancelled while waiting": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, context.Canceled},
	} {
		synctest.Test(t, func(t *testing.T) {
			throttle := rate.NewLimiter(rate.Every(interval), 1)
			require.True(t, throttle.Allow())
			c := ordinaryClient(t, rocketchattest.New(), WithThrottle(throttle))
			start := time.Now()
			for range 20 { // more than the window has room for
				ctx, cancel := test.giveUp(t.Context())
				_, err := c.Users.Get(ctx, ByUsername("admin"))
				cancel()
				require.ErrorIs(t, err, test.err, name)
			}
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			require.NoError(t, err, name)
			assert.InDelta(t, interval, time.Since(start), float64(interval)/100, name)
		})
	}
}

// TestMaxWaitOfAllPauses: a call counts what it waited for the throttle, the limit of a
// single user and the limit of the route together. Two waits of 40 s are more than a minute.
func TestMaxWaitOfAllPauses(t *testing.T) {
	t.Parallel()
	const route, user = "You must wait 40 seconds before trying this endpoint again.", "You must wait 40 seconds before trying again."
	for name, test := range map[string]struct {
		throttled bool
		refusals  []string
	}{
		"throttle and route": {true, []string{route}},
		"route twice":        {false, []string{route, route}},
		"user twice":         {false, []string{user, user}},
		"user and route":     {false, []string{user, route}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var opts []Option
			if test.throttled {
				throttle := rate.NewLimiter(rate.Every(40*time.Second), 1)
				require.True(t, throttle.Allow())
				opts = append(opts, WithThrottle(throttle))
			}
			c := newTestClient(t, serve(func(n int, _ *http.Request) (*http.Response, error) {
				if n <= len(test.refusals) {
					return replyJSON(429, fmt.Sprintf(`{"success":false,"error":%q}`, test.refusals[n-1])), nil
				}
				return replyJSON(200, `{"success":true,"user":{"_id":"a","username":"ann"}}`), nil
			}), opts...)
			start := time.Now()
			_, err := c.Users.Get(t.Context(), ByID("a"), WithMaxWait(time.Minute))
			require.ErrorIs(t, err, ErrRateLimited, name)
			within(t, time.Since(start), 40*time.Second, 0.05)
		})
	}
}

func TestParseLimits(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1767225600000)
	for _, tc := range []struct {
		limit, remaining, reset string
		want                    limitHeaders
	}{
		{"10", "9", "1767225643000", limitHeaders{present: true, limit: 10, remaining: 9, window: 1767225643000}},
		{"10.0", "9.0", "1767225643000.0", limitHeaders{present: true, limit: 10, remaining: 9, window: 1767225643000}},
		{"10, 10;w=60", "9", "1767225643", limitHeaders{present: true, limit: 10, remaining: 9, window: 1767225643000}},
		{"10", "11", "43", limitHeaders{present: true, limit: 10, remaining: 10, relative: 43 * time.Second}},
		{"-10", "-1", "-5", limitHeaders{present: true}},
		{"x", "", "9223372036854775807", limitHeaders{present: true}},
		{"", "", "", limitHeaders{}},
		{"10", "9", "2026-01-01T00:00:43Z", limitHeaders{present: true, limit: 10, remaining: 9}},
		{"100, 10", "99, 3", "1, 1767225643000", limitHeaders{present: true, limit: 10, remaining: 3, window: 1767225643000}},
		{"10;w=1, 1000;w=3600", "1000, 9", "60, 10", limitHeaders{present: true, limit: 10, remaining: 9, relative: time.Minute}},
	} {
		h := make(http.Header)
		for key, value := range map[string]string{"Limit": tc.limit, "Remaining": tc.remaining, "Reset": tc.reset} {
			if value != "" {
				h.Set("X-RateLimit-"+key, value)
			}
		}
		assert.Equal(t, tc.want, parseLimits(h, now), "%+v", tc)
	}
	added := http.Header{ // a proxy's before the server's
		"X-Ratelimit-Limit": {"100", "10"}, "X-Ratelimit-Remaining": {"99", "3"}, "X-Ratelimit-Reset": {"1", "1767225643000"},
	}
	assert.Equal(t, limitHeaders{present: true, limit: 10, remaining: 3, window: 1767225643000}, parseLimits(added, now))
}

// TestZeroSeconds: a refusal that asks to wait for no time says no more than one without
// words, and the waits grow.
func TestZeroSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		c := newTestClient(t, serve(func(n int, _ *http.Request) (*http.Response, error) {
			sent = n
			return replyJSON(http.StatusTooManyRequests, `{"success":false,"error":"You must wait 0 seconds before trying this endpoint again. [error-too-many-requests]"}`), nil
		}), WithMaxWait(time.Minute))
		_, err := c.Users.Get(t.Context(), ByUsername("admin"))
		require.ErrorIs(t, err, ErrRateLimited)
		assert.LessOrEqual(t, sent, 6)
		assert.Greater(t, sent, 1)
	})
}

func TestParseWait(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]waitWords{
		"You must wait 43 seconds before trying this endpoint again. [error-too-many-requests]": {true, 43 * time.Second, false},
		"You must wait 60 seconds before trying again. [error-too-many-requests]":               {true, time.Minute, true},
		"You must wait 99999999999999999999 seconds before trying again.":                       {false, 0, true},
		"You must wait 999999999 seconds before trying again.":                                  {true, maxWindow, true},
		"slow down": {},
		"":          {},
	} {
		assert.Equal(t, want, parseWait([]byte(text)), text)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"30": 30 * time.Second, " 30 ": 30 * time.Second, "1.5": time.Second, "-3": 0, "soon": 0, "": 0, "999999": maxWindow, "2026-01-01T12:00:20Z": 0,
		"Thu, 01 Jan 2026 12:00:20 GMT": 20 * time.Second, "Thu, 01 Jan 2026 11:00:00 GMT": 0,
	} {
		assert.Equal(t, want, retryAfter(http.Header{"Retry-After": {text}}, now), text)
	}
	assert.Equal(t, 20*time.Second, retryAfter(http.Header{
		"Retry-After": {"Thu, 01 Jan 2026 18:00:20 GMT"}, "Date": {"Thu, 01 Jan 2026 18:00:00 GMT"},
	}, now), "both by the server's clock")
}

// TestSlowProbe: the call that was to find out how many may go gets no answer for long.
// The others do not wait for it to time out.
func TestSlowProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLimit(0, 0))
		var n atomic.Int32
		c := ordinaryClient(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			if n.Add(1) == 1 {
				time.Sleep(25 * time.Second)
			}
			return srv.RoundTrip(r)
		})))
		var slow atomic.Int32
		allAtOnce(t, 50, func(int) error {
			start := time.Now()
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			if time.Since(start) > 5*time.Second {
				slow.Add(1)
			}
			return err
		})
		assert.EqualValues(t, 1, slow.Load())

		dead := ordinaryClient(t, rocketchattest.New(), WithRetry(RetryPolicy{MaxAttempts: 1}), WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})))
		start := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := dead.Users.Get(t.Context(), ByUsername("admin"))
				assert.ErrorIs(t, err, ErrUnreachable)
			})
		}
		wg.Wait()
		assert.LessOrEqual(t, time.Since(start), 100/10*30*time.Second+time.Minute, "ten time out side by side, after the first few")
	})
}

// TestPanicLeavesTheGateOpen: a trace that panics ends its call, not the route.
func TestPanicLeavesTheGateOpen(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	panics := true
	c := loginClient(t, srv, WithTrace(Trace{AttemptDone: func(context.Context, Attempt) {
		if panics {
			panic("a trace")
		}
	}}))
	call := func() (err error) {
		defer func() {
			if recover() != nil {
				err = errors.New("panicked")
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err = c.Users.Get(ctx, ByUsername("admin"))
		return err
	}
	require.ErrorContains(t, call(), "panicked") // in the log-in
	panics = false
	require.NoError(t, call())
	panics = true
	require.ErrorContains(t, call(), "panicked")
	panics = false
	require.NoError(t, call())
}

// TestClosedByProxy: the wait for a route that a proxy closed is bounded, too.
func TestClosedByProxy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) {
			res := reply(http.StatusTooManyRequests, "text/html", "slow down")
			res.Header.Set("Retry-After", "600")
			return res, nil
		}), WithMaxWait(time.Second))
		start := time.Now()
		_, err := c.Users.Get(t.Context(), ByID("a"))
		require.ErrorIs(t, err, ErrRateLimited)
		assert.Less(t, time.Since(start), time.Second)
	})
}

// TestLostProbeLongAgo: a probe that told nothing, long ago, is no reason to send a
// whole burst ahead.
func TestLostProbeLongAgo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLatency(latency))
		lose := true
		c := ordinaryClient(t, srv, WithRetry(RetryPolicy{MaxAttempts: 1}), WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			if lose {
				return nil, errors.New("connection reset")
			}
			return srv.RoundTrip(r)
		})))
		_, err := c.Users.Get(t.Context(), ByUsername("admin"))
		require.ErrorIs(t, err, ErrUnreachable)
		lose = false
		time.Sleep(time.Hour)
		allAtOnce(t, 40, func(int) error {
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			return err
		})
		assert.Empty(t, refusals(srv))
	})
}
