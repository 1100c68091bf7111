package redisgate_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/gate"
	"github.com/rocketchat-go/rocketchat/gate/gatetest"
	"github.com/rocketchat-go/rocketchat/redisgate"
)

// counter counts the scripts that a client runs.
type counter struct{ n atomic.Int64 }

func (c *counter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			c.n.Add(1)
		}
		return next(ctx, cmd)
	}
}

// gatesOn are gates on one Redis.
func gatesOn(t *testing.T, m *miniredis.Miniredis, n int, opts ...redisgate.Option) ([]gate.Gate, *counter) {
	t.Helper()
	count := &counter{}
	var gates []gate.Gate
	for range n {
		g := join(m, opts...)
		g.rdb.AddHook(count)
		t.Cleanup(func() { assert.NoError(t, g.Close(context.WithoutCancel(t.Context()))) })
		gates = append(gates, g)
	}
	return gates, count
}

func newRedis() *miniredis.Miniredis {
	m := miniredis.NewMiniRedis()
	m.ClockTTL(true)
	return m
}

func TestSixteenGates(t *testing.T) {
	t.Parallel()
	for _, s := range []struct {
		gatetest.Simulation

		name     string
		gates    int
		over     float64
		refused  int
		commands float64 // a call
	}{
		{gatetest.Simulation{Calls: 160}, "16 gates", 16, .005, 0, 4},
		{gatetest.Simulation{Calls: 160, Clock: time.Hour}, "the server is an hour ahead", 16, .005, 0, 4},
		{gatetest.Simulation{Calls: 160, Jitter: 6}, "resets that differ", 16, .005, 0, 4},
		{gatetest.Simulation{Calls: 160, Lost: .5, LostAs: gate.Free}, "50 % without headers", 16, .02, 0, 4},
		{gatetest.Simulation{Calls: 160, Lost: 1}, "100 % without headers", 16, .15, 2, 4},
		{gatetest.Simulation{Calls: 40, Latency: 8 * time.Second}, "slow answers", 4, .2, 0, 4},
		{gatetest.Simulation{Calls: 160, Neighbour: 3}, "a neighbour", 16, .25, 16, 4},
		{gatetest.Simulation{Calls: 640, Unlimited: true}, "no limit", 16, 40, 0, 1},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newRedis()
				gates, count := gatesOn(t, m, s.gates)
				result := s.Run(t.Context(), gates...)
				commands := float64(count.n.Load()) / float64(s.Calls)
				t.Logf("%s, %.2f commands a call", result, commands)
				assert.Zero(t, result.Failed)
				assert.LessOrEqual(t, result.Refused, s.refused)
				assert.LessOrEqual(t, result.Crowded, 1)
				assert.LessOrEqual(t, result.Over(), s.over)
				assert.LessOrEqual(t, commands, s.commands)
				for _, key := range m.Keys() {
					assert.NotZero(t, m.TTL(key), key)
				}
				time.Sleep(10 * time.Minute)
				assert.Empty(t, m.Keys())
			})
		})
	}
}

// TestLostState: whatever Redis forgets, no pass is given out twice and nothing hangs.
func TestLostState(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(context.Context, *redis.Client) error{
		"FLUSHALL":     func(ctx context.Context, rdb *redis.Client) error { return rdb.FlushAll(ctx).Err() },
		"SCRIPT FLUSH": func(ctx context.Context, rdb *redis.Client) error { return rdb.ScriptFlush(ctx).Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newRedis()
				gates, _ := gatesOn(t, m, 4)
				rdb := gates[0].(*owner).rdb //nolint:forcetypeassert // of gatesOn
				ctx, cancel := context.WithCancel(t.Context())
				var losing sync.WaitGroup
				losing.Go(func() {
					for {
						select {
						case <-ctx.Done():
							return
						case <-time.After(17 * time.Second):
							assert.NoError(t, lose(context.WithoutCancel(ctx), rdb))
						}
					}
				})
				result := gatetest.Simulation{Calls: 80}.Run(t.Context(), gates...)
				cancel()
				losing.Wait()
				t.Log(result)
				assert.Zero(t, result.Failed)
				assert.LessOrEqual(t, result.Refused, 8, "at most a probe for each loss")
				assert.Less(t, result.Over(), .3)
			})
		})
	}
}

// evict deletes the key of a scope whose name ends so, as a Redis does that is full.
func evict(t *testing.T, m *miniredis.Miniredis, ending string) {
	t.Helper()
	for _, key := range m.Keys() {
		_, name, _ := strings.Cut(key, "}:")
		if _, kind, _ := strings.Cut(name, ":"); kind == ending {
			require.True(t, m.Del(key))
			return
		}
	}
	t.Fatal("there is no such key")
}

// TestClockOfRedisIsSet: nobody waits for as long as the clock was set back.
func TestClockOfRedisIsSet(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-time.Hour, -30 * time.Second, 30 * time.Second, time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newRedis()
				gates, _ := gatesOn(t, m, 3)
				ctx, cancel := context.WithCancel(t.Context())
				var clock sync.WaitGroup
				clock.Go(func() {
					for start := time.Now(); ctx.Err() == nil; time.Sleep(time.Millisecond) {
						now := time.Now()
						ahead := time.Duration(0)
						switch took := now.Sub(start); {
						case took > 90*time.Second:
							ahead = 2 * by
						case took > 30*time.Second:
							ahead = by
						}
						m.SetTime(now.Add(ahead))
					}
				})
				result := gatetest.Simulation{Calls: 50}.Run(t.Context(), gates...)
				cancel()
				clock.Wait()
				t.Log(result)
				assert.Zero(t, result.Failed)
				assert.LessOrEqual(t, result.Refused, 2, "a probe for each time that it is set")
				assert.Less(t, result.Over(), .3, "a step back that nobody saw costs as much, a longer one nothing")
			})
		})
	}
}

// TestEvictedPasses: passes that Redis lost are not waited for.
func TestEvictedPasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newRedis()
		gates, _ := gatesOn(t, m, 1)
		where := gate.Route{Op: "users.info"}
		enter := func() gate.Pass {
			pass, err := gates[0].Enter(t.Context(), gate.Entry{Route: where, MaxWait: 2 * time.Minute})
			require.NoError(t, err)
			return pass
		}
		gates[0].Leave(t.Context(), where, enter(), gate.Sighting{Kind: gate.Counted, Limit: 10, Window: 1, Reset: time.Minute})
		var all []gate.Pass
		for range 5 { // as many as go in a new window before one was answered
			all = append(all, enter())
		}
		evict(t, m, "passes")
		for _, pass := range all {
			gates[0].Leave(t.Context(), where, pass, gate.Sighting{Kind: gate.Lost})
		}
		gates[0].Leave(t.Context(), where, enter(), gate.Sighting{Kind: gate.Unsent})
	})
}

// TestEvictedBudget: a pass of a budget that Redis lost does not pass for one of the next.
func TestEvictedBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newRedis()
		gates, _ := gatesOn(t, m, 1)
		where := gate.Route{Op: "users.info"}
		enter := func() (gate.Pass, error) {
			return gates[0].Enter(t.Context(), gate.Entry{Route: where, MaxWait: time.Second / 2})
		}
		first, err := enter()
		require.NoError(t, err)
		time.Sleep(time.Second)
		evict(t, m, "")
		second, err := enter()
		require.NoError(t, err)
		gates[0].Leave(t.Context(), where, first, gate.Sighting{Kind: gate.Counted, Limit: 2, Remaining: 1, Window: 1, Reset: time.Minute})
		_, err = enter()
		assert.Error(t, err, "the second is still under way")
		gates[0].Leave(t.Context(), where, second, gate.Sighting{Kind: gate.Unsent})
	})
}

// TestRepeatedStep: a script that the client repeats, because its answer was late, does
// not give out passes twice.
func TestRepeatedStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newRedis()
		gates, _ := gatesOn(t, m, 2)
		for _, g := range gates {
			g.(*owner).rdb.AddHook(twice{}) //nolint:forcetypeassert // of gatesOn
		}
		result := gatetest.Simulation{Calls: 40}.Run(t.Context(), gates...)
		t.Log(result)
		assert.Zero(t, result.Failed)
		assert.Zero(t, result.Refused)
		assert.Less(t, result.Over(), .01)
	})
}

// twice runs each script twice, and returns the second answer.
type twice struct{}

func (twice) DialHook(next redis.DialHook) redis.DialHook { return next }

func (twice) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (twice) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "evalsha" {
			return next(ctx, cmd)
		}
		if err := next(ctx, cmd); err != nil {
			return err
		}
		return next(ctx, cmd)
	}
}

// TestExempt: for those who are not limited Redis is not asked.
func TestExempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newRedis()
		gates, count := gatesOn(t, m, 2)
		result := gatetest.Simulation{Calls: 200, Unlimited: true}.Run(t.Context(), gates[0])
		require.Zero(t, result.Failed)
		time.Sleep(time.Second)
		before := count.n.Load()
		result = gatetest.Simulation{Calls: 200, Unlimited: true}.Run(t.Context(), gates[0])
		require.Zero(t, result.Failed)
		assert.Equal(t, before, count.n.Load())
		result = gatetest.Simulation{Calls: 200, Unlimited: true}.Run(t.Context(), gates[1])
		assert.LessOrEqual(t, count.n.Load()-before, int64(8), "another process hears of it with its first calls")
		assert.LessOrEqual(t, result.Took, 2*50*time.Millisecond)
	})
}

func TestHashedCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newRedis()
		gates, _ := gatesOn(t, m, 1)
		where := gate.Route{Server: "chat.example.org", Op: "users.info", Caller: "ann@example.org"}
		pass, err := gates[0].Enter(t.Context(), gate.Entry{Route: where})
		require.NoError(t, err)
		gates[0].Leave(t.Context(), where, pass, gate.Sighting{Kind: gate.Counted, Limit: 10, Remaining: 9, Window: 1, Reset: time.Minute})
		time.Sleep(time.Second)
		dump := m.Dump()
		assert.NotEmpty(t, m.Keys())
		assert.NotContains(t, dump, "ann")
		assert.NotContains(t, dump, "example.org")
		known, err := gates[0].(*owner).Limit(t.Context(), where) //nolint:forcetypeassert // of gatesOn
		require.NoError(t, err)
		assert.Equal(t, 9, known.Remaining)
		assert.Equal(t, 10, known.Limit)
	})
}

// TestManyCallers: a budget that hundreds use does not grow with their number.
func TestManyCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newRedis()
		gates, _ := gatesOn(t, m, 1)
		for i := range 600 {
			where := gate.Route{Op: "users.info", Caller: fmt.Sprint("caller ", i)}
			gates[0].Leave(t.Context(), where, gate.Pass{}, gate.Sighting{Kind: gate.Counted, Limit: 9999, Remaining: 9, Window: 1, Reset: time.Minute})
			time.Sleep(20 * time.Millisecond)
		}
		for _, key := range m.Keys() {
			text, _ := m.Get(key)
			assert.Less(t, len(text), 40<<10, key)
		}
	})
}

// heap is the memory in use.
func heap() float64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// It measures memory, which others who run at the same time would use, too.
func TestGivesMemoryBack(t *testing.T) { //nolint:paralleltest // see above
	for name, route := range map[string]func(int) gate.Route{
		"routes":  func(i int) gate.Route { return gate.Route{Op: fmt.Sprint("op ", i)} },
		"callers": func(i int) gate.Route { return gate.Route{Op: "busy", Caller: fmt.Sprint("caller ", i)} },
	} {
		synctest.Test(t, func(t *testing.T) {
			gates, _ := gatesOn(t, newRedis(), 1)
			before := heap()
			for i := range 20_000 {
				gates[0].Leave(t.Context(), route(i), gate.Pass{}, gate.Sighting{Kind: gate.Nothing})
			}
			used := heap() - before
			for range 8 {
				time.Sleep(20 * time.Minute)
				gates[0].Leave(t.Context(), gate.Route{Op: "busy"}, gate.Pass{}, gate.Sighting{Kind: gate.Nothing})
			}
			assert.Less(t, heap()-before, used/20, name)
			runtime.KeepAlive(gates)
		})
	}
}
