package rocketchat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Version is the version of this library, as it stands in the User-Agent.
const Version = "0.1.0"

// Client makes calls to one Rocket.Chat server on behalf of one account.
//
// It is immutable and safe for concurrent use; make one and share it, so that
// its calls share what is known of the server's rate limits. [Client.With]
// derives a client for another account or with other options.
type Client struct {
	Me          *MeService          // the account that the client acts for
	Users       *UsersService       // other people's accounts
	Preferences *PreferencesService // what people set for themselves
	Tokens      *TokensService      // personal access tokens
	Roles       *RolesService       // roles and who holds them
	Status      *StatusService      // presence and status messages
	Avatars     *AvatarsService     // pictures
	Sessions    *SessionsService    // logging in and out
	TwoFactor   *TwoFactorService   // setting up second factors
	Teams       *TeamsService       // teams of a user
	Server      *ServerService      // the server itself

	baseURL *url.URL
	config  config
	http    *retryablehttp.Client
}

// service is what every service holds: the client to make its calls with.
type service struct{ client *Client }

// New returns a client for the server at baseURL, such as
// "https://chat.example.org"; a path that ends in /api/v1 is understood too.
// It does not use the network.
//
// Without [WithToken], [WithLogin] or [WithCredentials] the client can make only
// the few calls that need no account.
func New(baseURL string, opts ...Option) (*Client, error) {
	return build(baseURL, defaults(), opts)
}

// With derives a client with other options. What opts do not name stays as it is;
// the rate gate and the connections are shared with c, and so is the session of
// [WithLogin] unless opts bring other credentials.
func (c *Client) With(opts ...Option) (*Client, error) {
	return build(c.baseURL.String(), c.config, opts)
}

func build(baseURL string, cfg config, opts []Option) (*Client, error) {
	for _, opt := range opts {
		if err := opt(&cfg); err != nil {
			return nil, err
		}
	}
	base, err := parseBaseURL(baseURL, cfg.plainHTTP)
	if err != nil {
		return nil, err
	}
	c := &Client{baseURL: base, config: cfg}
	if cfg.login != nil {
		c.config.login = nil
		c.config.credentials = newSession(c, *cfg.login)
	}
	c.http = newRetryClient(cfg.retry, c.pipeline())

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
	return c, nil
}

// Close ends the session that the client opened with [WithLogin], if it did, and
// closes idle connections. Tokens that were given to the client stay valid.
// Clients that share the session log in again when they are used.
func (c *Client) Close(ctx context.Context) error {
	defer c.config.transport.closeIdle()
	if s, ok := c.config.credentials.(*session); ok {
		return s.close(ctx)
	}
	return nil
}

// String names the client by its server.
func (c *Client) String() string { return "rocketchat.Client(" + c.baseURL.Host + ")" }

// BaseURL returns the address of the server.
func (c *Client) BaseURL() string { return c.baseURL.String() }

// RateLimit tells what is known of the server's limit for op, such as
// "users.info", and false while nothing is known.
func (c *Client) RateLimit(op string) (RouteLimit, bool) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		route := Route{Server: c.baseURL.Host, Method: method, Op: op, Caller: c.config.caller}
		if known, ok := c.config.gate.Known(route); ok {
			return known, true
		}
	}
	return RouteLimit{}, false
}

func parseBaseURL(raw string, plainHTTP bool) (*url.URL, error) {
	fail := func(text string) (*url.URL, error) {
		return nil, invalid("", "baseURL", text)
	}
	u, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil:
		return fail("is not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return fail(`must start with "https://" or "http://"`)
	case u.Hostname() == "":
		return fail("has no host")
	case u.User != nil:
		return fail("must not contain credentials")
	case u.RawQuery != "" || u.Fragment != "":
		return fail("must not have a query or a fragment")
	case u.Scheme == "http" && !plainHTTP && !isLoopback(u.Hostname()):
		return fail("would send credentials unencrypted: use https, or WithPlainHTTP")
	}
	path := strings.TrimRight(u.Path, "/")
	for _, tail := range []string{"/users", "/v1", "/api"} {
		path = strings.TrimRight(strings.TrimSuffix(path, tail), "/")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// errNilOption is what an option answers that was given nothing.
var errNilOption = errors.New("must not be nil")

func nilOption(name string) error { return fmt.Errorf("rocketchat: %s: %w", name, errNilOption) }

// defaultAttemptTimeout bounds one attempt, the reading of the answer included.
const defaultAttemptTimeout = 30 * time.Second
