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
	user, err := client.Users.Create(context.Background(), rocketchat.UserCreateOptions{
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
	_, err := client.Users.Create(context.Background(), rocketchat.UserCreateOptions{
		Username: "carol", Name: "Carol King", Email: "ann@example.org", Password: rocketchat.NewSecret("Carol-Passw0rd-1"),
	})
	fmt.Println(errors.Is(err, rocketchat.ErrTaken))
	fmt.Println(err)
	// Output:
	// true
	// rocketchat: users.create: 400: ann@example.org is already in use :( [error-field-unavailable]
}

// If the response is lost, Create looks the account up and returns it: it sends no
// second create, and does not report the name as taken.
func ExampleUsersService_Create_lostAnswer() {
	lose := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			if r.URL.Path == "/api/v1/users.create" {
				panic(http.ErrAbortHandler) // the account is created, but the connection breaks
			}
		})
	}
	client, server := demo(rocketchattest.WithMiddleware(lose))
	user, err := client.Users.Create(context.Background(), rocketchat.UserCreateOptions{
		Username: "carol", Name: "Carol King", Email: "carol@example.org", Password: rocketchat.NewSecret("Carol-Passw0rd-1"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Username, user.Adopted, server.Count("users.create"))
	// Output:
	// carol true 1
}

// Ensure can be called again and again, as in init containers and scripts that are
// restarted.
func ExampleUsersService_Ensure() {
	client, _ := demo()
	for range 2 {
		user, err := client.Users.Ensure(context.Background(), rocketchat.UserCreateOptions{
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

// Update changes only the fields that are set.
func ExampleUsersService_Update() {
	client, _ := demo()
	ctx := context.Background()
	if _, err := client.Users.Update(ctx, rocketchat.ByID("ann-id"), rocketchat.UserUpdateOptions{Bio: new("Likes lists.")}); err != nil {
		log.Fatal(err)
	}
	if _, err := client.Users.Update(ctx, rocketchat.ByID("ann-id"), rocketchat.UserUpdateOptions{Name: new("Ann Leigh")}); err != nil {
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

// An empty string clears a field. Nil fields are left unchanged.
func ExampleUsersService_Update_erase() {
	client, _ := demo()
	ctx := context.Background()
	for _, change := range []rocketchat.UserUpdateOptions{
		{Bio: new("Likes lists."), Nickname: new("annie")},
		{Bio: new("")},
	} {
		user, err := client.Users.Update(ctx, rocketchat.ByID("ann-id"), change)
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
	user, err := client.Users.SetRoles(context.Background(), rocketchat.ByID("ann-id"), []string{"user", "livechat-agent"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Roles)
	// Output:
	// [user livechat-agent]
}

// Before somebody is deactivated, the program looks at what would become of their
// rooms.
func ExampleUsersService_Deactivate() {
	client, server := demo()
	room := server.AddRoom("planning", "ann")
	server.Join(room, "bob")
	ctx := context.Background()

	err := client.Users.Deactivate(ctx, rocketchat.ByID("ann-id"), rocketchat.UserDeactivateOptions{})
	if rooms, ok := errors.AsType[*rocketchat.LastOwnerError](err); ok {
		fmt.Println("rooms that get another owner:", rooms.ShouldChangeOwner)
		err = client.Users.Deactivate(ctx, rocketchat.ByID("ann-id"), rocketchat.UserDeactivateOptions{ConfirmRelinquish: true})
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
	if err := client.Users.Deactivate(ctx, rocketchat.ByID("ann-id"), rocketchat.UserDeactivateOptions{}); err != nil {
		log.Fatal(err)
	}
	if err := client.Users.Activate(ctx, rocketchat.ByID("ann-id")); err != nil {
		log.Fatal(err)
	}
	user, _ := server.User("ann")
	fmt.Println("inactive:", user.Inactive)
	// Output:
	// inactive: false
}

// DeactivateIdle deactivates everybody with the role user who has not logged in for 90
// days.
func ExampleUsersService_DeactivateIdle() {
	client, server := demo()
	if _, err := server.AddUser(rocketchattest.User{
		Username: "carol", Email: "carol@example.org", LastLogin: time.Now().AddDate(-1, 0, 0),
	}); err != nil {
		log.Fatal(err)
	}
	n, err := client.Users.DeactivateIdle(context.Background(), rocketchat.UserDeactivateIdleOptions{DaysIdle: 90, Role: "user"})
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
	if _, err := client.Users.Delete(ctx, rocketchat.ByUsername("bob"), rocketchat.UserDeleteOptions{}); err != nil {
		log.Fatal(err)
	}
	_, err := client.Users.Get(ctx, rocketchat.ByUsername("bob"))
	fmt.Println(errors.Is(err, rocketchat.ErrNotFound))
	// Output:
	// true
}

// Register signs up as the public form does. No credentials are sent.
func ExampleUsersService_Register() {
	_, server := demo()
	client, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server))
	if err != nil {
		log.Fatal(err)
	}
	user, err := client.Users.Register(context.Background(), rocketchat.UserRegisterOptions{
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

// The token in the mailed link confirms the address.
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
