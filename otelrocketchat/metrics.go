package otelrocketchat

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/rocketchat-go/rocketchat"
)

// meters are the instruments of all calls.
type meters struct {
	duration metric.Float64Histogram
	attempts metric.Int64Counter
	wait     metric.Float64Histogram
	refused  metric.Int64Counter
	requests metric.Float64Histogram
}

// newMeters makes the instruments. An error, which a provider may give for an instrument
// that clashes with one of the program's own, goes to OpenTelemetry's error handler: it
// must not keep a client from working.
func newMeters(meter metric.Meter) (m meters) {
	var errs [5]error
	m.duration, errs[0] = meter.Float64Histogram("rocketchat.client.call.duration",
		metric.WithUnit("s"), metric.WithDescription("Duration of calls, with all attempts and pauses."),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300))
	m.attempts, errs[1] = meter.Int64Counter("rocketchat.client.attempts",
		metric.WithUnit("{attempt}"), metric.WithDescription("Requests that were sent."))
	m.wait, errs[2] = meter.Float64Histogram("rocketchat.client.wait.duration",
		metric.WithUnit("s"), metric.WithDescription("Pauses of the calls that had to wait, by reason."),
		metric.WithExplicitBucketBoundaries(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600))
	m.refused, errs[3] = meter.Int64Counter("rocketchat.client.refused",
		metric.WithUnit("{attempt}"), metric.WithDescription("Requests that the server's rate limit refused."))
	m.requests, errs[4] = meter.Float64Histogram("http.client.request.duration",
		metric.WithUnit("s"), metric.WithDescription("Duration of HTTP client requests."),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10))
	for _, err := range errs {
		if err != nil {
			otel.Handle(err)
		}
	}
	return m
}

// record counts a call that took so long.
func (m *meters) record(ctx context.Context, c *running, result rocketchat.CallResult, took time.Duration) {
	attributes := append([]attribute.KeyValue{keyOp.String(result.Op)}, c.server...)
	if result.Err != nil {
		attributes = append(attributes, errorType(ctx, result))
	}
	labels := metric.WithAttributeSet(attribute.NewSet(attributes...))
	m.duration.Record(ctx, took.Seconds(), labels)
	m.attempts.Add(ctx, int64(result.Attempts), labels)
	m.refused.Add(ctx, int64(result.Refusals), labels) // also 0, so that the first refusal is an increase
	for _, reason := range c.waits() {
		m.wait.Record(ctx, result.Pauses[reason].Seconds(), labels, metric.WithAttributes(keyWaitReason.String(string(reason))))
	}
}
