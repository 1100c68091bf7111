package rocketchat

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// RetryPolicy says how attempts that failed are repeated.
//
// What is repeated depends on the endpoint, never on the HTTP method alone:
//
//	what happened                               idempotent call   other call
//	the request never left                      repeated          repeated
//	429, the server refused before it did it    repeated          repeated
//	connection broken, attempt timed out        repeated          ErrOutcomeUnknown
//	502, 503, 504                               repeated          ErrOutcomeUnknown
//	500 and any other above, but 501 and 505    returned          ErrOutcomeUnknown
//	any other answer                            returned          returned
//
// A write that ends with a failure of the server, 500 included, or without an answer is
// ErrOutcomeUnknown also when it was repeated, and so is one that is refused after an
// attempt that may have had its effect. The doc comment of a method says whether its
// call is repeated.
type RetryPolicy struct {
	MaxAttempts int           // in all, not counting those that the rate limit refused
	MinWait     time.Duration // before the second attempt; it doubles from then on
	MaxWait     time.Duration // the longest pause between two attempts
}

// maxRefusals bounds the 429s of one call, for a server that never stops.
const maxRefusals = 12

// newRetryClient is the one place that configures go-retryablehttp. The zero values
// matter: no logger of its own, and no timeout, which would count the pauses of the
// rate gate.
func newRetryClient(p RetryPolicy, rt http.RoundTripper) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     rt,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryWaitMin: p.MinWait,
		RetryWaitMax: p.MaxWait,
		RetryMax:     p.MaxAttempts + maxRefusals,
		CheckRetry:   p.check,
		Backoff:      backoff,
		ErrorHandler: keepLastAnswer,
	}
}

// check decides whether another attempt is made.
func (p RetryPolicy) check(ctx context.Context, res *http.Response, err error) (bool, error) {
	c := callFrom(ctx)
	if err != nil && c.write && !neverSent(err) || res != nil && leavesDoubt(res.StatusCode) && c.write {
		c.unknown = true
	}
	switch {
	case err == nil && res.StatusCode != http.StatusTooManyRequests && !gatewayFailed(res.StatusCode):
		return false, nil // an answer to keep, even if ctx ended in the same moment
	case ctx.Err() != nil:
		return false, ended(ctx)
	case err != nil:
		if isNotSent(err) || errors.Is(err, errTooLarge) {
			return false, err
		}
		c.failures++
		return c.failures < p.MaxAttempts && (c.idempotent || neverSent(err)), err
	case res.StatusCode == http.StatusTooManyRequests:
		c.refusals++
		if err := c.mayWait(ctx); err != nil {
			return false, nil //nolint:nilerr // the answer itself says how long to wait
		}
		if c.hidden && c.client.config.waitHook != nil {
			c.client.config.waitHook(ctx, c.op, c.refusedFor)
		}
		return c.refusals < maxRefusals, nil
	}
	c.failures++
	return c.failures < p.MaxAttempts && c.idempotent, nil
}

// leavesDoubt tells of a status that leaves open what the server did. Proxies have
// statuses of their own above 505, such as 524 for an answer that took too long.
func leavesDoubt(status int) bool {
	return status >= http.StatusInternalServerError &&
		status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported
}

// gatewayFailed tells of a status that is worth another attempt.
func gatewayFailed(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// neverSent reports a failure before the first byte of the request left.
func neverSent(err error) bool {
	if _, badCertificate := errors.AsType[*tls.CertificateVerificationError](err); badCertificate {
		return true
	}
	if _, none := errors.AsType[*noConnectionError](err); none {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect") || isNotSent(err)
}

// isNotSent reports a failure of our own: the gate's, or of the credentials.
func isNotSent(err error) bool {
	_, ok := errors.AsType[*notSentError](err)
	return ok
}

// mayWait refuses a pause that is longer than the call may wait. A refusal of the
// route limiter is the gate's to judge.
func (c *call) mayWait(ctx context.Context) error {
	if !c.hidden {
		return nil
	}
	return mayWait(ctx, c.refusedFor, c.maxWait)
}

// mayWait reports a wait that is longer than limit, if there is one, or than ctx lasts.
func mayWait(ctx context.Context, wait, limit time.Duration) error {
	if limit > 0 && wait > limit {
		return &RateLimitError{Wait: wait}
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return &RateLimitError{Wait: wait}
	}
	return nil
}

// backoff is the pause before the next attempt. After a 429 of the route limiter it
// is none: the gate holds the attempt back for as long as it takes.
func backoff(minWait, maxWait time.Duration, attempt int, res *http.Response) time.Duration {
	if res != nil && res.StatusCode == http.StatusTooManyRequests {
		if c := callFrom(res.Request.Context()); c.hidden {
			return c.refusedFor
		}
		return 0
	}
	wait := min(minWait<<min(attempt, 20), maxWait)
	if wait <= 0 {
		return 0
	}
	return wait/2 + rand.N(wait/2+1) //nolint:gosec // jitter is no secret
}

// keepLastAnswer gives the last answer to the caller as it is.
func keepLastAnswer(res *http.Response, err error, _ int) (*http.Response, error) {
	if err != nil && res != nil {
		_ = res.Body.Close()
		return nil, err
	}
	return res, err
}
