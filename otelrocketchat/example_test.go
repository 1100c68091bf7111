package otelrocketchat_test

import (
	"context"
	"fmt"
	"log"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/otelrocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// A program sets up its exporters as for everything else, here one that keeps spans in
// memory. With the global providers, Trace needs no options.
func ExampleTrace() {
	exporter := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(exporter))

	server := rocketchattest.New()
	userID, token := server.Login("admin")
	client, err := rocketchat.New(server.URL(),
		rocketchat.WithTransport(server), // in place of the network
		rocketchat.WithToken(userID, token),
		rocketchat.WithTrace(otelrocketchat.Trace(otelrocketchat.WithTracerProvider(provider))))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Users.Get(context.Background(), rocketchat.ByUsername("nobody")); err != nil {
		fmt.Println("failed, as it should")
	}
	for _, span := range exporter.GetSpans() {
		fmt.Printf("%s: %s\n", span.Name, span.Status.Code)
	}
	// Output:
	// failed, as it should
	// GET /api/v1/users.info: Error
	// users.info: Error
}
