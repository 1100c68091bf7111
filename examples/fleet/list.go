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

func (l *list) todo() string            { return "rocketchat:fleet:" + l.name + ":todo" }
func (l *list) doing(who string) string { return "rocketchat:fleet:" + l.name + ":doing:" + who }
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
	text, err = l.rdb.LMove(ctx, l.todo(), l.doing(who), "LEFT", "RIGHT").Result()
	if errors.Is(err, redis.Nil) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	l.rdb.Expire(ctx, l.doing(who), expiry)
	return text, batch, json.Unmarshal([]byte(text), &batch)
}

// done removes a batch from the list of a process. A batch that two processes have done
// counts once.
func (l *list) done(ctx context.Context, who, text string) error {
	n, err := l.rdb.LRem(ctx, l.doing(who), 1, text).Result()
	if err != nil || n == 0 {
		return err
	}
	return l.rdb.Decr(ctx, l.left()).Err()
}

// release returns the batches of a process that has died to the list.
func (l *list) release(ctx context.Context, who string) (n int, err error) {
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
