package rocketchat

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/go-retryablehttp"
)

// call is one call, from the method that makes it to its result. It is also the
// [http.RoundTripper] of its own retry loop; see attempt.go.
//
// Each part of its state has one owner, the file named beside it.
type call struct {
	endpoint
	client   *Client
	settings callSettings // what the call options say
	payload  readyBody    // what is sent

	credentials Credentials // of the last attempt (auth.go)
	proof       proof       // of a second factor (twofactor.go)
	pacing      pacing      // the pauses before attempts (ratelimit.go)
	tally       tally       // what the attempts came to (retry.go)
	answer      answer      // of the last attempt (answer.go)

	loop retryablehttp.Client
	http http.Client
}

// callSettings are set by call options.
type callSettings struct {
	maxWait     time.Duration
	waited      *time.Duration      // for rate limits so far, by all calls of one method
	pauses      func(time.Duration) // is told of pauses for rate limits
	raw         *[]byte
	factor      TwoFactorMethod
	factorCode  Secret // as it is sent
	factorTyped Secret // as it was given
}

// readyBody is the body of a request.
type readyBody struct {
	contentType string
	data        []byte
}

func newCall(client *Client, e endpoint) *call {
	c := &call{endpoint: e, client: client}
	c.settings.maxWait, c.settings.waited = client.config.maxWait, &c.pacing.waited
	return c
}

// send makes a call and leaves it to its caller to decode the answer and to end the
// call, with the context that it returns.
func send(ctx context.Context, client *Client, e endpoint, opts []CallOption) (*call, context.Context, error) {
	if ctx == nil {
		ctx, e.wrong = context.Background(), missingContext(e.op)
	}
	c := newCall(client, e)
	ctx = c.traceStart(ctx)
	returned := false
	defer func() {
		if !returned { // a function of the program panicked
			c.answer.release(client.config.transport)
			c.traceDone(ctx, errPanicked)
		}
	}()
	err := c.configure(opts)
	if err == nil {
		err = c.resolveUser(ctx, opts)
	}
	if err == nil {
		err = c.encode()
	}
	if err == nil {
		err = c.run(ctx)
	}
	returned = true
	return c, ctx, err
}

// end sanitizes the error of a call and releases its buffer.
func (c *call) end(ctx context.Context, err error) error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // the error of the call itself is meant
		err = c.sanitize(e)
	}
	c.traceDone(ctx, err)
	c.answer.release(c.client.config.transport)
	return err
}

// configure applies the call options.
func (c *call) configure(opts []CallOption) error {
	for _, opt := range opts {
		if opt == nil {
			return invalid(c.op, "CallOption", "must not be nil")
		}
		if err := opt.applyCall(&c.settings); err != nil {
			return err
		}
	}
	if c.wrong != nil {
		return c.wrong
	}
	return nil
}

// encode makes the payload. A GET has its user in the query.
func (c *call) encode() error {
	switch form, isForm := c.body.(formBody); {
	case c.picture && c.user.key == refID:
		c.path = "/avatar/uid/" + c.user.value
		return nil
	case c.picture:
		c.path = "/avatar/" + c.user.value
		return nil
	case c.method == http.MethodGet:
		c.endpoint = c.with(c.user.key, c.user.value)
		return nil
	case isForm:
		c.payload = form.encode(c.user)
		return nil
	case c.body == nil && c.userKeys == nil:
		return nil
	}
	data := []byte("{}")
	if c.body != nil {
		var err error
		if data, err = json.Marshal(c.body, bodyOptions); err != nil {
			return invalid(c.op, "request", "cannot be encoded: "+withoutValues(err).Error())
		}
	}
	c.payload = readyBody{contentType: "application/json", data: c.user.withUser(data)}
	return nil
}

// bodyOptions encode the body of a request. They are shared, because they cache the
// properties of each type.
var bodyOptions = json.WithMarshalers(revealSecrets()) //nolint:gochecknoglobals // it is never changed

// recovery can rescue a call that was refused.
type recovery struct {
	applies func(*call, error) bool
	recover func(*call, context.Context, error) error // nil: exchange again
}

// recoveries are tried in this order, each once per call.
func recoveries() [3]recovery {
	return [...]recovery{
		{(*call).broughtWrongFactor, (*call).dropFactor},
		{(*call).needsFactor, (*call).giveFactor},
		{(*call).needsCredentials, (*call).renewCredentials},
	}
}

// run exchanges until there is an answer or a failure without a remaining recovery.
func (c *call) run(ctx context.Context) error {
	c.bringFactor()
	for left := recoveries(); ; {
		err := c.exchange(ctx)
		if c.settings.raw != nil {
			*c.settings.raw = bytes.Clone(c.answer.body)
		}
		if err == nil {
			c.factorAccepted()
			return nil
		}
		i := slices.IndexFunc(left[:], func(r recovery) bool { return r.applies != nil && r.applies(c, err) })
		if i < 0 {
			return err
		}
		if err := left[i].recover(c, ctx, err); err != nil {
			return err
		}
		left[i] = recovery{}
	}
}

// exchange sends the call until no further attempt is to be made.
func (c *call) exchange(ctx context.Context) error {
	c.tally.failures = 0
	c.answer.reset()
	// This comes before the gate, so that all calls wait for the same log-in.
	if err := c.sign(ctx); err != nil {
		return noAnswer(c, err)
	}
	res, err := c.attempts(ctx)
	if err != nil {
		return c.interrupted(err)
	}
	_ = res.Body.Close()
	c.accepted()
	switch status := c.answer.status; {
	case status >= 300 && status < 400:
		if c.redirects && status == http.StatusTemporaryRedirect {
			return nil
		}
		return redirected(c)
	case status >= 200 && status < 300:
		return nil
	}
	return newError(c)
}

// interrupted is the error of an exchange that the retry loop ended with err.
func (c *call) interrupted(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // its text holds the address and the query
	}
	if c.proof.failed != nil {
		return c.unanswered(c.proof.refusal, c.proof.failed)
	}
	if c.answer.status >= 300 && c.answer.status < 400 { // to an address that net/http cannot parse
		return redirected(c)
	}
	return noAnswer(c, err)
}

// attempts runs the retry loop. The result of the last attempt is in c.answer.
func (c *call) attempts(ctx context.Context) (*http.Response, error) {
	u := *c.client.baseURL
	if c.path != "" {
		u.Path += c.path
	} else {
		u.Path += "/api/v1/" + c.op
	}
	u.RawQuery = c.query.Encode()
	plain := new(http.Request).WithContext(ctx)
	plain.Method, plain.URL, plain.Host = c.method, &u, u.Host
	plain.Proto, plain.ProtoMajor, plain.ProtoMinor = "HTTP/1.1", 1, 1
	plain.Header = make(http.Header) // http.Client copies a request without one
	req, err := retryablehttp.FromRequest(plain)
	if err != nil {
		return nil, err
	}
	if c.payload.data != nil {
		if err := req.SetBody(c.payload.data); err != nil {
			return nil, err
		}
	}
	c.prepareLoop()
	return c.loop.Do(req)
}
