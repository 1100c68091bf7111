// Command offboard deactivates the accounts of people who have left, or who have been
// idle for long, and ends their sessions and tokens.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func main() { cli.Main(tool()) }

func tool() cli.Tool {
	return cli.Tool{
		Name: "offboard",
		Summary: `Deactivates accounts: those that are named, or those that have been idle for long. It ends their sessions and revokes their personal access tokens. Roles, messages and rooms stay, and an administrator can activate them again.

It never touches the account that it runs as, and administrators, bots and apps only when told. Somebody who is the last owner of a room stays active, and the rooms are named, unless --relinquish agrees that they get another owner or are deleted.`,
		Permissions: "view-d-room, view-full-other-user-info, edit-other-user-active-status, logout-other-user",
		Examples:    []string{"--dry-run", "--dry-run --idle-days 180 --scope user", "elif.kaya frank.ito", "--file departed.txt --relinquish"},
		Changes:     true,
		Results:     true,
		Demo: cli.Demo{Prepare: func(server *rocketchattest.Server) {
			server.AddRoom("partner-contracts", "frank.ito")
			server.PersonalAccessToken("elif.kaya", "reports", false)
		}},
		Command: new(offboard),
	}
}

type offboard struct {
	*cli.Session `kong:"-"`

	Usernames  []string `arg:"" optional:"" name:"username" help:"Who is to be deactivated."`
	File       string   `placeholder:"FILE" help:"File of usernames, one a line; - is standard input."`
	IdleDays   int      `placeholder:"DAYS" help:"Choose who has logged in, but not for so many days."`
	Scope      string   `placeholder:"ROLE" help:"With --idle-days: only who has this role."`
	Relinquish bool     `help:"Go on with last owners: their rooms get another owner or are deleted."`
	Admins     bool     `help:"Administrators, too."`
	Bots       bool     `help:"Bots and apps, too."`
	Max        int      `default:"50" placeholder:"PEOPLE" help:"Stop if more people than this would be affected. Default: 50."`

	named []string       // in lower case, sorted
	where map[string]int // the lines of File, by name
	wrong int            // how many who were named are not deactivated
}

// Run implements [cli.Command].
func (o *offboard) Run(ctx context.Context, s *cli.Session) error {
	o.Session = s
	if err := o.names(ctx); err != nil {
		return err
	}
	me, err := s.Client.Me.Get(ctx)
	if err != nil {
		return err
	}
	var everybody []*rocketchat.User
	for user, err := range s.Client.Users.All(ctx, rocketchat.UserListOptions{}) {
		if err != nil {
			return err
		}
		everybody = append(everybody, user)
	}
	if !slices.ContainsFunc(everybody, func(u *rocketchat.User) bool { return u.ID != me.ID && len(u.Roles) > 0 }) {
		return errors.New("the list of users does not tell roles and log-ins: the permission view-full-other-user-info is missing")
	}
	return o.deactivate(ctx, o.choose(everybody, me.ID))
}

func (o *offboard) deactivate(ctx context.Context, chosen []*rocketchat.User) error {
	var wrong error
	if o.wrong > 0 {
		wrong = cli.Reported(nil)
	}
	outcomes := []cli.Outcome{}
	var err error
	switch {
	case len(chosen) == 0:
		o.Note("nobody is to be deactivated")
	default:
		o.show(chosen)
		if len(chosen) > o.Max {
			return fmt.Errorf("%d people would be deactivated, and --max allows %d: nothing was changed", len(chosen), o.Max)
		}
		if o.DryRun {
			o.Note("--dry-run: nothing was changed")
			for _, user := range chosen {
				outcomes = append(outcomes, cli.Outcome{Name: user.Username, Result: "planned"})
			}
			break
		}
		outcomes, err = cli.Each(ctx, o.Session, "deactivating", 4, chosen, username, o.end)
	}
	if o.JSON {
		err = errors.Join(err, o.WriteJSON(outcomes))
	}
	return errors.Join(err, wrong)
}

// names reads the usernames that were given.
func (o *offboard) names(ctx context.Context) error {
	switch {
	case o.IdleDays < 0:
		return cli.Usage("--idle-days must not be negative")
	case o.IdleDays > 0 && (len(o.Usernames) > 0 || o.File != ""):
		return cli.Usage("either names or --idle-days, not both")
	case o.Scope != "" && o.IdleDays == 0:
		return cli.Usage("--scope goes with --idle-days")
	case len(o.Usernames) == 0 && o.File == "" && o.IdleDays == 0 && o.Demo != nil:
		o.Note("nobody was named: this is as if --idle-days 180 was given")
		o.IdleDays = 180
	case len(o.Usernames) == 0 && o.File == "" && o.IdleDays == 0:
		return cli.Usage("who? Give usernames, --file or --idle-days")
	}
	for _, name := range o.Usernames {
		o.named = append(o.named, folded(name))
	}
	if err := o.readNames(ctx); err != nil {
		return err
	}
	slices.Sort(o.named)
	o.named = slices.Compact(o.named)
	return nil
}

func folded(name string) string { return strings.ToLower(strings.TrimPrefix(name, "@")) }

func (o *offboard) readNames(ctx context.Context) error {
	if o.File == "" {
		return nil
	}
	name, data, err := cli.ReadInput(ctx, o.File)
	if err != nil {
		return err
	}
	o.where = make(map[string]int)
	for i, line := range strings.Split(strings.TrimPrefix(string(data), "\uFEFF"), "\n") {
		name := strings.TrimSpace(line)
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		o.where[folded(name)] = i + 1
		o.named = append(o.named, folded(name))
	}
	if len(o.named) == 0 {
		return fmt.Errorf("%s: names nobody", name)
	}
	return nil
}

// place says where a name is from, if that is a file.
func (o *offboard) place(name string) string {
	line, ok := o.where[name]
	switch {
	case !ok:
		return ""
	case o.File == "-":
		return fmt.Sprintf("standard input:%d: ", line)
	}
	return fmt.Sprintf("%s:%d: ", o.File, line)
}

// choose is who is to be deactivated. It notes who was named and is not.
func (o *offboard) choose(everybody []*rocketchat.User, me string) (chosen []*rocketchat.User) {
	missing := slices.Clone(o.named)
	for _, user := range everybody {
		name := strings.ToLower(user.Username)
		missing = slices.DeleteFunc(missing, func(m string) bool { return m == name })
		if !o.meant(user, name) {
			continue
		}
		why := o.spared(user, me)
		switch {
		case !user.Active && len(o.named) > 0:
			o.Note("%s%s: is deactivated already", o.place(name), user.Username)
		case !user.Active:
		case why != "":
			o.Note("%s%s: is left alone: %s", o.place(name), user.Username, why)
			if len(o.named) > 0 {
				o.wrong++
			}
		default:
			chosen = append(chosen, user)
		}
	}
	slices.SortFunc(chosen, func(a, b *rocketchat.User) int { return cmp.Compare(a.Username, b.Username) })
	for _, name := range missing {
		o.Note("%s%s: there is nobody of that name", o.place(name), name)
		o.wrong++
	}
	if o.wrong > 0 {
		o.Note("%d of %d who were named cannot be deactivated", o.wrong, len(o.named))
	}
	return chosen
}

// meant reports whether somebody was named, or has been idle.
func (o *offboard) meant(user *rocketchat.User, name string) bool {
	if len(o.named) > 0 {
		return slices.Contains(o.named, name)
	}
	idle := !user.LastLogin.IsZero() && user.LastLogin.Before(time.Now().AddDate(0, 0, -o.IdleDays))
	return idle && (o.Scope == "" || slices.Contains(user.Roles, o.Scope))
}

// spared says why somebody is not deactivated, if so.
func (o *offboard) spared(user *rocketchat.User, me string) string {
	bot := user.Type != "" && user.Type != rocketchat.UserTypeUser || slices.Contains(user.Roles, "bot") || slices.Contains(user.Roles, "app")
	switch {
	case user.ID == me:
		return "it is the account that this runs as"
	case bot && !o.Bots:
		return "it is a bot or an app, see --bots"
	case slices.Contains(user.Roles, "admin") && !o.Admins:
		return "it is an administrator, see --admins"
	}
	return ""
}

func (o *offboard) show(chosen []*rocketchat.User) {
	rows := make([][]string, len(chosen))
	for i, user := range chosen {
		last := "never"
		if !user.LastLogin.IsZero() {
			last = user.LastLogin.Format(time.DateOnly)
		}
		rows[i] = []string{user.Username, user.Name, strings.Join(user.Roles, " "), last}
	}
	out := o.Stdout
	if o.JSON { // which is for the result alone
		out = o.Stderr
	}
	o.TableTo(out, []string{"to deactivate", "name", "roles", "last log-in"}, rows, "name", "roles")
}

func username(u *rocketchat.User) string { return u.Username }

// end deactivates an account. After that its owner cannot log in, so what LogoutUser ends
// stays ended; it takes push tokens along, too. Ctrl-C does not come between the two.
func (o *offboard) end(ctx context.Context, user *rocketchat.User) (string, error) {
	err := o.Client.Users.Deactivate(ctx, rocketchat.ByID(user.ID), rocketchat.UserDeactivateOptions{ConfirmRelinquish: o.Relinquish})
	if rooms, ok := errors.AsType[*rocketchat.LastOwnerError](err); ok {
		return "", fmt.Errorf("is the last owner of rooms, see --relinquish; would get another owner: %s; would be deleted: %s",
			list(rooms.ShouldChangeOwner), list(rooms.ShouldBeRemoved))
	}
	if err != nil {
		return "", err
	}
	if err := o.Client.Sessions.LogoutUser(context.WithoutCancel(ctx), rocketchat.ByID(user.ID)); err != nil {
		return "", fmt.Errorf("is deactivated, but the sessions may not have ended: %w", err)
	}
	return "deactivated, sessions and tokens ended", nil
}

func list(rooms []string) string {
	if len(rooms) == 0 {
		return "none"
	}
	return strings.Join(rooms, ", ")
}
