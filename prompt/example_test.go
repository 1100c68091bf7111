package prompt_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/prompt"
)

func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	password, err := prompt.Password(ctx, "Password: ")
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := rocketchat.New("https://chat.example.org",
		rocketchat.WithLogin("ann", password.Reveal()),
		rocketchat.WithTwoFactor(prompt.SecondFactor(password)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
}
