package gatetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/gate"
)

func inOrderOfArrival(t *testing.T, s *subject) {
	s.call(t, counted(2, 0, minute))
	var all []*queued
	for range 8 {
		all = append(all, s.queue(t.Context(), gate.Entry{}))
	}
	for window := range 4 {
		time.Sleep(minute)
		s.settle()
		for left := 1; left >= 0; left-- { // a probe, and who may follow
			assert.Equal(t, 1, s.answer(t.Context(), all[:2*(window+1)], counted(2, left, minute-time.Second)))
		}
		assert.Equal(t, 2*(window+1), through(all))
	}
}

func keepsItsPlace(t *testing.T, s *subject) {
	s.call(t, counted(10, 1, minute))
	first := s.enter(t)
	later := s.queue(t.Context(), gate.Entry{})
	s.Leave(t.Context(), route, first, refused(minute-time.Second))
	again := s.queue(t.Context(), gate.Entry{Place: first.Place})
	newcomer := s.queue(t.Context(), gate.Entry{})
	time.Sleep(minute - time.Second)
	s.settle()
	require.True(t, again.done(), "it was there first")
	require.NoError(t, again.err)
	assert.False(t, later.done())
	s.Leave(t.Context(), route, again.pass, counted(10, 1, minute))
	s.settle()
	assert.True(t, later.done())
	assert.False(t, newcomer.done())
	s.Leave(t.Context(), route, later.pass, counted(10, 9, minute))
	time.Sleep(2 * minute)
	s.settle()
	s.Leave(t.Context(), route, newcomer.pass, gate.Sighting{Kind: gate.Nothing})
}

func oneProbeFirst(t *testing.T, s *subject) {
	var all []*queued
	for range 20 {
		all = append(all, s.queue(t.Context(), gate.Entry{}))
	}
	require.Equal(t, 1, through(all))
	assert.True(t, all[0].pass.Probe)
	time.Sleep(1500 * time.Millisecond)
	s.settle()
	assert.Greater(t, through(all), 1, "a slow probe holds nobody up")
	s.drain(t, all, counted(100, 90, minute))
	assert.Equal(t, 20, through(all))
}

func slowProbe(t *testing.T, s *subject) {
	s.call(t, counted(10, 0, minute))
	time.Sleep(minute)
	s.settle()
	var all []*queued
	for range 20 {
		all = append(all, s.queue(t.Context(), gate.Entry{}))
	}
	assert.Equal(t, 1, through(all))
	time.Sleep(5 * time.Second)
	s.settle()
	assert.Equal(t, 5, through(all), "half of a window")
	s.drain(t, all, counted(100, 90, minute))
}

func silentServer(t *testing.T, s *subject) {
	var all []*queued
	for range 50 {
		all = append(all, s.queue(t.Context(), gate.Entry{Hold: time.Hour}))
	}
	time.Sleep(10 * minute)
	s.settle()
	assert.Greater(t, through(all), 3)
	assert.LessOrEqual(t, through(all), 10)
	s.drain(t, all, counted(100, 90, minute))
}

func underWay(t *testing.T, s *subject) {
	s.call(t, counted(10, 3, minute))
	var all []*queued
	for range 9 {
		all = append(all, s.queue(t.Context(), gate.Entry{Hold: time.Hour}))
	}
	assert.LessOrEqual(t, through(all), 3)
	assert.Positive(t, through(all))
	time.Sleep(minute / 2)
	s.settle()
	assert.LessOrEqual(t, through(all), 3)
	time.Sleep(minute / 2)
	s.drain(t, all, counted(10, 9, minute))
}

func notCounted(t *testing.T, s *subject) {
	s.call(t, counted(10, 9, minute))
	for range 5 {
		s.call(t, gate.Sighting{Kind: gate.Nothing})
	}
	for remaining := 8; remaining >= 0; remaining-- {
		s.call(t, counted(10, remaining, minute))
	}
}

func unsent(t *testing.T, s *subject) {
	s.call(t, counted(10, 1, minute))
	for range 20 {
		s.call(t, gate.Sighting{Kind: gate.Unsent})
	}
	s.call(t, counted(10, 0, minute))
	waiting := s.queue(t.Context(), gate.Entry{})
	assert.False(t, waiting.done())
	time.Sleep(minute)
	s.settle()
	assert.True(t, waiting.done())
	s.Leave(t.Context(), route, waiting.pass, gate.Sighting{Kind: gate.Unsent})
	s.call(t, gate.Sighting{Kind: gate.Unsent}) // nor is the probe lost
}

func lostPasses(t *testing.T, s *subject) {
	const hold = 10 * time.Second
	var lost []gate.Pass
	for range 3 { // windows whose calls are never heard of again
		first := s.queue(t.Context(), gate.Entry{Hold: hold})
		var all []*queued
		for range 4 {
			all = append(all, s.queue(t.Context(), gate.Entry{Hold: hold}))
		}
		time.Sleep(3 * minute)
		s.settle()
		require.True(t, first.done(), "the passes before are void")
		assert.Equal(t, 4, through(all))
		for _, q := range append(all, first) {
			lost = append(lost, q.pass)
		}
	}
	for _, pass := range lost { // after all
		s.Leave(t.Context(), route, pass, gate.Sighting{Kind: gate.Nothing})
	}
	time.Sleep(time.Hour)
	s.call(t, counted(10, 9, minute))
	var all []*queued
	for range 9 {
		all = append(all, s.queue(t.Context(), gate.Entry{Hold: hold}))
	}
	before := through(all)
	time.Sleep(hold + time.Second)
	s.settle()
	assert.Greater(t, through(all), before, "in the same window")
	time.Sleep(time.Hour)
	result := Simulation{Calls: 40}.Run(t.Context(), s.Gate)
	assert.Zero(t, result.Refused, result)
	assert.Less(t, result.Over(), .05, result)
}

func leaveTwice(t *testing.T, s *subject) {
	pass := s.enter(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5 {
		s.Leave(ctx, route, pass, counted(10, 1, minute))
	}
	var all []*queued
	for range 3 {
		all = append(all, s.queue(t.Context(), gate.Entry{}))
	}
	assert.Equal(t, 1, through(all))
	time.Sleep(minute)
	s.drain(t, all, counted(10, 5, minute))
}

func cancelled(t *testing.T, s *subject) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // reproducible on purpose
	srv := newServer(&Simulation{Limit: 10})
	errGone := errors.New("gone")
	var wg sync.WaitGroup
	for range 200 {
		ctx, cancel := context.WithCancelCause(t.Context())
		after := time.Duration(random.Int64N(int64(10 * minute)))
		wg.Go(func() {
			defer cancel(nil)
			if _, err := srv.do(ctx, s.Gate, gate.Entry{Route: route}); err != nil {
				assert.ErrorIs(t, err, errGone)
			}
		})
		wg.Go(func() {
			select {
			case <-ctx.Done():
			case <-time.After(after):
				cancel(errGone)
			}
		})
	}
	wg.Wait()
	assert.Empty(t, srv.refused)
	time.Sleep(2 * minute)
	result := Simulation{Calls: 40}.Run(t.Context(), s.Gate)
	assert.Zero(t, result.Refused, result)
	assert.Less(t, result.Over(), .02, result)
}

func contextEnds(t *testing.T, s *subject) {
	s.call(t, counted(10, 0, minute))
	errGone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	waiting := s.queue(ctx, gate.Entry{})
	cancel(errGone)
	s.settle()
	require.True(t, waiting.done())
	require.ErrorIs(t, waiting.err, context.Canceled)
	require.ErrorIs(t, waiting.err, errGone)
	_, err := s.Enter(ctx, gate.Entry{Route: route})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, errGone)
}
