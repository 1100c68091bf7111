package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rocketchat-go/rocketchat"
)

// UsageError is a wrong use of a tool.
type UsageError struct{ text string }

// Error implements error.
func (e *UsageError) Error() string { return e.text }

// Usage is the error of a wrong use.
func Usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// ReportedError is the end of a program whose problems were all written already.
type ReportedError struct{ cause error }

// Reported ends a program with exit code 1, and without another word about cause, which
// may be nil.
func Reported(cause error) error { return &ReportedError{cause} }

// Error implements error.
func (e *ReportedError) Error() string { return fmt.Sprint(e.cause) }

// Unwrap returns the cause.
func (e *ReportedError) Unwrap() error { return e.cause }

// problems are the lines about an error: one for each error that was joined.
func problems(err error) []string {
	switch err.(type) { //nolint:errorlint // what wraps it has something to say
	case nil, *ReportedError:
		return nil
	}
	if err == context.Canceled { //nolint:errorlint // which the end of the program tells
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && err.Error() == errors.Join(joined.Unwrap()...).Error() {
		var lines []string
		for _, one := range joined.Unwrap() {
			lines = append(lines, problems(one)...)
		}
		return lines
	}
	return []string{Explain(err)}
}

// Explain is the text of an error for somebody who runs a program, rather than for
// somebody who writes one.
func Explain(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*rocketchat.Error](err); ok {
		text = strings.Replace(text, e.Error(), explained(e), 1)
	}
	return text
}

func explained(e *rocketchat.Error) string {
	switch {
	case strings.HasPrefix(e.Field, "ROCKETCHAT_"):
		return e.Field + " " + e.Message
	case e.Field == "baseURL" && strings.Contains(e.Message, "unencrypted"):
		return "ROCKETCHAT_URL would send credentials unencrypted: use https, or allow it with ROCKETCHAT_PLAIN_HTTP=true"
	case e.Field == "baseURL":
		return "ROCKETCHAT_URL " + e.Message
	case e.Class == rocketchat.ErrSecondFactorRequired:
		method := "unknown"
		if factor, ok := errors.AsType[*rocketchat.TwoFactorError](e); ok {
			method = string(factor.Challenge.Method)
		}
		return fmt.Sprintf("%s needs a second factor (%s)", e.Op, method)
	}
	return strings.TrimPrefix(e.Error(), "rocketchat: ")
}
