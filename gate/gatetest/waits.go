package gatetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/gate"
)

func waitTooLong(t *testing.T, s *subject) {
	s.call(t, counted(10, 0, minute))
	start := time.Now()
	_, err := s.Enter(t.Context(), gate.Entry{Route: route, MaxWait: 30 * time.Second})
	assert.InDelta(t, minute, waitError(t, err), float64(time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = s.Enter(ctx, gate.Entry{Route: route, MaxWait: time.Hour})
	assert.InDelta(t, minute, waitError(t, err), float64(time.Second))
	var all []*queued
	for range 10 {
		all = append(all, s.queue(t.Context(), gate.Entry{}))
	}
	_, err = s.Enter(t.Context(), gate.Entry{Route: route, MaxWait: 90 * time.Second})
	assert.InDelta(t, 2*minute, waitError(t, err), float64(2*time.Second), "ten others come first")
	assert.Less(t, time.Since(start), 2*time.Second, "at once")
	time.Sleep(minute)
	s.drain(t, all, counted(10, 9, minute))
}

func limitFalls(t *testing.T, s *subject) {
	s.call(t, counted(10, 0, minute))
	var all []*queued
	for range 8 {
		all = append(all, s.queue(t.Context(), gate.Entry{MaxWait: 90 * time.Second}))
	}
	start := time.Now()
	time.Sleep(minute)
	s.settle()
	require.True(t, all[0].done())
	s.Leave(t.Context(), route, all[0].pass, counted(1, 0, minute)) // seven windows more
	s.settle()
	for _, q := range all[1:] {
		require.True(t, q.done(), "it can no longer go in time")
		assert.Less(t, q.at.Sub(start), 90*time.Second)
		assert.Greater(t, waitError(t, q.err), 30*time.Second)
	}
}

func limitFallsInWindow(t *testing.T, s *subject) {
	s.call(t, counted(10, 1, minute))
	last := s.enter(t)
	var all []*queued
	for range 3 {
		all = append(all, s.queue(t.Context(), gate.Entry{MaxWait: 90 * time.Second}))
	}
	require.False(t, all[2].done())
	s.Leave(t.Context(), route, last, counted(1, 0, minute-time.Second))
	s.settle()
	assert.False(t, all[0].done(), "it goes in the next window")
	for _, q := range all[1:] {
		require.True(t, q.done(), "it can no longer go in time")
		assert.Greater(t, waitError(t, q.err), 90*time.Second)
	}
	time.Sleep(minute)
	s.drain(t, all, counted(1, 0, minute))
}

func maxWaitRunsOut(t *testing.T, s *subject) {
	probe := s.enter(t) // of which nothing is heard
	var all []*queued
	for range 20 {
		all = append(all, s.queue(t.Context(), gate.Entry{MaxWait: 20 * time.Second, Hold: time.Hour}))
	}
	start := time.Now()
	time.Sleep(25 * time.Second)
	s.settle()
	failed := 0
	for _, q := range all {
		require.True(t, q.done())
		if q.err != nil {
			failed++
			assert.Positive(t, waitError(t, q.err))
			assert.InDelta(t, 20*time.Second, q.at.Sub(start), float64(time.Second))
		}
	}
	assert.Positive(t, failed)
	s.Leave(t.Context(), route, probe, gate.Sighting{Kind: gate.Nothing})
}

func waits(t *testing.T, s *subject) {
	s.call(t, counted(10, 3, minute))
	var all []*queued
	for range 6 {
		all = append(all, s.queue(t.Context(), gate.Entry{}))
	}
	for i := range 3 {
		require.True(t, all[i].done())
		s.answer(t.Context(), all[i:i+1], counted(10, 2-i, minute-time.Second))
	}
	assert.Equal(t, 3, through(all))
	for i, q := range all {
		if q.done() {
			assert.Empty(t, q.waits(), "call %d went in this window", i)
			continue
		}
		require.Len(t, q.waits(), 1, "call %d", i)
		assert.InDelta(t, minute, q.waits()[0], float64(3*time.Second))
	}
	time.Sleep(minute)
	s.drain(t, all[3:], counted(10, 9, minute))
	for _, q := range all[3:] {
		assert.Len(t, q.waits(), 1, "once")
	}
}

func waitsForNeighbour(t *testing.T, s *subject) {
	s.call(t, counted(10, 6, minute))
	var all []*queued
	for range 6 {
		all = append(all, s.queue(t.Context(), gate.Entry{}))
	}
	require.Positive(t, through(all))
	assert.Empty(t, all[5].waits(), "there is room for it")
	s.answer(t.Context(), all[:1], counted(10, 2, minute-time.Second)) // not 5
	for i := 1; i < 6 && all[i].done(); i++ {
		s.answer(t.Context(), all[i:i+1], counted(10, 0, minute-time.Second))
	}
	require.Len(t, all[5].waits(), 1)
	assert.InDelta(t, minute, all[5].waits()[0], float64(3*time.Second))
	time.Sleep(minute)
	s.drain(t, all, counted(10, 9, minute))
}

func waitsOfFreshGate(t *testing.T, s *subject) {
	var all []*queued
	for range 12 {
		all = append(all, s.queue(t.Context(), gate.Entry{}))
	}
	assert.Equal(t, 1, through(all))
	assert.Empty(t, all[11].waits())
	s.Leave(t.Context(), route, all[0].pass, counted(10, 0, minute))
	s.settle()
	for _, q := range all[1:] {
		require.Len(t, q.waits(), 1)
		assert.InDelta(t, minute, q.waits()[0], float64(minute+2*time.Second))
		assert.Greater(t, q.waits()[0], 50*time.Second)
	}
	time.Sleep(minute)
	s.drain(t, all[1:], counted(20, 15, minute))
}
