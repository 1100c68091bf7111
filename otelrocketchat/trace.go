package otelrocketchat

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/rocketchat-go/rocketchat"
)

// ScopeName is the name of the instrumentation scope of all spans and metrics.
const ScopeName = "github.com/rocketchat-go/rocketchat/otelrocketchat"

// The attributes that OpenTelemetry has no name for.
const (
	keyOp             = attribute.Key("rocketchat.op")
	keyCode           = attribute.Key("rocketchat.code")
	keyAttempts       = attribute.Key("rocketchat.attempts")
	keyRefused        = attribute.Key("rocketchat.refused")
	keyOutcomeUnknown = attribute.Key("rocketchat.outcome_unknown")
	keyWaited         = attribute.Key("rocketchat.wait.duration")
	keyWaitReason     = attribute.Key("rocketchat.wait.reason")
	keyWaitExpected   = attribute.Key("rocketchat.wait.expected")
)

// Trace returns a trace that reports calls to OpenTelemetry, to be given to
// [rocketchat.WithTrace]. Without options it uses the global providers, which may also be
// set later, and adds no headers to requests.
func Trace(opts ...Option) rocketchat.Trace {
	cfg := config{tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider()}
	for _, opt := range opts {
		opt(&cfg)
	}
	r := &reporter{
		tracer:     cfg.tracers.Tracer(ScopeName, trace.WithSchemaURL(semconv.SchemaURL)),
		meters:     newMeters(cfg.meters.Meter(ScopeName, metric.WithSchemaURL(semconv.SchemaURL))),
		propagator: cfg.propagator,
	}
	return rocketchat.Trace{
		CallStart:    r.callStart,
		AttemptStart: r.attemptStart,
		AttemptDone:  r.attemptDone,
		Waiting:      r.waiting,
		CallDone:     r.callDone,
	}
}

// reporter reports the calls of all clients that have its trace. It is also the key of
// the running call in a context, so that several traces keep apart.
type reporter struct {
	tracer     trace.Tracer
	meters     meters
	propagator propagation.TextMapPropagator // nil: no headers
}

// running is a call that has begun.
type running struct {
	info    rocketchat.CallInfo
	server  []attribute.KeyValue
	start   time.Time
	span    trace.Span
	attempt trace.Span  // nil between attempts
	waited  atomic.Bool // a pause was announced, maybe on another goroutine
}

func (r *reporter) callStart(ctx context.Context, info rocketchat.CallInfo) context.Context {
	c := &running{info: info, server: serverAttributes(info.Server), start: time.Now()}
	ctx, c.span = r.tracer.Start(ctx, info.Op,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(c.start),
		trace.WithAttributes(keyOp.String(info.Op)),
		trace.WithAttributes(c.server...))
	return context.WithValue(ctx, r, c)
}

// call returns the call that ctx belongs to. There is always one, since CallStart made it.
func (r *reporter) call(ctx context.Context) *running {
	return ctx.Value(r).(*running) // CallStart put it there
}

func (r *reporter) attemptStart(ctx context.Context, attempt rocketchat.AttemptInfo) context.Context {
	c := r.call(ctx)
	attributes := []attribute.KeyValue{
		keyOp.String(attempt.Op),
		semconv.HTTPRequestMethodKey.String(c.info.Method),
		semconv.URLTemplate(c.info.Path),
	}
	if attempt.Number > 1 {
		attributes = append(attributes, semconv.HTTPRequestResendCount(attempt.Number-1))
	}
	// The parent is the span of the call, even if another trace put a span of its own into ctx.
	ctx, c.attempt = r.tracer.Start(trace.ContextWithSpan(ctx, c.span), c.info.Method+" "+c.info.Path,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attributes...),
		trace.WithAttributes(c.server...))
	if r.propagator != nil {
		r.propagator.Inject(ctx, propagation.HeaderCarrier(attempt.Header))
	}
	return ctx
}

func (r *reporter) attemptDone(ctx context.Context, attempt rocketchat.Attempt) {
	c := r.call(ctx)
	span := c.attempt
	c.attempt = nil
	if attempt.StatusCode != 0 {
		span.SetAttributes(semconv.HTTPResponseStatusCode(attempt.StatusCode))
	}
	switch {
	case attempt.Err != nil:
		kind, text := describe(ctx, attempt.Err)
		span.SetAttributes(semconv.ErrorTypeKey.String(kind))
		span.SetStatus(codes.Error, text)
	case attempt.StatusCode >= http.StatusBadRequest:
		span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(attempt.StatusCode)))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// describe returns the type of the error of an attempt, and its text unless that may hold
// what the caller gave as the cause of the context's end.
func describe(ctx context.Context, err error) (kind, text string) {
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return "canceled", ""
	case ctx.Err() != nil:
		return "timeout", ""
	case ok && timeout.Timeout():
		return "timeout", err.Error()
	}
	return string(rocketchat.ErrUnreachable), err.Error()
}

func (r *reporter) waiting(ctx context.Context, wait rocketchat.WaitInfo) {
	c := r.call(ctx)
	c.waited.Store(true)
	c.span.AddEvent("rocketchat.wait", trace.WithAttributes(
		keyWaitReason.String(string(wait.Reason)),
		keyWaitExpected.Float64(wait.Wait.Seconds())))
}

func (r *reporter) callDone(ctx context.Context, result rocketchat.CallResult) {
	c := r.call(ctx)
	end := time.Now()
	if c.attempt != nil { // it was refused before it was sent, because of another trace's headers
		c.attempt.End(trace.WithTimestamp(end))
	}
	r.meters.record(ctx, c, result, end.Sub(c.start))
	c.span.SetAttributes(keyAttempts.Int(result.Attempts))
	if result.Refusals > 0 {
		c.span.SetAttributes(keyRefused.Int(result.Refusals))
	}
	if c.waited.Load() {
		c.span.SetAttributes(keyWaited.Float64(result.Paused.Seconds()))
	}
	if result.Err != nil {
		// The text of the error can name users, so it is left out.
		c.span.SetAttributes(errorType(result))
		text := string(result.Class)
		if result.Code != "" {
			c.span.SetAttributes(keyCode.String(string(result.Code)))
			text += " [" + string(result.Code) + "]"
		}
		if result.OutcomeUnknown {
			c.span.SetAttributes(keyOutcomeUnknown.Bool(true))
		}
		c.span.SetStatus(codes.Error, text)
	}
	c.span.End(trace.WithTimestamp(end))
}

// errorType returns the class of a failed call as an attribute.
func errorType(result rocketchat.CallResult) attribute.KeyValue {
	if result.Class == "" {
		return semconv.ErrorTypeOther
	}
	return semconv.ErrorTypeKey.String(string(result.Class))
}

// serverAttributes splits host and port.
func serverAttributes(server string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return []attribute.KeyValue{semconv.ServerAddress(server)}
	}
	attributes := []attribute.KeyValue{semconv.ServerAddress(host)}
	if n, err := strconv.Atoi(port); err == nil {
		attributes = append(attributes, semconv.ServerPort(n))
	}
	return attributes
}
