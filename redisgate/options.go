package redisgate

import (
	"log/slog"
	"time"

	"github.com/rocketchat-go/rocketchat/gate"
)

// Option changes a [Gate].
type Option func(*Gate)

// WithPrefix sets what the names of all keys and of the channel begin with. It is
// "rocketchat:gate:" by default.
func WithPrefix(prefix string) Option { return func(g *Gate) { g.prefix = prefix } }

// WithTimeout sets how long Redis may take to answer before the gate does without it. It
// is a second by default.
func WithTimeout(d time.Duration) Option { return func(g *Gate) { g.timeout = d } }

// WithHold sets how long a pass lasts if the call that asks for it does not say, which
// is [gate.DefaultHold] by default. The passes of a process that dies are void after
// this time, or when their window is over.
func WithHold(d time.Duration) Option { return func(g *Gate) { g.hold = d } }

// WithoutFallback lets calls fail with [gate.ErrUnavailable] while Redis is away,
// instead of leaving each process to a gate of its own.
func WithoutFallback() Option { return func(g *Gate) { g.fallback = false } }

// WithLogger sets the logger that is told when Redis goes away and returns. By default
// nothing is logged.
func WithLogger(logger *slog.Logger) Option { return func(g *Gate) { g.logger = logger } }

// defaults of a gate.
func (g *Gate) defaults() {
	g.prefix, g.timeout, g.hold, g.fallback = "rocketchat:gate:", time.Second, gate.DefaultHold, true
	g.logger = slog.New(slog.DiscardHandler)
}
