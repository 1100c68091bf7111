package otelrocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/otelrocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// setup is a client whose calls are reported to memory.
type setup struct {
	*rocketchat.Client
	server   *rocketchattest.Server
	exporter *tracetest.InMemoryExporter
	tracers  *trace.TracerProvider
	reader   *metric.ManualReader
	sent     *[]http.Header
}

// transport keeps the headers of requests.
type transport struct {
	http.RoundTripper
	sent *[]http.Header
}

func (tr transport) RoundTrip(req *http.Request) (*http.Response, error) {
	*tr.sent = append(*tr.sent, req.Header.Clone())
	return tr.RoundTripper.RoundTrip(req)
}

func newSetup(t *testing.T, serverOpts []rocketchattest.Option, traceOpts []otelrocketchat.Option, opts ...rocketchat.Option) setup {
	t.Helper()
	s := setup{server: rocketchattest.New(serverOpts...), exporter: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader(), sent: new([]http.Header)}
	_, err := s.server.AddUser(rocketchattest.User{ID: "ann-id", Username: "ann.lee", Name: "Ann Lee", Password: "Ann-Passw0rd-1", Email: "ann@example.org"})
	require.NoError(t, err)
	s.tracers = trace.NewTracerProvider(trace.WithSyncer(s.exporter))
	traceOpts = append(traceOpts,
		otelrocketchat.WithTracerProvider(s.tracers),
		otelrocketchat.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(s.reader))))
	userID, token := s.server.Login("ann.lee")
	s.Client, err = rocketchat.New(s.server.URL(), append([]rocketchat.Option{
		rocketchat.WithTransport(transport{s.server, s.sent}),
		rocketchat.WithToken(userID, token),
		rocketchat.WithTrace(otelrocketchat.Trace(traceOpts...)),
	}, opts...)...)
	require.NoError(t, err)
	return s
}

// attributes are those of a span or a point, by name.
func attributes(list []attribute.KeyValue) map[string]any {
	m := make(map[string]any, len(list))
	for _, a := range list {
		m[string(a.Key)] = a.Value.AsInterface()
	}
	return m
}

// metrics are what was measured, by name of the instrument.
func (s setup) metrics(t *testing.T) map[string]metricdata.Aggregation {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, s.reader.Collect(t.Context(), &all))
	require.Len(t, all.ScopeMetrics, 1)
	assert.Equal(t, otelrocketchat.ScopeName, all.ScopeMetrics[0].Scope.Name)
	m := make(map[string]metricdata.Aggregation)
	for _, instrument := range all.ScopeMetrics[0].Metrics {
		m[instrument.Name] = instrument.Data
	}
	return m
}

func sum(t *testing.T, data metricdata.Aggregation) (total int64, labels []map[string]any) {
	t.Helper()
	counter, ok := data.(metricdata.Sum[int64])
	require.True(t, ok, "%T", data)
	for _, point := range counter.DataPoints {
		total += point.Value
		labels = append(labels, attributes(point.Attributes.ToSlice()))
	}
	return total, labels
}

func histogram(t *testing.T, data metricdata.Aggregation) (point metricdata.HistogramDataPoint[float64]) {
	t.Helper()
	points := histograms(t, data, "")
	require.Len(t, points, 1)
	return points[nil]
}

// histograms are the points of a histogram by the value of a label.
func histograms(t *testing.T, data metricdata.Aggregation, label string) map[any]metricdata.HistogramDataPoint[float64] {
	t.Helper()
	h, ok := data.(metricdata.Histogram[float64])
	require.True(t, ok, "%T", data)
	points := make(map[any]metricdata.HistogramDataPoint[float64])
	for _, point := range h.DataPoints {
		points[attributes(point.Attributes.ToSlice())[label]] = point
	}
	require.Len(t, points, len(h.DataPoints), "points that differ in other labels")
	return points
}

// TestCall checks the spans and metrics of a call that succeeds at once.
func TestCall(t *testing.T) {
	t.Parallel()
	s := newSetup(t, nil, nil)
	_, err := s.Users.Get(t.Context(), rocketchat.ByUsername("ann.lee"))
	require.NoError(t, err)

	spans := s.exporter.GetSpans()
	require.Len(t, spans, 2)
	attempt, call := spans[0], spans[1]
	assert.Equal(t, "users.info", call.Name)
	assert.Equal(t, oteltrace.SpanKindClient, call.SpanKind)
	assert.False(t, call.Parent.IsValid())
	assert.Equal(t, codes.Unset, call.Status.Code)
	assert.Empty(t, call.Events)
	assert.Equal(t, map[string]any{
		"rocketchat.op": "users.info", "server.address": "rocketchat.test", "server.port": int64(443), "rocketchat.attempts": int64(1),
	}, attributes(call.Attributes))
	assert.Equal(t, "GET /api/v1/users.info", attempt.Name)
	assert.Equal(t, oteltrace.SpanKindClient, attempt.SpanKind)
	assert.Equal(t, call.SpanContext.SpanID(), attempt.Parent.SpanID())
	assert.Equal(t, codes.Unset, attempt.Status.Code)
	assert.Equal(t, map[string]any{
		"rocketchat.op": "users.info", "server.address": "rocketchat.test", "server.port": int64(443),
		"http.request.method": "GET", "url.template": "/api/v1/users.info", "http.response.status_code": int64(200),
	}, attributes(attempt.Attributes))

	labels := map[string]any{"rocketchat.op": "users.info", "server.address": "rocketchat.test", "server.port": int64(443)}
	m := s.metrics(t)
	attempts, of := sum(t, m["rocketchat.client.attempts"])
	assert.EqualValues(t, 1, attempts)
	assert.Equal(t, []map[string]any{labels}, of)
	refused, of := sum(t, m["rocketchat.client.refused"])
	assert.Zero(t, refused)
	assert.Equal(t, []map[string]any{labels}, of)
	took := histogram(t, m["rocketchat.client.call.duration"])
	assert.EqualValues(t, 1, took.Count)
	assert.Equal(t, labels, attributes(took.Attributes.ToSlice()))
	assert.InDelta(t, call.EndTime.Sub(call.StartTime).Seconds(), took.Sum, 1e-9)
	assert.NotContains(t, m, "rocketchat.client.wait.duration", "the call did not wait")
	request := histogram(t, m["http.client.request.duration"])
	assert.EqualValues(t, 1, request.Count)
	assert.LessOrEqual(t, request.Sum, took.Sum)
	assert.Equal(t, attributes(attempt.Attributes), attributes(request.Attributes.ToSlice()), "those of the span")
}

// TestRetry checks a call with a failed attempt, a refused one and their pauses.
func TestRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSetup(t, nil, nil, rocketchat.WithRetry(rocketchat.RetryPolicy{MaxAttempts: 2, BaseDelay: 3 * time.Second, MaxDelay: 3 * time.Second}))
		s.server.AnswerNext("me", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		s.server.AnswerNext("me", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "20")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		_, err := s.Me.Get(t.Context())
		require.NoError(t, err)

		spans := s.exporter.GetSpans()
		require.Len(t, spans, 4)
		for i, status := range []int64{502, 429, 200} {
			got := attributes(spans[i].Attributes)
			assert.Equal(t, status, got["http.response.status_code"])
			if i == 0 {
				assert.NotContains(t, got, "http.request.resend_count")
			} else {
				assert.EqualValues(t, i, got["http.request.resend_count"])
			}
			assert.Equal(t, spans[3].SpanContext.SpanID(), spans[i].Parent.SpanID())
		}
		assert.Equal(t, codes.Error, spans[1].Status.Code)
		assert.Equal(t, "429", attributes(spans[1].Attributes)["error.type"])

		call := spans[3]
		assert.Equal(t, codes.Unset, call.Status.Code, "it succeeded in the end")
		got := attributes(call.Attributes)
		assert.EqualValues(t, 3, got["rocketchat.attempts"])
		assert.EqualValues(t, 1, got["rocketchat.refused"])
		assert.InDelta(t, 23, got["rocketchat.wait.duration"], 1)
		var reasons []any
		for _, event := range call.Events {
			assert.Equal(t, "rocketchat.wait", event.Name)
			of := attributes(event.Attributes)
			reasons = append(reasons, of["rocketchat.wait.reason"])
			assert.Greater(t, of["rocketchat.wait.expected"], 2.5)
		}
		assert.Equal(t, []any{"backoff", "route limit"}, reasons)

		m := s.metrics(t)
		attempts, _ := sum(t, m["rocketchat.client.attempts"])
		assert.EqualValues(t, 3, attempts)
		refused, _ := sum(t, m["rocketchat.client.refused"])
		assert.EqualValues(t, 1, refused)
		waits := histograms(t, m["rocketchat.client.wait.duration"], "rocketchat.wait.reason")
		require.Len(t, waits, 2)
		assert.EqualValues(t, 1, waits["backoff"].Count)
		assert.InDelta(t, 3, waits["backoff"].Sum, 1e-9)
		assert.InDelta(t, 20, waits["route limit"].Sum, 1)
		assert.InDelta(t, got["rocketchat.wait.duration"], waits["backoff"].Sum+waits["route limit"].Sum, 1e-9)
		assert.GreaterOrEqual(t, histogram(t, m["rocketchat.client.call.duration"]).Sum, waits["backoff"].Sum+waits["route limit"].Sum)
		requests := histograms(t, m["http.client.request.duration"], "error.type")
		require.Len(t, requests, 3)
		for _, of := range []any{nil, "502", "429"} {
			assert.EqualValues(t, 1, requests[of].Count, of)
		}
	})
}

// TestFailures checks what the spans and metrics of failed calls say.
func TestFailures(t *testing.T) {
	t.Parallel()
	lost := func(_ http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	for name, tc := range map[string]struct {
		op      string // that gets answer
		answer  http.HandlerFunc
		call    func(context.Context, setup) error
		class   rocketchat.Class
		code    any
		unknown bool
		attempt any // its error.type; nil if nothing was sent
	}{
		"not found": {"", nil, func(ctx context.Context, s setup) error {
			_, err := s.Users.Get(ctx, rocketchat.ByUsername("nobody"))
			return err
		}, rocketchat.ErrNotFound, nil, false, "400"},
		"code": {"users.info", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"success":false,"error":"ann.lee is gone","errorType":"error-invalid-user"}`))
		}, func(ctx context.Context, s setup) error {
			_, err := s.Users.Get(ctx, rocketchat.ByUsername("ann.lee"))
			return err
		}, rocketchat.ErrNotFound, "error-invalid-user", false, "400"},
		"nothing sent": {"", nil, func(ctx context.Context, s setup) error {
			_, err := s.Users.Get(ctx, rocketchat.ByUsername(""))
			return err
		}, rocketchat.ErrInvalid, nil, false, nil},
		"lost": {"users.info", lost, func(ctx context.Context, s setup) error {
			_, err := s.Users.Get(ctx, rocketchat.ByUsername("ann.lee"))
			return err
		}, rocketchat.ErrUnreachable, nil, false, "unreachable"},
		"canceled": {"", nil, func(ctx context.Context, s setup) error {
			ctx, cancel := context.WithCancelCause(ctx)
			s.server.AnswerNext("users.info", func(http.ResponseWriter, *http.Request) {
				cancel(errors.New("ann.lee went home"))
				panic(http.ErrAbortHandler)
			})
			_, err := s.Users.Get(ctx, rocketchat.ByUsername("ann.lee"))
			return err
		}, rocketchat.ErrUnreachable, nil, false, "canceled"},
		"unknown": {"users.updateOwnBasicInfo", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, func(ctx context.Context, s setup) error {
			_, err := s.Me.Update(ctx, rocketchat.MeUpdateOptions{Name: new("Ann Ray")})
			return err
		}, rocketchat.ErrServer, nil, true, "502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, nil, nil, rocketchat.WithRetry(rocketchat.RetryPolicy{MaxAttempts: 1}))
			if tc.answer != nil {
				s.server.AnswerNext(tc.op, tc.answer)
			}
			err := tc.call(t.Context(), s)
			require.ErrorIs(t, err, tc.class)

			spans := s.exporter.GetSpans()
			call := spans[len(spans)-1]
			got := attributes(call.Attributes)
			assert.Equal(t, codes.Error, call.Status.Code)
			kind := string(tc.class)
			if name == "canceled" {
				kind = "canceled"
			}
			assert.Equal(t, kind, got["error.type"])
			assert.Equal(t, tc.code, got["rocketchat.code"])
			assert.Equal(t, tc.unknown, got["rocketchat.outcome_unknown"] == true)
			if tc.attempt == nil {
				assert.Len(t, spans, 1)
			} else {
				require.Len(t, spans, 2)
				assert.Equal(t, codes.Error, spans[0].Status.Code)
				assert.Equal(t, tc.attempt, attributes(spans[0].Attributes)["error.type"])
			}
			_, of := sum(t, s.metrics(t)["rocketchat.client.attempts"])
			require.Len(t, of, 1)
			assert.Equal(t, kind, of[0]["error.type"])
			s.namesNobody(t)
		})
	}
}

// namesNobody checks that spans hold nothing about users.
func (s setup) namesNobody(t *testing.T) {
	t.Helper()
	for _, span := range s.exporter.GetSpans() {
		text := strings.ToLower(fmt.Sprintf("%s %v %v %v", span.Name, span.Attributes, span.Events, span.Status))
		for _, private := range []string{"ann", "nobody", "passw0rd", "?"} {
			assert.NotContains(t, text, private)
		}
	}
}

// TestAvatarPath checks that the path of a picture, which holds a username, is a template.
func TestAvatarPath(t *testing.T) {
	t.Parallel()
	s := newSetup(t, nil, nil)
	_, _ = s.Avatars.Image(t.Context(), rocketchat.ByUsername("ann.lee"), rocketchat.AvatarImageOptions{})
	spans := s.exporter.GetSpans()
	require.NotEmpty(t, spans)
	assert.Equal(t, "GET /avatar/{username}", spans[0].Name)
	s.namesNobody(t)
}

// TestServer checks how spans name the server.
func TestServer(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]map[string]any{
		"https://chat.example.org":          {"server.address": "chat.example.org", "server.port": int64(443)},
		"https://chat.example.org:8443/sub": {"server.address": "chat.example.org", "server.port": int64(8443)},
		"http://[::1]:3000":                 {"server.address": "::1", "server.port": int64(3000)},
	} {
		exporter := tracetest.NewInMemoryExporter()
		client, err := rocketchat.New(address, rocketchat.WithTransport(rocketchattest.New()), rocketchat.WithRetry(rocketchat.RetryPolicy{MaxAttempts: 1}),
			rocketchat.WithTrace(otelrocketchat.Trace(
				otelrocketchat.WithTracerProvider(trace.NewTracerProvider(trace.WithSyncer(exporter))), otelrocketchat.WithMeterProvider(nil))))
		require.NoError(t, err)
		_, _ = client.Server.Info(t.Context())
		spans := exporter.GetSpans()
		require.Len(t, spans, 2)
		for _, span := range spans {
			assert.Subset(t, attributes(span.Attributes), want, "%s: %s", address, span.Name)
		}
		assert.Equal(t, "GET /api/info", spans[0].Name)
	}
}

// TestTakenIsPrivate checks that a server's text, which names somebody, is left out.
func TestTakenIsPrivate(t *testing.T) {
	t.Parallel()
	s := newSetup(t, nil, nil, rocketchat.WithLogin("admin", rocketchattest.AdminPassword))
	_, err := s.Users.Create(t.Context(), rocketchat.UserCreateOptions{
		Username: "ann.lee", Name: "Ann", Email: "ann2@example.org", Password: rocketchat.NewSecret("Ann-Passw0rd-2"),
	})
	require.ErrorIs(t, err, rocketchat.ErrTaken)
	require.ErrorContains(t, err, "ann.lee")
	spans := s.exporter.GetSpans()
	assert.Equal(t, "already taken [error-field-unavailable]", spans[len(spans)-1].Status.Description)
	s.namesNobody(t)
}

// TestLoginIsAChild checks that the log-in that a call needs is a part of its trace.
func TestLoginIsAChild(t *testing.T) {
	t.Parallel()
	s := newSetup(t, nil, nil, rocketchat.WithLogin("admin", rocketchattest.AdminPassword))
	_, err := s.Me.Get(t.Context())
	require.NoError(t, err)
	parents := make(map[string]string)
	names := make(map[oteltrace.SpanID]string)
	for _, span := range s.exporter.GetSpans() {
		names[span.SpanContext.SpanID()] = span.Name
	}
	for _, span := range s.exporter.GetSpans() {
		parents[span.Name] = names[span.Parent.SpanID()]
	}
	assert.Equal(t, map[string]string{
		"me": "", "GET /api/v1/me": "me", "login": "me", "POST /api/v1/login": "login",
	}, parents)
}

// TestPropagation checks that requests carry the context if that was asked for, each
// attempt its own.
func TestPropagation(t *testing.T) {
	t.Parallel()
	s := newSetup(t, nil, []otelrocketchat.Option{otelrocketchat.WithPropagator(propagation.TraceContext{})},
		rocketchat.WithRetry(rocketchat.RetryPolicy{MaxAttempts: 2, BaseDelay: time.Millisecond, MaxDelay: time.Millisecond}))
	s.server.AnswerNext("me", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	ctx, span := s.tracers.Tracer("program").Start(t.Context(), "job")
	_, err := s.Me.Get(ctx)
	span.End()
	require.NoError(t, err)
	spans := s.exporter.GetSpans()
	require.Len(t, spans, 4) // two attempts, the call, the job
	require.Len(t, *s.sent, 2)
	for i, header := range *s.sent {
		of := spans[i].SpanContext
		assert.Equal(t, span.SpanContext().TraceID(), of.TraceID())
		assert.Equal(t, "00-"+of.TraceID().String()+"-"+of.SpanID().String()+"-01", header.Get("Traceparent"))
	}

	s = newSetup(t, nil, nil)
	_, err = s.Me.Get(t.Context())
	require.NoError(t, err)
	assert.Empty(t, (*s.sent)[0].Values("Traceparent"), "nobody asked for it")
}

// TestTwoTraces checks that traces of one client keep apart, and that a span is ended even
// if another trace keeps its request from being sent.
func TestTwoTraces(t *testing.T) {
	t.Parallel()
	one := newSetup(t, nil, nil)
	other := tracetest.NewInMemoryExporter()
	client, err := one.With(
		rocketchat.WithTrace(otelrocketchat.Trace(otelrocketchat.WithTracerProvider(trace.NewTracerProvider(trace.WithSyncer(other))))),
		rocketchat.WithTrace(rocketchat.Trace{AttemptStart: func(ctx context.Context, info rocketchat.AttemptInfo) context.Context {
			info.Header.Set("X-Bad", "two\nlines")
			return ctx
		}}))
	require.NoError(t, err)
	_, err = client.Me.Get(t.Context())
	require.ErrorIs(t, err, rocketchat.ErrInvalid)
	for _, exporter := range []*tracetest.InMemoryExporter{one.exporter, other} {
		spans := exporter.GetSpans()
		require.Len(t, spans, 2)
		assert.Equal(t, "me", spans[1].Name)
		assert.Equal(t, spans[1].SpanContext.SpanID(), spans[0].Parent.SpanID())
		assert.Equal(t, codes.Error, spans[0].Status.Code, "it was not sent")
		assert.Equal(t, "_OTHER", attributes(spans[0].Attributes)["error.type"])
	}
}

// TestTraceThatDropsTheContext checks that another trace that returns a foreign context
// keeps no call from being made.
func TestTraceThatDropsTheContext(t *testing.T) {
	t.Parallel()
	s := newSetup(t, nil, nil, rocketchat.WithTrace(rocketchat.Trace{CallStart: func(context.Context, rocketchat.CallInfo) context.Context {
		return context.Background() //nolint:usetesting // one that is not derived from the call's
	}}))
	s.server.AnswerNext("me", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	_, err := s.Me.Get(t.Context())
	require.NoError(t, err)
	assert.Empty(t, s.exporter.GetSpans())
}

// open is a [trace.SpanProcessor] that counts the spans that are not ended.
type open struct {
	trace.SpanProcessor
	spans atomic.Int64
}

func (o *open) OnStart(context.Context, trace.ReadWriteSpan) { o.spans.Add(1) }
func (o *open) OnEnd(trace.ReadOnlySpan)                     { o.spans.Add(-1) }

// TestEverySpanEnds checks that no span is left open, however a call ends, and that the
// spans of calls say how.
func TestEverySpanEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		call      func(context.Context, setup)
		op        string
		errorType any // nil: the call succeeded
	}{
		"canceled in a pause": {func(ctx context.Context, s setup) {
			for range 10 {
				_, _ = s.Users.Get(ctx, rocketchat.ByUsername("ann.lee"))
			}
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			_, err := s.Users.Get(ctx, rocketchat.ByUsername("ann.lee"))
			require.ErrorIs(t, err, context.Canceled)
		}, "users.info", "canceled"},
		"too long a pause": {func(ctx context.Context, s setup) {
			for range 10 {
				_, _ = s.Users.Get(ctx, rocketchat.ByUsername("ann.lee"))
			}
			_, err := s.Users.Get(ctx, rocketchat.ByUsername("ann.lee"), rocketchat.WithMaxWait(time.Second))
			require.ErrorIs(t, err, rocketchat.ErrRateLimited)
		}, "users.info", "rate limited"},
		"canceled before": {func(ctx context.Context, s setup) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, err := s.Me.Get(ctx)
			require.ErrorIs(t, err, context.Canceled)
		}, "me", "canceled"},
		"deadline": {func(ctx context.Context, s setup) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			client, err := s.With(rocketchat.WithTransport(rocketchattest.New(rocketchattest.WithLatency(time.Minute))))
			require.NoError(t, err)
			_, err = client.Server.Info(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}, "info", "timeout"},
		"panic of a second factor": {func(ctx context.Context, s setup) {
			assert.Panics(t, func() { _, _ = s.Tokens.Generate(ctx, "ci", rocketchat.TokenGenerateOptions{}) })
		}, "users.generatePersonalAccessToken", "_OTHER"},
		"panic of a transport": {func(ctx context.Context, s setup) {
			client, err := s.With(rocketchat.WithTransport(panics{}))
			require.NoError(t, err)
			assert.Panics(t, func() { _, _ = client.Me.Get(ctx) })
		}, "me", "_OTHER"},
		"panic in a loop": {func(ctx context.Context, s setup) {
			assert.Panics(t, func() {
				for range s.Users.All(ctx, rocketchat.UserListOptions{}) {
					panic("the program has a bug")
				}
			})
		}, "users.list", "_OTHER"},
		"end of a goroutine in a loop": {func(ctx context.Context, s setup) {
			var group sync.WaitGroup
			group.Go(func() {
				for range s.Users.All(ctx, rocketchat.UserListOptions{}) {
					runtime.Goexit()
				}
			})
			group.Wait()
		}, "users.list", "_OTHER"},
		"loop left early": {func(ctx context.Context, s setup) {
			for _, err := range s.Users.All(ctx, rocketchat.UserListOptions{}) {
				require.NoError(t, err)
				break
			}
		}, "users.list", nil},
		"gave up in a loop": {func(ctx context.Context, s setup) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			for _, err := range s.Users.All(ctx, rocketchat.UserListOptions{}) {
				cancel()
				if err != nil {
					return
				}
			}
		}, "users.list", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSetup(t, []rocketchattest.Option{rocketchattest.WithSecondFactor()}, nil,
					rocketchat.WithTwoFactor(func(context.Context, rocketchat.TwoFactorChallenge) (rocketchat.Secret, error) {
						panic("there is no second factor")
					}))
				notEnded := new(open)
				s.tracers.RegisterSpanProcessor(notEnded)
				tc.call(t.Context(), s)
				assert.Zero(t, notEnded.spans.Load())
				spans := s.exporter.GetSpans()
				require.NotEmpty(t, spans)
				last := spans[len(spans)-1]
				assert.Equal(t, tc.op, last.Name)
				assert.Equal(t, tc.errorType, attributes(last.Attributes)["error.type"])
			})
		})
	}
}

// panics is a transport with a bug.
type panics struct{}

func (panics) RoundTrip(*http.Request) (*http.Response, error) { panic("the transport has a bug") }

// TestCodes checks that spans have the server's codes, and nothing else that stands in
// their place.
func TestCodes(t *testing.T) {
	t.Parallel()
	for _, code := range []rocketchat.Code{
		rocketchat.CodeTOTPInvalid, rocketchat.CodeInvalidRoleID, rocketchat.CodeUserLastOwner, rocketchat.CodeTooManyRequestsLegacy,
		rocketchat.CodeTwoFactorEnabled, rocketchat.CodeForbiddenLegacy, rocketchat.CodeNotAuthorizedLegacy, rocketchat.CodeNotAuthorizedSnake,
		rocketchat.CodeCustomStatusNameTaken, rocketchat.CodeEditFederatedUser, rocketchat.CodeInvalidIdleTimeLimit, rocketchat.CodeFieldUnavailable,
		"ann.lee", "ann@example.org", "error-for-ann.lee", "Ann_Lee", "annlee", "ann-lee",
	} {
		s := newSetup(t, nil, nil)
		s.server.AnswerNext("me", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"success":false,"error":"It failed","errorType":%q}`, code)
		})
		_, err := s.Me.Get(t.Context())
		failure, ok := errors.AsType[*rocketchat.Error](err)
		require.True(t, ok)
		require.Equal(t, code, failure.Code)
		spans := s.exporter.GetSpans()
		call := spans[len(spans)-1]
		if strings.Contains(strings.ToLower(string(code)), "ann") {
			assert.NotContains(t, attributes(call.Attributes), "rocketchat.code")
		} else {
			assert.Equal(t, string(code), attributes(call.Attributes)["rocketchat.code"])
		}
		s.namesNobody(t)
	}
}

// TestCardinality checks that the number of time series does not grow with users,
// arguments, answers or sizes.
func TestCardinality(t *testing.T) {
	t.Parallel()
	s := newSetup(t, []rocketchattest.Option{rocketchattest.WithLimit(0, 0)}, nil)
	series := func() (n int) {
		for _, data := range s.metrics(t) {
			switch data := data.(type) {
			case metricdata.Sum[int64]:
				n += len(data.DataPoints)
			case metricdata.Histogram[float64]:
				n += len(data.DataPoints)
			}
		}
		return n
	}
	calls := func(name string) {
		_, _ = s.Users.Get(t.Context(), rocketchat.ByUsername(name))
		_, _ = s.Users.Get(t.Context(), rocketchat.ByID(name))
		_, _ = s.Avatars.Image(t.Context(), rocketchat.ByUsername(name), rocketchat.AvatarImageOptions{Size: len(name)})
		s.server.AnswerNext("me", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"success":false,"error":%q,"errorType":%q}`, name, name)
		})
		_, _ = s.Me.Get(t.Context())
	}
	calls("nobody")
	before := series()
	for i := range 50 {
		calls(fmt.Sprintf("nobody%d", i))
	}
	assert.Equal(t, before, series())
	assert.Positive(t, before)
}
