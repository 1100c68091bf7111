package gate

import (
	"context"
	"sync"
	"time"
)

// window is the queue for one route, its budget, and its callers.
type window struct {
	mu      sync.Mutex
	gone    bool // swept, and replaced by a new one
	budget  budget
	callers map[string]*caller
	queue   queue
	number  uint64           // of the last pass
	passes  map[uint64]lease // under way
	voids   time.Time        // when the first of them expires
	timer   *time.Timer
	hopeful int  // callers that may turn out to be exempt
	used    bool // the window is used up, and waiting calls know it
}

// lease is a pass that is in use.
type lease struct {
	generation uint64 // of the budget; zero: the call is a trial beyond it
	caller     *caller
	sent, void time.Time
}

func newWindow() *window {
	return &window{callers: make(map[string]*caller), passes: make(map[uint64]lease)}
}

// caller returns the entry of an account, which it creates if necessary.
func (w *window) caller(name string, now time.Time) *caller {
	c := w.callers[name]
	if c == nil {
		c = &caller{}
		w.callers[name] = c
	}
	c.used = now
	return c
}

// enter is called with w locked, and unlocks it.
func (w *window) enter(ctx context.Context, e *Entry) (Pass, error) {
	now := time.Now()
	c := w.caller(e.Route.Caller, now)
	if c.exempt {
		w.mu.Unlock()
		return Pass{}, nil
	}
	hold := e.Hold
	if hold <= 0 {
		hold = DefaultHold
	}
	w.expire(now)
	place := w.queue.place(e.Place)
	if w.queue.precedes(place) {
		if pass, ok := w.admit(now, c, place, hold); ok {
			w.mu.Unlock()
			return pass, nil
		}
	}
	self := &waiter{
		caller: c, place: place, hold: hold, tell: e.Waits != nil,
		ready: make(chan struct{}), wait: make(chan time.Duration, 1),
	}
	if e.MaxWait > 0 {
		self.deadline = now.Add(e.MaxWait)
	}
	if deadline, ok := ctx.Deadline(); ok && (self.deadline.IsZero() || deadline.Before(self.deadline)) {
		self.deadline = deadline
	}
	w.queue.add(self)
	w.reckon(now, self, w.ahead(now, self))
	w.dispatch(now)
	w.mu.Unlock()
	return w.wait(ctx, e, self)
}

// wait waits until a waiter is let through or refused.
func (w *window) wait(ctx context.Context, e *Entry, self *waiter) (Pass, error) {
	var enough <-chan time.Time
	if e.MaxWait > 0 {
		timer := time.NewTimer(e.MaxWait)
		defer timer.Stop()
		enough = timer.C
	}
	for {
		select {
		case <-self.ready:
			return self.pass, self.err
		case wait := <-self.wait:
			e.Waits(wait)
		case <-enough:
			return w.giveUp(self, nil)
		case <-ctx.Done():
			return w.giveUp(self, ended(ctx))
		}
	}
}

// giveUp removes a waiter whose time is over from the queue. Without an error its MaxWait has
// passed; then it is let through if that is possible at this moment.
func (w *window) giveUp(self *waiter, err error) (Pass, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if err == nil {
		w.dispatch(now)
		if self.element == nil {
			return self.pass, self.err
		}
		err = &WaitError{Wait: max(w.budget.wait(now, w.ahead(now, self)), patience)}
	}
	if self.element != nil {
		w.queue.remove(self)
	} else if self.err == nil { // let through at the same moment
		w.settle(now, self.caller, self.pass.Number, Sighting{Kind: Unsent})
	}
	w.dispatch(now)
	return Pass{}, err
}

// admit returns a pass if a call may be sent now.
func (w *window) admit(now time.Time, c *caller, place uint64, hold time.Duration) (Pass, bool) {
	if w.budget.admit(now) {
		return w.pass(now, lease{generation: w.budget.generation, caller: c}, place, hold), true
	}
	if !c.mayTry(now, &w.budget) {
		return Pass{}, false
	}
	return w.trial(now, c, place, hold), true
}

// trial returns a pass that the budget does not count.
func (w *window) trial(now time.Time, c *caller, place uint64, hold time.Duration) Pass {
	c.trials++
	return w.pass(now, lease{caller: c}, place, hold)
}

func (w *window) pass(now time.Time, l lease, place uint64, hold time.Duration) Pass {
	w.number++
	l.sent, l.void = now, now.Add(hold)
	w.passes[w.number] = l
	if w.voids.IsZero() || l.void.Before(w.voids) {
		w.voids = l.void
	}
	return Pass{Number: w.number, Place: place, Probe: l.generation > 0 && w.budget.probing}
}

// settle records the end of a call that was let through.
func (w *window) settle(now time.Time, c *caller, number uint64, seen Sighting) {
	if number == 0 && c.exempt && seen.Kind <= Free {
		return
	}
	l, held := w.passes[number]
	delete(w.passes, number)
	trial := held && l.generation == 0
	current := held && l.generation == w.budget.generation
	if trial {
		l.caller.trials--
	}
	before := w.budget // for its plain values
	if current {
		w.budget.ended(now, now.Sub(l.sent), seen.Kind)
	} else {
		number = 0
	}
	switch seen.Kind {
	case Unsent, Lost:
	case Refused:
		w.limited(now, c)
		w.budget.refuse(now, current, seen)
	case Counted:
		w.limited(now, c)
		w.budget.learn(now, number, w.number, seen)
	default:
		switch {
		case current:
			w.budget.quiet(now, w.number)
		case trial:
			w.budget.tried++
		}
		if seen.Kind == Free {
			w.free(now, c, trial)
		}
	}
	if w.budget.worse(&before) {
		w.reckonAll(now)
	}
}

// limited records that a caller's call was counted or refused.
func (w *window) limited(now time.Time, c *caller) {
	if c.frees > 0 && !c.exempt {
		w.hopeful--
	}
	news := !c.limitedLately(now, &w.budget)
	c.limit(now)
	if news {
		w.reckonAll(now)
	}
}

// free records that a caller's call succeeded without limit headers.
func (w *window) free(now time.Time, c *caller, trial bool) {
	if c.exempt || c.limitedLately(now, &w.budget) {
		return
	}
	if c.frees == 0 {
		w.hopeful++
	}
	c.free(now, w.budget.windowLength(), trial)
	if !c.exempt {
		return
	}
	w.hopeful--
	for waiting := range w.queue.all() {
		if waiting.caller == c {
			w.let(waiting, Pass{Place: waiting.place})
		}
	}
}

// dispatch lets waiting calls through, in the order of their places, as long as it can.
func (w *window) dispatch(now time.Time) {
	w.expire(now)
	for front := w.queue.front(); front != nil; front = w.queue.front() {
		pass, ok := w.admit(now, front.caller, front.place, front.hold)
		if !ok {
			break
		}
		w.let(front, pass)
	}
	if w.hopeful > 0 {
		for waiting := range w.queue.all() {
			if waiting.caller.mayTry(now, &w.budget) {
				w.let(waiting, w.trial(now, waiting.caller, waiting.place, waiting.hold))
			}
		}
	}
	if used := w.budget.usedUp(now); used != w.used {
		if w.used = used; used {
			w.reckonAll(now)
		}
	}
	w.schedule(now)
}

func (w *window) let(self *waiter, pass Pass) {
	self.pass = pass
	w.release(self)
}

// release ends the wait of a waiter whose pass or error is set.
func (w *window) release(self *waiter) {
	w.queue.remove(self)
	close(self.ready)
}

// ahead returns the number of calls before the waiter that are known to be limited.
func (w *window) ahead(now time.Time, self *waiter) (n int) {
	if w.queue.last == self.place { // the end of the queue
		for _, c := range w.callers {
			if c.limitedLately(now, &w.budget) {
				n += c.waiting
			}
		}
		if self.caller.limitedLately(now, &w.budget) {
			n--
		}
		return n
	}
	for waiting := range w.queue.all() {
		if waiting == self {
			break
		}
		if waiting.caller.limitedLately(now, &w.budget) {
			n++
		}
	}
	return n
}

// reckonAll estimates again how long all waiting calls have to wait.
func (w *window) reckonAll(now time.Time) {
	ahead := 0
	for waiting := range w.queue.all() {
		if waiting.caller.limitedLately(now, &w.budget) {
			w.reckon(now, waiting, ahead)
			ahead++
		} else {
			w.reckon(now, waiting, ahead)
		}
	}
}

// reckon estimates how long a waiter has to wait, and refuses it if that is too long.
func (w *window) reckon(now time.Time, self *waiter, ahead int) {
	if !self.tell && self.deadline.IsZero() || self.caller.frees > 0 {
		return
	}
	wait := w.budget.wait(now, ahead)
	switch {
	case wait <= 0:
	case !self.deadline.IsZero() && now.Add(wait).After(self.deadline):
		self.err = &WaitError{Wait: wait}
		w.release(self)
	case self.tell:
		self.tell = false
		self.wait <- wait
	}
}

// expire removes passes that have expired.
func (w *window) expire(now time.Time) {
	if w.voids.IsZero() || now.Before(w.voids) {
		return
	}
	w.voids = time.Time{}
	for number, l := range w.passes {
		switch {
		case !l.void.After(now):
			l.sent = now // its duration says nothing
			w.passes[number] = l
			w.settle(now, l.caller, number, Sighting{Kind: Nothing})
		case w.voids.IsZero() || l.void.Before(w.voids):
			w.voids = l.void
		}
	}
}

// schedule sets the timer for waiting calls.
func (w *window) schedule(now time.Time) {
	if w.queue.front() == nil {
		if w.timer != nil {
			w.timer.Stop()
		}
		return
	}
	wake := w.budget.next(now)
	if !w.voids.IsZero() {
		wake = min(wake, w.voids.Sub(now))
	}
	if w.timer != nil {
		w.timer.Reset(wake)
		return
	}
	w.timer = time.AfterFunc(wake, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.dispatch(time.Now())
	})
}

// retire forgets callers that are no longer used, and reports whether the window is no longer
// used either. In that case it must not be used again.
func (w *window) retire(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expire(now)
	kept := make(map[string]*caller) // because a map never shrinks
	for name, c := range w.callers {
		switch {
		case now.Sub(c.used) < keep || c.waiting > 0:
			kept[name] = c
		case c.frees > 0 && !c.exempt:
			w.hopeful--
		}
	}
	w.callers = kept
	w.gone = len(w.callers) == 0 && len(w.passes) == 0
	return w.gone
}

func (w *window) known(now time.Time, name string) (RouteLimit, bool) {
	if c := w.callers[name]; c != nil && c.exempt {
		return RouteLimit{Exempt: true}, true
	}
	return w.budget.known(now)
}
