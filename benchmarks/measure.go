package benchmarks

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Case is one thing that clients are compared in.
type Case struct {
	Name       string
	Mode       string // how the server answers
	Call       func(Client) func(context.Context) error
	Goroutines int
	Only       []string // clients; nil for all
}

// Cases lists what is compared call by call.
func Cases() []Case {
	info := func(c Client) func(context.Context) error { return c.Info }
	create := func(c Client) func(context.Context) error { return c.Create }
	list := func(count int) func(Client) func(context.Context) error {
		return func(c Client) func(context.Context) error {
			return func(ctx context.Context) error { return c.List(ctx, count) }
		}
	}
	return []Case{
		{Name: "users.info", Mode: "plain", Call: info, Goroutines: 1},
		{Name: "users.info, chunked", Mode: "chunked", Call: info, Goroutines: 1},
		{Name: "users.info, counted", Mode: "counted", Call: info, Goroutines: 1},
		{Name: "users.list of 100", Mode: "plain", Call: list(100), Goroutines: 1},
		{Name: "users.list of 100, chunked", Mode: "chunked", Call: list(100), Goroutines: 1},
		{Name: "users.list of 5,000", Mode: "plain", Call: list(0), Goroutines: 1},
		{Name: "users.create", Mode: "plain", Call: create, Goroutines: 1},
		{Name: "users.info, 1,000 goroutines", Mode: "plain", Call: info, Goroutines: 1000, Only: []string{Library, Baseline, Floor}},
	}
}

// Takes reports whether the case is for the client.
func (c Case) Takes(client string) bool { return c.Only == nil || slices.Contains(c.Only, client) }

// Result is what a number of calls took.
type Result struct {
	Calls  int
	Took   time.Duration
	CPU    time.Duration // of this process, without the server's
	Bytes  uint64
	Allocs uint64
}

// NsPerCall is the time of one call, in nanoseconds; of many goroutines together, the
// time in which they made one more.
func (r Result) NsPerCall() float64 { return float64(r.Took) / float64(r.Calls) }

// CPUPerCall is the processor time of one call, in nanoseconds.
func (r Result) CPUPerCall() float64 { return float64(r.CPU) / float64(r.Calls) }

// BytesPerCall is what one call allocated.
func (r Result) BytesPerCall() float64 { return float64(r.Bytes) / float64(r.Calls) }

// AllocsPerCall is how often one call allocated.
func (r Result) AllocsPerCall() float64 { return float64(r.Allocs) / float64(r.Calls) }

// Add adds another measurement of the same.
func (r Result) Add(o Result) Result {
	return Result{r.Calls + o.Calls, r.Took + o.Took, r.CPU + o.CPU, r.Bytes + o.Bytes, r.Allocs + o.Allocs}
}

// Measure makes calls for a while, from so many goroutines, each of which makes at
// least one.
func Measure(ctx context.Context, d time.Duration, goroutines int, call func(context.Context) error) (Result, error) {
	var (
		before, after runtime.MemStats
		calls         atomic.Int64
		failed        atomic.Pointer[error]
		group         sync.WaitGroup
	)
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	work := func() {
		for failed.Load() == nil {
			if err := call(ctx); err != nil {
				failed.Store(&err)
				return
			}
			calls.Add(1)
			if time.Since(start) >= d {
				return
			}
		}
	}
	for range goroutines - 1 {
		group.Go(work)
	}
	work()
	group.Wait()
	took, used := time.Since(start), cpuTime()-cpu
	runtime.ReadMemStats(&after)
	if err := failed.Load(); err != nil {
		return Result{}, *err
	}
	return Result{int(calls.Load()), took, used, after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs}, nil
}

// Run measures one client in one case.
func (c Case) Run(ctx context.Context, d time.Duration, client Client) (Result, error) {
	if c.Goroutines > 1 {
		d *= 5 // few calls for each of them, otherwise
	}
	res, err := Measure(ctx, d, c.Goroutines, c.Call(client))
	if err != nil {
		return Result{}, fmt.Errorf("%s, %s: %w", c.Name, client.Name, err)
	}
	return res, nil
}

// Median is the one in the middle.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}
