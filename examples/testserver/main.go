// Command testserver serves the in-memory Rocket.Chat server of package rocketchattest over
// HTTP, for trying bots and scripts. All state is lost when it stops.
package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

const shutdownTimeout = 5 * time.Second

func main() {
	cli.Main(cli.Tool{
		Name: "testserver",
		Summary: `Serves an in-memory Rocket.Chat server with everything that concerns users. The log-in of the administrator is printed at the start. Mails that a real server would send are at /mails, one JSON object per line.

The file of --seed is CSV, with the column username and any of id, name, email, password, roles (separated by spaces), active (true or false), verified (true or false), totp (the base32 secret of an authenticator app).`,
		Examples: []string{
			"--addr 127.0.0.1:3000 --limit 0",
			"--version 8.3.0 --setting Accounts_AllowUsernameChange=false --seed people.csv",
		},
		Offline: true,
		Command: new(testserver),
	})
}

// Run implements [cli.Command].
func (t *testserver) Run(ctx context.Context, s *cli.Session) error {
	options, err := t.options()
	if err != nil {
		return err
	}
	server, err := rocketchattest.Start(options...)
	if err != nil {
		return cli.Usage("%v", err)
	}
	accounts, err := t.prepare(ctx, s, server)
	if err != nil {
		return err
	}
	box := &outbox{server: server}
	if t.Mails != "" {
		if box.file, err = os.Create(t.Mails); err != nil {
			return err
		}
		defer box.file.Close()
	}
	listener, err := cli.Listen(ctx, "addr", t.Addr)
	if err != nil {
		return err
	}
	s.Print("Rocket.Chat %s in memory at http://%s", t.Version, listener.Addr())
	for _, account := range accounts {
		s.Print("%s", account)
	}
	s.Print("mails are at /mails; Ctrl-C stops the server")
	return serve(ctx, listener, box.wrap(server))
}

// serve answers requests until the context ends, then lets running ones finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute, // longer than clients wait for a rate limit
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return server.Shutdown(grace)
}
