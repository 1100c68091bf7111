package benchmarks

import (
	"context"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strconv"
	"time"

	"github.com/rocketchat-go/rocketchat"
)

// Heap tells what a call needed.
type Heap struct {
	Kept      uint64 // the result, alone
	Peak      uint64 // above what there was before, garbage included
	Allocated uint64 // in all
}

// PeakOverKept is the peak as a multiple of the result.
func (h Heap) PeakOverKept() float64 { return float64(h.Peak) / float64(h.Kept) }

func heapNow(sample []metrics.Sample) uint64 {
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// MeasureHeap watches the heap while f runs. Above the result the peak depends on when
// the collector comes; it runs as Go runs it by default.
func MeasureHeap(f func() (result any, err error)) (Heap, error) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	runtime.GC()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	floor := heapNow(sample)

	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		own := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		highest := floor
		for {
			highest = max(highest, heapNow(own))
			select {
			case <-done:
				peak <- highest
				return
			case <-time.After(100 * time.Microsecond):
			}
		}
	}()
	result, err := f()
	highest := heapNow(sample)
	close(done)
	highest = max(highest, <-peak)
	runtime.ReadMemStats(&after)
	runtime.GC()
	runtime.GC()
	kept := heapNow(sample)
	runtime.KeepAlive(result)
	return Heap{Kept: max(kept, floor) - floor, Peak: highest - floor, Allocated: after.TotalAlloc - before.TotalAlloc}, err
}

// HeapOfPage measures a page of 5,000 users with the library.
func HeapOfPage(ctx context.Context, address string) (Heap, error) {
	client, err := rocketchat.New(address+"/plain", rocketchat.WithToken(userID, token))
	if err != nil {
		return Heap{}, err
	}
	defer func() { _ = client.Close() }()
	list := func() (any, error) {
		return client.Users.List(ctx, rocketchat.UserListOptions{Everything: true})
	}
	if _, err := client.Users.Get(ctx, rocketchat.ByUsername(wanted)); err != nil {
		return Heap{}, err
	}
	return MeasureHeap(list)
}

// HeapOfPageBaseline measures the same with the baseline.
func HeapOfPageBaseline(ctx context.Context, address string) (Heap, error) {
	transport := newTransport()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	list := func(count int) (*listAnswer, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/plain/api/v1/users.list?count="+strconv.Itoa(count), nil)
		if err != nil {
			return nil, err
		}
		answer := new(listAnswer)
		return answer, call(client.Do, req, decoder, answer)
	}
	if _, err := list(100); err != nil {
		return Heap{}, err
	}
	return MeasureHeap(func() (any, error) { return list(0) })
}

// HeapOfAll tells how the heap grows, without garbage, while all users are paged
// through in pages of 100: what is live after the first page and before the last.
func HeapOfAll(ctx context.Context, address string, users int) (first, last uint64, err error) {
	client, err := rocketchat.New(address+"/plain", rocketchat.WithToken(userID, token))
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = client.Close() }()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	floor, seen := uint64(0), 0
	live := func() uint64 {
		runtime.GC()
		runtime.GC()
		return max(heapNow(sample), floor) - floor // what others held can go
	}
	floor = live()
	for _, err := range client.Users.All(ctx, rocketchat.UserListOptions{Count: 100}) {
		if err != nil {
			return 0, 0, err
		}
		switch seen++; seen {
		case 50:
			first = live()
		case users - 50:
			return first, live(), nil
		}
	}
	return first, 0, errNotExpected
}

// Cold tells what it takes to begin.
type Cold struct {
	First  Result // the client and its first call
	Later  Result // a call after that, on average
	New    int    // goroutines of a client that made no call yet
	Idle   int    // goroutines of one that made calls and has nothing to do
	Closed int    // goroutines that Close leaves
}

// MeasureCold makes a client, and calls with it.
func MeasureCold(ctx context.Context, make func() Client) (Cold, error) {
	goroutines := settled()
	unused := make()
	cold := Cold{New: settled() - goroutines}
	unused.Close()
	var (
		client Client
		err    error
	)
	cold.First, err = Measure(ctx, 0, 1, func(ctx context.Context) error {
		client = make()
		return client.Info(ctx)
	})
	if err != nil {
		return Cold{}, err
	}
	cold.Later, err = Measure(ctx, 50*time.Millisecond, 1, client.Info)
	cold.Idle = settled() - goroutines
	client.Close()
	cold.Closed = settled() - goroutines
	return cold, err
}

// settled counts the goroutines after those that are ending have ended.
func settled() int {
	n := runtime.NumGoroutine()
	for quiet := 0; quiet < 5; quiet++ {
		time.Sleep(5 * time.Millisecond)
		if now := runtime.NumGoroutine(); now != n {
			n, quiet = now, 0
		}
	}
	return n
}
