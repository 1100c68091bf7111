package gate

import "time"

// proven is the number of answers without headers in a row after which all calls of a
// caller are let through. Before that, as many calls may be under way as there were such
// answers.
const proven = 64

// caller is an account on one route.
type caller struct {
	used    time.Time
	limited time.Time // when an answer last said that the caller is limited
	frees   int       // answers in a row without headers, while not known to be limited
	since   time.Time // the first of them
	beyond  bool      // one of them came although the window was used up
	trials  int       // calls under way that they have let through
	waiting int       // calls in the queue
	exempt  bool
}

// free records a success without limit headers. It was a trial if the budget did not count
// it. Calls that would fit into two windows prove nothing.
func (c *caller) free(now time.Time, window time.Duration, trial bool) {
	c.beyond = c.beyond || trial
	if c.frees <= defaultLimit && !c.beyond && now.Sub(c.since) > window {
		c.since, c.frees = now, 0
	}
	c.frees++
	c.exempt = c.frees >= proven
}

// limit records that a call was counted or refused.
func (c *caller) limit(now time.Time) {
	c.limited, c.frees, c.beyond, c.exempt = now, 0, false, false
}

// limitedLately reports whether a recent answer said that the caller is limited. A success
// without headers then proves nothing, because the headers may have been lost.
func (c *caller) limitedLately(now time.Time, b *budget) bool {
	return !c.limited.IsZero() && now.Sub(c.limited) < b.recently()
}

// mayTry reports whether a call of the caller may be sent although the budget has no room
// for it, to find out whether the caller is exempt.
//
// Only answers without headers suggest that, and nobody tries while the route is closed.
// The first such answer allows a single call, and only once the window is used up: if
// that call succeeds without headers, the window does not count it. From then on, and
// after more answers than a default limit allows, as many calls may be under way as such
// answers have come.
func (c *caller) mayTry(now time.Time, b *budget) bool {
	switch {
	case c.frees == 0 || now.Before(b.closed):
		return false
	case c.beyond || c.frees > defaultLimit:
		return c.trials < c.frees
	}
	return c.trials == 0 && b.limit > 0 && b.usedUp(now)
}
