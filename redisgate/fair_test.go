package redisgate_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rocketchat-go/rocketchat/gate"
)

// TestTurns: processes get the same share of the budget, also when each has to wait for
// longer than others believe that it is there without hearing of it.
func TestTurns(t *testing.T) {
	t.Parallel()
	for _, window := range []time.Duration{5 * time.Second, time.Minute} {
		t.Run(window.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const processes, calls, limit = 16, 20, 10
				gates, _ := gatesOn(t, newRedis(), processes)
				where := gate.Route{Op: "users.info", Caller: "ann"}
				var (
					mu      sync.Mutex
					began   time.Time
					counted int
					order   []int // which process made the calls
				)
				send := func(who int) gate.Sighting {
					mu.Lock()
					defer mu.Unlock()
					if now := time.Now(); now.Sub(began) > window {
						began, counted = now, 0
					}
					counted++
					order = append(order, who)
					reset := began.Add(window)
					seen := gate.Sighting{
						Kind: gate.Counted, Limit: limit, Remaining: max(limit-counted, 0), Window: reset.UnixMilli(), Reset: time.Until(reset),
					}
					assert.LessOrEqual(t, counted, limit)
					return seen
				}
				var wg sync.WaitGroup
				for who, g := range gates {
					for range calls {
						wg.Go(func() {
							pass, err := g.Enter(t.Context(), gate.Entry{Route: where})
							if assert.NoError(t, err) {
								seen := send(who)
								time.Sleep(20 * time.Millisecond)
								g.Leave(t.Context(), where, pass, seen)
							}
						})
					}
				}
				wg.Wait()
				shares := make([]float64, processes)
				for _, who := range order[:len(order)/2] {
					shares[who]++
				}
				var sum, squares float64
				for _, n := range shares {
					sum += n
					squares += n * n
				}
				assert.GreaterOrEqual(t, sum*sum/(processes*squares), .95, "%v", shares)
			})
		})
	}
}
