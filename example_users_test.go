package rocketchat_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func ExampleUsersService_Get() {
	client, _ := demo()
	user, err := client.Users.Get(context.Background(), rocketchat.ByUsername("ann"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.ID, user.Name, user.Emails[0].Address, user.Roles, user.Active)
	// Output:
	// ann-id Ann Lee ann@example.org [user] true
}

// An ID never changes, so store IDs. ByEmail needs server 8.4 or newer.
func ExampleUsersService_Get_ways() {
	client, _ := demo(rocketchattest.WithVersion("8.6.1"))
	for _, ref := range []rocketchat.UserRef{
		rocketchat.ByID("ann-id"),
		rocketchat.ByUsername("ann"),
		rocketchat.ByEmail("ann@example.org"),
	} {
		user, err := client.Users.Get(context.Background(), ref)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(user.Name)
	}
	// Output:
	// Ann Lee
	// Ann Lee
	// Ann Lee
}

// Members that this version of the package does not know are kept.
func ExampleUser_extra() {
	client, _ := demo(rocketchattest.WithMiddleware(withNewMember))
	user, err := client.Users.Get(context.Background(), rocketchat.ByUsername("ann"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Extra["favouriteColour"])
	// Output:
	// green
}

func ExampleUsersService_GetWithRooms() {
	client, server := demo()
	server.AddRoom("planning", "ann")

	user, err := client.Users.GetWithRooms(context.Background(), rocketchat.ByUsername("ann"))
	if err != nil {
		log.Fatal(err)
	}
	for _, room := range user.Rooms {
		fmt.Println(room.Name, room.Type == rocketchat.RoomPrivate, room.Roles)
	}
	// Output:
	// general false []
	// planning true [owner]
}

// List returns a page. To go through all users, use All.
func ExampleUsersService_List() {
	client, _ := demo()
	page, err := client.Users.List(context.Background(), rocketchat.UserListOptions{
		Count: 2, Sort: []string{"-" + rocketchat.SortByUsername},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range page.Items {
		fmt.Println(user.Username)
	}
	fmt.Printf("%d of %d\n", len(page.Items), page.Total)
	// Output:
	// rocket.cat
	// bob
	// 2 of 4
}

// All yields every user once, in as few calls as the server allows, here in one.
func ExampleUsersService_All() {
	client, server := demo()
	opts := rocketchat.UserListOptions{Sort: []string{rocketchat.SortByUsername}}
	for user, err := range client.Users.All(context.Background(), opts) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(user.Username)
	}
	fmt.Println("calls:", server.Count("users.list"))
	// Output:
	// admin
	// ann
	// bob
	// rocket.cat
	// calls: 1
}

func ExampleUsersService_ListByStatus() {
	client, server := demo()
	if _, err := server.AddUser(rocketchattest.User{Username: "carol", Email: "carol@example.org", Inactive: true}); err != nil {
		log.Fatal(err)
	}
	page, err := client.Users.ListByStatus(context.Background(), rocketchat.UserListByStatusOptions{
		Status: rocketchat.AccountDeactivated,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range page.Items {
		fmt.Println(user.Username)
	}
	// Output:
	// carol
}

// The filter selects accounts that have never been used.
func ExampleUsersService_AllByStatus() {
	client, _ := demo()
	never := rocketchat.UserListByStatusOptions{
		Sort:        []string{rocketchat.SortByUsername},
		HasLoggedIn: new(false),
		Roles:       []string{"user"},
	}
	for user, err := range client.Users.AllByStatus(context.Background(), never) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(user.Username)
	}
	// Output:
	// ann
	// bob
}

// Unknown names are part of the result, not an error.
func ExampleUsersService_ByUsernames() {
	client, _ := demo()
	found, err := client.Users.ByUsernames(context.Background(), []string{"bob", "carol", "ann"})
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range found.Users {
		fmt.Println(user.Name)
	}
	fmt.Println("missing:", found.Missing)
	// Output:
	// Bob Ray
	// Ann Lee
	// missing: [carol]
}

// Autocomplete returns suggestions for an input field.
func ExampleUsersService_Autocomplete() {
	client, _ := demo()
	matches, err := client.Users.Autocomplete(context.Background(), "an", rocketchat.UserAutocompleteOptions{
		Exceptions: []string{"bob"},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range matches {
		fmt.Println(m.Username, m.Name)
	}
	// Output:
	// ann Ann Lee
}

func ExampleUsersService_Directory() {
	client, _ := demo()
	page, err := client.Users.Directory(context.Background(), rocketchat.UserDirectoryOptions{Text: "ray"})
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range page.Items {
		fmt.Println(user.Username, user.Name)
	}
	// Output:
	// bob Bob Ray
}

func ExampleUsersService_AllInDirectory() {
	client, _ := demo()
	byName := rocketchat.UserDirectoryOptions{
		Sort: []string{"-" + rocketchat.SortByName},
	}
	for user, err := range client.Users.AllInDirectory(context.Background(), byName) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(user.Name)
		if user.Username == "bob" {
			break // no more pages are requested
		}
	}
	// Output:
	// Rocket.Cat
	// Bob Ray
}

func ExampleUsersService_Spotlight() {
	client, _ := demo()
	found, err := client.Users.Spotlight(context.Background(), "bob")
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range found.Users {
		fmt.Println(user.Username)
	}
	// Output:
	// bob
}

func ExampleUsersService_UsernameAvailable() {
	client, _ := demo()
	for _, name := range []string{"bob", "carol"} {
		free, err := client.Users.UsernameAvailable(context.Background(), name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, free)
	}
	// Output:
	// bob false
	// carol true
}

func ExampleUsersService_SuggestUsername() {
	_, server := demo()
	client := actFor("ann", server)
	name, err := client.Users.SuggestUsername(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(name)
	// Output:
	// ann.lee
}

// Servers filter users.list only by address. Other filters are up to the program, such
// as this count of mail domains.
func ExampleUsersService_All_filter() {
	client, _ := demo()
	domains := make(map[string]int)
	for user, err := range client.Users.All(context.Background(), rocketchat.UserListOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		for _, email := range user.Emails {
			_, domain, _ := strings.Cut(email.Address, "@")
			domains[domain]++
		}
	}
	fmt.Println(domains["example.org"])
	// Output:
	// 2
}
