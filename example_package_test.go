package rocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// A complete program: it makes a client, looks users up, and distinguishes a missing
// user from other failures. The server is in memory; leave out WithTransport and give
// New the address of yours.
func Example() {
	server := rocketchattest.New()
	userID, token := server.Login("admin")

	client, err := rocketchat.New(server.URL(),
		rocketchat.WithTransport(server),
		rocketchat.WithToken(userID, token))
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	for _, name := range []string{"rocket.cat", "ann"} {
		user, err := client.Users.Get(ctx, rocketchat.ByUsername(name))
		switch {
		case errors.Is(err, rocketchat.ErrNotFound):
			fmt.Println(name, "has no account")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(name, "is called", user.Name)
		}
	}
	// Output:
	// rocket.cat is called Rocket.Cat
	// ann has no account
}
