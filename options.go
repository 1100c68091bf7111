package rocketchat

import (
	"context"
	"crypto/rand"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// config is what a client was made with.
type config struct {
	credentials    CredentialsProvider
	caller         string // who the rate gate sees calling
	login          *login
	twoFactor      TwoFactorFunc
	transport      *transport
	retry          RetryPolicy
	attemptTimeout time.Duration
	maxAnswer      int64
	gate           Gate
	clock          *serverClock
	maxWait        time.Duration
	throttle       *rate.Limiter
	logger         *slog.Logger
	hook           func(context.Context, Attempt)
	waitHook       func(ctx context.Context, op string, wait time.Duration)
	userAgent      string
	plainHTTP      bool
}

func defaults() config {
	return config{
		credentials:    anonymous{},
		transport:      newTransport(),
		retry:          RetryPolicy{MaxAttempts: 4, MinWait: 500 * time.Millisecond, MaxWait: 30 * time.Second},
		attemptTimeout: defaultAttemptTimeout,
		maxAnswer:      32 << 20,
		gate:           NewMemoryGate(),
		clock:          new(serverClock),
		logger:         slog.New(slog.DiscardHandler),
		userAgent:      "rocketchat-go/" + Version,
	}
}

// Option sets up a [Client]. A later one wins.
type Option func(*config) error

// WithToken makes calls as the user userID with a login token or a personal
// access token. The token is never replaced: a 401 goes to the caller.
func WithToken(userID string, token Secret) Option {
	return func(c *config) error {
		switch {
		case userID == "":
			return invalid("", "userID", "must not be empty")
		case token.IsZero():
			return invalid("", "token", "must not be empty")
		case !fitsHeader(userID):
			return invalid("", "userID", "has a character that no header can hold")
		case !fitsHeader(token.Reveal()):
			return invalid("", "token", "has a character that no header can hold, such as the line feed at the end of a file")
		}
		c.login = nil
		c.credentials = staticCredentials{UserID: userID, Token: token}
		c.caller = userID
		return nil
	}
}

func fitsHeader(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// WithLogin makes calls as user, a username or an e-mail address, who is logged
// in with the first call and once more when the server answers 401, because the
// session has expired. [Client.Close] ends the session.
//
// An account with a second factor needs [WithTwoFactor] too.
func WithLogin(user string, password Secret) Option {
	return func(c *config) error {
		switch {
		case user == "":
			return invalid("", "user", "must not be empty")
		case password.IsZero():
			return invalid("", "password", "must not be empty")
		}
		c.login = &login{user: user, password: password}
		c.caller = user
		return nil
	}
}

// WithCredentials makes calls with what provider says, which is asked for every
// attempt. All its answers should be for one account.
func WithCredentials(provider CredentialsProvider) Option {
	return func(c *config) error {
		if provider == nil {
			return nilOption("WithCredentials")
		}
		c.login = nil
		c.credentials = provider
		c.caller = "provider " + rand.Text() // who it speaks for is not known here
		return nil
	}
}

// WithTwoFactor answers the server's requests for a second factor: f is called
// once for a call that needs one, and the call is repeated with the code. The code of an
// authenticator app does not keep, so it is asked for when the rate limit lets the call
// go, and again should it have to wait after that.
func WithTwoFactor(f TwoFactorFunc) Option {
	return func(c *config) error {
		c.twoFactor = f
		return nil
	}
}

// WithTransport sends the requests through rt: a proxy, a recorder, a test server.
// It is used as it is and never changed.
func WithTransport(rt http.RoundTripper) Option {
	return func(c *config) error {
		if rt == nil {
			return nilOption("WithTransport")
		}
		c.transport = &transport{RoundTripper: rt}
		return nil
	}
}

// WithRetry sets how failed attempts are repeated; see [RetryPolicy].
func WithRetry(p RetryPolicy) Option {
	return func(c *config) error {
		switch {
		case p.MaxAttempts < 1:
			return invalid("", "RetryPolicy.MaxAttempts", "must be at least 1")
		case p.MinWait < 0 || p.MaxWait < p.MinWait:
			return invalid("", "RetryPolicy.MaxWait", "must not be below MinWait, which must not be negative")
		}
		c.retry = p
		return nil
	}
}

// WithAttemptTimeout bounds each attempt, from the request to the last byte of the
// answer; by default 30 s. Pauses between attempts do not count. To bound a whole
// call, give its context a deadline.
func WithAttemptTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d <= 0 {
			return invalid("", "attempt timeout", "must be positive")
		}
		c.attemptTimeout = d
		return nil
	}
}

// WithMaxAnswer bounds the size of an answer in bytes; by default 32 MiB. A longer
// one is an error of class [ErrBadAnswer].
func WithMaxAnswer(bytes int64) Option {
	return func(c *config) error {
		if bytes <= 0 {
			return invalid("", "max answer", "must be positive")
		}
		c.maxAnswer = min(bytes, math.MaxInt64-1)
		return nil
	}
}

// WithMaxWait bounds how long a call may wait for the rate limit in one go. A call
// that would wait longer fails at once with [ErrRateLimited], and
// [Error.RetryAfter] says for how long the route is closed. By default only the
// context bounds the wait.
func WithMaxWait(d time.Duration) Option {
	return func(c *config) error {
		if d <= 0 {
			return invalid("", "max wait", "must be positive")
		}
		c.maxWait = d
		return nil
	}
}

// WithGate replaces the rate gate, for processes that share one address and want
// to share what they know of its limits.
func WithGate(g Gate) Option {
	return func(c *config) error {
		if g == nil {
			return nilOption("WithGate")
		}
		c.gate = g
		return nil
	}
}

// WithThrottle puts a ceiling of the caller's own over all calls, on top of the
// server's limits. Several clients may share one limiter.
func WithThrottle(l *rate.Limiter) Option {
	return func(c *config) error {
		c.throttle = l
		return nil
	}
}

// WithLogger logs every attempt at level debug and every pause of a second or more
// at level info. The records hold operation, attempt, status and durations; never
// a header, a query or a body.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return nilOption("WithLogger")
		}
		c.logger = l
		return nil
	}
}

// WithHook calls f after every attempt, for metrics and traces. It must be safe for
// concurrent use and quick.
func WithHook(f func(context.Context, Attempt)) Option {
	return func(c *config) error {
		c.hook = f
		return nil
	}
}

// WithWaitHook calls f before a call of op waits for the server's limit for a second or
// more, to tell a person why nothing happens. The call waits at least so long; one with
// others before it can wait longer. f must be safe for concurrent use.
func WithWaitHook(f func(ctx context.Context, op string, wait time.Duration)) Option {
	return func(c *config) error {
		c.waitHook = f
		return nil
	}
}

// WithUserAgent names the program in the User-Agent. Keep it constant: the server
// remembers a second factor for one User-Agent and address.
func WithUserAgent(name string) Option {
	return func(c *config) error {
		if name == "" || !fitsHeader(name) {
			return invalid("", "user agent", "must not be empty or have characters that no header can hold")
		}
		c.userAgent = name
		return nil
	}
}

// WithPlainHTTP allows an http address of a host other than this machine. Everyone
// on the way can then read passwords and tokens.
func WithPlainHTTP() Option {
	return func(c *config) error {
		c.plainHTTP = true
		return nil
	}
}

// CallOption changes one call.
type CallOption func(*call)

// TwoFactorCode sends a second factor with the call at once, for programs that know
// the code beforehand. For [TwoFactorPassword] the code is the password itself.
func TwoFactorCode(method TwoFactorMethod, code Secret) CallOption {
	return func(c *call) { c.answerTwoFactor(method, code) }
}

// RawAnswer copies the body of the answer to dst, whatever it is.
func RawAnswer(dst *[]byte) CallOption {
	return func(c *call) { c.raw = dst }
}

// MaxWait is [WithMaxWait] for one call.
func MaxWait(d time.Duration) CallOption {
	return func(c *call) { c.maxWait = d }
}
