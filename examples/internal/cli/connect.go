package cli

import (
	"errors"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

const environment = `environment:
  ROCKETCHAT_URL       address of the server; without it, a server in memory is used
  ROCKETCHAT_USER_ID   with ROCKETCHAT_TOKEN: act with a login token or a personal access token
  ROCKETCHAT_TOKEN
  ROCKETCHAT_USER      with ROCKETCHAT_PASSWORD: log in, and log out at the end
  ROCKETCHAT_PASSWORD  with a token, too, it answers when the server asks for the password as a
                       second factor; what is not known is asked for on a terminal
  ROCKETCHAT_PLAIN_HTTP=true  allow an http address of another machine: everybody on the way
                       can read along
`

// settings are what the environment says.
type settings struct {
	URL       string            `env:"ROCKETCHAT_URL"`
	UserID    string            `env:"ROCKETCHAT_USER_ID"`
	Token     rocketchat.Secret `env:"ROCKETCHAT_TOKEN"`
	User      string            `env:"ROCKETCHAT_USER"`
	Password  rocketchat.Secret `env:"ROCKETCHAT_PASSWORD"`
	PlainHTTP bool              `env:"ROCKETCHAT_PLAIN_HTTP"`
}

// Demo describes the embedded server, which a tool uses when there is no other.
type Demo struct {
	Options []rocketchattest.Option
	Prepare func(*rocketchattest.Server) // makes more than the people of [Staff]; may be nil
}

// connect makes the client.
func (s *Session) connect(demo Demo) error {
	set, err := env.ParseAs[settings]()
	if err != nil {
		return Usage("%v", err)
	}
	switch {
	case set.URL == "" && (set.UserID != "" || !set.Token.IsZero() || set.User != "" || !set.Password.IsZero()):
		return Usage("there are credentials for a server, but ROCKETCHAT_URL is not set")
	case set.URL == "":
		return s.embed(demo)
	}
	opts := []rocketchat.Option{
		rocketchat.WithUserAgent("rocketchat-go-examples"),
		rocketchat.WithTwoFactor(s.secondFactor(set.Password)),
		rocketchat.WithWaitHook(newWaits(s.waiting).tell),
	}
	switch {
	case set.UserID != "" && !set.Token.IsZero():
		s.Token = set.Token
		opts = append(opts, rocketchat.WithToken(set.UserID, set.Token))
	case set.User != "" && !set.Password.IsZero():
		opts = append(opts, rocketchat.WithLogin(set.User, set.Password))
	default:
		return Usage("ROCKETCHAT_URL needs ROCKETCHAT_USER_ID and ROCKETCHAT_TOKEN, or ROCKETCHAT_USER and ROCKETCHAT_PASSWORD")
	}
	if set.PlainHTTP {
		opts = append(opts, rocketchat.WithPlainHTTP())
	}
	s.Client, err = rocketchat.New(set.URL, opts...)
	if errors.Is(err, rocketchat.ErrInvalid) {
		return Usage("ROCKETCHAT_URL: %v", err)
	}
	return err
}

// embed starts a server in memory and logs in as its administrator.
func (s *Session) embed(demo Demo) error {
	s.Demo = rocketchattest.New(append([]rocketchattest.Option{rocketchattest.WithSecondFactor()}, demo.Options...)...)
	for _, person := range Staff(time.Now()) {
		if _, err := s.Demo.AddUser(person); err != nil {
			return err
		}
	}
	if demo.Prepare != nil {
		demo.Prepare(s.Demo)
	}
	s.Note("ROCKETCHAT_URL is not set: this is a server in memory with %d accounts, which is gone at the end.", len(s.Demo.Users()))
	var err error
	s.Client, err = rocketchat.New(s.Demo.URL(),
		rocketchat.WithTransport(s.Demo),
		rocketchat.WithLogin("admin", rocketchat.NewSecret(rocketchattest.AdminPassword)),
		rocketchat.WithTwoFactor(rocketchat.AnswerWithPassword(rocketchat.NewSecret(rocketchattest.AdminPassword))),
		rocketchat.WithWaitHook(newWaits(s.waiting).tell),
	)
	return err
}

func (s *Session) waiting(op string, wait time.Duration) {
	s.Note("   (waiting %s for the server's rate limit of %s)", wait.Round(100*time.Millisecond), op)
}
