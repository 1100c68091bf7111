package tour

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/rocketchat-go/rocketchat"
)

// meter adds up the pauses and refusals of a client. Its method see is for
// [rocketchat.Trace].
type meter struct {
	mu      sync.Mutex
	waited  time.Duration
	refused int
}

func (m *meter) see(_ context.Context, attempt rocketchat.Attempt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waited += attempt.Pause
	if attempt.StatusCode == http.StatusTooManyRequests {
		m.refused++
	}
}

func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waited, m.refused = 0, 0
}

func (m *meter) totals() (waited time.Duration, refused int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.waited, m.refused
}
