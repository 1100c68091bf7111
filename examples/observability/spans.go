package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
)

// collector is a [trace.SpanExporter] that keeps spans in memory. A program of yours has the
// exporter of its tracing system instead.
type collector struct {
	mu    sync.Mutex
	spans []trace.ReadOnlySpan
}

// ExportSpans implements [trace.SpanExporter].
func (c *collector) ExportSpans(_ context.Context, spans []trace.ReadOnlySpan) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = append(c.spans, spans...)
	return nil
}

// forget drops the spans so far.
func (c *collector) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = nil
}

// Shutdown implements [trace.SpanExporter].
func (c *collector) Shutdown(context.Context) error { return nil }

// all returns the spans in the order in which they began.
func (c *collector) all() []trace.ReadOnlySpan {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(c.spans), func(a, b trace.ReadOnlySpan) int {
		return a.StartTime().Compare(b.StartTime())
	})
}

// spanJSON is a span for programs.
type spanJSON struct {
	Name       string         `json:"name"`
	TraceID    string         `json:"traceId"`
	SpanID     string         `json:"spanId"`
	ParentID   string         `json:"parentId,omitempty"`
	Start      time.Time      `json:"start"`
	Seconds    float64        `json:"seconds"`
	Attributes map[string]any `json:"attributes"`
	Events     []eventJSON    `json:"events,omitempty"`
	Failed     bool           `json:"failed"`
	Status     string         `json:"status,omitempty"`
}

type eventJSON struct {
	Name       string         `json:"name"`
	Time       time.Time      `json:"time"`
	Attributes map[string]any `json:"attributes"`
}

func described(spans []trace.ReadOnlySpan) []spanJSON {
	list := make([]spanJSON, len(spans))
	for i, span := range spans {
		of := span.SpanContext()
		list[i] = spanJSON{
			Name: span.Name(), TraceID: of.TraceID().String(), SpanID: of.SpanID().String(),
			Start: span.StartTime(), Seconds: took(span).Seconds(), Attributes: attributes(span.Attributes()),
			Failed: span.Status().Code == codes.Error, Status: span.Status().Description,
		}
		if span.Parent().IsValid() {
			list[i].ParentID = span.Parent().SpanID().String()
		}
		for _, event := range span.Events() {
			list[i].Events = append(list[i].Events, eventJSON{event.Name, event.Time, attributes(event.Attributes)})
		}
	}
	return list
}

func attributes(list []attribute.KeyValue) map[string]any {
	m := make(map[string]any, len(list))
	for _, a := range list {
		m[string(a.Key)] = a.Value.AsInterface()
	}
	return m
}

func took(span trace.ReadOnlySpan) time.Duration { return span.EndTime().Sub(span.StartTime()) }
