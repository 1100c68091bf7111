package rocketchat_test

import (
	"context"
	"fmt"
	"log"
	"sync"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// vault returns the token that it read last, and reads again if the server refuses it.
type vault struct {
	read func() rocketchat.Credentials

	mu   sync.Mutex
	last rocketchat.Credentials
}

func (v *vault) Credentials(_ context.Context, refused rocketchat.Credentials) (rocketchat.Credentials, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last == refused { // nothing was read yet, or it is no longer valid
		v.last = v.read()
	}
	return v.last, nil
}

// A provider suits tokens that are rotated elsewhere: it is asked again after a 401,
// and the call is repeated once with its answer.
func ExampleWithCredentials() {
	server := rocketchattest.New()
	reads := 0
	secrets := &vault{read: func() rocketchat.Credentials {
		reads++
		userID, token := server.PersonalAccessToken("admin", "nightly", false)
		return rocketchat.Credentials{UserID: userID, Token: rocketchat.NewSecret(token)}
	}}
	client, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server), rocketchat.WithCredentials(secrets))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if _, err := client.Me.Get(ctx); err != nil {
		log.Fatal(err)
	}
	server.PersonalAccessToken("admin", "nightly", false) // replaces the old one
	if _, err := client.Me.Get(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("read", reads, "times")
	// Output:
	// read 2 times
}
