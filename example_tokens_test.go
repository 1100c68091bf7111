package rocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// The text of a token is returned only once; store it where the program keeps its
// secrets.
func ExampleTokensService_Generate() {
	client, server := demo()
	ctx := context.Background()

	token, err := client.Tokens.Generate(ctx, "nightly export", rocketchat.TokenGenerateOptions{BypassTwoFactor: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token) // Reveal returns the text

	me, err := client.Me.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	export, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server), rocketchat.WithToken(me.ID, token.Reveal()))
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

// Rotate creates a new token, tries it, and only then revokes the old one, so that one
// of the two is valid at every moment.
func ExampleTokensService_Rotate() {
	client, server := demo()
	server.PersonalAccessToken("admin", "backup", false)

	fresh, err := client.Tokens.Rotate(context.Background(), "backup", rocketchat.TokenRotateOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(fresh.Name, fresh.OldRevoked)
	// Output:
	// backup #2 true
}

// Regenerate keeps the name. The old text is no longer valid.
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

// Login opens a session for a program that hands tokens on. To make calls, use
// WithLogin.
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

// Resume checks a token and returns whose it is.
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

// After a phone was stolen, LogoutUser ends all sessions of its owner.
func ExampleSessionsService_LogoutUser() {
	client, server := demo()
	bob := actFor("bob", server)
	ctx := context.Background()

	if err := client.Sessions.LogoutUser(ctx, rocketchat.ByID("bob-id")); err != nil {
		log.Fatal(err)
	}
	_, err := bob.Me.Get(ctx)
	fmt.Println(errors.Is(err, rocketchat.ErrUnauthorized))
	// Output:
	// true
}

// LogoutOtherClients ends the sessions of other devices. This session and personal
// access tokens stay valid.
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

// RemoveOtherTokens ends all other sessions and revokes personal access tokens.
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

// CreateToken opens a session for another user without their password. The server's
// environment must allow it.
func ExampleSessionsService_CreateToken() {
	client, server := demo(
		rocketchattest.WithVersion("8.6.1"),
		rocketchattest.WithEnv("CREATE_TOKENS_FOR_USERS_SECRET", "from the environment"))
	ctx := context.Background()

	session, err := client.Sessions.CreateToken(ctx, rocketchat.ByID("ann-id"), rocketchat.SessionCreateTokenOptions{Secret: rocketchat.NewSecret("from the environment")})
	if err != nil {
		log.Fatal(err)
	}
	ann, err := client.With(rocketchat.WithToken(session.UserID, session.AuthToken.Reveal()))
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

// On server 8.7 or newer, a code shown by a device that is logged in opens a session on
// another device.
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

// VerifyChallenge completes a log-in that another program began, on server 8.7 or
// newer.
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
