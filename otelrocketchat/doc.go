// Package otelrocketchat reports the calls of a [rocketchat.Client] to OpenTelemetry, as
// traces and as metrics:
//
//	client, err := rocketchat.FromEnv(rocketchat.WithTrace(otelrocketchat.Trace()))
//
// # Spans
//
// A call is a span of kind client, named by its operation, such as "users.update". Each
// request that it sends is a child of that span, named and described by the semantic
// conventions for HTTP clients, such as "POST /api/v1/users.update". The calls that a call
// needs first, such as a log-in, are its children too.
//
//	rocketchat.op                  both     the operation
//	server.address, server.port    both     the server
//	error.type                     both     of a call its class, such as "not found", or "canceled" or
//	                                        "timeout" if the caller's context ended it; of a request the
//	                                        status code, "timeout", "canceled" or "unreachable"
//	rocketchat.code                call     the server's code for the failure, if it has the form of one
//	rocketchat.attempts            call     requests sent
//	rocketchat.refused             call     requests that the rate limit refused, if any
//	rocketchat.wait.duration       call     seconds of all pauses, if there were any
//	rocketchat.outcome_unknown     call     set if a write may or may not have taken effect
//	http.request.method            request
//	url.template                   request  the path without query and names
//	http.request.resend_count      request  from the second request on
//	http.response.status_code      request  if an answer came
//
// A pause is an event "rocketchat.wait" of the call, with rocketchat.wait.reason and
// rocketchat.wait.expected, the number of seconds that it will take at least.
//
// # Metrics
//
//	rocketchat.client.call.duration   histogram, s   calls, with all their attempts and pauses
//	rocketchat.client.attempts        counter        requests that were sent
//	rocketchat.client.refused         counter        requests that the rate limit refused
//	rocketchat.client.wait.duration   histogram, s   pauses of the calls that had to wait
//	http.client.request.duration      histogram, s   requests, without the pauses before them
//
// The attributes of the first four are rocketchat.op, server.address, server.port and, for
// failed calls, error.type as the span has it. A pause has its rocketchat.wait.reason, too.
// The attributes of a request are those of its span but http.request.resend_count. Values
// are added when the call or the request has ended.
//
// The guide docs/observability.md of the repository has examples and a dashboard for Grafana:
// https://github.com/rocketchat-go/rocketchat/blob/main/docs/observability.md
//
// # Privacy
//
// Spans and metrics hold no credentials, queries, bodies, usernames or user IDs. Therefore
// url.full is left out, and so are codes in a form that no server uses and the texts of the
// server's errors, which [rocketchat.Error.Error] has. A transport that makes spans of its
// own, such as otelhttp's, does record the address with its query.
package otelrocketchat
