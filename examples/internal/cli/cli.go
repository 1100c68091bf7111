// Package cli is shared by the examples: the command line, the connection to a server,
// Ctrl-C, and the output for people.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/jedib0t/go-pretty/v6/text"
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

// Command is the work of a program. Its fields are the flags and arguments, with tags for
// package kong.
type Command interface {
	Run(ctx context.Context, s *Session) error
}

// Tool is a program.
type Tool struct {
	Name        string
	Summary     string // what it does, in some paragraphs
	Permissions string // that the account needs
	Examples    []string
	Changes     bool                // whether it changes a server, and so has --dry-run
	Results     bool                // whether it has results, and so has --json
	Offline     bool                // whether it calls no server
	Demo        Demo                // the embedded server
	Options     []rocketchat.Option // of the client, besides those that every tool has
	Command     Command
}

// Session is the environment of a running command.
type Session struct {
	Client *rocketchat.Client
	Demo   *rocketchattest.Server // the embedded server; nil on a real one
	DryRun bool
	JSON   bool

	Stdout, Stderr io.Writer

	screen *os.File // standard error, if it is a terminal
	bar    bar
	wrote  bool // whether a result was written as JSON
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
	signal.Ignore(syscall.SIGPIPE) // writing to a pipe without a reader fails, and ends the work in good order

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := &stdout{file: os.Stdout, stop: cancel}
	s := &Session{Stdout: results, Stderr: os.Stderr}
	if isTerminal(os.Stderr) {
		s.screen = os.Stderr
	}
	helped, err := t.parse(args, s)
	if err == nil && !helped {
		err = t.run(ctx, s)
	}
	if failure := results.failure(); failure != nil {
		return t.unwritten(s, failure)
	}
	return t.end(ctx, s, err)
}

// unwritten is the end of a program whose result could not be written.
func (t Tool) unwritten(s *Session, failure error) int {
	if path, ok := errors.AsType[*fs.PathError](failure); ok {
		failure = path.Err
	}
	if !unread(failure) {
		s.Note("%s: cannot write to standard output: %v", t.Name, failure)
	}
	return failed
}

func (t Tool) run(ctx context.Context, s *Session) (err error) {
	if !t.Offline {
		if err := s.connect(ctx, t.Demo, t.Options); err != nil {
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
	interrupted := ctx.Err() != nil
	if s.JSON && !s.wrote { // a script that expects JSON gets some
		_ = s.WriteJSON(map[string][]string{"errors": allProblems(err, interrupted)})
	}
	if interrupted {
		s.Note("%s: interrupted", t.Name)
	} else if hint := t.hint(err); hint != "" {
		s.Note("%s: %s", t.Name, hint)
	}
	return failed
}

// hint says what to do about an error.
func (t Tool) hint(err error) string {
	switch {
	case errors.Is(err, rocketchat.ErrSecondFactorRequired):
		if factor, ok := errors.AsType[*rocketchat.TwoFactorError](err); ok && factor.Challenge.Method != rocketchat.TwoFactorPassword {
			return "run it on a terminal, where it can ask for the code"
		}
		return "set ROCKETCHAT_PASSWORD, or run it on a terminal, where it can ask"
	case errors.Is(err, rocketchat.ErrSecondFactorInvalid):
		return "the second factor was wrong; codes of an authenticator app also need the right time on both devices"
	case errors.Is(err, rocketchat.ErrUnauthorized):
		return "check ROCKETCHAT_USER_ID and ROCKETCHAT_TOKEN, or ROCKETCHAT_USER and ROCKETCHAT_PASSWORD"
	case errors.Is(err, rocketchat.ErrForbidden):
		return "the account needs the permissions " + t.Permissions
	case errors.Is(err, rocketchat.ErrUnreachable):
		return "check ROCKETCHAT_URL and the network"
	case errors.Is(err, rocketchat.ErrEndpointUnknown):
		return "check ROCKETCHAT_URL: there is no Rocket.Chat server at this address, or it is too old"
	case errors.Is(err, rocketchat.ErrRedirected), errors.Is(err, rocketchat.ErrBadAnswer):
		return "check ROCKETCHAT_URL: this may not be the address of a Rocket.Chat server"
	}
	return ""
}

// parse reads the command line. It reports whether that asked for help, which was printed.
func (t Tool) parse(args []string, s *Session) (helped bool, err error) {
	to := s.Stdout
	if terminal := terminalOf(to); terminal != nil {
		to = terminal // kong gets the width from a file
	}
	options := []kong.Option{
		kong.Name(t.Name), kong.Description(t.Summary), kong.Writers(to, s.Stderr), kong.Help(t.help),
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
		return false, Usage("%s", explainFlag(err.Error()))
	}
	return helped, nil
}

// flagErrors are the messages of kong that speak of types, and how an operator would say
// it.
var flagErrors = []struct {
	kong  *regexp.Regexp
	plain string
}{
	{regexp.MustCompile(`: expected a valid \d+ bit u?int but got (".*")$`), " must be a whole number, not $1"},
	{regexp.MustCompile(`: expected a float but got (".*") \(\w+\)$`), " must be a number, not $1"},
	{regexp.MustCompile(`: expected duration but got (".*"): .*$`), " must be a time such as 30s or 5m, not $1"},
	{regexp.MustCompile(`: expected "<key>=<value>" but got (".*")$`), " must be NAME=VALUE, not $1"},
	{regexp.MustCompile(`: bool value must be .* but got (".*")$`), " must be true or false, not $1"},
	{regexp.MustCompile(`: expected \w+ value but got (".*") \(.*$`), " needs a value before $1"},
	{regexp.MustCompile(`: expected \w+ value but got "EOL" \(EOL\)$`), " needs a value"},
}

func explainFlag(message string) string {
	for _, e := range flagErrors {
		message = e.kong.ReplaceAllString(message, e.plain)
	}
	return message
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

// help prints the help of kong, and after it the environment, the permissions, the
// examples and the exit codes.
func (t Tool) help(options kong.HelpOptions, ctx *kong.Context) error {
	limit := cmp.Or(width(ctx.Stdout), helpWidth)
	var b strings.Builder
	if limit < twoColumns {
		t.narrowHelp(&b, ctx, limit)
	} else if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	section := func(title string, lines ...string) {
		fmt.Fprintf(&b, "\n%s:\n", title)
		for _, line := range lines {
			fmt.Fprintln(&b, wrap("  "+line, limit))
		}
	}
	if !t.Offline {
		section("Environment", environment...)
		section("Permissions", t.Permissions)
	}
	examples := make([]string, len(t.Examples))
	for i, example := range t.Examples {
		examples[i] = strings.TrimSpace(t.Name + " " + example)
		if text.StringWidth(examples[i])+len("  ") > limit {
			examples[i] = strings.ReplaceAll(examples[i], " --", " \\\n    --")
		}
	}
	fmt.Fprintf(&b, "\nExamples:\n  %s\n", strings.Join(examples, "\n  "))
	section("Exit code", "0 if all was done, 1 if something failed or was not done, 2 for wrong use.")
	_, err := io.WriteString(ctx.Stdout, b.String())
	return err
}

const (
	helpWidth  = 80 // where the width of the terminal is not known
	twoColumns = 60 // the least that kong needs for its flags and their explanations
)

// narrowHelp is the help of kong with the explanations below the flags.
func (t Tool) narrowHelp(b *strings.Builder, ctx *kong.Context, limit int) {
	fmt.Fprintln(b, wrap("Usage: "+t.Name+ctx.Model.Summary(), limit))
	for paragraph := range strings.SplitSeq(t.Summary, "\n\n") {
		fmt.Fprintf(b, "\n%s\n", trimLines(text.WrapSoft(paragraph, limit)))
	}
	item := func(name, help string) { fmt.Fprintf(b, "  %s\n%s\n", name, wrap("    "+help, limit)) }
	if len(ctx.Model.Positional) > 0 {
		fmt.Fprint(b, "\nArguments:\n")
	}
	for _, argument := range ctx.Model.Positional {
		item(argument.Summary(), argument.Help)
	}
	fmt.Fprint(b, "\nFlags:\n")
	for _, group := range ctx.Model.AllFlags(true) {
		for _, flag := range group {
			name := "--" + flag.Name
			if !flag.IsBool() {
				name += "=" + flag.FormatPlaceHolder()
			}
			item(name, flag.Help)
		}
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
