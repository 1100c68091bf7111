package rocketchat

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
)

// TwoFactorMethod is a kind of second factor.
type TwoFactorMethod string

// The second factors that a server asks for.
const (
	TwoFactorTOTP     TwoFactorMethod = "totp"     // a code of an authenticator app
	TwoFactorEmail    TwoFactorMethod = "email"    // a code that was mailed
	TwoFactorPassword TwoFactorMethod = "password" // the account's password
)

// TwoFactorChallenge is the server's request for a second factor.
type TwoFactorChallenge struct {
	Op               string            `json:"-"`                        // the call that needs it, such as "users.update"
	Method           TwoFactorMethod   `json:"method"`                   // what the server asks for
	CodeGenerated    bool              `json:"codeGenerated"`            // a code was mailed just now
	CodeExpires      Time              `json:"codeExpires,omitzero"`     // of a code that was mailed before
	AvailableMethods []TwoFactorMethod `json:"availableMethods"`         // what the account has; empty for the password
	EmailOrUsername  string            `json:"emailOrUsername,omitzero"` // who gets the mail

	client *Client
}

// SendEmailCode has the code for a challenge of method [TwoFactorEmail] mailed; while
// an earlier code is valid the server mails none.
func (ch TwoFactorChallenge) SendEmailCode(ctx context.Context) error {
	return ch.client.TwoFactor.SendEmailCode(ctx, ch.EmailOrUsername)
}

// TwoFactorFunc answers a challenge: with the code, or for [TwoFactorPassword] with
// the password itself, which is hashed before it is sent.
type TwoFactorFunc func(ctx context.Context, ch TwoFactorChallenge) (Secret, error)

// TwoFactorError is in the chain of an error of class [ErrTOTPRequired] and holds
// what the server asked for.
type TwoFactorError struct{ Challenge TwoFactorChallenge }

// Error implements error.
func (e *TwoFactorError) Error() string {
	return fmt.Sprintf("a second factor of method %q is needed: see WithTwoFactor", string(e.Challenge.Method))
}

// AnswerWithPassword answers the challenges that ask for the account's password,
// which a server does by default where an account has no other second factor.
func AnswerWithPassword(password Secret) TwoFactorFunc {
	return func(_ context.Context, ch TwoFactorChallenge) (Secret, error) {
		if ch.Method != TwoFactorPassword {
			return Secret{}, &TwoFactorError{Challenge: ch}
		}
		return password, nil
	}
}

// AskForCode asks a person for the code: it writes a question to w and reads a line
// from r. Calls that need a code at the same time ask one after the other. When the
// context of a call ends, its question is dropped, and the next line answers the next
// one. What is typed on a terminal shows, a password too.
func AskForCode(r io.Reader, w io.Writer) TwoFactorFunc {
	var (
		turn   = make(chan struct{}, 1)
		lines  = bufio.NewReader(r)
		answer chan answeredLine // of a question that was dropped, or nil
	)
	return func(ctx context.Context, ch TwoFactorChallenge) (Secret, error) {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return Secret{}, ended(ctx)
		}
		if _, err := fmt.Fprintf(w, "%s needs a second factor (%s): ", ch.Op, ch.Method); err != nil {
			return Secret{}, err
		}
		if answer == nil {
			reading := make(chan answeredLine, 1)
			answer = reading
			go func() {
				text, err := lines.ReadString('\n')
				reading <- answeredLine{text, err}
			}()
		}
		select {
		case line := <-answer:
			answer = nil
			return line.code(ch)
		case <-ctx.Done():
			return Secret{}, ended(ctx)
		}
	}
}

// answeredLine is what a person typed.
type answeredLine struct {
	text string
	err  error
}

func (l answeredLine) code(ch TwoFactorChallenge) (Secret, error) {
	if code := strings.TrimRight(l.text, "\r\n"); code != "" {
		return NewSecret(code), nil
	}
	if l.err != nil {
		return Secret{}, l.err
	}
	return Secret{}, &TwoFactorError{Challenge: ch}
}

// codeKeeps is how long the code of an authenticator app is good for: servers take it
// for a while after its half minute, but not for the length of a window.
const codeKeeps = 20 * time.Second

// prove asks for the code of an authenticator app, now that the call may go: and once
// more if it had to wait since.
func (c *call) prove(ctx context.Context) error {
	if c.challenge == nil || !c.provedAt.IsZero() && time.Since(c.provedAt) < codeKeeps {
		return nil
	}
	c.provedAt = time.Now()
	c.unprovable = c.askTwoFactor(ctx, *c.challenge)
	return c.unprovable
}

// answerTwoFactor has the next attempts carry a second factor.
func (c *call) answerTwoFactor(method TwoFactorMethod, code Secret) {
	if method == TwoFactorPassword {
		code = hashed(code)
	}
	c.factor, c.code = method, code
}

// askTwoFactor answers a challenge with the caller's function.
func (c *call) askTwoFactor(ctx context.Context, ch TwoFactorChallenge) error {
	code, err := c.client.config.twoFactor(ctx, ch)
	if err != nil {
		return err
	}
	if ch.Method == TwoFactorEmail || ch.Method == TwoFactorTOTP {
		code = NewSecret(strings.Join(strings.Fields(code.Reveal()), ""))
	}
	if code.IsZero() {
		return &TwoFactorError{Challenge: ch}
	}
	c.answerTwoFactor(ch.Method, code)
	return nil
}

// hashed is the form in which the server wants a password that proves something.
func hashed(password Secret) Secret {
	sum := sha256.Sum256([]byte(password.Reveal()))
	return NewSecret(hex.EncodeToString(sum[:]))
}
