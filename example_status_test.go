package rocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func ExampleStatusService_Set() {
	_, server := demo()
	client := actFor("ann", server)
	err := client.Status.Set(context.Background(), rocketchat.Self(), rocketchat.StatusSetOptions{
		Status:  rocketchat.StatusBusy,
		Message: new("in a meeting"),
	})
	if err != nil {
		log.Fatal(err)
	}
	user, _ := server.User("ann")
	fmt.Println(user.StatusText)
	// Output:
	// in a meeting
}

// Setting the status of other users needs the permission edit-other-user-info.
func ExampleStatusService_Set_other() {
	client, server := demo()
	ctx := context.Background()
	err := client.Status.Set(ctx, rocketchat.ByUsername("bob"), rocketchat.StatusSetOptions{Message: new("on holiday")})
	if err != nil {
		log.Fatal(err)
	}
	user, _ := server.User("bob")
	fmt.Println(user.StatusText)

	err = actFor("ann", server).Status.Set(ctx, rocketchat.ByUsername("bob"), rocketchat.StatusSetOptions{Message: new("")})
	fmt.Println(errors.Is(err, rocketchat.ErrForbidden))
	// Output:
	// on holiday
	// true
}

func ExampleStatusService_Get() {
	client, server := demo()
	if _, err := server.AddUser(rocketchattest.User{Username: "carol", Email: "carol@example.org", Status: "away"}); err != nil {
		log.Fatal(err)
	}
	status, err := client.Status.Get(context.Background(), rocketchat.ByUsername("carol"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(status.Status))
	// Output:
	// away
}

func ExampleStatusService_PresenceOf() {
	client, _ := demo()
	presence, err := client.Status.PresenceOf(context.Background(), rocketchat.ByUsername("bob"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(presence.Presence))
	// Output:
	// offline
}

// Presence returns everybody who is online.
func ExampleStatusService_Presence() {
	client, server := demo()
	if _, err := server.AddUser(rocketchattest.User{Username: "carol", Email: "carol@example.org", Status: "busy"}); err != nil {
		log.Fatal(err)
	}
	list, err := client.Status.Presence(context.Background(), rocketchat.StatusPresenceOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range list.Users {
		fmt.Println(user.Username, string(user.Status))
	}
	// Unordered output:
	// carol busy
	// rocket.cat online
}

func ExampleStatusService_Connections() {
	client, _ := demo()
	connections, err := client.Status.Connections(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(connections.Current < connections.Max)
	// Output:
	// true
}

// A server with too many connections stops broadcasting presence until it is told to.
func ExampleStatusService_EnableBroadcast() {
	client, _ := demo(rocketchattest.WithSetting("Presence_broadcast_disabled", true))
	if err := client.Status.EnableBroadcast(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println("on again")
	// Output:
	// on again
}

// Custom statuses are named statuses that a server offers to its users.
func ExampleStatusService_CustomCreate() {
	client, _ := demo()
	status, err := client.Status.CustomCreate(context.Background(), rocketchat.CustomStatusCreateOptions{Name: "at lunch", StatusType: rocketchat.StatusAway})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status.Name, string(status.StatusType))
	// Output:
	// at lunch away
}

func ExampleStatusService_AllCustom() {
	client, _ := demo()
	ctx := context.Background()
	for _, name := range []string{"at lunch", "on the road"} {
		if _, err := client.Status.CustomCreate(ctx, rocketchat.CustomStatusCreateOptions{Name: name, StatusType: rocketchat.StatusAway}); err != nil {
			log.Fatal(err)
		}
	}
	for status, err := range client.Status.AllCustom(ctx, rocketchat.CustomStatusListOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(status.Name)
	}
	// Unordered output:
	// at lunch
	// on the road
}

func ExampleStatusService_CustomList() {
	client, _ := demo()
	ctx := context.Background()
	if _, err := client.Status.CustomCreate(ctx, rocketchat.CustomStatusCreateOptions{Name: "at lunch", StatusType: rocketchat.StatusAway}); err != nil {
		log.Fatal(err)
	}
	page, err := client.Status.CustomList(ctx, rocketchat.CustomStatusListOptions{Name: "lunch"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(page.Total, page.Items[0].Name)
	// Output:
	// 1 at lunch
}

func ExampleStatusService_CustomUpdate() {
	client, _ := demo()
	ctx := context.Background()
	status, err := client.Status.CustomCreate(ctx, rocketchat.CustomStatusCreateOptions{Name: "at lunch", StatusType: rocketchat.StatusAway})
	if err != nil {
		log.Fatal(err)
	}
	status, err = client.Status.CustomUpdate(ctx, status.ID, rocketchat.CustomStatusUpdateOptions{
		Name: "out to lunch", StatusType: rocketchat.StatusBusy,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status.Name, string(status.StatusType))
	// Output:
	// out to lunch busy
}

func ExampleStatusService_CustomDelete() {
	client, _ := demo()
	ctx := context.Background()
	status, err := client.Status.CustomCreate(ctx, rocketchat.CustomStatusCreateOptions{Name: "at lunch", StatusType: rocketchat.StatusAway})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Status.CustomDelete(ctx, status.ID))
	err = client.Status.CustomDelete(ctx, status.ID)
	fmt.Println("gone:", errors.Is(err, rocketchat.ErrNotFound))
	// Output:
	// <nil>
	// gone: true
}
