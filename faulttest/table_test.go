package faulttest

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// report is the result of the run, besides the records.
type report struct {
	took          time.Duration
	verdict       verdict
	left          error
	toxiproxyLeft int
	seen, erased  int
	peak, bound   uint64
}

// print writes the tables.
func (r *run) print(found report) {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer func() { _ = out.Flush() }()
	row := func(name string, value any) { _, _ = fmt.Fprintf(out, "  %s\t%v\n", name, value) }
	title := func(text string) { _, _ = fmt.Fprintf(out, "%s\n", text) }

	outcomes := map[string]int{}
	for _, rec := range r.book.records {
		outcomes[nameOf(rec)]++
	}
	title("calls by outcome")
	rows(outcomes, row)
	row("all", len(r.book.records))

	injected := maps.Clone(r.server.injected)
	r.proxies.addTo(injected)
	injected["accounts that lost their sessions"] = int(r.drops.Load())
	title("faults")
	rows(injected, row)
	row("requests that reached the server", r.server.requests)

	title("what the client said and what happened")
	row("calls of which it said what is not so", found.verdict.Falsehoods)
	row("writes executed or sent twice that must not be", found.verdict.Twice)
	row("users created twice", found.verdict.UsersTwice)
	row("fields compared in the end", found.verdict.Fields)
	row("writes lost", found.verdict.Lost)
	row("fields erased that no call named", found.erased)
	row("writes overtaken by a request that was still on its way", found.verdict.Overtaken)
	row("outcome unknown, and it happened", found.verdict.DoubtedDone)
	row("outcome unknown, and it did not", found.verdict.DoubtedNot)
	row("tokens of closed sessions, none valid", r.endedSessions.Load())
	row("secrets looked for", r.secrets.number())
	row("bytes of logs and errors searched", r.transcript.buf.Len())
	row("secrets seen", found.seen)
	left := "0"
	if found.left != nil {
		left = found.left.Error()
	}
	row("goroutines left", left)
	row("goroutines of toxiproxy that it leaves", found.toxiproxyLeft)
	row("peak heap", fmt.Sprintf("%d MiB of %d MiB allowed", found.peak>>20, found.bound>>20))
	row("time", found.took.Round(100*time.Millisecond))
}

func nameOf(rec *record) string {
	switch {
	case rec.outcome == done && rec.attempts.Load() <= 1:
		return "done"
	case rec.outcome == done:
		return fmt.Sprintf("done after %d attempts", min(rec.attempts.Load(), 9))
	case rec.e != nil:
		return fmt.Sprintf("%s: %s", rec.outcome, string(rec.e.Class))
	}
	return string(rec.outcome)
}

// rows prints counts, by name.
func rows(counts map[string]int, row func(string, any)) {
	names := slices.SortedFunc(maps.Keys(counts), cmp.Compare[string])
	for _, name := range names {
		row(name, counts[name])
	}
}
