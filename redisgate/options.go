package redisgate

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/rocketchat-go/rocketchat/gate"
)

// Option changes a [Gate].
type Option func(*Gate)

// WithPrefix sets the beginning of the names of all keys and of the channel. The default is
// "rocketchat:gate:".
func WithPrefix(prefix string) Option { return func(g *Gate) { g.prefix = prefix } }

// WithTimeout sets how long Redis may take to answer before the gate works without it. The
// default is a second.
func WithTimeout(d time.Duration) Option { return func(g *Gate) { g.timeout = d } }

// WithHold sets how long a pass lasts if its call does not say. The default is
// [gate.DefaultHold]. The passes of a process that dies expire after this time, or when
// their window ends.
func WithHold(d time.Duration) Option { return func(g *Gate) { g.hold = d } }

// WithoutFallback lets calls fail with [gate.ErrUnavailable] while Redis is away, instead of
// using a gate of each process.
func WithoutFallback() Option { return func(g *Gate) { g.fallback = false } }

// WithLogger sets the logger for messages that Redis is away or back. By default, and with
// nil, nothing is logged.
func WithLogger(logger *slog.Logger) Option {
	return func(g *Gate) { g.logger = cmp.Or(logger, slog.New(slog.DiscardHandler)) }
}

// defaults of a gate.
func (g *Gate) defaults() {
	g.prefix, g.timeout, g.hold, g.fallback = "rocketchat:gate:", time.Second, gate.DefaultHold, true
	g.logger = slog.New(slog.DiscardHandler)
}
