package rocketchat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// Programs branch on the class of an error, which does not depend on the wording or the
// version of the server.
func ExampleClass() {
	client, _ := demo()
	_, err := client.Users.Get(context.Background(), rocketchat.ByUsername("nobody"))
	switch {
	case errors.Is(err, rocketchat.ErrNotFound):
		fmt.Println("no such user")
	case errors.Is(err, rocketchat.ErrForbidden):
		fmt.Println("a permission is missing")
	case errors.Is(err, rocketchat.ErrRateLimited):
		fmt.Println("try again later")
	case err != nil:
		fmt.Println(err)
	}
	// Output:
	// no such user
}

// Where a class is not enough, check the server's own code.
func ExampleCode() {
	client, _ := demo()
	_, err := client.Users.Create(context.Background(), rocketchat.UserCreateOptions{
		Username: "ann", Email: "another@example.org", Name: "Ann", Password: rocketchat.NewSecret("secret"),
	})
	fmt.Println(errors.Is(err, rocketchat.ErrTaken))
	fmt.Println(errors.Is(err, rocketchat.CodeFieldUnavailable))
	// Output:
	// true
	// true
}

// An Error holds what is known about a failure.
func ExampleError() {
	client, _ := demo()
	_, err := client.Roles.Users(context.Background(), "captains", rocketchat.RoleUsersOptions{})
	if e, ok := errors.AsType[*rocketchat.Error](err); ok {
		fmt.Println("op:      ", e.Op)
		fmt.Println("status:  ", e.StatusCode)
		fmt.Println("class:   ", string(e.Class))
		fmt.Println("code:    ", string(e.Code))
		fmt.Println("attempts:", e.Attempts)
	}
	// Output:
	// op:       roles.getUsersInRole
	// status:   400
	// class:    not found
	// code:     error-invalid-roleId
	// attempts: 1
}

// A write may have taken effect although its response was lost. It is not retried
// unless it is idempotent: the error says so, and the program decides.
func ExampleError_outcomeUnknown() {
	client, server := demo()
	server.AnswerNext("users.delete", func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler) // the connection breaks
	})
	ctx := context.Background()

	_, err := client.Users.Delete(ctx, rocketchat.ByID("bob-id"), rocketchat.UserDeleteOptions{})
	if errors.Is(err, rocketchat.ErrOutcomeUnknown) {
		_, err = client.Users.Get(ctx, rocketchat.ByID("bob-id"))
		fmt.Println("is gone:", errors.Is(err, rocketchat.ErrNotFound))
	}
	// Output:
	// is gone: false
}

// An argument that no server would accept is rejected before anything is sent.
func ExampleError_field() {
	client, server := demo()
	_, err := client.Users.Update(context.Background(), rocketchat.ByID(""), rocketchat.UserUpdateOptions{Name: new("Ann")})
	if e, ok := errors.AsType[*rocketchat.Error](err); ok && errors.Is(err, rocketchat.ErrInvalid) {
		fmt.Println(e.Field, e.Message)
		fmt.Println("calls sent:", len(server.Calls()))
	}
	// Output:
	// userId must not be empty
	// calls sent: 0
}

// RetryAfter says when the call can be tried again.
func ExampleError_retryAfter() {
	_, server := demo(rocketchattest.WithLimit(1, time.Minute))
	client := actFor("ann", server)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()

	for range 2 {
		_, err := client.Me.Get(ctx)
		if e, ok := errors.AsType[*rocketchat.Error](err); ok {
			// The deadline of ctx comes before the next window, so the call does not wait.
			fmt.Println(string(e.Class), e.RetryAfter > 50*time.Second)
		}
	}
	// Output:
	// rate limited true
}

// The last owner of rooms is deactivated only if the caller agrees to what becomes of
// the rooms.
func ExampleLastOwnerError() {
	client, server := demo()
	room := server.AddRoom("planning", "ann")
	server.Join(room, "bob")
	ctx := context.Background()

	err := client.Users.Deactivate(ctx, rocketchat.ByID("ann-id"), rocketchat.UserDeactivateOptions{})
	if rooms, ok := errors.AsType[*rocketchat.LastOwnerError](err); ok {
		fmt.Println("get another owner:", rooms.ShouldChangeOwner)
		fmt.Println("would be deleted: ", rooms.ShouldBeRemoved)
	}
	// Output:
	// get another owner: [planning]
	// would be deleted:  []
}

// All rules that a password breaks are listed.
func ExamplePasswordPolicyError() {
	client, _ := demo(
		rocketchattest.WithSetting("Accounts_Password_Policy_Enabled", true),
		rocketchattest.WithSetting("Accounts_Password_Policy_MinLength", 12))

	_, err := client.Users.Register(context.Background(), rocketchat.UserRegisterOptions{
		Username: "carol", Name: "Carol", Email: "carol@example.org", Password: rocketchat.NewSecret("secret"),
	})
	if policy, ok := errors.AsType[*rocketchat.PasswordPolicyError](err); ok {
		for _, v := range policy.Violations {
			fmt.Println(string(v.Code))
		}
	}
	// Output:
	// error-password-policy-not-met-minLength
	// error-password-policy-not-met-oneUppercase
	// error-password-policy-not-met-oneNumber
	// error-password-policy-not-met-oneSpecial
}

// A server that does not know an endpoint is usually too old for it.
func ExampleError_endpointUnknown() {
	client, _ := demo(rocketchattest.WithVersion("8.6.1"))
	_, err := client.TwoFactor.TOTPCodesRemaining(context.Background())
	fmt.Println(errors.Is(err, rocketchat.ErrEndpointUnknown))
	fmt.Println(err)
	// Output:
	// true
	// rocketchat: users.totpCodesRemaining: 404: endpoint unknown: users.totpCodesRemaining needs server 8.8.0 or newer
}
