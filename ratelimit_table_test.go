package rocketchat

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/gate"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// limitCase is a server, its surroundings and a burst of calls.
type limitCase struct {
	name      string
	calls     int
	latency   time.Duration
	clients   int                              // each with a gate of its own, at one address
	tamper    func(*rand.Rand, *http.Response) // what happens to answers on the way
	instead   func(*rand.Rand) *http.Response  // answers that do not reach the server; nil for none
	clock     time.Duration                    // by which the server's clock is ahead
	neighbour int                              // calls of somebody else in each window
	over      float64                          // allowed above the least time; 0: 0.05
}

// limitResult is the outcome of a limitCase.
type limitResult struct {
	refusals, failed, windows int
	over                      float64
}

const tableWindow = time.Minute

func (tc limitCase) run(t *testing.T) (r limitResult) {
	srv := rocketchattest.New(rocketchattest.WithLatency(tc.latency))
	random := rand.New(rand.NewPCG(1, uint64(tc.calls)))
	var mu sync.Mutex
	var refused, neighbours atomic.Int32
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		if tc.instead != nil {
			mu.Lock()
			res := tc.instead(random)
			mu.Unlock()
			if res != nil {
				return res, nil
			}
		}
		res, err := srv.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		if res.StatusCode == http.StatusTooManyRequests {
			refused.Add(1)
		}
		mu.Lock()
		defer mu.Unlock()
		if tc.clock != 0 {
			shiftClock(res.Header, tc.clock)
		}
		if tc.tamper != nil {
			tc.tamper(random, res)
		}
		return res, nil
	})
	clients := make([]*Client, max(tc.clients, 1))
	first := ordinaryClient(t, srv, WithTransport(transport))
	for i := range clients {
		clients[i] = first
		if i > 0 {
			var err error
			clients[i], err = first.With(WithGate(gate.NewMemory()))
			require.NoError(t, err)
		}
	}
	stop := make(chan struct{})
	var others sync.WaitGroup
	if tc.neighbour > 0 {
		id, token := srv.Login("ordinary")
		others.Go(func() {
			for {
				for range tc.neighbour {
					bypass(srv, "/api/v1/users.info?username=admin", id, token)
					neighbours.Add(1)
				}
				select {
				case <-stop:
					return
				case <-time.After(tableWindow):
				}
			}
		})
	}
	start := time.Now()
	var calls sync.WaitGroup
	var failed atomic.Int32
	for i := range tc.calls {
		calls.Go(func() {
			if _, err := clients[i%len(clients)].Users.Get(t.Context(), ByUsername("admin")); err != nil {
				failed.Add(1)
			}
		})
	}
	calls.Wait()
	took := time.Since(start)
	close(stop)
	others.Wait()
	perWindow := 10 - tc.neighbour
	least := time.Duration((tc.calls-1)/perWindow)*tableWindow + tc.latency
	r.windows = int(took/tableWindow) + 1
	r.refusals, r.failed = int(refused.Load()), int(failed.Load())
	r.over = float64(took-least) / float64(max(least, tableWindow))
	return r
}

// shiftClock makes a server's clock go wrong.
func shiftClock(h http.Header, by time.Duration) {
	if ms, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
		h.Set("X-Ratelimit-Reset", strconv.FormatInt(ms+by.Milliseconds(), 10))
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		h.Set("Date", date.Add(by).UTC().Format(http.TimeFormat))
	}
}

func dropLimits(h http.Header) {
	for _, key := range []string{"Limit", "Remaining", "Reset"} {
		h.Del("X-Ratelimit-" + key)
	}
}

func rewrite(key string, f func(string) string) func(*rand.Rand, *http.Response) {
	return func(_ *rand.Rand, res *http.Response) {
		if value := res.Header.Get(key); value != "" {
			res.Header.Set(key, f(value))
		}
	}
}

func inCases(share float64, do func(*http.Response)) func(*rand.Rand, *http.Response) {
	return func(random *rand.Rand, res *http.Response) {
		if random.Float64() < share {
			do(res)
		}
	}
}

func limitCases() (all []limitCase) {
	for _, n := range []int{1, 10, 11, 100, 1000, 10000} {
		all = append(all, limitCase{name: fmt.Sprint("burst of ", n), calls: n, latency: latency})
	}
	for _, d := range []time.Duration{3500 * time.Millisecond, 8 * time.Second, 11 * time.Second} {
		all = append(all, limitCase{name: fmt.Sprint("latency ", d), calls: 100, latency: d, over: 0.5})
	}
	for _, d := range []time.Duration{-time.Hour, -5 * time.Minute, 300 * time.Millisecond, 30 * time.Second, time.Hour} {
		all = append(all,
			limitCase{name: fmt.Sprint("clock ", d), calls: 100, latency: latency, clock: d},
			limitCase{name: fmt.Sprint("clock ", d, ", no Date"), calls: 100, latency: latency, clock: d, tamper: func(_ *rand.Rand, res *http.Response) { res.Header.Del("Date") }, over: 0.15})
	}
	for _, share := range []float64{0.01, 0.1, 0.5, 1} {
		all = append(all, limitCase{
			name: fmt.Sprint("no headers in ", share*100, " %"), calls: 200, latency: latency, over: 0.2,
			tamper: inCases(share, func(res *http.Response) { dropLimits(res.Header) }),
		})
	}
	for name, f := range map[string]func(string) string{
		"10.0":        func(v string) string { return v + ".0" },
		"10, 10;w=60": func(v string) string { return v + ", 10;w=60" },
		"negative":    func(v string) string { return "-" + v },
		"words":       func(string) string { return "many" },
	} {
		for _, key := range []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"} {
			all = append(all, limitCase{name: key[2:] + " as " + name, calls: 150, latency: latency, tamper: rewrite(key, f), over: 0.2})
		}
	}
	return append(all,
		limitCase{name: "reset in seconds", calls: 100, latency: latency, tamper: rewrite("X-Ratelimit-Reset", func(v string) string { return v[:10] }), over: 0.1},
		limitCase{name: "reset as a date", calls: 100, latency: latency, tamper: rewrite("X-Ratelimit-Reset", asDate)},
		limitCase{name: "a proxy's values before the server's", calls: 100, latency: latency, tamper: aheadOfServer},
		limitCase{name: "Remaining of another answer", calls: 100, latency: latency, tamper: rewrite("X-Ratelimit-Remaining", func(string) string { return "9" })},
		limitCase{
			name: "Date by a proxy, 40 min off", calls: 40, latency: latency, over: 0.2,
			tamper: rewrite("Date", func(v string) string {
				date, _ := http.ParseTime(v)
				return date.Add(-40 * time.Minute).UTC().Format(http.TimeFormat)
			}),
		},
		limitCase{name: "408 in 10 %", calls: 200, latency: latency, instead: foreign(0.1, 408, "text/html", ""), over: 0.2},
		limitCase{name: "a page with 200 in 10 %", calls: 100, latency: latency, instead: foreign(0, 200, "text/html", ""), over: 0.2},
		limitCase{name: "a proxy's own 429s in 5 %", calls: 100, latency: latency, instead: foreign(0.05, 429, "text/html", "2"), over: 0.3},
		limitCase{name: "a proxy's 429s without a word in 5 %", calls: 100, latency: latency, instead: foreign(0.05, 429, "text/html", ""), over: 0.3},
		limitCase{name: "2 clients", calls: 100, latency: latency, clients: 2, over: 0.1},
		limitCase{name: "10 clients", calls: 200, latency: latency, clients: 10, over: 0.1},
		limitCase{name: "neighbour, 3 a window", calls: 100, latency: latency, neighbour: 3, over: 0.1},
	)
}

func asDate(ms string) string {
	n, _ := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(n).UTC().Format(time.RFC3339)
}

// aheadOfServer adds the headers of a proxy that has a wider limit of its own.
func aheadOfServer(_ *rand.Rand, res *http.Response) {
	for key, value := range map[string]string{"Limit": "100, ", "Remaining": "99, ", "Reset": "1, "} {
		if own := res.Header.Get("X-Ratelimit-" + key); own != "" {
			res.Header.Set("X-Ratelimit-"+key, value+own)
		}
	}
}

// foreign answers a share of the requests instead of the server.
func foreign(share float64, status int, contentType, retryAfter string) func(*rand.Rand) *http.Response {
	return func(random *rand.Rand) *http.Response {
		if random.Float64() >= share {
			return nil
		}
		res := reply(status, contentType, "<html>")
		if retryAfter != "" {
			res.Header.Set("Retry-After", retryAfter)
		}
		return res
	}
}

// TestRateLimitTable: no call fails that would only have had to wait, and the server
// refuses at most one call in a window for each client, but for what others cause.
// With ROCKETCHAT_TABLE set it writes the table of docs/proof.md there.
func TestRateLimitTable(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	for _, tc := range limitCases() {
		var r limitResult
		synctest.Test(t, func(t *testing.T) { r = tc.run(t) })
		failed := 0
		if strings.HasPrefix(tc.name, "408") { // which is an answer that is not retried
			failed = tc.calls / 5
		}
		assert.LessOrEqual(t, r.failed, failed, "%s: calls that failed", tc.name)
		allowed := r.windows * max(tc.clients, 1)
		assert.LessOrEqual(t, r.refusals, allowed, "%s: refusals", tc.name)
		limit := tc.over
		if limit == 0 {
			limit = 0.05
		}
		assert.LessOrEqual(t, r.over, limit, "%s: above the least time", tc.name)
		fmt.Fprintf(&table, "| %s | %d | %d | %d | %.1f %% |\n", tc.name, tc.calls, r.refusals, r.failed, 100*r.over)
	}
	if path := os.Getenv("ROCKETCHAT_TABLE"); path != "" {
		require.NoError(t, os.WriteFile(path, []byte("| case | calls | refused | failed | above the least time |\n|---|---|---|---|---|\n"+table.String()), 0o600))
	}
}
