package rocketchat

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
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
	c, err := New(srv.URL(), append([]Option{WithTransport(srv), WithToken(id, NewSecret(token))}, opts...)...)
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
		// Clocks that may agree are taken to do so; the first refusal shows that they do not.
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
				// The second instance's windows begin at another time.
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

// TestGateForThoseWhoNeedNone does not wait where the server does not limit.
func TestGateForThoseWhoNeedNone(t *testing.T) {
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
				c, err := New(srv.URL(), WithTransport(srv), WithToken(id, NewSecret(token)))
				require.NoError(t, err)
				took := allAtOnce(t, 200, func(int) error {
					_, err := c.Users.Get(t.Context(), ByUsername("admin"))
					return err
				})
				assert.LessOrEqual(t, took, 2*latency, "one probe, then all")
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
		admin, err := ordinary.With(WithToken(id, NewSecret(token)))
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
		_, err = c.Users.Get(ctx, ByUsername("admin"), MaxWait(time.Hour))
		refusedAtOnce(err, time.Minute)

		_, err = c.Users.Get(t.Context(), ByUsername("admin"), MaxWait(2*time.Minute))
		require.NoError(t, err)
		within(t, time.Since(start), time.Minute-time.Second, 0.03)

		// Who stands behind ten others needs a window more.
		for range 9 {
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			require.NoError(t, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() { _, _ = c.Users.Get(ctx, ByUsername("admin"), MaxWait(time.Hour)) })
		}
		synctest.Wait()
		start = time.Now()
		_, err = c.Users.Get(t.Context(), ByUsername("admin"), MaxWait(90*time.Second))
		refusedAtOnce(err, 2*time.Minute)
		cancel()
		waiting.Wait()
	})
}

// TestGateQueue: a thousand goroutines on one route, of which every third gives up.
func TestGateQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := NewMemoryGate()
		route := Route{Server: "s", Method: http.MethodGet, Op: "users.info"}
		pass, err := gate.Enter(t.Context(), route, 0)
		require.NoError(t, err)
		gate.Leave(route, pass, Sighting{Kind: Counted, Limit: 10, Window: 1, Reset: time.Minute})

		var mu sync.Mutex
		order := make(map[int64][]int) // who was let through, by window
		started := time.Now()
		window := int64(1)
		windowEnds := started.Add(time.Minute)
		left := 0
		var wg sync.WaitGroup
		for i := range 1000 {
			ctx, cancel := context.WithCancel(t.Context())
			if i%3 == 0 {
				time.AfterFunc(time.Duration(i)*time.Second, cancel)
			}
			wg.Go(func() {
				defer cancel()
				pass, err := gate.Enter(ctx, route, 0)
				if err != nil {
					assert.ErrorIs(t, err, context.Canceled)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if !time.Now().Before(windowEnds) {
					window++
					left, windowEnds = 10, time.Now().Add(time.Minute)
				}
				left--
				assert.GreaterOrEqual(t, left, 0, "more calls than the window holds")
				order[window] = append(order[window], i)
				gate.Leave(route, pass, Sighting{Kind: Counted, Limit: 10, Remaining: left, Window: window, Reset: time.Until(windowEnds)})
			})
			synctest.Wait() // so that they arrive in this order
		}
		wg.Wait()
		last, through := -1, 0
		for w := int64(2); w <= window; w++ {
			slices.Sort(order[w]) // those of one window go at the same moment
			assert.Greater(t, order[w][0], last, "window %d", w)
			last = order[w][len(order[w])-1]
			through += len(order[w])
		}
		assert.GreaterOrEqual(t, through, 666)
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
		c, err := New(srv.URL(), WithTransport(srv), WithToken(id, NewSecret(token)))
		require.NoError(t, err)
		update := func(ctx context.Context, user rocketchattest.User, address string) error {
			return exec(ctx, c, post("users.update").repeatable(),
				map[string]any{"userId": user.ID, "data": map[string]any{"email": address}}, nil)
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

func TestWaitHook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New()
		told := map[string]time.Duration{}
		c := ordinaryClient(t, srv, WithWaitHook(func(_ context.Context, op string, wait time.Duration) { told[op] = wait }))
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

func TestParseReset(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"1767225643000": 1767225643000, "": 0, "x": 0, "-5": 0, "9223372036854775807": 0, "1.5": 0} {
		got := parseReset(http.Header{"X-Ratelimit-Reset": {text}})
		if want == 0 {
			assert.True(t, got.IsZero(), text)
			continue
		}
		assert.Equal(t, want, got.UnixMilli(), text)
	}
}

func TestWaitText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		wait   time.Duration
		hidden bool
	}{
		"You must wait 43 seconds before trying this endpoint again. [error-too-many-requests]": {43 * time.Second, false},
		"You must wait 60 seconds before trying again. [error-too-many-requests]":               {time.Minute, true},
		"You must wait 99999999999999999999 seconds before trying again.":                       {0, true},
		"You must wait 999999999 seconds before trying again.":                                  {maxWindow, true},
		"slow down": {},
		"":          {},
	} {
		wait, hidden := waitText([]byte(text))
		assert.Equal(t, want.wait, wait, text)
		assert.Equal(t, want.hidden, hidden, text)
	}
}

// TestGateWakesWhoWaits: a call that arrives after the end of a window, but before the
// window's timer has run, must not leave those who wait without anybody to wake them.
func TestGateWakesWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &window{exempt: make(map[string]bool), limit: 1, generation: 1, reset: time.Now().Add(time.Minute)}
		through := make(chan Pass)
		wait := func() {
			pass, err := w.enter(t.Context(), "", 0)
			assert.NoError(t, err)
			through <- pass
		}
		go wait()
		synctest.Wait()
		w.reset = time.Now() // it is over; its timer is late
		go wait()
		for range 2 {
			pass := <-through
			w.leave("", pass, Sighting{Kind: Free})
		}
	})
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
			if time.Since(start) > 2*time.Second {
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
		assert.Less(t, time.Since(start), 40*time.Second, "they time out side by side")
	})
}

// TestPanicLeavesTheGateOpen: a hook that panics ends its call, not the route.
func TestPanicLeavesTheGateOpen(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	panics := true
	c := loginClient(t, srv, WithHook(func(context.Context, Attempt) {
		if panics {
			panic("a hook")
		}
	}))
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
