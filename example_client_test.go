package rocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/rocketchat-go/rocketchat"
)

func ExampleNew() {
	client, err := rocketchat.New("https://chat.example.org",
		rocketchat.WithToken("aobEdbYhXfu5hkeqG", "9HqLlyZOugoStsXCUfD"),
		rocketchat.WithUserAgent("staff-sync/1.4"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.BaseURL())
	fmt.Println(client) // does not show the token
	// Output:
	// https://chat.example.org
	// rocketchat.Client(chat.example.org)
}

// Passwords and tokens are not sent unencrypted without WithPlainHTTP.
func ExampleNew_plainHTTP() {
	_, err := rocketchat.New("http://chat.example.org")
	fmt.Println(err)

	_, err = rocketchat.New("http://chat.example.org", rocketchat.WithPlainHTTP())
	fmt.Println(err)
	// Output:
	// rocketchat: baseURL would send credentials unencrypted: use https, or WithPlainHTTP
	// <nil>
}

// Derived clients act for other accounts. They share the connections and what is known
// of the server's limits.
func ExampleClient_With() {
	admin, server := demo()
	ctx := context.Background()

	userID, token := server.Login("ann")
	ann, err := admin.With(rocketchat.WithToken(userID, token))
	if err != nil {
		log.Fatal(err)
	}
	for _, client := range []*rocketchat.Client{admin, ann} {
		me, err := client.Me.Get(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(me.Username)
	}
	// Output:
	// admin
	// ann
}

// Close ends the session that WithLogin opened.
func ExampleClient_Close() {
	_, server := demo()
	ctx := context.Background()

	client, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server),
		rocketchat.WithLogin("ann", "Ann-Passw0rd-1"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Me.Get(ctx); err != nil { // logs in first
		log.Fatal(err)
	}
	if err := client.Close(); err != nil {
		log.Fatal(err)
	}
	for _, call := range server.Calls() {
		fmt.Println(call.Op)
	}
	// Output:
	// login
	// me
	// logout
}

// RateLimit returns how many calls are left.
func ExampleClient_RateLimit() {
	_, server := demo()
	client := actFor("ann", server)
	ctx := context.Background()

	if _, known := client.RateLimit("users.info"); !known {
		fmt.Println("nothing is known before the first call")
	}
	if _, err := client.Users.Get(ctx, rocketchat.ByUsername("bob")); err != nil {
		log.Fatal(err)
	}
	limit, _ := client.RateLimit("users.info")
	fmt.Printf("%d of %d calls are left\n", limit.Remaining, limit.Limit)
	// Output:
	// nothing is known before the first call
	// 9 of 10 calls are left
}

// Administrators, bots and apps are not limited: their roles have the permission
// api-bypass-rate-limit.
func ExampleClient_RateLimit_exempt() {
	client, _ := demo()
	for range 100 { // a few answers without limit headers prove nothing: a proxy may have dropped them
		if _, err := client.Users.Get(context.Background(), rocketchat.ByUsername("bob")); err != nil {
			log.Fatal(err)
		}
	}
	limit, known := client.RateLimit("users.info")
	fmt.Println(known, limit.Exempt)
	// Output:
	// true true
}

// A Secret is never printed. Reveal returns its text.
func ExampleSecret() {
	password := rocketchat.NewSecret("correct horse")

	fmt.Println(password)
	fmt.Printf("%q %+v\n", password, struct{ Password rocketchat.Secret }{password})
	fmt.Println(len(password.Reveal()))
	// Output:
	// [redacted]
	// [redacted] {Password:[redacted]}
	// 13
}

// An error found before anything is sent names the argument.
func ExampleNew_invalid() {
	_, err := rocketchat.New("chat.example.org")
	if e, ok := errors.AsType[*rocketchat.Error](err); ok {
		fmt.Println(e.Field)
		fmt.Println(e)
	}
	// Output:
	// baseURL
	// rocketchat: baseURL must start with "https://" or "http://"
}
