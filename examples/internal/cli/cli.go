// Package cli is what the examples have in common: the way to a server, the command
// line, Ctrl-C, and what a person sees while a program works.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// The exit codes of every program.
const (
	done    = 0
	failed  = 1
	misused = 2
)

const farewell = 5 * time.Second // for logging out, when the program was told to stop

// Tool is a program: what its -h tells, and what it does.
type Tool struct {
	Name        string
	Summary     string // what it does, in one or a few lines
	Args        string // what follows the flags, as the usage line shows it
	Permissions string // what the account must be allowed
	Examples    []string
	Changes     bool                // whether it changes a server, and so has -dry-run
	Flags       func(*flag.FlagSet) // its flags; may be nil
	Demo        Demo                // the embedded server
	Run         func(context.Context, *Session) error
}

// Session is what a tool works with.
type Session struct {
	Client *rocketchat.Client
	Demo   *rocketchattest.Server // the embedded server; nil on a real one
	Token  rocketchat.Secret      // what the client was given to act with; "" when it logs in
	Args   []string               // what follows the flags
	DryRun bool

	Stdin          *os.File
	Stdout, Stderr io.Writer

	screen *os.File // standard error, if it is a terminal
}

// Main runs a tool and ends the process.
func Main(t Tool) {
	os.Exit(t.main(os.Args[1:]))
}

func (t Tool) main(args []string) int {
	s := &Session{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, screen: terminal(os.Stderr)}
	switch err := t.parse(args, s); {
	case errors.Is(err, flag.ErrHelp):
		return done
	case err != nil:
		return t.misuse(s, err)
	}

	// The first Ctrl-C ends the context, the second one the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	if err := t.run(ctx, s); err != nil {
		if usage, ok := errors.AsType[*UsageError](err); ok {
			return t.misuse(s, usage)
		}
		s.Note("%s: %v", t.Name, err)
		for _, hint := range t.hints(err) {
			s.Note("  %s", hint)
		}
		return failed
	}
	return done
}

func (t Tool) run(ctx context.Context, s *Session) error {
	if err := s.connect(t.Demo); err != nil {
		return err
	}
	err := t.Run(ctx, s)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	return errors.Join(err, s.Client.Close(last))
}

func (t Tool) parse(args []string, s *Session) error {
	flags := flag.NewFlagSet(t.Name, flag.ContinueOnError)
	flags.SetOutput(s.Stderr)
	if t.Flags != nil {
		t.Flags(flags)
	}
	if t.Changes {
		flags.BoolVar(&s.DryRun, "dry-run", false, "say what would be done, and change nothing")
	}
	flags.Usage = func() {} // a wrong flag has no use for a whole page
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		t.help(flags, s.Stdout)
	}
	s.Args = flags.Args()
	if err == nil && t.Args == "" && len(s.Args) > 0 {
		return Usage("there are no arguments, but %q was given", s.Args[0])
	}
	return err
}

func (t Tool) help(flags *flag.FlagSet, w io.Writer) {
	usage := strings.TrimRight(fmt.Sprintf("go run ./examples/%s [flags] %s", t.Name, t.Args), " ")
	fmt.Fprintf(w, "%s\n\nusage: %s\n\n", t.Summary, usage)
	fmt.Fprint(w, "flags:\n")
	flags.SetOutput(w)
	flags.PrintDefaults()
	fmt.Fprintf(w, "\n%s\npermissions:\n  %s\n\nexamples:\n", environment, t.Permissions)
	for _, example := range t.Examples {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  go run ./examples/%s %s", t.Name, example), " "))
	}
	fmt.Fprint(w, "\nexit code: 0 all done, 1 something failed or was not done, 2 wrong use\n")
}

func (t Tool) misuse(s *Session, err error) int {
	if _, own := errors.AsType[*UsageError](err); own { // package flag has printed its own
		s.Note("%v", err)
	}
	s.Note("go run ./examples/%s -h explains it", t.Name)
	return misused
}

// hints say what to do about an error.
func (t Tool) hints(err error) (hints []string) {
	switch {
	case errors.Is(err, rocketchat.ErrTOTPRequired):
		hints = append(hints, "set ROCKETCHAT_PASSWORD, or run it on a terminal, where it can ask for the code")
	case errors.Is(err, rocketchat.ErrUnauthorized):
		hints = append(hints, "check ROCKETCHAT_USER_ID and ROCKETCHAT_TOKEN, or ROCKETCHAT_USER and ROCKETCHAT_PASSWORD")
	case errors.Is(err, rocketchat.ErrForbidden):
		hints = append(hints, "the account needs: "+t.Permissions)
	case errors.Is(err, rocketchat.ErrUnreachable) && !errors.Is(err, context.Canceled):
		hints = append(hints, "check ROCKETCHAT_URL and the network")
	}
	if errors.Is(err, context.Canceled) {
		hints = append(hints, "it was interrupted")
	}
	return hints
}

// UsageError is a wrong use of a tool.
type UsageError struct{ text string }

// Error implements error.
func (e *UsageError) Error() string { return e.text }

// Usage is the error of a wrong use.
func Usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// Print writes a line of the result.
func (s *Session) Print(format string, args ...any) {
	fmt.Fprintf(s.Stdout, format+"\n", args...)
}

// Note writes a line about the work, which is no part of the result.
func (s *Session) Note(format string, args ...any) {
	fmt.Fprintf(s.Stderr, format+"\n", args...)
}
