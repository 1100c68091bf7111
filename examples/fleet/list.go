package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// list is the work of a fleet in Redis. A batch is on the list of waiting batches, on the
// list of a process, or done.
type list struct {
	rdb  *redis.Client
	name string
}

// expiry removes lists that are no longer used.
const expiry = time.Hour

// What happens to a batch is one step in Redis each, because a process can be killed between
// any two commands.
var (
	// takeScript gives nothing to a process that is known to be dead. Its last request may
	// come after its batches were released.
	takeScript = redis.NewScript(`
		if redis.call("EXISTS", KEYS[3]) == 1 then return false end
		local batch = redis.call("LMOVE", KEYS[1], KEYS[2], "LEFT", "RIGHT")
		if batch then redis.call("PEXPIRE", KEYS[2], ARGV[1]) end
		return batch`)
	doneScript = redis.NewScript(`
		if redis.call("LREM", KEYS[1], 1, ARGV[1]) == 1 then redis.call("DECR", KEYS[2]) end
		return 0`)
)

func (l *list) todo() string            { return "rocketchat:fleet:" + l.name + ":todo" }
func (l *list) doing(who string) string { return "rocketchat:fleet:" + l.name + ":doing:" + who }
func (l *list) dead(who string) string  { return "rocketchat:fleet:" + l.name + ":dead:" + who }
func (l *list) left() string            { return "rocketchat:fleet:" + l.name + ":left" }

// fill puts the people on the list, in batches.
func (l *list) fill(ctx context.Context, people []person, size int) error {
	batches := slices.Collect(slices.Chunk(people, size))
	_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, l.left(), len(batches), expiry)
		for _, batch := range batches {
			text, err := json.Marshal(batch)
			if err != nil {
				return err
			}
			p.RPush(ctx, l.todo(), text)
		}
		p.Expire(ctx, l.todo(), expiry)
		return nil
	})
	return err
}

// take moves a batch to the list of a process and returns it. The text is "" if there is
// none.
func (l *list) take(ctx context.Context, who string) (text string, batch []person, err error) {
	text, err = takeScript.Run(ctx, l.rdb, []string{l.todo(), l.doing(who), l.dead(who)}, expiry.Milliseconds()).Text()
	if errors.Is(err, redis.Nil) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	return text, batch, json.Unmarshal([]byte(text), &batch)
}

// done removes a batch from the list of a process. A batch that two processes have done
// counts once.
func (l *list) done(ctx context.Context, who, text string) error {
	return doneScript.Run(ctx, l.rdb, []string{l.doing(who), l.left()}, text).Err()
}

// release returns the batches of a process that has died to the list.
func (l *list) release(ctx context.Context, who string) (n int, err error) {
	if err := l.rdb.Set(ctx, l.dead(who), 1, expiry).Err(); err != nil {
		return 0, err
	}
	for {
		switch err := l.rdb.LMove(ctx, l.doing(who), l.todo(), "RIGHT", "LEFT").Err(); {
		case errors.Is(err, redis.Nil):
			return n, nil
		case err != nil:
			return n, err
		}
		n++
	}
}

// remaining returns the number of batches that are not done.
func (l *list) remaining(ctx context.Context) (int, error) {
	n, err := l.rdb.Get(ctx, l.left()).Int()
	if errors.Is(err, redis.Nil) {
		return 0, fmt.Errorf("the list %s is gone", l.name)
	}
	return n, err
}

func (l *list) remove(ctx context.Context) { l.rdb.Del(ctx, l.todo(), l.left()) }
