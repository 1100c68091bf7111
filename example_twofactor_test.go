package rocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// Servers ask for the password of an account that has no other second factor, by
// default for every users.update and every change of a token.
func ExampleAnswerWithPassword() {
	_, server := demo(rocketchattest.WithSecondFactor())
	client := actFor("admin", server,
		rocketchat.WithTwoFactor(rocketchat.AnswerWithPassword(rocketchat.NewSecret(rocketchattest.AdminPassword))))

	user, err := client.Users.Update(context.Background(), rocketchat.ByID("ann-id"), rocketchat.UserUpdateOptions{Name: new("Ann Leigh")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Name)
	// Output:
	// Ann Leigh
}

// A function receives the challenge and returns the code. This one reads the mail;
// SendEmailCode has a code sent if the server has not.
func ExampleWithTwoFactor() {
	_, server := demo(rocketchattest.WithSecondFactor())
	if _, err := server.AddUser(rocketchattest.User{
		Username: "carol", Email: "carol@example.org", EmailSecondFactor: true,
	}); err != nil {
		log.Fatal(err)
	}
	fromMail := func(ctx context.Context, ch rocketchat.TwoFactorChallenge) (rocketchat.Secret, error) {
		fmt.Println(ch.Op, "wants a code by", string(ch.Method))
		if !ch.CodeGenerated {
			if err := ch.SendEmailCode(ctx); err != nil {
				return rocketchat.Secret{}, err
			}
		}
		mails := server.Mails()
		return rocketchat.NewSecret(mails[len(mails)-1].Code), nil
	}
	client := actFor("carol", server, rocketchat.WithTwoFactor(fromMail))

	token, err := client.Tokens.Generate(context.Background(), "laptop", rocketchat.TokenGenerateOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token)
	// Output:
	// users.generatePersonalAccessToken wants a code by email
	// [redacted]
}

// A program that has the secret of an authenticator app computes the code. The module
// github.com/rocketchat-go/rocketchat/totp has a function for it.
func ExampleWithTwoFactor_totp() {
	const secret = "JBSWY3DPEHPK3PXP"
	_, server := demo(rocketchattest.WithSecondFactor())
	if _, err := server.AddUser(rocketchattest.User{
		Username: "robot", Email: "robot@example.org", Password: "Robot-Passw0rd-1", TOTPSecret: secret,
	}); err != nil {
		log.Fatal(err)
	}
	client, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server),
		rocketchat.WithLogin("robot", "Robot-Passw0rd-1"),
		rocketchat.WithTwoFactor(func(context.Context, rocketchat.TwoFactorChallenge) (rocketchat.Secret, error) {
			return rocketchat.NewSecret(rocketchattest.TOTPCode(secret, time.Now())), nil
		}))
	if err != nil {
		log.Fatal(err)
	}
	me, err := client.Me.Get(context.Background()) // the log-in needs the code
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Username)
	// Output:
	// robot
}

// A person types the code in a terminal.
func ExampleAskForCode() {
	_, server := demo(rocketchattest.WithSecondFactor())
	keyboard := strings.NewReader(rocketchattest.AdminPassword + "\n") // os.Stdin in a program
	client := actFor("admin", server, rocketchat.WithTwoFactor(rocketchat.AskForCode(keyboard, os.Stdout)))

	_, err := client.Users.Update(context.Background(), rocketchat.ByID("ann-id"), rocketchat.UserUpdateOptions{Bio: new("Likes lists.")})
	fmt.Println(err)
	// Output:
	// users.update needs a second factor (password): <nil>
}

// A program that already has the second factor sends it along and saves a request.
func ExampleWithTwoFactorCode() {
	_, server := demo(rocketchattest.WithSecondFactor())
	client := actFor("admin", server)

	_, err := client.Users.Update(context.Background(), rocketchat.ByID("ann-id"),
		rocketchat.UserUpdateOptions{Bio: new("Likes lists."), Nickname: new("")},
		rocketchat.WithTwoFactorCode(rocketchat.TwoFactorPassword, rocketchattest.AdminPassword))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("calls:", server.Count("users.update"))
	// Output:
	// calls: 1
}

// Without an answer, the error says what the server asks for.
func ExampleTwoFactorError() {
	client, _ := demo(rocketchattest.WithSecondFactor())

	_, err := client.Tokens.Generate(context.Background(), "backup", rocketchat.TokenGenerateOptions{})
	if needed, ok := errors.AsType[*rocketchat.TwoFactorError](err); ok {
		fmt.Println(errors.Is(err, rocketchat.ErrSecondFactorRequired), string(needed.Challenge.Method))
	}
	// Output:
	// true password
}

// To set up an authenticator app, on server 8.8 or newer, show the URL as a QR code,
// let the person type the code that the app shows, and keep the backup codes safe.
func ExampleTwoFactorService_EnableTOTP() {
	_, server := demo(rocketchattest.WithVersion("8.8.1"))
	client := actFor("ann", server)
	ctx := context.Background()

	setup, err := client.TwoFactor.EnableTOTP(ctx)
	if err != nil {
		log.Fatal(err)
	}
	typed := rocketchattest.TOTPCode(setup.Secret.Reveal(), time.Now())
	backup, err := client.TwoFactor.ValidateTOTP(ctx, rocketchat.NewSecret(typed))
	if err != nil {
		log.Fatal(err)
	}
	left, err := client.TwoFactor.TOTPCodesRemaining(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(backup), "backup codes,", left, "not used")
	// Output:
	// 12 backup codes, 12 not used
}

// A wrong code changes nothing.
func ExampleTwoFactorService_DisableTOTP() {
	const secret = "JBSWY3DPEHPK3PXP"
	_, server := demo(rocketchattest.WithVersion("8.8.1"))
	if _, err := server.AddUser(rocketchattest.User{Username: "robot", Email: "robot@example.org", TOTPSecret: secret}); err != nil {
		log.Fatal(err)
	}
	client := actFor("robot", server)
	ctx := context.Background()

	err := client.TwoFactor.DisableTOTP(ctx, rocketchat.NewSecret("not a code"))
	fmt.Println(errors.Is(err, rocketchat.ErrSecondFactorInvalid))
	err = client.TwoFactor.DisableTOTP(ctx, rocketchat.NewSecret(rocketchattest.TOTPCode(secret, time.Now())))
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

func ExampleTwoFactorService_RegenerateTOTPCodes() {
	const secret = "JBSWY3DPEHPK3PXP"
	_, server := demo(rocketchattest.WithVersion("8.8.1"))
	if _, err := server.AddUser(rocketchattest.User{Username: "robot", Email: "robot@example.org", TOTPSecret: secret}); err != nil {
		log.Fatal(err)
	}
	client := actFor("robot", server)

	code := rocketchat.NewSecret(rocketchattest.TOTPCode(secret, time.Now()))
	backup, err := client.TwoFactor.RegenerateTOTPCodes(context.Background(), code)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(backup), "backup codes:", backup[0])
	// Output:
	// 12 backup codes: [redacted]
}

// EnableEmail makes mailed codes the second factor.
func ExampleTwoFactorService_EnableEmail() {
	_, server := demo()
	client := actFor("ann", server)
	ctx := context.Background()

	if err := client.TwoFactor.EnableEmail(ctx); err != nil {
		log.Fatal(err)
	}
	user, _ := server.User("ann")
	fmt.Println(user.EmailSecondFactor)
	// Output:
	// true
}

func ExampleTwoFactorService_DisableEmail() {
	_, server := demo()
	client := actFor("ann", server)
	ctx := context.Background()

	if err := client.TwoFactor.EnableEmail(ctx); err != nil {
		log.Fatal(err)
	}
	if err := client.TwoFactor.DisableEmail(ctx); err != nil {
		log.Fatal(err)
	}
	user, _ := server.User("ann")
	fmt.Println(user.EmailSecondFactor)
	// Output:
	// false
}

func ExampleTwoFactorService_SendEmailCode() {
	client, server := demo()
	if _, err := server.AddUser(rocketchattest.User{
		Username: "carol", Email: "carol@example.org", EmailSecondFactor: true,
	}); err != nil {
		log.Fatal(err)
	}
	if err := client.TwoFactor.SendEmailCode(context.Background(), rocketchat.ByUsername("carol")); err != nil {
		log.Fatal(err)
	}
	for _, mail := range server.Mails() {
		fmt.Println(mail.To, string(mail.Kind))
	}
	// Output:
	// carol@example.org second-factor
}

// If somebody has lost the phone with the app, an administrator removes the second
// factor. Then the password alone opens a session.
func ExampleTwoFactorService_ResetTOTP() {
	_, server := demo(rocketchattest.WithSecondFactor())
	if _, err := server.AddUser(rocketchattest.User{
		Username: "carol", Email: "carol@example.org", Password: "Carol-Passw0rd-1", TOTPSecret: "JBSWY3DPEHPK3PXP",
	}); err != nil {
		log.Fatal(err)
	}
	client := actFor("admin", server, rocketchat.WithTwoFactor(rocketchat.AnswerWithPassword(rocketchat.NewSecret(rocketchattest.AdminPassword))))

	if err := client.TwoFactor.ResetTOTP(context.Background(), rocketchat.ByUsername("carol")); err != nil {
		log.Fatal(err)
	}
	user, _ := server.User("carol")
	fmt.Println(user.TOTPSecret == "")
	// Output:
	// true
}

// The user's devices ask for a new key at the next log-in.
func ExampleTwoFactorService_ResetE2EKey() {
	client, _ := demo()
	err := client.TwoFactor.ResetE2EKey(context.Background(), rocketchat.ByUsername("ann"))
	fmt.Println(err)
	// Output:
	// <nil>
}
