package totp_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
	"github.com/rocketchat-go/rocketchat/totp"
)

// A bot whose account has an authenticator app logs in without a person. The server is in
// memory; leave out WithTransport and give New the address of yours.
func ExampleFromSecret() {
	const secret = "JBSWY3DPEHPK3PXP"
	server := rocketchattest.New(rocketchattest.WithSecondFactor())
	if _, err := server.AddUser(rocketchattest.User{
		Username: "robot", Email: "robot@example.org", Password: "Robot-Passw0rd-1", TOTPSecret: secret,
	}); err != nil {
		log.Fatal(err)
	}

	client, err := rocketchat.New(server.URL(),
		rocketchat.WithTransport(server),
		rocketchat.WithLogin("robot", "Robot-Passw0rd-1"),
		rocketchat.WithTwoFactor(totp.FromSecret(rocketchat.NewSecret(secret))))
	if err != nil {
		log.Fatal(err)
	}
	me, err := client.Me.Get(context.Background()) // the log-in needs the code
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Username)
	if err := client.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// robot
}
