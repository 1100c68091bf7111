package redisgate_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/gate"
	"github.com/rocketchat-go/rocketchat/gate/gatetest"
	"github.com/rocketchat-go/rocketchat/redisgate"
)

// faults are what happens to the scripts of a client.
type faults struct {
	mu   sync.Mutex
	fail error         // instead of an answer
	hang bool          // no answer
	slow time.Duration // a round trip
}

func (f *faults) set(fail error, hang bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail, f.hang = fail, hang
}

func (f *faults) DialHook(next redis.DialHook) redis.DialHook { return next }

func (f *faults) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (f *faults) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "evalsha" {
			return next(ctx, cmd)
		}
		f.mu.Lock()
		fail, hang, slow := f.fail, f.hang, f.slow
		f.mu.Unlock()
		if fail != nil {
			cmd.SetErr(fail)
			return fail
		}
		time.Sleep(slow / 2)
		err := next(ctx, cmd)
		time.Sleep(slow - slow/2)
		if hang { // the script has run; its answer comes too late
			time.Sleep(10 * time.Second)
		}
		return err
	}
}

// records keeps what a gate logs.
type records struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *records) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *records) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *records) option() redisgate.Option {
	return redisgate.WithLogger(slog.New(slog.NewTextHandler(l, nil)))
}

// TestRedisAway: while Redis is away nobody fails, and afterwards the budget is shared
// again.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	for name, hang := range map[string]bool{"connections are refused": false, "answers come too late": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newRedis()
				logged := &records{}
				gates, _ := gatesOn(t, m, 4, logged.option())
				f := &faults{}
				for _, g := range gates {
					g.(*owner).rdb.AddHook(f) //nolint:forcetypeassert // of gatesOn
				}
				result := gatetest.Simulation{Calls: 40}.Run(t.Context(), gates...)
				require.Zero(t, result.Refused+result.Failed, result)
				time.Sleep(2 * time.Minute)

				errRefused := error(nil)
				if !hang {
					errRefused = errors.New("connection refused")
				}
				f.set(errRefused, hang)
				start := time.Now()
				result = gatetest.Simulation{Calls: 8}.Run(t.Context(), gates...)
				assert.Zero(t, result.Failed)
				assert.Zero(t, result.Refused, "2 calls each are not too many")
				assert.Less(t, time.Since(start), 1500*time.Millisecond, "a pause of a second, at most")
				assert.Contains(t, logged.String(), "Redis is away")

				f.set(nil, false)
				time.Sleep(15 * time.Second)
				assert.Contains(t, logged.String(), "Redis is back")
				time.Sleep(2 * time.Minute)
				result = gatetest.Simulation{Calls: 80}.Run(t.Context(), gates...)
				assert.Zero(t, result.Refused+result.Failed, result)
				assert.Less(t, result.Over(), .01, "no pass was lost")
			})
		})
	}
}

// TestQueueMovesBack: who waits in the process's own queue returns to the common one
// with Redis.
func TestQueueMovesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newRedis()
		gates, _ := gatesOn(t, m, 4)
		f := &faults{}
		for _, g := range gates {
			g.(*owner).rdb.AddHook(f) //nolint:forcetypeassert // of gatesOn
		}
		time.AfterFunc(90*time.Second, func() { f.set(errors.New("connection refused"), false) })
		time.AfterFunc(93*time.Second, func() { f.set(nil, false) })
		result := gatetest.Simulation{Calls: 120}.Run(t.Context(), gates...)
		assert.Zero(t, result.Refused+result.Failed, "nothing was sent in these three seconds")
		assert.Less(t, result.Over(), .01, result)
	})
}

func TestWithoutFallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newRedis()
		f := &faults{}
		f.set(errors.New("connection refused"), false)
		g := join(m, redisgate.WithoutFallback())
		g.rdb.AddHook(f)
		where := gate.Route{Op: "users.info"}
		_, err := g.Enter(t.Context(), gate.Entry{Route: where})
		require.ErrorIs(t, err, gate.ErrUnavailable)
		assert.ErrorContains(t, err, "connection refused")
		assert.Error(t, g.Warm(t.Context()))

		f.set(nil, false)
		time.Sleep(time.Second)
		pass, err := g.Enter(t.Context(), gate.Entry{Route: where})
		require.NoError(t, err)
		g.Leave(t.Context(), where, pass, gate.Sighting{Kind: gate.Nothing})

		require.NoError(t, g.Close(t.Context()))
		_, err = g.Enter(t.Context(), gate.Entry{Route: where})
		require.ErrorIs(t, err, gate.ErrUnavailable)
		assert.ErrorContains(t, err, "closed")
		_, err = g.Limit(t.Context(), where)
		assert.Error(t, err)
		assert.NoError(t, g.Close(t.Context()), "again")
	})
}

func TestBadScope(t *testing.T) {
	t.Parallel()
	for _, scope := range []string{"", "{office}"} {
		logged := &records{}
		g := redisgate.New(redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}), scope, logged.option())
		assert.ErrorContains(t, g.Warm(t.Context()), "scope")
		assert.Contains(t, logged.String(), "scope")
		_, err := g.Enter(t.Context(), gate.Entry{})
		assert.NoError(t, err, "it falls back")
		assert.NoError(t, g.Close(t.Context()))
	}
}

func TestSlowRedis(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]struct {
		gatetest.Simulation

		over    float64
		refused int
		warning string
	}{
		"windows of a minute":                     {gatetest.Simulation{Calls: 40}, .05, 0, ""},
		"windows are shorter than the round trip": {gatetest.Simulation{Calls: 40, Window: 600 * time.Millisecond}, 4, 40, "shorter than the round trip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newRedis()
				logged := &records{}
				gates, _ := gatesOn(t, m, 2, logged.option())
				for _, g := range gates {
					g.(*owner).rdb.AddHook(&faults{slow: 500 * time.Millisecond}) //nolint:forcetypeassert // of gatesOn
				}
				result := s.Run(t.Context(), gates...)
				t.Log(result)
				assert.Zero(t, result.Failed)
				assert.LessOrEqual(t, result.Refused, s.refused)
				assert.LessOrEqual(t, result.Over(), s.over)
				if s.warning != "" {
					assert.Contains(t, logged.String(), s.warning)
				} else {
					assert.Empty(t, logged.String())
				}
			})
		})
	}
}

// TestCloseGivesBack: what a process holds is free for others as soon as it closes.
func TestCloseGivesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newRedis()
		start := time.Now()
		for range 8 { // processes of one call
			g := join(m)
			result := gatetest.Simulation{Calls: 1, Unlimited: true}.Run(t.Context(), g)
			require.Zero(t, result.Failed)
			require.NoError(t, g.Close(t.Context()))
		}
		assert.Less(t, time.Since(start), 8*60*time.Millisecond)
	})
}

// TestUserWithoutChannels: without messages of the others turns take longer, and that is
// all.
func TestUserWithoutChannels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newRedis()
		logged := &records{}
		gates, count := gatesOn(t, m, 4, logged.option())
		conn, err := m.Dial() // which starts the server
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		m.Server().SetPreHook(func(c *server.Peer, cmd string, _ ...string) bool {
			if cmd != "SUBSCRIBE" && cmd != "PUBLISH" {
				return false
			}
			c.WriteError("NOPERM No permissions to access a channel")
			return true
		})
		const calls = 36 // of 40 that four windows take: a turn that comes too late costs a call of its window
		result := gatetest.Simulation{Calls: calls}.Run(t.Context(), gates...)
		commands := float64(count.n.Load()) / calls
		t.Log(result, commands)
		assert.Zero(t, result.Refused+result.Failed)
		assert.Less(t, result.Over(), .1)
		assert.Less(t, commands, 8.)
		assert.Contains(t, logged.String(), "turns take longer")
		assert.Error(t, gates[0].(*owner).Warm(t.Context())) //nolint:forcetypeassert // of gatesOn
	})
}
