package rocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func ExampleRolesService_List() {
	client, _ := demo()
	roles, err := client.Roles.List(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, role := range roles {
		if role.Scope == rocketchat.RoleScopeUsers && role.Protected {
			fmt.Println(role.ID)
		}
	}
	// Unordered output:
	// admin
	// anonymous
	// app
	// bot
	// guest
	// livechat-agent
	// livechat-manager
	// user
}

// Add and Remove change one role. To set all roles of a user, see Users.SetRoles.
func ExampleRolesService_Add() {
	client, server := demo()
	ctx := context.Background()
	if err := client.Roles.Add(ctx, "bot", rocketchat.ByUsername("bob")); err != nil {
		log.Fatal(err)
	}
	user, _ := server.User("bob")
	fmt.Println(user.Roles)

	err := client.Roles.Add(ctx, "bot", rocketchat.ByUsername("bob"))
	fmt.Println("has it already:", errors.Is(err, rocketchat.ErrTaken))
	// Output:
	// [user bot]
	// has it already: true
}

func ExampleRolesService_Remove() {
	client, server := demo()
	ctx := context.Background()
	if err := client.Roles.Add(ctx, "bot", rocketchat.ByUsername("bob")); err != nil {
		log.Fatal(err)
	}
	if err := client.Roles.Remove(ctx, "bot", rocketchat.ByUsername("bob")); err != nil {
		log.Fatal(err)
	}
	user, _ := server.User("bob")
	fmt.Println(user.Roles)
	// Output:
	// [user]
}

// The last administrator cannot lose the role.
func ExampleRolesService_Remove_lastAdministrator() {
	client, _ := demo()
	err := client.Roles.Remove(context.Background(), "admin", rocketchat.ByUsername("admin"))
	fmt.Println(errors.Is(err, rocketchat.ErrForbidden), errors.Is(err, rocketchat.CodeAdminRequired))
	// Output:
	// true true
}

func ExampleRolesService_Users() {
	client, _ := demo()
	page, err := client.Roles.Users(context.Background(), "user", rocketchat.RoleUsersOptions{Count: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(page.Items[0].Username, "is one of", page.Total)
	// Output:
	// ann is one of 2
}

// AllUsers yields everybody with a role, here the administrators.
func ExampleRolesService_AllUsers() {
	client, _ := demo()
	for user, err := range client.Roles.AllUsers(context.Background(), "admin", rocketchat.RoleUsersOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(user.Username)
	}
	// Output:
	// admin
}

// Creating roles needs the Enterprise edition; other servers refuse it.
func ExampleRolesService_Create() {
	client, _ := demo()
	_, err := client.Roles.Create(context.Background(), rocketchat.RoleCreateOptions{
		Name:        "captains",
		Description: new("They steer."),
	})
	fmt.Println(errors.Is(err, rocketchat.ErrForbidden))
	// Output:
	// true
}

// Updating a role needs the Enterprise edition, too. The name is required, even if it
// stays.
func ExampleRolesService_Update() {
	client, server := demo(rocketchattest.WithLicense())
	server.AddRole("captains", "captains", "They steer.")
	role, err := client.Roles.Update(context.Background(), "captains", rocketchat.RoleUpdateOptions{
		Name:        "captains",
		Description: new("They steer and decide."),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(role.Description)
	// Output:
	// They steer and decide.
}

// Roles such as owner, leader and moderator are held in single rooms.
func ExampleRolesService_AddInRoom() {
	client, server := demo()
	planning := server.AddRoom("planning", "ann")
	server.Join(planning, "bob")
	ctx := context.Background()

	if err := client.Roles.AddInRoom(ctx, "owner", rocketchat.ByUsername("bob"), planning); err != nil {
		log.Fatal(err)
	}
	room, _ := server.Room(planning)
	fmt.Println(room.Owners)
	// Output:
	// [ann bob]
}

func ExampleRolesService_RemoveInRoom() {
	client, server := demo()
	planning := server.AddRoom("planning", "ann", "bob")
	ctx := context.Background()

	if err := client.Roles.RemoveInRoom(ctx, "owner", rocketchat.ByUsername("bob"), planning); err != nil {
		log.Fatal(err)
	}
	room, _ := server.Room(planning)
	fmt.Println(room.Owners)
	// Output:
	// [ann]
}

func ExampleRolesService_Delete() {
	client, server := demo()
	server.AddRole("captains", "captains", "They steer.")
	ctx := context.Background()

	fmt.Println(client.Roles.Delete(ctx, "captains"))
	err := client.Roles.Delete(ctx, "admin") // a built-in role
	fmt.Println(errors.Is(err, rocketchat.ErrForbidden))
	// Output:
	// <nil>
	// true
}

// Changes returns what has changed since a moment.
func ExampleRolesService_Changes() {
	client, server := demo()
	before := time.Now().Add(-time.Millisecond)
	server.AddRole("captains", "captains", "They steer.")

	changes, err := client.Roles.Changes(context.Background(), before)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(slices.ContainsFunc(changes.Updated, func(r rocketchat.Role) bool { return r.ID == "captains" }))
	// Output:
	// true
}

// UsersInPublicRoles needs server 7.10 or newer.
func ExampleRolesService_UsersInPublicRoles() {
	client, _ := demo(rocketchattest.WithVersion("8.6.1"))
	users, err := client.Roles.UsersInPublicRoles(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range users {
		fmt.Println(user.Username, user.Roles)
	}
	// Output:
	// admin [admin]
}
