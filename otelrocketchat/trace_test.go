package otelrocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
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
	h, ok := data.(metricdata.Histogram[float64])
	require.True(t, ok, "%T", data)
	require.Len(t, h.DataPoints, 1)
	return h.DataPoints[0]
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
		waited := histogram(t, m["rocketchat.client.wait.duration"])
		assert.EqualValues(t, 1, waited.Count)
		assert.InDelta(t, 23, waited.Sum, 1)
		assert.GreaterOrEqual(t, histogram(t, m["rocketchat.client.call.duration"]).Sum, waited.Sum)
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
			assert.Equal(t, string(tc.class), got["error.type"])
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
			assert.Equal(t, string(tc.class), of[0]["error.type"])
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
	}
}
