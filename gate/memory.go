package gate

import (
	"context"
	"sync"
	"time"
)

// keep is how long an unused route or caller is remembered.
const keep = time.Hour

// Memory is the gate of one process. Clients that call the same server from one process
// can share it.
type Memory struct {
	mu      sync.RWMutex
	windows map[Route]*window // by route, without the caller
}

// NewMemory returns a gate that learns the limits from the answers.
func NewMemory() *Memory { return &Memory{windows: make(map[Route]*window)} }

// Enter implements [Gate].
func (m *Memory) Enter(ctx context.Context, e Entry) (Pass, error) {
	if ctx.Err() != nil {
		return Pass{}, ended(ctx)
	}
	return m.locked(e.Route).enter(ctx, &e)
}

// Leave implements [Gate].
func (m *Memory) Leave(_ context.Context, r Route, p Pass, seen Sighting) {
	w := m.locked(r)
	defer w.mu.Unlock()
	now := time.Now()
	w.settle(now, w.caller(r.Caller, now), p.Number, seen)
	w.dispatch(now)
}

// Known implements [Gate].
func (m *Memory) Known(r Route) (RouteLimit, bool) {
	caller := r.Caller
	r.Caller = ""
	m.mu.RLock()
	w := m.windows[r]
	m.mu.RUnlock()
	if w == nil {
		return RouteLimit{}, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known(time.Now(), caller)
}

// locked returns the window of a route, locked.
func (m *Memory) locked(r Route) *window {
	r.Caller = ""
	for {
		m.mu.RLock()
		w := m.windows[r]
		m.mu.RUnlock()
		if w == nil {
			w = m.add(r)
		}
		w.mu.Lock()
		if !w.gone {
			return w
		}
		w.mu.Unlock() // swept at the same moment
	}
}

func (m *Memory) add(r Route) *window {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.windows[r]; w != nil {
		return w
	}
	w := newWindow()
	m.windows[r] = w
	if len(m.windows) == 1 {
		time.AfterFunc(keep/4, m.sweep)
	}
	return w
}

// sweep forgets routes and callers that are no longer used. It runs as long as there are
// any.
func (m *Memory) sweep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	kept := make(map[Route]*window) // because a map never shrinks
	for route, w := range m.windows {
		if !w.retire(now) {
			kept[route] = w
		}
	}
	m.windows = kept
	if len(m.windows) > 0 {
		time.AfterFunc(keep/4, m.sweep)
	}
}
