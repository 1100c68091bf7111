package cli

import (
	"context"
	"sync"
	"time"

	"github.com/rocketchat-go/rocketchat"
)

// waits announces waits for the rate limit, once for each window.
func (s *Session) waits() rocketchat.Trace {
	var mu sync.Mutex
	until := make(map[string]time.Time) // by operation: the end of the announced wait
	return rocketchat.Trace{Waiting: func(_ context.Context, w rocketchat.WaitInfo) {
		if w.Reason != rocketchat.WaitRouteLimit && w.Reason != rocketchat.WaitUserLimit {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.After(until[w.Op]) {
			until[w.Op] = now.Add(w.Wait)
			s.Note("(waiting %s for the server's rate limit of %s)", w.Wait.Round(100*time.Millisecond), w.Op)
		}
	}}
}
