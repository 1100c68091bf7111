package gate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Gate decides when a call may be sent. It is safe for concurrent use.
type Gate interface {
	// Enter waits until the call may be sent, in order of arrival. It fails with a
	// [*WaitError] as soon as it knows that the call cannot be sent within MaxWait or before
	// the deadline of ctx. If ctx ends first, the error wraps the error and the cause of
	// ctx.
	Enter(ctx context.Context, e Entry) (Pass, error)
	// Leave ends the call that Enter let through, and takes note of what its answer said. It
	// never waits for a network. ctx may have ended; only its values are used.
	Leave(ctx context.Context, r Route, p Pass, seen Sighting)
	// Known reports what is known of a route, from memory.
	Known(r Route) (RouteLimit, bool)
}

// Route is what a server counts calls by, and who calls.
type Route struct {
	Server string // host and port, in one spelling for each server
	Method string
	Op     string
	// Caller is the account. A window is shared by all accounts at an address, but
	// some accounts are exempt from it.
	Caller string
}

// Entry is a call that asks to be sent.
type Entry struct {
	Route Route
	// MaxWait bounds the wait. If it is zero, only the context does.
	MaxWait time.Duration
	// Hold is the longest that the call can take. After that its pass expires, so that a
	// call that never leaves does not block others. Zero is [DefaultHold].
	Hold time.Duration
	// Waits, if set, is called at most once, before or during the wait, when its length
	// is known. The length is a lower bound.
	Waits func(time.Duration)
	// Place is the Pass.Place of the last attempt if that was refused. The call then
	// keeps its place in the queue. Zero is a new call.
	Place uint64
}

// DefaultHold is how long a pass lasts if its Entry does not say.
const DefaultHold = 5 * time.Minute

// Pass is a gate's note about a call that it let through.
type Pass struct {
	Number uint64 // for the gate's own use; zero: the call is not counted
	Probe  bool   // the call finds out how many may follow
	Place  uint64 // the call's place in the queue; see Entry.Place
	Note   any    // for the gate's own use
}

// Sighting is what an answer said of a route's limit.
type Sighting struct {
	Kind      Kind
	Limit     int
	Remaining int
	// Window is the moment of the reset as the server sent it, in milliseconds since
	// 1970 by its clock. It identifies the window, though it can differ by some
	// milliseconds from answer to answer.
	Window int64
	// Reset is the time until the window is over, by the server's clock. Zero means that it
	// is unknown if Window is zero, and otherwise that the window is over.
	Reset time.Duration
	Date  time.Time // the server's clock; zero: unknown
}

// Kind is the kind of a [Sighting].
type Kind int

// The kinds of a [Sighting].
const (
	Unsent  Kind = iota // the call was not sent after all
	Lost                // no answer came; the call may have been counted
	Nothing             // an answer that says nothing about limits
	Free                // a success of a Rocket.Chat server without limit headers
	Counted             // the limiter counted the call
	Refused             // the limiter refused the call
)

// RouteLimit is what is known of a route's limit.
type RouteLimit struct {
	Exempt    bool          // the route, or the caller, is not limited
	Limit     int           // calls in one window
	Remaining int           // calls left in the present window
	Reset     time.Duration // until the window is over
	Window    time.Duration // how long a window lasts, as far as is known
}

// WaitError is the error for a call that would have to wait for longer than MaxWait or
// its context allow.
type WaitError struct {
	Wait time.Duration // a lower bound
}

// Error implements error.
func (e *WaitError) Error() string {
	return fmt.Sprintf("the rate limit holds the call back for %s", e.Wait.Round(time.Millisecond))
}

// ErrUnavailable is wrapped by the errors of a gate that cannot decide, because what
// it depends on is not available and it was told not to fall back.
var ErrUnavailable = errors.New("gate: unavailable")

// ended returns the error of a context that has ended, with its cause.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
