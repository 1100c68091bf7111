package rocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func ExampleMeService_Get() {
	_, server := demo()
	client := actFor("ann", server)
	me, err := client.Me.Get(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Username, me.Email)
	fmt.Println("desktop notifications:", string(*me.Settings.Preferences.DesktopNotifications))
	// Output:
	// ann ann@example.org
	// desktop notifications: all
}

func ExampleMeService_Update() {
	_, server := demo()
	client := actFor("ann", server)
	me, err := client.Me.Update(context.Background(), rocketchat.MeUpdateOptions{
		Nickname:   new("annie"),
		StatusText: new("in the library"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Nickname, "is", me.StatusText)
	// Output:
	// annie is in the library
}

// Passwords are given in plain text. The package hashes them where the server expects a
// hash.
func ExampleMeService_Update_password() {
	_, server := demo(rocketchattest.WithSecondFactor())
	client := actFor("ann", server)
	ctx := context.Background()

	_, err := client.Me.Update(ctx, rocketchat.MeUpdateOptions{
		CurrentPassword: new(rocketchat.NewSecret("Ann-Passw0rd-1")),
		NewPassword:     new(rocketchat.NewSecret("Ann-Passw0rd-2")),
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Sessions.Login(ctx, "ann", rocketchat.NewSecret("Ann-Passw0rd-2"))
	fmt.Println(err)
	// Output:
	// <nil>
}

// By default servers do not let people delete their own accounts.
func ExampleMeService_Delete() {
	_, server := demo()
	client := actFor("ann", server)
	ctx := context.Background()

	err := client.Me.Delete(ctx, rocketchat.NewSecret("Ann-Passw0rd-1"), rocketchat.MeDeleteOptions{})
	fmt.Println("forbidden:", errors.Is(err, rocketchat.ErrForbidden))

	server.Set("Accounts_AllowDeleteOwnAccount", true)
	err = client.Me.Delete(ctx, rocketchat.NewSecret("Ann-Passw0rd-1"), rocketchat.MeDeleteOptions{})
	fmt.Println(err)
	// Output:
	// forbidden: true
	// <nil>
}

// The export takes a while. A later call returns how far it is.
func ExampleMeService_RequestDataDownload() {
	_, server := demo()
	client := actFor("ann", server)
	export, err := client.Me.RequestDataDownload(context.Background(), true)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(export.Requested, export.Operation.FullExport, string(export.Operation.Status))
	// Output:
	// true true pending
}

// Preferences are pointers, because false, 0 and "" are values. Nil fields are left
// unchanged.
func ExamplePreferencesService_Set() {
	_, server := demo()
	client := actFor("ann", server)
	prefs, err := client.Preferences.Set(context.Background(), rocketchat.Preferences{
		UseEmojis:            new(false),
		IdleTimeLimit:        new(300), // seconds
		DesktopNotifications: new(rocketchat.NotifyMentions),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*prefs.UseEmojis, *prefs.IdleTimeLimit, string(*prefs.DesktopNotifications))
	// Output:
	// false 300 mentions
}

// Preferences of other users are set one user at a time.
func ExamplePreferencesService_SetFor() {
	client, _ := demo()
	ctx := context.Background()
	for _, name := range []string{"ann", "bob"} {
		user, err := client.Users.Get(ctx, rocketchat.ByUsername(name))
		if err != nil {
			log.Fatal(err)
		}
		prefs, err := client.Preferences.SetFor(ctx, rocketchat.ByID(user.ID), rocketchat.Preferences{Language: new("pt-BR")})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, *prefs.Language)
	}
	// Output:
	// ann pt-BR
	// bob pt-BR
}

// Get returns what the caller has chosen. Me.Get returns what is in force, defaults
// included.
func ExamplePreferencesService_Get() {
	_, server := demo()
	client := actFor("ann", server)
	ctx := context.Background()

	if _, err := client.Preferences.Set(ctx, rocketchat.Preferences{HideRoles: new(true)}); err != nil {
		log.Fatal(err)
	}
	prefs, err := client.Preferences.Get(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*prefs.HideRoles, prefs.UseEmojis == nil)
	// Output:
	// true true
}

// A preference that the package does not know can be set by its name.
func ExamplePreferences_extra() {
	_, server := demo()
	client := actFor("ann", server)
	_, err := client.Preferences.Set(context.Background(), rocketchat.Preferences{
		Extra: map[string]any{"idleTimeoutLimit": 300}, // the server calls it idleTimeLimit
	})
	fmt.Println(errors.Is(err, rocketchat.ErrInvalid))
	// Output:
	// true
}
