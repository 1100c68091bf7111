package faulttest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rocketchat-go/rocketchat"
)

// outcome is the result of a call as the client reports it.
type outcome string

const (
	done    outcome = "done"
	adopted outcome = "done: adopted after a lost answer"
	existed outcome = "done: was there already"
	unknown outcome = "outcome unknown"
	refused outcome = "failed, nothing happened"
)

// record is one call of the test.
type record struct {
	id         int
	kind       string
	op         string // the request that matters
	write      bool
	repeatable bool   // the call is retried if the response is lost
	state      bool   // success can mean that there was nothing to do
	field      string // what the call sets, "" when that is not looked at in the end
	value      string

	attempts atomic.Int32 // of op, for all the client tells
	outcome  outcome
	err      error
	e        *rocketchat.Error
}

// judge derives the outcome of a call from its error.
func (r *record) judge(err error) (faults []string) {
	r.err = err
	if err == nil {
		if r.outcome == "" {
			r.outcome = done
		}
		return nil
	}
	e, ok := errors.AsType[*rocketchat.Error](err)
	if !ok {
		r.outcome = refused
		return []string{fmt.Sprintf("call %d, %s: %T is no *rocketchat.Error: %v", r.id, r.kind, err, err)}
	}
	r.e = e
	if e.Op == "" || e.Class == "" && e.StatusCode == 0 { // of no class is only what a server says
		faults = append(faults, fmt.Sprintf("call %d, %s: op %q, class %q: %v", r.id, r.kind, e.Op, e.Class, err))
	}
	r.outcome = refused
	if errors.Is(err, rocketchat.ErrOutcomeUnknown) {
		r.outcome = unknown
		if !r.write {
			faults = append(faults, fmt.Sprintf("call %d, %s: a read of unknown outcome: %v", r.id, r.kind, err))
		}
	}
	return faults
}

// book holds the records, by number.
type book struct {
	mu      sync.Mutex
	records []*record
	broken  []string // promises that were not kept
}

func (b *book) enter(r *record, faults []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, r)
	b.broken = append(b.broken, faults...)
}

func (b *book) breach(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = append(b.broken, fmt.Sprintf(format, args...))
}

// verdict is the result of the comparison with the server.
type verdict struct {
	Falsehoods  int // calls with a wrong report
	Twice       int // writes that were executed twice
	UsersTwice  int
	Lost        int // fields with a value that nobody wrote last
	Overtaken   int // fields that an earlier request reached after a later one
	Fields      int // fields compared
	DoubtedDone int // unknown outcomes that happened
	DoubtedNot  int // and that did not
}

// compare compares the reports of the client with what the server did. The function state
// returns the final value of a field, and false if its object is gone.
func (b *book) compare(f *faultyServer, state func(field string) (string, bool)) verdict {
	var v verdict
	slices.SortFunc(b.records, func(x, y *record) int { return cmp.Compare(x.id, y.id) })
	fields := map[string][]*record{}
	for _, r := range b.records {
		if r.op == "" || !r.write {
			continue
		}
		b.compareCall(&v, f, r)
		if r.field != "" {
			fields[r.field] = append(fields[r.field], r)
		}
	}
	for name, times := range f.created {
		if times > 1 {
			v.UsersTwice++
			b.breach("user %s was created %d times", name, times)
		}
	}
	for field, writes := range fields {
		if value, there := state(field); there {
			v.Fields++
			b.compareField(&v, f, field, value, writes)
		}
	}
	return v
}

// compareCall checks one write: what is reported done was executed, what is reported
// failed was not, and nothing was executed twice that must not be.
func (b *book) compareCall(v *verdict, f *faultyServer, r *record) {
	times := len(f.done[part{r.id, r.op}])
	var wrong string
	switch {
	case r.outcome == refused && times > 0:
		wrong = "reported failed, but executed"
	case r.outcome == done && times == 0 && !r.state:
		wrong = "reported done, but not executed"
	case !r.repeatable && times > 1:
		v.Twice++
		wrong = "executed twice"
	case !r.repeatable && f.again[part{r.id, r.op}] > 0 && r.kind != kindEnsure:
		v.Twice++
		wrong = "sent again after it was executed"
	case r.outcome == unknown && times > 0:
		v.DoubtedDone++
	case r.outcome == unknown:
		v.DoubtedNot++
	}
	if wrong != "" {
		v.Falsehoods++
		b.breach("call %d, %s (%s): %s (%d times): %v", r.id, r.kind, r.op, wrong, times, r.err)
	}
}

// compareField checks the final value of a field whose writes were made one after the
// other. It must be that of the last write that was reported done, or of one with unknown
// outcome.
func (b *book) compareField(v *verdict, f *faultyServer, field, value string, writes []*record) {
	last := -1
	for i, r := range writes {
		if r.outcome != refused && r.outcome != unknown {
			last = i
		}
	}
	if last >= 0 && writes[last].value == value {
		return
	}
	executed := func(r *record) int {
		times := f.done[part{r.id, r.op}]
		if len(times) == 0 {
			return 0
		}
		return times[len(times)-1]
	}
	for i, r := range slices.Backward(writes) {
		switch {
		case r.value != value || executed(r) == 0:
		case i > last && r.outcome == unknown:
			return
		case i < last && executed(r) > executed(writes[last]) && (r.outcome == unknown || r.repeatable):
			v.Overtaken++ // a request that was still on its way when its call had ended, or had been sent again
			return
		}
	}
	if last < 0 && !slices.ContainsFunc(writes, func(r *record) bool { return executed(r) > 0 }) {
		return // as it was before
	}
	v.Lost++
	b.breach("field %s is %q in the end, but its last write that was done is %v", field, value, describe(writes))
}

func describe(writes []*record) []string {
	var texts []string
	for _, r := range writes {
		texts = append(texts, fmt.Sprintf("%d:%s=%q (%s)", r.id, r.op, r.value, r.outcome))
	}
	return texts
}
