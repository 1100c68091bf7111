// Command quickstart is a tour of the library: it does what programs do with the users of
// a server, step by step, and removes what it created. The steps are in package tour.
package main

import (
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/examples/internal/tour"
)

func main() {
	cli.Main(cli.Tool{
		Name: "quickstart",
		Summary: "Shows the client at work: it looks around, creates five accounts, changes one, sets a status, issues and revokes a token, " +
			"searches, meets an error and a rate limit, and deletes the accounts again, even after a failure or Ctrl-C.",
		Permissions: tour.Permissions,
		Examples:    []string{"", "--dry-run", "--calls 25"},
		Changes:     true,
		Demo:        tour.Demo(),
		Command:     new(tour.Tour),
	})
}
