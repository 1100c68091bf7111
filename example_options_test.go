package rocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"golang.org/x/time/rate"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/gate"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// WithLogin logs in with the first call, and again if the session has expired.
func ExampleWithLogin() {
	_, server := demo()
	ctx := context.Background()

	client, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server),
		rocketchat.WithLogin("ann@example.org", "Ann-Passw0rd-1"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	me, err := client.Me.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Username)
	// Output:
	// ann
}

// A call that would have to wait longer for the rate limit fails at once and says when
// to try again.
func ExampleWithMaxWait() {
	_, server := demo(rocketchattest.WithLimit(2, time.Minute))
	client := actFor("ann", server, rocketchat.WithMaxWait(5*time.Second))
	ctx := context.Background()

	for range 3 {
		_, err := client.Users.Get(ctx, rocketchat.ByUsername("bob"))
		if e, ok := errors.AsType[*rocketchat.Error](err); ok {
			fmt.Println(errors.Is(err, rocketchat.ErrRateLimited), e.RetryAfter > 5*time.Second)
			continue
		}
		fmt.Println("found")
	}
	fmt.Println("the server refused", refusals(server))
	// Output:
	// found
	// found
	// true true
	// the server refused 0
}

// refusals returns the number of answers with status 429.
func refusals(server *rocketchattest.Server) (n int) {
	for _, call := range server.Calls() {
		if call.Status == http.StatusTooManyRequests {
			n++
		}
	}
	return n
}

// As a call option WithMaxWait bounds the wait of one call, such as one that a person
// is waiting for.
func ExampleWithMaxWait_call() {
	_, server := demo(rocketchattest.WithLimit(1, time.Minute))
	client := actFor("ann", server)
	ctx := context.Background()

	_, err := client.Users.Get(ctx, rocketchat.ByUsername("bob"))
	fmt.Println(err)
	_, err = client.Users.Get(ctx, rocketchat.ByUsername("bob"), rocketchat.WithMaxWait(time.Second))
	fmt.Println(errors.Is(err, rocketchat.ErrRateLimited))
	// Output:
	// <nil>
	// true
}

// A throttle limits all calls of both clients, for a server that has no limits or an
// account that is exempt from them.
func ExampleWithThrottle() {
	_, server := demo()
	ceiling := rate.NewLimiter(rate.Every(10*time.Millisecond), 1)
	ann := actFor("ann", server, rocketchat.WithThrottle(ceiling))
	bob := actFor("bob", server, rocketchat.WithThrottle(ceiling))

	start := time.Now()
	for _, client := range []*rocketchat.Client{ann, bob, ann} {
		if _, err := client.Me.Get(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(time.Since(start) >= 20*time.Millisecond)
	// Output:
	// true
}

// Separate clients behind one address can share a gate: neither runs into a limit that
// the other has used up.
func ExampleWithGate() {
	_, server := demo(rocketchattest.WithLimit(2, time.Minute))
	shared := gate.NewMemory()
	ann := actFor("ann", server, rocketchat.WithGate(shared))
	bob := actFor("bob", server, rocketchat.WithGate(shared), rocketchat.WithMaxWait(time.Second))
	ctx := context.Background()

	for range 2 {
		if _, err := ann.Me.Get(ctx); err != nil {
			log.Fatal(err)
		}
	}
	_, err := bob.Me.Get(ctx)
	fmt.Println(errors.Is(err, rocketchat.ErrRateLimited))
	fmt.Println("calls sent:", server.Count("me"))
	// Output:
	// true
	// calls sent: 2
}

// A trace sees every attempt, which is enough for a counter and a histogram.
func ExampleWithTrace() {
	_, server := demo()
	server.AnswerNext("me", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
	})
	client := actFor("ann", server,
		rocketchat.WithTrace(rocketchat.Trace{AttemptDone: func(_ context.Context, a rocketchat.Attempt) {
			// requests.WithLabelValues(a.Op, strconv.Itoa(a.StatusCode)).Observe(a.Took.Seconds())
			fmt.Println(a.Op, a.Number, a.StatusCode)
		}}),
		rocketchat.WithRetry(rocketchat.RetryPolicy{MaxAttempts: 3, BaseDelay: time.Millisecond, MaxDelay: time.Millisecond}))

	if _, err := client.Me.Get(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// me 1 502
	// me 2 200
}

// Log records hold the operation, the attempt, the status and durations; never a
// header, a query, a body or an address.
func ExampleWithLogger() {
	steady := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Value.Kind() == slog.KindDuration {
			return slog.Attr{} // these differ from run to run
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: steady}))

	_, server := demo()
	client := actFor("ann", server, rocketchat.WithLogger(logger))
	if _, err := client.Users.Get(context.Background(), rocketchat.ByUsername("bob")); err != nil {
		log.Fatal(err)
	}
	// Output:
	// level=DEBUG msg="rocketchat: attempt" op=users.info attempt=1 status=200
}

// Idempotent calls are retried. This policy gives a failing server two more chances.
func ExampleWithRetry() {
	_, server := demo()
	for range 2 {
		server.AnswerNext("users.info", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
		})
	}
	client := actFor("ann", server, rocketchat.WithRetry(rocketchat.RetryPolicy{
		MaxAttempts: 3,
		BaseDelay:   time.Millisecond,
		MaxDelay:    10 * time.Millisecond,
	}))
	user, err := client.Users.Get(context.Background(), rocketchat.ByUsername("bob"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Name, "after", server.Count("users.info"), "attempts")
	// Output:
	// Bob Ray after 3 attempts
}

// The timeout applies to each attempt. The deadline of the context bounds the whole
// call.
func ExampleWithAttemptTimeout() {
	_, server := demo(rocketchattest.WithLatency(time.Second))
	client := actFor("ann", server,
		rocketchat.WithAttemptTimeout(5*time.Millisecond),
		rocketchat.WithRetry(rocketchat.RetryPolicy{MaxAttempts: 1}))

	_, err := client.Me.Get(context.Background())
	fmt.Println(errors.Is(err, rocketchat.ErrUnreachable))
	fmt.Println(err)
	// Output:
	// true
	// rocketchat: me: unreachable: the attempt timed out
}

func ExampleWithMaxAnswer() {
	_, server := demo()
	client := actFor("ann", server, rocketchat.WithMaxAnswer(100)) // bytes

	_, err := client.Me.Get(context.Background())
	fmt.Println(errors.Is(err, rocketchat.ErrBadAnswer))
	// Output:
	// true
}

// WithRawAnswer copies the body of the answer.
func ExampleWithRawAnswer() {
	client, _ := demo()
	var body []byte
	if _, err := client.Users.UsernameAvailable(context.Background(), "carol", rocketchat.WithRawAnswer(&body)); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", body)
	// Output:
	// {"result":true,"success":true}
}
