package benchmarks

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rocketchat-go/rocketchat"
)

// The tests are not parallel, because most count the allocations of the whole process.

// turns is how often a comparison of time or of memory is made before it fails. One good
// turn is enough, because the machine may have other work.
const turns = 10

var address string // of the server that TestMain starts for all

func TestMain(m *testing.M) {
	ServeIfAsked()
	var (
		stop func()
		err  error
	)
	if address, stop, err = Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	stop()
	os.Exit(code)
}

func Benchmark(b *testing.B) {
	for _, c := range Cases() {
		b.Run(strings.ReplaceAll(c.Name, " ", "_"), func(b *testing.B) {
			for _, client := range Clients(address + "/" + c.Mode) {
				if !c.Takes(client.Name) {
					continue
				}
				b.Run("client="+strings.ReplaceAll(client.Name, " ", "_"), func(b *testing.B) {
					call := c.Call(client)
					b.ReportAllocs()
					if c.Goroutines == 1 {
						for b.Loop() {
							if err := call(b.Context()); err != nil {
								b.Fatal(err)
							}
						}
						return
					}
					b.SetParallelism(c.Goroutines)
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if err := call(b.Context()); err != nil {
								b.Error(err)
								return
							}
						}
					})
				})
				client.Close()
			}
		})
	}
}

func TestEveryCaseRuns(t *testing.T) { //nolint:paralleltest // see above
	for _, c := range Cases() {
		for _, client := range Clients(address + "/" + c.Mode) {
			if !c.Takes(client.Name) {
				continue
			}
			if _, err := c.Run(t.Context(), 0, client); err != nil {
				t.Error(err)
			}
			client.Close()
		}
	}
}

// TestFrugal compares what calls allocate, which is nearly the same on every machine.
func TestFrugal(t *testing.T) { //nolint:paralleltest // see above
	limits := map[string]struct{ bytes, allocs float64 }{
		"users.info":                 {1, 1},
		"users.info, chunked":        {1, 1},
		"users.info, counted":        {1, 1},
		"users.list of 100":          {0.45, 0.70},
		"users.list of 100, chunked": {0.45, 0.70},
		"users.list of 5,000":        {0.60, 0.70},
		"users.create":               {1.30, 1.15},
	}
	for _, c := range Cases() {
		limit, ok := limits[c.Name]
		if !ok {
			continue
		}
		good := false
		for turn := 0; turn < turns && !good; turn++ {
			library, baseline := usual(t, c, NewLibrary(address+"/"+c.Mode)), usual(t, c, NewBaseline(address+"/"+c.Mode))
			bytes, allocs := library.BytesPerCall()/baseline.BytesPerCall(), library.AllocsPerCall()/baseline.AllocsPerCall()
			t.Logf("%s: %.2f x the bytes, %.2f x the allocations", c.Name, bytes, allocs)
			good = (bytes <= limit.bytes || raced) && allocs <= limit.allocs
		}
		if !good {
			t.Errorf("%s: more than %.2f x the bytes of %s, or than %.2f x the allocations", c.Name, limit.bytes, Baseline, limit.allocs)
		}
	}
}

// usual is the cost of a number of calls after the first ones.
func usual(t *testing.T, c Case, client Client) Result {
	t.Helper()
	defer client.Close()
	var sum Result
	for i := range 60 {
		r, err := c.Run(t.Context(), 0, client)
		if err != nil {
			t.Fatal(err)
		}
		if i >= 10 {
			sum = sum.Add(r)
		}
		if i == 20 && sum.NsPerCall() > 1e7 {
			break
		}
	}
	return sum
}

func TestLimited(t *testing.T) { //nolint:paralleltest // see above
	for turn := range turns {
		run := fmt.Sprint("test", turn) // each has a window of its own
		client := LimitedClients(address, run)[0]
		result, err := RunLimited(t.Context(), client, LimitedPaths(address, run)[0])
		client.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v: %.3f x the minimum", result, result.OverMinimum())
		if result.Succeeded != LimitedCalls || result.Refused != 0 {
			t.Fatalf("%+v", result)
		}
		if result.OverMinimum() <= 1.2 {
			return
		}
	}
	t.Error("every turn took longer than 1.2 x the minimum")
}

func TestHeap(t *testing.T) { //nolint:paralleltest // see above
	good := false
	for turn := 0; turn < turns && !good; turn++ {
		library, err := HeapOfPage(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		baseline, err := HeapOfPageBaseline(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("peak %.2f x the users, baseline %.2f", library.PeakOverKept(), baseline.PeakOverKept())
		good = library.Peak <= baseline.Peak+baseline.Peak/4
	}
	if !good {
		t.Errorf("the peak is higher than 1.25 x that of %s", Baseline)
	}
	if _, _, err := HeapOfAll(t.Context(), address, 1_000); err != nil {
		t.Error(err)
	}
}

func TestCold(t *testing.T) { //nolint:paralleltest // see above
	cold, err := MeasureCold(t.Context(), func() Client { return NewLibrary(address + "/plain") })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", cold)
	if cold.New != 0 || cold.Closed != 0 {
		t.Errorf("%d goroutines before the first call, %d after Close", cold.New, cold.Closed)
	}
}

// TestResultsStay guards the buffers that the library uses again.
func TestResultsStay(t *testing.T) { //nolint:paralleltest // see above
	client, err := rocketchat.New(address+"/plain", rocketchat.WithToken(userID, token))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	page := func(offset int) *rocketchat.Page[rocketchat.User] {
		t.Helper()
		p, err := client.Users.List(t.Context(), rocketchat.UserListOptions{Count: 100, Offset: offset})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := page(1)
	before, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		page(1000 + 100*i)
	}
	after, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Error("a page has changed after it was returned")
	}
}
