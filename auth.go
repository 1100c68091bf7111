package rocketchat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rocketchat-go/rocketchat/gate"
)

// Credentials identify a caller to the server.
type Credentials struct {
	UserID string
	Token  Secret // a login token or a personal access token
	// Bearer sends Token as an OAuth access token, in the header Authorization. UserID
	// is not sent then.
	Bearer bool
}

// CredentialsProvider provides the credentials of calls.
type CredentialsProvider interface {
	// Credentials is called with zero credentials before every attempt of a call, so it
	// should return quickly. After a 401 it is called once with the credentials that the
	// server refused. If it returns others, the call is repeated with them; if it returns
	// the same, the call fails.
	Credentials(ctx context.Context, refused Credentials) (Credentials, error)
}

// NamedProvider is a [CredentialsProvider] that knows the account of its credentials.
// Clients for one account then share what the rate gate knows about it.
type NamedProvider interface {
	CredentialsProvider
	// Account returns a name for the account, such as its user ID. Gates see only a hash of
	// it.
	Account() string
}

// callerName identifies an account to gates. It is hashed, because it may be an email
// address.
func callerName(account string) string {
	sum := sha256.Sum256([]byte("rocketchat caller\x00" + account))
	return hex.EncodeToString(sum[:8])
}

// anonymous is the provider of a client without credentials.
type anonymous struct{}

func (anonymous) Credentials(context.Context, Credentials) (Credentials, error) {
	return Credentials{}, errNoCredentials
}

const errNoCredentials = plainError("the call needs credentials: give the client WithToken, WithLogin or WithCredentials")

// staticCredentials never change.
type staticCredentials Credentials

func (c staticCredentials) Credentials(context.Context, Credentials) (Credentials, error) {
	return Credentials(c), nil
}

// check rejects credentials that net/http would refuse to send.
func (c Credentials) check() error {
	switch {
	case !fitsHeader(c.UserID):
		return &notSentError{errBadUserID}
	case !fitsHeader(c.Token.Reveal()):
		return &notSentError{errBadToken}
	}
	return nil
}

const (
	errBadUserID = plainError("the user ID has a character that no header can hold")
	errBadToken  = plainError("the token has a character that no header can hold, such as the line feed at the end of a file")
	errBadCode   = plainError("the second factor has a character that no header can hold")
)

func fitsHeader(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// isToken reports whether text can be the name of a header.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

// cookies are the credentials for pictures, for which servers ignore headers.
func (c Credentials) cookies() string {
	return "rc_uid=" + url.PathEscape(c.UserID) + "; rc_token=" + url.PathEscape(c.Token.Reveal())
}

// sign determines the credentials of the next attempt.
func (c *call) sign(ctx context.Context) error {
	if c.anonymous {
		return nil
	}
	credentials, err := c.provide(ctx, Credentials{})
	if c.optional && errors.Is(err, errNoCredentials) {
		err = nil
	}
	if err == nil {
		err = credentials.check()
	}
	if err != nil {
		return err
	}
	c.credentials = credentials
	return nil
}

// provide asks the client's provider. A session logs in on behalf of the call.
func (c *call) provide(ctx context.Context, refused Credentials) (Credentials, error) {
	switch provider := c.client.config.credentials.(type) {
	case *session:
		return provider.credentials(ctx, c, refused)
	default:
		credentials, err := provider.Credentials(ctx, refused)
		if err != nil && !errors.Is(err, errNoCredentials) {
			err = &callerError{err}
		}
		return credentials, err
	}
}

// accepted tells a session that the server took its credentials.
func (c *call) accepted() {
	if session, ok := c.client.config.credentials.(*session); ok && c.answer.status < 500 && c.answer.status != 401 {
		session.accepted(c.credentials)
	}
}

// needsCredentials reports whether other credentials may help against the failure.
func (c *call) needsCredentials(err error) bool {
	return errors.Is(err, ErrUnauthorized) && c.answer.status == 401 && !c.final && c.credentials != (Credentials{})
}

// renewCredentials asks for credentials other than those that the server refused.
func (c *call) renewCredentials(ctx context.Context, refusal error) error {
	renewed, err := c.provide(ctx, c.credentials)
	switch {
	case err != nil:
		return noAnswer(c, err)
	case renewed == c.credentials:
		return refusal
	}
	return nil
}

// session is the provider of [WithLogin]. It logs in when credentials are needed, once for
// all calls that wait.
type session struct {
	user     string
	password Secret
	owner    *Client // the client to log out with

	mu      sync.Mutex
	current Credentials
	pending *loggingIn
	wrong   error // the server refused the log-in
	wrongAt time.Time
	closed  bool

	unproven int // log-ins since a session was accepted
	openedAt time.Time
}

// loggingIn is a log-in in progress. Its result is read after done is closed.
type loggingIn struct {
	done chan struct{}
	err  error
	own  bool // the failure concerns only the call that logged in

	mu     sync.Mutex
	until  time.Time     // it waits for the rate limit until then at least
	paused chan struct{} // closed when until changes
}

func newLogin() *loggingIn {
	return &loggingIn{done: make(chan struct{}), err: errLoginBroken, paused: make(chan struct{})}
}

// pause notes a pause of the log-in.
func (l *loggingIn) pause(wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = time.Now().Add(wait)
	close(l.paused)
	l.paused = make(chan struct{})
}

// wait waits for the end of the log-in, unless it waits for the rate limit longer than
// the call may.
func (l *loggingIn) wait(ctx context.Context, c *call) error {
	start, left := time.Now(), c.waitLeft()
	for {
		l.mu.Lock()
		until, paused := l.until, l.paused
		l.mu.Unlock()
		if left != 0 && until.After(start.Add(left)) || !mayWait(ctx, time.Until(until), 0) {
			return &gate.WaitError{Wait: time.Until(until)}
		}
		select {
		case <-l.done:
			if end := time.Now(); until.After(start) {
				*c.settings.waited += min(until.Sub(start), end.Sub(start))
			}
			return nil
		case <-paused:
		case <-ctx.Done():
			return ended(ctx)
		}
	}
}

const (
	// wrongFor is how long a refused log-in is not repeated, so that retries do not get the
	// account blocked.
	wrongFor = time.Minute
	// maxUnproven bounds the log-ins whose sessions are refused at once. Each replaces an
	// older session of the account.
	maxUnproven = 2
)

const (
	errLoginBroken = plainError("the log-in panicked")
	errClosed      = plainError("the client is closed")
)

// Credentials implements [CredentialsProvider].
func (s *session) Credentials(ctx context.Context, refused Credentials) (Credentials, error) {
	return s.credentials(ctx, newCall(s.owner, endpoint{op: "credentials"}), refused)
}

// credentials returns those of the open session, or logs in on behalf of a call.
func (s *session) credentials(ctx context.Context, c *call, refused Credentials) (Credentials, error) {
	for {
		s.mu.Lock()
		switch {
		case s.current != (Credentials{}) && s.current != refused:
			defer s.mu.Unlock()
			return s.current, nil
		case s.closed:
			defer s.mu.Unlock()
			return Credentials{}, errClosed
		case s.current != (Credentials{}) && s.unproven >= maxUnproven && time.Since(s.openedAt) < wrongFor:
			defer s.mu.Unlock()
			return s.current, nil // refused like those before
		case s.wrong != nil && time.Since(s.wrongAt) < wrongFor:
			defer s.mu.Unlock()
			return Credentials{}, s.wrong
		}
		login := s.pending
		leader := login == nil
		if leader {
			login = newLogin()
			s.pending = login
		}
		s.mu.Unlock()

		if leader {
			return s.open(ctx, c, login)
		}
		if err := login.wait(ctx, c); err != nil {
			return Credentials{}, err
		}
		if login.err != nil && !login.own {
			return Credentials{}, login.err
		}
	}
}

// open logs in for all who wait for login.
func (s *session) open(ctx context.Context, c *call, login *loggingIn) (opened Credentials, err error) {
	defer func() {
		if s.settle(login, opened) {
			after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
			defer cancel()
			err = errors.Join(errClosed, s.logout(after, opened))
			opened = Credentials{}
		}
	}()
	callOpts := sharing(c.settings.waited, []CallOption{callOption(func(settings *callSettings) error {
		settings.maxWait, settings.pauses = c.settings.maxWait, login.pause
		return nil
	})})
	result, err := c.client.Sessions.Login(ctx, s.user, s.password, callOpts...)
	if err == nil {
		opened = result.Credentials()
	}
	login.err = err
	// Other waiting calls need not fail because the context of this call has ended or
	// because it may not wait as long as they may.
	login.own = ctx.Err() != nil || errors.Is(err, ErrRateLimited)
	return opened, err
}

// settle publishes the result of a log-in. It reports whether the session was closed
// meanwhile, in which case the caller has to log out again.
func (s *session) settle(login *loggingIn, opened Credentials) (late bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(login.done)
	s.pending, s.wrong = nil, nil
	if late = s.closed && opened != (Credentials{}); late {
		login.err, login.own = errClosed, false
		return true
	}
	s.current = opened
	if opened != (Credentials{}) {
		s.unproven, s.openedAt = s.unproven+1, time.Now()
	}
	if e, ok := errors.AsType[*Error](login.err); ok && e.Class == ErrUnauthorized && !e.foreign {
		s.wrong, s.wrongAt = login.err, time.Now()
	}
	return false
}

// accepted notes that the server took the credentials.
func (s *session) accepted(credentials Credentials) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == credentials {
		s.unproven = 0
	}
}

// close ends the session. Calls that need credentials fail from now on.
func (s *session) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	pending := s.pending
	s.mu.Unlock()
	if pending != nil {
		select {
		case <-pending.done:
		case <-ctx.Done():
			return ended(ctx) // the call that logs in logs out again
		}
	}
	return s.logout(ctx, s.opened())
}

// logout ends the session that was opened with the given credentials.
func (s *session) logout(ctx context.Context, opened Credentials) error {
	if opened == (Credentials{}) {
		return nil
	}
	client, err := s.owner.With(WithToken(opened.UserID, opened.Token.Reveal()))
	if err != nil {
		return err
	}
	if err := client.Sessions.Logout(ctx); err != nil && !errors.Is(err, ErrUnauthorized) {
		return err
	}
	s.forget(opened)
	return nil
}

// opened returns the credentials of the session, if it is open.
func (s *session) opened() Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// forget drops credentials that were logged out.
func (s *session) forget(gone Credentials) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == gone {
		s.current = Credentials{}
	}
}
