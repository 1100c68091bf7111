package rocketchattest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// as is a client of the server that acts for one of its users.
func as(username string, server *rocketchattest.Server, opts ...rocketchat.Option) *rocketchat.Client {
	userID, token := server.Login(username)
	client, err := rocketchat.New(server.URL(), append([]rocketchat.Option{
		rocketchat.WithTransport(server),
		rocketchat.WithToken(userID, token),
	}, opts...)...)
	if err != nil {
		panic(err)
	}
	return client
}

// With package rocketchat the server is the transport of the client: no socket, no
// port, nothing to shut down.
func Example_client() {
	server := rocketchattest.New()
	userID, token := server.Login("admin")
	client, err := rocketchat.New(server.URL(),
		rocketchat.WithTransport(server),
		rocketchat.WithToken(userID, token))
	if err != nil {
		log.Fatal(err)
	}

	// The code under test, here a single call.
	_, err = client.Users.Create(context.Background(), rocketchat.UserCreateOptions{
		Username: "ann", Name: "Ann Lee", Email: "ann@example.org", Password: rocketchat.NewSecret("Ann-Passw0rd-1"),
	})
	if err != nil {
		log.Fatal(err)
	}

	// Its effect on the server.
	ann, ok := server.User("ann")
	fmt.Println(ok, ann.Name, ann.Roles)
	// Output:
	// true Ann Lee [user]
}

// People, rooms and roles are put in place without calls and without checks.
func ExampleServer_AddUser() {
	server := rocketchattest.New()
	ann, err := server.AddUser(rocketchattest.User{
		ID: "ann-id", Username: "ann", Email: "ann@example.org",
		Roles:     []string{"user", "guest"},
		LastLogin: time.Now().AddDate(0, -6, 0),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ann.ID, ann.Roles, ann.Inactive)
	// Output:
	// ann-id [user guest] false
}

// A limit of 2 calls in a minute. Administrators, bots and apps are exempt from it, so
// a test of limits acts for somebody else, or takes the permission away with Grant.
func ExampleWithLimit() {
	server := rocketchattest.New(rocketchattest.WithLimit(2, time.Minute))
	server.Grant("api-bypass-rate-limit") // nobody has it now
	admin := as("admin", server, rocketchat.WithMaxWait(time.Second))

	for range 3 {
		_, err := admin.Me.Get(context.Background())
		fmt.Println(errors.Is(err, rocketchat.ErrRateLimited))
	}
	// Output:
	// false
	// false
	// true
}

// The call fails without a second factor, and succeeds with one.
func ExampleWithSecondFactor() {
	server := rocketchattest.New(rocketchattest.WithSecondFactor())
	ctx := context.Background()

	_, err := as("admin", server).Tokens.Generate(ctx, "backup", rocketchat.TokenGenerateOptions{})
	fmt.Println(errors.Is(err, rocketchat.ErrSecondFactorRequired))

	answer := rocketchat.WithTwoFactor(rocketchat.AnswerWithPassword(rocketchat.NewSecret(rocketchattest.AdminPassword)))
	_, err = as("admin", server, answer).Tokens.Generate(ctx, "backup", rocketchat.TokenGenerateOptions{})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A test can run against several versions of the server.
func ExampleWithVersion() {
	for _, version := range []string{"7.7.1", "8.8.1"} {
		server := rocketchattest.New(rocketchattest.WithVersion(version))
		_, err := as("admin", server).TwoFactor.TOTPCodesRemaining(context.Background())
		fmt.Println(version, errors.Is(err, rocketchat.ErrEndpointUnknown))
	}
	// Output:
	// 7.7.1 true
	// 8.8.1 false
}

// Settings have the names that a real server gives them.
func ExampleWithSetting() {
	server := rocketchattest.New(rocketchattest.WithSetting("Accounts_AllowUsernameChange", false))
	if _, err := server.AddUser(rocketchattest.User{Username: "ann", Email: "ann@example.org"}); err != nil {
		log.Fatal(err)
	}
	_, err := as("ann", server).Me.Update(context.Background(), rocketchat.MeUpdateOptions{Username: new("annie")})
	fmt.Println(errors.Is(err, rocketchat.ErrForbidden))
	// Output:
	// true
}

// The handler answers the next call of the operation. Later calls reach the server.
func ExampleServer_AnswerNext() {
	server := rocketchattest.New()
	server.AnswerNext("users.info", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusInternalServerError)
	})
	client := as("admin", server)
	for range 2 {
		_, err := client.Users.Get(context.Background(), rocketchat.ByUsername("rocket.cat"))
		fmt.Println(err)
	}
	// Output:
	// rocketchat: users.info: 500: Internal Server Error (text/html instead of JSON)
	// <nil>
}

// The connection breaks before the call reaches the server.
func ExampleServer_AnswerNext_brokenConnection() {
	server := rocketchattest.New()
	server.AnswerNext("users.deactivateIdle", func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	})
	_, err := as("admin", server).Users.DeactivateIdle(context.Background(), rocketchat.UserDeactivateIdleOptions{DaysIdle: 90, Role: "user"})
	fmt.Println(errors.Is(err, rocketchat.ErrOutcomeUnknown))
	// Output:
	// true
}

// The server records every call that it answers.
func ExampleServer_Calls() {
	server := rocketchattest.New()
	client := as("admin", server)
	for _, name := range []string{"rocket.cat", "nobody"} {
		_, _ = client.Users.Get(context.Background(), rocketchat.ByUsername(name)) // one of them fails
	}
	for _, call := range server.Calls() {
		fmt.Println(call.Method, call.Op, call.Status)
	}
	fmt.Println(server.Count("users.info"))
	// Output:
	// GET users.info 200
	// GET users.info 400
	// 2
}

// Mails are kept, not sent, with their codes and links.
func ExampleServer_Mails() {
	server := rocketchattest.New()
	if _, err := server.AddUser(rocketchattest.User{Username: "ann", Email: "ann@example.org"}); err != nil {
		log.Fatal(err)
	}
	if err := as("admin", server).Users.ForgotPassword(context.Background(), "ann@example.org"); err != nil {
		log.Fatal(err)
	}
	for _, mail := range server.Mails() {
		fmt.Println(mail.To, string(mail.Kind), mail.Token != "")
	}
	// Output:
	// ann@example.org password-reset true
}

// Grant also takes a permission away, to test what a program does without it.
func ExampleServer_Grant() {
	server := rocketchattest.New()
	server.Grant("create-user", "bot") // and no longer administrators
	_, err := as("admin", server).Users.Create(context.Background(), rocketchat.UserCreateOptions{
		Username: "ann", Name: "Ann Lee", Email: "ann@example.org", Password: rocketchat.NewSecret("Ann-Passw0rd-1"),
	})
	fmt.Println(errors.Is(err, rocketchat.ErrForbidden))
	// Output:
	// true
}

// The last owner of a room is not deactivated without confirmation.
func ExampleServer_AddRoom() {
	server := rocketchattest.New()
	if _, err := server.AddUser(rocketchattest.User{ID: "ann-id", Username: "ann", Email: "ann@example.org"}); err != nil {
		log.Fatal(err)
	}
	server.AddRoom("planning", "ann")
	err := as("admin", server).Users.Deactivate(context.Background(), rocketchat.ByID("ann-id"), rocketchat.UserDeactivateOptions{})
	fmt.Println(errors.Is(err, rocketchat.ErrLastOwner))
	// Output:
	// true
}

// Programs in other languages, and those that cannot choose a transport, reach it over
// a real connection.
func ExampleServer_ServeHTTP() {
	server := rocketchattest.New()
	listening := httptest.NewServer(server)
	defer listening.Close()

	res, err := http.Get(listening.URL + "/api/info")
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	fmt.Println(res.Status)
	// Output:
	// 200 OK
}

// Middleware changes or breaks answers. This one loses every answer to users.create after
// the server has created the account.
func ExampleWithMiddleware() {
	lose := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			if r.URL.Path == "/api/v1/users.create" {
				panic(http.ErrAbortHandler)
			}
		})
	}
	server := rocketchattest.New(rocketchattest.WithMiddleware(lose))
	ann, err := as("admin", server).Users.Create(context.Background(), rocketchat.UserCreateOptions{
		Username: "ann", Name: "Ann Lee", Email: "ann@example.org", Password: rocketchat.NewSecret("Ann-Passw0rd-1"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ann.Adopted)
	// Output:
	// true
}

// Two instances behind a balancer have the same users, but each counts calls itself.
func ExampleServer_Replica() {
	server := rocketchattest.New(rocketchattest.WithLimit(1, time.Minute))
	server.Grant("api-bypass-rate-limit")
	for _, instance := range []*rocketchattest.Server{server, server.Replica()} {
		_, err := as("admin", instance).Me.Get(context.Background())
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
}

// The code that the authenticator app of a user shows now.
func ExampleTOTPCode() {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	fmt.Println(rocketchattest.TOTPCode("JBSWY3DPEHPK3PXP", at))
	// Output:
	// 704044
}
