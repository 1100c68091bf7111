package rocketchat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/rocketchat-go/rocketchat"
)

// staff is a list as a directory might have it: carol is new, ann has changed her name, bob
// has left.
func staff() []rocketchat.DesiredUser {
	return []rocketchat.DesiredUser{
		{Username: "ann", Email: "ann@example.org", Name: "Ann Leigh"},
		{Username: "carol", Email: "carol@example.org", Name: "Carol King", Roles: []string{"user"}},
	}
}

// ours is the scope of the sync: other accounts are not deactivated.
func ours(user *rocketchat.User) bool {
	return strings.HasSuffix(user.PrimaryEmail(), "@example.org")
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

// Run carries out a plan. The report has the result of each step.
func ExampleSyncPlan_Run() {
	client, _ := demo()
	ctx := context.Background()
	plan, err := client.Users.PlanSync(ctx, staff(), rocketchat.SyncOptions{Departed: ours, MaxDeactivations: 0.5})
	if err != nil {
		log.Fatal(err)
	}
	report, err := plan.Run(ctx)
	if report == nil { // the plan cannot be run
		log.Fatal(err)
	}
	if err != nil {
		fmt.Println(err) // how many steps were not done, and why the first of them was not
	}
	for _, result := range report.Results {
		fmt.Println(string(result.Action), result.Username, result.Done)
	}
	// Output:
	// update ann true
	// create carol true
	// deactivate bob true
}

// Sync plans and runs. Accounts that are as they should be cost no call, so a sync that
// was cut off is completed by the next one.
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

// Calls tells what a plan costs before it is run. By default servers allow 10 calls of an
// endpoint in a minute.
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

// An incomplete list does not empty the server.
func ExampleTooManyDeactivationsError() {
	client, _ := demo()
	onlyCarol := staff()[1:]
	_, err := client.Users.PlanSync(context.Background(), onlyCarol, rocketchat.SyncOptions{Departed: ours})
	if many, ok := errors.AsType[*rocketchat.TooManyDeactivationsError](err); ok {
		fmt.Println(many.Planned, "of", many.Active)
	}
	// Output:
	// 2 of 2
}

// With a Ref that does not change, a new username is a rename. Two people can also swap
// their names: one of them gets a temporary name in between.
func ExampleDesiredUser_Ref() {
	client, server := demo()
	ann, _ := server.User("ann")
	bob, _ := server.User("bob")
	report, err := client.Users.Sync(context.Background(), []rocketchat.DesiredUser{
		{Ref: rocketchat.ByID(ann.ID), Username: "bob"},
		{Ref: rocketchat.ByID(bob.ID), Username: "ann"},
	}, rocketchat.SyncOptions{})
	if err != nil {
		log.Fatal(err)
	}
	ann, _ = server.User("bob")
	fmt.Println(report.Count(rocketchat.SyncUpdate), "updated;", ann.Name, "is now", ann.Username)
	// Output:
	// 2 updated; Ann Lee is now bob
}

// A plan names what it refuses, and why.
func ExampleSyncRefusal() {
	client, _ := demo()
	_, err := client.Users.Sync(context.Background(), []rocketchat.DesiredUser{
		{Username: "ann", Roles: []string{"chief"}},
		{Username: "bob", Email: "ann@example.org"},
	}, rocketchat.SyncOptions{})
	fmt.Println(errors.Is(err, rocketchat.SyncUnknownRole))
	if failed, ok := errors.AsType[*rocketchat.SyncError](err); ok {
		for _, refusal := range failed.Refusals {
			fmt.Println(refusal)
		}
	}
	// Output:
	// true
	// ann: there is no role with the ID "chief"
	// bob: the address ann@example.org belongs to ann
}

// A journal lets another process continue after a crash.
func ExampleReadSyncJournal() {
	client, _ := demo()
	var journal bytes.Buffer // a file, in a program
	before, err := rocketchat.ReadSyncJournal(&journal)
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Users.Sync(context.Background(), staff(), rocketchat.SyncOptions{Journal: &journal, Resume: before})
	if err != nil {
		log.Fatal(err)
	}
	after, err := rocketchat.ReadSyncJournal(&journal)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(after.Finished, len(after.UnderWay))
	// Output:
	// true 0
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
