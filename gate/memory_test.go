package gate

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestForgetsWhatIsNotUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		busy := Route{Op: "busy", Caller: "ann"}
		for i := range 100 {
			pass(t, m, Route{Op: fmt.Sprint("op ", i), Caller: "ann"}, Sighting{Kind: Counted, Limit: 10, Window: 1, Reset: time.Second})
			pass(t, m, Route{Op: "busy", Caller: fmt.Sprint("caller ", i)}, Sighting{Kind: Counted, Limit: 1000, Remaining: 999, Window: 1, Reset: time.Minute})
			_, _ = m.Known(Route{Op: fmt.Sprint("asked ", i)})
		}
		assert.Len(t, m.windows, 101, "Known makes no entry")
		for range 9 {
			time.Sleep(10 * time.Minute)
			pass(t, m, busy, Sighting{Kind: Unsent})
		}
		m.mu.Lock()
		assert.Len(t, m.windows, 1)
		assert.Len(t, m.windows[Route{Op: "busy"}].callers, 1)
		m.mu.Unlock()
		time.Sleep(2 * time.Hour)
		m.mu.Lock()
		assert.Empty(t, m.windows)
		m.mu.Unlock()
		pass(t, m, busy, Sighting{Kind: Nothing})
	})
}

// heap is the memory in use.
func heap() float64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// It measures memory, which others who run at the same time would use, too.
func TestGivesMemoryBack(t *testing.T) { //nolint:paralleltest // see above
	for name, route := range map[string]func(int) Route{
		"routes":  func(i int) Route { return Route{Op: fmt.Sprint("op ", i)} },
		"callers": func(i int) Route { return Route{Op: "busy", Caller: fmt.Sprint("caller ", i)} },
	} {
		synctest.Test(t, func(t *testing.T) {
			m := NewMemory()
			before := heap()
			for i := range 50_000 {
				pass(t, m, route(i), Sighting{Kind: Nothing})
			}
			used := heap() - before
			for range 8 {
				time.Sleep(20 * time.Minute)
				pass(t, m, Route{Op: "busy"}, Sighting{Kind: Unsent})
			}
			assert.Less(t, heap()-before, used/20, name)
			runtime.KeepAlive(m)
		})
	}
}

// TestSweptInTheSameMoment: a call that found a window before it was swept is counted in
// the new one.
func TestSweptInTheSameMoment(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	route := Route{Op: "users.info"}
	old := m.locked(route)
	entered := make(chan error)
	go func() {
		_, err := m.Enter(t.Context(), Entry{Route: route})
		entered <- err
	}()
	time.Sleep(10 * time.Millisecond) // it may have found the old one by now, or not
	m.mu.Lock()
	old.gone = true
	delete(m.windows, route)
	m.mu.Unlock()
	old.mu.Unlock()
	require.NoError(t, <-entered)
	assert.Empty(t, old.passes)
	assert.Len(t, m.windows[route].passes, 1)
}

// TestLateTimer: a call that arrives after the end of a window, but before the window's
// timer has run, wakes those who wait, and does not go before them.
func TestLateTimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		route := Route{Op: "users.info"}
		pass(t, m, route, Sighting{Kind: Counted, Limit: 1, Window: 1, Reset: time.Minute})
		through := make(chan int)
		wait := func(who int) {
			pass, err := m.Enter(t.Context(), Entry{Route: route})
			assert.NoError(t, err)
			through <- who
			m.Leave(t.Context(), route, pass, Sighting{Kind: Unsent})
		}
		go wait(1)
		synctest.Wait()
		w := m.locked(route)
		w.budget.reset = time.Now() // it is over; its timer is late
		w.mu.Unlock()
		start := time.Now()
		go wait(2)
		assert.Equal(t, 1, <-through)
		assert.Equal(t, 2, <-through)
		assert.Zero(t, time.Since(start))
	})
}

// TestCancelledInTheSameMoment: who gives up while being let through gives the pass back.
func TestCancelledInTheSameMoment(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	route := Route{Op: "users.info"}
	pass(t, m, route, Sighting{Kind: Counted, Limit: 10, Remaining: 1, Window: 1, Reset: time.Minute})
	w := m.locked(route)
	now := time.Now()
	self := &waiter{caller: w.caller("", now), place: w.queue.place(0), ready: make(chan struct{}), hold: time.Minute}
	w.queue.add(self)
	w.dispatch(now)
	w.mu.Unlock()
	<-self.ready
	_, err := w.giveUp(self, context.Canceled)
	assert.Error(t, err)
	known, _ := m.Known(route)
	assert.Equal(t, 1, known.Remaining)
}

// TestMaxWaitToTheEdge: a call that may wait exactly as long as it has to is sent.
func TestMaxWaitToTheEdge(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"shorter": -1, "exactly": 0, "longer": 1} {
		synctest.Test(t, func(t *testing.T) {
			m := NewMemory()
			route := Route{Op: "users.info"}
			pass(t, m, route, Sighting{Kind: Counted, Limit: 1, Window: 1, Reset: time.Minute})
			known, _ := m.Known(route)
			_, err := m.Enter(t.Context(), Entry{Route: route, MaxWait: known.Reset + off})
			assert.Equal(t, off < 0, err != nil, name)
		})
	}
}

// script plays answers to calls that are made one after the other, and fails if one of
// them has to wait.
func script(t *testing.T, m *Memory, route Route, pause time.Duration, answers ...Sighting) {
	t.Helper()
	for i, seen := range answers {
		time.Sleep(pause)
		p, err := m.Enter(t.Context(), Entry{Route: route, MaxWait: time.Nanosecond})
		require.NoError(t, err, "call %d", i)
		m.Leave(t.Context(), route, p, seen)
	}
}

// atOnce is how many calls may be sent at the same time.
func atOnce(t *testing.T, m *Memory, route Route) (n int) {
	t.Helper()
	for {
		if _, err := m.Enter(t.Context(), Entry{Route: route, MaxWait: time.Nanosecond}); err != nil {
			return n
		}
		n++
	}
}

// TestLittleEvidence: answers without headers that come now and then do not show that
// there is no limit.
func TestLittleEvidence(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Nothing, Free} {
		synctest.Test(t, func(t *testing.T) {
			m := NewMemory()
			route := Route{Op: "users.info"}
			script(t, m, route, 10*time.Second, slices.Repeat([]Sighting{{Kind: kind}}, 13)...)
			assert.LessOrEqual(t, atOnce(t, m, route), 6, "the others were sent in a window that is over")
		})
	}
}

// TestGuesses: a limit that no header tells of is inferred from what passed.
func TestGuesses(t *testing.T) {
	t.Parallel()
	route := Route{Op: "users.info"}
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		script(t, m, route, 0, slices.Repeat([]Sighting{{Kind: Nothing}}, 3)...)
		var passes []Pass
		for range 4 {
			p, err := m.Enter(t.Context(), Entry{Route: route})
			require.NoError(t, err)
			passes = append(passes, p)
		}
		for i, kind := range []Kind{Refused, Refused, Nothing, Nothing} {
			m.Leave(t.Context(), route, passes[i], Sighting{Kind: kind, Reset: time.Minute})
		}
		known, ok := m.Known(route)
		require.True(t, ok)
		assert.Equal(t, 5, known.Limit)
		assert.InDelta(t, time.Minute, known.Window, float64(time.Second))
	})
	synctest.Test(t, func(t *testing.T) { // but not from a wait that is no window's
		m := NewMemory()
		script(t, m, route, 0, Sighting{Kind: Nothing}, Sighting{Kind: Nothing}, Sighting{Kind: Refused, Reset: 30 * time.Minute})
		time.Sleep(31 * time.Minute)
		script(t, m, route, 0, slices.Repeat([]Sighting{{Kind: Nothing}}, 20)...)
	})
}

// TestPresumedWindows: the length of a window is not measured from the middle.
func TestPresumedWindows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		route := Route{Op: "users.info"}
		answer := func(window int64, left time.Duration) Sighting {
			return Sighting{Kind: Counted, Limit: 10, Remaining: 5, Window: window * 60_000, Reset: left}
		}
		script(t, m, route, 0, answer(1, time.Minute))
		for window := range int64(3) {
			time.Sleep(time.Minute + time.Second)
			script(t, m, route, 0, Sighting{Kind: Nothing})
			script(t, m, route, 50*time.Second, answer(2+window, 10*time.Second))
			known, _ := m.Known(route)
			assert.InDelta(t, time.Minute, known.Window, float64(time.Second))
		}
	})
}

// TestIncompleteHeaders: each part of them counts.
func TestIncompleteHeaders(t *testing.T) {
	t.Parallel()
	route := Route{Op: "users.info"}
	synctest.Test(t, func(t *testing.T) { // no reset
		m := NewMemory()
		script(t, m, route, 0, Sighting{Kind: Counted, Limit: 10, Remaining: 3})
		known, _ := m.Known(route)
		assert.Equal(t, 3, known.Remaining)
		assert.InDelta(t, time.Minute, known.Reset, float64(time.Second))
	})
	synctest.Test(t, func(t *testing.T) { // no limit
		m := NewMemory()
		script(t, m, route, 0, Sighting{Kind: Counted}, Sighting{Kind: Free}, Sighting{Kind: Free})
		assert.Zero(t, m.windows[route].callers[""].frees, "the caller is limited")
	})
	synctest.Test(t, func(t *testing.T) { // a refusal that does not say for how long
		m := NewMemory()
		for _, seconds := range []float64{1, 2, 4, 8, 16, 32, 60, 60} {
			script(t, m, route, 0, Sighting{Kind: Refused})
			known, ok := m.Known(route)
			assert.True(t, ok)
			assert.InDelta(t, seconds, known.Reset.Seconds(), .01)
			time.Sleep(known.Reset)
		}
		script(t, m, route, 0, Sighting{Kind: Nothing}, Sighting{Kind: Refused})
		known, _ := m.Known(route)
		assert.InDelta(t, time.Second, known.Reset, float64(10*time.Millisecond), "an answer came in between")
	})
}

// TestNearResets: readings of one reset differ by some milliseconds, and windows of two
// instances by more.
func TestNearResets(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	for i, window := range []int64{60_000, 60_006, 60_001, 60_100, 60_103, 60_004} {
		pass(t, m, Route{}, Sighting{Kind: Counted, Limit: 100, Remaining: 90 - i, Window: window, Reset: time.Minute})
	}
	budget := &m.windows[Route{}].budget
	require.Len(t, budget.others, 1)
	assert.EqualValues(t, 60_006, budget.others[0].id)
	assert.EqualValues(t, 60_103, budget.id)
}

// TestClosedForTrials: nobody tries whether they are exempt from a closed route.
func TestClosedForTrials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		ann, admin := Route{Op: "users.info", Caller: "ann"}, Route{Op: "users.info", Caller: "admin"}
		script(t, m, ann, 0, Sighting{Kind: Counted, Limit: 10, Remaining: 2, Window: 60_000, Reset: time.Minute})
		script(t, m, admin, 0, Sighting{Kind: Free})
		m.Leave(t.Context(), ann, Pass{}, Sighting{Kind: Counted, Limit: 10, Window: 60_000, Reset: time.Minute})
		m.Leave(t.Context(), ann, Pass{}, Sighting{Kind: Refused, Reset: 10 * time.Minute})
		_, err := m.Enter(t.Context(), Entry{Route: admin, MaxWait: time.Minute})
		assert.Error(t, err)
	})
}

// TestForeignPlaces: a place that this gate did not give out is a new one.
func TestForeignPlaces(t *testing.T) {
	t.Parallel()
	q := queue{}
	assert.EqualValues(t, 1, q.place(0))
	assert.EqualValues(t, 2, q.place(1<<40))
	assert.EqualValues(t, 3, q.place(0))
	assert.EqualValues(t, 2, q.place(2))
}

func TestErrors(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, &WaitError{Wait: 1234567 * time.Microsecond}, "the rate limit holds the call back for 1.235s")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, context.Canceled, ended(ctx), "once")
}

// frees are gates that hold nobody back, and what the answers told them.
func frees() map[string]Sighting {
	return map[string]Sighting{
		"free":    {Kind: Free},
		"counted": {Kind: Counted, Limit: 1 << 30, Remaining: 1 << 30, Window: 1, Reset: time.Hour},
	}
}

func pass(tb testing.TB, g Gate, r Route, seen Sighting) {
	tb.Helper()
	admitted, err := g.Enter(tb.Context(), Entry{Route: r})
	require.NoError(tb, err)
	g.Leave(tb.Context(), r, admitted, seen)
}

var benchmarked = Route{Server: "chat.example.org", Method: "GET", Op: "users.info", Caller: "h7WgZbN4cExtFqRm9"}

// learned is a gate that has been told often enough.
func learned(tb testing.TB, seen Sighting) *Memory {
	tb.Helper()
	m := NewMemory()
	for range 2 * proven {
		pass(tb, m, benchmarked, seen)
	}
	return m
}

func BenchmarkMemory(b *testing.B) {
	for name, seen := range frees() {
		b.Run(name, func(b *testing.B) {
			m := learned(b, seen)
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				p, err := m.Enter(ctx, Entry{Route: benchmarked})
				if err != nil {
					b.Fatal(err)
				}
				m.Leave(ctx, benchmarked, p, seen)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			m := learned(b, seen)
			ctx := b.Context()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					p, err := m.Enter(ctx, Entry{Route: benchmarked})
					if err != nil {
						b.Error(err)
						return
					}
					m.Leave(ctx, benchmarked, p, seen)
				}
			})
		})
	}
}

// It measures allocations, which others who run at the same time would add to.
func TestAllocatesNothing(t *testing.T) { //nolint:paralleltest // see above
	for name, seen := range frees() {
		m := learned(t, seen)
		ctx := t.Context()
		allocated := testing.AllocsPerRun(100, func() {
			p, _ := m.Enter(ctx, Entry{Route: benchmarked})
			m.Leave(ctx, benchmarked, p, seen)
		})
		require.Zero(t, allocated, name)
	}
}
