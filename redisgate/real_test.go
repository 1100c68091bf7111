package redisgate_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/gate"
	"github.com/rocketchat-go/rocketchat/redisgate"
	"github.com/rocketchat-go/rocketchat/redisgate/internal/fleet"
)

func TestMain(m *testing.M) {
	fleet.Worker() // does not return in the processes that tests start
	os.Exit(m.Run())
}

// realRedis starts a redis-server, or skips the test.
func realRedis(t *testing.T, args ...string) *fleet.Redis {
	t.Helper()
	r, err := fleet.StartRedis(t.TempDir(), args...)
	skipWithout(t, err)
	require.NoError(t, err)
	t.Cleanup(r.Kill)
	return r
}

// skipWithout skips a test if there is no redis-server, except where there has to be, and
// with -short.
func skipWithout(t *testing.T, err error) {
	t.Helper()
	if testing.Short() {
		t.Skip("tests with real processes take a minute")
	}
	if errors.Is(err, fleet.ErrNoRedis) && os.Getenv("REDIS_REQUIRED") == "" {
		t.Skip(err)
	}
}

func run(t *testing.T, c *fleet.Case) *fleet.Result {
	t.Helper()
	result, err := c.Run(t.Context())
	require.NoError(t, err)
	t.Log(result)
	assert.Zero(t, result.Failed, result.Errors)
	return result
}

// The tests below measure time, one after the other.

func TestProcesses(t *testing.T) { //nolint:paralleltest // see above
	r := realRedis(t)
	for _, n := range []int{1, 4, 16} {
		result := run(t, &fleet.Case{Processes: n, Calls: 48 / n, Window: 600 * time.Millisecond, Redis: []string{r.Addr}, Scope: t.Name()})
		assert.Zero(t, result.Refused)
		assert.Less(t, result.Over(), .1)
	}
}

func TestKilledProcesses(t *testing.T) { //nolint:paralleltest // see above
	r := realRedis(t)
	took, err := fleet.ProbeAfterKill(t.Context(), r.Addr, "probe")
	require.NoError(t, err)
	assert.Less(t, took, 1500*time.Millisecond)
	took, err = fleet.PassesAfterKill(t.Context(), r.Addr, "passes")
	require.NoError(t, err)
	assert.Less(t, took, fleet.Hold+500*time.Millisecond)

	result := run(t, &fleet.Case{
		Processes: 4, Calls: 20, Window: 600 * time.Millisecond, Redis: []string{r.Addr}, Scope: t.Name(),
		During: func(_ time.Time, all []*fleet.Process) {
			time.Sleep(time.Second)
			all[0].Kill()
			all[2].Kill()
		},
	})
	assert.Zero(t, result.Refused)
}

func TestKilledRedis(t *testing.T) { //nolint:paralleltest // see above
	r := realRedis(t)
	var back time.Time
	result := run(t, &fleet.Case{
		Processes: 4, Calls: 40, Window: 600 * time.Millisecond, Redis: []string{r.Addr}, Scope: t.Name(),
		During: func(time.Time, []*fleet.Process) {
			time.Sleep(2 * time.Second)
			r.Kill()
			time.Sleep(2 * time.Second)
			assert.NoError(t, r.Start())
			back = time.Now()
		},
	})
	assert.Less(t, result.Gap, 600*time.Millisecond+1500*time.Millisecond)
	assert.Less(t, result.LastNo.Sub(back), 1500*time.Millisecond, "the budget is shared again")
}

func TestWrongClocks(t *testing.T) { //nolint:paralleltest // see above
	r := realRedis(t)
	result := run(t, &fleet.Case{
		Processes: 4, Calls: 12, Window: 2 * time.Second, Redis: []string{r.Addr}, Scope: t.Name(), Skew: time.Hour,
	})
	assert.Zero(t, result.Refused)
	assert.Less(t, result.Over(), .1)
}

func TestCluster(t *testing.T) { //nolint:paralleltest // see above
	nodes, err := fleet.StartCluster(t.Context(), t.TempDir())
	skipWithout(t, err)
	require.NoError(t, err)
	t.Cleanup(nodes.Kill)
	result := run(t, &fleet.Case{Processes: 4, Calls: 12, Window: 600 * time.Millisecond, Redis: nodes.Addrs(), Scope: t.Name()})
	assert.Zero(t, result.Refused)
}

func TestSlowProxy(t *testing.T) { //nolint:paralleltest // see above
	r := realRedis(t)
	proxy, err := fleet.StartProxy(r.Addr, 200*time.Millisecond)
	require.NoError(t, err)
	t.Cleanup(proxy.Stop)
	result := run(t, &fleet.Case{Processes: 2, Calls: 12, Window: 5 * time.Second, Redis: []string{proxy.Addr}, Scope: t.Name()})
	assert.Zero(t, result.Refused)
}

// TestRights: the rights that docs/many-machines.md names are enough, and without them
// the gate falls back.
func TestRights(t *testing.T) { //nolint:paralleltest // see above
	r := realRedis(t)
	rdb := redis.NewClient(&redis.Options{Addr: r.Addr})
	t.Cleanup(func() { assert.NoError(t, rdb.Close()) })
	rights := []any{
		"ACL", "SETUSER", "gate", "on", ">gate", "resetkeys", "~rocketchat:gate:*", "resetchannels", "&rocketchat:gate:*",
		"-@all", "+evalsha", "+eval", "+script|load", "+time", "+get", "+set", "+hgetall", "+hset", "+hdel",
		"+zadd", "+zrem", "+zrange", "+zrangebyscore", "+pexpire", "+publish", "+subscribe", "+ping", "+hello",
	}
	require.NoError(t, rdb.Do(t.Context(), rights...).Err())
	where := gate.Route{Op: "users.info"}
	for name, usable := range map[string]bool{"gate": true, "stranger": false} {
		own := redis.NewClient(&redis.Options{Addr: r.Addr, Username: name, Password: name})
		logged := &records{}
		g := redisgate.New(own, "rights", logged.option())
		err := g.Warm(t.Context())
		assert.Equal(t, usable, err == nil, "%v", err)
		pass, err := g.Enter(t.Context(), gate.Entry{Route: where})
		require.NoError(t, err)
		g.Leave(t.Context(), where, pass, gate.Sighting{Kind: gate.Unsent})
		assert.NoError(t, g.Close(t.Context()))
		assert.NoError(t, own.Close())
		assert.Equal(t, !usable, strings.Contains(logged.String(), "away"), logged.String())
	}
}

// TestFullRedis: a Redis that can be read but not written to is away for as long as that
// lasts, and not away and back again every moment.
func TestFullRedis(t *testing.T) { //nolint:paralleltest // see above
	r := realRedis(t)
	rdb := redis.NewClient(&redis.Options{Addr: r.Addr})
	t.Cleanup(func() { assert.NoError(t, rdb.Close()) })
	logged := &records{}
	g := redisgate.New(rdb, "full", logged.option())
	t.Cleanup(func() { assert.NoError(t, g.Close(context.WithoutCancel(t.Context()))) })
	require.NoError(t, rdb.ConfigSet(t.Context(), "maxmemory", "1").Err())
	assert.ErrorContains(t, g.Warm(t.Context()), "OOM")
	where := gate.Route{Op: "users.info"}
	for range 10 {
		pass, err := g.Enter(t.Context(), gate.Entry{Route: where})
		require.NoError(t, err)
		g.Leave(t.Context(), where, pass, gate.Sighting{Kind: gate.Nothing})
		time.Sleep(100 * time.Millisecond)
	}
	assert.Equal(t, 1, strings.Count(logged.String(), "Redis is away"))
	assert.NotContains(t, logged.String(), "Redis is back")
	require.NoError(t, rdb.ConfigSet(t.Context(), "maxmemory", "0").Err())
	assert.Eventually(t, func() bool { return strings.Contains(logged.String(), "Redis is back") }, 5*time.Second, 10*time.Millisecond)
	require.NoError(t, g.Warm(t.Context()))
}
