package rocketchat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat/gate"
)

// Error is the error of every failed call of this package.
//
// Programs branch on its class, which does not depend on the wording or the version
// of the server:
//
//	if errors.Is(err, rocketchat.ErrNotFound) { … }
//
// or on the server's own code:
//
//	if errors.Is(err, rocketchat.CodeFieldUnavailable) { … }
//
// Details come from [errors.AsType] with *Error, [*TwoFactorError],
// [*LastOwnerError] or [*PasswordPolicyError].
type Error struct {
	Op             string          // the operation, such as "users.update"
	StatusCode     int             // of the answer; 0 if there was none
	Class          Class           // the kind of failure; "" if it is of no class
	Code           Code            // the server's code; "" if it gave none
	Message        string          // the server's text, or what went wrong before there was one
	Field          string          // the argument that is wrong, for a call that was not sent
	Details        json.RawMessage // further details of the server, if any
	Attempts       int             // how often the call was sent
	RetryAfter     time.Duration   // for [ErrRateLimited]: when it can be tried again
	OutcomeUnknown bool            // set for a write that may or may not have taken effect
	Err            error           // the cause, if any, for [errors.Is] and [errors.As]

	foreign bool // the answer did not come from a Rocket.Chat server
	clean   bool // the texts have been sanitized
}

// Class is a kind of failure. It is an error, so that it can be a target of [errors.Is].
type Class string

// The classes of errors.
const (
	// ErrInvalid: an argument is wrong. If [Error.Field] is set, nothing was sent.
	ErrInvalid Class = "invalid"
	// ErrUnauthorized: the credentials are missing, wrong or expired.
	ErrUnauthorized Class = "unauthorized"
	// ErrForbidden: a permission is missing, or a server setting forbids the call.
	ErrForbidden Class = "forbidden"
	// ErrNotFound: the user, token, role or other thing does not exist.
	ErrNotFound Class = "not found"
	// ErrTaken: the username, address or name is in use or reserved.
	ErrTaken Class = "already taken"
	// ErrLastOwner: rooms would lose their last owner; see [LastOwnerError].
	ErrLastOwner Class = "last owner"
	// ErrSecondFactorRequired: the call needs a second factor; see [WithTwoFactor].
	ErrSecondFactorRequired Class = "second factor required"
	// ErrSecondFactorInvalid: the second factor was wrong.
	ErrSecondFactorInvalid Class = "second factor invalid"
	// ErrRateLimited: the rate limit was reached; retry after [Error.RetryAfter].
	ErrRateLimited Class = "rate limited"
	// ErrEndpointUnknown: the server has no such endpoint, usually because it is too old.
	ErrEndpointUnknown Class = "endpoint unknown"
	// ErrServer: the server, or a proxy in front of it, failed (status 500 and above).
	ErrServer Class = "server failed"
	// ErrBadAnswer: the answer is not what a Rocket.Chat server sends.
	ErrBadAnswer Class = "bad answer"
	// ErrRedirected: the server redirected the call. Redirects are not followed, to
	// protect credentials.
	ErrRedirected Class = "redirected"
	// ErrUnreachable: no answer came, because of the network or a timeout.
	ErrUnreachable Class = "unreachable"
	// ErrGateUnavailable: the rate gate of [WithGate] could not decide, and was told not
	// to fall back. Nothing was sent.
	ErrGateUnavailable Class = "gate unavailable"
	// ErrOutcomeUnknown: a write may or may not have taken effect. It comes in addition
	// to the class of the error; see [Error.OutcomeUnknown].
	ErrOutcomeUnknown Class = "outcome unknown"
)

// Error implements error.
func (c Class) Error() string { return string(c) }

// Code is the server's own name for a failure. It is an error, so that it can be a
// target of [errors.Is]. The codes that the library knows are constants.
type Code string

// Error implements error.
func (c Code) Error() string { return string(c) }

// Error says what failed on one line, without URLs, bodies or secrets.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("rocketchat")
	if e.Op != "" {
		b.WriteString(": " + e.Op)
	}
	if e.StatusCode != 0 {
		b.WriteString(": " + strconv.Itoa(e.StatusCode))
	}
	if e.Field != "" {
		b.WriteString(": " + e.Field)
	}
	separator := ": "
	if e.Field != "" {
		separator = " "
	}
	switch {
	case e.Message != "":
		b.WriteString(separator + e.Message)
	case e.Class != "":
		b.WriteString(separator + string(e.Class))
	}
	if e.Code != "" && !strings.Contains(e.Message, string(e.Code)) {
		b.WriteString(" [" + string(e.Code) + "]")
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (retry after %s)", e.RetryAfter.Round(time.Millisecond))
	}
	if e.OutcomeUnknown {
		b.WriteString(" (it may or may not have taken effect)")
	}
	return b.String()
}

// Is reports whether target is the class or the code of e, or [ErrOutcomeUnknown] if
// e.OutcomeUnknown is set.
func (e *Error) Is(target error) bool {
	switch t := target.(type) {
	case Code:
		return t != "" && e.Code == t
	case Class:
		return t != "" && e.Class == t || t == ErrOutcomeUnknown && e.OutcomeUnknown
	}
	return false
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// LogValue implements [slog.LogValuer].
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("op", e.Op),
		slog.Int("status", e.StatusCode),
		slog.String("class", string(e.Class)),
		slog.String("code", string(e.Code)),
		slog.String("message", e.Error()),
		slog.Int("attempts", e.Attempts),
	)
}

// LastOwnerError is in the chain of an error of class [ErrLastOwner]. Repeating the call
// with ConfirmRelinquish set carries out what it describes.
type LastOwnerError struct {
	ShouldBeRemoved   []string `json:"shouldBeRemoved"`   // rooms that would be deleted, by name
	ShouldChangeOwner []string `json:"shouldChangeOwner"` // rooms that would get another owner, by name
}

// Error implements error.
func (e *LastOwnerError) Error() string {
	return fmt.Sprintf("last owner of %d rooms: %d would be removed, %d would change owner",
		len(e.ShouldBeRemoved)+len(e.ShouldChangeOwner), len(e.ShouldBeRemoved), len(e.ShouldChangeOwner))
}

// PasswordPolicyError is in the chain of an error for a password that violates the server's
// policy.
type PasswordPolicyError struct{ Violations []PasswordPolicyViolation }

// PasswordPolicyViolation is a rule that a password violates.
type PasswordPolicyViolation struct {
	Code    Code   `json:"error"`
	Message string `json:"message"`
}

// Error implements error.
func (e *PasswordPolicyError) Error() string {
	rules := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		rules[i] = v.Message
	}
	return strings.Join(rules, "; ")
}

// invalid is the error for an invalid argument.
func invalid(op, field, text string) *Error {
	return &Error{Op: op, Class: ErrInvalid, Field: field, Message: text}
}

func missingContext(op string) *Error { return invalid(op, "ctx", "must not be nil") }

const (
	errAttemptTimeout = plainError("the attempt timed out")
	errTooLarge       = plainError("the answer is larger than WithMaxAnswer allows")
)

// noAnswer is the error of a call without a complete answer.
func noAnswer(c *call, err error) *Error {
	if limited, ok := errors.AsType[*gate.WaitError](err); ok {
		return tooLongWait(c, limited.Wait)
	}
	e := &Error{Op: c.op, Class: ErrUnreachable, Err: err, Attempts: c.tally.attempts, OutcomeUnknown: c.tally.unknown}
	if inner, ok := errors.AsType[*Error](err); ok && inner.Op != c.op { // a log-in that was needed first
		e.Class, e.Code, e.StatusCode, e.RetryAfter = inner.Class, inner.Code, inner.StatusCode, inner.RetryAfter
		e.Err = aside(err)
	}
	switch {
	case errors.Is(err, errNoCredentials), errors.Is(err, errClosed):
		e.Class = ErrUnauthorized
	case errors.Is(err, gate.ErrUnavailable):
		e.Class = ErrGateUnavailable
	case errors.Is(err, errBadUserID), errors.Is(err, errBadToken), errors.Is(err, errBadCode):
		e.Class = ErrInvalid
	case errors.Is(err, errTooLarge):
		e.Class = ErrBadAnswer
	}
	return e
}

// tooLongWait is the error of a call that may not wait as long as the rate limit asks. If
// the server refused the call before, its message is kept.
func tooLongWait(c *call, wait time.Duration) *Error {
	e := &Error{
		Op: c.op, Class: ErrRateLimited, Attempts: c.tally.attempts, OutcomeUnknown: c.tally.unknown,
		Message: "the call would have to wait for the rate limit longer than it may",
	}
	if c.answer.status == http.StatusTooManyRequests {
		e = newError(c)
	}
	e.RetryAfter = wait
	return e
}

// aside is the failure of a call that another call needed first, such as a log-in. The
// outer call was not sent, so its outcome is certain.
func aside(err error) error {
	inner, ok := errors.AsType[*Error](err)
	if !ok || !inner.OutcomeUnknown {
		return err
	}
	certain := *inner
	certain.OutcomeUnknown = false
	return &certain
}

// ended is the error for a context that has ended, with its cause if the caller gave one.
func ended(ctx context.Context) error {
	err, why := ctx.Err(), context.Cause(ctx)
	if errors.Is(why, err) {
		return &endedError{err: why}
	}
	return &endedError{err: err, why: why}
}

// endedError is the end of a context. Its text is the caller's.
type endedError struct{ err, why error } // why may be nil

func (e *endedError) Error() string {
	if e.why == nil {
		return e.err.Error()
	}
	return e.err.Error() + ": " + e.why.Error()
}

func (e *endedError) Unwrap() []error {
	if e.why == nil {
		return []error{e.err}
	}
	return []error{e.err, e.why}
}

// badAnswer is the error of an answer that is not a Rocket.Chat server's.
func badAnswer(c *call, text string, err error) *Error {
	return &Error{
		Op: c.op, StatusCode: c.answer.status, Class: ErrBadAnswer, Message: text, Err: err,
		Attempts: c.tally.attempts, OutcomeUnknown: c.write || c.tally.unknown,
	}
}

// redirected is the error of an answer that redirects the call.
func redirected(c *call) *Error {
	e := &Error{
		Op: c.op, StatusCode: c.answer.status, Class: ErrRedirected, Attempts: c.tally.attempts,
		OutcomeUnknown: c.write || c.tally.unknown, Message: "the answer is a redirect without an address",
	}
	location := c.answer.header.Get("Location")
	if to, err := c.client.baseURL.Parse(location); err == nil && location != "" {
		e.Message = "the answer is a redirect to the host " + to.Host + ", which is not followed"
	}
	return e
}
