package rocketchat

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/go-retryablehttp"
)

// endpoint is what the pipeline knows of a route. An endpoint method describes it
// with [get] or [post] and the methods below, and hands it to [do].
type endpoint struct {
	method     string
	op         string // the server's name for it, such as "users.info"
	path       string // where it is, when that is not /api/v1/ and op
	version    string // of the first server that has it, when that matters
	member     string // of the answer that is the result; "" for the whole answer
	idempotent bool   // a second run does no harm, so a lost answer is no reason to stop
	write      bool   // it changes something, so a lost answer leaves a doubt
	anonymous  bool   // it is sent without credentials
	optional   bool   // it is sent with credentials if the client has some
	picture    bool   // it is not part of the API: a picture is the answer, credentials are cookies
	final      bool   // it is not worth a new log-in
	mayBeEmpty bool   // a success may have no body
	redirects  bool   // a redirect is the answer
	wrong      *Error // the first argument that no server would take
}

// get describes a call that changes nothing.
func get(op string) endpoint {
	return endpoint{method: http.MethodGet, op: op, idempotent: true}
}

// post describes a call that changes something and must not be sent a second time
// after its answer was lost.
func post(op string) endpoint {
	return endpoint{method: http.MethodPost, op: op, write: true}
}

// repeatable marks a write that may be sent again after its answer was lost.
func (e endpoint) repeatable() endpoint { e.idempotent = true; return e }

// once marks a read that starts something.
func (e endpoint) once() endpoint { e.idempotent, e.write = false, true; return e }

// yields names the member of the answer that is the result.
func (e endpoint) yields(member string) endpoint { e.member = member; return e }

// since names the first server version that has the endpoint.
func (e endpoint) since(version string) endpoint { e.version = version; return e }

// public marks an endpoint that is called without credentials.
func (e endpoint) public() endpoint { e.anonymous = true; return e }

// open marks an endpoint that anybody may call and that tells some callers more.
func (e endpoint) open() endpoint { e.optional = true; return e }

// at sets the path of an endpoint outside /api/v1.
func (e endpoint) at(path string) endpoint { e.path = path; return e }

// require refuses the call before it is sent, unless ok.
func (e endpoint) require(ok bool, field, text string) endpoint {
	if !ok && e.wrong == nil {
		e.wrong = invalid(e.op, field, text)
	}
	return e
}

// call is one call on its way through the pipeline.
type call struct {
	endpoint
	client      *Client
	query       url.Values
	request     []byte // the body to send; nil for none
	contentType string

	// What call options and the second factor set.
	maxWait time.Duration
	raw     *[]byte
	factor  TwoFactorMethod
	code    Secret
	// A challenge that is answered when the call may go, since its code does not keep.
	challenge  *TwoFactorChallenge
	provedAt   time.Time
	unprovable error // why it could not be answered

	// What the attempts leave behind.
	attempts    int           // sent so far
	failures    int           // attempts of the present exchange without a usable answer
	refusals    int           // 429s of the present exchange
	unknown     bool          // an attempt may have had its effect
	pause       time.Duration // before the last attempt, for the rate limit
	refusedFor  time.Duration // how long the last 429 wants us to wait
	hidden      bool          // the last 429 was the hidden limiter's
	credentials Credentials   // of the last attempt
	status      int
	header      http.Header
	body        []byte
	buffer      *bytes.Buffer // that body is in; no result may point into it
}

type callKey struct{}

func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// do makes a call and returns its result. The body is encoded as JSON, unless it is
// ready to be sent; nil is none.
func do[T any](ctx context.Context, client *Client, e endpoint, query url.Values, body any, opts []CallOption) (T, error) {
	c, err := send(ctx, client, e, query, body, opts)
	defer c.release()
	if err != nil {
		var none T
		return none, err
	}
	return decode[T](c)
}

// bodyOptions encode the body of a request. They are made once, since they remember
// what they found out of each type.
var bodyOptions = json.WithMarshalers(revealSecrets()) //nolint:gochecknoglobals // it is never changed

// readyBody is a body that is not JSON.
type readyBody struct {
	contentType string
	data        []byte
}

// send is do for an answer that is not to be decoded: the call holds it, and its body
// may be kept.
func send(ctx context.Context, client *Client, e endpoint, query url.Values, body any, opts []CallOption) (*call, error) {
	c := &call{endpoint: e, client: client, query: query, maxWait: client.config.maxWait}
	if ready, ok := body.(readyBody); ok {
		c.contentType, c.request = ready.contentType, ready.data
	} else if body != nil && e.wrong == nil {
		var err error
		c.contentType = "application/json"
		if c.request, err = json.Marshal(body, bodyOptions); err != nil {
			c.wrong = invalid(e.op, "request", "cannot be encoded: "+withoutValues(err).Error())
		}
	}
	return c, c.run(ctx, opts)
}

// exec makes a call whose answer says no more than that it succeeded.
func exec(ctx context.Context, client *Client, e endpoint, body any, opts []CallOption) error {
	_, err := do[struct{}](ctx, client, e, nil, body, opts)
	return err
}

// run makes the call: once, and once more each for a second factor and for a session
// that has expired.
func (c *call) run(ctx context.Context, opts []CallOption) error {
	if c.wrong != nil {
		return c.wrong
	}
	for _, opt := range opts {
		opt(c)
	}
	ctx = context.WithValue(ctx, callKey{}, c)
	asked, renewed := false, false
	var refusal error
	for {
		err := c.exchange(ctx)
		if c.unprovable != nil {
			return unanswered(refusal, c.unprovable)
		}
		if c.raw != nil {
			*c.raw = bytes.Clone(c.body)
		}
		var again bool
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrTOTPRequired) && !asked:
			asked, refusal = true, err
			again, err = c.giveSecondFactor(ctx, err)
		case errors.Is(err, ErrUnauthorized) && !renewed:
			renewed = true
			again, err = c.renewCredentials(ctx, err)
		}
		if !again {
			return err
		}
	}
}

// giveSecondFactor answers the challenge in refusal, when the client can.
func (c *call) giveSecondFactor(ctx context.Context, refusal error) (again bool, err error) {
	needed, ok := errors.AsType[*TwoFactorError](refusal)
	if !ok || c.client.config.twoFactor == nil || c.factor != "" || needed.Challenge.Op != c.op {
		return false, refusal
	}
	if needed.Challenge.Method == TwoFactorTOTP {
		c.challenge = &needed.Challenge
		return true, nil
	}
	if err := c.askTwoFactor(ctx, needed.Challenge); err != nil {
		return false, unanswered(refusal, err)
	}
	return true, nil
}

// unanswered is the refusal of a call whose challenge could not be answered.
func unanswered(refusal, err error) error {
	if e, ok := errors.AsType[*Error](refusal); ok {
		e.Err = errors.Join(aside(err), e.Err)
	}
	return refusal
}

// renewCredentials asks for others than those that the server refused.
func (c *call) renewCredentials(ctx context.Context, refusal error) (again bool, err error) {
	if c.final || c.status != http.StatusUnauthorized || c.credentials == (Credentials{}) {
		return false, refusal
	}
	renewed, err := c.client.config.credentials.Credentials(ctx, c.credentials)
	if err != nil {
		return false, noAnswer(c, err)
	}
	if renewed == c.credentials {
		return false, refusal
	}
	return true, nil
}

// exchange sends the call until it has an answer to keep. The answer is in c.
func (c *call) exchange(ctx context.Context) error {
	c.failures, c.refusals = 0, 0
	c.status, c.header, c.body = 0, nil, nil
	// Before the gate, so that everybody who waits for a log-in waits for the same one.
	if err := c.sign(ctx); err != nil {
		return noAnswer(c, err)
	}
	req, err := c.newRequest(ctx)
	if err != nil {
		return noAnswer(c, err)
	}
	res, err := c.client.http.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // its text holds the address and the query
		}
		if c.status >= 300 && c.status < 400 { // to an address that net/http cannot read
			return c.redirected()
		}
		return noAnswer(c, err)
	}
	_ = res.Body.Close()
	switch {
	case c.status >= 300 && c.status < 400:
		if c.redirects && c.status == http.StatusTemporaryRedirect {
			return nil
		}
		return c.redirected()
	case c.status >= 200 && c.status < 300:
		return nil
	}
	return newError(c)
}

func (c *call) redirected() *Error {
	e := &Error{Op: c.op, StatusCode: c.status, Class: ErrRedirected, Attempts: c.attempts, OutcomeUnknown: c.unknown, Message: "to nowhere"}
	if to, err := c.client.baseURL.Parse(c.header.Get("Location")); err == nil && c.header.Get("Location") != "" {
		e.Message = "to " + to.Scheme + "://" + to.Host + "; not followed: give the client that address if it is right"
	}
	return e
}

func (c *call) newRequest(ctx context.Context) (*retryablehttp.Request, error) {
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
	plain.Header = make(http.Header) // empty, since http.Client makes a copy of it
	req, err := retryablehttp.FromRequest(plain)
	if err != nil || c.request == nil {
		return req, err
	}
	return req, req.SetBody(c.request)
}

// addHeaders adds those that do not depend on the credentials.
func (c *call) addHeaders(header http.Header) {
	header["Accept"] = []string{"application/json"}
	if c.picture {
		header["Accept"] = []string{"image/*"}
	}
	header["User-Agent"] = []string{c.client.config.userAgent}
	if c.request != nil {
		header["Content-Type"] = []string{c.contentType}
	}
	if c.factor != "" {
		header.Set("X-2fa-Method", string(c.factor))
		header.Set("X-2fa-Code", c.code.Reveal())
	}
}

// roundTripper lets a function be an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// pipeline is what every attempt passes, from the outside in. The order matters: the
// gate may pause for longer than a token lives, and none of its pauses may count as
// the network's time.
func (c *Client) pipeline() http.RoundTripper {
	var rt http.RoundTripper = c.config.transport
	rt = c.bounded(rt)
	rt = c.observed(rt)
	rt = c.authenticated(rt)
	return c.paced(rt)
}

// authenticated adds the headers, with the credentials.
func (c *Client) authenticated(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		call := callFrom(req.Context())
		if err := call.sign(req.Context()); err != nil {
			return nil, &notSentError{err}
		}
		if err := call.prove(req.Context()); err != nil {
			return nil, &notSentError{err}
		}
		// The map is the request's own: newRequest made it, and each attempt sets it anew.
		call.addHeaders(req.Header)
		switch {
		case call.credentials == Credentials{} || req.URL.Host != c.baseURL.Host:
		case call.picture:
			req.Header["Cookie"] = []string{call.credentials.cookies()}
		default:
			req.Header["X-User-Id"] = []string{call.credentials.UserID}
			req.Header["X-Auth-Token"] = []string{call.credentials.Token.Reveal()}
		}
		return next.RoundTrip(req)
	})
}

// sign finds out with which credentials the next attempt is to be made.
func (c *call) sign(ctx context.Context) (err error) {
	if c.anonymous {
		return nil
	}
	c.credentials, err = c.client.config.credentials.Credentials(ctx, Credentials{})
	if c.optional && errors.Is(err, errNoCredentials) {
		return nil
	}
	return err
}

// cookies are the credentials where pictures are given out, which reads no headers.
func (c Credentials) cookies() string {
	return "rc_uid=" + url.PathEscape(c.UserID) + "; rc_token=" + url.PathEscape(c.Token.Reveal())
}

// notSentError is a failure before the request left.
type notSentError struct{ error }

func (e *notSentError) Unwrap() error { return e.error }

// Attempt is one attempt of a call, as [WithHook] sees it.
type Attempt struct {
	Op         string
	Number     int           // 1 for the first
	StatusCode int           // 0 when no answer came
	Took       time.Duration // from the request to the last byte of the answer
	Pause      time.Duration // before it, for the rate limit
	Err        error         // why no answer came
}

// observed counts, logs and reports the attempts.
func (c *Client) observed(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		ctx := req.Context()
		call := callFrom(ctx)
		call.attempts++
		start := time.Now()
		res, err := next.RoundTrip(req)
		attempt := Attempt{
			Op: call.op, Number: call.attempts, StatusCode: call.status,
			Took: time.Since(start), Pause: call.pause, Err: err,
		}
		if c.config.logger.Enabled(ctx, slog.LevelDebug) {
			c.config.logger.LogAttrs(ctx, slog.LevelDebug, "rocketchat: attempt", attempt.attrs()...)
		}
		if c.config.hook != nil {
			c.config.hook(ctx, attempt)
		}
		return res, err
	})
}

func (a Attempt) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("op", a.Op), slog.Int("attempt", a.Number), slog.Int("status", a.StatusCode),
		slog.Duration("took", a.Took), slog.Duration("pause", a.Pause),
	}
	if a.Err != nil {
		attrs = append(attrs, slog.String("error", oneLine(a.Err.Error())))
	}
	return attrs
}

// bounded makes one attempt: in the time and of the size allowed, with the whole
// answer read into the call, so that a broken answer is a failed attempt.
func (c *Client) bounded(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		call := callFrom(req.Context())
		call.status, call.header, call.body = 0, nil, nil
		ctx, cancel := context.WithTimeoutCause(req.Context(), c.config.attemptTimeout, errAttemptTimeout)
		defer cancel()
		var conn *connecting // a read that is repeated needs to know nothing of it
		if call.write {
			conn = new(connecting)
			ctx = conn.watch(ctx)
		}
		res, err := next.RoundTrip(req.WithContext(ctx))
		if err == nil {
			err = call.readAll(res)
		}
		if err != nil {
			if req.Context().Err() == nil && ctx.Err() != nil {
				err = errAttemptTimeout
			}
			if conn != nil && conn.lasted() {
				err = &noConnectionError{err}
			}
			return nil, err
		}
		call.status, call.header, call.body = res.StatusCode, res.Header, call.buffer.Bytes()
		res.Body, res.Request = http.NoBody, req
		return res, nil
	})
}

// connecting watches a transport that tells of its connections: until it has one,
// nothing of the request has left.
type connecting struct{ begun, ended atomic.Bool }

func (c *connecting) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { c.begun.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { c.ended.Store(true) },
	})
}

func (c *connecting) lasted() bool { return c.begun.Load() && !c.ended.Load() }

// noConnectionError is a failure before there was a connection.
type noConnectionError struct{ error }

func (e *noConnectionError) Unwrap() error { return e.error }

// readAll reads the answer into the buffer.
func (c *call) readAll(res *http.Response) error {
	defer func() { _ = res.Body.Close() }()
	limit := c.client.config.maxAnswer
	if res.ContentLength > limit {
		return errTooLarge
	}
	if c.buffer == nil {
		c.buffer = c.client.config.transport.buffer()
	}
	c.buffer.Reset()
	if res.ContentLength > 0 {
		c.buffer.Grow(int(res.ContentLength) + bytes.MinRead)
	}
	n, err := c.buffer.ReadFrom(io.LimitReader(res.Body, limit+1))
	switch {
	case err != nil:
		return err
	case n > limit:
		return errTooLarge
	case res.ContentLength > 0 && n < res.ContentLength:
		return io.ErrUnexpectedEOF
	}
	return nil
}

// release gives the buffer to other calls, once the answer was decoded, which copies.
func (c *call) release() {
	if c.buffer != nil && c.buffer.Cap() <= keptBuffer {
		c.client.config.transport.buffers.Put(c.buffer)
	}
	c.buffer, c.body = nil, nil
}

// transport is the way out. It shields the caller's RoundTripper from the retry
// client, which would close its idle connections after every failed call.
type transport struct {
	http.RoundTripper
	own     *http.Transport // set when the client made it
	buffers sync.Pool       // of *bytes.Buffer, for answers
}

// keptBuffer bounds the buffers that are used again.
const keptBuffer = 1 << 20

func (t *transport) buffer() *bytes.Buffer {
	if b, ok := t.buffers.Get().(*bytes.Buffer); ok {
		return b
	}
	return new(bytes.Buffer)
}

func newTransport() *transport {
	own := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		own = standard.Clone()
	}
	own.MaxIdleConnsPerHost = 64 // all calls go to one host; the default of 2 would open a connection for nearly each
	return &transport{RoundTripper: own, own: own}
}

func (t *transport) closeIdle() {
	if t.own != nil {
		t.own.CloseIdleConnections()
	}
}

// query collects parameters, leaving out what is empty.
func query(pairs ...string) url.Values {
	q := make(url.Values, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}
