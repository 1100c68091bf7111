package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/redisgate"
)

// news is a line of a process for the one that started it.
type news struct {
	Created  int      `json:"created,omitempty"`
	Changed  int      `json:"changed,omitempty"`
	As       int      `json:"unchanged,omitempty"`
	Failed   int      `json:"failed,omitempty"`
	Problems []string `json:"problems,omitempty"`
	Ended    bool     `json:"ended,omitempty"` // there is no more to do
}

func (n *news) people() int { return n.Created + n.Changed + n.As + n.Failed }

// work takes batches until all are done.
func (f *fleet) work(ctx context.Context) error {
	options, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		return cli.Usage("REDIS_URL is not an address such as redis://127.0.0.1:6379/0")
	}
	logging.Disable() // failures are reported below
	rdb := redis.NewClient(options)
	defer func() { _ = rdb.Close() }()
	shared := redisgate.New(rdb, f.Scope)
	defer func() { _ = shared.Close(context.WithoutCancel(ctx)) }()
	if err := shared.Warm(ctx); err != nil {
		return fmt.Errorf("the Redis server of REDIS_URL cannot be used: %w", cli.Cause(err))
	}
	client, err := f.Client.With(rocketchat.WithGate(shared))
	if err != nil {
		return err
	}
	w := &worker{client: client, list: &list{rdb, f.Worker}, who: strconv.Itoa(os.Getpid()), out: json.NewEncoder(f.Stdout)}
	for ctx.Err() == nil {
		worked, err := w.batch(ctx)
		if err != nil {
			return err
		}
		if worked {
			continue
		}
		left, err := w.list.remaining(ctx)
		if err != nil {
			return err
		}
		if left == 0 {
			return w.out.Encode(news{Ended: true})
		}
		select { // another process may die and leave its batch
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return ctx.Err()
}

type worker struct {
	client *rocketchat.Client
	list   *list
	who    string

	mu  sync.Mutex
	out *json.Encoder
}

// batch synchronises a batch, and reports whether there was one.
func (w *worker) batch(ctx context.Context) (bool, error) {
	text, people, err := w.list.take(ctx, w.who)
	if err != nil || text == "" {
		return false, err
	}
	told := 0
	report, err := w.client.Users.Sync(ctx, desired(people), rocketchat.SyncOptions{Progress: func(p rocketchat.SyncProgress) {
		var n news
		switch {
		case p.Last.Err != nil:
			n.Failed, n.Problems = 1, []string{p.Last.Username + ": " + cli.Explain(p.Last.Err)}
		case p.Last.Action == rocketchat.SyncCreate:
			n.Created = 1
		default:
			n.Changed = 1
		}
		told++
		w.tell(n)
	}})
	if ctx.Err() != nil {
		return true, ctx.Err()
	}
	if report == nil {
		return true, err
	}
	rest := news{As: max(len(people)-told-len(report.Refusals), 0), Failed: len(report.Refusals)}
	for _, refusal := range report.Refusals {
		rest.Problems = append(rest.Problems, cli.Explain(refusal))
	}
	w.tell(rest)
	return true, w.list.done(ctx, w.who, text)
}

func (w *worker) tell(n news) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.out.Encode(n) // it fails only if the starting process has ended
}
