package rocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// The text of a token is told this once; put it where the program keeps its secrets.
func ExampleTokensService_Generate() {
	client, server := demo()
	ctx := context.Background()

	token, err := client.Tokens.Generate(ctx, "nightly export", rocketchat.TokenOptions{BypassTwoFactor: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token) // Reveal gives the text

	me, err := client.Me.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	export, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server), rocketchat.WithToken(me.ID, token))
	if err != nil {
		log.Fatal(err)
	}
	me, err = export.Me.Get(ctx)
	fmt.Println(me.Username, err)
	// Output:
	// [redacted]
	// admin <nil>
}

func ExampleTokensService_List() {
	client, server := demo()
	server.PersonalAccessToken("admin", "backup", false)
	server.PersonalAccessToken("admin", "nightly export", true)

	tokens, err := client.Tokens.List(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, token := range tokens {
		fmt.Println(token.Name, token.BypassTwoFactor)
	}
	// Output:
	// backup false
	// nightly export true
}

// Rotate makes a new token, tries it, and only then revokes the old one: at every
// moment one of the two works.
func ExampleTokensService_Rotate() {
	client, server := demo()
	server.PersonalAccessToken("admin", "backup", false)

	fresh, err := client.Tokens.Rotate(context.Background(), "backup", rocketchat.RotateOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(fresh.Name, fresh.OldRevoked)
	// Output:
	// backup #2 true
}

// Regenerate keeps the name, but the old text is worth nothing at once.
func ExampleTokensService_Regenerate() {
	client, server := demo()
	server.PersonalAccessToken("admin", "backup", false)

	token, err := client.Tokens.Regenerate(context.Background(), "backup")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(!token.IsZero())
	// Output:
	// true
}

func ExampleTokensService_Revoke() {
	client, server := demo()
	server.PersonalAccessToken("admin", "backup", false)
	ctx := context.Background()

	fmt.Println(client.Tokens.Revoke(ctx, "backup"))
	err := client.Tokens.Revoke(ctx, "backup")
	fmt.Println("gone:", errors.Is(err, rocketchat.ErrNotFound))
	// Output:
	// <nil>
	// gone: true
}

// A session of its own for a program that passes tokens on. To make calls, let
// WithLogin do it.
func ExampleSessionsService_Login() {
	_, server := demo()
	client, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	_, err = client.Sessions.Login(ctx, "ann", rocketchat.NewSecret("wrong"))
	fmt.Println("wrong password:", errors.Is(err, rocketchat.ErrUnauthorized))

	session, err := client.Sessions.Login(ctx, "ann", rocketchat.NewSecret("Ann-Passw0rd-1"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(session.UserID, session.AuthToken)
	// Output:
	// wrong password: true
	// ann-id [redacted]
}

// Is this token still good, and whose is it?
func ExampleSessionsService_Resume() {
	client, server := demo()
	_, token := server.Login("ann")

	session, err := client.Sessions.Resume(context.Background(), rocketchat.NewSecret(token))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(session.Me.Username)
	// Output:
	// ann
}

func ExampleSessionsService_Logout() {
	_, server := demo()
	client := actFor("ann", server)
	ctx := context.Background()

	if err := client.Sessions.Logout(ctx); err != nil {
		log.Fatal(err)
	}
	_, err := client.Me.Get(ctx)
	fmt.Println(errors.Is(err, rocketchat.ErrUnauthorized))
	// Output:
	// true
}

// A telephone was stolen: everything that is logged in as bob is out.
func ExampleSessionsService_LogoutUser() {
	client, server := demo()
	bob := actFor("bob", server)
	ctx := context.Background()

	if err := client.Sessions.LogoutUser(ctx, "bob-id"); err != nil {
		log.Fatal(err)
	}
	_, err := bob.Me.Get(ctx)
	fmt.Println(errors.Is(err, rocketchat.ErrUnauthorized))
	// Output:
	// true
}

// The sessions of other devices end, this one and the personal access tokens stay.
func ExampleSessionsService_LogoutOtherClients() {
	_, server := demo()
	here, there := actFor("ann", server), actFor("ann", server)
	ctx := context.Background()

	if _, err := here.Sessions.LogoutOtherClients(ctx); err != nil {
		log.Fatal(err)
	}
	_, err := there.Me.Get(ctx)
	fmt.Println("there:", errors.Is(err, rocketchat.ErrUnauthorized))
	_, err = here.Me.Get(ctx)
	fmt.Println("here: ", err)
	// Output:
	// there: true
	// here:  <nil>
}

// All else ends: other sessions, and personal access tokens too.
func ExampleSessionsService_RemoveOtherTokens() {
	_, server := demo()
	client := actFor("ann", server)
	server.PersonalAccessToken("ann", "backup", false)
	ctx := context.Background()

	if err := client.Sessions.RemoveOtherTokens(ctx); err != nil {
		log.Fatal(err)
	}
	tokens, err := client.Tokens.List(ctx)
	fmt.Println(len(tokens), err)
	// Output:
	// 0 <nil>
}

// A session for somebody else, without the password. The server's environment has to
// allow it.
func ExampleSessionsService_CreateToken() {
	client, server := demo(
		rocketchattest.WithVersion("8.6.1"),
		rocketchattest.WithEnv("CREATE_TOKENS_FOR_USERS_SECRET", "from the environment"))
	ctx := context.Background()

	session, err := client.Sessions.CreateToken(ctx, "ann-id", rocketchat.CreateTokenOptions{Secret: rocketchat.NewSecret("from the environment")})
	if err != nil {
		log.Fatal(err)
	}
	ann, err := client.With(rocketchat.WithToken(session.UserID, session.AuthToken))
	if err != nil {
		log.Fatal(err)
	}
	me, err := ann.Me.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Username, server.Count("users.createToken"))
	// Output:
	// ann 1
}

// A code that a device which is logged in shows opens a session on another, on a server
// 8.7 or newer.
func ExampleSessionsService_RedeemLoginCode() {
	client, server := demo(rocketchattest.WithVersion("8.7.1"))
	code := server.LoginCode("ann")

	session, err := client.Sessions.RedeemLoginCode(context.Background(), rocketchat.NewSecret(code))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(session.UserID)
	// Output:
	// ann-id
}

// The second step of a log-in that another program began, on a server 8.7 or newer.
func ExampleSessionsService_VerifyChallenge() {
	client, server := demo(rocketchattest.WithVersion("8.7.1"))
	if _, err := server.AddUser(rocketchattest.User{
		ID: "carol-id", Username: "carol", Email: "carol@example.org", EmailSecondFactor: true,
	}); err != nil {
		log.Fatal(err)
	}
	challenge := server.Challenge("carol")
	ctx := context.Background()

	if err := client.Sessions.SendChallengeCode(ctx, challenge); err != nil {
		log.Fatal(err)
	}
	mails := server.Mails()
	code := rocketchat.NewSecret(mails[len(mails)-1].Code)
	session, err := client.Sessions.VerifyChallenge(ctx, challenge, code)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(session.UserID)
	// Output:
	// carol-id
}
