package rocketchat

import (
	"context"
	"maps"
	"net/http"
	"time"
)

// An attempt passes these layers, from the outside in; each calls the next. The order
// matters: a token may expire while the gate pauses, and pauses must not count as the
// network's time.
//
//	paced     waits for the rate limits (ratelimit.go)
//	signed    adds credentials and second factor
//	observed  counts and reports the attempt (trace.go)
//	bounded   limits time and size, and reads the whole answer
//	transport is the caller's or net/http's (transport.go)

// RoundTrip implements [http.RoundTripper] for the retry loop: it makes one attempt.
func (c *call) RoundTrip(req *http.Request) (*http.Response, error) {
	return c.paced(req)
}

// signed determines the credentials and the second factor of the attempt.
func (c *call) signed(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if err := c.sign(ctx); err != nil {
		return nil, &notSentError{err}
	}
	if err := c.prove(ctx); err != nil {
		return nil, &notSentError{err}
	}
	return c.observed(req)
}

// addHeaders adds all headers of an attempt.
func (c *call) addHeaders(header http.Header) {
	header["Accept"] = []string{"application/json"}
	if c.picture {
		header["Accept"] = []string{"image/*"}
	}
	header["User-Agent"] = []string{c.client.config.userAgent}
	if c.payload.contentType != "" {
		header["Content-Type"] = []string{c.payload.contentType}
	}
	if c.proof.method != "" {
		header["X-2fa-Method"] = []string{string(c.proof.method)}
		header["X-2fa-Code"] = []string{c.proof.code.Reveal()}
	}
	switch credentials := c.credentials; {
	case credentials == Credentials{}:
	case c.picture:
		header["Cookie"] = []string{credentials.cookies()}
	case credentials.Bearer:
		header["Authorization"] = []string{"Bearer " + credentials.Token.Reveal()}
	default:
		header["X-User-Id"] = []string{credentials.UserID}
		header["X-Auth-Token"] = []string{credentials.Token.Reveal()}
	}
}

// bounded makes the attempt within the time and size allowed. It reads the whole answer,
// so that a broken answer is a failed attempt.
func (c *call) bounded(req *http.Request, traced http.Header) (*http.Response, error) {
	c.answer.reset()
	outer := req.Context()
	if outer.Err() != nil { // a trace ended it
		return nil, &notSentError{ended(outer)}
	}
	ctx, cancel := context.WithCancel(outer)
	timer := time.AfterFunc(c.client.config.attemptTimeout, cancel)
	streamed := false
	defer func() {
		timer.Stop()
		if !streamed {
			cancel()
		}
	}()
	var sent *sending
	if c.write {
		sent = new(sending)
		ctx = sent.watch(ctx, cancel)
	}
	transport := c.client.config.transport
	res, err := transport.RoundTrip(c.attempt(ctx, req, traced))
	if err == nil {
		err = final(res)
	}
	if err == nil {
		if streamed = c.streamed(res, cancel); !streamed {
			err = c.answer.read(res, transport, c.client.config.maxAnswer)
		}
	}
	if err == nil {
		res.Body, res.Request = http.NoBody, req
		return res, nil
	}
	switch {
	case outer.Err() != nil:
	case sent != nil && sent.replayed.Load():
		err = errReplay
	case ctx.Err() != nil:
		err = errAttemptTimeout
	}
	if sent != nil {
		err = sent.seenIn(err, transport.tells)
	}
	return nil, err
}

const (
	errNoResponse = plainError("the transport returned no response")
	errNotFinal   = plainError("the response has a status that ends no call")
)

// final checks that a response is one that can be read to its end, which that of a
// switched protocol has not.
func final(res *http.Response) error {
	if res == nil {
		return errNoResponse
	}
	if res.Body == nil {
		res.Body = http.NoBody
	}
	if res.StatusCode < http.StatusOK {
		_ = res.Body.Close()
		return errNotFinal
	}
	return nil
}

// attempt makes the request of an attempt. It has headers of its own, because net/http may
// still read those of a previous attempt that has failed.
func (c *call) attempt(ctx context.Context, req *http.Request, traced http.Header) *http.Request {
	own := req.WithContext(ctx)
	own.Header = make(http.Header, 8)
	maps.Copy(own.Header, traced)
	c.addHeaders(own.Header)
	if c.write {
		forbidReplay(own)
	}
	return own
}

// notSentError is a failure before the request was sent.
type notSentError struct{ error }

func (e *notSentError) Unwrap() error { return e.error }

// defaultAttemptTimeout bounds one attempt, including reading the answer.
const defaultAttemptTimeout = 30 * time.Second
