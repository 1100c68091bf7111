package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rocketchat-go/rocketchat/redisgate/internal/fleet"
)

func rows() []row {
	all := []row{
		{"16 gates × 10 calls, virtual time", "0 refused, ≤ 0.5 % over, no key after 10 min", false, virtual},
		{"a call of an exempt account", "0 commands, 0 allocations, ≤ 1 µs more", false, exempt},
	}
	for _, f := range []struct {
		n, calls int
		window   time.Duration
		over     float64
		commands float64
	}{
		{1, 160, 600 * time.Millisecond, .05, 1},
		{4, 80, 600 * time.Millisecond, .05, 3},
		{16, 20, 600 * time.Millisecond, .05, 4},
		{1, 96, 5 * time.Second, .01, 1},
		{4, 80, 5 * time.Second, .01, 3},
		{16, 20, 5 * time.Second, .01, 4},
	} {
		goal := fmt.Sprintf("0 refused, 0 failed, ≤ %.0f %% over, ≤ %.0f commands", 100*f.over, f.commands)
		if f.n > 1 {
			goal += ", Jain ≥ 0.95"
		}
		name := fmt.Sprintf("%d × %d calls, windows of %s", f.n, f.calls, f.window)
		c := fleet.Case{Processes: f.n, Calls: f.calls, Window: f.window}
		all = append(all, row{name, goal, f.window > time.Second, both(c, func(r *fleet.Result) bool {
			return r.Refused+r.Failed == 0 && r.Over() <= f.over && round(r.Commands) <= f.commands && r.Jain >= .95
		})})
	}
	short := fleet.Case{Processes: 4, Calls: 80, Window: 600 * time.Millisecond}
	crowd := short
	crowd.Neighbour = 2
	clocks := fleet.Case{Processes: 4, Calls: 30, Window: 5 * time.Second, Skew: time.Hour}
	return append(all, []row{
		{"kill -9 of the holder of the probe", "the next after ≤ 1.2 s", false, killed(fleet.ProbeAfterKill, 1200*time.Millisecond)},
		{"kill -9 of holders of passes", "void after ≤ hold + 0.1 s (2.1 s)", false, killed(fleet.PassesAfterKill, fleet.Hold+100*time.Millisecond)},
		{"kill -9 of 2 of 4 processes", "0 refused, 0 failed", false, both(killing(short), calm)},
		{"Redis killed, back after 3 s", "0 failed, a pause ≤ 1.2 s, no refusal 1.5 s later", false, away("killed")},
		{"Redis stopped for 3 s", "0 failed, a pause ≤ 1.2 s, no refusal 1.5 s later", false, away("stopped")},
		{"a neighbour outside the gate", "≤ 1 refusal a window", false, both(crowd, func(r *fleet.Result) bool {
			return r.Failed == 0 && r.Crowded <= 1
		})},
		{"clocks of processes ± 60 min, windows of 5 s", "0 refused, ≤ 1 % over", true, both(clocks, func(r *fleet.Result) bool {
			return calm(r) && r.Over() <= .01
		})},
		{"Redis takes 500 ms, windows of 60 s", "≤ 5 % over, 0 refused", true, slow},
		{"FLUSHALL and SCRIPT FLUSH in between", "0 failed, no hang", false, flushed},
		{"a Redis user without channels", "0 failed, no hang", false, withoutChannels},
		{"a cluster of three", "0 refused, 0 failed, ≤ 5 % over", false, cluster},
	}...)
}

// round leaves the digit that the table shows.
func round(x float64) float64 { return float64(int(10*x+.5)) / 10 }

func calm(r *fleet.Result) bool { return r.Refused+r.Failed == 0 }

// both runs a case with a gate for each process and then with one on Redis.
func both(c fleet.Case, good func(*fleet.Result) bool) func(context.Context, *bench) (string, string, bool, error) {
	return func(ctx context.Context, b *bench) (string, string, bool, error) {
		own, err := c.Run(ctx)
		if err != nil {
			return "", "", false, err
		}
		return b.shared(ctx, c, own, good)
	}
}

// shared runs a case with a gate on Redis.
func (b *bench) shared(ctx context.Context, c fleet.Case, own *fleet.Result, good func(*fleet.Result) bool) (string, string, bool, error) {
	if c.Redis == nil {
		c.Redis = []string{b.redis.Addr}
	}
	c.Scope = fmt.Sprint("fleet-", time.Now().UnixNano())
	result, err := c.Run(ctx)
	if err != nil {
		return "", "", false, err
	}
	memory := "-"
	if own != nil {
		memory = own.String()
	}
	return memory, result.String(), good(result), nil
}

// killing kills half of the processes after a while.
func killing(c fleet.Case) fleet.Case {
	c.During = func(began time.Time, all []*fleet.Process) {
		time.Sleep(time.Until(began.Add(3 * time.Second)))
		for _, p := range all[:len(all)/2] {
			p.Kill()
		}
	}
	return c
}

func killed(measure func(context.Context, string, string) (time.Duration, error), goal time.Duration) func(context.Context, *bench) (string, string, bool, error) {
	return func(ctx context.Context, b *bench) (string, string, bool, error) {
		took, err := measure(ctx, b.redis.Addr, fmt.Sprint("killed-", time.Now().UnixNano()))
		return "-", took.Round(10 * time.Millisecond).String(), took <= goal, err
	}
}

// away takes Redis away for three seconds, and judges what the processes do meanwhile
// and afterwards.
func away(how string) func(context.Context, *bench) (string, string, bool, error) {
	return func(ctx context.Context, b *bench) (string, string, bool, error) {
		r, err := fleet.StartRedis(b.dir)
		if err != nil {
			return "", "", false, err
		}
		defer r.Kill()
		var back time.Time
		c := fleet.Case{Processes: 4, Calls: 80, Window: 600 * time.Millisecond, Redis: []string{r.Addr}}
		c.During = func(began time.Time, _ []*fleet.Process) {
			time.Sleep(time.Until(began.Add(4 * time.Second)))
			if how == "killed" {
				r.Kill()
			} else {
				r.Signal(syscall.SIGSTOP)
			}
			time.Sleep(3 * time.Second)
			if how == "killed" {
				err = r.Start()
			} else {
				r.Signal(syscall.SIGCONT)
			}
			back = time.Now()
		}
		var text string
		_, _, good, failed := b.shared(ctx, c, nil, func(result *fleet.Result) bool {
			pause := max(result.Gap-c.Window, 0)
			late := time.Duration(0)
			if result.LastNo.After(back) {
				late = result.LastNo.Sub(back)
			}
			text = fmt.Sprintf("%d failed, a pause of %s, the last refusal %s after its return", result.Failed,
				pause.Round(10*time.Millisecond), late.Round(10*time.Millisecond))
			return result.Failed == 0 && pause <= 1200*time.Millisecond && late <= 1500*time.Millisecond
		})
		if failed != nil {
			err = failed
		}
		return "-", text, good, err
	}
}

func slow(ctx context.Context, b *bench) (string, string, bool, error) {
	proxy, err := fleet.StartProxy(b.redis.Addr, 500*time.Millisecond)
	if err != nil {
		return "", "", false, err
	}
	defer proxy.Stop()
	c := fleet.Case{Processes: 2, Calls: 20, Window: time.Minute, Redis: []string{proxy.Addr}}
	return b.shared(ctx, c, nil, func(r *fleet.Result) bool { return calm(r) && r.Over() <= .05 })
}

// flushed lets Redis forget everything now and then.
func flushed(ctx context.Context, b *bench) (string, string, bool, error) {
	r, err := fleet.StartRedis(b.dir)
	if err != nil {
		return "", "", false, err
	}
	defer r.Kill()
	rdb := redis.NewClient(&redis.Options{Addr: r.Addr})
	defer func() { _ = rdb.Close() }()
	c := fleet.Case{Processes: 4, Calls: 40, Window: 600 * time.Millisecond, Redis: []string{r.Addr}}
	c.During = func(time.Time, []*fleet.Process) {
		for i := range 5 {
			time.Sleep(1500 * time.Millisecond)
			if i%2 == 0 {
				err = rdb.FlushAll(ctx).Err()
			} else {
				err = rdb.ScriptFlush(ctx).Err()
			}
		}
	}
	memory, shared, good, failed := b.shared(ctx, c, nil, func(r *fleet.Result) bool { return r.Failed == 0 && r.Refused <= 5 })
	if failed != nil {
		err = failed
	}
	return memory, shared, good, err
}

// withoutChannels gives the processes no right to the channel.
func withoutChannels(ctx context.Context, b *bench) (string, string, bool, error) {
	rdb := redis.NewClient(&redis.Options{Addr: b.redis.Addr})
	defer func() { _ = rdb.Close() }()
	if err := rdb.Do(ctx, "ACL", "SETUSER", "mute", "on", ">mute", "~*", "+@all", "resetchannels").Err(); err != nil {
		return "", "", false, err
	}
	c := fleet.Case{Processes: 4, Calls: 24, Window: 5 * time.Second, User: "mute", Password: "mute"}
	return b.shared(ctx, c, nil, calm)
}

func cluster(ctx context.Context, b *bench) (string, string, bool, error) {
	nodes, err := fleet.StartCluster(ctx, b.dir)
	if err != nil {
		return "", "", false, err
	}
	defer nodes.Kill()
	c := fleet.Case{Processes: 16, Calls: 20, Window: 600 * time.Millisecond, Redis: nodes.Addrs()}
	return b.shared(ctx, c, nil, func(r *fleet.Result) bool { return calm(r) && r.Over() <= .05 })
}
