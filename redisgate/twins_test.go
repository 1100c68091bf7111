package redisgate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/gate"
)

// twins are a gate in memory and a gate on Redis that are asked and told the same.
type twins struct {
	*rand.Rand

	gates    [2]gate.Gate
	patient  bool // calls wait until they may go; else they give up at once
	hold     time.Duration
	waiting  []*twinCall
	underWay []*twinCall

	// The server, whose answers are not always to be believed.
	limit, used int
	reset       time.Time
}

// twinCall is a call that is made through both gates.
type twinCall struct {
	route gate.Route
	stop  context.CancelFunc

	// By gate.
	over [2]chan struct{} // closed when it has entered
	sent [2]time.Time
	pass [2]gate.Pass
	err  [2]error
}

// done reports whether a gate has let the call through, or sent it away.
func (c *twinCall) done(by int) bool {
	select {
	case <-c.over[by]:
		return true
	default:
		return false
	}
}

func (c *twinCall) String() string {
	return fmt.Sprintf("%s: in memory %v, on Redis %v", c.route.Caller, c.done(0), c.done(1))
}

// TestTwins: step.lua repeats the rules of gate.Memory in another language. Whatever the
// answers say, both gates must let the same calls through. TWINS=1000 tries as many
// seeds; TWIN=7 shows what happens with a single one.
func TestTwins(t *testing.T) {
	t.Parallel()
	first, seeds, verbose := 0, 40, false
	if n, err := strconv.Atoi(os.Getenv("TWINS")); err == nil {
		seeds = n
	}
	if n, err := strconv.Atoi(os.Getenv("TWIN")); err == nil {
		first, seeds, verbose = n, 1, true
	}
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				gates, _ := gatesOn(t, newRedis(), 1)
				tw := &twins{
					Rand:  rand.New(rand.NewPCG(uint64(seed), 1)),
					gates: [2]gate.Gate{gate.NewMemory(), gates[0]}, limit: 10, hold: time.Hour, patient: seed%2 == 1,
				}
				if !tw.patient { // else calls might go just because the timer of some pass ran out
					tw.hold = pick(tw.Rand, 30*time.Second, time.Minute, 5*time.Minute)
				}
				// The gate in memory sweeps after a quarter of an hour, which voids old passes.
				for start := time.Now(); time.Since(start) < 13*time.Minute; time.Sleep(tw.pause()) {
					said := tw.leave(t)
					tw.enter(t)
					if verbose {
						t.Log(time.Since(start), said, tw.waiting)
					}
					tw.compare(t)
				}
				for _, c := range tw.waiting {
					c.stop()
				}
			})
		})
	}
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// pause is a multiple of 256 ms: so are all times that the gates measure, and none is
// rounded by one of them only.
func (tw *twins) pause() time.Duration {
	return time.Duration(256*pick(tw.Rand, 0, 1, 1, 4, 8, 32, 80, 240)) * time.Millisecond
}

// enter makes up to three calls at once.
func (tw *twins) enter(t *testing.T) {
	t.Helper()
	for range 1 + tw.IntN(3) {
		ctx, cancel := context.WithCancel(t.Context())
		c := &twinCall{stop: cancel, route: gate.Route{Op: "users.info", Caller: pick(tw.Rand, "ann", "ann", "bob")}}
		tw.waiting = append(tw.waiting, c)
		for i, g := range tw.gates {
			c.over[i] = make(chan struct{})
			go func() {
				defer close(c.over[i])
				c.pass[i], c.err[i] = g.Enter(ctx, gate.Entry{Route: c.route, Hold: tw.hold})
				c.sent[i] = time.Now()
			}()
			synctest.Wait()
		}
	}
}

// compare fails unless both gates let the same calls through. The others go on waiting,
// or give up.
func (tw *twins) compare(t *testing.T) {
	t.Helper()
	all := tw.waiting
	tw.waiting = nil
	for i, c := range all {
		require.Equal(t, c.done(0), c.done(1), "call %d: %v", i, c)
		switch {
		case c.done(0):
			require.NoError(t, c.err[0])
			require.NoError(t, c.err[1])
			require.Equal(t, c.pass[0].Number == 0, c.pass[1].Number == 0, "call %d is counted: %v", i, c)
			c.stop()
			tw.underWay = append(tw.underWay, c)
		case tw.patient && tw.IntN(8) > 0:
			tw.waiting = append(tw.waiting, c)
		default:
			c.stop()
		}
	}
	synctest.Wait()
}

// leave ends some calls, and returns what their answers said. Calls whose passes are
// void never end.
func (tw *twins) leave(t *testing.T) (said []gate.Sighting) {
	t.Helper()
	void := func(c *twinCall) bool { return time.Since(c.sent[0]) >= tw.hold }
	if slices.ContainsFunc(tw.underWay, void) {
		tw.underWay = slices.DeleteFunc(tw.underWay, void)
		return nil
	}
	for range min(tw.IntN(4), len(tw.underWay)) {
		at := tw.IntN(len(tw.underWay))
		c := tw.underWay[at]
		tw.underWay = slices.Delete(tw.underWay, at, at+1)
		seen := tw.sighting()
		said = append(said, seen)
		for i, g := range tw.gates {
			g.Leave(t.Context(), c.route, c.pass[i], seen)
			synctest.Wait()
		}
	}
	return said
}

// sighting is what the server, somebody else at its address, a proxy or a broken header
// make of an answer.
func (tw *twins) sighting() gate.Sighting {
	now := time.Now()
	if !now.Before(tw.reset) {
		tw.reset, tw.used = now.Add(pick(tw.Rand, 59_700*time.Millisecond, 59_700*time.Millisecond, 9_700*time.Millisecond)), 0
		if tw.IntN(10) == 0 {
			tw.limit = pick(tw.Rand, 1, 2, 5, 10, 20)
		}
	}
	tw.used++
	if tw.IntN(3) == 0 {
		tw.used += tw.IntN(3)
	}
	seen := gate.Sighting{
		Kind: gate.Counted, Limit: tw.limit, Remaining: max(tw.limit-tw.used, 0), Window: tw.reset.UnixMilli(), Reset: tw.reset.Sub(now),
	}
	if tw.used > tw.limit {
		seen.Kind = gate.Refused
	}
	switch tw.IntN(20) {
	case 0:
		return gate.Sighting{Kind: gate.Unsent}
	case 1:
		return gate.Sighting{Kind: gate.Lost}
	case 2, 3:
		return gate.Sighting{Kind: gate.Nothing}
	case 4, 5:
		return gate.Sighting{Kind: gate.Free}
	case 6:
		return gate.Sighting{Kind: gate.Refused, Reset: time.Duration(pick(tw.Rand, 0, 1, 2, 30, 100)) * time.Second}
	case 7:
		seen.Limit = 0
	case 8:
		seen.Window, seen.Reset = 0, 0
	case 9:
		seen.Reset = 0
	case 10:
		seen.Remaining = seen.Limit
	case 11: // of another reading, or of another instance
		off := time.Duration(pick(tw.Rand, -5, 5, 300, 4000)) * time.Millisecond
		seen.Window += off.Milliseconds()
		seen.Reset = max(seen.Reset+off, 0)
	case 12:
		seen.Remaining = tw.IntN(tw.limit + 1)
	case 13:
		seen.Kind = gate.Refused
	}
	return seen
}
