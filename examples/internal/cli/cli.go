// Package cli is what the examples have in common: the command line, the way to a server,
// Ctrl-C, and what a person sees while a program works.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// The exit codes of every program.
const (
	done    = 0
	failed  = 1
	misused = 2
)

// Command is what a program does. Its fields are the flags and arguments, with tags for
// package kong.
type Command interface {
	Run(ctx context.Context, s *Session) error
}

// Tool is a program.
type Tool struct {
	Name        string
	Summary     string // what it does, in some paragraphs
	Permissions string // what the account must be allowed
	Examples    []string
	Changes     bool // whether it changes a server, and so has --dry-run
	Results     bool // whether it has results, and so has --json
	Offline     bool // whether it calls no server
	Demo        Demo // the embedded server
	Command     Command
}

// Session is what a command works with.
type Session struct {
	Client *rocketchat.Client
	Demo   *rocketchattest.Server // the embedded server; nil on a real one
	DryRun bool
	JSON   bool

	Stdout, Stderr io.Writer

	screen *os.File // standard error, if it is a terminal
	bar    bar
}

// Main runs a tool and ends the process.
func Main(t Tool) {
	os.Exit(t.main(os.Args[1:]))
}

func (t Tool) main(args []string) int {
	// The first Ctrl-C ends the context, the second one the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	s := &Session{Stdout: os.Stdout, Stderr: os.Stderr}
	if isTerminal(os.Stderr) {
		s.screen = os.Stderr
	}
	helped, err := t.parse(args, s)
	if helped {
		return done
	}
	if err == nil {
		err = t.run(ctx, s)
	}
	return t.end(ctx, s, err)
}

func (t Tool) run(ctx context.Context, s *Session) (err error) {
	if !t.Offline {
		if err := s.connect(ctx, t.Demo); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Client.Close()) }()
	}
	return t.Command.Run(ctx, s)
}

// end says why the program failed, if it did, and returns its exit code.
func (t Tool) end(ctx context.Context, s *Session, err error) int {
	if err == nil {
		return done
	}
	if usage, ok := errors.AsType[*UsageError](err); ok {
		s.Note("%s: %s", t.Name, usage.text)
		s.Note("%s --help explains it", t.Name)
		return misused
	}
	for _, problem := range problems(err) {
		s.Note("%s: %s", t.Name, problem)
	}
	if ctx.Err() != nil {
		s.Note("%s: interrupted", t.Name)
		return failed
	}
	if hint := t.hint(err); hint != "" {
		s.Note("%s: %s", t.Name, hint)
	}
	return failed
}

// hint says what to do about an error.
func (t Tool) hint(err error) string {
	switch {
	case errors.Is(err, rocketchat.ErrSecondFactorRequired):
		return "set ROCKETCHAT_PASSWORD, or run it on a terminal, where it can ask"
	case errors.Is(err, rocketchat.ErrUnauthorized):
		return "check ROCKETCHAT_USER_ID and ROCKETCHAT_TOKEN, or ROCKETCHAT_USER and ROCKETCHAT_PASSWORD"
	case errors.Is(err, rocketchat.ErrForbidden):
		return "the account needs the permissions " + t.Permissions
	case errors.Is(err, rocketchat.ErrUnreachable):
		return "check ROCKETCHAT_URL and the network"
	}
	return ""
}

// parse reads the command line. It reports whether that asked for help, which was printed.
func (t Tool) parse(args []string, s *Session) (helped bool, err error) {
	options := []kong.Option{
		kong.Name(t.Name), kong.Description(t.Summary), kong.Writers(s.Stdout, s.Stderr), kong.Help(t.help),
		kong.Exit(func(int) { helped = true }),
	}
	var dry struct {
		DryRun bool `help:"Say what would be done, and change nothing."`
	}
	var form struct {
		JSON bool `name:"json" help:"Write the result as JSON."`
	}
	if t.Changes {
		options = append(options, kong.Embed(&dry))
	}
	if t.Results {
		options = append(options, kong.Embed(&form))
	}
	parser, err := kong.New(t.Command, options...)
	if err != nil {
		return false, err
	}
	_, err = parser.Parse(doubleDashes(parser.Model, args))
	s.DryRun, s.JSON = dry.DryRun, form.JSON
	if err != nil && !helped {
		return false, Usage("%v", err)
	}
	return helped, nil
}

// doubleDashes accepts -flag for --flag, as Go's own programs do.
func doubleDashes(app *kong.Application, args []string) []string {
	long := make(map[string]bool)
	for _, group := range app.AllFlags(false) {
		for _, flag := range group {
			long[flag.Name] = len(flag.Name) > 1
		}
	}
	var accepted []string
	for i, arg := range args {
		if arg == "--" {
			return append(accepted, args[i:]...)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && long[name] {
			arg = "-" + arg
		}
		accepted = append(accepted, arg)
	}
	return accepted
}

// help prints what kong knows of the program, and what it does not.
func (t Tool) help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	var b strings.Builder
	if !t.Offline {
		fmt.Fprintf(&b, "\n%s\nPermissions:\n  %s\n", environment, t.Permissions)
	}
	fmt.Fprint(&b, "\nExamples:\n")
	for _, example := range t.Examples {
		fmt.Fprintln(&b, "  "+strings.TrimSpace(t.Name+" "+example))
	}
	fmt.Fprint(&b, "\nExit code: 0 if all was done, 1 if something failed or was not done, 2 for wrong use.\n")
	_, err := io.WriteString(ctx.Stdout, b.String())
	return err
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
