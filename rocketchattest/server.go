package rocketchattest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// AdminPassword is the password of the administrator "admin" unless [WithAdminPassword] says otherwise.
const AdminPassword = "Adm1n-Passw0rd!"

// Server is an in-memory Rocket.Chat server. It is an [http.RoundTripper] and an [http.Handler], and safe for concurrent use.
// Create one with [New].
type Server struct {
	*database
	routes        map[string]map[string]*route // by path and method
	handler       http.Handler
	latency       time.Duration
	windows       map[string]*window
	hiddenWindows map[string]*window

	log struct {
		sync.Mutex
		calls  []Call
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
	latency     time.Duration
	hidden      bool
	settings    map[string]any
	environment map[string]string
	middleware  []func(http.Handler) http.Handler
}

// WithAdminPassword sets the password of the administrator.
func WithAdminPassword(password string) Option {
	return func(c *config) { c.password = password }
}

// WithLimit sets how many calls of a route pass from one address in a window; the default is a real server's, 10 in 60 seconds.
// Zero calls switch the limiter off, and with it its headers and the limits that some routes have of their own.
func WithLimit(calls int, window time.Duration) Option {
	return func(c *config) {
		c.settings["API_Enable_Rate_Limiter_Limit_Calls_Default"] = calls
		c.settings["API_Enable_Rate_Limiter_Limit_Time_Default"] = int(window.Milliseconds())
	}
}

// WithHiddenLimit switches on the limiter that real servers have inside some actions: five status texts and one change of the
// e-mail address per user and minute, whoever asks. Its refusals differ from those of the routes, see the texts.
func WithHiddenLimit() Option {
	return func(c *config) { c.hidden = true }
}

// WithSecondFactor makes the server ask for a second factor where a real one does: an authenticator app or a code by e-mail for
// users that have one, else the password. A code that was given once is not remembered for later calls, unless the setting
// Accounts_TwoFactorAuthentication_RememberFor is set to a number of seconds.
func WithSecondFactor() Option { return WithSetting("Accounts_TwoFactorAuthentication_Enabled", true) }

// WithVersion chooses the server version to play, "7.7.1" by default. Routes that are newer than it do not exist, and answers,
// checks and limits that changed between versions are those of this one.
func WithVersion(v string) Option {
	return func(c *config) { c.version = v }
}

// WithSetting gives a server setting, by the server's own name for it, a value: a bool, a number or a text.
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

// WithLatency makes every answer take that long. A call whose context ends earlier fails at that moment, without an effect.
func WithLatency(d time.Duration) Option {
	return func(c *config) { c.latency = d }
}

// WithMiddleware wraps the server, for tests that change or break answers. The first one given is the outermost.
func WithMiddleware(wrap func(http.Handler) http.Handler) Option {
	return func(c *config) { c.middleware = append(c.middleware, wrap) }
}

// New starts a server as a real one starts: with the administrator, the bot rocket.cat, the room GENERAL and the default roles.
func New(opts ...Option) *Server {
	c := config{
		version: "7.7.1", password: AdminPassword, clock: time.Now,
		settings: map[string]any{}, environment: map[string]string{},
	}
	for _, o := range opts {
		o(&c)
	}
	s := newServer(newDatabase(&c))
	s.latency = c.latency
	for _, wrap := range slices.Backward(c.middleware) {
		s.handler = wrap(s.handler)
	}
	return s
}

// Replica is another instance of the same server: it shares users, settings and mails, but counts calls on its own, as the instances
// of a real server behind a load balancer do. Middleware, latency and faults are not taken over.
func (s *Server) Replica() *Server { return newServer(s.database) }

func newServer(db *database) *Server {
	s := &Server{database: db, routes: map[string]map[string]*route{}, windows: map[string]*window{}, hiddenWindows: map[string]*window{}}
	s.log.counts, s.log.faults = map[string]int{}, map[string][]http.HandlerFunc{}
	s.handler = http.HandlerFunc(s.answer)
	for _, r := range routes() {
		if !db.version.atLeast(r.since[:]...) {
			continue
		}
		if s.routes[r.path] == nil {
			s.routes[r.path] = map[string]*route{}
		}
		s.routes[r.path][r.method] = &r
	}
	return s
}

// URL is the base URL to give to a client that uses the server as its transport. The server answers for any other host as well.
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
