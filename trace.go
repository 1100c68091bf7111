package rocketchat

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Trace is a set of functions that observe calls, for metrics, traces and progress
// displays; see [WithTrace]. Any of them may be nil. They are called on the goroutine of
// the call, except that Waiting can be called on another one, and should be quick.
//
// Their arguments never hold credentials, addresses or bodies.
type Trace struct {
	// CallStart is called when a call begins. The call goes on with the context that it
	// returns, unless that is nil, and the other functions get it or one derived from it.
	CallStart func(ctx context.Context, info CallInfo) context.Context
	// AttemptStart is called before an attempt is sent, after all pauses. It may add
	// headers, such as traceparent. The attempt is made with the context it returns.
	AttemptStart func(ctx context.Context, info AttemptInfo) context.Context
	// AttemptDone is called after an attempt.
	AttemptDone func(ctx context.Context, attempt Attempt)
	// Waiting is called before a pause. Its length is a lower bound.
	Waiting func(ctx context.Context, wait WaitInfo)
	// CallDone is called when a call has ended, even if a function of the program panicked
	// during it.
	CallDone func(ctx context.Context, result CallResult)
}

// CallInfo describes a call that begins.
type CallInfo struct {
	Op     string // the operation, such as "users.update"
	Method string // of HTTP
	Path   string // below the server's address, without query; user names in it are replaced
	Server string // host and port
}

// AttemptInfo describes an attempt that begins.
type AttemptInfo struct {
	Op     string
	Number int         // 1 for the first
	Header http.Header // headers to add; those of the library take precedence
}

// Attempt describes an attempt that has ended.
type Attempt struct {
	Op         string
	Number     int           // 1 for the first
	StatusCode int           // 0 if no answer came
	Took       time.Duration // from the request to the last byte of the answer, or to its header if a long list follows
	Pause      time.Duration // before it: for rate limits, or after a failed attempt
	Err        error         // why no answer came; its text is one line without addresses and secrets
}

// WaitReason says what a call waits for.
type WaitReason string

// The reasons for pauses.
const (
	WaitRouteLimit WaitReason = "route limit" // the server's limit for the endpoint
	WaitUserLimit  WaitReason = "user limit"  // the server's limit for changes of one user
	WaitThrottle   WaitReason = "throttle"    // the limit of [WithThrottle]
	WaitBackoff    WaitReason = "backoff"     // the pause after a failed attempt
)

// WaitInfo describes a pause.
type WaitInfo struct {
	Op     string
	Reason WaitReason
	Wait   time.Duration // at least
}

// CallResult describes a call that has ended.
type CallResult struct {
	Op             string
	Class          Class // of the error; "" for success and for errors of no class
	Code           Code
	StatusCode     int                          // of the last answer; 0 if none came
	Attempts       int                          // sent
	Refusals       int                          // attempts that the rate limit refused
	Paused         time.Duration                // all pauses of the call, also one that was given up
	Pauses         map[WaitReason]time.Duration // the same by reason, without pauses of less than a millisecond
	OutcomeUnknown bool
	Err            error
}

// traceStart reports the beginning of the call to the traces.
func (c *call) traceStart(ctx context.Context) context.Context {
	for _, t := range c.client.config.traces {
		if t.CallStart != nil {
			ctx = cmp.Or(t.CallStart(ctx, CallInfo{Op: c.op, Method: c.method, Path: c.template(), Server: c.client.server}), ctx) //nolint:fatcontext // one for each trace
		}
	}
	return ctx
}

// template is the path without the names of users.
func (c *call) template() string {
	switch {
	case c.op == "avatar.byUserId":
		return "/avatar/uid/{userId}"
	case c.picture:
		return "/avatar/{username}"
	case c.path != "":
		return c.path
	}
	return "/api/v1/" + c.op
}

// errPanicked is the result of a call that did not return.
var errPanicked = errors.New("a function of the program panicked during the call")

// traceDone reports the end of the call to the traces.
func (c *call) traceDone(ctx context.Context, err error) {
	if len(c.client.config.traces) == 0 {
		return
	}
	result := CallResult{
		Op: c.op, StatusCode: c.answer.status, Attempts: c.tally.attempts, Refusals: c.tally.refusals,
		Paused: c.pacing.paused, Pauses: c.pacing.pauses, Err: err,
	}
	if e, ok := err.(*Error); ok { //nolint:errorlint // the error of the call itself is meant
		result.Class, result.Code, result.OutcomeUnknown = e.Class, e.Code, e.OutcomeUnknown
	}
	for _, t := range c.client.config.traces {
		if t.CallDone != nil {
			t.CallDone(ctx, result)
		}
	}
}

// announce returns a function that reports a pause to the traces, or nil if no trace needs
// it.
func (c *call) announce(ctx context.Context, reason WaitReason) func(time.Duration) {
	if !c.client.config.listens && c.settings.pauses == nil {
		return nil
	}
	return func(wait time.Duration) {
		if c.settings.pauses != nil && reason != WaitBackoff {
			c.settings.pauses(wait)
		}
		for _, t := range c.client.config.traces {
			if t.Waiting != nil {
				t.Waiting(ctx, WaitInfo{Op: c.op, Reason: reason, Wait: wait})
			}
		}
	}
}

// observed counts, logs and reports the attempt.
func (c *call) observed(req *http.Request) (*http.Response, error) {
	config := &c.client.config
	var traced http.Header
	if len(config.traces) > 0 {
		ctx, added, err := c.traceAttempt(req.Context())
		if err != nil {
			return nil, &notSentError{err}
		}
		req, traced = req.WithContext(ctx), added
	}
	c.tally.attempts++
	ctx := req.Context()
	start := time.Now()
	res, err := c.bounded(req, traced)
	logs := config.logger.Enabled(ctx, slog.LevelDebug)
	if !logs && len(config.traces) == 0 {
		return res, err
	}
	attempt := Attempt{
		Op: c.op, Number: c.tally.attempts, StatusCode: c.answer.status,
		Took: time.Since(start), Pause: c.pacing.pause,
	}
	if err != nil {
		attempt.Err = c.cause(err)
	}
	if logs {
		config.logger.LogAttrs(ctx, slog.LevelDebug, "rocketchat: attempt", attempt.attrs()...)
	}
	for _, t := range config.traces {
		if t.AttemptDone != nil {
			t.AttemptDone(ctx, attempt)
		}
	}
	return res, err
}

// traceAttempt reports the beginning of an attempt to the traces and collects their
// headers.
func (c *call) traceAttempt(ctx context.Context) (context.Context, http.Header, error) {
	added := make(http.Header)
	for _, t := range c.client.config.traces {
		if t.AttemptStart != nil {
			ctx = cmp.Or(t.AttemptStart(ctx, AttemptInfo{Op: c.op, Number: c.tally.attempts + 1, Header: added}), ctx) //nolint:fatcontext // one for each trace
		}
	}
	for key, values := range added {
		if !isToken(key) || !fitsHeader(strings.Join(values, "")) {
			return ctx, nil, invalid(c.op, "AttemptInfo.Header", "has a name or a value that no header can hold")
		}
	}
	return ctx, added, nil
}

func (a Attempt) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("op", a.Op), slog.Int("attempt", a.Number), slog.Int("status", a.StatusCode),
		slog.Duration("took", a.Took), slog.Duration("pause", a.Pause),
	}
	if a.Err != nil {
		attrs = append(attrs, slog.String("error", a.Err.Error()))
	}
	return attrs
}
