// Package redisgate is a [gate.Gate] for processes that share an address, and with it the
// rate limits of a Rocket.Chat server. They count calls together, in a Redis or Valkey
// server that all of them can reach:
//
//	rdb := redis.NewClient(&redis.Options{Addr: "redis:6379"})
//	g := redisgate.New(rdb, "office-berlin")
//	defer g.Close(ctx)
//	client, err := rocketchat.New("https://chat.example.org", rocketchat.WithGate(g), …)
//
// The scope names the outgoing address. Processes behind one address use the same scope.
// Processes behind another address have limits of their own, and use another scope.
//
// Without Redis a gate falls back to a [gate.Memory] that has seen every answer so far,
// and returns to Redis by itself; see [WithoutFallback].
package redisgate
