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

const environment = `Environment:
  ROCKETCHAT_URL       address of the server; without it, a server in memory is used
  ROCKETCHAT_USER_ID   with ROCKETCHAT_TOKEN: act with a login token or a personal access token
  ROCKETCHAT_TOKEN
  ROCKETCHAT_USER      with ROCKETCHAT_PASSWORD: log in, and log out at the end
  ROCKETCHAT_PASSWORD  answers, also beside a token, when the server asks for the password as a
                       second factor; what is not set is asked for on a terminal
  ROCKETCHAT_PLAIN_HTTP=true  allow an http address of another machine, although everybody on
                       the way can read along
  NO_COLOR             set it to anything for output without colors
`

// Demo describes the embedded server, which a tool uses if there is no other.
type Demo struct {
	Options []rocketchattest.Option
	Prepare func(*rocketchattest.Server) // makes more than the people of [Staff]; may be nil
}

// connect makes the client.
func (s *Session) connect(ctx context.Context, demo Demo) error {
	user, token, password := os.Getenv("ROCKETCHAT_USER"), os.Getenv("ROCKETCHAT_TOKEN"), os.Getenv("ROCKETCHAT_PASSWORD")
	switch {
	case os.Getenv("ROCKETCHAT_URL") == "" && user+token+password+os.Getenv("ROCKETCHAT_USER_ID") != "":
		return Usage("there are credentials for a server, but ROCKETCHAT_URL is not set")
	case os.Getenv("ROCKETCHAT_URL") == "":
		return s.embed(demo)
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
	s.Client, err = rocketchat.FromEnv(
		rocketchat.WithUserAgent("rocketchat-go-examples"),
		rocketchat.WithTwoFactor(prompt.SecondFactor(rocketchat.NewSecret(password))),
		rocketchat.WithTrace(s.waits()),
	)
	if errors.Is(err, rocketchat.ErrInvalid) {
		return Usage("%s", Explain(err))
	}
	return err
}

// embed starts a server in memory and logs in as its administrator.
func (s *Session) embed(demo Demo) error {
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
	s.Note("ROCKETCHAT_URL is not set: this is a server in memory with %d accounts, which is gone at the end", len(s.Demo.Users()))
	var err error
	s.Client, err = rocketchat.New(s.Demo.URL(),
		rocketchat.WithTransport(s.Demo),
		rocketchat.WithLogin("admin", rocketchattest.AdminPassword),
		rocketchat.WithTwoFactor(rocketchat.AnswerWithPassword(rocketchat.NewSecret(rocketchattest.AdminPassword))),
		rocketchat.WithTrace(s.waits()),
	)
	return err
}
