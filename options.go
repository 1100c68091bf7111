package rocketchat

import (
	"crypto/rand"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/rocketchat-go/rocketchat/gate"
)

// config holds the options of a client.
type config struct {
	credentials    CredentialsProvider
	caller         string // identifies the account to gates
	login          *loginBody
	twoFactor      TwoFactorFunc
	factors        *secondFactors
	transport      *transport
	retry          RetryPolicy
	attemptTimeout time.Duration
	maxAnswer      int64
	gate           gate.Gate
	clock          *serverClock
	maxWait        time.Duration
	throttle       *rate.Limiter
	logger         *slog.Logger
	traces         []Trace
	listens        bool // one of the traces has Waiting
	userAgent      string
	plainHTTP      bool
}

func defaults() config {
	return config{
		credentials:    anonymous{},
		factors:        new(secondFactors),
		transport:      newTransport(),
		retry:          RetryPolicy{MaxAttempts: 4, BaseDelay: defaultBaseDelay, MaxDelay: defaultMaxDelay},
		attemptTimeout: defaultAttemptTimeout,
		maxAnswer:      32 << 20,
		gate:           gate.NewMemory(),
		clock:          new(serverClock),
		logger:         slog.New(slog.DiscardHandler),
		userAgent:      "rocketchat-go/" + Version,
	}
}

// actAs changes the account that the client acts for.
func (c *config) actAs(account string, provider CredentialsProvider, login *loginBody) {
	c.credentials, c.login, c.caller = provider, login, callerName(account)
	c.factors = new(secondFactors)
}

// Option configures a [Client]. If options contradict each other, the last one wins.
type Option interface{ apply(c *config) error }

// CallOption configures one call.
type CallOption interface{ applyCall(s *callSettings) error }

// AnyOption is an [Option] and a [CallOption]. As an Option it is the default for all
// calls.
type AnyOption interface {
	Option
	CallOption
}

type clientOption func(*config) error

func (o clientOption) apply(c *config) error { return o(c) }

type callOption func(*callSettings) error

func (o callOption) applyCall(s *callSettings) error { return o(s) }

// WithToken makes calls as the user with the given ID, with a login token or a personal
// access token. The token is never replaced: after a 401 the call fails.
func WithToken(userID, token string) Option {
	return clientOption(func(c *config) error {
		credentials := Credentials{UserID: userID, Token: NewSecret(token)}
		switch {
		case userID == "":
			return invalid("", "userID", "must not be empty")
		case token == "":
			return invalid("", "token", "must not be empty")
		case !fitsHeader(userID):
			return invalid("", "userID", "has a character that no header can hold")
		case !fitsHeader(token):
			return invalid("", "token", "has a character that no header can hold, such as the line feed at the end of a file")
		}
		c.actAs(userID, staticCredentials(credentials), nil)
		return nil
	})
}

// WithBearer makes calls with an access token of the server's OAuth provider.
func WithBearer(token string) Option {
	return clientOption(func(c *config) error {
		switch {
		case token == "":
			return invalid("", "token", "must not be empty")
		case !fitsHeader(token):
			return invalid("", "token", "has a character that no header can hold, such as the line feed at the end of a file")
		}
		c.actAs("bearer "+token, staticCredentials{Token: NewSecret(token), Bearer: true}, nil)
		return nil
	})
}

// WithLogin makes calls as user, a username or an email address. The client logs in with
// the first call, and again when the server answers 401 because the session has expired.
// [Client.Close] ends the session.
//
// An account with a second factor needs [WithTwoFactor] too.
func WithLogin(user, password string) Option {
	return clientOption(func(c *config) error {
		switch {
		case user == "":
			return invalid("", "user", "must not be empty")
		case password == "":
			return invalid("", "password", "must not be empty")
		}
		c.actAs(user, nil, &loginBody{User: user, Password: NewSecret(password)})
		return nil
	})
}

// WithCredentials makes calls with the credentials of provider, which is asked before
// every attempt. All its answers should be for one account; see [NamedProvider].
func WithCredentials(provider CredentialsProvider) Option {
	return clientOption(func(c *config) error {
		if provider == nil {
			return missing("WithCredentials")
		}
		account := "provider " + rand.Text()
		if named, ok := provider.(NamedProvider); ok {
			account = named.Account()
		}
		c.actAs(account, provider, nil)
		return nil
	})
}

// WithTwoFactor answers the server's requests for a second factor: f is called for a call
// that needs one, and the call is repeated with the code. The code of an authenticator
// app is asked for after the rate gate has admitted the call, because codes expire, and
// again if the call is retried much later.
//
// The client remembers which operations ask. From the second call of such an operation on,
// it sends a password or an authenticator's code along, so that the call is sent only once;
// see [TwoFactorChallenge.Ahead].
func WithTwoFactor(f TwoFactorFunc) Option {
	return clientOption(func(c *config) error {
		c.twoFactor, c.factors = f, new(secondFactors)
		return nil
	})
}

// WithTransport sends the requests through rt: a proxy, a recorder, a test server. The
// client does not change it. Only the client retries: if rt is an [http.Transport], or
// uses one, it is kept from sending a write to the same host a second time.
func WithTransport(rt http.RoundTripper) Option {
	return clientOption(func(c *config) error {
		if rt == nil {
			return missing("WithTransport")
		}
		_, tells := rt.(*http.Transport)
		c.transport = &transport{RoundTripper: rt, tells: tells}
		return nil
	})
}

// WithRetry sets how failed attempts are retried; see [RetryPolicy]. By default a call
// makes up to 4 attempts.
func WithRetry(p RetryPolicy) Option {
	return clientOption(func(c *config) error {
		if p.BaseDelay == 0 {
			p.BaseDelay = defaultBaseDelay
			if p.MaxDelay > 0 {
				p.BaseDelay = min(p.BaseDelay, p.MaxDelay)
			}
		}
		if p.MaxDelay == 0 {
			p.MaxDelay = max(p.BaseDelay, defaultMaxDelay)
		}
		switch {
		case p.MaxAttempts < 1:
			return invalid("", "RetryPolicy.MaxAttempts", "must be at least 1")
		case p.BaseDelay < 0:
			return invalid("", "RetryPolicy.BaseDelay", "must not be negative")
		case p.MaxDelay < p.BaseDelay:
			return invalid("", "RetryPolicy.MaxDelay", "must not be less than BaseDelay")
		}
		c.retry = p
		return nil
	})
}

// WithAttemptTimeout bounds each attempt, from the request to the last byte of the
// answer. The default is 30 s. Pauses between attempts do not count. To bound a whole
// call, give its context a deadline.
func WithAttemptTimeout(d time.Duration) Option {
	return clientOption(func(c *config) error {
		if d <= 0 {
			return invalid("", "attempt timeout", "must be positive")
		}
		c.attemptTimeout = d
		return nil
	})
}

// WithMaxAnswer bounds the size of an answer in bytes. The default is 32 MiB. A longer
// answer is an error of class [ErrBadAnswer]. Lists that are read as they arrive, as by
// [UsersService.All], can be longer: for them it bounds one item, and the memory for data
// that is read ahead.
func WithMaxAnswer(bytes int64) Option {
	return clientOption(func(c *config) error {
		if bytes <= 0 {
			return invalid("", "max answer", "must be positive")
		}
		c.maxAnswer = min(bytes, math.MaxInt64-1)
		return nil
	})
}

// WithMaxWait bounds how long a call may wait for rate limits, all its pauses for them
// taken together, and those of a log-in or a look-up that it needs first. A call that
// would wait longer fails at once with [ErrRateLimited], and [Error.RetryAfter] says how
// long the wait would have been. By default only the context bounds the wait. As a call
// option it overrides the option of the client.
func WithMaxWait(d time.Duration) AnyOption { return maxWait(d) }

type maxWait time.Duration

func (d maxWait) check() error {
	if d <= 0 {
		return invalid("", "max wait", "must be positive")
	}
	return nil
}

func (d maxWait) apply(c *config) error {
	c.maxWait = time.Duration(d)
	return d.check()
}

func (d maxWait) applyCall(s *callSettings) error {
	s.maxWait = time.Duration(d)
	return d.check()
}

// WithGate replaces the rate gate. Clients behind one address can share a gate, and so
// can processes; see package [github.com/rocketchat-go/rocketchat/gate].
func WithGate(g gate.Gate) Option {
	return clientOption(func(c *config) error {
		if g == nil {
			return missing("WithGate")
		}
		c.gate = g
		return nil
	})
}

// WithThrottle limits all calls together with l, in addition to the server's limits.
// Several clients may share one limiter.
func WithThrottle(l *rate.Limiter) Option {
	return clientOption(func(c *config) error {
		c.throttle = l
		return nil
	})
}

// WithLogger logs every attempt at level debug and every pause of a second or more at
// level info. The records hold operation, attempt, status and durations, never a header,
// a query or a body. By default nothing is logged.
func WithLogger(l *slog.Logger) Option {
	return clientOption(func(c *config) error {
		if l == nil {
			return missing("WithLogger")
		}
		c.logger = l
		return nil
	})
}

// WithTrace calls the functions of t during every call. If it is given several times, all
// traces are used.
func WithTrace(t Trace) Option {
	return clientOption(func(c *config) error {
		c.traces = append(slices.Clip(c.traces), t)
		c.listens = c.listens || t.Waiting != nil
		return nil
	})
}

// WithUserAgent puts the name of the program, such as "staff-sync/1.4", into the header
// User-Agent.
func WithUserAgent(name string) Option {
	return clientOption(func(c *config) error {
		if name == "" || !fitsHeader(name) {
			return invalid("", "user agent", "must not be empty or have characters that no header can hold")
		}
		c.userAgent = name
		return nil
	})
}

// WithPlainHTTP allows an http address of another machine. Anyone on the network path can
// then read passwords and tokens.
func WithPlainHTTP() Option {
	return clientOption(func(c *config) error {
		c.plainHTTP = true
		return nil
	})
}

// WithTwoFactorCode sends a second factor with the call, for programs that have the code
// already. For [TwoFactorPassword] the code is the password itself.
func WithTwoFactorCode(method TwoFactorMethod, code string) CallOption {
	return callOption(func(s *callSettings) error {
		var p proof
		if method == "" || code == "" {
			return invalid("", "second factor", "must have a method and a code")
		}
		if err := p.give(method, NewSecret(code)); err != nil {
			return invalid("", "second factor", "has a character that no header can hold")
		}
		s.factor, s.factorCode, s.factorTyped = p.method, p.code, p.typed
		return nil
	})
}

// WithRawAnswer copies the body of the answer to dst.
func WithRawAnswer(dst *[]byte) CallOption {
	return callOption(func(s *callSettings) error {
		if dst == nil {
			return missing("WithRawAnswer")
		}
		s.raw = dst
		return nil
	})
}

// missing is the error of an option with a nil argument.
func missing(option string) error { return invalid("", option, "must not be nil") }
