package rocketchattest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// AdminPassword is the default password of the administrator "admin"; see
// [WithAdminPassword].
const AdminPassword = "Adm1n-Passw0rd!"

// Server is an in-memory Rocket.Chat server. It is an [http.RoundTripper] and an [http.Handler], and safe for concurrent use.
// Create one with [New].
type Server struct {
	*database
	routes        map[string]map[string]*route // by path and method
	patterns      map[string]string            // paths with a parameter at their end, by what comes before it
	handler       http.Handler
	latency       time.Duration
	windows       map[string]*window
	hiddenWindows map[string]*window
	limits        int // how many headers have told of a window

	log struct {
		sync.Mutex
		calls  []Call // a ring once it is full, which begins with the oldest
		oldest int
		counts map[string]int
		faults map[string][]http.HandlerFunc
	}
}

// Option configures a [Server].
type Option func(*config)

type config struct {
	version     string
	password    string
	clock       func() time.Time
	calls       int
	window      time.Duration
	latency     time.Duration
	internet    http.RoundTripper
	hidden      bool
	licensed    bool
	settings    map[string]any
	environment map[string]string
	middleware  []func(http.Handler) http.Handler
}

// WithAdminPassword sets the password of the administrator.
func WithAdminPassword(password string) Option {
	return func(c *config) { c.password = password }
}

// WithLimit sets how many calls of a route are accepted from one address in a window. The
// default is that of real servers, 10 in 60 seconds. With 0 calls the limiter is off, with
// its headers and the limits of single routes.
func WithLimit(calls int, window time.Duration) Option {
	return func(c *config) {
		c.calls, c.window = calls, window
		c.settings["API_Enable_Rate_Limiter_Limit_Calls_Default"] = calls
		c.settings["API_Enable_Rate_Limiter_Limit_Time_Default"] = int(window.Milliseconds())
	}
}

// WithHiddenLimit turns on the limiter that servers before 8.0 have inside some actions:
// five status texts and one change of the email address per user and minute, whoever makes
// the change. On real servers it is always on. Its refusals have other texts than those of
// the routes. The option has no effect on later versions, which do not have this limiter.
func WithHiddenLimit() Option {
	return func(c *config) { c.hidden = true }
}

// WithSecondFactor makes the server ask for a second factor for the same calls as a real
// one: an authenticator app or a code by email for users who have one, and otherwise the
// password.
//
// A code is not remembered for later calls unless the setting
// Accounts_TwoFactorAuthentication_RememberFor is set to a number of seconds. For that time
// new users who have neither an app nor mailed codes are not asked either. From 8.0 to 8.5
// servers remember nothing over the API.
//
// Users who are created from then on get codes by email, as soon as their address is
// verified, unless the setting Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In is off.
func WithSecondFactor() Option { return WithSetting("Accounts_TwoFactorAuthentication_Enabled", true) }

// WithVersion chooses the server version to play, from 6.0 to 8.8. The default is "7.7.1".
// Newer routes do not exist, and answers, checks and limits are those of the version.
func WithVersion(v string) Option {
	return func(c *config) { c.version = v }
}

// WithSetting sets a server setting, by the server's own name, to a bool, a number or a
// string. Only settings that have an effect here can be set.
func WithSetting(name string, value any) Option {
	return func(c *config) { c.settings[name] = value }
}

// WithEnv sets a variable of the server's environment, for example CREATE_TOKENS_FOR_USERS.
func WithEnv(name, value string) Option {
	return func(c *config) { c.environment[name] = value }
}

// WithClock sets the server's clock. The default is [time.Now], which follows the clock of a testing/synctest bubble.
func WithClock(now func() time.Time) Option {
	return func(c *config) { c.clock = now }
}

// WithLatency delays every answer by d. A call whose context ends earlier fails and has no
// effect.
func WithLatency(d time.Duration) Option {
	return func(c *config) { c.latency = d }
}

// WithInternet sets the transport with which the server fetches pictures for
// users.setAvatar. Without it, the server draws a picture for every address that a real
// server would accept.
func WithInternet(transport http.RoundTripper) Option {
	return func(c *config) { c.internet = transport }
}

// WithMiddleware wraps the server, for tests that change or break answers. The first one is
// the outermost.
func WithMiddleware(wrap func(http.Handler) http.Handler) Option {
	return func(c *config) { c.middleware = append(c.middleware, wrap) }
}

// New returns a server in the state of a fresh one, with the administrator, the bot
// rocket.cat, the room GENERAL and the default roles. It panics if an option is invalid,
// such as for an unknown version or setting; see [Start].
func New(opts ...Option) *Server {
	s, err := Start(opts...)
	must(err)
	return s
}

// Start is like [New], but returns an error for an invalid option. It is for programs that
// take the options from their users.
func Start(opts ...Option) (*Server, error) {
	c := config{
		version: "7.7.1", password: AdminPassword, clock: time.Now,
		settings: map[string]any{}, environment: map[string]string{},
	}
	for _, o := range opts {
		o(&c)
	}
	v, err := c.check()
	if err != nil {
		return nil, err
	}
	s := newServer(newDatabase(&c, v))
	s.latency = c.latency
	for _, wrap := range slices.Backward(c.middleware) {
		s.handler = wrap(s.handler)
	}
	return s, nil
}

// Replica returns another instance of the same server, like an instance behind a load
// balancer: it shares users, settings and mails, but counts calls separately. It does not
// have the middleware, latency and faults of s.
func (s *Server) Replica() *Server { return newServer(s.database) }

func newServer(db *database) *Server {
	s := &Server{database: db, routes: map[string]map[string]*route{}, patterns: map[string]string{}, windows: map[string]*window{}, hiddenWindows: map[string]*window{}}
	s.log.counts, s.log.faults = map[string]int{}, map[string][]http.HandlerFunc{}
	s.handler = http.HandlerFunc(s.answer)
	for _, r := range routes() {
		if !since(r.since).holds(db.version) {
			continue
		}
		if s.routes[r.path] == nil {
			s.routes[r.path] = map[string]*route{}
		}
		s.routes[r.path][r.method] = &r
		if prefix, _, ok := strings.Cut(r.path, "{"); ok {
			s.patterns[prefix] = r.path
		}
	}
	return s
}

// URL returns the base URL for a client that uses the server as its transport. The server
// answers for any host.
func (s *Server) URL() string { return "https://rocketchat.test" }

// RoundTrip answers a request in memory. A middleware or fault that panics with [http.ErrAbortHandler] breaks the connection.
func (s *Server) RoundTrip(req *http.Request) (res *http.Response, err error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			res, err = nil, io.ErrUnexpectedEOF
		default:
			panic(p)
		}
	}()
	if err := s.wait(req); err != nil {
		return nil, err
	}
	in := req.Clone(req.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.RemoteAddr == "" {
		in.RemoteAddr = "127.0.0.1:1"
	}
	in.RequestURI = req.URL.RequestURI()
	out := &recorder{header: http.Header{}}
	s.handler.ServeHTTP(out, in)
	return out.response(req), nil
}

// ServeHTTP answers a request over a connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.wait(r) == nil {
		s.handler.ServeHTTP(w, r)
	}
}

// wait lets the latency pass, or the request's context end.
func (s *Server) wait(r *http.Request) error {
	if s.latency <= 0 {
		return r.Context().Err()
	}
	timer := time.NewTimer(s.latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

// recorder is the response writer behind RoundTrip.
type recorder struct {
	header http.Header
	sent   http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status, r.sent = status, r.header.Clone()
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

func (r *recorder) response(req *http.Request) *http.Response {
	r.WriteHeader(http.StatusOK)
	return &http.Response{
		Status:     strconv.Itoa(r.status) + " " + http.StatusText(r.status),
		StatusCode: r.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        r.sent,
		Body:          io.NopCloser(&r.body),
		ContentLength: int64(r.body.Len()),
		Request:       req,
	}
}
