// Package tour is a tour of the library: it does what programs do with the users of a
// server, step by step, and removes what it created. The example quickstart shows it.
package tour

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// Permissions are what the account of a tour needs.
const Permissions = "create-user, delete-user, edit-other-user-info, view-d-room, view-full-other-user-info"

// Demo is the embedded server of a tour. The limit of a real server is 10 calls in 60 s;
// this one is short for the tour.
func Demo() cli.Demo {
	return cli.Demo{Options: []rocketchattest.Option{rocketchattest.WithLimit(10, 2*time.Second)}}
}

// Tour holds the state of a tour.
type Tour struct {
	*cli.Session `kong:"-"`

	Calls *int `placeholder:"NUMBER" help:"Number of calls to make for the rate limit; 0 skips that step. By default 25 on the embedded server, 0 on any other."`

	calls  int
	prefix string // of the names of this run
	users  []*rocketchat.CreatedUser
	made   []string           // the usernames of the accounts to delete at the end
	ben    *rocketchat.Client // logged in as the second of them
	meter  meter
	number int
}

// Run implements [cli.Command].
func (t *Tour) Run(ctx context.Context, s *cli.Session) (err error) {
	t.Session = s
	t.prefix = "qs-" + strings.ToLower(rand.Text()[:6])
	switch {
	case t.Calls != nil:
		t.calls = *t.Calls
	case s.Demo != nil:
		t.calls = 25
	}
	if t.calls < 0 {
		return cli.Usage("--calls must not be negative")
	}
	defer func() { err = errors.Join(err, t.cleanUp(ctx)) }()

	steps := []func(context.Context) error{
		t.whoAmI, t.createUsers, t.listUsers, t.updateOne, t.actAsBen, t.setStatus, t.useTokens, t.search, t.meetAnError, t.meetTheLimit,
	}
	if s.DryRun {
		steps = []func(context.Context) error{t.whoAmI, t.listUsers, t.whatElse}
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// step prints the title of a step and an explanation.
func (t *Tour) step(title, about string) {
	t.number++
	t.Print("")
	t.Print("%d. %s", t.number, title)
	t.Print("   %s", about)
}

func (t *Tour) say(format string, args ...any) { t.Print("   > "+format, args...) }

func (t *Tour) whoAmI(ctx context.Context) error {
	t.step("Who am I, and where?", "Me.Get returns the account that the client acts for. Server.Info needs no account.")
	me, err := t.Client.Me.Get(ctx)
	if err != nil {
		return err
	}
	info, err := t.Client.Server.Info(ctx)
	if err != nil {
		return err
	}
	t.say("%s (%s) with the roles %s", me.Username, me.Name, strings.Join(me.Roles, ", "))
	t.say("Rocket.Chat %s at %s", info.Version, t.Client.BaseURL())
	return nil
}

func (t *Tour) createUsers(ctx context.Context) error {
	t.step("Create five users", "If a response is lost, the client looks the account up instead of creating a second one.")
	for _, person := range []struct{ name, bio string }{
		{"Ada", "first programmer"}, {"Ben", "likes limits"}, {"Cleo", ""}, {"Dora", ""}, {"Emil", ""},
	} {
		in := rocketchat.UserCreateOptions{
			Username:            t.prefix + "." + strings.ToLower(person.name),
			Name:                person.name + " Quickstart",
			Email:               t.prefix + "." + strings.ToLower(person.name) + "@example.com",
			Password:            rocketchat.NewSecret(rand.Text() + "-aZ9!"),
			Bio:                 &person.bio,
			JoinDefaultChannels: new(false), // do not announce them in #general
			// Verified stays unset: servers ask users with a verified address for a mailed code.
		}
		user, err := t.Client.Users.Create(ctx, in)
		if err == nil || errors.Is(err, rocketchat.ErrOutcomeUnknown) {
			t.made = append(t.made, in.Username)
		}
		if err != nil {
			return err
		}
		t.users = append(t.users, user)
		t.say("%s has the id %s", user.Username, user.ID)

		if person.name == "Ben" {
			if t.ben, err = t.clientOf(user, in.Password); err != nil {
				return err
			}
		}
	}
	return nil
}

// clientOf derives a client for another account. It shares connections and the knowledge
// of rate limits with the first one.
func (t *Tour) clientOf(user *rocketchat.CreatedUser, password rocketchat.Secret) (*rocketchat.Client, error) {
	return t.Client.With(
		rocketchat.WithLogin(user.Username, password.Reveal()),
		rocketchat.WithTwoFactor(rocketchat.AnswerWithPassword(password)),
		rocketchat.WithTrace(rocketchat.Trace{AttemptDone: t.meter.see}),
	)
}

const shownUsers = 15

func (t *Tour) listUsers(ctx context.Context) error {
	t.step("List everybody", "Users.All is an iterator over all pages: for user, err := range client.Users.All(...).")
	var rows [][]string
	total := 0
	for user, err := range t.Client.Users.All(ctx, rocketchat.UserListOptions{Sort: []string{rocketchat.SortByUsername}}) {
		if err != nil {
			return err
		}
		if total++; total <= shownUsers {
			rows = append(rows, []string{user.Username, user.Name, user.PrimaryEmail(), strings.Join(user.Roles, " "), lastLogin(user)})
		}
	}
	t.Table([]string{"username", "name", "email", "roles", "last log-in"}, rows, "roles", "email")
	if total > shownUsers {
		t.say("and %d more", total-shownUsers)
	}
	return nil
}

func lastLogin(u *rocketchat.User) string {
	if u.LastLogin.IsZero() {
		return "never"
	}
	return u.LastLogin.Format(time.DateOnly)
}

func (t *Tour) updateOne(ctx context.Context) error {
	t.step("Change a name, and nothing else", "Servers clear bio and nickname if an update leaves them out. Users.Update sends them along.")
	ada := t.users[0]
	if _, err := t.Client.Users.Update(ctx, rocketchat.ByID(ada.ID), rocketchat.UserUpdateOptions{Name: new("Ada Lovelace")}); err != nil {
		return err
	}
	now, err := t.Client.Users.Get(ctx, rocketchat.ByID(ada.ID))
	if err != nil {
		return err
	}
	t.say("name %q -> %q, the bio is still %q", ada.Name, now.Name, now.Bio)
	return nil
}

func (t *Tour) actAsBen(ctx context.Context) error {
	t.step("Act as somebody else", "Client.With derives a client; WithLogin logs in on first use, and again when the session expires.")
	me, err := t.ben.Me.Get(ctx)
	if err != nil {
		return err
	}
	t.say("this client is %s", me.Username)
	return nil
}

func (t *Tour) setStatus(ctx context.Context) error {
	t.step("Set a status", "Status and message are set independently: the one that is left out stays.")
	err := t.ben.Status.Set(ctx, rocketchat.Self(), rocketchat.StatusSetOptions{Status: rocketchat.StatusBusy, Message: new("reading the README")})
	if err != nil {
		return err
	}
	user, err := t.Client.Users.Get(ctx, rocketchat.ByID(t.users[1].ID))
	if err != nil {
		return err
	}
	t.say("%s: %s", user.Username, user.StatusText)
	return nil
}

func (t *Tour) useTokens(ctx context.Context) error {
	t.step("Issue and revoke a personal access token", "The server asks for a second factor; WithTwoFactor answers. A Secret prints as [redacted].")
	const name = "quickstart"
	token, err := t.ben.Tokens.Generate(ctx, name, rocketchat.TokenGenerateOptions{})
	if err != nil {
		return err
	}
	text := token.Reveal()
	t.say("printed: %v, its last characters: %s", token, text[max(0, len(text)-6):])
	if err := t.ben.Tokens.Revoke(ctx, name); err != nil {
		return err
	}
	withToken, err := t.Client.With(rocketchat.WithToken(t.users[1].ID, token.Reveal()))
	if err != nil {
		return err
	}
	_, err = withToken.Me.Get(ctx)
	if !errors.Is(err, rocketchat.ErrUnauthorized) {
		return fmt.Errorf("a call with the revoked token should be refused: %w", err)
	}
	t.say("revoked; a call with it: %v", err)
	return nil
}

func (t *Tour) search(ctx context.Context) error {
	t.step("Search", "Autocomplete matches parts of names; ByUsernames finds many users by their exact usernames.")
	hits, err := t.Client.Users.Autocomplete(ctx, t.prefix+".c", rocketchat.UserAutocompleteOptions{})
	if err != nil {
		return err
	}
	for _, hit := range hits {
		t.say("%q finds %s (%s)", t.prefix+".c", hit.Username, hit.Name)
	}
	found, err := t.Client.Users.ByUsernames(ctx, []string{t.users[3].Username, t.users[4].Username, t.prefix + ".nobody"})
	if err != nil {
		return err
	}
	t.say("%d of three names are users; missing: %s", len(found.Users), strings.Join(found.Missing, ", "))
	return nil
}

func (t *Tour) meetAnError(ctx context.Context) error {
	t.step("Handle an error", "Errors have classes that do not depend on a server's wording: errors.Is(err, rocketchat.ErrTaken).")
	_, err := t.Client.Users.Create(ctx, rocketchat.UserCreateOptions{
		Username: t.users[0].Username, Name: "Another Ada", Email: t.prefix + ".another@example.com", Password: rocketchat.NewSecret(rand.Text()),
	})
	failure, ok := errors.AsType[*rocketchat.Error](err)
	if !ok || !errors.Is(err, rocketchat.ErrTaken) {
		return fmt.Errorf("the username should be taken: %w", err)
	}
	t.say("class %q, status %d, code %q", string(failure.Class), failure.StatusCode, string(failure.Code))
	t.say("%v", err)
	return nil
}

func (t *Tour) meetTheLimit(ctx context.Context) error {
	t.step("Meet the rate limit", "Servers limit the calls of ordinary users. The client learns the limit from the answers, and waits instead of being refused.")
	if t.calls == 0 {
		t.say("skipped, because it takes minutes on a real server; --calls 25 includes it")
		return nil
	}
	t.meter.reset()
	start := time.Now()
	shown := t.Progress("users.info", t.calls)
	defer shown.Close()
	for range t.calls {
		if _, err := t.ben.Users.Get(ctx, rocketchat.ByID(t.users[0].ID)); err != nil {
			return err
		}
		shown.Tick()
	}
	shown.Close()
	waited, refused := t.meter.totals()
	if limit, known := t.ben.RateLimit("users.info"); known && !limit.Exempt {
		t.say("the limit of users.info is %d calls in %s", limit.Limit, limit.Window.Round(100*time.Millisecond))
	}
	t.say("%d calls in %s: waited %s, refused %d times", t.calls, round(time.Since(start)), round(waited), refused)
	return nil
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

func (t *Tour) whatElse(context.Context) error {
	t.step("What would follow", "Without --dry-run, the tour goes on with these steps.")
	t.say("five accounts named %s.* are created and listed", t.prefix)
	t.say("one gets another name; one logs in, sets a status, issues and revokes a token, and meets the rate limit")
	t.say("a sixth account is refused, because its username is taken")
	t.say("the five accounts are deleted")
	return nil
}

// cleanUp deletes the accounts of the tour, however it ended.
func (t *Tour) cleanUp(ctx context.Context) error {
	if len(t.made) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	t.step("Clean up", "This step has a context of its own, because that of the tour may have ended.")
	var errs []error
	if t.ben != nil {
		errs = append(errs, t.ben.Close())
	}
	gone := 0
	for _, name := range t.made {
		_, err := t.Client.Users.Delete(ctx, rocketchat.ByUsername(name), rocketchat.UserDeleteOptions{ConfirmRelinquish: true})
		if err != nil && !errors.Is(err, rocketchat.ErrNotFound) {
			t.say("%s is still there: %v", name, err)
			errs = append(errs, err)
			continue
		}
		gone++
	}
	t.say("%d of %d accounts deleted", gone, len(t.made))
	return errors.Join(errs...)
}
