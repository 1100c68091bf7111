package cli

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rocketchat-go/rocketchat"
)

// UsageError is the error of a wrong command line.
type UsageError struct{ text string }

// Error implements error.
func (e *UsageError) Error() string { return e.text }

// Usage returns the error of a wrong command line.
func Usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// ReportedError is the end of a program that has written all its problems already.
type ReportedError struct{ cause error }

// Reported ends a program with exit code 1, and without another message about cause, which
// may be nil.
func Reported(cause error) error { return &ReportedError{cause} }

// Error implements error.
func (e *ReportedError) Error() string { return fmt.Sprint(e.cause) }

// Unwrap returns the cause.
func (e *ReportedError) Unwrap() error { return e.cause }

// Problems are what is wrong with a file.
type Problems struct {
	File string
	all  []problem
}

type problem struct {
	line int // 0 is the whole file
	text string
}

// Add adds a problem of a line, or with 0 of the whole file.
func (p *Problems) Add(line int, format string, args ...any) {
	p.all = append(p.all, problem{line, fmt.Sprintf(format, args...)})
}

// None reports whether there are no problems.
func (p *Problems) None() bool { return len(p.all) == 0 }

// List returns the problems in the order of the lines, each with the file and the line.
func (p *Problems) List() []string {
	var list []string
	for _, one := range slices.SortedStableFunc(slices.Values(p.all), func(a, b problem) int { return cmp.Compare(a.line, b.line) }) {
		place := p.File
		if one.line > 0 {
			place = fmt.Sprintf("%s:%d", p.File, one.line)
		}
		list = append(list, place+": "+one.text)
	}
	return list
}

// Refuse writes the problems of a file, one a line, and how many there are.
func (s *Session) Refuse(p *Problems) error {
	problems := p.List()
	errs := make([]error, len(problems))
	for i, problem := range problems {
		s.Note("%s", problem)
		errs[i] = errors.New(problem)
	}
	s.Note("%s in %s; nothing was changed", Count(len(problems), "problem", "problems"), p.File)
	return Reported(errors.Join(errs...))
}

// problems are the lines about an error: one for each error that was joined. Problems that
// were written already are left out.
func problems(err error) []string { return linesOf(err, false) }

// allProblems are the problems of a program whose output is JSON.
func allProblems(err error, interrupted bool) []string {
	lines := linesOf(err, true)
	if interrupted {
		lines = append(lines, "interrupted")
	}
	return lines
}

func linesOf(err error, reported bool) []string {
	if r, ok := err.(*ReportedError); ok { //nolint:errorlint // an error that wraps it has something to say
		if !reported {
			return nil
		}
		return linesOf(r.cause, reported)
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && err.Error() == errors.Join(joined.Unwrap()...).Error() {
		var lines []string
		for _, one := range joined.Unwrap() {
			lines = append(lines, linesOf(one, reported)...)
		}
		return lines
	}
	if err == nil || !begun(err) { // the end of the program says that it was interrupted
		return nil
	}
	return []string{Explain(err)}
}

// Explain is the text of an error for somebody who runs a program, rather than for
// somebody who writes one.
func Explain(err error) string {
	text := strings.TrimPrefix(err.Error(), "prompt: ")
	if e, ok := errors.AsType[*rocketchat.Error](err); ok {
		text = strings.Replace(text, e.Error(), explained(e), 1)
	}
	return text
}

func explained(e *rocketchat.Error) string {
	if login, ok := errors.AsType[*rocketchat.Error](e.Unwrap()); ok && login.Op == "login" {
		e = login // the call that needed it does not matter
	}
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
	return goType.ReplaceAllString(strings.TrimPrefix(e.Error(), "rocketchat: "), "")
}

// goType matches the type of an error in its text.
var goType = regexp.MustCompile(` \(\*\w+\.\w+\)`)
