package gate

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
)

const (
	// defaultLimit and defaultWindow are the defaults of servers.
	defaultLimit  = 10
	defaultWindow = time.Minute
	// patience is how long to wait for the answer to a probe before sending another.
	patience = time.Second
	// afterReset is added to every reset: the server opens a window strictly after it.
	afterReset = 2 * time.Millisecond
	// jitter is how far two readings of the same reset can be apart.
	jitter = 20 * time.Millisecond
	// roundedUp is the largest error of a wait that was given in whole seconds.
	roundedUp = 1500 * time.Millisecond
	// longestGuess bounds the windows that are inferred from refusals alone. A longer
	// wait comes from a proxy, and says nothing about later windows.
	longestGuess = 2 * time.Minute
	// memory is the number of windows for which an inferred limit is used, and for which a
	// caller counts as limited.
	memory = 10
)

// budget mirrors the fixed window that a server keeps for one route.
//
// There are two counts of what a window has left. The server's own, in the headers,
// includes the calls of neighbours on the same address, but lags behind the calls under
// way. Ours, the calls sent since the window began, also covers answers that lost their
// headers. The lower of the two holds.
//
// Time is divided into generations, each of which is one window of the server or one
// attempt to find out about it.
type budget struct {
	limit         int       // calls in one window; 0: unknown
	guessed       time.Time // when an inferred limit expires; zero: the server sent it
	guessedIn     uint64    // generation in which it was inferred
	generation    uint64
	probing       bool      // the generation's window is not known yet
	started       time.Time // when the generation's first call was sent
	id            int64     // Sighting.Window of the window; 0: presumed
	told          int       // the lowest Remaining of the window
	reset         time.Time // end of the window
	others        []other   // open windows of other instances behind a balancer
	blind         int       // answers without news since the last one about a window
	closed        time.Time // when the route opens again after a refusal
	length        time.Duration
	previous      time.Duration // length of the previous window
	sent          int           // calls of the generation, and the known calls of others
	own           int           // calls of the generation
	counted       int           // of them, according to the answers of the window
	crowded       bool          // somebody else at the address uses the window
	crowdedBefore bool          // or used the previous one
	underWay      int           // of the generation
	silent        int           // answers of the generation without news of the limit
	tried         int           // trials beyond the budget that succeeded in the generation
	silentAt      uint64        // number of the last pass when the latest of them came
	heard         time.Time     // the last answer
	refusals      int           // in a row without a time to wait
	latency       time.Duration // of late
}

// other is the window of another instance.
type other struct {
	id    int64
	told  int
	reset time.Time
}

// open reports whether there is a known window that has not ended.
func (b *budget) open(now time.Time) bool { return !b.probing && now.Before(b.reset) }

// left returns the number of calls that the open window takes in addition to those under
// way. With several instances, a call may reach any of them, so each must have room.
func (b *budget) left() int {
	if len(b.others) == 0 {
		return min(b.told-b.underWay, b.limit-b.sent)
	}
	told := b.told
	for _, o := range b.others {
		told = min(told, o.told)
	}
	return told - b.underWay - b.blind
}

// admit counts a call that is about to be sent.
func (b *budget) admit(now time.Time) bool {
	if now.Before(b.closed) {
		return false
	}
	b.turn(now)
	if b.underWay >= b.room(now) {
		return false
	}
	b.sent++
	b.own++
	b.underWay++
	return true
}

// turn forgets windows that have ended, and begins a generation if none is left.
func (b *budget) turn(now time.Time) {
	b.others = slices.DeleteFunc(b.others, func(o other) bool { return !now.Before(o.reset) })
	if b.open(now) {
		return
	}
	if last := len(b.others) - 1; last >= 0 && !b.probing {
		o := b.others[last]
		b.id, b.told, b.reset, b.others = o.id, o.told, o.reset, b.others[:last]
		b.sent, b.counted = b.limit-b.told+b.underWay, 0
		return
	}
	if b.probing && (b.underWay > 0 || b.silent > 0 && now.Sub(b.heard) <= defaultWindow) {
		return
	}
	if !b.guessed.IsZero() && now.After(b.guessed) {
		b.limit, b.guessed = 0, time.Time{}
	}
	b.generation++
	b.probing, b.started = true, now
	b.sent, b.own, b.counted, b.underWay, b.silent, b.tried, b.blind = 0, 0, 0, 0, 0, 0, 0
	b.crowdedBefore, b.crowded = b.crowded, false
}

// room returns the number of calls that may be under way.
func (b *budget) room(now time.Time) int {
	if b.open(now) {
		left := b.left()
		switch {
		case b.hurried(now, left):
			return b.underWay + left
		case b.crowded || b.crowdedBefore: // others send calls, too, and this gate must learn of each
			return min(left, 1)
		}
		return left
	}
	waited := int(now.Sub(b.news()) / patience)
	if b.limit > 0 {
		return min(1<<min(waited, 10), (b.limit+1)/2, defaultLimit)
	}
	// Nothing is known: each answer allows one more call. The call above the default
	// limit is sent alone.
	switch {
	case b.silent > defaultLimit:
		return defaultLimit
	case b.silent+b.underWay < defaultLimit:
		return min(max(1+b.silent, b.overdue(waited)), defaultLimit-b.silent)
	}
	slow := now.Sub(b.news()) / max(patience, 2*b.latency) // a slow call does not delay the others
	return min(max(defaultLimit-b.silent, 1)+int(slow), defaultLimit)
}

// overdue returns the number of calls that may be under way without a known window if none
// was answered for the given number of seconds.
func (b *budget) overdue(waited int) int {
	switch {
	case waited < 1:
		return 1
	case waited < 15:
		return 2
	case waited < 30:
		return 4
	}
	return defaultLimit
}

// hurried reports whether calls are so slow that the window would end before its calls are
// used if no more were under way than remain. Where time allows it, that rule limits the
// effect of a neighbour's calls.
func (b *budget) hurried(now time.Time, left int) bool {
	if left <= 0 {
		return false
	}
	rounds := bits.Len(uint(left))
	return time.Duration(rounds)*b.latency > b.reset.Sub(now)/4
}

// ended removes a call of the present generation from those under way.
func (b *budget) ended(now time.Time, took time.Duration, kind Kind) {
	b.underWay--
	if kind == Unsent || kind == Refused {
		b.sent-- // it was not counted
		b.own--
	}
	if kind > Lost {
		b.heard = now
		b.latency = max(took, b.latency*3/4)
	}
}

// quiet records an answer of the present generation that says nothing about the limit. The
// call may have been counted.
func (b *budget) quiet(now time.Time, last uint64) {
	if b.limit == 0 && b.silent <= defaultLimit && now.Sub(b.started) > defaultWindow {
		b.started, b.silent, b.tried = now, 0, 0 // earlier ones belong to another window
	}
	b.refusals = 0
	b.silent++
	b.blind++
	b.silentAt = last
	switch {
	case b.guessedIn == b.generation && !b.guessed.IsZero(): // sent before the refusal
		b.limit = max(b.limit, b.silent)
	case b.probing && b.limit > 0:
		b.presume(now, b.limit)
	}
}

// presume opens a window that no answer has described.
func (b *budget) presume(now time.Time, told int) {
	b.probing, b.id, b.told = false, 0, told
	b.reset = now.Add(b.windowLength() + b.latency + afterReset)
}

// learn records the headers of a call that was counted. number is that of its pass if it
// belongs to the present generation, or else zero; last is that of the last pass.
func (b *budget) learn(now time.Time, number, last uint64, seen Sighting) {
	b.refusals = 0
	if seen.Limit <= 0 { // the headers are incomplete
		if number > 0 {
			b.quiet(now, last)
		}
		return
	}
	b.limit, b.guessed = seen.Limit, time.Time{}
	if seen.Remaining >= seen.Limit { // impossible, because this call was counted
		seen.Remaining = max(b.limit-b.sent, 0)
	}
	if seen.Reset <= 0 {
		if seen.Window == 0 && b.probing && number > 0 {
			b.presume(now, seen.Remaining)
		}
		return
	}
	b.meet(now, now.Add(seen.Reset+afterReset), seen)
	if number > 0 {
		b.counted++
	}
	b.sent = max(b.sent, b.limit-b.told)
	b.crowded = b.crowded || b.limit-b.told > b.own
	if b.silent == 0 || number > b.silentAt { // otherwise it may not include all calls that were sent
		used := max(b.limit-b.told, b.counted) // a proxy may answer with the Remaining of another call
		b.sent, b.blind = min(b.sent, used+b.underWay), 0
	}
}

// meet records what an answer says about its window.
func (b *budget) meet(now, reset time.Time, seen Sighting) {
	switch {
	case b.same(now, seen):
		b.told = min(b.told, seen.Remaining)
		b.id, b.reset = latest(b.id, seen.Window, reset)
		b.length = max(b.length, seen.Reset)
	case !b.open(now), b.id == 0:
		b.enter(now, reset, seen)
	case seen.Window > b.id:
		b.others = append(b.others, other{b.id, b.told, b.reset})
		b.enter(now, reset, seen)
	default:
		b.meetOther(reset, seen)
	}
}

// meetOther records what an answer says about the window of another instance.
func (b *budget) meetOther(reset time.Time, seen Sighting) {
	for i := range b.others {
		o := &b.others[i]
		if near(o.id, seen.Window) {
			o.told = min(o.told, seen.Remaining)
			o.id, o.reset = latest(o.id, seen.Window, reset)
			return
		}
	}
	b.others = append(b.others, other{seen.Window, seen.Remaining, reset})
	slices.SortFunc(b.others, func(x, y other) int { return cmp.Compare(x.id, y.id) })
}

// same reports whether an answer is about the window that is open.
func (b *budget) same(now time.Time, seen Sighting) bool {
	return b.open(now) && b.id != 0 && near(b.id, seen.Window)
}

// near reports whether two readings belong to the same reset.
func near(x, y int64) bool { return max(x-y, y-x) <= jitter.Milliseconds() }

// latest returns the corrected end of a window: that of the latest answer, or the later one
// of two readings that differ a little.
func latest(id, seen int64, reset time.Time) (highest int64, corrected time.Time) {
	highest = max(id, seen)
	return highest, reset.Add(time.Duration(highest-seen) * time.Millisecond)
}

// enter begins another window.
func (b *budget) enter(now, reset time.Time, seen Sighting) {
	length := seen.Reset
	switch {
	case b.id == 0 && b.open(now): // it has been presumed since the first call
		length = max(length, reset.Sub(b.started))
	case !b.probing && !near(b.id, seen.Window): // earlier calls counted in the window before
		b.sent, b.own, b.counted = b.limit-seen.Remaining+b.underWay, 1+b.underWay, 0
	}
	b.probing, b.id, b.told, b.reset = false, seen.Window, seen.Remaining, reset
	b.previous, b.length = b.length, length
}

// refuse records a refusal. current reports whether the call belongs to the present
// generation.
func (b *budget) refuse(now time.Time, current bool, seen Sighting) {
	if seen.Limit > 0 {
		b.limit, b.guessed = seen.Limit, time.Time{}
	}
	wait := seen.Reset
	switch {
	case wait <= 0 && seen.Window > 0: // its window has ended
		return
	case wait <= 0:
		wait = min(patience<<min(b.refusals, 10), defaultWindow)
		b.refusals++
	}
	until := now.Add(wait + afterReset)
	seen.Remaining = 0
	switch {
	case seen.Window > 0:
		b.meet(now, until, seen)
	case b.open(now) && b.id != 0 && until.Sub(b.reset).Abs() <= roundedUp:
		b.told = 0 // the reset of the window is more exact than whole seconds
	case b.open(now) && b.id != 0: // from a proxy; the window continues afterwards
		b.close(until)
	default:
		switch {
		case current:
			b.guess(now, until)
		case !b.open(now) && (!b.probing || b.underWay == 0):
			b.started = now // nothing is known about the window before
		}
		b.probing, b.id, b.reset, b.told = false, 0, until, 0
	}
}

func (b *budget) close(until time.Time) {
	if until.After(b.closed) {
		b.closed = until
	}
}

// guess infers the limit from the number of calls that passed before a refusal without
// headers.
func (b *budget) guess(now, until time.Time) {
	told := b.limit > 0 && b.guessed.IsZero()
	length := until.Sub(b.started) - b.latency/2
	if told || b.silent == 0 || length > longestGuess {
		return
	}
	if b.limit > 0 && length < b.length-roundedUp {
		return // the window began before the generation
	}
	b.limit = b.silent + b.tried
	b.previous, b.length = 0, length
	b.guessed, b.guessedIn = now.Add(memory*length), b.generation
}

// windowLength returns the length of a window, judging by the last two.
func (b *budget) windowLength() time.Duration {
	if length := max(b.length, b.previous); length > 0 {
		return length
	}
	return defaultWindow
}

// recently returns how long a caller counts as limited after an answer said so.
func (b *budget) recently() time.Duration { return min(memory*b.windowLength(), keep) }

// next returns when something changes for waiting calls.
func (b *budget) next(now time.Time) time.Duration {
	switch {
	case now.Before(b.closed):
		return b.closed.Sub(now)
	case b.open(now):
		reset := b.reset
		for _, o := range b.others {
			if o.reset.Before(reset) && now.Before(o.reset) {
				reset = o.reset
			}
		}
		return reset.Sub(now)
	}
	return patience - now.Sub(b.news())%patience
}

// news returns the time of the last answer in the generation.
func (b *budget) news() time.Time {
	if b.heard.After(b.started) {
		return b.heard
	}
	return b.started
}

// worse reports whether calls may have to wait longer than before.
func (b *budget) worse(before *budget) bool {
	return b.limit != before.limit || b.closed != before.closed || b.reset.Sub(before.reset) > jitter
}

// usedUp reports whether there is a known window without remaining calls.
func (b *budget) usedUp(now time.Time) bool { return b.open(now) && b.left() <= 0 }

// usedUntil returns when the first window that is used up ends.
func (b *budget) usedUntil() time.Time {
	told, reset := b.told, b.reset
	for _, o := range b.others {
		if o.told < told {
			told, reset = o.told, o.reset
		}
	}
	return reset
}

// wait returns the shortest time that a call with the given number of calls before it has to
// wait.
func (b *budget) wait(now time.Time, ahead int) time.Duration {
	closed := max(b.closed.Sub(now), 0)
	if b.limit == 0 {
		if b.open(now) { // because of a refusal
			return max(closed, b.reset.Sub(now))
		}
		return closed
	}
	room, next := b.limit, time.Duration(0)
	switch {
	case b.open(now):
		room, next = b.left(), b.usedUntil().Sub(now)
	case b.probing:
		room, next = b.limit-b.sent, max(b.started.Add(b.windowLength()).Sub(now), 0)
	default:
		next = b.windowLength()
	}
	if room = max(room, 0); ahead < room {
		return closed
	}
	return max(closed, next+time.Duration((ahead-room)/b.limit)*b.windowLength())
}

func (b *budget) known(now time.Time) (RouteLimit, bool) {
	known := RouteLimit{Limit: b.limit, Remaining: b.limit, Window: b.windowLength(), Reset: max(b.closed.Sub(now), 0)}
	switch {
	case b.open(now):
		known.Remaining, known.Reset = max(b.left(), 0), max(known.Reset, b.usedUntil().Sub(now))
	case b.limit == 0 && known.Reset == 0:
		return RouteLimit{}, false
	case b.probing:
		known.Remaining = max(b.limit-b.sent, 0)
	}
	if now.Before(b.closed) {
		known.Remaining = 0
	}
	return known, true
}
