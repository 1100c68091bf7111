package rocketchattest

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// limit is how many calls of a route pass in a window.
type limit struct {
	calls int
	per   time.Duration
}

// window is a fixed stretch of time in which calls are counted. Its start is common to all addresses, each has its own count.
type window struct {
	start  time.Time
	counts map[string]int
}

// count notes a call and returns how often that key has called in the window. A new window starts strictly after the old one.
func (w *window) count(key string, now time.Time, per time.Duration) int {
	if w.counts == nil || now.Sub(w.start) > per {
		w.start, w.counts = now, map[string]int{}
	}
	w.counts[key]++
	return w.counts[key]
}

// routeLimit is the limit of the route in this version; zero calls mean none.
func (c *call) routeLimit() limit {
	l := limit{
		calls: c.integer("API_Enable_Rate_Limiter_Limit_Calls_Default"),
		per:   time.Duration(c.integer("API_Enable_Rate_Limiter_Limit_Time_Default")) * time.Millisecond,
	}
	if l.calls == 0 || !c.enabled("API_Enable_Rate_Limiter") || c.route.unlimited || c.testMode() {
		return limit{}
	}
	if c.route.op == "users.register" {
		l.calls = c.integer("Rate_Limiter_Limit_RegisterUser")
	} else if own := c.route.own; own.calls > 0 && since(c.route.ownSince).holds(c.version) {
		l = own
	}
	return l
}

// latest bounds, exclusively, by how many milliseconds a reset can be late: servers add the
// rest of the window to the time at which they write the header, slightly after they have
// counted the call.
const latest = 7

// limited counts the call and refuses it when there were too many.
func (c *call) limited() error {
	c.counted = true
	l := c.routeLimit()
	if l.calls == 0 || c.may("api-bypass-rate-limit") {
		return nil
	}
	w := c.windows[c.route.op]
	if w == nil {
		w = &window{}
		c.windows[c.route.op] = w
	}
	now := c.now()
	n := w.count(c.address, now, l.per)
	reset := w.start.Add(l.per)
	header := c.header
	header.Set("X-RateLimit-Limit", strconv.Itoa(l.calls))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(max(l.calls-n, 0)))
	c.limits++
	late := time.Duration(c.limits*5%latest) * time.Millisecond
	header.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Add(late).UnixMilli(), 10))
	if n > l.calls {
		return tooManyRequests(reset.Sub(now), "this endpoint again")
	}
	return nil
}

// clientAddress is the address the limits count by.
func clientAddress(r *http.Request) string {
	if ip := r.Header.Get("X-Real-IP"); ip != "" {
		return ip
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// hiddenLimit is the limiter inside some actions. It counts per target user and minute, for
// all callers, and does not appear in headers.
func (c *call) hiddenLimit(action string, u *account, calls int) error {
	if !c.hidden || c.testMode() || !c.does(hiddenLimits) {
		return nil
	}
	w := c.hiddenWindows[action]
	if w == nil {
		w = &window{}
		c.hiddenWindows[action] = w
	}
	now := c.now()
	if w.count(u.id, now, time.Minute) > calls {
		return tooManyRequests(w.start.Add(time.Minute).Sub(now), "again")
	}
	return nil
}
