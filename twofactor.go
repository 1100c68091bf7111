package rocketchat

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
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
	Method           TwoFactorMethod   `json:"method"`                   // the factor that the server asks for
	CodeGenerated    bool              `json:"codeGenerated"`            // a code has just been mailed
	CodeExpires      Time              `json:"codeExpires,omitzero"`     // of a code that was mailed before
	AvailableMethods []TwoFactorMethod `json:"availableMethods"`         // what the account has; empty for the password
	EmailOrUsername  string            `json:"emailOrUsername,omitzero"` // who gets the mail

	// Ahead is set if the server has not asked yet, but is expected to, because it asked for
	// earlier calls of Op. Answering now saves a request. Returning the zero Secret waits
	// until the server asks, which is better for functions that have to ask a person.
	Ahead bool `json:"-"`

	client *Client
}

// SendEmailCode has the server mail the code for a challenge of method [TwoFactorEmail].
// While an earlier code is valid, servers do not mail another.
func (ch TwoFactorChallenge) SendEmailCode(ctx context.Context) error {
	if ch.client == nil {
		return invalid("users.2fa.sendEmailCode", "TwoFactorChallenge", "must be one that a server sent")
	}
	return ch.client.TwoFactor.sendEmailCode(ctx, ch.EmailOrUsername, nil)
}

// TwoFactorFunc answers a challenge: with the code, or for [TwoFactorPassword] with the
// password itself, which is hashed before it is sent.
type TwoFactorFunc func(ctx context.Context, ch TwoFactorChallenge) (Secret, error)

// TwoFactorError is in the chain of an error of class [ErrSecondFactorRequired]. It
// holds what the server asked for.
type TwoFactorError struct{ Challenge TwoFactorChallenge }

// Error implements error.
func (e *TwoFactorError) Error() string {
	return fmt.Sprintf("a second factor of method %q is needed; WithTwoFactor can provide it", string(e.Challenge.Method))
}

// AnswerWithPassword answers challenges that ask for the account's password, as servers
// do by default for accounts that have no other second factor.
func AnswerWithPassword(password Secret) TwoFactorFunc {
	return func(_ context.Context, ch TwoFactorChallenge) (Secret, error) {
		if ch.Method != TwoFactorPassword {
			return Secret{}, &TwoFactorError{Challenge: ch}
		}
		return password, nil
	}
}

// AskForCode asks a person for the code: it writes a question to w and reads a line from r.
// Calls that need a code at the same time ask one after the other. If the context of a call
// ends, its question is dropped, and the next line answers the next question.
//
// A terminal shows what is typed. Package github.com/rocketchat-go/rocketchat/prompt asks
// on a terminal without showing it.
func AskForCode(r io.Reader, w io.Writer) TwoFactorFunc {
	var (
		turn   = make(chan struct{}, 1)
		lines  = bufio.NewReader(r)
		answer chan typedLine // of a question that was dropped, or nil
	)
	return func(ctx context.Context, ch TwoFactorChallenge) (Secret, error) {
		if ch.Ahead {
			return Secret{}, nil
		}
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
			reading := make(chan typedLine, 1)
			answer = reading
			go func() {
				text, err := lines.ReadString('\n')
				reading <- typedLine{text, err}
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

// typedLine is what a person typed.
type typedLine struct {
	text string
	err  error
}

func (l typedLine) code(ch TwoFactorChallenge) (Secret, error) {
	if code := strings.TrimRight(l.text, "\r\n"); code != "" {
		return NewSecret(code), nil
	}
	if l.err != nil {
		return Secret{}, l.err
	}
	return Secret{}, &TwoFactorError{Challenge: ch}
}

// proof is the second factor of a call.
type proof struct {
	method TwoFactorMethod // "" for none
	code   Secret          // as it is sent
	typed  Secret          // as it was given

	challenge *TwoFactorChallenge // to answer after the gate has admitted the call, because codes expire
	provedAt  time.Time
	ahead     bool  // the server has not asked for this call
	refusal   error // the server's request for a factor
	failed    error // why the challenge could not be answered
}

// give sets the second factor for later attempts.
func (p *proof) give(method TwoFactorMethod, code Secret) error {
	p.typed = code
	switch method {
	case TwoFactorPassword:
		code = hashed(code)
	default:
		code = NewSecret(strings.Join(strings.Fields(code.Reveal()), ""))
	}
	if !fitsHeader(code.Reveal()) || !fitsHeader(string(method)) {
		return errBadCode
	}
	p.method, p.code = method, code
	return nil
}

// lookingUp are the options for a call that another one needs first. A second factor given
// for that one stays with it.
func lookingUp(opts []CallOption) []CallOption {
	return append(slices.Clone(opts), callOption(func(s *callSettings) error {
		s.factor, s.factorCode, s.factorTyped = "", Secret{}, Secret{}
		return nil
	}))
}

// needsFactor reports whether there is a challenge that the client can answer.
func (c *call) needsFactor(err error) bool {
	needed, ok := errors.AsType[*TwoFactorError](err)
	return ok && errors.Is(err, ErrSecondFactorRequired) && c.client.config.twoFactor != nil &&
		c.settings.factor == "" && needed.Challenge.Op == c.op
}

// giveFactor answers the challenge in refusal.
func (c *call) giveFactor(ctx context.Context, refusal error) error {
	needed, _ := errors.AsType[*TwoFactorError](refusal)
	c.proof = proof{refusal: refusal}
	if needed.Challenge.Method == TwoFactorTOTP {
		c.proof.challenge = &needed.Challenge
		return nil
	}
	if err := c.askFactor(ctx, needed.Challenge); err != nil {
		return c.unanswered(refusal, err)
	}
	return nil
}

// askFactor answers a challenge with the client's function.
func (c *call) askFactor(ctx context.Context, ch TwoFactorChallenge) error {
	code, err := c.client.config.twoFactor(ctx, ch)
	switch {
	case err != nil:
		return &callerError{err}
	case code.IsZero():
		return &TwoFactorError{Challenge: ch}
	}
	return c.proof.give(ch.Method, code)
}

// unanswered is the refusal of a call whose challenge could not be answered.
func (c *call) unanswered(refusal, err error) error {
	if e, ok := errors.AsType[*Error](refusal); ok {
		e.Attempts, e.OutcomeUnknown = c.tally.attempts, c.tally.unknown // there may have been attempts since
		e.Err = errors.Join(aside(err), e.Err)
	}
	return refusal
}

// codeKeeps is how long a code of an authenticator app is used. Servers accept it for a
// while after its half minute, but not for a whole window.
const codeKeeps = 20 * time.Second

// prove gets the code of an authenticator app after the gate has admitted the call, and
// again if the call had to wait since.
func (c *call) prove(ctx context.Context) error {
	p := &c.proof
	if p.challenge == nil || !p.provedAt.IsZero() && time.Since(p.provedAt) < codeKeeps {
		return nil
	}
	p.provedAt = time.Now()
	err := c.askFactor(ctx, *p.challenge)
	if err != nil && p.ahead { // then the server asks
		c.proof = proof{}
		return nil
	}
	p.failed = err
	return err
}

// secondFactors remembers which operations ask the client's account for a second factor.
// Servers ask for every call, so sending the answer along halves the requests.
type secondFactors struct {
	mu    sync.Mutex
	asked map[string]TwoFactorChallenge // by op
}

// bringFactor adds the second factor before the server asks, if it asked for earlier calls
// of the operation and no person has to be asked.
func (c *call) bringFactor() {
	if c.settings.factor != "" {
		c.proof.method, c.proof.code, c.proof.typed = c.settings.factor, c.settings.factorCode, c.settings.factorTyped
		return
	}
	if c.client.config.twoFactor == nil || c.anonymous {
		return
	}
	factors := c.client.config.factors
	factors.mu.Lock()
	ch, ok := factors.asked[c.op]
	factors.mu.Unlock()
	if !ok {
		return
	}
	ch.Ahead, ch.client = true, c.client
	c.proof = proof{ahead: true, challenge: &ch}
}

// factorAccepted remembers the operation of a call that succeeded with a second factor.
func (c *call) factorAccepted() {
	ch := c.proof.challenge
	if needed, ok := errors.AsType[*TwoFactorError](c.proof.refusal); ok {
		ch = &needed.Challenge
	}
	if ch == nil || c.proof.ahead || ch.Method == TwoFactorEmail || c.anonymous {
		return
	}
	factors := c.client.config.factors
	factors.mu.Lock()
	defer factors.mu.Unlock()
	if factors.asked == nil {
		factors.asked = make(map[string]TwoFactorChallenge)
	}
	factors.asked[c.op] = TwoFactorChallenge{Op: ch.Op, Method: ch.Method, AvailableMethods: ch.AvailableMethods}
}

// broughtWrongFactor reports whether the server refused a factor that it had not asked for.
func (c *call) broughtWrongFactor(err error) bool {
	return c.proof.ahead && c.proof.method != "" && errors.Is(err, ErrSecondFactorInvalid)
}

// dropFactor forgets that the operation asks, and sends the call without a factor.
func (c *call) dropFactor(context.Context, error) error {
	factors := c.client.config.factors
	factors.mu.Lock()
	defer factors.mu.Unlock()
	delete(factors.asked, c.op)
	c.proof = proof{}
	return nil
}

// hashed is the form in which servers expect a password as a second factor.
func hashed(password Secret) Secret {
	sum := sha256.Sum256([]byte(password.Reveal()))
	return NewSecret(hex.EncodeToString(sum[:]))
}
