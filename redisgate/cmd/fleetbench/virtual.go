package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/rocketchat-go/rocketchat/gate"
	"github.com/rocketchat-go/rocketchat/gate/gatetest"
	"github.com/rocketchat-go/rocketchat/redisgate"
)

const gates, callsEach = 16, 10

// variable tells a process to do nothing but the run in virtual time, which package
// testing gives to tests alone.
const variable = "ROCKETCHAT_FLEETBENCH_VIRTUAL"

// figures are what that process says.
type figures struct {
	Memory, Shared string
	Good           bool
}

// virtual runs a simulation in virtual time.
func virtual(ctx context.Context, _ *bench) (memory, shared string, good bool, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", "", false, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), variable+"=1")
	output, err := cmd.Output()
	if err != nil {
		return "", "", false, fmt.Errorf("%w: %s", err, output)
	}
	var f figures
	err = json.NewDecoder(bytes.NewReader(output)).Decode(&f)
	return f.Memory, f.Shared, f.Good, err
}

// inVirtualTime is the whole of such a process, and ends it.
func inVirtualTime() {
	if os.Getenv(variable) == "" {
		return
	}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "virtual time",
		F: func(t *testing.T) {
			var f figures
			synctest.Test(t, func(t *testing.T) {
				var own []gate.Gate
				for range gates {
					own = append(own, gate.NewMemory())
				}
				f.Memory = gatetest.Simulation{Calls: gates * callsEach}.Run(t.Context(), own...).String()
			})
			synctest.Test(t, func(t *testing.T) {
				result, keys := inOneRedis(t)
				f.Shared = fmt.Sprintf("%s, %d keys left", result, keys)
				f.Good = result.Refused+result.Failed+keys == 0 && result.Over() <= .005
			})
			if err := json.NewEncoder(os.Stdout).Encode(f); err != nil {
				t.Error(err)
			}
		},
	}}, nil, nil)
}

// inOneRedis is the run with gates on one Redis, and how many keys are left of it.
func inOneRedis(t *testing.T) (gatetest.Result, int) {
	t.Helper()
	m := miniredis.NewMiniRedis()
	m.ClockTTL(true)
	var all []gate.Gate
	for range gates {
		rdb := redis.NewClient(&redis.Options{
			Addr:   "127.0.0.1:6379", // not used, but looked up
			Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() },
		})
		g := redisgate.New(rdb, "virtual")
		t.Cleanup(func() {
			_ = g.Close(context.WithoutCancel(t.Context()))
			_ = rdb.Close()
		})
		all = append(all, g)
	}
	result := gatetest.Simulation{Calls: gates * callsEach}.Run(t.Context(), all...)
	time.Sleep(10 * time.Minute)
	return result, len(m.Keys())
}

// exempt measures a call of an account that is not limited.
func exempt(ctx context.Context, b *bench) (memory, shared string, good bool, err error) {
	rdb := redis.NewClient(&redis.Options{Addr: b.redis.Addr})
	defer func() { _ = rdb.Close() }()
	g := redisgate.New(rdb, "exempt")
	defer func() { _ = g.Close(ctx) }()
	own, err := measure(ctx, gate.NewMemory())
	if err != nil {
		return "", "", false, err
	}
	one, err := measure(ctx, g)
	if err != nil {
		return "", "", false, err
	}
	show := func(r testing.BenchmarkResult) string {
		return fmt.Sprintf("%d ns, %d allocations", r.NsPerOp(), r.AllocsPerOp())
	}
	return show(own), show(one), one.AllocsPerOp() == 0 && one.NsPerOp()-own.NsPerOp() <= 1000, nil
}

func measure(ctx context.Context, g gate.Gate) (result testing.BenchmarkResult, err error) {
	route := gate.Route{Server: "chat.example.org", Method: "GET", Op: "users.info", Caller: "bot"}
	call := func() {
		pass, failed := g.Enter(ctx, gate.Entry{Route: route})
		if failed != nil {
			err = failed
		}
		g.Leave(ctx, route, pass, gate.Sighting{Kind: gate.Free})
	}
	for range 200 { // until it is known
		call()
	}
	time.Sleep(50 * time.Millisecond)
	return testing.Benchmark(func(b *testing.B) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			call()
		}
	}), err
}
