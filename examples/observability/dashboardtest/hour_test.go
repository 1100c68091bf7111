package dashboardtest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/examples/internal/tour"
	"github.com/rocketchat-go/rocketchat/otelrocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

const (
	scrapeInterval = 15 * time.Second
	length         = time.Hour
	tours          = 5 // at a time, about one a minute each
)

// hour is what was seen in an hour.
type hour struct {
	*store
	start time.Time
	calls []rocketchattest.Call // requests of the observed client, and what it got
}

// observed is the transport of the client that is observed. It notes what comes back.
type observed struct {
	server http.RoundTripper
	h      *hour

	mu   sync.Mutex
	seen int // requests of users.info while the gateway fails
}

func (o *observed) RoundTrip(req *http.Request) (*http.Response, error) {
	op := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
	timer := time.NewTimer(latency(op))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	call := rocketchattest.Call{Op: op, Status: http.StatusBadGateway, At: time.Now()}
	defer func() { o.h.calls = append(o.h.calls, call) }()
	if op == "users.info" && during(o.h, 8, 13) {
		if o.seen++; o.seen%4 == 0 {
			return &http.Response{StatusCode: call.Status, Header: make(http.Header), Body: http.NoBody, Request: req}, nil
		}
	}
	res, err := o.server.RoundTrip(req)
	if err == nil {
		call.Status = res.StatusCode
	}
	return res, err
}

// latency is how long the answers of an operation take.
func latency(op string) time.Duration {
	switch op {
	case "login", "users.create":
		return 120 * time.Millisecond // the server hashes a password
	case "users.list":
		return 60 * time.Millisecond
	}
	return 15 * time.Millisecond
}

// newHour goes through tours for an hour, on a server that limits calls as real ones do.
// From minute 8 to 13 a gateway fails now and then. From minute 23 to 30 the tours make
// more calls than the limit allows. From minute 38 to 50 another program at the same address
// uses the limit, too.
func newHour(t *testing.T) (h *hour) {
	t.Helper()
	h = &hour{store: new(store)}
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
		require.NoError(t, err)
		meters := metric.NewMeterProvider(metric.WithReader(reader))
		server := rocketchattest.New(rocketchattest.WithSecondFactor(), rocketchattest.WithLimit(10, time.Minute),
			rocketchattest.WithSetting("Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In", false))
		_, err = server.AddUser(rocketchattest.User{Username: "neighbour"})
		require.NoError(t, err)
		h.start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), length)
		defer cancel()
		client, err := rocketchat.New(server.URL(),
			rocketchat.WithTransport(&observed{server: server, h: h}),
			rocketchat.WithLogin("admin", rocketchattest.AdminPassword),
			rocketchat.WithTwoFactor(rocketchat.AnswerWithPassword(rocketchat.NewSecret(rocketchattest.AdminPassword))),
			rocketchat.WithRetry(rocketchat.RetryPolicy{MaxAttempts: 6, BaseDelay: time.Second, MaxDelay: time.Second}),
			rocketchat.WithTrace(otelrocketchat.Trace(otelrocketchat.WithMeterProvider(meters))))
		require.NoError(t, err)

		var work sync.WaitGroup
		work.Go(func() {
			for range ticks(ctx, scrapeInterval) {
				families, err := registry.Gather()
				assert.NoError(t, err)
				h.add(time.Now(), families)
			}
		})
		work.Go(func() {
			for range ticks(ctx, 6*time.Second) {
				if during(h, 38, 50) {
					disturb(t, server)
				}
			}
		})
		for i := range tours {
			work.Go(func() {
				for range ticks(ctx, time.Minute+time.Duration(i)*7*time.Second) {
					calls := 1
					if during(h, 23, 30) {
						calls = 5
					}
					session := &cli.Session{Client: client, Stdout: io.Discard, Stderr: io.Discard}
					assert.NoError(t, (&tour.Tour{Calls: &calls}).Run(context.WithoutCancel(ctx), session))
				}
			})
		}
		work.Wait()
		require.NoError(t, client.Close())
	})
	return h
}

// during reports whether it is between two minutes of the hour.
func during(h *hour, from, to int) bool {
	minute := time.Since(h.start).Minutes()
	return minute > float64(from) && minute < float64(to)
}

// disturb uses the limit of users.info, as a program does that does not wait for it.
func disturb(t *testing.T, server *rocketchattest.Server) {
	t.Helper()
	id, token := server.Login("neighbour")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+"/api/v1/users.info?username=neighbour", nil)
	require.NoError(t, err)
	req.Header = http.Header{"X-User-Id": {id}, "X-Auth-Token": {token}}
	res, err := server.RoundTrip(req)
	require.NoError(t, err)
	_ = res.Body.Close()
}

// ticks yields in intervals until ctx ends.
func ticks(ctx context.Context, interval time.Duration) func(yield func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				if !yield(now) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
