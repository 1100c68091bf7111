package benchmarks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/RocketChat/Rocket.Chat.Go.SDK/models"
	"github.com/RocketChat/Rocket.Chat.Go.SDK/rest"
	"github.com/go-resty/resty/v2"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/rocketchat-go/rocketchat"
)

// The names of the clients. The others are compared with Baseline.
const (
	Library  = "rocketchat"
	Baseline = "net/http+Decoder"
	Floor    = "net/http, no decoding"
)

// Client is a way to call a server. A call that it has no means for is nil.
type Client struct {
	Name   string
	Info   func(context.Context) error
	List   func(ctx context.Context, count int) error // 0 for everything
	Create func(context.Context) error
	Close  func()
}

const (
	userID = "h7WgZbN4cExtFqRm9"
	token  = "hPnnBuVSQTqAgAJlTuG-XlU8pQCRxcWIu6IkNVBeHhd"
	wanted = "bruno.costa"
)

var errNotExpected = errors.New("the answer is not what was expected")

// Clients makes all clients for the server at address, each with connections of its
// own.
func Clients(address string) []Client {
	return []Client{
		NewLibrary(address),
		NewBaseline(address),
		bounded(address),
		plain("net/http+Unmarshal", address, unmarshal),
		retryable(address),
		restyClient(address),
		sdk(address),
		plain(Floor, address, nil),
	}
}

// NewBaseline is what the others are compared with.
func NewBaseline(address string) Client { return plain(Baseline, address, decoder) }

// NewLibrary is the library as its README introduces it.
func NewLibrary(address string, opts ...rocketchat.Option) Client {
	client, err := rocketchat.New(address, append([]rocketchat.Option{rocketchat.WithToken(userID, token)}, opts...)...)
	if err != nil {
		panic(err)
	}
	return Client{
		Name: Library,
		Info: func(ctx context.Context) error {
			u, err := client.Users.Get(ctx, rocketchat.ByUsername(wanted))
			if err != nil {
				return err
			}
			return check(u.Username == wanted)
		},
		List: func(ctx context.Context, count int) error {
			page, err := client.Users.List(ctx, rocketchat.UserListOptions{Count: count, Everything: count == 0})
			if err != nil {
				return err
			}
			return check(len(page.Items) > 0)
		},
		Create: func(ctx context.Context) error {
			u, err := client.Users.Create(ctx, rocketchat.UserCreateOptions{
				Name: "Alice Adams", Username: "alice", Email: "alice@example.org", Password: rocketchat.NewSecret("Secret-alice-1"), Verified: new(true),
			})
			if err != nil {
				return err
			}
			return check(u.Username == "alice")
		},
		Close: func() { _ = client.Close() },
	}
}

func check(ok bool) error {
	if !ok {
		return errNotExpected
	}
	return nil
}

// newTransport is like http.DefaultTransport, with connections of its own and as many idle
// ones as the library keeps, so that all clients treat connections alike.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // nobody changes it here
	t.MaxIdleConnsPerHost = 64
	return t
}

func closing(t *http.Transport) func() {
	return func() { t.CloseIdleConnections() }
}

// read takes in an answer.
type read func(res *http.Response, into any) error

func decoder(res *http.Response, into any) error { return json.NewDecoder(res.Body).Decode(into) }

func unmarshal(res *http.Response, into any) error {
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

func discard(res *http.Response, _ any) error {
	_, err := io.Copy(io.Discard, res.Body)
	return err
}

// call is a typical function around net/http, without retries, limits, logs and bounds on
// time or size. Its error has the status.
func call(do func(*http.Request) (*http.Response, error), req *http.Request, read read, into any) error {
	req.Header.Set("X-Auth-Token", token)
	req.Header.Set("X-User-Id", userID)
	res, err := do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return read(res, into)
}

// plain is net/http with a way to read the answer.
func plain(name, address string, read read) Client {
	transport := newTransport()
	client := over(address, (&http.Client{Transport: transport}).Do, read)
	client.Name, client.Close = name, closing(transport)
	return client
}

// bounded is the baseline with a timeout, like that of the library.
func bounded(address string) Client {
	transport := newTransport()
	client := over(address, (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Do, decoder)
	client.Name, client.Close = Baseline+", Timeout", closing(transport)
	return client
}

// over makes the calls with a function like http.Client.Do. Without a way to read the
// answers, they are discarded.
func over(address string, do func(*http.Request) (*http.Response, error), read read) Client {
	check := check
	if read == nil {
		read, check = discard, func(bool) error { return nil }
	}
	return Client{
		Info: func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/api/v1/users.info?username="+url.QueryEscape(wanted), nil)
			if err != nil {
				return err
			}
			var answer infoAnswer
			if err := call(do, req, read, &answer); err != nil {
				return err
			}
			return check(answer.Success && answer.User.Username == wanted)
		},
		List: func(ctx context.Context, count int) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/api/v1/users.list?count="+strconv.Itoa(count), nil)
			if err != nil {
				return err
			}
			var answer listAnswer
			if err := call(do, req, read, &answer); err != nil {
				return err
			}
			return check(answer.Success && len(answer.Users) > 0)
		},
		Create: func(ctx context.Context) error {
			body, err := json.Marshal(createBody{
				Name: "Alice Adams", Username: "alice", Email: "alice@example.org", Password: "Secret-alice-1", Verified: true,
			})
			if err != nil {
				return err
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/api/v1/users.create", bytes.NewReader(body))
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", "application/json")
			var answer infoAnswer
			if err := call(do, req, read, &answer); err != nil {
				return err
			}
			return check(answer.Success && answer.User.Username == "alice")
		},
	}
}

// retryable is go-retryablehttp with its defaults, but without its log.
func retryable(address string) Client {
	return scaledRetryable("retryablehttp+Decoder", address, 0, 0)
}

func scaledRetryable(name, address string, minWait, maxWait time.Duration) Client {
	transport := newTransport()
	r := retryablehttp.NewClient()
	r.Logger = nil
	r.HTTPClient = &http.Client{Transport: transport}
	if maxWait > 0 {
		r.RetryWaitMin, r.RetryWaitMax = minWait, maxWait
	}
	client := over(address, func(req *http.Request) (*http.Response, error) {
		wrapped, err := retryablehttp.FromRequest(req)
		if err != nil {
			return nil, err
		}
		return r.Do(wrapped)
	}, decoder)
	client.Name, client.Close = name, closing(transport)
	return client
}

// restyClient is resty as its README introduces it.
func restyClient(address string) Client {
	transport := newTransport()
	r := resty.NewWithClient(&http.Client{Transport: transport}).SetBaseURL(address).
		SetHeader("X-Auth-Token", token).SetHeader("X-User-Id", userID)
	done := func(res *resty.Response, err error, ok func() bool) error {
		switch {
		case err != nil:
			return err
		case res.IsError():
			return fmt.Errorf("status %d", res.StatusCode())
		}
		return check(ok())
	}
	return Client{
		Name: "resty",
		Info: func(ctx context.Context) error {
			var answer infoAnswer
			res, err := r.R().SetContext(ctx).SetQueryParam("username", wanted).SetResult(&answer).Get("/api/v1/users.info")
			return done(res, err, func() bool { return answer.Success && answer.User.Username == wanted })
		},
		List: func(ctx context.Context, count int) error {
			var answer listAnswer
			res, err := r.R().SetContext(ctx).SetQueryParam("count", strconv.Itoa(count)).SetResult(&answer).Get("/api/v1/users.list")
			return done(res, err, func() bool { return answer.Success && len(answer.Users) > 0 })
		},
		Create: func(ctx context.Context) error {
			var answer infoAnswer
			res, err := r.R().SetContext(ctx).SetResult(&answer).SetBody(createBody{
				Name: "Alice Adams", Username: "alice", Email: "alice@example.org", Password: "Secret-alice-1", Verified: true,
			}).Post("/api/v1/users.create")
			return done(res, err, func() bool { return answer.Success && answer.User.Username == "alice" })
		},
		Close: closing(transport),
	}
}

// sdk is Rocket.Chat's own library for Go. It has no call for users.info and
// users.list, but a general one, and its user has six fields.
func sdk(address string) Client {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	client := rest.NewClient(u, false)
	if err := client.Login(&models.UserCredentials{ID: userID, Token: token}); err != nil {
		panic(err)
	}
	return Client{
		Name: "Rocket.Chat.Go.SDK",
		Info: func(context.Context) error {
			var answer struct {
				rest.Status
				User models.User `json:"user"`
			}
			if err := client.Get("users.info", url.Values{"username": {wanted}}, &answer); err != nil {
				return err
			}
			return check(answer.User.UserName == wanted)
		},
		List: func(_ context.Context, count int) error {
			var answer struct {
				rest.Status
				Users []models.User `json:"users"`
			}
			if err := client.Get("users.list", url.Values{"count": {strconv.Itoa(count)}}, &answer); err != nil {
				return err
			}
			return check(len(answer.Users) > 0)
		},
		Create: func(context.Context) error {
			answer, err := client.CreateUser(&models.CreateUserRequest{
				Name: "Alice Adams", Username: "alice", Email: "alice@example.org", Password: "Secret-alice-1",
			})
			if err != nil {
				return err
			}
			return check(answer.User.Username == "alice")
		},
		Close: func() { http.DefaultClient.CloseIdleConnections() },
	}
}
