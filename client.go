package rocketchat

//go:generate sh -c "cd tools && GOWORK=off go run ./extra .."

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat/gate"
)

// Version is the version of this library, as sent in the header User-Agent.
const Version = "0.9.0"

// Client makes calls to one Rocket.Chat server on behalf of one account.
//
// It is immutable and safe for concurrent use. Make one and share it, so that its calls
// share the knowledge of the server's rate limits. [Client.With] derives a client for
// another account or with other options.
type Client struct {
	Me          *MeService          // the account that the client acts for
	Users       *UsersService       // accounts
	Preferences *PreferencesService // preferences
	Tokens      *TokensService      // personal access tokens
	Roles       *RolesService       // roles and their holders
	Status      *StatusService      // presence and status messages
	Avatars     *AvatarsService     // pictures
	Sessions    *SessionsService    // logging in and out
	TwoFactor   *TwoFactorService   // setting up second factors
	Teams       *TeamsService       // teams of a user
	Server      *ServerService      // the server itself

	baseURL *url.URL
	server  string // host and port, normalized
	config  config
}

// service is the client that a service makes its calls with.
type service struct{ client *Client }

// New returns a client for the server at baseURL, such as "https://chat.example.org". A
// path may end in /api/v1. New does not use the network.
//
// Without [WithToken], [WithLogin] or [WithCredentials] the client can make only the few
// calls that need no account.
func New(baseURL string, opts ...Option) (*Client, error) {
	cfg := defaults()
	if err := cfg.apply(opts); err != nil {
		return nil, err
	}
	base, err := parseBaseURL(baseURL, cfg.plainHTTP)
	if err != nil {
		return nil, err
	}
	return build(base, cfg), nil
}

// With derives a client with other options. Options that opts do not set are kept. The rate
// gate and the connections are shared with c, and so is the session of [WithLogin] unless
// opts bring other credentials.
func (c *Client) With(opts ...Option) (*Client, error) {
	cfg := c.config
	if err := cfg.apply(opts); err != nil {
		return nil, err
	}
	return build(c.baseURL, cfg), nil
}

func (c *config) apply(opts []Option) error {
	for i, opt := range opts {
		if opt == nil {
			return invalid("", fmt.Sprintf("options[%d]", i), "must not be nil")
		}
		if err := opt.apply(c); err != nil {
			return err
		}
	}
	return nil
}

func build(base *url.URL, cfg config) *Client {
	c := &Client{baseURL: base, server: serverName(base), config: cfg}
	if login := cfg.login; login != nil {
		c.config.login = nil
		c.config.credentials = &session{user: login.User, password: login.Password, owner: c}
	}
	shared := service{client: c}
	c.Me = (*MeService)(&shared)
	c.Users = (*UsersService)(&shared)
	c.Preferences = (*PreferencesService)(&shared)
	c.Tokens = (*TokensService)(&shared)
	c.Roles = (*RolesService)(&shared)
	c.Status = (*StatusService)(&shared)
	c.Avatars = (*AvatarsService)(&shared)
	c.Sessions = (*SessionsService)(&shared)
	c.TwoFactor = (*TwoFactorService)(&shared)
	c.Teams = (*TeamsService)(&shared)
	c.Server = (*ServerService)(&shared)
	return c
}

// closeTime bounds how long [Client.Close] takes.
const closeTime = 5 * time.Second

// Close ends the session that the client opened with [WithLogin], if any, and closes idle
// connections. It takes at most 5 seconds. It needs no context, so that it can be deferred
// in a program whose context has ended.
//
// Close is final for a client of WithLogin and for clients that share its session: calls
// that begin afterwards, or that need to log in again, fail with [ErrUnauthorized].
// Tokens that were given to the client stay valid.
func (c *Client) Close() error {
	defer c.config.transport.closeIdle()
	s, ok := c.config.credentials.(*session)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return s.close(ctx)
}

// String names the client by its server.
func (c *Client) String() string { return "rocketchat.Client(" + c.baseURL.Host + ")" }

// BaseURL returns the address of the server.
func (c *Client) BaseURL() string { return c.baseURL.String() }

// Credentials returns the credentials that calls are made with. A client of [WithLogin]
// logs in if it has not yet.
func (c *Client) Credentials(ctx context.Context) (Credentials, error) {
	if ctx == nil {
		return Credentials{}, missingContext("")
	}
	credentials, err := c.config.credentials.Credentials(ctx, Credentials{})
	if err != nil {
		asked := newCall(c, endpoint{op: "credentials"})
		return Credentials{}, asked.sanitize(noAnswer(asked, err))
	}
	return credentials, nil
}

// RateLimit returns what is known of the server's limit for op, such as "users.info",
// and false if nothing is known.
func (c *Client) RateLimit(op string) (gate.RouteLimit, bool) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		route := gate.Route{Server: c.server, Method: method, Op: op, Caller: c.config.caller}
		if known, ok := c.config.gate.Known(route); ok {
			return known, true
		}
	}
	return gate.RouteLimit{}, false
}

// parseBaseURL reads the address of a server.
func parseBaseURL(raw string, plainHTTP bool) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return nil, invalid("", "baseURL", "is not a URL")
	}
	if text := addressFault(u, plainHTTP); text != "" {
		return nil, invalid("", "baseURL", text)
	}
	path := strings.TrimRight(u.Path, "/")
	for _, tail := range []string{"/users", "/v1", "/api"} {
		path = strings.TrimRight(strings.TrimSuffix(path, tail), "/")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}, nil
}

// addressFault says what is wrong with the address of a server, or "".
func addressFault(u *url.URL, plainHTTP bool) string {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return `must start with "https://" or "http://"`
	case u.Hostname() == "":
		return "has no host"
	case !isPort(u.Port()):
		return "has no valid port"
	case u.User != nil:
		return "must not contain credentials"
	case u.RawQuery != "" || u.Fragment != "":
		return "must not have a query or a fragment"
	case strings.Contains(strings.ToUpper(u.EscapedPath()), "%2F"):
		return "must not have an escaped slash in its path"
	case u.Scheme == "http" && !plainHTTP && !isLoopback(u.Hostname()):
		return "would send credentials unencrypted: use https, or WithPlainHTTP"
	}
	return ""
}

// isPort reports whether a text is a port, or empty.
func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil
}

// serverName is the normalized host and port of a server, which gates use.
func serverName(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return net.JoinHostPort(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), port)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
