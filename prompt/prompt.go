// Package prompt asks a person on the terminal for passwords and codes, without showing
// what is typed:
//
//	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
//	defer stop()
//	password, err := prompt.Password(ctx, "Password: ")
//	...
//	client, err := rocketchat.New(url, rocketchat.WithLogin("ann", password.Reveal()),
//		rocketchat.WithTwoFactor(prompt.SecondFactor(password)))
//
// Questions are asked one at a time, on the terminal of the process, so standard input and
// output can be redirected. The terminal is restored after the answer, after Ctrl-C, and
// when the context ends.
//
// It has a module of its own, so that the client does not depend on a terminal library.
package prompt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/rocketchat-go/rocketchat"
)

// Errors of questions that were not answered.
var (
	// ErrNoTerminal: neither standard input nor standard error is a terminal, so nobody can
	// be asked.
	ErrNoTerminal = errors.New("prompt: there is no terminal to ask on")
	// ErrNothingTyped: the answer was empty, or Ctrl-D was typed.
	ErrNothingTyped = errors.New("prompt: nothing was typed")
	// ErrInterrupted: Ctrl-C was typed. It wraps [context.Canceled].
	ErrInterrupted = fmt.Errorf("prompt: interrupted: %w", context.Canceled)
)

// SecondFactor answers challenges with the password if the server asks for it, and
// otherwise asks for the code on the terminal. If password is the zero Secret, it also asks
// for the password, once, and remembers it, even if the server refuses it.
//
// It does not ask before the server has asked; see [rocketchat.TwoFactorChallenge.Ahead].
// Without a terminal, and after an empty answer, the call fails with
// [rocketchat.ErrSecondFactorRequired].
func SecondFactor(password rocketchat.Secret) rocketchat.TwoFactorFunc {
	known := make(chan rocketchat.Secret, 1) // held while a question is asked
	known <- password
	return func(ctx context.Context, ch rocketchat.TwoFactorChallenge) (rocketchat.Secret, error) {
		var password rocketchat.Secret
		select {
		case password = <-known:
			defer func() { known <- password }()
		case <-ctx.Done():
			return rocketchat.Secret{}, ctx.Err()
		}
		wanted := ch.Method == rocketchat.TwoFactorPassword
		switch {
		case wanted && !password.IsZero():
			return password, nil
		case ch.Ahead:
			return rocketchat.Secret{}, nil
		}
		answer, err := Password(ctx, question(ch))
		if errors.Is(err, ErrNoTerminal) || errors.Is(err, ErrNothingTyped) {
			return answer, fmt.Errorf("%w: %w", err, &rocketchat.TwoFactorError{Challenge: ch})
		}
		if err == nil && wanted {
			password = answer
		}
		return answer, err
	}
}

func question(ch rocketchat.TwoFactorChallenge) string {
	what := "a code of the second factor"
	switch ch.Method {
	case rocketchat.TwoFactorPassword:
		what = "the password of the account"
	case rocketchat.TwoFactorTOTP:
		what = "a code of the authenticator app"
	case rocketchat.TwoFactorEmail:
		what = "the code that was mailed"
	}
	return fmt.Sprintf("%s needs %s: ", ch.Op, what)
}

// Password asks for a password: it writes the question to the terminal and reads a line
// without showing it. It returns early if the context ends.
//
// After Ctrl-C the terminal is restored, and Password returns [ErrInterrupted]. The
// process is interrupted as well: on systems with signals it gets SIGINT, which a program
// can catch with [os/signal.NotifyContext].
func Password(ctx context.Context, question string) (rocketchat.Secret, error) {
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return rocketchat.Secret{}, ctx.Err()
	}
	if ctx.Err() != nil { // both channels were ready
		return rocketchat.Secret{}, ctx.Err()
	}
	screen, err := open()
	if err != nil {
		return rocketchat.Secret{}, err
	}
	defer screen.close()
	return screen.ask(ctx, question)
}

// turn is held by the question on the terminal. A process has one terminal.
var turn = make(chan struct{}, 1)

// terminal is the terminal for questions.
type terminal struct {
	in, out *os.File
	own     bool // close in and out at the end
}

// open opens the terminal of the process.
func open() (*terminal, error) {
	typed, shown := isTerminal(os.Stdin), isTerminal(os.Stderr)
	if !typed && !shown {
		return nil, ErrNoTerminal
	}
	in, err := os.OpenFile(inputName, os.O_RDWR, 0)
	if err == nil {
		out, err := os.OpenFile(outputName, os.O_RDWR, 0)
		if err == nil {
			return &terminal{in, out, true}, nil
		}
		_ = in.Close()
	}
	if typed && shown { // the process has no controlling terminal
		return &terminal{in: os.Stdin, out: os.Stderr}, nil
	}
	return nil, ErrNoTerminal
}

func (t *terminal) close() {
	if t.own {
		_ = t.in.Close()
		_ = t.out.Close()
	}
}

func isTerminal(f *os.File) (is bool) {
	_ = withFD(f, func(fd int) { is = term.IsTerminal(fd) })
	return is
}

// withFD lends the descriptor of f. [os.File.Fd] would end its deadlines.
func withFD(f *os.File, use func(fd int)) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Control(func(fd uintptr) { use(int(fd)) })
}

// settling is how long an interrupt may take to end the context.
const settling = time.Second

// ask asks one question.
func (t *terminal) ask(ctx context.Context, question string) (rocketchat.Secret, error) {
	restore, err := t.raw()
	if err != nil {
		return rocketchat.Secret{}, fmt.Errorf("prompt: %w", err)
	}
	answer, err := t.read(ctx, question)
	restore()
	switch {
	case errors.Is(err, ErrInterrupted):
		_ = withFD(t.in, interrupt)
		settled, cancel := context.WithTimeout(ctx, settling) // no other question is asked meanwhile
		defer cancel()
		<-settled.Done()
		return rocketchat.Secret{}, err
	case errors.Is(err, io.EOF), err == nil && answer == "":
		return rocketchat.Secret{}, ErrNothingTyped
	}
	return rocketchat.NewSecret(answer), err
}

// raw makes the terminal deliver every key until restore is called.
func (t *terminal) raw() (restore func(), err error) {
	var before *term.State
	if failed := withFD(t.in, func(fd int) { before, err = term.MakeRaw(fd) }); failed != nil {
		err = failed
	}
	return func() { _ = withFD(t.in, func(fd int) { _ = term.Restore(fd, before) }) }, err
}

type typed struct {
	line string
	err  error
}

// read reads a line. If the context ends first, a read without deadlines is left behind,
// and takes the next line that is typed.
func (t *terminal) read(ctx context.Context, question string) (string, error) {
	done := make(chan typed, 1)
	go func() {
		line, err := term.NewTerminal(keys{t.in, t.out}, "").ReadPassword(question)
		done <- typed{line, err}
	}()
	select {
	case answer := <-done:
		if answer.err != nil {
			_, _ = io.WriteString(t.out, "\r\n")
		}
		return answer.line, answer.err
	case <-ctx.Done():
		if t.in.SetReadDeadline(time.Now()) == nil {
			<-done
			_ = t.in.SetReadDeadline(time.Time{})
		}
		_, _ = io.WriteString(t.out, "\r\n")
		return "", ctx.Err()
	}
}

const controlC = 0x03

// keys reads what is typed, up to Ctrl-C.
type keys struct {
	io.Reader
	io.Writer
}

// Read implements [io.Reader].
func (k keys) Read(p []byte) (int, error) {
	n, err := k.Reader.Read(p)
	if bytes.IndexByte(p[:n], controlC) >= 0 {
		return 0, ErrInterrupted
	}
	return n, err
}
