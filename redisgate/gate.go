package redisgate

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rocketchat-go/rocketchat/gate"
)

// keep is how long an unused route or caller is remembered.
const keep = time.Hour

// Gate is a [gate.Gate] that shares its budgets with other processes.
type Gate struct {
	rdb      redis.UniversalClient
	scope    string
	prefix   string
	timeout  time.Duration
	hold     time.Duration
	fallback bool
	logger   *slog.Logger

	id     string // of this process
	memory *gate.Memory
	turns  turns
	health health

	mu     sync.RWMutex
	routes map[gate.Route]*route // by route, without the caller
	byKey  map[string]*route
}

// New returns a gate for the processes that share the scope. They must not share it
// unless they share an outgoing address. The connection is the caller's to close, after
// the gate. New does not wait for Redis; see [Gate.Warm].
func New(rdb redis.UniversalClient, scope string, opts ...Option) *Gate {
	g := &Gate{
		rdb: rdb, scope: scope, id: rand.Text()[:12], memory: gate.NewMemory(),
		routes: make(map[gate.Route]*route), byKey: make(map[string]*route),
	}
	g.defaults()
	for _, opt := range opts {
		opt(g)
	}
	g.turns.gate, g.health.gate = g, g
	if scope == "" || strings.ContainsAny(scope, "{}") {
		g.health.fail(errScope)
	}
	return g
}

var (
	errScope  = errors.New("redisgate: the scope is empty or contains a brace")
	errClosed = errors.New("redisgate: closed")
)

// Warm connects to Redis and loads the script of the gate, so that the first call does not
// wait for it. It returns an error if Redis cannot be used.
func (g *Gate) Warm(ctx context.Context) error {
	if err := g.health.broken(); err != nil {
		return err
	}
	if err := script.Load(ctx, g.rdb).Err(); err != nil {
		return fmt.Errorf("redisgate: loading the script: %w", err)
	}
	if err := g.try(ctx); err != nil {
		return err
	}
	return g.turns.subscribe(ctx)
}

// Enter implements [gate.Gate].
func (g *Gate) Enter(ctx context.Context, e gate.Entry) (gate.Pass, error) {
	if ctx.Err() != nil {
		return gate.Pass{}, ended(ctx)
	}
	r := g.locked(e.Route)
	c := r.caller(e.Route.Caller)
	if c.exempt {
		r.mu.Unlock()
		return gate.Pass{}, nil
	}
	r.mu.Unlock()
	return g.enter(ctx, e, r)
}

// enter uses Redis or the process's own gate, and changes between them while it waits.
func (g *Gate) enter(ctx context.Context, e gate.Entry, r *route) (gate.Pass, error) {
	deadline := time.Now().Add(e.MaxWait)
	announce := e.Waits
	if announce != nil {
		told := false
		e.Waits = func(d time.Duration) {
			if !told {
				told = true
				announce(d)
			}
		}
	}
	for {
		back, cause := g.health.away()
		var pass gate.Pass
		var err error
		switch {
		case back == nil && !r.tooShort():
			pass, err = r.enter(ctx, &e)
		case back != nil && !g.fallback:
			return gate.Pass{}, fmt.Errorf("%w: %w", gate.ErrUnavailable, cause)
		default:
			pass, err = g.alone(ctx, e, back)
		}
		if !errors.Is(err, errMoved) {
			return pass, err
		}
		if e.MaxWait > 0 {
			if e.MaxWait = time.Until(deadline); e.MaxWait <= 0 {
				return gate.Pass{}, &gate.WaitError{Wait: time.Second}
			}
		}
	}
}

// errMoved is the error of a wait that continues elsewhere, because Redis went away or came
// back.
var errMoved = errors.New("redisgate: moved")

// alone is the Note of a pass of the process's own gate.
type alone struct{}

// alone uses the process's own gate until Redis is back.
func (g *Gate) alone(ctx context.Context, e gate.Entry, back <-chan struct{}) (gate.Pass, error) {
	if e.Place&foreign != 0 {
		e.Place = 0
	}
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if back != nil {
		go func() {
			select {
			case <-back:
				cancel(errMoved)
			case <-own.Done():
			}
		}()
	}
	pass, err := g.memory.Enter(own, e)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(own), errMoved) {
		return gate.Pass{}, errMoved
	}
	pass.Note = alone{}
	return pass, err
}

// Leave implements [gate.Gate].
func (g *Gate) Leave(ctx context.Context, where gate.Route, p gate.Pass, seen gate.Sighting) {
	own := gate.Pass{}
	name, _ := p.Note.(string)
	if _, ok := p.Note.(alone); ok {
		own = p
	}
	g.memory.Leave(ctx, where, own, seen)
	r := g.locked(where)
	defer r.mu.Unlock()
	c := r.caller(where.Caller)
	c.learn(seen.Kind)
	switch {
	case seen.Kind >= gate.Counted:
	case name == "" && (seen.Kind != gate.Free || c.exempt || p.Number == 0 && p.Note == nil):
		return
	}
	r.leave(c, name, seen)
}

// Known implements [gate.Gate].
func (g *Gate) Known(where gate.Route) (gate.RouteLimit, bool) {
	caller := where.Caller
	where.Caller = ""
	g.mu.RLock()
	r := g.routes[where]
	g.mu.RUnlock()
	if back, _ := g.health.away(); r != nil && back == nil {
		if known, ok := r.known(caller); ok {
			return known, true
		}
	}
	where.Caller = caller
	return g.memory.Known(where)
}

// Limit returns what all processes together know about a route. A Limit of zero is
// unknown.
func (g *Gate) Limit(ctx context.Context, where gate.Route) (gate.RouteLimit, error) {
	if err := g.health.broken(); err != nil {
		return gate.RouteLimit{}, err
	}
	i, err := g.peek(ctx, where)
	if err != nil {
		return gate.RouteLimit{}, err
	}
	if len(i.Exempt) > 0 {
		return gate.RouteLimit{Exempt: true}, nil
	}
	known, _ := i.limit(0)
	return known, nil
}

// Close releases the passes of the process, so that others need not wait until they expire,
// and ends the subscription. Later calls use the process's own gate, or fail with
// [WithoutFallback].
func (g *Gate) Close(ctx context.Context) error {
	g.health.fail(errClosed)
	g.turns.close()
	g.mu.RLock()
	defer g.mu.RUnlock()
	var failed error
	for _, r := range g.routes {
		if err := r.flush(ctx); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// locked returns a route, locked.
func (g *Gate) locked(where gate.Route) *route {
	where.Caller = ""
	for {
		g.mu.RLock()
		r := g.routes[where]
		g.mu.RUnlock()
		if r == nil {
			r = g.add(where)
		}
		r.mu.Lock()
		if !r.gone {
			return r
		}
		r.mu.Unlock() // swept at the same moment
	}
}

func (g *Gate) add(where gate.Route) *route {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.routes[where]; r != nil {
		return r
	}
	r := newRoute(g, where)
	g.routes[where], g.byKey[r.key] = r, r
	if len(g.routes) == 1 {
		time.AfterFunc(keep/4, g.sweep)
	}
	return r
}

// sweep forgets routes and callers that are no longer used. It runs as long as there are
// any.
func (g *Gate) sweep() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	routes, byKey := make(map[gate.Route]*route), make(map[string]*route) // because a map never shrinks
	for where, r := range g.routes {
		if !r.retire(now) {
			routes[where], byKey[r.key] = r, r
		}
	}
	g.routes, g.byKey = routes, byKey
	if len(g.routes) > 0 {
		time.AfterFunc(keep/4, g.sweep)
	}
}

// find returns the route of a key, if the process uses it.
func (g *Gate) find(key string) *route {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.byKey[key]
}

// all returns the present routes.
func (g *Gate) all() []*route {
	g.mu.RLock()
	defer g.mu.RUnlock()
	all := make([]*route, 0, len(g.routes))
	for _, r := range g.routes {
		all = append(all, r)
	}
	return all
}

// layout is the version of what the keys hold. Gates of different layouts do not see each
// other's keys.
const layout = "1:"

// base is the beginning of the names of all keys of the scope. The part in braces puts them
// on one node of a cluster.
func (g *Gate) base() string { return g.prefix + layout + "{" + g.scope + "}" }

// hash replaces texts that should not be readable in Redis: that of a caller may be an
// email address.
func (g *Gate) hash(texts ...string) string {
	sum := sha256.Sum256([]byte(g.scope + "\x00" + strings.Join(texts, "\x00")))
	return hex.EncodeToString(sum[:10])
}

// ended returns the error of a context that has ended, with its cause.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
