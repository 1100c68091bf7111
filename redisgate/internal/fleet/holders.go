package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rocketchat-go/rocketchat/gate"
	"github.com/rocketchat-go/rocketchat/redisgate"
)

// errHeld tells that a pass was given out though all were held.
var errHeld = errors.New("a pass was given out twice")

// ProbeAfterKill is how long it takes until the next probe may be sent when the process
// that held the first is killed.
func ProbeAfterKill(ctx context.Context, addr, scope string) (time.Duration, error) {
	return afterKill(ctx, addr, scope, func(context.Context, *redisgate.Gate) (int, error) { return 1, nil })
}

// PassesAfterKill is how long it takes until another call may be sent when the process
// is killed that held all passes that could be given out.
func PassesAfterKill(ctx context.Context, addr, scope string) (time.Duration, error) {
	return afterKill(ctx, addr, scope, func(ctx context.Context, g *redisgate.Gate) (int, error) {
		pass, err := g.Enter(ctx, gate.Entry{Route: grabbed})
		if err != nil {
			return 0, err
		}
		reset := time.Now().Add(time.Minute)
		g.Leave(ctx, grabbed, pass, gate.Sighting{
			Kind: gate.Counted, Limit: 10, Remaining: 9, Window: reset.UnixMilli(), Reset: time.Minute, Date: time.Now(),
		})
		time.Sleep(100 * time.Millisecond)
		return 5, nil // half of a window
	})
}

// Hold is that of the passes of a process that is killed.
const Hold = 2 * time.Second

// afterKill kills a process that has taken as many passes as prepare says, and measures
// how long the next call waits, from when they were taken.
func afterKill(ctx context.Context, addr, scope string, prepare func(context.Context, *redisgate.Gate) (int, error)) (time.Duration, error) {
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = rdb.Close() }()
	g := redisgate.New(rdb, scope)
	defer func() { _ = g.Close(ctx) }()
	if err := g.Warm(ctx); err != nil {
		return 0, err
	}
	grab, err := prepare(ctx, g)
	if err != nil {
		return 0, err
	}
	holder, err := Start(ctx, &Config{Redis: []string{addr}, Scope: scope, Grab: grab, Hold: Hold})
	if err != nil {
		return 0, err
	}
	start := time.Now()
	holder.Kill()
	if _, err := g.Enter(ctx, gate.Entry{Route: grabbed, MaxWait: 500 * time.Millisecond}); err == nil {
		return 0, errHeld
	}
	pass, err := g.Enter(ctx, gate.Entry{Route: grabbed, MaxWait: time.Minute})
	if err != nil {
		return 0, err
	}
	took := time.Since(start)
	g.Leave(ctx, grabbed, pass, gate.Sighting{Kind: gate.Unsent})
	return took, nil
}
