package rocketchat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Error is what every failed call of this package returns.
//
// Programs branch on its class, which does not depend on the wording or the version
// of the server:
//
//	if errors.Is(err, rocketchat.ErrNotFound) { … }
//
// or on the server's own code:
//
//	if errors.Is(err, rocketchat.Code("error-field-unavailable")) { … }
//
// Details come from [errors.AsType] with *Error, [*TwoFactorError],
// [*LastOwnerError] or [*PasswordPolicyError].
type Error struct {
	Op             string          // the operation, such as "users.update"
	StatusCode     int             // of the answer; 0 when there was none
	Class          Class           // what kind of failure it is; "" when it is of no class
	Code           Code            // the server's code; "" when it gave none
	Message        string          // the server's text, or what went wrong on the way
	Field          string          // the argument that is wrong, for a call that was not sent
	Details        json.RawMessage // what the server says besides, if anything
	Attempts       int             // how often the call was sent
	RetryAfter     time.Duration   // for [ErrRateLimited]: when it can be tried again
	OutcomeUnknown bool            // a write that may or may not have happened
	Err            error           // the cause, if there is one

	foreign bool // the answer was none of a Rocket.Chat server
}

// Class is a kind of failure. It is an error, to be a target of [errors.Is].
type Class string

// The classes of errors.
const (
	// ErrInvalid: an argument is wrong. With a [Error.Field], nothing was sent.
	ErrInvalid Class = "invalid"
	// ErrUnauthorized: the credentials are missing, wrong or expired.
	ErrUnauthorized Class = "unauthorized"
	// ErrForbidden: a permission is missing, or a setting of the server forbids it.
	ErrForbidden Class = "forbidden"
	// ErrNotFound: the user, token, role or other thing that was named does not exist.
	ErrNotFound Class = "not found"
	// ErrTaken: the username, address or name is in use or reserved.
	ErrTaken Class = "already taken"
	// ErrLastOwner: rooms would lose their last owner; see [LastOwnerError].
	ErrLastOwner Class = "last owner"
	// ErrTOTPRequired: the call needs a second factor of any method; see [WithTwoFactor].
	ErrTOTPRequired Class = "second factor required"
	// ErrTOTPInvalid: the second factor was wrong.
	ErrTOTPInvalid Class = "second factor invalid"
	// ErrRateLimited: the server refuses for the time of [Error.RetryAfter].
	ErrRateLimited Class = "rate limited"
	// ErrEndpointUnknown: the server has no such endpoint, mostly because it is too old.
	ErrEndpointUnknown Class = "endpoint unknown"
	// ErrServer: the server, or a proxy before it, failed (status 500 and above).
	ErrServer Class = "server failed"
	// ErrBadAnswer: the answer is not what a Rocket.Chat server sends.
	ErrBadAnswer Class = "bad answer"
	// ErrRedirected: the server wants the call made elsewhere. It was not: credentials do not travel.
	ErrRedirected Class = "redirected"
	// ErrUnreachable: no answer came, because of the network or the time allowed.
	ErrUnreachable Class = "unreachable"
	// ErrOutcomeUnknown: a write that may or may not have happened. An error of any
	// class can be this too.
	ErrOutcomeUnknown Class = "outcome unknown"
)

// Error implements error.
func (c Class) Error() string { return string(c) }

// Code is the server's own name for a failure. It is an error, to be a target of
// [errors.Is].
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
	switch {
	case e.Message != "":
		b.WriteString(" " + e.Message)
	case e.Class != "":
		b.WriteString(" " + string(e.Class))
	}
	if e.Code != "" && !strings.Contains(e.Message, string(e.Code)) {
		b.WriteString(" [" + string(e.Code) + "]")
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " (try again in %s)", e.RetryAfter.Round(time.Millisecond))
	}
	if e.OutcomeUnknown {
		b.WriteString(" (it may or may not have happened)")
	}
	return b.String()
}

// Is reports whether target is the class or the code of e, or [ErrOutcomeUnknown]
// for an e that is that.
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

// LastOwnerError is in the chain of an error of class [ErrLastOwner]. Repeating the
// call with its option to relinquish ownership goes on with what it says.
type LastOwnerError struct {
	ShouldBeRemoved   []string `json:"shouldBeRemoved"`   // rooms that would be deleted, by name
	ShouldChangeOwner []string `json:"shouldChangeOwner"` // rooms that would get another owner, by name
}

// Error implements error.
func (e *LastOwnerError) Error() string {
	return fmt.Sprintf("last owner of %d rooms: %d would be removed, %d would change owner",
		len(e.ShouldBeRemoved)+len(e.ShouldChangeOwner), len(e.ShouldBeRemoved), len(e.ShouldChangeOwner))
}

// PasswordPolicyError is in the chain of an error about a password that the server's
// policy refuses.
type PasswordPolicyError struct{ Violations []PasswordPolicyViolation }

// PasswordPolicyViolation is one rule that a password breaks.
type PasswordPolicyViolation struct {
	Code    Code   `json:"error"`
	Message string `json:"message"`
}

// Error implements error.
func (e *PasswordPolicyError) Error() string {
	rules := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		rules[i] = oneLine(v.Message)
	}
	return strings.Join(rules, "; ")
}

// invalid is the error for an argument that no server would take.
func invalid(op, field, text string) *Error {
	return &Error{Op: op, Class: ErrInvalid, Field: field, Message: text}
}

// errAttemptTimeout is the cause of an attempt that took too long.
var errAttemptTimeout = errors.New("the attempt timed out")

// errTooLarge is the cause of an answer beyond [WithMaxAnswer].
var errTooLarge = errors.New("the answer is too large")

// noAnswer is the error of a call that got no answer, or not a whole one.
func noAnswer(c *call, err error) *Error {
	e := &Error{Op: c.op, Class: ErrUnreachable, Err: err, Attempts: c.attempts, OutcomeUnknown: c.unknown}
	if limited, ok := errors.AsType[*RateLimitError](err); ok {
		e.Class, e.RetryAfter, e.Err = ErrRateLimited, limited.Wait, nil
		e.Message = "the call would have to wait longer than it may"
		return e
	}
	if inner, ok := errors.AsType[*Error](err); ok && inner.Op != c.op { // a log-in that was needed first
		e.Class, e.Code, e.StatusCode, e.RetryAfter = inner.Class, inner.Code, inner.StatusCode, inner.RetryAfter
		e.Err = aside(err)
	}
	switch {
	case errors.Is(err, errNoCredentials):
		e.Class = ErrUnauthorized
	case errors.Is(err, errTooLarge):
		e.Class = ErrBadAnswer
	}
	return e
}

// aside is the failure of a call that another one needed, such as a log-in. What is
// unknown of it is not unknown of the other, which was not sent.
func aside(err error) error {
	inner, ok := errors.AsType[*Error](err)
	if !ok || !inner.OutcomeUnknown {
		return err
	}
	certain := *inner
	certain.OutcomeUnknown = false
	return &certain
}

// ended is why ctx is over: its cause too, if the caller gave one.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// badAnswer is the error of an answer that is not a Rocket.Chat server's.
func badAnswer(c *call, text string, cause error) *Error {
	return &Error{
		Op: c.op, StatusCode: c.status, Class: ErrBadAnswer, Message: text, Err: cause,
		Attempts: c.attempts, OutcomeUnknown: c.write || c.unknown,
	}
}

// oneLine makes a server's text fit for an error: one line of bounded length,
// without addresses.
func oneLine(text string) string {
	words := strings.Fields(text)
	for i, w := range words {
		if at := strings.Index(w, "://"); at > 0 {
			words[i] = w[:strings.LastIndexFunc(w[:at], func(r rune) bool { return r < 'a' || r > 'z' })+1] + "[address]"
		}
	}
	text = strings.Join(words, " ")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}
