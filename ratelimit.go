package rocketchat

import (
	"container/list"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Route is what a server counts calls by, and who calls.
type Route struct {
	Server string // host and port
	Method string
	Op     string
	// Caller is the account. A server's window is one for all accounts of an address,
	// but some accounts are exempt from it.
	Caller string
}

// RouteLimit is what is known of a route's limit.
type RouteLimit struct {
	Exempt    bool          // calls are not limited, or the caller's are not
	Limit     int           // calls in one window
	Remaining int           // calls left in the present window
	Reset     time.Duration // until the window is over
	Window    time.Duration // how long a window lasts, as far as was seen
}

// Gate decides when a call may be sent. The default, [NewMemoryGate], serves the
// calls of one process; processes that share an address can share another one.
type Gate interface {
	// Enter waits, in order of arrival, until a call of the route may be sent, and
	// answers [*RateLimitError] at once when that would take longer than maxWait, if
	// it is above zero, or than ctx lasts.
	Enter(ctx context.Context, route Route, maxWait time.Duration) (Pass, error)
	// Leave ends what Enter allowed and tells what the answer said of the limit.
	Leave(route Route, pass Pass, seen Sighting)
	// Known tells what the gate knows of a route.
	Known(route Route) (RouteLimit, bool)
}

// Pass is a gate's own note about a call that it let through.
type Pass struct {
	Generation uint64
	Probe      bool
}

// Sighting is what an answer said of a route's limit.
type Sighting struct {
	Kind      SightingKind
	Limit     int
	Remaining int
	Window    int64         // X-RateLimit-Reset as it came: the identity of the window
	Reset     time.Duration // until the window is over, by the server's clock
}

// SightingKind says what an answer tells.
type SightingKind int

// The kinds of [Sighting].
const (
	Unsent  SightingKind = iota // the call was not made after all
	Nothing                     // no answer, or one that says nothing of limits
	Free                        // the limiter does not count this caller's calls
	Counted                     // the limiter counted the call
	Refused                     // the limiter refused the call
)

// RateLimitError is what a [Gate] answers to a call that would have to wait for too
// long. Callers of the client see it as an [*Error] of class [ErrRateLimited].
type RateLimitError struct{ Wait time.Duration }

// Error implements error.
func (e *RateLimitError) Error() string {
	return fmt.Sprintf("the rate limit holds the call for %s", e.Wait.Round(time.Millisecond))
}

// paced sends each attempt through the gate and tells the gate what it met.
func (c *Client) paced(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		ctx := req.Context()
		call := callFrom(ctx)
		route := Route{Server: c.baseURL.Host, Method: call.method, Op: call.op, Caller: c.config.caller}
		if call.anonymous {
			route.Caller = ""
		}
		start := time.Now()
		c.announceWait(ctx, route)
		pass, err := c.config.gate.Enter(ctx, route, call.maxWait)
		if err != nil {
			return nil, &notSentError{err}
		}
		if c.config.throttle != nil {
			if err := c.throttled(ctx); err != nil {
				c.config.gate.Leave(route, pass, Sighting{Kind: Unsent})
				return nil, err
			}
		}
		sent := time.Now()
		if call.pause = sent.Sub(start); call.pause >= time.Second {
			c.config.logger.LogAttrs(ctx, slog.LevelInfo, "rocketchat: waited for the rate limit",
				slog.String("op", call.op), slog.Duration("pause", call.pause))
		}
		seen := Sighting{Kind: Nothing} // should a hook or the transport panic
		defer func() { c.config.gate.Leave(route, pass, seen) }()
		res, err := next.RoundTrip(req)
		seen = call.sighting(c.config.clock, sent, err)
		return res, err
	})
}

// announceWait tells of a wait that is to come.
func (c *Client) announceWait(ctx context.Context, route Route) {
	if c.config.waitHook == nil {
		return
	}
	if known, ok := c.config.gate.Known(route); ok && !known.Exempt && known.Remaining == 0 && known.Reset >= time.Second {
		c.config.waitHook(ctx, route.Op, known.Reset)
	}
}

// throttled waits for the caller's own ceiling.
func (c *Client) throttled(ctx context.Context) error {
	err := c.config.throttle.Wait(ctx)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return &notSentError{ended(ctx)}
	}
	return &notSentError{&RateLimitError{Wait: time.Duration(float64(time.Second) / float64(c.config.throttle.Limit()))}}
}

// sighting reads what the attempt that was sent at the given time met.
func (c *call) sighting(clock *serverClock, sent time.Time, err error) Sighting {
	c.refusedFor, c.hidden = 0, false
	if err != nil {
		if isNotSent(err) {
			return Sighting{Kind: Unsent}
		}
		return Sighting{Kind: Nothing}
	}
	seen := Sighting{Kind: Counted}
	reset := parseReset(c.header)
	clock.observe(c.header, reset, sent, time.Now())
	limited := false
	if !reset.IsZero() {
		limit, err := strconv.Atoi(c.header.Get("X-Ratelimit-Limit"))
		if limited = err == nil && limit > 0; limited {
			seen.Limit, seen.Window, seen.Reset = limit, reset.UnixMilli(), clock.until(reset)
			remaining, _ := strconv.Atoi(c.header.Get("X-Ratelimit-Remaining"))
			seen.Remaining = max(remaining, 0)
		}
	}
	switch {
	case c.status == http.StatusTooManyRequests:
		wait, hidden := waitText(c.body)
		if hidden {
			c.refusedFor, c.hidden = max(wait, time.Second)+afterReset, true
			break
		}
		seen.Kind = Refused
		if !limited { // a proxy's, or headers were lost on the way
			seen.Reset = max(wait, retryAfter(c.header), time.Second)
		}
		seen.Remaining, c.refusedFor = 0, seen.Reset
		return seen
	case !limited && c.silentAboutLimits():
		return Sighting{Kind: Nothing}
	}
	if !limited {
		return Sighting{Kind: Free}
	}
	return seen
}

// silentAboutLimits reports an answer from which the absence of limit headers does
// not follow that calls are not limited: one of a proxy, or one that newer servers
// give before they count the call.
func (c *call) silentAboutLimits() bool {
	switch c.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	case http.StatusBadRequest:
		return strings.Contains(string(c.body), `invalid-params"`)
	}
	return c.status >= http.StatusInternalServerError || c.status >= 300 && c.status < 400 && !c.redirects
}

// maxWindow bounds what a broken header can ask for.
const maxWindow = time.Hour

// parseReset reads X-RateLimit-Reset, a moment in epoch milliseconds by the server's
// clock. The zero time is none.
func parseReset(h http.Header) time.Time {
	text := h.Get("X-Ratelimit-Reset")
	if text == "" {
		return time.Time{}
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms <= 0 || ms > 1<<53 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// retryAfter reads the header that proxies send, in seconds.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxWindow)
}

// waitText reads the only place where a server says how long to wait relative to
// now, "You must wait 43 seconds before trying …", and which limiter says it: the
// hidden one, for calls that concern one user, does not speak of an endpoint.
func waitText(body []byte) (wait time.Duration, hidden bool) {
	text := string(body)
	hidden = strings.Contains(text, "before trying again")
	_, rest, found := strings.Cut(text, "You must wait ")
	if !found {
		return 0, false
	}
	digits, _, _ := strings.Cut(rest, " ")
	seconds, err := strconv.Atoi(digits)
	if err != nil || seconds < 0 {
		return 0, hidden
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxWindow), hidden
}

// serverClock estimates how far the server's clock is ahead of ours. Each answer
// bounds it: the server's time was within the second of Date, and not past the reset
// of a window that was not over.
type serverClock struct {
	mu    sync.Mutex
	text  string // the last Date, which many answers share
	date  time.Time
	known bool
	low   time.Duration
	high  time.Duration
}

// observe takes in the clocks of an answer to a request of the given times.
func (s *serverClock) observe(h http.Header, reset, sent, answered time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text := h.Get("Date"); text != s.text {
		date, err := http.ParseTime(text)
		if err != nil {
			return
		}
		s.text, s.date = text, date
	} else if text == "" {
		return
	}
	low, high := s.date.Sub(answered), s.date.Add(time.Second).Sub(sent)
	if !reset.IsZero() && reset.After(s.date) {
		high = min(high, reset.Sub(sent))
	}
	if !s.known || low > s.high || high < s.low { // the first, or a clock was set
		s.known, s.low, s.high = true, low, high
		return
	}
	s.low, s.high = max(s.low, low), min(s.high, high)
}

// until is how long it takes until the server's clock shows t: exactly, if the clocks
// may agree, else not less than that.
func (s *serverClock) until(t time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	offset := s.low
	if s.low <= 0 && s.high >= 0 {
		offset = 0
	}
	return min(max(time.Until(t)-offset, 0), maxWindow)
}

// afterReset is added to every reset: the server opens a window strictly after it.
const afterReset = 2 * time.Millisecond

// memoryGate is the gate of one process.
type memoryGate struct {
	mu      sync.Mutex
	windows map[Route]*window // by route, without caller
}

// NewMemoryGate returns a gate that learns the limits from the answers. Clients that
// talk to the same server from one process can share it with [WithGate].
func NewMemoryGate() Gate { return &memoryGate{windows: make(map[Route]*window)} }

func (g *memoryGate) window(r Route) *window {
	r.Caller = ""
	g.mu.Lock()
	defer g.mu.Unlock()
	w, ok := g.windows[r]
	if !ok {
		w = &window{exempt: make(map[string]bool)}
		g.windows[r] = w
	}
	return w
}

// Enter implements [Gate].
func (g *memoryGate) Enter(ctx context.Context, r Route, maxWait time.Duration) (Pass, error) {
	return g.window(r).enter(ctx, r.Caller, maxWait)
}

// Leave implements [Gate].
func (g *memoryGate) Leave(r Route, p Pass, seen Sighting) { g.window(r).leave(r.Caller, p, seen) }

// Known implements [Gate].
func (g *memoryGate) Known(r Route) (RouteLimit, bool) { return g.window(r).known(r.Caller) }

// window mirrors the fixed window that the server keeps for one route.
//
// When no window is known, or the last one is over, one call goes ahead, the probe,
// and its answer says how many the new window holds; if it takes long, others follow. While it is open there are never
// more calls under way than it has left: so a neighbour on the same address, whose
// calls count too, is noticed before he costs more than a refusal.
type window struct {
	mu         sync.Mutex
	exempt     map[string]bool // callers whose calls are not counted
	generation uint64          // of the window, to tell its calls from older ones
	id         int64
	limit      int
	remaining  int
	underWay   int
	reset      time.Time
	length     time.Duration // the longest seen
	probes     int           // under way
	probedAt   time.Time     // the first of them
	queue      list.List     // of *waiter
	timer      *time.Timer
}

type waiter struct {
	caller string
	pass   Pass
	ready  chan struct{} // closed when pass is given
}

func (w *window) enter(ctx context.Context, caller string, maxWait time.Duration) (Pass, error) {
	if err := ctx.Err(); err != nil {
		return Pass{}, ended(ctx)
	}
	w.mu.Lock()
	if w.exempt[caller] {
		w.mu.Unlock()
		return Pass{}, nil
	}
	if w.queue.Len() == 0 {
		if pass, ok := w.admit(time.Now()); ok {
			w.mu.Unlock()
			return pass, nil
		}
	}
	if err := mayWait(ctx, w.expected(time.Now()), maxWait); err != nil {
		w.mu.Unlock()
		return Pass{}, err
	}
	self := &waiter{caller: caller, ready: make(chan struct{})}
	place := w.queue.PushBack(self)
	w.dispatch() // the window may have ended just now, and its timer may be late
	w.mu.Unlock()

	select {
	case <-self.ready:
		return self.pass, nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-self.ready: // let through in the same moment
		w.settle(caller, self.pass, Sighting{Kind: Unsent})
	default:
		w.queue.Remove(place)
	}
	w.dispatch()
	return Pass{}, ended(ctx)
}

// admit lets a call through, if one may go now.
func (w *window) admit(now time.Time) (Pass, bool) {
	if now.Before(w.reset) {
		if w.underWay >= w.remaining {
			return Pass{}, false
		}
		w.remaining--
		w.underWay++
		return Pass{Generation: w.generation}, true
	}
	switch {
	case w.probedAt.IsZero(): // the first of a window
		w.generation++
		w.probedAt, w.probes, w.underWay = now, 0, 0
	case w.probes == 0: // those before it told nothing
		w.probedAt = now
	case w.probes >= w.mayProbe(now):
		return Pass{}, false
	}
	w.probes++
	return Pass{Generation: w.generation, Probe: true}, true
}

// patience is how long one probe is waited for.
const patience = time.Second

// mayProbe is how many probes may be under way: one, and twice as many after each second
// that brought no answer, so that a slow or lost one does not hold up everybody.
func (w *window) mayProbe(now time.Time) int {
	n := 1 << min(now.Sub(w.probedAt)/patience, 10)
	if w.limit > 0 {
		n = min(n, w.limit)
	}
	return n
}

// expected is how long a call would wait that came now.
func (w *window) expected(now time.Time) time.Duration {
	ahead := w.queue.Len()
	if w.limit == 0 { // a route that a proxy closed, or of which nothing is known
		if w.remaining > 0 {
			return 0
		}
		return max(w.reset.Sub(now), 0)
	}
	if !now.Before(w.reset) {
		return time.Duration(ahead/w.limit) * w.length
	}
	if ahead < w.remaining {
		return 0
	}
	return w.reset.Sub(now) + time.Duration((ahead-w.remaining)/w.limit)*w.length
}

func (w *window) leave(caller string, p Pass, seen Sighting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle(caller, p, seen)
	w.dispatch()
}

// settle takes in how a call ended that was let through.
func (w *window) settle(caller string, p Pass, seen Sighting) {
	now := time.Now()
	current := p.Generation == w.generation
	if p.Generation != 0 && current {
		if p.Probe {
			w.probes--
			if seen.Kind >= Free {
				w.probedAt = time.Time{}
			}
		} else {
			w.underWay--
		}
	}
	switch seen.Kind {
	case Unsent:
		if p.Generation != 0 && current && !p.Probe {
			w.remaining++
		}
	case Nothing:
	case Free:
		w.free(caller)
	case Counted:
		delete(w.exempt, caller)
		w.learn(now, seen)
	case Refused:
		delete(w.exempt, caller)
		w.refuse(now, seen)
	}
}

// learn takes in the headers of a call that was counted.
func (w *window) learn(now time.Time, seen Sighting) {
	w.limit = seen.Limit
	reset := now.Add(seen.Reset + afterReset)
	switch {
	case seen.Reset <= 0: // of a window that is over meanwhile
	case seen.Window > w.id, !now.Before(w.reset):
		w.id, w.reset, w.remaining = seen.Window, reset, seen.Remaining
		w.probedAt = time.Time{}
	case seen.Window == w.id:
		w.remaining, w.reset = min(w.remaining, seen.Remaining), reset
	default: // of another instance behind a balancer, whose window began earlier
	}
	w.length = max(w.length, seen.Reset)
}

// refuse closes the route until the window is over.
func (w *window) refuse(now time.Time, seen Sighting) {
	reset := now.Add(seen.Reset + afterReset)
	if seen.Limit > 0 {
		w.limit = seen.Limit
	}
	if reset.After(w.reset) || seen.Window == w.id {
		w.reset = reset
	}
	w.id = max(w.id, seen.Window)
	w.remaining, w.probedAt = 0, time.Time{}
	w.length = max(w.length, seen.Reset)
}

// dispatch lets through those who wait, in order of arrival, as far as it goes.
func (w *window) dispatch() {
	now := time.Now()
	for place := w.queue.Front(); place != nil; place = w.queue.Front() {
		pass, ok := w.admit(now)
		if !ok {
			break
		}
		w.let(place, pass)
	}
	w.schedule(now)
}

// free lets through all calls of a caller whose calls are not counted.
func (w *window) free(caller string) {
	if w.exempt[caller] {
		return
	}
	w.exempt[caller] = true
	for place := w.queue.Front(); place != nil; {
		next := place.Next()
		if place.Value.(*waiter).caller == caller { //nolint:forcetypeassert // the list holds nothing else
			w.let(place, Pass{})
		}
		place = next
	}
}

func (w *window) let(place *list.Element, pass Pass) {
	waiting := w.queue.Remove(place).(*waiter) //nolint:forcetypeassert // the list holds nothing else
	waiting.pass = pass
	close(waiting.ready)
}

// schedule sets the timer for those who wait for the next window, or for a probe that
// takes its time.
func (w *window) schedule(now time.Time) {
	wake := w.reset.Sub(now)
	if wake <= 0 && w.probes > 0 {
		wake = patience - now.Sub(w.probedAt)%patience
	}
	switch {
	case w.queue.Len() == 0 || wake <= 0:
		if w.timer != nil {
			w.timer.Stop()
		}
	case w.timer == nil:
		w.timer = time.AfterFunc(wake, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.dispatch()
		})
	default:
		w.timer.Reset(wake)
	}
}

func (w *window) known(caller string) (RouteLimit, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	switch {
	case w.exempt[caller]:
		return RouteLimit{Exempt: true}, true
	case w.limit == 0:
		return RouteLimit{}, false
	case !now.Before(w.reset):
		return RouteLimit{Limit: w.limit, Remaining: w.limit, Window: w.length}, true
	}
	return RouteLimit{Limit: w.limit, Remaining: w.remaining, Reset: w.reset.Sub(now), Window: w.length}, true
}
