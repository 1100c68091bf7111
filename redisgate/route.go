package redisgate

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rocketchat-go/rocketchat/gate"
)

const (
	// foreign marks the places of this gate's own queues, as opposed to those of the
	// gate that it falls back to.
	foreign = 1 << 63
	// linger is how long a call that has ended is kept back for others to travel along,
	// if nobody is known to wait for it.
	linger = 10 * time.Millisecond
	// grace is how much later a process asks whose turn it is not.
	grace = time.Second
	// blind is how often a process asks that does not hear of the others' steps.
	blind = 500 * time.Millisecond
	// slowTrips is how many slow steps in a row show that Redis is too far away.
	slowTrips = 3
	// maxLeaves bounds what is kept for a Redis that is away.
	maxLeaves = 1000
	// maxGroups bounds the callers that a step asks about.
	maxGroups = 16
)

// route is the queue of this process for one route.
type route struct {
	gate *Gate
	key  string
	keys []string

	mu      sync.Mutex
	gone    bool // swept, and replaced by a new one
	callers map[string]*caller
	hashes  map[string]*caller
	waiters []*waiter // in order of their places
	place   uint64    // the last given out
	leaves  []leave   // not yet told
	seq     uint64
	flying  bool // a step is under way
	again   bool // and another has to follow
	waiting bool // others know that this process waits
	flown   chan struct{}
	timer   *time.Timer
	info    info
	number  uint64
	used    time.Time
	slow    int       // steps in a row that took too long for the windows
	due     time.Time // when others take this process for gone, less some seconds
	alone   time.Time // until when the windows are taken to be too short for Redis
}

// caller is an account on one route.
type caller struct {
	hash    string
	exempt  bool
	limited bool // an answer said so lately
	hopeful bool // they may prove to be exempt
	waiting int
	used    time.Time
}

// learn takes in an answer before Redis says what it means.
func (c *caller) learn(kind gate.Kind) {
	switch kind {
	case gate.Counted, gate.Refused:
		c.limited, c.hopeful, c.exempt = true, false, false
	case gate.Free:
		c.hopeful = c.hopeful || !c.limited
	case gate.Unsent, gate.Lost, gate.Nothing:
	}
}

// waiter is a call in the queue.
type waiter struct {
	caller   *caller
	place    uint64
	hold     time.Duration
	deadline time.Time          // for letting it through; zero: none
	tell     bool               // the length of its wait has not been reported yet
	wait     chan time.Duration // receives the length, once
	ready    chan struct{}      // closed when pass or err is set
	pass     gate.Pass
	err      error
}

func newRoute(g *Gate, where gate.Route) *route {
	key := g.routeKey(where)
	return &route{
		gate: g, key: key, keys: g.keys(key), used: time.Now(),
		callers: make(map[string]*caller), hashes: make(map[string]*caller),
	}
}

func (r *route) caller(name string) *caller {
	c := r.callers[name]
	if c == nil {
		c = &caller{hash: r.gate.hash(name)}
		r.callers[name], r.hashes[c.hash] = c, c
	}
	c.used = time.Now()
	return c
}

// enter waits in this process's queue.
func (r *route) enter(ctx context.Context, e *gate.Entry) (gate.Pass, error) {
	r.mu.Lock()
	if r.gone {
		r.mu.Unlock()
		r = r.gate.locked(e.Route)
	}
	now := time.Now()
	self := &waiter{
		caller: r.caller(e.Route.Caller), place: r.placeFor(e.Place), hold: e.Hold, tell: e.Waits != nil,
		ready: make(chan struct{}), wait: make(chan time.Duration, 1),
	}
	if self.hold <= 0 {
		self.hold = r.gate.hold
	}
	if e.MaxWait > 0 {
		self.deadline = now.Add(e.MaxWait)
	}
	if deadline, ok := ctx.Deadline(); ok && (self.deadline.IsZero() || deadline.Before(self.deadline)) {
		self.deadline = deadline
	}
	at, _ := slices.BinarySearchFunc(r.waiters, self, byPlace)
	r.waiters = slices.Insert(r.waiters, at, self)
	self.caller.waiting++
	r.used = now
	r.reckon(now, self, r.ahead(at))
	if len(r.waiters) > 0 {
		r.ask(now)
	}
	r.mu.Unlock()
	return r.await(ctx, e, self)
}

func byPlace(x, y *waiter) int {
	switch {
	case x.place < y.place:
		return -1
	case x.place > y.place:
		return 1
	}
	return 0
}

// placeFor is the place that a call asks to keep, or a new one at the end.
func (r *route) placeFor(asked uint64) uint64 {
	if asked&foreign != 0 && asked <= foreign|r.place {
		return asked
	}
	r.place++
	return foreign | r.place
}

// await waits until it is settled what becomes of a waiter.
func (r *route) await(ctx context.Context, e *gate.Entry, self *waiter) (gate.Pass, error) {
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
			return r.giveUp(self, nil)
		case <-ctx.Done():
			return r.giveUp(self, ended(ctx))
		}
	}
}

// giveUp takes a waiter whose time is over out of the queue. Without an error that is its
// MaxWait; then it goes if it was let through in the same moment.
func (r *route) giveUp(self *waiter, err error) (gate.Pass, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	switch name, ok := self.pass.Note.(string); {
	case slices.Contains(r.waiters, self):
		r.remove(self)
		if len(r.waiters) == 0 && r.waiting {
			r.arm(now)
		}
	case err == nil:
		return self.pass, self.err
	case ok && self.err == nil: // let through at the same moment
		r.leave(self.caller, name, gate.Sighting{Kind: gate.Unsent})
	}
	if err == nil {
		err = &gate.WaitError{Wait: max(r.info.wait(now.Sub(r.info.at), 0), time.Second)}
	}
	return gate.Pass{}, err
}

func (r *route) remove(self *waiter) {
	at := slices.Index(r.waiters, self)
	self.caller.waiting--
	if at == 0 {
		r.waiters[0] = nil
		r.waiters = r.waiters[1:]
		return
	}
	r.waiters = slices.Delete(r.waiters, at, at+1)
}

// release ends the wait of a waiter whose pass or error is set.
func (r *route) release(self *waiter) {
	r.remove(self)
	close(self.ready)
}

// leave keeps what a call that has ended tells for the next step.
func (r *route) leave(c *caller, name string, seen gate.Sighting) {
	now := time.Now()
	r.used = now
	if len(r.leaves) >= maxLeaves {
		r.leaves = slices.Delete(r.leaves, 0, len(r.leaves)/2)
	}
	r.leaves = append(r.leaves, leave{Name: name, Caller: c.hash, seen: seen, at: now})
	if len(r.waiters) > 0 || r.info.Others > 0 {
		r.ask(now)
		return
	}
	r.arm(now)
}

// ask takes a step, now or when the present one is over.
func (r *route) ask(now time.Time) {
	if r.flying {
		r.again = true
		return
	}
	if back, _ := r.gate.health.away(); back != nil { // since a moment ago
		r.disperse()
		return
	}
	req := r.request(now)
	r.flying, r.again, r.flown = true, false, make(chan struct{})
	r.waiting = req.Want > 0
	go r.fly(req, r.flown)
}

// request is what a step says. The calls that have ended are no longer kept.
func (r *route) request(now time.Time) *request {
	r.seq++
	req := &request{
		Process: r.gate.id, Seq: strconv.FormatUint(r.seq, 10), Route: r.key, Channel: r.gate.base(),
		Want: len(r.waiters), Hold: milliseconds(r.gate.hold), Leaves: r.leaves,
	}
	r.leaves = nil
	for i := range req.Leaves {
		req.Leaves[i].prepare(now)
	}
	var asked []*caller
	for i, w := range r.waiters {
		if i == 0 {
			req.Hold = 0
		}
		req.Hold = max(req.Hold, milliseconds(w.hold))
		if len(asked) < maxGroups && !slices.Contains(asked, w.caller) {
			asked = append(asked, w.caller)
			req.Callers = append(req.Callers, group{Caller: w.caller.hash, Count: w.caller.waiting})
		}
	}
	return req
}

// fly makes a step.
func (r *route) fly(req *request, flown chan struct{}) {
	defer close(flown)
	if req.Want > 0 {
		r.gate.turns.listen()
	}
	start := time.Now()
	res, err := r.gate.send(context.Background(), r.keys, req, r.late)
	if err != nil {
		r.gate.health.lost(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.flying = false
	if err != nil {
		r.leaves = append(req.Leaves, r.leaves...)
		r.disperse()
		return
	}
	r.apply(now, now.Sub(start), res)
}

// late gives back passes that came when nobody waited for them any more.
func (r *route) late(res *reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range res.Passes {
		r.leave(&caller{}, name, gate.Sighting{Kind: gate.Unsent})
	}
	for _, t := range res.Trials {
		r.leave(&caller{}, t.Name, gate.Sighting{Kind: gate.Unsent})
	}
}

// disperse sends those who wait to the process's own gate.
func (r *route) disperse() {
	for len(r.waiters) > 0 {
		r.waiters[0].err = errMoved
		r.release(r.waiters[0])
	}
	if r.timer != nil {
		r.timer.Stop()
	}
	r.waiting = false
}

// apply takes in a reply, which took so long.
func (r *route) apply(now time.Time, trip time.Duration, res *reply) {
	r.due = now.Add(ms(res.Next) + grace)
	probe := res.Probing
	if heard := r.info; heard.Version > res.Version && heard.at.After(now.Add(-trip)) { // a message has overtaken the reply
		heard.Others, heard.Wanted = res.Others, res.Wanted
		res.info = heard
	}
	r.info = res.info
	r.status(res)
	for _, name := range res.Passes {
		r.let(name, probe, func(*waiter) bool { return true })
	}
	for _, t := range res.Trials {
		r.let(t.Name, false, func(w *waiter) bool { return w.caller.hash == t.Caller })
	}
	if r.shorter(now, trip) {
		r.disperse()
		r.ask(now)
		return
	}
	r.reckonAll(now)
	if r.again {
		r.ask(now)
		return
	}
	r.arm(now)
}

// status takes in what is known of callers.
func (r *route) status(res *reply) {
	for _, c := range r.hashes {
		if c.waiting == 0 {
			continue
		}
		c.limited, c.hopeful = slices.Contains(res.Limited, c.hash), slices.Contains(res.Hopeful, c.hash)
		if !slices.Contains(res.Exempt, c.hash) {
			continue
		}
		c.exempt = true
		for _, w := range slices.Clone(r.waiters) {
			if w.caller == c {
				w.pass = gate.Pass{Place: w.place}
				r.release(w)
			}
		}
	}
}

// let gives a pass to the first who may have it, or back if there is none.
func (r *route) let(name string, probe bool, may func(*waiter) bool) {
	at := slices.IndexFunc(r.waiters, may)
	if at < 0 {
		r.leaves = append(r.leaves, leave{Name: name, seen: gate.Sighting{Kind: gate.Unsent}, at: time.Now()})
		r.again = true
		return
	}
	w := r.waiters[at]
	r.number++
	w.pass = gate.Pass{Number: r.number, Place: w.place, Probe: probe, Note: name}
	r.release(w)
}

// shorter reports whether windows are so short that they would be over before the
// processes have agreed about them.
func (r *route) shorter(now time.Time, trip time.Duration) bool {
	if r.info.Limit == 0 || ms(r.info.Length) > 2*trip {
		r.slow = 0
		return false
	}
	if r.slow++; r.slow < slowTrips {
		return false
	}
	if !now.Before(r.alone) {
		r.gate.logger.Warn("redisgate: windows are shorter than the round trip to Redis; each process is on its own")
	}
	r.alone = now.Add(time.Minute)
	return true
}

// tooShort reports whether that was found lately.
func (r *route) tooShort() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.alone)
}

// hear takes in what another process's step has changed.
func (r *route) hear(m *message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if m.Version > r.info.Version {
		others, wanted := r.info.Others, r.info.Wanted
		r.info = m.info
		r.info.at, r.info.Others, r.info.Wanted = now, max(others, 1), wanted
	}
	mine := slices.Contains(m.Wake, r.gate.id) // to use them, or to give them back
	switch {
	case mine, m.Everybody && len(r.waiters) > 0:
		r.ask(now)
		return
	case len(r.waiters) == 0:
		return
	}
	r.reckonAll(now)
	if !r.flying {
		r.arm(now)
	}
}

// arm sets the timer for the next step, if one is needed.
func (r *route) arm(now time.Time) {
	var wake time.Duration
	switch {
	case r.flying:
		return
	case len(r.waiters) > 0:
		wake = ms(r.info.Next) - now.Sub(r.info.at)
		switch {
		case !r.gate.turns.subscribed() && (!r.info.Open || r.info.Room > 0):
			wake = min(wake, blind) // nobody says when it is this process's turn
		case r.gate.turns.subscribed() && r.info.First != r.gate.id:
			wake += grace
		}
		wake = max(min(wake, r.due.Sub(now)), time.Millisecond)
	case len(r.leaves) > 0 || r.waiting:
		wake = linger
	default:
		return
	}
	if r.timer != nil {
		r.timer.Reset(wake)
		return
	}
	r.timer = time.AfterFunc(wake, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.waiters) > 0 || len(r.leaves) > 0 || r.waiting {
			r.ask(time.Now())
		}
	})
}

// ahead is how many calls, here and elsewhere, come before one of the queue. The
// processes take turns.
func (r *route) ahead(at int) (n int) {
	for _, w := range r.waiters[:at] {
		if w.caller.limited {
			n++
		}
	}
	return n + min(r.info.Wanted, n*r.info.Others)
}

func (r *route) reckonAll(now time.Time) {
	if r.info.at.IsZero() {
		return
	}
	ahead := 0
	for _, w := range slices.Clone(r.waiters) {
		r.reckon(now, w, ahead+min(r.info.Wanted, ahead*r.info.Others))
		if w.caller.limited {
			ahead++
		}
	}
}

// reckon estimates how long a waiter has to wait, and refuses it if that is too long.
func (r *route) reckon(now time.Time, self *waiter, ahead int) {
	if !self.tell && self.deadline.IsZero() || self.caller.hopeful {
		return
	}
	wait := r.info.wait(now.Sub(r.info.at), ahead)
	switch {
	case wait <= 0:
	case !self.deadline.IsZero() && now.Add(wait).After(self.deadline):
		self.err = &gate.WaitError{Wait: wait}
		r.release(self)
	case self.tell:
		self.tell = false
		self.wait <- wait
	}
}

func (r *route) known(name string) (gate.RouteLimit, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.callers[name]; c != nil && c.exempt {
		return gate.RouteLimit{Exempt: true}, true
	}
	if r.info.at.IsZero() {
		return gate.RouteLimit{}, false
	}
	return r.info.limit(time.Since(r.info.at))
}

// flush gives back what the process holds.
func (r *route) flush(ctx context.Context) error {
	for {
		r.mu.Lock()
		if r.timer != nil {
			r.timer.Stop()
		}
		if r.flying {
			flown := r.flown
			r.mu.Unlock()
			select {
			case <-flown:
			case <-ctx.Done():
				return ended(ctx)
			}
			continue
		}
		idle := len(r.leaves) == 0 && !r.waiting
		r.disperse()
		req := r.request(time.Now())
		r.mu.Unlock()
		if idle {
			return nil
		}
		_, err := r.gate.send(ctx, r.keys, req, nil)
		return err
	}
}

// retire forgets callers that are no longer used, and reports whether the route is not
// used either. Then it must not be used any more.
func (r *route) retire(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	callers, hashes := make(map[string]*caller), make(map[string]*caller)
	for name, c := range r.callers {
		if now.Sub(c.used) < keep || c.waiting > 0 {
			callers[name], hashes[c.hash] = c, c
		}
	}
	r.callers, r.hashes = callers, hashes
	r.gone = len(r.callers) == 0 && len(r.waiters) == 0 && !r.flying && now.Sub(r.used) >= keep
	return r.gone
}

// resume goes on when Redis is back.
func (r *route) resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.leaves) > 0 || len(r.waiters) > 0 {
		r.ask(time.Now())
	}
}
