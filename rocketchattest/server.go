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

// AdminPassword is the password of the administrator "admin" unless [WithAdminPassword] says otherwise.
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

// WithLimit sets how many calls of a route pass from one address in a window; the default is a real server's, 10 in 60 seconds.
// Zero calls switch the limiter off, and with it its headers and the limits that some routes have of their own.
func WithLimit(calls int, window time.Duration) Option {
	return func(c *config) {
		c.calls, c.window = calls, window
		c.settings["API_Enable_Rate_Limiter_Limit_Calls_Default"] = calls
		c.settings["API_Enable_Rate_Limiter_Limit_Time_Default"] = int(window.Milliseconds())
	}
}

// WithHiddenLimit switches on the limiter that servers before 8.0 have inside some actions: five status texts and one change of the
// e-mail address per user and minute, whoever asks. There it is always on; here it is not unless a test is about it. Its refusals
// differ from those of the routes, see the texts. Later servers do not have it, and this option changes nothing on them.
func WithHiddenLimit() Option {
	return func(c *config) { c.hidden = true }
}

// WithSecondFactor makes the server ask for a second factor where a real one does: an authenticator app or a code by e-mail for
// users that have one, else the password. A code that was given once is not remembered for later calls, unless the setting
// Accounts_TwoFactorAuthentication_RememberFor is set to a number of seconds; from 8.0 to 8.5 servers remember none over the API.
// Users who are created from then on get codes by e-mail, as soon as their address is verified, unless the setting
// Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In is off.
func WithSecondFactor() Option { return WithSetting("Accounts_TwoFactorAuthentication_Enabled", true) }

// WithVersion chooses the server version to play, "7.7.1" by default and any from 6.0 to 8.8. Routes that are newer than it do not
// exist, and answers, checks and limits that changed between versions are those of this one.
func WithVersion(v string) Option {
	return func(c *config) { c.version = v }
}

// WithSetting gives a server setting, by the server's own name for it, a value: a bool, a number or a text. Only settings that change
// something here can be set.
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

// WithInternet gives the server a way to other servers, which it fetches pictures from that users.setAvatar gives the address of.
// Without one it draws a picture for every address that a server would not refuse to begin with.
func WithInternet(transport http.RoundTripper) Option {
	return func(c *config) { c.internet = transport }
}

// WithMiddleware wraps the server, for tests that change or break answers. The first one given is the outermost.
func WithMiddleware(wrap func(http.Handler) http.Handler) Option {
	return func(c *config) { c.middleware = append(c.middleware, wrap) }
}

// New starts a server as a real one starts: with the administrator, the bot rocket.cat, the room GENERAL and the default roles.
// It panics when an option names something that there is not, such as a version or a setting; see [Start].
func New(opts ...Option) *Server {
	s, err := Start(opts...)
	must(err)
	return s
}

// Start is [New] for programs that leave the options to those who start them: what is wrong with an option is an error.
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

// Replica is another instance of the same server: it shares users, settings and mails, but counts calls on its own, as the instances
// of a real server behind a load balancer do. Middleware, latency and faults are not taken over.
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
