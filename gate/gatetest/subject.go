package gatetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/gate"
)

// subject is the gate that is tested.
type subject struct{ gate.Gate }

func newSubject(t *testing.T, open func() gate.Gate) *subject {
	t.Helper()
	s := &subject{open()}
	if closer, ok := s.Gate.(interface {
		Close(ctx context.Context) error
	}); ok {
		t.Cleanup(func() { assert.NoError(t, closer.Close(context.WithoutCancel(t.Context()))) })
	}
	return s
}

const minute = time.Minute

// counted is the sighting of a call that leaves so many, in a window that ends when
// reset is over.
func counted(limit, remaining int, reset time.Duration) gate.Sighting {
	return gate.Sighting{
		Kind: gate.Counted, Limit: limit, Remaining: remaining,
		Window: time.Now().Add(reset).UnixMilli(), Reset: reset, Date: time.Now(),
	}
}

// refused is the refusal of a window that ends when reset is over.
func refused(reset time.Duration) gate.Sighting {
	seen := counted(10, 0, reset)
	seen.Kind = gate.Refused
	return seen
}

// enter lets a call through that need not wait.
func (s *subject) enter(t *testing.T) gate.Pass {
	t.Helper()
	start := time.Now()
	pass, err := s.Enter(t.Context(), gate.Entry{Route: route})
	require.NoError(t, err)
	require.Less(t, time.Since(start), 100*time.Millisecond, "it need not wait")
	return pass
}

// call is enter and leave.
func (s *subject) call(t *testing.T, seen gate.Sighting) {
	t.Helper()
	pass := s.enter(t)
	s.Leave(t.Context(), route, pass, seen)
}

// queued is a call that may have to wait.
type queued struct {
	over     chan struct{} // closed when it has entered
	pass     gate.Pass
	err      error
	at       time.Time
	answered bool

	mu   sync.Mutex
	told []time.Duration // lengths that Waits was called with
}

// queue starts a call and waits until it has entered or stands in the queue.
func (s *subject) queue(ctx context.Context, e gate.Entry) *queued {
	return s.queueAs(ctx, route.Caller, e)
}

// queueAs is queue for another caller.
func (s *subject) queueAs(ctx context.Context, caller string, e gate.Entry) *queued {
	q := &queued{over: make(chan struct{})}
	e.Route = route
	e.Route.Caller = caller
	e.Waits = func(d time.Duration) {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.told = append(q.told, d)
	}
	go func() {
		defer close(q.over)
		q.pass, q.err = s.Enter(ctx, e)
		q.at = time.Now()
	}()
	s.settle()
	return q
}

// done reports whether the call no longer waits.
func (q *queued) done() bool {
	select {
	case <-q.over:
		return true
	default:
		return false
	}
}

// waits are the lengths that the call was told.
func (q *queued) waits() []time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.told)
}

// answer lets those that were let through leave, and reports how many they were.
func (s *subject) answer(ctx context.Context, all []*queued, seen gate.Sighting) (n int) {
	for _, q := range all {
		if !q.answered && q.done() && q.err == nil {
			q.answered = true
			n++
			s.Leave(ctx, route, q.pass, seen)
		}
	}
	s.settle()
	return n
}

// settle gives a gate that asks others the time for it.
func (s *subject) settle() {
	time.Sleep(20 * time.Millisecond)
	synctest.Wait()
}

func through(all []*queued) (n int) {
	for _, q := range all {
		if q.done() && q.err == nil {
			n++
		}
	}
	return n
}

// drain answers all calls until none is left.
func (s *subject) drain(t *testing.T, all []*queued, seen gate.Sighting) {
	t.Helper()
	for range 4 * len(all) {
		s.answer(t.Context(), all, seen)
	}
	for i, q := range all {
		assert.True(t, q.done(), "call %d still waits", i)
	}
}

// waitError is the wait that an error tells.
func waitError(t *testing.T, err error) time.Duration {
	t.Helper()
	tooLong, ok := errors.AsType[*gate.WaitError](err)
	require.True(t, ok, "%v", err)
	return tooLong.Wait
}
