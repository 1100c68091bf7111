package rocketchat

import (
	"fmt"
	"strings"
	"time"
)

// SyncResult is the outcome of a step.
type SyncResult struct {
	SyncStep
	// Done is set if the step succeeded.
	Done bool
	// Adopted is set if the account already existed when it was to be created, because a
	// response was lost or because somebody else had created it meanwhile. The next sync
	// changes what differs in it.
	Adopted bool
	// NotBegun is set if the step was not tried, or was called off before anything was
	// sent that could have changed the account. Err says why.
	NotBegun bool
	// Err says why the step was not done.
	Err error
}

// SyncReport is the outcome of a plan.
type SyncReport struct {
	Results  []SyncResult // in the order of the plan's steps
	Refusals []SyncRefusal
	// UserIDs are the IDs of the people's accounts, in the order of the list; "" for people
	// without an account. A program that stores them can use them as [DesiredUser.Ref] in
	// the next sync.
	UserIDs  []string
	Failed   int // steps that were begun and failed
	NotBegun int // steps that were not begun

	known syncKnowledge
}

// Count returns how many steps of an action were done, not counting those for temporary
// values.
func (r *SyncReport) Count(a SyncAction) (n int) {
	for _, result := range r.Results {
		if result.Done && result.Action == a && !result.Temporary {
			n++
		}
	}
	return n
}

// Known returns what the sync has learned about the accounts, for [SyncOptions.Known] of
// the next sync.
func (r *SyncReport) Known() SyncKnown {
	k := r.known
	known := make(SyncKnown)
	for i, id := range r.UserIDs {
		user := SyncKnownUser{Ref: k.refs[i]}
		if k.sure[i] == isSure && k.prints[i] != (fingerprint{}) {
			user.Fields = k.prints[i].String()
		}
		if id != "" && user != (SyncKnownUser{}) {
			known[id] = user
		}
	}
	return known
}

// SyncProgress tells how far a run is.
type SyncProgress struct {
	Last      SyncResult // the step that ended just now
	Ended     int        // number of steps that were done or have failed
	Failed    int
	Total     int
	Remaining time.Duration // estimated, from the rate limits and the pace so far
}

// SyncError is the error of a sync that did not do everything. Its chain holds the reason
// why the run stopped, the errors of all steps that failed, and all refusals, so that
// [errors.Is] finds each of them.
type SyncError struct {
	Steps    int // in the plan
	Failed   int
	NotBegun int
	Refusals []SyncRefusal
	Cause    error // why the run stopped, or why the first step failed; nil if there are only refusals

	errs []error
}

// Error says in one line what was not done.
func (e *SyncError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rocketchat: sync: %d of %d steps failed", e.Failed, e.Steps)
	if e.NotBegun > 0 {
		fmt.Fprintf(&b, ", %d were not begun", e.NotBegun)
	}
	if e.Cause != nil {
		b.WriteString(": " + strings.TrimPrefix(e.Cause.Error(), "rocketchat: "))
	}
	for i, r := range e.Refusals {
		if i == maxShownRefusals {
			fmt.Fprintf(&b, "; and %d more", len(e.Refusals)-i)
			break
		}
		b.WriteString("; refused " + r.Error())
	}
	return b.String()
}

// maxShownRefusals bounds the refusals in the text of an error.
const maxShownRefusals = 5

// Unwrap returns everything that the error consists of.
func (e *SyncError) Unwrap() []error { return e.errs }
