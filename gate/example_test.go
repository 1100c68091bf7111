package gate_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/rocketchat-go/rocketchat/gate"
)

// A gate learns from the answers how many calls a window has left. Here the server allows 2
// calls in a minute, so the third would have to wait for the next window.
func ExampleMemory() {
	g := gate.NewMemory()
	ctx := context.Background()
	route := gate.Route{Server: "chat.example.org", Method: "GET", Op: "users.info", Caller: "ann"}
	reset := time.Now().Add(time.Minute)

	for _, remaining := range []int{1, 0} {
		pass, err := g.Enter(ctx, gate.Entry{Route: route})
		if err != nil {
			log.Fatal(err)
		}
		// The call is sent here. Its answer has these headers:
		g.Leave(ctx, route, pass, gate.Sighting{
			Kind:      gate.Counted,
			Limit:     2,
			Remaining: remaining,
			Window:    reset.UnixMilli(),
			Reset:     time.Until(reset),
		})
	}

	_, err := g.Enter(ctx, gate.Entry{Route: route, MaxWait: time.Second})
	if wait, ok := errors.AsType[*gate.WaitError](err); ok {
		fmt.Println("the next window begins in", wait.Wait.Round(10*time.Second))
	}
	limit, known := g.Known(route)
	fmt.Println(known, limit.Limit, limit.Remaining)
	// Output:
	// the next window begins in 1m0s
	// true 2 0
}
