// Command testserver serves the in-memory Rocket.Chat server of package rocketchattest over HTTP, to try bots and scripts against.
// All state is lost when it stops.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

const shutdownTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testserver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("testserver", flag.ContinueOnError)
	var (
		addr         = flags.String("addr", "127.0.0.1:3000", "`address` to listen on")
		password     = flags.String("password", "", "`password` of the administrator \"admin\" (default "+rocketchattest.AdminPassword+")")
		limit        = flags.Int("limit", 10, "`calls` of a route that pass in a window; 0 switches the rate limiter off")
		window       = flags.Duration("window", time.Minute, "`length` of a rate limit window")
		secondFactor = flags.Bool("second-factor", false, "ask for a second factor, as servers do by default")
		hiddenLimit  = flags.Bool("hidden-limit", false, "limit status texts and e-mail changes per user and minute, as servers do")
		latency      = flags.Duration("latency", 0, "`time` that every answer takes")
		version      = flags.String("version", "7.7.1", "server `version` to play")
	)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "testserver serves an in-memory Rocket.Chat server for everything around users.\n\n"+
			"usage: testserver [flags]\n\n")
		flags.PrintDefaults()
		fmt.Fprint(flags.Output(), "\nexample:\n  testserver -addr 127.0.0.1:3000 -limit 0\n"+
			"  curl -d user=admin -d password=... http://127.0.0.1:3000/api/v1/login\n")
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	options := []rocketchattest.Option{
		rocketchattest.WithLimit(*limit, *window),
		rocketchattest.WithLatency(*latency),
		rocketchattest.WithVersion(*version),
	}
	if *password != "" {
		options = append(options, rocketchattest.WithAdminPassword(*password))
	}
	if *secondFactor {
		options = append(options, rocketchattest.WithSecondFactor())
	}
	if *hiddenLimit {
		options = append(options, rocketchattest.WithHiddenLimit())
	}

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return err
	}
	shown := "the password you gave"
	if *password == "" {
		shown = rocketchattest.AdminPassword
	}
	fmt.Printf("Rocket.Chat %s in memory at http://%s\nlog in as admin with %s; stop with Ctrl-C\n", *version, listener.Addr(), shown)
	return serve(ctx, listener, rocketchattest.New(options...))
}

// serve answers until the context ends, then lets running answers finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       time.Minute,
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
