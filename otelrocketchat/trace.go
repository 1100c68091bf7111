package otelrocketchat

import (
	"context"
	"errors"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
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

// The values of error.type for what the caller's context ended.
const (
	canceled = "canceled"
	timeout  = "timeout"
)

// Trace returns a trace that reports calls to OpenTelemetry, to be given to
// [rocketchat.WithTrace]. Without options it uses the global providers, which may also be
// set later, and adds no headers to requests. Several clients can share it, but each must
// get it once: clients that are derived with [rocketchat.Client.With] have it already.
func Trace(opts ...Option) rocketchat.Trace {
	var cfg config
	for _, opt := range opts {
		opt(&cfg)
	}
	if cfg.tracers == nil {
		cfg.tracers = otel.GetTracerProvider()
	}
	if cfg.meters == nil {
		cfg.meters = otel.GetMeterProvider()
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
	attempt trace.Span // nil between attempts

	mu        sync.Mutex // because pauses can be announced on another goroutine
	announced []rocketchat.WaitReason
}

// waits returns the reasons for which the call paused. Others in [rocketchat.CallResult]
// are the time that the gate took to let the call pass at once.
func (c *running) waits() []rocketchat.WaitReason {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.announced
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

// call returns the call that ctx belongs to. There is none if the CallStart of another
// trace did not return a context derived from the one it got.
func (r *reporter) call(ctx context.Context) (*running, bool) {
	c, ok := ctx.Value(r).(*running)
	return c, ok
}

func (r *reporter) attemptStart(ctx context.Context, attempt rocketchat.AttemptInfo) context.Context {
	c, ok := r.call(ctx)
	if !ok {
		return ctx
	}
	attributes := c.request()
	if attempt.Number > 1 {
		attributes = append(attributes, semconv.HTTPRequestResendCount(attempt.Number-1))
	}
	// The parent is the span of the call, even if another trace put a span of its own into ctx.
	ctx, c.attempt = r.tracer.Start(trace.ContextWithSpan(ctx, c.span), c.info.Method+" "+c.info.Path,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attributes...))
	if r.propagator != nil {
		r.propagator.Inject(ctx, propagation.HeaderCarrier(attempt.Header))
	}
	return ctx
}

// request describes a request by the semantic conventions.
func (c *running) request() []attribute.KeyValue {
	return append([]attribute.KeyValue{
		keyOp.String(c.info.Op),
		semconv.HTTPRequestMethodKey.String(c.info.Method),
		semconv.URLTemplate(c.info.Path),
	}, c.server...)
}

func (r *reporter) attemptDone(ctx context.Context, attempt rocketchat.Attempt) {
	c, ok := r.call(ctx)
	if !ok {
		return
	}
	span := c.attempt
	c.attempt = nil
	var attributes []attribute.KeyValue
	if attempt.StatusCode != 0 {
		attributes = append(attributes, semconv.HTTPResponseStatusCode(attempt.StatusCode))
	}
	switch {
	case attempt.Err != nil:
		kind, text := describe(ctx, attempt.Err)
		attributes = append(attributes, semconv.ErrorTypeKey.String(kind))
		span.SetStatus(codes.Error, text)
	case attempt.StatusCode >= http.StatusBadRequest:
		attributes = append(attributes, semconv.ErrorTypeKey.String(strconv.Itoa(attempt.StatusCode)))
		span.SetStatus(codes.Error, "")
	}
	span.SetAttributes(attributes...)
	span.End()
	r.meters.requests.Record(ctx, attempt.Took.Seconds(), metric.WithAttributes(append(attributes, c.request()...)...))
}

// describe returns the type of the error of an attempt, and its text unless that may hold
// what the caller gave as the cause of the context's end.
func describe(ctx context.Context, err error) (kind, text string) {
	network, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return canceled, ""
	case ctx.Err() != nil:
		return timeout, ""
	case ok && network.Timeout():
		return timeout, err.Error()
	}
	return string(rocketchat.ErrUnreachable), err.Error()
}

func (r *reporter) waiting(ctx context.Context, wait rocketchat.WaitInfo) {
	c, ok := r.call(ctx)
	if !ok {
		return
	}
	c.mu.Lock()
	if !slices.Contains(c.announced, wait.Reason) {
		c.announced = append(c.announced, wait.Reason)
	}
	c.mu.Unlock()
	c.span.AddEvent("rocketchat.wait", trace.WithAttributes(
		keyWaitReason.String(string(wait.Reason)),
		keyWaitExpected.Float64(wait.Wait.Seconds())))
}

func (r *reporter) callDone(ctx context.Context, result rocketchat.CallResult) {
	c, ok := r.call(ctx)
	if !ok {
		return
	}
	end := time.Now()
	if c.attempt != nil { // a panic ended it, or another trace's headers kept it from being sent
		c.attempt.SetAttributes(semconv.ErrorTypeOther)
		c.attempt.SetStatus(codes.Error, "")
		c.attempt.End(trace.WithTimestamp(end))
	}
	r.meters.record(ctx, c, result, end.Sub(c.start))
	c.span.SetAttributes(keyAttempts.Int(result.Attempts))
	if result.Refusals > 0 {
		c.span.SetAttributes(keyRefused.Int(result.Refusals))
	}
	if len(c.waits()) > 0 {
		c.span.SetAttributes(keyWaited.Float64(result.Paused.Seconds()))
	}
	if result.Err != nil {
		// The text of the error can name users, so it is left out.
		kind := errorType(ctx, result)
		c.span.SetAttributes(kind)
		text := kind.Value.AsString()
		if wellKnown(result.Code) {
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

// wellKnown reports whether a code has the form that all codes of the server have. Where an
// app or a proxy writes something else in its place, that may name somebody.
func wellKnown(code rocketchat.Code) bool { return formOfCodes.MatchString(string(code)) }

var formOfCodes = regexp.MustCompile(`^((error|invalid|not|too|totp|user)-[A-Za-z0-9-]{1,64}|unauthorized|forbidden|not_authorized|[A-Z][a-z]+(_[A-Z][a-z]+){2,9})$`)

// errorType returns the class of a failed call as an attribute. A call that its caller gave
// up is no sign of an unreachable server.
func errorType(ctx context.Context, result rocketchat.CallResult) attribute.KeyValue {
	kind := string(result.Class)
	switch {
	case result.Class == "":
		return semconv.ErrorTypeOther
	case result.Class == rocketchat.ErrUnreachable && errors.Is(ctx.Err(), context.Canceled):
		kind = canceled
	case result.Class == rocketchat.ErrUnreachable && ctx.Err() != nil:
		kind = timeout
	}
	return semconv.ErrorTypeKey.String(kind)
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
