package rocketchat

import (
	"context"
	"crypto/tls"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// RetryPolicy sets how often and after which delays failed attempts are retried.
//
// Whether an attempt is retried depends on the endpoint, not only on the HTTP method:
//
//	what happened                                idempotent call   other call
//	the request never left                       retried           retried
//	429: the server refused before it acted      retried           retried
//	connection lost, attempt timed out           retried           ErrOutcomeUnknown
//	502, 503, 504                                retried           ErrOutcomeUnknown
//	500 and all others above, except 501 and 505 returned          ErrOutcomeUnknown
//	redirect                                     returned          ErrOutcomeUnknown
//	any other answer                             returned          returned
//
// A write that ends without an answer, with a redirect or with a server failure fails with
// [ErrOutcomeUnknown] even if it is idempotent. So does a write that is refused after an
// attempt that may have taken effect. A 429 is retried for as long as the context and
// [WithMaxWait] allow. The doc comment of a method says whether its call is retried if the
// response is lost.
type RetryPolicy struct {
	// MaxAttempts bounds the number of attempts, not counting those that the rate limit
	// refused. It must be at least 1.
	MaxAttempts int
	// BaseDelay is the shortest pause between two attempts; 0 means 500 ms.
	BaseDelay time.Duration
	// MaxDelay is the longest pause; 0 means 30 s. Pauses are random between BaseDelay and
	// an upper bound, which is twice BaseDelay at first and doubles up to MaxDelay. A
	// Retry-After header of the server can ask for a longer pause.
	MaxDelay time.Duration
}

const (
	defaultBaseDelay = 500 * time.Millisecond
	defaultMaxDelay  = 30 * time.Second
)

// delay is the pause after the given number of failures.
func (p RetryPolicy) delay(failures int) time.Duration {
	upper := p.BaseDelay
	for range min(failures, 32) {
		if upper >= p.MaxDelay/2 {
			upper = p.MaxDelay
			break
		}
		upper *= 2
	}
	return p.BaseDelay + rand.N(upper-p.BaseDelay+1) //nolint:gosec // jitter is no secret
}

// outcome is the outcome of one attempt.
type outcome struct {
	status int // 0 without an answer
	err    error
}

// tally counts the attempts of a call so far.
type tally struct {
	attempts int  // sent
	failures int  // of the present exchange, without a usable answer
	refusals int  // 429s
	unknown  bool // an attempt may have taken effect
}

// record adds an outcome.
func (t *tally) record(e endpoint, o outcome) {
	switch {
	case o.err != nil && isNotSent(o.err):
		return
	case o.err != nil:
		t.failures++
		t.unknown = t.unknown || e.write && !neverSent(o.err)
	case o.status == http.StatusTooManyRequests:
		t.refusals++
	default:
		if gatewayFailed(o.status) {
			t.failures++
		}
		t.unknown = t.unknown || e.write && leavesDoubt(o.status, e.redirects)
	}
}

// again reports whether to make another attempt after the recorded outcome.
func (p RetryPolicy) again(o outcome, e endpoint, t tally) bool {
	switch {
	case o.err != nil && (isNotSent(o.err) || errors.Is(o.err, errTooLarge)):
		return false
	case o.err != nil:
		return t.failures < p.MaxAttempts && (e.idempotent || neverSent(o.err))
	case o.status == http.StatusTooManyRequests:
		return true
	}
	return gatewayFailed(o.status) && e.idempotent && t.failures < p.MaxAttempts
}

// prepareLoop sets up go-retryablehttp. Its logger and timeout stay zero: the timeout would
// include the pauses of the rate gate.
func (c *call) prepareLoop() {
	c.http.Transport = c
	c.http.CheckRedirect = neverRedirect
	c.loop.HTTPClient = &c.http
	c.loop.RetryMax = math.MaxInt
	c.loop.CheckRetry = c.checkRetry
	c.loop.Backoff = noBackoff
	c.loop.ErrorHandler = keepLastAnswer
}

func neverRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// noBackoff leaves the pause to the layer that makes all pauses; see [call.paced].
func noBackoff(time.Duration, time.Duration, int, *http.Response) time.Duration { return 0 }

// keepLastAnswer returns the last answer unchanged.
func keepLastAnswer(res *http.Response, err error, _ int) (*http.Response, error) {
	if err != nil && res != nil {
		_ = res.Body.Close()
		return nil, err
	}
	return res, err
}

// checkRetry implements [retryablehttp.CheckRetry].
func (c *call) checkRetry(ctx context.Context, _ *http.Response, err error) (bool, error) {
	o := outcome{status: c.answer.status, err: err}
	c.tally.record(c.endpoint, o)
	if ctx.Err() != nil && err != nil && !isNotSent(err) {
		return false, ended(ctx)
	}
	policy := c.client.config.retry
	if !policy.again(o, c.endpoint, c.tally) {
		return false, err
	}
	if err == nil && o.status == http.StatusTooManyRequests { // the gate, or the wait of the hidden limiter, holds the next attempt back
		return true, nil
	}
	c.pacing.backoff = policy.delay(c.tally.failures)
	if asked := retryAfter(c.answer.header, c.answer.at); err == nil && asked > c.pacing.backoff {
		if left := c.waitLeft(); left < 0 || !mayWait(ctx, asked, left) {
			return false, nil
		}
		c.pacing.backoff = asked
	}
	return true, nil
}

// leavesDoubt reports whether the server may have acted although it answered with this
// status. Proxies have statuses of their own above 505, such as 524 for an answer that
// took too long.
func leavesDoubt(status int, redirects bool) bool {
	if status >= 300 && status < 400 {
		return !redirects
	}
	return status >= http.StatusInternalServerError &&
		status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported
}

// gatewayFailed reports whether a status is worth another attempt.
func gatewayFailed(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// neverSent reports whether an attempt failed before the first byte of the request was
// sent.
func neverSent(err error) bool {
	if _, connected := errors.AsType[*connectedError](err); connected {
		return false
	}
	if _, badCertificate := errors.AsType[*tls.CertificateVerificationError](err); badCertificate {
		return true
	}
	if _, none := errors.AsType[*noConnectionError](err); none {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect") || isNotSent(err)
}

// isNotSent reports whether an attempt failed in the library: in the gate or for its
// credentials.
func isNotSent(err error) bool {
	_, ok := errors.AsType[*notSentError](err)
	return ok
}

// mayWait reports whether a wait is within limit, if there is one, and ends before ctx.
func mayWait(ctx context.Context, wait, limit time.Duration) bool {
	if limit > 0 && wait > limit {
		return false
	}
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) >= wait
}
