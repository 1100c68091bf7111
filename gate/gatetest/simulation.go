package gatetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rocketchat-go/rocketchat/gate"
)

// Balance is how a balancer chooses the instance for a call.
type Balance int

// The kinds of [Balance].
const (
	InTurn Balance = iota
	AtRandom
	Sticky // stays with an instance for 15 calls
)

// Simulation is a number of calls on a simulated server. It is meant to run in virtual
// time, in a testing/synctest bubble.
type Simulation struct {
	Calls     int           // spread over the gates
	Spread    time.Duration // they are made at random moments of this time; zero: all at once
	Bunch     int           // up to so many of them are made in the same moment; zero: 1
	Callers   int           // who make them; zero: 1
	Limit     int           // of the server, calls in one window; zero: 10
	Unlimited bool          // the server does not limit the caller
	Window    time.Duration // zero: a minute
	Latency   time.Duration // round trip; zero: 50 ms
	Uneven    bool          // each call takes between half and one and a half of Latency
	Instances int           // of the server, each with windows of its own; zero: one
	Balance   Balance
	Neighbour int           // calls that somebody else on the same address makes in a minute
	Lost      float64       // share of the answers that lose their headers
	LostAs    gate.Kind     // what a client takes those for: gate.Nothing or gate.Free
	Proxy     float64       // share of the calls that a proxy refuses by itself, for two seconds
	Jitter    int64         // milliseconds by which readings of one reset differ
	Clock     time.Duration // by which the server's clock is ahead
	MaxWait   time.Duration
	Seed      uint64
}

// Result is what a [Simulation] met.
type Result struct {
	Failed  int           // calls that ended with an error
	Refused int           // calls that the server refused
	Crowded int           // the most refusals in one window of one instance
	Took    time.Duration // for all calls
	Least   time.Duration // that the windows allow if nothing else uses them
	Late    time.Duration // that a call was sent later than they allow, on average
}

// Over is the share of time above the least.
func (r Result) Over() float64 { return float64(r.Took)/float64(r.Least) - 1 }

func (r Result) String() string {
	return fmt.Sprintf("%d refused (%d in a window), %d failed, %s, %.2f %% over", r.Refused, r.Crowded, r.Failed,
		r.Took.Round(time.Millisecond), 100*r.Over())
}

// Run makes the calls through the gates.
func (s Simulation) Run(ctx context.Context, gates ...gate.Gate) Result {
	srv := newServer(&s)
	moments := srv.moments()
	stop := make(chan struct{})
	var wg, others sync.WaitGroup
	if s.Neighbour > 0 {
		others.Go(func() { srv.neighbour(stop) })
	}
	var mu sync.Mutex
	var result Result
	var late time.Duration
	start := time.Now()
	for i, made := range moments {
		if pause := made.at - time.Since(start); pause > 0 {
			time.Sleep(pause)
		}
		wg.Go(func() {
			e := gate.Entry{Route: route, MaxWait: s.MaxWait}
			if s.Callers > 1 {
				e.Route.Caller += strconv.Itoa(i % s.Callers)
			}
			sent, err := srv.do(ctx, gates[i%len(gates)], e)
			mu.Lock()
			defer mu.Unlock()
			result.Took = time.Since(start)
			late += sent.Sub(start) - made.earliest
			if err != nil {
				result.Failed++
			}
		})
	}
	wg.Wait()
	close(stop)
	others.Wait()
	result.Late = late / time.Duration(s.Calls)
	result.Least = s.Latency
	if !s.Unlimited {
		result.Least += time.Duration((s.Calls-1)/s.Limit) * s.Window
	}
	for _, n := range srv.refused {
		result.Refused += n
		result.Crowded = max(result.Crowded, n)
	}
	return result
}

// route is what the suite calls.
var route = gate.Route{Server: "chat.example.org", Method: "GET", Op: "users.info", Caller: "ann"} //nolint:gochecknoglobals // a constant

// server is a simulated one.
type server struct {
	Simulation

	mu        sync.Mutex
	random    *rand.Rand
	instances []instance
	sent      int
	refused   map[[2]int]int // by instance and window
	opened    chan struct{}  // a call that was not the neighbour's began a window
	exempt    string         // a caller whose calls are not counted; empty for none
}

type instance struct {
	start   time.Time
	windows int
	count   int
}

func newServer(s *Simulation) *server {
	s.Limit = cmp.Or(s.Limit, 10)
	s.Window = cmp.Or(s.Window, time.Minute)
	s.Latency = cmp.Or(s.Latency, 50*time.Millisecond)
	s.Instances = cmp.Or(s.Instances, 1)
	s.LostAs = cmp.Or(s.LostAs, gate.Nothing)
	return &server{
		Simulation: *s, random: rand.New(rand.NewPCG(s.Seed, 1)), //nolint:gosec // reproducible on purpose
		instances: make([]instance, s.Instances), refused: make(map[[2]int]int), opened: make(chan struct{}),
	}
}

// moment is when a call is made, and the earliest that it can be sent without a refusal. Both
// are counted from the beginning.
type moment struct{ at, earliest time.Duration }

// moments returns when calls are made.
func (s *server) moments() []moment {
	all := make([]moment, 0, s.Calls)
	for len(all) < s.Calls && s.Spread > 0 {
		at := time.Duration(s.random.Int64N(int64(s.Spread)))
		for range min(1+s.random.IntN(max(s.Bunch, 1)), s.Calls-len(all)) {
			all = append(all, moment{at: at})
		}
	}
	all = all[:s.Calls]
	slices.SortFunc(all, func(x, y moment) int { return cmp.Compare(x.at, y.at) })
	var in instance
	var now time.Duration
	for i := range all {
		now = max(now, all[i].at)
		all[i].earliest = now
		if s.Unlimited {
			continue
		}
		if count, reset := in.takeAt(time.Time{}.Add(now), s.Window); count > s.Limit {
			now = reset.Sub(time.Time{}) + 1
			in.takeAt(reset.Add(1), s.Window)
			all[i].earliest = now
		}
	}
	return all
}

// do is a call with its repeats after refusals. It returns when the last of them was sent.
func (s *server) do(ctx context.Context, g gate.Gate, e gate.Entry) (sent time.Time, err error) {
	deadline := time.Now().Add(e.MaxWait)
	for {
		pass, err := g.Enter(ctx, e)
		sent = time.Now()
		if err != nil {
			return sent, err
		}
		seen := s.send(e.Route.Caller)
		g.Leave(ctx, e.Route, pass, seen)
		if seen.Kind != gate.Refused {
			return sent, nil
		}
		e.Place = pass.Place
		if e.MaxWait > 0 {
			if e.MaxWait = time.Until(deadline); e.MaxWait <= 0 {
				return sent, errors.New("no time left")
			}
		}
	}
}

// send is one exchange with the server.
func (s *server) send(caller string) gate.Sighting {
	latency := s.Latency
	if s.Uneven {
		s.mu.Lock()
		latency = latency/2 + time.Duration(s.random.Int64N(int64(latency)))
		s.mu.Unlock()
	}
	time.Sleep(latency / 2)
	seen, reset := s.answer(caller)
	time.Sleep(latency - latency/2)
	if seen.Window != 0 {
		seen.Reset = max(time.Until(reset), 0)
		seen.Date = time.Now().Add(s.Clock).Truncate(time.Second)
	}
	return seen
}

// answer counts a call.
func (s *server) answer(caller string) (seen gate.Sighting, reset time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	if s.Proxy > 0 && s.random.Float64() < s.Proxy {
		return gate.Sighting{Kind: gate.Refused, Reset: 2 * time.Second}, reset
	}
	if s.Unlimited || caller == s.exempt && s.exempt != "" {
		return gate.Sighting{Kind: gate.Free}, reset
	}
	one := s.choose()
	in := &s.instances[one]
	count, reset := in.take(s.Window)
	if count == 1 {
		select {
		case s.opened <- struct{}{}:
		default:
		}
	}
	seen = gate.Sighting{
		Kind: gate.Counted, Limit: s.Limit, Remaining: max(s.Limit-count, 0),
		Window: reset.Add(s.Clock).UnixMilli(),
	}
	if s.Jitter > 0 {
		seen.Window += s.random.Int64N(s.Jitter + 1)
	}
	if count > s.Limit {
		seen.Kind = gate.Refused
		s.refused[[2]int{one, in.windows}]++
	}
	if s.Lost == 0 || s.random.Float64() >= s.Lost {
		return seen, reset
	}
	if seen.Kind == gate.Counted {
		return gate.Sighting{Kind: s.LostAs}, reset
	}
	seconds := (time.Until(reset) + time.Second - 1).Truncate(time.Second) // as in the text of the answer
	return gate.Sighting{Kind: gate.Refused, Reset: seconds}, reset
}

// choose is the balancer.
func (s *server) choose() int {
	switch s.Balance {
	case AtRandom:
		return s.random.IntN(len(s.instances))
	case Sticky:
		return s.sent / 15 % len(s.instances)
	}
	return s.sent % len(s.instances)
}

// take counts a call in the present window, and returns which it is.
func (in *instance) take(length time.Duration) (count int, reset time.Time) {
	return in.takeAt(time.Now(), length)
}

func (in *instance) takeAt(now time.Time, length time.Duration) (count int, reset time.Time) {
	if in.windows == 0 || now.Sub(in.start) > length {
		in.start, in.count = now, 0
		in.windows++
	}
	in.count++
	return in.count, in.start.Add(length)
}

// neighbour makes its calls of a minute at random times, half of them in the middle of
// the others' burst.
func (s *server) neighbour(stop <-chan struct{}) {
	for {
		for range s.Neighbour {
			s.mu.Lock()
			pause, inBurst := time.Duration(s.random.Int64N(int64(time.Minute)/int64(s.Neighbour))), s.random.IntN(2) == 0
			if inBurst {
				pause = time.Duration(s.random.Int64N(4 * int64(s.Latency)))
			}
			s.mu.Unlock()
			if inBurst {
				select {
				case <-stop:
					return
				case <-s.opened:
				case <-time.After(s.Window):
				}
			}
			if !pauseFor(pause, stop) {
				return
			}
			s.mu.Lock()
			s.instances[s.choose()].take(s.Window)
			s.mu.Unlock()
		}
	}
}

// pauseFor reports whether the pause was not cut short.
func pauseFor(d time.Duration, stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	case <-time.After(d):
		return true
	}
}
