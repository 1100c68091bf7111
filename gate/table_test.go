package gate_test

import (
	"cmp"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rocketchat-go/rocketchat/gate"
	"github.com/rocketchat-go/rocketchat/gate/gatetest"
)

// row is a simulation, and the share of time above the least that is allowed.
type row struct {
	gatetest.Simulation

	name    string
	over    float64
	refused int // by the server, in the whole run
	crowded int // in one window of one instance
}

// TestTable shows how many refusals and how much time more than the least a burst of
// calls costs. With -v it prints the table.
func TestTable(t *testing.T) {
	t.Parallel()
	for _, r := range rows() {
		synctest.Test(t, func(t *testing.T) {
			result := r.Run(t.Context(), gate.NewMemory())
			t.Logf("%-58s %s", r.name, result)
			assert.Zero(t, result.Failed, r.name)
			assert.LessOrEqual(t, result.Refused, r.refused, r.name)
			assert.LessOrEqual(t, result.Crowded, r.crowded, r.name)
			assert.LessOrEqual(t, result.Over(), r.over, r.name)
		})
	}
}

// TestSteadyTable is the same for calls that are made over two hours, alone and in bunches. Held
// against them is how much later they were sent than by somebody who sees the server's windows,
// as a share of a window and on average.
func TestSteadyTable(t *testing.T) {
	t.Parallel()
	for _, r := range steadyRows() {
		for _, bunch := range []int{1, 8, 25} {
			const seeds = 5
			var late time.Duration
			refused := 0
			for seed := range uint64(seeds) {
				synctest.Test(t, func(t *testing.T) {
					s := r.Simulation
					s.Spread, s.Bunch, s.Seed, s.Callers, s.Uneven, s.Jitter = 2*time.Hour, bunch, seed, 1+int(seed%3)*2, true, 6
					s.Latency = cmp.Or(s.Latency, 15*time.Millisecond)
					result := s.Run(t.Context(), gate.NewMemory())
					assert.Zero(t, result.Failed, r.name)
					late += result.Late / seeds
					refused += result.Refused
				})
			}
			share := late.Minutes()
			t.Logf("%-45s bunches of %2d  %3d of %d refused, %.2f %% of a window late", r.name, bunch, refused, seeds*r.Calls, 100*share)
			assert.LessOrEqual(t, share, r.over, "%s, bunches of %d", r.name, bunch)
			assert.LessOrEqual(t, refused, r.refused, "%s, bunches of %d", r.name, bunch)
		}
	}
}

func steadyRows() (all []row) {
	add := func(late float64, refused int, s gatetest.Simulation, format string, args ...any) {
		all = append(all, row{Simulation: s, name: fmt.Sprintf(format, args...), over: late, refused: refused})
	}
	add(.008, 0, gatetest.Simulation{Calls: 1180}, "98 %% of the limit")
	add(.002, 0, gatetest.Simulation{Calls: 840}, "70 %% of the limit")
	add(.030, 0, gatetest.Simulation{Calls: 840, Latency: 300 * time.Millisecond}, "70 %% of the limit, 300 ms")
	add(.001, 0, gatetest.Simulation{Calls: 360}, "30 %% of the limit")
	add(.004, 0, gatetest.Simulation{Calls: 84, Limit: 1}, "70 %% of a limit of 1")
	add(.001, 0, gatetest.Simulation{Calls: 5040, Limit: 60}, "70 %% of a limit of 60")
	add(.007, 0, gatetest.Simulation{Calls: 5040, Limit: 60, Latency: 300 * time.Millisecond}, "70 %% of a limit of 60, 300 ms")
	add(.001, 0, gatetest.Simulation{Calls: 840, Unlimited: true}, "no limit")
	add(0, 0, gatetest.Simulation{Calls: 840, Instances: 2}, "2 instances, in turn")
	add(0, 0, gatetest.Simulation{Calls: 840, Instances: 3, Balance: gatetest.AtRandom}, "3 instances, at random")
	add(.002, 1, gatetest.Simulation{Calls: 840, Lost: .5}, "half without headers")
	add(.040, 170, gatetest.Simulation{Calls: 840, Lost: 1}, "all without headers")
	add(.040, 240, gatetest.Simulation{Calls: 840, Lost: 1, LostAs: gate.Free}, "all without headers, taken for free")
	add(.300, 30, gatetest.Simulation{Calls: 600, Neighbour: 3}, "50 %% of the limit, and a neighbour's 3 calls")
	return all
}

func rows() (all []row) {
	add := func(over float64, refused int, s gatetest.Simulation, format string, args ...any) {
		all = append(all, row{s, fmt.Sprintf(format, args...), over, refused, 1})
	}
	for _, n := range []int{1, 11, 40, 300, 1000, 10_000} {
		add(.002, 0, gatetest.Simulation{Calls: n}, "%d calls", n)
	}
	// In a burst that fits into one window the pauses between its calls show.
	add(4.01, 0, gatetest.Simulation{Calls: 10}, "10 calls, 200 ms more than the least")
	for _, limit := range []int{1, 5, 1000} {
		add(.002, 0, gatetest.Simulation{Calls: 5*limit + 1, Limit: limit}, "a limit of %d", limit)
		// A slow server is sent a second probe while its limit is not known.
		add(.12, 1, gatetest.Simulation{Calls: 5*limit + 1, Limit: limit, Latency: 3500 * time.Millisecond}, "a limit of %d, 3.5 s", limit)
		add(.20, 1, gatetest.Simulation{Calls: 5*limit + 1, Limit: limit, Latency: 11 * time.Second}, "a limit of %d, 11 s", limit)
	}
	for _, ms := range []int64{50, 200, 1000, 2000, 3500, 5000, 8000, 11_000} {
		latency := time.Duration(ms) * time.Millisecond
		share := .005 + 1.3*latency.Minutes()
		add(share, 0, gatetest.Simulation{Calls: 60, Latency: latency}, "%s", latency)
		add(share, 0, gatetest.Simulation{Calls: 60, Latency: latency, Uneven: true}, "%s, uneven", latency)
	}
	for _, n := range []int{2, 3, 10} {
		for balance, name := range []string{"in turn", "at random", "one after the other"} {
			s := gatetest.Simulation{Calls: 100, Instances: n, Balance: gatetest.Balance(balance)}
			add(-.2, 0, s, "%d instances, %s", n, name)
			s.Uneven, s.Latency = true, 3500*time.Millisecond
			add(-.15, 0, s, "%d instances, %s, 3.5 s", n, name)
		}
	}
	for seed := range uint64(4) {
		add(.25, 2, gatetest.Simulation{Calls: 60, Neighbour: 3, Seed: seed}, "a neighbour's 3 calls, seed %d", seed)
		add(.70, 6, gatetest.Simulation{Calls: 60, Neighbour: 5, Seed: seed}, "a neighbour's 5 calls, seed %d", seed)
		add(.70, 6, gatetest.Simulation{Calls: 60, Neighbour: 3, Latency: 3500 * time.Millisecond, Seed: seed}, "a neighbour's 3 calls, 3.5 s, seed %d", seed)
	}
	for _, lost := range []float64{.01, .1, .5, .9, 1} {
		for kind, name := range map[gate.Kind]string{gate.Nothing: "nothing", gate.Free: "free"} {
			s := gatetest.Simulation{Calls: 300, Lost: lost, LostAs: kind, MaxWait: 40 * time.Minute}
			add(.01, 4, s, "%.0f %% without headers, taken for %s", 100*lost, name)
			s.Latency, s.Uneven = 2*time.Second, true
			add(.12, 4, s, "%.0f %% without headers, taken for %s, 2 s", 100*lost, name)
			s.Latency, s.Uneven = 8*time.Second, false
			add(.35, 4, s, "%.0f %% without headers, taken for %s, 8 s", 100*lost, name)
		}
	}
	for _, share := range []float64{.01, .1, .5} {
		add(.15, 0, gatetest.Simulation{Calls: 60, Proxy: share}, "%.0f %% refused by a proxy", 100*share)
	}
	add(.01, 0, gatetest.Simulation{Calls: 100, Jitter: 6}, "resets that differ by 6 ms")
	add(.01, 0, gatetest.Simulation{Calls: 100, Jitter: 6, Lost: .5}, "resets that differ by 6 ms, 50 %% without headers")
	add(.01, 0, gatetest.Simulation{Calls: 40, Latency: time.Nanosecond}, "a server next door")
	add(.02, 0, gatetest.Simulation{Calls: 160, Window: 600 * time.Millisecond, Latency: 2 * time.Millisecond, Jitter: 6}, "windows of 600 ms")
	add(7.1, 0, gatetest.Simulation{Calls: 1000, Unlimited: true}, "1,000 calls without a limit, 350 ms more than the least")
	return all
}
