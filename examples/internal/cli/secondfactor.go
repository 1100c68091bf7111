package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/rocketchat-go/rocketchat"
)

// secondFactor answers with the password where it is known and asked for, and asks a
// person where there is one. What was typed is remembered: a hundred updates would ask a
// hundred times.
func (s *Session) secondFactor(password rocketchat.Secret) rocketchat.TwoFactorFunc {
	var one sync.Mutex
	person := rocketchat.AskForCode(s.Stdin, s.Stderr)
	return func(ctx context.Context, ch rocketchat.TwoFactorChallenge) (_ rocketchat.Secret, err error) {
		one.Lock()
		defer one.Unlock()
		switch {
		case ch.Method == rocketchat.TwoFactorPassword && !password.IsZero():
			return password, nil
		case s.screen == nil || terminal(s.Stdin) == nil:
			return rocketchat.Secret{}, &rocketchat.TwoFactorError{Challenge: ch}
		case ctx.Err() != nil:
			return rocketchat.Secret{}, ctx.Err()
		case ch.Method != rocketchat.TwoFactorPassword:
			return person(ctx, ch)
		}
		password, err = s.ask(ch.Op + " needs the password of the account: ")
		return password, err
	}
}

var errNotTyped = errors.New("no password was typed")

// ask has a person type a secret, which is not shown.
func (s *Session) ask(question string) (rocketchat.Secret, error) {
	keyboard := int(s.Stdin.Fd())
	before, err := term.MakeRaw(keyboard)
	if err != nil {
		return rocketchat.Secret{}, err
	}
	defer func() { _ = term.Restore(keyboard, before) }()
	typed, err := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{s.Stdin, s.screen}, "").ReadPassword(question)
	if errors.Is(err, io.EOF) { // Ctrl-C or Ctrl-D
		err = errNotTyped
	}
	return rocketchat.NewSecret(typed), err
}

// terminal returns f if it is a terminal, else nil.
func terminal(f *os.File) *os.File {
	if term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}
