// Command observability goes through the steps of the example quickstart, and shows what an
// operator sees of it: a trace, and metrics that Prometheus can fetch.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/examples/internal/tour"
	"github.com/rocketchat-go/rocketchat/otelrocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func main() {
	cli.Main(cli.Tool{
		Name: "observability",
		Summary: `Goes through the steps of quickstart, and shows what an operator sees of it: the trace of the tour as a tree, and metrics that Prometheus can fetch.

The dashboard for Grafana in dashboard.json shows these metrics; docs/observability.md explains it.`,
		Permissions: tour.Permissions,
		Examples:    []string{"", "--once --json", "--for 5m --listen :9464"},
		Changes:     true,
		Results:     true,
		Demo:        demo(),
		Options:     []rocketchat.Option{rocketchat.WithTrace(otelrocketchat.Trace())},
		Command:     new(observability),
	})
}

// demo is the embedded server of the tour, whose answers take as long as those of a server nearby.
func demo() cli.Demo {
	d := tour.Demo()
	d.Options = append(d.Options, rocketchattest.WithLatency(20*time.Millisecond))
	return d
}

type observability struct {
	Listen string        `default:"127.0.0.1:9464" placeholder:"ADDRESS" help:"Address to serve the metrics at. Default: ${default}."`
	Once   bool          `help:"End after the tour. By default the metrics are served until Ctrl-C."`
	For    time.Duration `placeholder:"TIME" help:"Repeat the tour for so long, then end."`
	Calls  *int          `placeholder:"NUMBER" help:"Number of calls to make for the rate limit; 0 leaves that step out. By default 25 on the embedded server, 0 on any other."`
}

const patience = 5 * time.Second

// Run implements [cli.Command].
func (o *observability) Run(ctx context.Context, s *cli.Session) (err error) {
	switch {
	case o.Calls != nil && *o.Calls < 0:
		return cli.Usage("--calls must not be negative")
	case o.For < 0:
		return cli.Usage("--for must not be negative")
	case o.For > 0 && o.Once:
		return cli.Usage("choose one of --for and --once")
	}
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	if err != nil {
		return err
	}
	spans := new(collector)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { s.Note("OpenTelemetry: %v", err) }))
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSyncer(spans)))

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("metrics cannot be served, see --listen: %w", err)
	}
	routes := http.NewServeMux()
	routes.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: routes, ReadHeaderTimeout: patience}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	defer func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		err = errors.Join(err, server.Shutdown(grace))
	}()
	address := "http://" + listener.Addr().String() + "/metrics"
	s.Note("metrics at %s", address)

	err = o.tours(ctx, s, spans)
	if err = errors.Join(err, s.Client.Close(), o.show(s, spans.all())); err != nil || o.Once || o.For > 0 {
		return err
	}
	s.Note("metrics at %s until Ctrl-C", address)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// tours goes through the tour. What it prints is no part of the result, and is printed once.
func (o *observability) tours(ctx context.Context, s *cli.Session, spans *collector) error {
	result, until := s.Stdout, time.Now().Add(o.For)
	defer func() { s.Stdout = result }()
	s.Stdout = s.Stderr
	for number := 1; ; number++ {
		start := time.Now()
		spans.forget()
		if err := o.tour(ctx, s); err != nil {
			return err
		}
		if o.For > 0 {
			s.Note("tour %d ended after %s", number, time.Since(start).Round(100*time.Millisecond))
		}
		if !time.Now().Before(until) {
			return nil
		}
		s.Stdout = io.Discard
	}
}

// tour goes through the tour as one trace.
func (o *observability) tour(ctx context.Context, s *cli.Session) error {
	ctx, span := otel.Tracer("observability").Start(ctx, "tour")
	defer span.End()
	return (&tour.Tour{Calls: o.Calls}).Run(ctx, s)
}

// show prints the spans of the last tour, and of the log-out at the end.
func (o *observability) show(s *cli.Session, spans []trace.ReadOnlySpan) error {
	if s.JSON {
		return s.WriteJSON(described(spans))
	}
	for _, line := range tree(spans) {
		s.Print("%s", line)
	}
	return nil
}
