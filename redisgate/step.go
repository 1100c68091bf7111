package redisgate

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rocketchat-go/rocketchat/gate"
)

//go:embed step.lua
var source string

var script = redis.NewScript(source)

// request is what step.lua takes.
type request struct {
	Process string  `json:"process"`
	Seq     string  `json:"seq"`
	Route   string  `json:"route"`
	Channel string  `json:"channel"`
	Want    int     `json:"want"`
	Hold    int64   `json:"hold"`
	Leaves  []leave `json:"leaves,omitempty"`
	Callers []group `json:"callers,omitempty"`
	Peek    string  `json:"peek,omitempty"` // a caller; then the budget is not changed
	Try     bool    `json:"try,omitempty"`  // whether Redis can be written to
}

// leave is a call that has ended.
type leave struct {
	Name      string `json:"name"` // of its pass; empty for a sighting alone
	Kind      string `json:"kind"`
	Caller    string `json:"caller"`
	Limit     int    `json:"limit"`
	Remaining int    `json:"remaining"`
	Window    int64  `json:"window"`
	Reset     int64  `json:"reset"`
	Date      int64  `json:"date"`
	Age       int64  `json:"age"` // of the sighting

	seen gate.Sighting
	at   time.Time
}

// group are the calls of one caller that wait.
type group struct {
	Caller string `json:"caller"`
	Count  int    `json:"count"`
}

// reply is what step.lua returns.
type reply struct {
	info

	Passes  list[string] `json:"passes"`
	Trials  list[trial]  `json:"trials"`
	Exempt  list[string] `json:"exempt"`
	Limited list[string] `json:"limited"`
	Hopeful list[string] `json:"hopeful"`
}

// trial is a pass beyond the budget for a caller who may be exempt.
type trial struct {
	Caller string `json:"caller"`
	Name   string `json:"name"`
}

// info is how a route stands. Durations are milliseconds from when it was received.
type info struct {
	Limit   int    `json:"limit"`
	Room    int    `json:"room"` // calls that may still be sent before Reset
	Reset   int64  `json:"reset"`
	Length  int64  `json:"length"` // of a window
	Closed  int64  `json:"closed"`
	Next    int64  `json:"next"` // until something changes
	Open    bool   `json:"open"`
	Probing bool   `json:"probing"`
	First   string `json:"first"`  // the process whose turn it is
	Others  int    `json:"others"` // processes that wait
	Wanted  int    `json:"wanted"` // by them
	Version int64  `json:"version"`

	at time.Time
}

// list is an array in JSON. An empty table of Lua may be written as an object.
type list[T any] []T

// UnmarshalJSON implements [json.Unmarshaler].
func (l *list[T]) UnmarshalJSON(data []byte) error {
	if string(data) == "{}" {
		*l = nil
		return nil
	}
	return json.Unmarshal(data, (*[]T)(l))
}

// kinds are the names that step.lua knows them by.
var kinds = [...]string{
	gate.Unsent: "unsent", gate.Lost: "lost", gate.Nothing: "nothing",
	gate.Free: "free", gate.Counted: "counted", gate.Refused: "refused",
}

// prepare sets what a leave says at the time when it is sent.
func (l *leave) prepare(now time.Time) {
	age := now.Sub(l.at)
	l.Kind, l.Age = kinds[l.seen.Kind], age.Milliseconds()
	l.Limit, l.Remaining, l.Window = l.seen.Limit, l.seen.Remaining, l.seen.Window
	l.Reset = max((l.seen.Reset - age + time.Millisecond - 1).Milliseconds(), 0)
	if !l.seen.Date.IsZero() {
		l.Date = l.seen.Date.UnixMilli()
	}
	if l.Reset == 0 && l.seen.Reset > 0 && l.Window == 0 {
		l.Kind = kinds[gate.Nothing] // a refusal that no longer holds
	}
}

// send runs a request. It does not wait for longer than the gate's timeout, whatever
// the client's own settings are; a reply that comes too late is handed to late.
func (g *Gate) send(ctx context.Context, keys []string, req *request, late func(*reply)) (*reply, error) {
	text, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	type result struct {
		reply *reply
		err   error
	}
	results := make(chan result)
	expired := make(chan struct{})
	go func() {
		var res result
		text, err := script.Run(context.WithoutCancel(ctx), g.rdb, keys, text).Text()
		if err == nil {
			res.reply = &reply{}
			err = json.Unmarshal([]byte(text), res.reply)
		}
		res.err = err
		select {
		case results <- res:
		case <-expired:
			if err == nil && late != nil {
				late(res.reply)
			}
		}
	}()
	timer := time.NewTimer(g.timeout)
	defer timer.Stop()
	select {
	case res := <-results:
		if res.err != nil {
			return nil, fmt.Errorf("redisgate: %w", res.err)
		}
		res.reply.at = time.Now()
		return res.reply, nil
	case <-timer.C:
		close(expired)
		return nil, fmt.Errorf("redisgate: Redis did not answer for %s", g.timeout)
	case <-ctx.Done():
		close(expired)
		return nil, ended(ctx)
	}
}

// peek asks how a route stands.
func (g *Gate) peek(ctx context.Context, where gate.Route) (*reply, error) {
	key := g.routeKey(where)
	return g.send(ctx, g.keys(key), &request{Process: g.id, Peek: g.hash(where.Caller)}, nil)
}

// try fails unless steps can be taken. A Redis that is full, or a replica, only answers
// questions.
func (g *Gate) try(ctx context.Context) error {
	_, err := g.send(ctx, g.keys(g.routeKey(gate.Route{})), &request{Process: g.id, Peek: g.hash(""), Try: true}, nil)
	return err
}

// routeKey names a route in Redis.
func (g *Gate) routeKey(where gate.Route) string { return g.hash(where.Server, where.Method, where.Op) }

// keys are those that step.lua takes.
func (g *Gate) keys(route string) []string {
	base := g.base() + ":" + route
	return []string{base, base + ":passes", base + ":waiting", base + ":reply:" + g.id}
}

// final reports an error that does not go away by itself soon, such as missing rights.
func final(err error) bool {
	var answered redis.Error
	if !errors.As(err, &answered) {
		return false
	}
	code, _, _ := strings.Cut(answered.Error(), " ")
	switch code {
	case "NOPERM", "NOAUTH", "WRONGPASS", "WRONGTYPE", "ERR":
		return true
	}
	return false
}

// milliseconds rounds up.
func milliseconds(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// limit is what the info says after a while.
func (i *info) limit(elapsed time.Duration) (gate.RouteLimit, bool) {
	known := gate.RouteLimit{Limit: i.Limit, Remaining: i.Limit, Window: ms(i.Length)}
	known.Reset = max(ms(i.Closed)-elapsed, 0)
	if reset := ms(i.Reset) - elapsed; (i.Open || i.Probing) && reset > 0 {
		known.Remaining = i.Room
		if i.Open {
			known.Reset = max(known.Reset, reset)
		}
	}
	if ms(i.Closed) > elapsed {
		known.Remaining = 0
	}
	return known, known.Limit > 0 || known.Reset > 0
}

// wait returns the shortest time that a call with the given number of calls before it has to
// wait.
func (i *info) wait(elapsed time.Duration, ahead int) time.Duration {
	closed, reset, length := max(ms(i.Closed)-elapsed, 0), max(ms(i.Reset)-elapsed, 0), ms(i.Length)
	room := i.Room
	switch {
	case i.Limit == 0:
		if i.Open {
			return max(closed, reset)
		}
		return closed
	case !i.Open && !i.Probing, reset == 0: // the next window begins now
		room, reset = i.Limit, length
	}
	if ahead < room {
		return closed
	}
	return max(closed, reset+time.Duration((ahead-room)/i.Limit)*length)
}
