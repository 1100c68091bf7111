package gatetest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/gate"
)

func mayBeExempt(t *testing.T, s *subject) {
	s.call(t, counted(10, 3, minute))
	admin := route
	admin.Caller = "admin"
	enter := func() (gate.Pass, error) {
		return s.Enter(t.Context(), gate.Entry{Route: admin, MaxWait: 10 * time.Second})
	}
	pass, err := enter()
	require.NoError(t, err)
	s.Leave(t.Context(), admin, pass, gate.Sighting{Kind: gate.Free})
	s.call(t, counted(10, 0, minute-time.Second))
	s.settle()
	pass, err = enter()
	require.NoError(t, err, "one goes beyond what is left")
	second := make(chan error)
	go func() {
		pass, err := enter()
		s.Leave(t.Context(), admin, pass, gate.Sighting{Kind: gate.Free})
		second <- err
	}()
	s.settle()
	s.Leave(t.Context(), admin, pass, gate.Sighting{Kind: gate.Free})
	require.NoError(t, <-second, "it waited for the first")
}

// strangers: of somebody of whom nothing is known it cannot be said how long they wait.
func strangers(t *testing.T, s *subject) {
	s.call(t, counted(10, 9, minute))
	s.Leave(t.Context(), route, gate.Pass{}, refused(minute))
	var all []*queued
	for range 25 {
		all = append(all, s.queueAs(t.Context(), "bob", gate.Entry{MaxWait: 90 * time.Second}))
	}
	s.Leave(t.Context(), route, gate.Pass{}, refused(minute+time.Second))
	s.settle()
	for _, q := range all {
		assert.False(t, q.done())
	}
	time.Sleep(minute + time.Second)
	s.settle()
	require.True(t, all[0].done())
	window := counted(10, 9, minute)
	s.Leave(t.Context(), route, gate.Pass{}, window)
	s.settle()
	require.False(t, all[24].done())
	bob := route
	bob.Caller = "bob"
	window.Remaining--
	s.Leave(t.Context(), bob, all[0].pass, window)
	s.settle()
	require.True(t, all[24].done(), "two windows do not do for 25")
	waitError(t, all[24].err)
	assert.LessOrEqual(t, through(all), 10)
	time.Sleep(2 * minute)
	s.settle()
}

func exempt(t *testing.T, s *subject) {
	result := Simulation{Calls: 300, Unlimited: true}.Run(t.Context(), s.Gate)
	assert.Zero(t, result.Failed)
	assert.Less(t, result.Took, 15*50*time.Millisecond)
	known, ok := s.Known(route)
	assert.True(t, ok)
	assert.True(t, known.Exempt)
	start := time.Now()
	for range 100 {
		pass := s.enter(t)
		assert.Zero(t, pass.Number, "it is not counted")
		s.Leave(t.Context(), route, pass, gate.Sighting{Kind: gate.Free})
	}
	assert.Zero(t, time.Since(start))
}

func exemptStepByStep(t *testing.T, s *subject) {
	var all []*queued
	for range 100 {
		all = append(all, s.queue(t.Context(), gate.Entry{}))
	}
	for answered := 0; answered < 40; {
		assert.LessOrEqual(t, through(all), 2*answered+10, "after %d answers", answered)
		answered += s.answer(t.Context(), all, gate.Sighting{Kind: gate.Free})
	}
	s.drain(t, all, gate.Sighting{Kind: gate.Free})
}

func notExempt(t *testing.T, s *subject) {
	s.call(t, counted(10, 9, minute))
	for range 3 {
		s.call(t, gate.Sighting{Kind: gate.Free}) // the headers were lost
	}
	var all []*queued
	for range 20 {
		all = append(all, s.queue(t.Context(), gate.Entry{}))
	}
	for range 10 {
		s.answer(t.Context(), all, gate.Sighting{Kind: gate.Free})
	}
	assert.Equal(t, 6, through(all), "ten calls have been sent in this window")
	known, _ := s.Known(route)
	assert.False(t, known.Exempt)
	time.Sleep(minute)
	s.drain(t, all, counted(100, 90, minute))
}

func exemptionEnds(t *testing.T, s *subject) {
	result := Simulation{Calls: 300, Unlimited: true}.Run(t.Context(), s.Gate)
	require.Zero(t, result.Failed)
	s.call(t, refused(minute))
	waiting := s.queue(t.Context(), gate.Entry{})
	assert.False(t, waiting.done())
	known, _ := s.Known(route)
	assert.False(t, known.Exempt)
	time.Sleep(minute)
	s.settle()
	require.True(t, waiting.done())
	s.Leave(t.Context(), route, waiting.pass, counted(10, 9, minute))
	result = Simulation{Calls: 40}.Run(t.Context(), s.Gate)
	assert.LessOrEqual(t, result.Crowded, 1)
}

func callersApart(t *testing.T, s *subject) {
	srv := newServer(&Simulation{})
	srv.exempt = "admin"
	start := time.Now()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var exempt, ordinary time.Duration
	for i := range 60 {
		mine := route
		if i%3 > 0 {
			mine.Caller = "admin"
		}
		wg.Go(func() {
			_, err := srv.do(t.Context(), s.Gate, gate.Entry{Route: mine})
			assert.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			if mine.Caller == "admin" {
				exempt = time.Since(start)
			} else {
				ordinary = time.Since(start)
			}
		})
	}
	wg.Wait()
	assert.Empty(t, srv.refused)
	assert.Less(t, exempt, 10*time.Second, "an exempt caller need not wait")
	assert.Greater(t, ordinary, minute, "twenty calls of the other need two windows")
}
