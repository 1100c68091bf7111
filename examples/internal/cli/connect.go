package cli

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/prompt"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// environment explains the variables, each in a paragraph of the help.
var environment = []string{
	"ROCKETCHAT_URL is the address of the server. Without it, a server in memory is used.",
	"ROCKETCHAT_USER_ID and ROCKETCHAT_TOKEN: act with a login token or a personal access token.",
	"ROCKETCHAT_USER and ROCKETCHAT_PASSWORD: log in, and log out at the end. The password also answers when the server asks for it as a second factor, beside a token, too. On a terminal, a missing password is asked for.",
	"ROCKETCHAT_PLAIN_HTTP=true allows an http address of another machine, although everybody on the way can read along.",
	"NO_COLOR, set to anything, turns colors off.",
}

// Demo describes the embedded server, which a tool uses without ROCKETCHAT_URL.
type Demo struct {
	Options []rocketchattest.Option
	Prepare func(*rocketchattest.Server) // adds to the people of [Staff]; may be nil
}

// connect makes the client.
func (s *Session) connect(ctx context.Context, demo Demo, options []rocketchat.Option) error {
	user, token, password := os.Getenv("ROCKETCHAT_USER"), os.Getenv("ROCKETCHAT_TOKEN"), os.Getenv("ROCKETCHAT_PASSWORD")
	switch {
	case os.Getenv("ROCKETCHAT_URL") == "" && user+token+password+os.Getenv("ROCKETCHAT_USER_ID") != "":
		return Usage("credentials are set, but ROCKETCHAT_URL is not")
	case os.Getenv("ROCKETCHAT_URL") == "":
		return s.embed(demo, options)
	case user == "" && token == "":
		return Usage("ROCKETCHAT_URL needs ROCKETCHAT_USER_ID and ROCKETCHAT_TOKEN, or ROCKETCHAT_USER and ROCKETCHAT_PASSWORD")
	case token == "" && password == "" && s.screen != nil:
		typed, err := prompt.Password(ctx, "Password of "+Plain(user)+": ")
		if err != nil {
			return err
		}
		password = typed.Reveal()
		if err := os.Setenv("ROCKETCHAT_PASSWORD", password); err != nil {
			return err
		}
	}
	var err error
	s.Client, err = rocketchat.FromEnv(append([]rocketchat.Option{
		rocketchat.WithUserAgent("rocketchat-go-examples"),
		rocketchat.WithTwoFactor(prompt.SecondFactor(rocketchat.NewSecret(password))),
		rocketchat.WithTrace(s.waits()),
	}, options...)...)
	if errors.Is(err, rocketchat.ErrInvalid) {
		return Usage("%s", Explain(err))
	}
	return err
}

// embed starts a server in memory and logs in as its administrator.
func (s *Session) embed(demo Demo, options []rocketchat.Option) error {
	s.Demo = rocketchattest.New(append([]rocketchattest.Option{
		rocketchattest.WithSecondFactor(),
		rocketchattest.WithSetting("Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In", false), // new users log in by password alone
	}, demo.Options...)...)
	for _, person := range Staff(time.Now()) {
		if _, err := s.Demo.AddUser(person); err != nil {
			return err
		}
	}
	if demo.Prepare != nil {
		demo.Prepare(s.Demo)
	}
	s.Note("ROCKETCHAT_URL is not set; using a server in memory with %d accounts", len(s.Demo.Users()))
	var err error
	s.Client, err = rocketchat.New(s.Demo.URL(), append([]rocketchat.Option{
		rocketchat.WithTransport(s.Demo),
		rocketchat.WithLogin("admin", rocketchattest.AdminPassword),
		rocketchat.WithTwoFactor(rocketchat.AnswerWithPassword(rocketchat.NewSecret(rocketchattest.AdminPassword))),
		rocketchat.WithTrace(s.waits()),
	}, options...)...)
	return err
}
