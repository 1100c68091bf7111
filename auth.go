package rocketchat

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Credentials are what the server knows a caller by.
type Credentials struct {
	UserID string
	Token  Secret // a login token or a personal access token
}

// CredentialsProvider says with which credentials to make calls.
type CredentialsProvider interface {
	// Credentials is called with zero credentials before every call and every attempt
	// of it, so it should answer without delay where it can. After a 401 it is called
	// once with the credentials that the server refused: it may answer with others,
	// and the call is repeated with them, or with the same, and the 401 goes to the
	// caller.
	Credentials(ctx context.Context, refused Credentials) (Credentials, error)
}

// anonymous is the provider of a client that was given no credentials.
type anonymous struct{}

func (anonymous) Credentials(context.Context, Credentials) (Credentials, error) {
	return Credentials{}, errNoCredentials
}

var errNoCredentials = errors.New("the call needs credentials: give the client WithToken, WithLogin or WithCredentials")

// staticCredentials never change.
type staticCredentials Credentials

func (c staticCredentials) Credentials(context.Context, Credentials) (Credentials, error) {
	return Credentials(c), nil
}

// login is what [WithLogin] was given.
type login struct {
	user     string
	password Secret
}

// session logs in when credentials are needed, once for everybody who waits.
type session struct {
	login  func(context.Context) (Credentials, error)
	logout func(context.Context) error

	mu      sync.Mutex
	current Credentials
	pending *loggingIn
	wrong   error // the server refused the log-in
	wrongAt time.Time
}

// loggingIn is a log-in under way. Its result is read after done is closed.
type loggingIn struct {
	done chan struct{}
	err  error
}

func newSession(c *Client, l login) *session {
	return &session{
		login: func(ctx context.Context) (Credentials, error) {
			asking, maxWait := c, c.config.maxWait
			if running := callFrom(ctx); running != nil {
				asking, maxWait = running.client, running.maxWait
			}
			opened, err := asking.Sessions.Login(ctx, l.user, l.password, MaxWait(maxWait))
			if err != nil {
				return Credentials{}, err
			}
			return opened.Credentials(), nil
		},
		logout: func(ctx context.Context) error { return c.Sessions.Logout(ctx) },
	}
}

func (s *session) Credentials(ctx context.Context, refused Credentials) (Credentials, error) {
	for {
		s.mu.Lock()
		switch {
		case s.current != (Credentials{}) && s.current != refused:
			defer s.mu.Unlock()
			return s.current, nil
		case s.wrong != nil && time.Since(s.wrongAt) < wrongFor:
			defer s.mu.Unlock()
			return Credentials{}, s.wrong
		}
		attempt := s.pending
		leader := attempt == nil
		if leader {
			attempt = &loggingIn{done: make(chan struct{}), err: errLoginBroken}
			s.pending = attempt
		}
		s.mu.Unlock()

		if leader {
			return s.open(ctx, attempt)
		}
		select {
		case <-attempt.done:
		case <-ctx.Done():
			return Credentials{}, ended(ctx)
		}
		if attempt.err != nil && !isOwn(attempt.err) {
			return Credentials{}, attempt.err
		}
	}
}

// wrongFor is how long a refused log-in is remembered: a program that goes on all the
// same must not have the account blocked.
const wrongFor = time.Minute

// errLoginBroken is what a log-in leaves behind that panicked.
var errLoginBroken = errors.New("the log-in did not end")

// isOwn reports a failure that concerns the caller who logged in alone: his context
// ended, or he would not wait as long.
func isOwn(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, ErrRateLimited) || errors.Is(err, errLoginBroken)
}

// open logs in for all who wait for attempt.
func (s *session) open(ctx context.Context, attempt *loggingIn) (opened Credentials, err error) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.current, s.pending, s.wrong = opened, nil, nil
		if e, ok := errors.AsType[*Error](attempt.err); ok && e.Class == ErrUnauthorized && !e.foreign {
			s.wrong, s.wrongAt = attempt.err, time.Now()
		}
		close(attempt.done)
	}()
	opened, err = s.login(ctx)
	attempt.err = err
	return opened, err
}

// close logs out, unless nobody has logged in.
func (s *session) close(ctx context.Context) error {
	s.mu.Lock()
	pending := s.pending
	s.mu.Unlock()
	if pending != nil {
		select {
		case <-pending.done:
		case <-ctx.Done():
			return ended(ctx)
		}
	}
	opened := s.opened()
	if opened == (Credentials{}) {
		return nil
	}
	err := s.logout(ctx)
	if err != nil && !errors.Is(err, ErrUnauthorized) {
		return err
	}
	s.forget(opened)
	return nil
}

// opened is what the session that is open was opened with.
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
