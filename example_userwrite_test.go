package rocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"slices"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func ExampleUsersService_Create() {
	client, _ := demo()
	user, err := client.Users.Create(context.Background(), rocketchat.UserCreate{
		Username: "carol",
		Name:     "Carol King",
		Email:    "carol@example.org",
		Password: rocketchat.NewSecret("Carol-Passw0rd-1"),
		Roles:    []string{"user"},
		Verified: new(true), // optional fields are pointers: new takes a value
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Username, user.Roles, user.Emails[0].Verified)
	// Output:
	// carol [user] true
}

func ExampleUsersService_Create_taken() {
	client, _ := demo()
	_, err := client.Users.Create(context.Background(), rocketchat.UserCreate{
		Username: "carol", Name: "Carol King", Email: "ann@example.org", Password: rocketchat.NewSecret("Carol-Passw0rd-1"),
	})
	fmt.Println(errors.Is(err, rocketchat.ErrTaken))
	fmt.Println(err)
	// Output:
	// true
	// rocketchat: users.create: 400 ann@example.org is already in use :( [error-field-unavailable]
}

// When the answer is lost on the way, Create looks whether the account is there, and
// adopts it: no second call, no error about a name that is one's own.
func ExampleUsersService_Create_lostAnswer() {
	lose := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			if r.URL.Path == "/api/v1/users.create" {
				panic(http.ErrAbortHandler) // done, but the connection breaks
			}
		})
	}
	client, server := demo(rocketchattest.WithMiddleware(lose))
	user, err := client.Users.Create(context.Background(), rocketchat.UserCreate{
		Username: "carol", Name: "Carol King", Email: "carol@example.org", Password: rocketchat.NewSecret("Carol-Passw0rd-1"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Username, user.Adopted, server.Count("users.create"))
	// Output:
	// carol true 1
}

// Ensure may run as often as one likes: for init containers and scripts that are
// started again.
func ExampleUsersService_Ensure() {
	client, _ := demo()
	for range 2 {
		user, err := client.Users.Ensure(context.Background(), rocketchat.UserCreate{
			Username: "carol", Name: "Carol King", Email: "carol@example.org", Password: rocketchat.NewSecret("Carol-Passw0rd-1"),
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(user.Username, "existed:", user.Existed)
	}
	// Output:
	// carol existed: false
	// carol existed: true
}

// Update changes what is named and nothing else.
func ExampleUsersService_Update() {
	client, _ := demo()
	ctx := context.Background()
	if _, err := client.Users.Update(ctx, "ann-id", rocketchat.UserUpdate{Bio: new("Likes lists.")}); err != nil {
		log.Fatal(err)
	}
	if _, err := client.Users.Update(ctx, "ann-id", rocketchat.UserUpdate{Name: new("Ann Leigh")}); err != nil {
		log.Fatal(err)
	}
	user, err := client.Users.Get(ctx, rocketchat.ByID("ann-id"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s\n", user.Name, user.Bio)
	// Output:
	// Ann Leigh: Likes lists.
}

// An empty text erases; what is nil stays.
func ExampleUsersService_Update_erase() {
	client, _ := demo()
	ctx := context.Background()
	for _, change := range []rocketchat.UserUpdate{
		{Bio: new("Likes lists."), Nickname: new("annie")},
		{Bio: new("")},
	} {
		user, err := client.Users.Update(ctx, "ann-id", change)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q %q\n", user.Bio, user.Nickname)
	}
	// Output:
	// "Likes lists." "annie"
	// "" "annie"
}

func ExampleUsersService_SetRoles() {
	client, _ := demo()
	user, err := client.Users.SetRoles(context.Background(), "ann-id", []string{"user", "livechat-agent"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Roles)
	// Output:
	// [user livechat-agent]
}

// Somebody leaves: first with a look at what becomes of the rooms, then for good.
func ExampleUsersService_Deactivate() {
	client, server := demo()
	room := server.AddRoom("planning", "ann")
	server.Join(room, "bob")
	ctx := context.Background()

	err := client.Users.Deactivate(ctx, "ann-id", rocketchat.DeactivateOptions{})
	if rooms, ok := errors.AsType[*rocketchat.LastOwnerError](err); ok {
		fmt.Println("rooms that get another owner:", rooms.ShouldChangeOwner)
		err = client.Users.Deactivate(ctx, "ann-id", rocketchat.DeactivateOptions{ConfirmRelinquish: true})
	}
	if err != nil {
		log.Fatal(err)
	}
	user, _ := server.User("ann")
	fmt.Println("inactive:", user.Inactive)
	// Output:
	// rooms that get another owner: [planning]
	// inactive: true
}

func ExampleUsersService_Activate() {
	client, server := demo()
	ctx := context.Background()
	if err := client.Users.Deactivate(ctx, "ann-id", rocketchat.DeactivateOptions{}); err != nil {
		log.Fatal(err)
	}
	if err := client.Users.Activate(ctx, "ann-id"); err != nil {
		log.Fatal(err)
	}
	user, _ := server.User("ann")
	fmt.Println("inactive:", user.Inactive)
	// Output:
	// inactive: false
}

// Everybody with the role user who has not logged in for 90 days.
func ExampleUsersService_DeactivateIdle() {
	client, server := demo()
	if _, err := server.AddUser(rocketchattest.User{
		Username: "carol", Email: "carol@example.org", LastLogin: time.Now().AddDate(-1, 0, 0),
	}); err != nil {
		log.Fatal(err)
	}
	n, err := client.Users.DeactivateIdle(context.Background(), 90, "user")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n)
	// Output:
	// 1
}

func ExampleUsersService_Delete() {
	client, _ := demo()
	ctx := context.Background()
	if _, err := client.Users.Delete(ctx, rocketchat.ByUsername("bob"), rocketchat.DeleteOptions{}); err != nil {
		log.Fatal(err)
	}
	_, err := client.Users.Get(ctx, rocketchat.ByUsername("bob"))
	fmt.Println(errors.Is(err, rocketchat.ErrNotFound))
	// Output:
	// true
}

// Signing up as the public form does. It is sent without the client's credentials.
func ExampleUsersService_Register() {
	_, server := demo()
	client, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server))
	if err != nil {
		log.Fatal(err)
	}
	user, err := client.Users.Register(context.Background(), rocketchat.UserRegister{
		Username: "carol", Name: "Carol King", Email: "carol@example.org", Password: rocketchat.NewSecret("Carol-Passw0rd-1"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Username)
	// Output:
	// carol
}

func ExampleUsersService_ForgotPassword() {
	client, server := demo()
	if err := client.Users.ForgotPassword(context.Background(), "ann@example.org"); err != nil {
		log.Fatal(err)
	}
	for _, mail := range server.Mails() {
		fmt.Println(mail.To, string(mail.Kind))
	}
	// Output:
	// ann@example.org password-reset
}

func ExampleUsersService_SendWelcomeEmail() {
	client, server := demo(rocketchattest.WithSetting("SMTP_Host", "mail.example.org"))
	if err := client.Users.SendWelcomeEmail(context.Background(), "ann@example.org"); err != nil {
		log.Fatal(err)
	}
	for _, mail := range server.Mails() {
		fmt.Println(mail.To, string(mail.Kind))
	}
	// Output:
	// ann@example.org welcome
}

// The token of the link that was mailed confirms the address.
func ExampleUsersService_VerifyEmail() {
	client, server := demo(rocketchattest.WithVersion("8.7.1"))
	if _, err := server.AddUser(rocketchattest.User{Username: "carol", Email: "carol@example.org", Unverified: true}); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := client.Users.SendConfirmationEmail(ctx, "carol@example.org"); err != nil {
		log.Fatal(err)
	}
	mails := server.Mails()
	if err := client.Users.VerifyEmail(ctx, rocketchat.NewSecret(mails[len(mails)-1].Token)); err != nil {
		log.Fatal(err)
	}
	user, _ := server.User("carol")
	fmt.Println("verified:", !user.Unverified)
	// Output:
	// verified: true
}

func ExampleUsersService_SendConfirmationEmail() {
	client, server := demo()
	if _, err := server.AddUser(rocketchattest.User{Username: "carol", Email: "carol@example.org", Unverified: true}); err != nil {
		log.Fatal(err)
	}
	if err := client.Users.SendConfirmationEmail(context.Background(), "carol@example.org"); err != nil {
		log.Fatal(err)
	}
	sent := slices.ContainsFunc(server.Mails(), func(m rocketchattest.Mail) bool {
		return m.To == "carol@example.org" && m.Kind == rocketchattest.MailVerification
	})
	fmt.Println(sent)
	// Output:
	// true
}
