// Command table measures all clients side by side and prints the tables of the README.
//
// Every round measures every client in every case, in turns of a few milliseconds and in
// changing order, so that other work of the machine affects all of them. A ratio is the
// median of the ratios of the rounds.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat/benchmarks"
)

func main() {
	benchmarks.ServeIfAsked()
	rounds := flag.Int("rounds", 10, "how often everything is measured")
	duration := flag.Duration("time", 300*time.Millisecond, "for each measurement")
	cases := flag.String("cases", "", "only the cases that match, and none of the other tables")
	clients := flag.String("clients", "", "only the clients that match")
	out := flag.String("out", "", "file for all measurements, for benchstat")
	flag.Parse()
	if err := run(*rounds, *duration, regexp.MustCompile(*cases), regexp.MustCompile(*clients), *out); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(rounds int, d time.Duration, cases, clients *regexp.Regexp, out string) error {
	ctx := context.Background()
	address, stop, err := benchmarks.Start()
	if err != nil {
		return err
	}
	defer stop()
	fmt.Printf("%s %s/%s, %d processors, %d rounds of %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), rounds, d)
	all := cases.String() == ""
	if all { // first, since the library should be new to the process
		if err := cold(ctx, address); err != nil {
			return err
		}
	}
	if err := calls(ctx, address, rounds, d, cases, clients, out); err != nil || !all {
		return err
	}
	if err := limited(ctx, address, min(rounds, 3)); err != nil {
		return err
	}
	return heap(ctx, address, rounds)
}

// key is a client in a case.
type key struct{ name, client string }

func calls(ctx context.Context, address string, rounds int, d time.Duration, only, clients *regexp.Regexp, out string) error {
	var cases []benchmarks.Case
	for _, c := range benchmarks.Cases() {
		if only.MatchString(c.Name) {
			cases = append(cases, c)
		}
	}
	results := map[key][]benchmarks.Result{}
	modes := map[string][]benchmarks.Client{}
	var names []string
	for _, c := range cases {
		if modes[c.Mode] != nil {
			continue
		}
		for _, client := range benchmarks.Clients(address + "/" + c.Mode) {
			if client.Name == benchmarks.Baseline || clients.MatchString(client.Name) {
				modes[c.Mode] = append(modes[c.Mode], client)
				if !slices.Contains(names, client.Name) {
					names = append(names, client.Name)
				}
			}
		}
	}
	for round := range rounds {
		for _, c := range cases {
			if err := measure(ctx, c, modes[c.Mode], round, d, results); err != nil {
				return err
			}
		}
	}
	for _, c := range cases {
		print(c, names, results)
	}
	if out == "" {
		return nil
	}
	return write(out, cases, names, results)
}

// measure measures all clients in one case, each of them in many short
// turns.
func measure(ctx context.Context, c benchmarks.Case, clients []benchmarks.Client, round int, d time.Duration, results map[key][]benchmarks.Result) error {
	turns := 15
	if c.Goroutines > 1 {
		turns = 1
	}
	sums := map[string]benchmarks.Result{}
	for turn := range turns + 1 {
		for i := range clients {
			client := clients[(i+round+turn)%len(clients)]
			if !c.Takes(client.Name) {
				continue
			}
			res, err := c.Run(ctx, d/time.Duration(turns), client)
			if err != nil {
				return err
			}
			if turn > 0 { // the first one warms up
				sums[client.Name] = sums[client.Name].Add(res)
			}
		}
	}
	for name, sum := range sums {
		results[key{c.Name, name}] = append(results[key{c.Name, name}], sum)
	}
	return nil
}

// print prints a case.
func print(c benchmarks.Case, names []string, results map[key][]benchmarks.Result) {
	fmt.Printf("\n%s\n\n", c.Name)
	fmt.Println("| client | µs | x time (min..max) | x processor time | B | x | allocations | x |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- |")
	base := results[key{c.Name, benchmarks.Baseline}]
	for _, name := range names {
		own := results[key{c.Name, name}]
		if len(own) == 0 {
			continue
		}
		ns := of(own, benchmarks.Result.NsPerCall)
		ratios := quotients(ns, of(base, benchmarks.Result.NsPerCall))
		cpu := quotients(of(own, benchmarks.Result.CPUPerCall), of(base, benchmarks.Result.CPUPerCall))
		bytes, baseBytes := benchmarks.Median(of(own, benchmarks.Result.BytesPerCall)), benchmarks.Median(of(base, benchmarks.Result.BytesPerCall))
		allocs, baseAllocs := benchmarks.Median(of(own, benchmarks.Result.AllocsPerCall)), benchmarks.Median(of(base, benchmarks.Result.AllocsPerCall))
		fmt.Printf("| %s | %.0f | %.2f (%.2f..%.2f) | %.2f | %.0f | %.2f | %.0f | %.2f |\n", name, benchmarks.Median(ns)/1e3,
			benchmarks.Median(ratios), slices.Min(ratios), slices.Max(ratios), benchmarks.Median(cpu),
			bytes, bytes/baseBytes, allocs, allocs/baseAllocs)
	}
}

func of(results []benchmarks.Result, value func(benchmarks.Result) float64) []float64 {
	values := make([]float64, len(results))
	for i, r := range results {
		values[i] = value(r)
	}
	return values
}

// quotients divides measurements of the same round.
func quotients(a, b []float64) []float64 {
	q := make([]float64, len(a))
	for i := range a {
		q[i] = a[i] / b[i]
	}
	return q
}

// write writes all measurements in the form that benchstat reads.
func write(name string, cases []benchmarks.Case, names []string, results map[key][]benchmarks.Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "goos: %s\ngoarch: %s\n", runtime.GOOS, runtime.GOARCH)
	for _, c := range cases {
		for _, client := range names {
			for _, r := range results[key{c.Name, client}] {
				fmt.Fprintf(&b, "Benchmark/%s/client=%s-%d %d %.0f ns/op %.0f cpu-ns/op %.0f B/op %.0f allocs/op\n", strings.ReplaceAll(c.Name, " ", "_"),
					strings.ReplaceAll(client, " ", "_"), runtime.GOMAXPROCS(0), r.Calls, r.NsPerCall(), r.CPUPerCall(), r.BytesPerCall(), r.AllocsPerCall())
			}
		}
	}
	return os.WriteFile(name, []byte(b.String()), 0o600)
}

func limited(ctx context.Context, address string, rounds int) error {
	fmt.Printf("\n%d users.info, %d goroutines, %d calls in %s; the minimum is %s\n\n", benchmarks.LimitedCalls, benchmarks.LimitedGoroutines,
		benchmarks.LimitCalls, benchmarks.LimitWindow, benchmarks.LimitedMinimum)
	fmt.Println("| client | users | requests | refused | s | x minimum |")
	fmt.Println("| --- | --- | --- | --- | --- | --- |")
	var runs [][]benchmarks.Limited
	for round := range rounds {
		name := strconv.Itoa(round)
		paths := benchmarks.LimitedPaths(address, name)
		for i, client := range benchmarks.LimitedClients(address, name) {
			result, err := benchmarks.RunLimited(ctx, client, paths[i])
			if err != nil {
				return err
			}
			client.Close()
			if round == 0 {
				runs = append(runs, nil)
			}
			runs[i] = append(runs[i], result)
		}
	}
	for _, run := range runs {
		slices.SortFunc(run, func(a, b benchmarks.Limited) int { return int(a.Took - b.Took) })
		r := run[len(run)/2]
		times := "–"
		if r.Succeeded == benchmarks.LimitedCalls {
			times = fmt.Sprintf("%.3f", r.OverMinimum())
		}
		fmt.Printf("| %s | %d | %d | %d | %.2f | %s |\n", r.Client, r.Succeeded, r.Requests, r.Refused, r.Took.Seconds(), times)
	}
	return nil
}

func cold(ctx context.Context, address string) error {
	fmt.Print("\nA client and its first call (B, allocations), and the goroutines of a client\n\n")
	fmt.Println("| client | first | later | x | x | new | idle | closed |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, pass := range []string{"", ", second of the process"} {
		for _, make := range []func() benchmarks.Client{
			func() benchmarks.Client { return benchmarks.NewLibrary(address + "/plain") },
			func() benchmarks.Client { return benchmarks.NewBaseline(address + "/plain") },
		} {
			c, err := benchmarks.MeasureCold(ctx, make)
			if err != nil {
				return err
			}
			fmt.Printf("| %s%s | %.0f, %.0f | %.0f, %.0f | %.2f | %.2f | %d | %d | %d |\n", make().Name, pass, c.First.BytesPerCall(), c.First.AllocsPerCall(),
				c.Later.BytesPerCall(), c.Later.AllocsPerCall(), c.First.BytesPerCall()/c.Later.BytesPerCall(),
				c.First.AllocsPerCall()/c.Later.AllocsPerCall(), c.New, c.Idle, c.Closed)
		}
	}
	return nil
}

func heap(ctx context.Context, address string, rounds int) error {
	fmt.Printf("\nThe heap for a page of %d users\n\n", benchmarks.ManyUsers)
	fmt.Println("| client | users MB | peak MB | x | allocated in all, x |")
	fmt.Println("| --- | --- | --- | --- | --- |")
	for _, c := range []struct {
		name    string
		measure func(context.Context, string) (benchmarks.Heap, error)
	}{
		{benchmarks.Library, benchmarks.HeapOfPage},
		{benchmarks.Baseline, benchmarks.HeapOfPageBaseline},
	} {
		var kept, peak, ratio, all []float64
		for range rounds {
			h, err := c.measure(ctx, address)
			if err != nil {
				return err
			}
			kept, peak = append(kept, float64(h.Kept)/1e6), append(peak, float64(h.Peak)/1e6)
			ratio, all = append(ratio, h.PeakOverKept()), append(all, float64(h.Allocated)/float64(h.Kept))
		}
		fmt.Printf("| %s | %.1f | %.1f | %.2f (%.2f..%.2f) | %.2f |\n", c.name, benchmarks.Median(kept), benchmarks.Median(peak),
			benchmarks.Median(ratio), slices.Min(ratio), slices.Max(ratio), benchmarks.Median(all))
	}
	first, last, err := benchmarks.HeapOfAll(ctx, address, benchmarks.AllUsers)
	if err != nil {
		return err
	}
	fmt.Printf("\nPaging through %d users, 100 a page: %.2f MB live on the first page, %.2f MB on the last\n",
		benchmarks.AllUsers, float64(first)/1e6, float64(last)/1e6)
	return nil
}
