package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/gate"
	"github.com/rocketchat-go/rocketchat/redisgate"
)

// variable tells a process that it is one of a fleet.
const variable = "ROCKETCHAT_FLEET_WORKER"

// Config is what a process is told on its standard input.
type Config struct {
	URL, UserID, Token string
	Redis              []string // addresses; more than one is a cluster; none: a gate of its own
	User, Password     string   // of Redis
	Scope              string
	Calls, Goroutines  int
	Skew               time.Duration // by which the clock of the process is ahead
	Hold               time.Duration // of passes, for Grab
	Grab               int           // passes to take and never give back; then it waits to be killed
}

// Report is what a process says at the end.
type Report struct {
	Failed   int
	Errors   []string // some
	Commands int64    // scripts that ran
}

// Worker does the work of a process of a fleet, and ends it, if this is one. Programs
// that start fleets call it first.
func Worker() {
	if os.Getenv(variable) == "" {
		return
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func work() error {
	ctx := context.Background()
	input := bufio.NewReader(os.Stdin)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return err
	}
	var c Config
	if err := json.Unmarshal(line, &c); err != nil {
		return err
	}
	var commands atomic.Int64
	g, done, err := c.gate(ctx, &commands)
	if err != nil {
		return err
	}
	if c.Grab > 0 {
		return c.grab(ctx, g)
	}
	client, err := c.client(g)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(os.Stdout, "ready")
	if _, err := input.ReadBytes('\n'); err != nil {
		return err
	}
	report := c.run(ctx, client)
	if err := done(ctx); err != nil {
		return err
	}
	report.Commands = commands.Load()
	return json.NewEncoder(os.Stdout).Encode(report)
}

// gate opens the gate of the process.
func (c *Config) gate(ctx context.Context, commands *atomic.Int64) (g gate.Gate, done func(context.Context) error, err error) {
	if len(c.Redis) == 0 {
		return gate.NewMemory(), func(context.Context) error { return nil }, nil
	}
	rdb := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: c.Redis, Username: c.User, Password: c.Password})
	rdb.AddHook(counter{commands})
	shared := redisgate.New(rdb, c.Scope)
	if err := shared.Warm(ctx); err != nil && !errors.As(err, new(redis.Error)) {
		return nil, nil, err
	}
	commands.Store(0)
	return shared, shared.Close, nil
}

// client makes the client of the process, whose clock may be wrong. That of this
// machine cannot be set, so the server's is read wrong instead.
func (c *Config) client(g gate.Gate) (*rocketchat.Client, error) {
	if c.Skew != 0 {
		g = unskewed{g, c.Skew}
	}
	return rocketchat.New(c.URL, rocketchat.WithPlainHTTP(), rocketchat.WithToken(c.UserID, c.Token), rocketchat.WithGate(g),
		rocketchat.WithTransport(skewed{c.Skew, &http.Transport{MaxIdleConnsPerHost: c.Goroutines}}))
}

func (c *Config) run(ctx context.Context, client *rocketchat.Client) *Report {
	report := &Report{}
	var mu sync.Mutex
	var left atomic.Int64
	left.Store(int64(c.Calls))
	var wg sync.WaitGroup
	for range c.Goroutines {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := client.Users.Get(ctx, rocketchat.ByUsername("admin")); err != nil {
					mu.Lock()
					report.Failed++
					if len(report.Errors) < 3 {
						report.Errors = append(report.Errors, err.Error())
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return report
}

// grab takes passes and waits to be killed.
func (c *Config) grab(ctx context.Context, g gate.Gate) error {
	for range c.Grab {
		if _, err := g.Enter(ctx, gate.Entry{Route: grabbed, Hold: c.Hold}); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintln(os.Stdout, "ready")
	select {}
}

// grabbed is the route that passes are taken of.
var grabbed = gate.Route{Server: "chat.example.org", Method: http.MethodGet, Op: op, Caller: "ann"}

// skewed sets the server's times back, as they look to a process whose clock is ahead.
type skewed struct {
	by   time.Duration
	next http.RoundTripper
}

func (s skewed) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := s.next.RoundTrip(req)
	if err != nil || s.by == 0 {
		return res, err
	}
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		res.Header.Set("Date", date.Add(-s.by).UTC().Format(http.TimeFormat))
	}
	if reset, err := strconv.ParseInt(res.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
		res.Header.Set("X-RateLimit-Reset", strconv.FormatInt(reset-s.by.Milliseconds(), 10))
	}
	return res, nil
}

// unskewed shows the gate the server's times as they were.
type unskewed struct {
	gate.Gate

	by time.Duration
}

func (u unskewed) Leave(ctx context.Context, r gate.Route, p gate.Pass, seen gate.Sighting) {
	if seen.Window != 0 {
		seen.Window += u.by.Milliseconds()
	}
	if !seen.Date.IsZero() {
		seen.Date = seen.Date.Add(u.by)
	}
	u.Gate.Leave(ctx, r, p, seen)
}

// counter counts the scripts that a client runs.
type counter struct{ n *atomic.Int64 }

func (c counter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.EqualFold(cmd.Name(), "evalsha") {
			c.n.Add(1)
		}
		return next(ctx, cmd)
	}
}
