package redisgate

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// retryEvery is how often a Redis that is away is tried.
	retryEvery = 200 * time.Millisecond
	// retryRefused is how often one that answers with an error, such as missing
	// rights, is tried.
	retryRefused = time.Second
)

// health says whether Redis can be used.
type health struct {
	gate *Gate

	mu    sync.Mutex
	back  chan struct{} // closed when Redis is back; nil: it is not away
	cause error
	never bool // it will not be used again
}

// away returns a channel that is closed when Redis is back, and why it is away. The channel
// is nil if Redis is available.
func (h *health) away() (<-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.back, h.cause
}

// broken returns the reason why Redis is never used.
func (h *health) broken() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.never {
		return h.cause
	}
	return nil
}

// fail ends the use of Redis.
func (h *health) fail(cause error) {
	h.mu.Lock()
	h.never, h.cause = true, cause
	if h.back == nil {
		h.back = make(chan struct{})
	}
	h.mu.Unlock()
	if cause != errClosed { //nolint:errorlint // exactly this one
		h.gate.logger.LogAttrs(context.Background(), slog.LevelError, "redisgate: not usable", slog.Any("error", cause))
	}
	h.dismiss()
}

// lost records that Redis did not do a step.
func (h *health) lost(cause error) {
	h.mu.Lock()
	already := h.back != nil
	if !already {
		h.back, h.cause = make(chan struct{}), cause
	}
	h.mu.Unlock()
	if already {
		return
	}
	h.gate.logger.LogAttrs(context.Background(), slog.LevelWarn, "redisgate: Redis is away", slog.Any("error", cause),
		slog.Bool("fallback", h.gate.fallback))
	h.dismiss()
	go h.revive(final(cause))
}

// dismiss ends all waits for Redis.
func (h *health) dismiss() {
	for _, r := range h.gate.all() {
		r.mu.Lock()
		r.disperse()
		r.mu.Unlock()
	}
}

// revive tries Redis until it is back.
func (h *health) revive(refused bool) {
	for {
		pause := retryEvery
		if refused {
			pause = retryRefused
		}
		time.Sleep(pause)
		if h.broken() != nil {
			return
		}
		err := h.gate.try(context.Background())
		if err == nil {
			break
		}
		refused = final(err)
	}
	h.mu.Lock()
	if h.never {
		h.mu.Unlock()
		return
	}
	close(h.back)
	h.back, h.cause = nil, nil
	h.mu.Unlock()
	h.gate.logger.LogAttrs(context.Background(), slog.LevelInfo, "redisgate: Redis is back")
	for _, r := range h.gate.all() {
		r.resume()
	}
}
