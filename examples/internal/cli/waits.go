package cli

import (
	"context"
	"sync"
	"time"
)

// waits tells a person why nothing happens, once for each window of the server.
type waits struct {
	say func(op string, wait time.Duration)

	mu    sync.Mutex
	until map[string]time.Time // by operation: what was told already
}

func newWaits(say func(op string, wait time.Duration)) *waits {
	return &waits{say: say, until: make(map[string]time.Time)}
}

// tell is for [rocketchat.WithWaitHook].
func (w *waits) tell(_ context.Context, op string, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.After(w.until[op]) {
		w.until[op] = now.Add(wait)
		w.say(op, wait)
	}
}
