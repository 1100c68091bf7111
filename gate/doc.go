// Package gate decides when a call to a rate-limited server may be sent.
//
// A Rocket.Chat server counts calls by route, method and client address in fixed windows,
// and refuses those above its limit. A [Gate] learns from earlier answers, each described
// by a [Sighting], where the windows stand, and lets through as many calls as a window
// has left, in order of arrival:
//
//	pass, err := g.Enter(ctx, gate.Entry{Route: route, MaxWait: time.Minute})
//	if err != nil {
//		return err
//	}
//	seen := send() // the call, and what its answer said of the limit
//	g.Leave(ctx, route, pass, seen)
//
// [NewMemory] is the gate of one process. Processes that share an address share a
// budget too; module redisgate has a gate for them. Package gatetest tests other
// implementations.
//
// The package knows nothing of HTTP. Whoever uses a gate reads the headers and tells it
// what they mean.
package gate
