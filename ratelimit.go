package rocketchat

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rocketchat-go/rocketchat/gate"
)

// pacing is the state of the pauses between the attempts of a call.
type pacing struct {
	backoff    time.Duration                // before the next attempt, after a failure
	hidden     time.Duration                // before the next attempt, for the limit of a single user
	refusedFor time.Duration                // how long the last 429 asks to wait
	place      uint64                       // in the gate's queue, of an attempt that was refused
	waited     time.Duration                // for the rate limits so far; see callSettings
	pause      time.Duration                // before the last attempt
	paused     time.Duration                // before all attempts
	pauses     map[WaitReason]time.Duration // the same by reason
}

// paced makes all pauses, sends the attempt through the gate, and reports the answer to the
// gate.
func (c *call) paced(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	config := &c.client.config
	start := time.Now()
	entry, pass, err := c.admitted(ctx)
	sent := time.Now()
	c.pacing.pause = sent.Sub(start)
	c.pacing.paused += c.pacing.pause
	if err != nil {
		return nil, &notSentError{err}
	}
	if c.pacing.pause >= noticeable {
		config.logger.LogAttrs(ctx, slog.LevelInfo, "rocketchat: waited before an attempt",
			slog.String("op", c.op), slog.Duration("pause", c.pacing.pause))
	}
	seen := gate.Sighting{Kind: gate.Lost} // in case a trace or the transport panics
	defer func() { config.gate.Leave(ctx, entry.Route, pass, seen) }()
	res, err := c.signed(req)
	seen = c.sighting(config.clock, sent, err)
	c.pacing.place = 0
	if seen.Kind == gate.Refused {
		c.pacing.place = pass.Place
	}
	return res, err
}

// admitted makes all pauses before an attempt and gets a pass from the gate.
func (c *call) admitted(ctx context.Context) (entry gate.Entry, pass gate.Pass, err error) {
	if err := c.rest(ctx); err != nil {
		return entry, pass, err
	}
	config := &c.client.config
	entry = gate.Entry{
		Route: c.route(), MaxWait: c.waitLeft(), Hold: 2 * config.attemptTimeout,
		Waits: c.announce(ctx, WaitRouteLimit), Place: c.pacing.place,
	}
	if entry.MaxWait < 0 {
		return entry, pass, &gate.WaitError{Wait: c.pacing.refusedFor}
	}
	entering := time.Now()
	pass, err = config.gate.Enter(ctx, entry)
	*c.settings.waited += time.Since(entering)
	c.pacing.count(WaitRouteLimit, entering)
	switch {
	case err != nil && errors.Is(err, ctx.Err()):
		return entry, pass, ended(ctx)
	case err != nil:
		return entry, pass, err
	}
	if err := c.throttled(ctx); err != nil {
		config.gate.Leave(ctx, entry.Route, pass, gate.Sighting{Kind: gate.Unsent})
		return entry, pass, err
	}
	return entry, pass, nil
}

// count adds a pause that began at start.
func (p *pacing) count(reason WaitReason, start time.Time) {
	length := time.Since(start)
	if length < time.Millisecond {
		return
	}
	if p.pauses == nil {
		p.pauses = make(map[WaitReason]time.Duration)
	}
	p.pauses[reason] += length
}

// noticeable is the shortest pause that is logged.
const noticeable = time.Second

func (c *call) route() gate.Route {
	route := gate.Route{Server: c.client.server, Method: c.method, Op: c.op, Caller: c.client.config.caller}
	if c.anonymous {
		route.Caller = ""
	}
	return route
}

// waitLeft is how long the call may still wait for rate limits. Zero is unbounded; a
// negative value allows no wait.
func (c *call) waitLeft() time.Duration {
	if c.settings.maxWait == 0 {
		return 0
	}
	if left := c.settings.maxWait - *c.settings.waited; left > 0 {
		return left
	}
	return -1
}

// together has the calls of a method that makes several share what they may wait.
func together(opts []CallOption) []CallOption { return sharing(new(time.Duration), opts) }

// sharing has a call count what it waits for rate limits together with others.
func sharing(waited *time.Duration, opts []CallOption) []CallOption {
	return slices.Insert(slices.Clone(opts), 0, CallOption(callOption(func(s *callSettings) error {
		s.waited = waited
		return nil
	})))
}

// rest makes the pause after a failed attempt.
func (c *call) rest(ctx context.Context) error {
	hidden, backoff := c.pacing.hidden, c.pacing.backoff
	c.pacing.hidden, c.pacing.backoff = 0, 0
	reason := WaitBackoff
	if hidden > 0 {
		if left := c.waitLeft(); left < 0 || !mayWait(ctx, hidden, left) {
			return &gate.WaitError{Wait: hidden}
		}
		*c.settings.waited += hidden
		reason = WaitUserLimit
	}
	pause := hidden + backoff
	if pause <= 0 {
		return nil
	}
	if announce := c.announce(ctx, reason); announce != nil {
		announce(pause)
	}
	defer c.pacing.count(reason, time.Now())
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// throttled waits for the limiter of [WithThrottle].
func (c *call) throttled(ctx context.Context) error {
	throttle := c.client.config.throttle
	if throttle == nil {
		return nil
	}
	reservation := throttle.Reserve()
	if !reservation.OK() {
		return &gate.WaitError{Wait: maxWindow}
	}
	wait := reservation.Delay()
	if wait == 0 {
		return nil
	}
	if left := c.waitLeft(); left < 0 || !mayWait(ctx, wait, left) {
		reservation.Cancel()
		return &gate.WaitError{Wait: wait}
	}
	if announce := c.announce(ctx, WaitThrottle); announce != nil {
		announce(wait)
	}
	defer c.pacing.count(WaitThrottle, time.Now())
	*c.settings.waited += wait
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		reservation.Cancel()
		return ended(ctx)
	}
}

// sighting describes the answer to an attempt to the gate.
func (c *call) sighting(clock *serverClock, sent time.Time, err error) gate.Sighting {
	c.pacing.refusedFor = 0
	switch {
	case err != nil && neverSent(err):
		return gate.Sighting{Kind: gate.Unsent}
	case err != nil:
		return gate.Sighting{Kind: gate.Lost}
	}
	now := time.Now()
	limits := parseLimits(c.answer.header, now)
	var words waitWords
	if c.answer.status == http.StatusTooManyRequests {
		words = parseWait(c.answer.body)
	}
	clock.observe(c.answer.header, limits, words, sent, now)
	seen := gate.Sighting{Kind: gate.Nothing, Limit: limits.limit, Remaining: limits.remaining, Date: clock.now(now)}
	if reset, ok := clock.until(limits, now); ok {
		seen.Window, seen.Reset = limits.window, reset
	}
	switch {
	case c.answer.status == http.StatusTooManyRequests && words.hidden:
		c.pacing.hidden = max(words.wait, time.Second) + afterReset
		c.pacing.refusedFor = c.pacing.hidden
		if limits.limit > 0 {
			seen.Kind = gate.Counted
		}
	case c.answer.status == http.StatusTooManyRequests:
		seen = refusal(seen, words, retryAfter(c.answer.header, now))
		c.pacing.refusedFor = seen.Reset
	case limits.limit > 0:
		seen.Kind = gate.Counted
	case !limits.present && c.answer.free(c.picture):
		seen.Kind = gate.Free
	}
	return seen
}

// refusal describes a 429. Its text takes precedence; absolute times count only if they
// agree with it. Without either, the reset is unknown.
func refusal(seen gate.Sighting, words waitWords, header time.Duration) gate.Sighting {
	seen.Kind, seen.Remaining = gate.Refused, 0
	asked := max(words.wait, header)
	if !words.found { // from a proxy: its limit, if any, is not that of the route
		seen.Limit, seen.Window, seen.Reset = 0, 0, asked
		return seen
	}
	if asked == 0 && seen.Reset == 0 { // "0 seconds" tells no more than no words at all
		seen.Window = 0
		return seen
	}
	asked = max(asked, time.Second)
	if off := asked - seen.Reset; seen.Reset == 0 || off < -time.Second || off > 2*time.Second {
		seen.Reset = asked
	}
	return seen
}

// maxWindow bounds the wait that a broken answer can cause.
const maxWindow = time.Hour

// afterReset is added to a pause, because the window ends strictly after the time that the
// server names.
const afterReset = 2 * time.Millisecond

// limitHeaders are the X-RateLimit headers of an answer.
type limitHeaders struct {
	present   bool          // there is at least one, readable or not
	limit     int           // 0 if unknown
	remaining int           //
	window    int64         // the reset in milliseconds since 1970 by the server's clock; 0 if unknown
	relative  time.Duration // the time until the reset, which proxies write instead
}

// parseLimits reads the headers. Servers send decimal integers and a reset in
// milliseconds since 1970; proxies rewrite both in many ways. Where they add values of
// their own, the tightest of them hold.
func parseLimits(h http.Header, now time.Time) (l limitHeaders) {
	const limit, remaining, reset = "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"
	l.present = h.Get(limit) != "" || h.Get(remaining) != "" || h.Get(reset) != ""
	if n, ok := headerNumber(h, limit, least); ok && n > 0 && n <= 1<<30 {
		l.limit = int(n)
	}
	l.remaining = l.limit // the gate counts, too
	if n, ok := headerNumber(h, remaining, least); ok {
		l.remaining = int(min(n, int64(l.limit)))
	}
	n, ok := headerNumber(h, reset, greatest)
	const year = 365 * 24 * time.Hour
	switch {
	case !ok || n == 0:
	case n <= int64(maxWindow/time.Second): // seconds from now
		l.relative = time.Duration(n) * time.Second
	case near(time.UnixMilli(n), now, 50*year):
		l.window = n
	case n < 1<<40 && near(time.Unix(n, 0), now, 50*year):
		l.window = n * 1000
	}
	return l
}

func least(x, y int64) int64 { return min(x, y) }

func greatest(x, y int64) int64 { return max(x, y) }

// headerNumber reads the numbers of a header, and returns the one that prefer chooses.
func headerNumber(h http.Header, key string, prefer func(x, y int64) int64) (n int64, ok bool) {
	for _, line := range h[key] {
		for text := range strings.SplitSeq(line, ",") {
			one, isNumber := wholeNumber(text)
			switch {
			case !isNumber:
			case ok:
				n = prefer(n, one)
			default:
				n, ok = one, true
			}
		}
	}
	return n, ok
}

// wholeNumber reads "10", "10.0" and "10;w=60", but no date that begins with a year.
func wholeNumber(text string) (int64, bool) {
	text, _, _ = strings.Cut(text, ";")
	text, fraction, _ := strings.Cut(strings.TrimSpace(text), ".")
	if strings.Trim(fraction, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}

func near(t, now time.Time, within time.Duration) bool {
	return t.Sub(now).Abs() <= within
}

// retryAfter reads the header that proxies send: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if seconds, ok := headerNumber(h, "Retry-After", greatest); ok {
		return time.Duration(min(seconds, int64(maxWindow/time.Second))) * time.Second
	}
	date, err := http.ParseTime(strings.TrimSpace(h.Get("Retry-After")))
	if err != nil {
		return 0
	}
	if answered, err := http.ParseTime(h.Get("Date")); err == nil { // both by the same clock
		now = answered
	}
	return min(max(date.Sub(now), 0), maxWindow)
}

// waitWords is the content of the text of a refusal.
type waitWords struct {
	found  bool
	wait   time.Duration // rounded up to whole seconds
	hidden bool          // from the limiter for single users, which sends no headers
}

// leadingInt reads the digits at the beginning of a text.
func leadingInt(text []byte) (int64, bool) {
	end := 0
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(string(text[:end]), 10, 64)
	return n, err == nil
}

// parseWait reads "You must wait 43 seconds before trying this endpoint again", the only
// place where a server says how long to wait relative to now. The hidden limiter, for
// calls about one user, says "before trying again".
func parseWait(body []byte) (w waitWords) {
	_, rest, found := bytes.Cut(body, []byte("You must wait "))
	if !found {
		return w
	}
	w.hidden = bytes.Contains(rest, []byte("before trying again"))
	seconds, ok := leadingInt(rest[:min(len(rest), 20)])
	if !ok {
		return w
	}
	w.found = true
	w.wait = time.Duration(min(seconds, int64(maxWindow/time.Second))) * time.Second
	return w
}

// serverClock estimates how far the server's clock is ahead of ours. Each answer bounds the
// difference: the server's time was within the second of its Date header, which a proxy may
// have written, and the text of a refusal says how long it is until the reset.
type serverClock struct {
	mu        sync.Mutex
	text      string // the last Date, which many answers share
	date      time.Time
	known     bool
	confirmed bool // from the text of a refusal
	low, high time.Duration
}

// observe updates the estimate with the answer to a request that was sent and answered at
// the given times.
func (s *serverClock) observe(h http.Header, limits limitHeaders, words waitWords, sent, answered time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if words.found && !words.hidden && limits.window != 0 {
		reset := time.UnixMilli(limits.window)
		low, high := reset.Sub(answered)-words.wait, reset.Sub(sent)-words.wait+time.Second
		if !s.confirmed || low > s.high || high < s.low {
			s.low, s.high = low, high
		}
		s.known, s.confirmed = true, true
	}
	text := h.Get("Date")
	if text == "" {
		return
	}
	if text != s.text {
		date, err := http.ParseTime(text)
		if err != nil {
			return
		}
		s.text, s.date = text, date
	}
	low, high := s.date.Sub(answered), s.date.Add(time.Second).Sub(sent)
	switch {
	case s.known && low <= s.high && high >= s.low:
		s.low, s.high = max(s.low, low), min(s.high, high)
	case !s.confirmed: // the first, or a clock was set
		s.known, s.low, s.high = true, low, high
	}
}

// now is the server's clock, if it is known.
func (s *serverClock) now(now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		return time.Time{}
	}
	return now.Add(s.offset())
}

// offset is zero if the clocks may agree, and otherwise the smallest possible difference.
func (s *serverClock) offset() time.Duration {
	if s.low <= 0 && s.high >= 0 {
		return 0
	}
	return s.low
}

// usualWindow is the longest time to a reset that is believed without confirmation.
const usualWindow = time.Minute + time.Second

// until is the time until the reset, if it is known. A time longer than the usual window is
// believed only if the text of a refusal or our own clock confirms it.
func (s *serverClock) until(limits limitHeaders, now time.Time) (time.Duration, bool) {
	if limits.window == 0 {
		return limits.relative, limits.relative > 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ours := time.UnixMilli(limits.window).Sub(now)
	theirs := ours
	if s.known {
		theirs -= s.offset()
	}
	usual := func(d time.Duration) bool { return d > -usualWindow/10 && d <= usualWindow }
	switch {
	case s.confirmed, usual(theirs), s.known && theirs > 0 && (theirs-ours).Abs() <= 2*time.Second:
		return min(max(theirs, 0), maxWindow), true
	case usual(ours):
		return max(ours, 0), true
	}
	return 0, false
}
