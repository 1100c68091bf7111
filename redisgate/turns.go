package redisgate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// quiet is after how long without messages the connection is tried.
	quiet = 30 * time.Second
	// resubscribe is the pause after it broke.
	resubscribe time.Duration = 100 * time.Millisecond
)

// message tells the processes of a scope what a step has changed.
type message struct {
	info

	Route     string       `json:"route"`
	Wake      list[string] `json:"wake"` // processes that passes are kept for
	Everybody bool         `json:"everybody"`
}

// turns hears of the steps of other processes.
type turns struct {
	gate *Gate

	mu      sync.Mutex
	pubsub  *redis.PubSub
	done    chan struct{}
	closed  bool
	hearing atomic.Bool
	failed  bool // and that was logged
}

// subscribed reports whether messages arrive.
func (t *turns) subscribed() bool { return t.hearing.Load() }

// listen begins to listen, if that has not yet begun.
func (t *turns) listen() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pubsub != nil || t.closed {
		return
	}
	t.pubsub = t.gate.rdb.Subscribe(context.Background(), t.gate.base())
	t.done = make(chan struct{})
	go t.run(t.pubsub, t.done)
}

// subscribe listens and waits until messages arrive.
func (t *turns) subscribe(ctx context.Context) error {
	once := t.gate.rdb.Subscribe(ctx, t.gate.base())
	defer func() { _ = once.Close() }()
	if _, err := once.Receive(ctx); err != nil {
		return fmt.Errorf("redisgate: subscribing: %w", err)
	}
	t.listen()
	return nil
}

// run receives messages until the subscription is closed.
func (t *turns) run(pubsub *redis.PubSub, done chan struct{}) {
	defer close(done)
	for {
		received, err := pubsub.ReceiveTimeout(context.Background(), quiet)
		if t.isClosed() {
			return
		}
		if err != nil {
			if isTimeout(err) && pubsub.Ping(context.Background()) == nil {
				continue
			}
			t.interrupted(err)
			pause := resubscribe
			if final(err) {
				pause = retryRefused
			}
			time.Sleep(pause)
			continue
		}
		switch m := received.(type) {
		case *redis.Subscription:
			t.hearing.Store(true)
			for _, r := range t.gate.all() { // that may have missed something
				r.resume()
			}
		case *redis.Message:
			t.pass(m.Payload)
		}
	}
}

// interrupted notes that messages do not arrive.
func (t *turns) interrupted(err error) {
	if t.hearing.Swap(false) {
		for _, r := range t.gate.all() { // Redis may be away: see whether it is
			r.resume()
		}
	}
	if final(err) && !t.failed {
		t.failed = true
		t.gate.logger.LogAttrs(context.Background(), slog.LevelWarn,
			"redisgate: no messages of other processes, turns take longer", slog.Any("error", err))
	}
}

// pass hands a message to its route.
func (t *turns) pass(text string) {
	var m message
	if json.Unmarshal([]byte(text), &m) != nil {
		return
	}
	if r := t.gate.find(m.Route); r != nil {
		r.hear(&m)
	}
}

func (t *turns) isClosed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}

func (t *turns) close() {
	t.mu.Lock()
	t.closed = true
	pubsub, done := t.pubsub, t.done
	t.mu.Unlock()
	if pubsub != nil {
		_ = pubsub.Close()
		<-done
	}
}

func isTimeout(err error) bool {
	var slow net.Error
	return errors.As(err, &slow) && slow.Timeout()
}
