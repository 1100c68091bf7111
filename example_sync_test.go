package rocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/rocketchat-go/rocketchat"
)

// staff is what a directory might say: carol is new, ann has married, bob has left.
func staff() []rocketchat.DesiredUser {
	return []rocketchat.DesiredUser{
		{Username: "ann", Email: "ann@example.org", Name: "Ann Leigh"},
		{Username: "carol", Email: "carol@example.org", Name: "Carol King", Roles: []string{"user"}},
	}
}

// ours is the scope of the sync: accounts of others are left alone.
func ours(user *rocketchat.User) bool {
	return len(user.Emails) > 0 && strings.HasSuffix(user.Emails[0].Address, "@example.org")
}

// PlanSync changes nothing: it is the dry run.
func ExampleUsersService_PlanSync() {
	client, _ := demo()
	plan, err := client.Users.PlanSync(context.Background(), staff(), rocketchat.SyncOptions{
		Departed:         ours,
		MaxDeactivations: 0.5,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(plan)
	// Output:
	// update     ann                  name "Ann Lee" -> "Ann Leigh"
	// create     carol                email carol@example.org, name Carol King, roles user
	// deactivate bob                  active "true" -> "false"
	// 1 to create, 1 to update, 0 to activate, 1 to deactivate, 0 refused, 0 unchanged
}

// Run carries out a plan that was looked at. The report holds what became of each step.
func ExampleSyncPlan_Run() {
	client, _ := demo()
	ctx := context.Background()
	plan, err := client.Users.PlanSync(ctx, staff(), rocketchat.SyncOptions{Departed: ours, MaxDeactivations: 0.5})
	if err != nil {
		log.Fatal(err)
	}
	report, err := plan.Run(ctx)
	if err != nil {
		fmt.Println(err) // the first failure; the report has them all
	}
	for _, result := range report.Results {
		fmt.Println(string(result.Action), result.Username, result.Done)
	}
	// Output:
	// update ann true
	// create carol true
	// deactivate bob true
}

// Sync plans and runs. What is as it should be costs no call, so a sync that was cut
// off is finished by the next one.
func ExampleUsersService_Sync() {
	client, _ := demo()
	for range 2 {
		report, err := client.Users.Sync(context.Background(), staff(), rocketchat.SyncOptions{Departed: ours, MaxDeactivations: 0.5})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(report.Count(rocketchat.SyncCreate), "created,",
			report.Count(rocketchat.SyncUpdate), "updated,",
			report.Count(rocketchat.SyncDeactivate), "deactivated")
	}
	// Output:
	// 1 created, 1 updated, 1 deactivated
	// 0 created, 0 updated, 0 deactivated
}

// Calls tells what a plan costs before it is run: 10 calls of an endpoint in a minute
// are what a server allows by default.
func ExampleSyncPlan_Calls() {
	client, _ := demo()
	plan, err := client.Users.PlanSync(context.Background(), staff(), rocketchat.SyncOptions{})
	if err != nil {
		log.Fatal(err)
	}
	calls := plan.Calls()
	fmt.Println(calls["users.create"], calls["users.update"], calls["users.info"])
	// Output:
	// 1 1 1
}

// A list that came in short does not empty the server.
func ExampleTooManyDeactivationsError() {
	client, _ := demo()
	_, err := client.Users.PlanSync(context.Background(), staff()[:0], rocketchat.SyncOptions{Departed: ours})
	if many, ok := errors.AsType[*rocketchat.TooManyDeactivationsError](err); ok {
		fmt.Println(many.Planned, "of", many.Active)
	}
	// Output:
	// 2 of 4
}

// Progress is called after every step.
func ExampleSyncOptions_progress() {
	client, _ := demo()
	_, err := client.Users.Sync(context.Background(), staff(), rocketchat.SyncOptions{
		Concurrency: 1,
		Progress: func(p rocketchat.SyncProgress) {
			fmt.Printf("%d of %d\n", p.Ended, p.Total)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 of 2
	// 2 of 2
}
