package rocketchat_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rocketchat-go/rocketchat"
)

func ExampleTeamsService_OfUser() {
	client, server := demo()
	server.AddTeam("crew", true, "ann", "bob")

	teams, err := client.Teams.OfUser(context.Background(), rocketchat.ByID("ann-id"))
	if err != nil {
		log.Fatal(err)
	}
	for _, team := range teams {
		fmt.Println(team.Name, team.Type == rocketchat.TeamPrivate, team.IsOwner)
	}
	// Output:
	// crew true true
}

func ExampleServerService_Info() {
	client, _ := demo()
	info, err := client.Server.Info(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Version)
	// Output:
	// 7.7.1
}

// A form can show the rules before people choose a password.
func ExampleServerService_PasswordPolicy() {
	client, server := demo()
	server.Set("Accounts_Password_Policy_Enabled", true)
	server.Set("Accounts_Password_Policy_MinLength", 12)

	policy, err := client.Server.PasswordPolicy(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if rule, ok := policy.Rule(rocketchat.PasswordMinLength); ok {
		fmt.Println("at least", rule.Limit(), "characters")
	}
	// Output:
	// at least 12 characters
}
