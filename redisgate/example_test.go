package redisgate_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/redisgate"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// Processes with the same scope share the limit of the server: if one has used it up, the
// others know that they have to wait. Here two processes are played by two clients, and
// Redis and the server are in memory.
func ExampleNew() {
	store, err := miniredis.Run()
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	rdb := redis.NewClient(&redis.Options{Addr: store.Addr()})
	defer rdb.Close()

	server := rocketchattest.New(rocketchattest.WithLimit(2, time.Minute))
	server.Grant("api-bypass-rate-limit") // nobody is exempt
	userID, token := server.Login("admin")
	process := func(shared *redisgate.Gate) *rocketchat.Client {
		client, err := rocketchat.New(server.URL(),
			rocketchat.WithTransport(server),
			rocketchat.WithToken(userID, token),
			rocketchat.WithGate(shared),
			rocketchat.WithMaxWait(5*time.Second))
		if err != nil {
			panic(err)
		}
		return client
	}

	ctx := context.Background()
	here, there := redisgate.New(rdb, "office-berlin"), redisgate.New(rdb, "office-berlin")
	defer here.Close(ctx)
	defer there.Close(ctx)
	first, second := process(here), process(there)
	for range 2 {
		if _, err := first.Me.Get(ctx); err != nil {
			panic(err)
		}
	}
	_, err = second.Me.Get(ctx)
	fmt.Println("has to wait:", errors.Is(err, rocketchat.ErrRateLimited))
	fmt.Println("calls sent:", server.Count("me"))
	// Output:
	// has to wait: true
	// calls sent: 2
}
