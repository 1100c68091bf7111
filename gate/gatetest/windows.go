package gatetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/gate"
)

func closedRoute(t *testing.T, s *subject) {
	s.call(t, gate.Sighting{Kind: gate.Refused, Reset: 30 * minute}) // a proxy's
	_, err := s.Enter(t.Context(), gate.Entry{Route: route, MaxWait: minute})
	assert.InDelta(t, 30*minute, waitError(t, err), float64(time.Second))
	waiting := s.queue(t.Context(), gate.Entry{})
	start := time.Now()
	time.Sleep(30*minute - time.Second)
	s.settle()
	assert.False(t, waiting.done())
	time.Sleep(2 * time.Second)
	s.settle()
	require.True(t, waiting.done())
	assert.InDelta(t, 30*minute, waiting.at.Sub(start), float64(time.Second))
	s.Leave(t.Context(), route, waiting.pass, counted(10, 9, minute))
	time.Sleep(2 * time.Hour)
	s.call(t, counted(10, 0, minute))
	_, err = s.Enter(t.Context(), gate.Entry{Route: route, MaxWait: time.Second})
	assert.InDelta(t, minute, waitError(t, err), float64(time.Second))
	known, _ := s.Known(route)
	assert.InDelta(t, minute, known.Window, float64(time.Second))
}

func proxyInWindow(t *testing.T, s *subject) {
	s.call(t, counted(10, 5, minute))
	s.call(t, gate.Sighting{Kind: gate.Refused, Reset: 2 * time.Second})
	s.settle()
	limit, _ := s.Known(route)
	assert.Zero(t, limit.Remaining)
	waiting := s.queue(t.Context(), gate.Entry{})
	assert.False(t, waiting.done())
	time.Sleep(2 * time.Second)
	s.settle()
	require.True(t, waiting.done())
	s.Leave(t.Context(), route, waiting.pass, gate.Sighting{Kind: gate.Unsent})
	s.settle()
	limit, _ = s.Known(route)
	assert.Equal(t, 5, limit.Remaining)
	for range 5 {
		s.call(t, gate.Sighting{Kind: gate.Nothing})
	}
	waiting = s.queue(t.Context(), gate.Entry{})
	assert.False(t, waiting.done())
	time.Sleep(minute)
	s.settle()
	assert.True(t, waiting.done())
}

func wholeSeconds(t *testing.T, s *subject) {
	s.call(t, counted(10, 5, 43200*time.Millisecond))
	start := time.Now()
	s.call(t, gate.Sighting{Kind: gate.Refused, Reset: 44 * time.Second})
	waiting := s.queue(t.Context(), gate.Entry{})
	time.Sleep(minute)
	s.settle()
	require.True(t, waiting.done())
	assert.InDelta(t, 43200*time.Millisecond, waiting.at.Sub(start), float64(100*time.Millisecond))
}

func lateRefusal(t *testing.T, s *subject) {
	s.call(t, counted(10, 5, minute))
	time.Sleep(2 * minute)
	for range 5 {
		late := refused(-time.Second)
		late.Reset = 0
		s.Leave(t.Context(), route, gate.Pass{}, late)
	}
	s.settle()
	s.call(t, counted(10, 9, minute))
	s.call(t, counted(10, 8, minute))
}

// stuckCount: ten answers of one window show that ten calls were counted, though each says
// that nine remain.
func stuckCount(t *testing.T, s *subject) {
	start := time.Now()
	for range 10 {
		s.call(t, counted(10, 9, minute-time.Since(start)))
	}
	waiting := s.queue(t.Context(), gate.Entry{})
	assert.False(t, waiting.done())
	time.Sleep(minute)
	s.settle()
	assert.True(t, waiting.done())
}

// reports: answers of calls that the gate did not let through tell of windows, too, and
// none of these is as long as the time since the gate, or its last window, began.
func reports(t *testing.T, s *subject) {
	report := func(seen gate.Sighting) {
		s.Leave(t.Context(), route, gate.Pass{}, seen)
		s.settle()
	}
	length := func() float64 {
		known, ok := s.Known(route)
		require.True(t, ok)
		return known.Window.Seconds()
	}
	report(counted(10, 3, 30*time.Second))
	assert.InDelta(t, 30, length(), 1)
	time.Sleep(3 * minute)
	report(gate.Sighting{Kind: gate.Refused, Reset: 30 * time.Second})
	report(counted(10, 0, 40*time.Second))
	assert.InDelta(t, 40, length(), 1)
	waiting := s.queue(t.Context(), gate.Entry{MaxWait: minute})
	assert.False(t, waiting.done())
	time.Sleep(minute)
	s.settle()
	require.True(t, waiting.done())
	assert.NoError(t, waiting.err)
}

// crowdedBefore: whoever used the last window, too, is expected in the next one, even if
// an answer of the last one comes late and nobody waits.
func crowdedBefore(t *testing.T, s *subject) {
	s.call(t, counted(10, 5, minute)) // four were somebody else's
	late := s.enter(t)
	time.Sleep(minute + time.Second)
	s.Leave(t.Context(), route, late, gate.Sighting{Kind: gate.Lost})
	s.settle()
	s.call(t, counted(10, 9, minute))
	var all []*queued
	for range 4 {
		all = append(all, s.queue(t.Context(), gate.Entry{}))
	}
	assert.Equal(t, 1, through(all), "each must learn what the others left")
	s.drain(t, all, counted(10, 5, minute-time.Second))
}

// answeredInTheNext: the calls of a window do not count in the next one, even if a call was
// sent in the one and answered in the other, again and again.
func answeredInTheNext(t *testing.T, s *subject) {
	late := s.enter(t)
	for range 6 {
		s.Leave(t.Context(), route, late, counted(10, 9, minute))
		s.settle()
		s.call(t, counted(10, 8, minute))
		s.call(t, counted(10, 7, minute))
		time.Sleep(minute - 20*time.Millisecond)
		late = s.enter(t)
		time.Sleep(50 * time.Millisecond)
	}
	s.Leave(t.Context(), route, late, counted(10, 9, minute))
	s.settle()
	limit, ok := s.Known(route)
	assert.True(t, ok)
	assert.Equal(t, 9, limit.Remaining)
}

func shorterWindows(t *testing.T, s *subject) {
	s.call(t, counted(1, 0, 10*minute))
	time.Sleep(11 * minute)
	for range 3 {
		s.call(t, counted(1, 0, 10*time.Second))
		time.Sleep(11 * time.Second)
	}
	known, ok := s.Known(route)
	assert.True(t, ok)
	assert.InDelta(t, 10*time.Second, known.Window, float64(time.Second))
	result := Simulation{Calls: 5, Limit: 1, Window: 10 * time.Second}.Run(t.Context(), s.Gate)
	assert.Zero(t, result.Refused)
	assert.Less(t, result.Over(), .05)
}

func known(t *testing.T, s *subject) {
	_, ok := s.Known(route)
	assert.False(t, ok)
	s.call(t, counted(10, 7, minute))
	s.settle()
	limit, ok := s.Known(route)
	require.True(t, ok)
	assert.Equal(t, 10, limit.Limit)
	assert.Equal(t, 7, limit.Remaining)
	assert.False(t, limit.Exempt)
	assert.InDelta(t, minute, limit.Reset, float64(time.Second))
	assert.InDelta(t, minute, limit.Window, float64(time.Second))
	time.Sleep(2 * minute)
	limit, ok = s.Known(route)
	require.True(t, ok)
	assert.Equal(t, 10, limit.Remaining)
	assert.Zero(t, limit.Reset)
	other := route
	other.Op = "users.list"
	_, ok = s.Known(other)
	assert.False(t, ok)
}
