package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// testserver holds the flags.
type testserver struct {
	Addr         string        `default:"127.0.0.1:3000" placeholder:"ADDRESS" help:"Address to listen on. Default: ${default}."`
	Version      string        `default:"7.7.1" help:"Server version to play. Default: ${default}."`
	Password     string        `help:"Password of the administrator \"admin\". By default it is printed."`
	Seed         string        `placeholder:"FILE" help:"File of people to start with, see above; - is standard input."`
	Mails        string        `placeholder:"FILE" help:"File to write mails to, too."`
	Accounts     bool          `help:"Add ann, an ordinary user who counts against limits, and tom, who has an authenticator app."`
	TestMode     bool          `help:"Start in the server's own test mode: no limits, a second administrator."`
	Limit        int           `default:"10" placeholder:"CALLS" help:"Calls of a route that pass in a window; 0 switches the rate limiter off. Default: ${default}."`
	Window       time.Duration `default:"1m" placeholder:"TIME" help:"Length of a rate limit window. Default: ${default}."`
	Latency      time.Duration `placeholder:"TIME" help:"Time that every answer takes."`
	Setting      []string      `sep:"none" placeholder:"NAME=VALUE" help:"A server setting; may be given several times."`
	Env          []string      `sep:"none" placeholder:"NAME=VALUE" help:"A variable of the server's environment; may be given several times."`
	SecondFactor bool          `help:"Ask for a second factor, as servers do by default."`
	HiddenLimit  bool          `help:"Limit changes per user and minute, as old servers do."`
	License      bool          `help:"Have a licence, for custom roles."`
}

// options are those of the server.
func (t *testserver) options() ([]rocketchattest.Option, error) {
	if t.Limit < 0 || t.Window <= 0 || t.Latency < 0 {
		return nil, cli.Usage("--limit and --latency must not be negative, --window must be positive")
	}
	options := []rocketchattest.Option{
		rocketchattest.WithVersion(t.Version), rocketchattest.WithAdminPassword(t.password()),
		rocketchattest.WithLimit(t.Limit, t.Window), rocketchattest.WithLatency(t.Latency),
	}
	for flag, list := range map[string][]string{"setting": t.Setting, "env": t.Env} {
		for _, assignment := range list {
			name, value, ok := strings.Cut(assignment, "=")
			switch {
			case !ok || name == "":
				return nil, cli.Usage("--%s must be NAME=VALUE, not %q", flag, assignment)
			case flag == "env":
				options = append(options, rocketchattest.WithEnv(name, value))
			default:
				options = append(options, rocketchattest.WithSetting(name, settingValue(value)))
			}
		}
	}
	for _, chosen := range []struct {
		is     bool
		option rocketchattest.Option
	}{
		{t.SecondFactor, rocketchattest.WithSecondFactor()},
		{t.HiddenLimit, rocketchattest.WithHiddenLimit()},
		{t.License, rocketchattest.WithLicense()},
		{t.TestMode, rocketchattest.WithTestMode()},
	} {
		if chosen.is {
			options = append(options, chosen.option)
		}
	}
	return options, nil
}

func (t *testserver) password() string {
	if t.Password == "" {
		return rocketchattest.AdminPassword
	}
	return t.Password
}

// settingValue parses booleans and numbers, and returns everything else as a string.
func settingValue(s string) any {
	var value any
	if json.Unmarshal([]byte(s), &value) == nil {
		switch value.(type) {
		case bool, float64:
			return value
		}
	}
	return s
}

// prepare adds the people that the options name and returns a line about each way to log in.
func (t *testserver) prepare(ctx context.Context, s *cli.Session, server *rocketchattest.Server) ([]string, error) {
	lines := []string{"log in as admin with " + rocketchattest.AdminPassword}
	if t.Password != "" {
		lines[0] = "log in as admin with the password you gave"
	}
	if t.TestMode {
		lines = append(lines, "log in as "+rocketchattest.TestAdmin+" with its name as the password")
	}
	if t.Accounts {
		for _, u := range demoAccounts() {
			if _, err := server.AddUser(u); err != nil {
				return nil, err
			}
			line := "log in as " + u.Username + " with " + u.Password
			if u.TOTPSecret != "" {
				line += ", authenticator secret " + u.TOTPSecret
			}
			lines = append(lines, line)
		}
	}
	if t.Seed == "" {
		return lines, nil
	}
	name, data, err := cli.ReadUTF8(ctx, t.Seed)
	if err != nil {
		return nil, err
	}
	people, problems := readPeople(name, data)
	for _, p := range people {
		if _, err := server.AddUser(p.User); err != nil {
			problems.Add(p.line, "%v", err)
		}
	}
	if !problems.None() {
		return nil, s.Refuse(problems)
	}
	return append(lines, fmt.Sprintf("%s from %s", cli.Count(len(people), "person", "people"), name)), nil
}

func demoAccounts() []rocketchattest.User {
	return []rocketchattest.User{
		{Username: "ann", Name: "Ann Lee", Email: "ann@example.org", Password: "Ann-Passw0rd-123"},
		{Username: "tom", Name: "Tom Otp", Email: "tom@example.org", Password: "Tom-Passw0rd-123", TOTPSecret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"},
	}
}
