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
		Summary: `Deactivates accounts: those that are named, or those that have not been used for some time. It ends their sessions and revokes their personal access tokens. Roles, messages and rooms stay, and an administrator can activate the accounts again.

It never deactivates the account that it runs as. Administrators, bots and apps are skipped without --admins or --bots. The last owner of a room stays active, and the rooms are listed, unless --relinquish is given: then the rooms get another owner or are deleted.`,
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

	Usernames  []string `arg:"" optional:"" name:"username" help:"Accounts to deactivate."`
	File       string   `placeholder:"FILE" help:"File of usernames, one per line; - is standard input."`
	IdleDays   int      `placeholder:"DAYS" help:"Choose accounts whose last log-in is more than this many days ago."`
	Scope      string   `placeholder:"ROLE" help:"With --idle-days: only accounts with this role."`
	Relinquish bool     `help:"Also deactivate last owners of rooms. The rooms get another owner or are deleted."`
	Admins     bool     `help:"Include administrators."`
	Bots       bool     `help:"Include bots and apps."`
	Max        int      `default:"50" placeholder:"PEOPLE" help:"Stop if more accounts than this would be deactivated. Default: 50."`

	named []string       // without their case, in the order in which they were given
	where map[string]int // the lines of File, by name
	wrong int            // number of named accounts that are not deactivated
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
		o.Note("there is nobody to deactivate")
	default:
		o.show(chosen)
		if len(chosen) > o.Max {
			return fmt.Errorf("%s would be deactivated, and --max allows %d: nothing was changed", cli.Count(len(chosen), "account", "accounts"), o.Max)
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
	case o.IdleDays < 0 || o.Max < 0:
		return cli.Usage("--idle-days and --max must not be negative")
	case slices.Contains(o.Usernames, ""):
		return cli.Usage("a username is empty")
	case o.IdleDays > 0 && (len(o.Usernames) > 0 || o.File != ""):
		return cli.Usage("either names or --idle-days, not both")
	case o.Scope != "" && o.IdleDays == 0:
		return cli.Usage("--scope goes with --idle-days")
	case len(o.Usernames) == 0 && o.File == "" && o.IdleDays == 0 && o.Demo != nil:
		o.Note("nobody was named; using --idle-days 180")
		o.IdleDays = 180
	case len(o.Usernames) == 0 && o.File == "" && o.IdleDays == 0:
		return cli.Usage("name the accounts: give usernames, --file or --idle-days")
	}
	for _, name := range o.Usernames {
		o.name(name)
	}
	if err := o.readNames(ctx); err != nil {
		return err
	}
	return nil
}

// name adds a username, unless it was given already.
func (o *offboard) name(username string) (added string) {
	added = cli.Fold(strings.TrimPrefix(username, "@"))
	if !slices.Contains(o.named, added) {
		o.named = append(o.named, added)
	}
	return added
}

func (o *offboard) readNames(ctx context.Context) error {
	if o.File == "" {
		return nil
	}
	name, data, err := cli.ReadUTF8(ctx, o.File)
	if err != nil {
		return err
	}
	o.where = make(map[string]int)
	for i, line := range strings.Split(string(data), "\n") {
		name := strings.TrimSpace(line)
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		if added := o.name(name); o.where[added] == 0 {
			o.where[added] = i + 1
		}
	}
	if len(o.named) == 0 {
		return fmt.Errorf("%s: the file lists nobody", name)
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

// choose returns the accounts to deactivate. It notes those that were named and are not
// among them.
func (o *offboard) choose(everybody []*rocketchat.User, me string) (chosen []*rocketchat.User) {
	missing := slices.Clone(o.named)
	for _, user := range everybody {
		name := cli.Fold(user.Username)
		missing = slices.DeleteFunc(missing, func(m string) bool { return m == name })
		if !o.meant(user, name) {
			continue
		}
		why := o.spared(user, me)
		switch {
		case !user.Active && len(o.named) > 0:
			o.Note("%s%s: is already deactivated", o.place(name), user.Username)
		case !user.Active:
		case why != "":
			o.Note("%s%s: skipped: %s", o.place(name), user.Username, why)
			if len(o.named) > 0 {
				o.wrong++
			}
		default:
			chosen = append(chosen, user)
		}
	}
	slices.SortFunc(chosen, func(a, b *rocketchat.User) int { return cmp.Compare(a.Username, b.Username) })
	for _, name := range missing {
		o.Note("%s%s: there is no such user", o.place(name), name)
		o.wrong++
	}
	if o.wrong > 0 {
		o.Note("%d of %d accounts that were named cannot be deactivated", o.wrong, len(o.named))
	}
	return chosen
}

// meant reports whether somebody was named or has been idle.
func (o *offboard) meant(user *rocketchat.User, name string) bool {
	if len(o.named) > 0 {
		return slices.Contains(o.named, name)
	}
	idle := !user.LastLogin.IsZero() && user.LastLogin.Before(time.Now().AddDate(0, 0, -o.IdleDays))
	return idle && (o.Scope == "" || slices.Contains(user.Roles, o.Scope))
}

// spared says why somebody must not be deactivated, or "".
func (o *offboard) spared(user *rocketchat.User, me string) string {
	bot := user.Type != "" && user.Type != rocketchat.UserTypeUser || slices.Contains(user.Roles, "bot") || slices.Contains(user.Roles, "app")
	switch {
	case user.ID == me:
		return "it is the account that this program runs as"
	case bot && !o.Bots:
		return "it is a bot or an app (see --bots)"
	case slices.Contains(user.Roles, "admin") && !o.Admins:
		return "it is an administrator (see --admins)"
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
	if o.JSON { // standard output is for the result alone
		out = o.Stderr
	}
	o.TableTo(out, []string{"to deactivate", "name", "roles", "last log-in"}, rows, "name", "roles")
}

func username(u *rocketchat.User) string { return u.Username }

// end deactivates an account and then ends its sessions, so that no new one can begin in
// between. LogoutUser also removes push tokens. Ctrl-C does not interrupt the second step.
func (o *offboard) end(ctx context.Context, user *rocketchat.User) (string, error) {
	err := o.Client.Users.Deactivate(ctx, rocketchat.ByID(user.ID), rocketchat.UserDeactivateOptions{ConfirmRelinquish: o.Relinquish})
	if rooms, ok := errors.AsType[*rocketchat.LastOwnerError](err); ok {
		return "", fmt.Errorf("is the last owner of rooms (see --relinquish); would get another owner: %s; would be deleted: %s",
			list(rooms.ShouldChangeOwner), list(rooms.ShouldBeRemoved))
	}
	if err != nil {
		return "", err
	}
	if err := o.Client.Sessions.LogoutUser(context.WithoutCancel(ctx), rocketchat.ByID(user.ID)); err != nil {
		return "", fmt.Errorf("was deactivated, but the sessions may not have ended: %w", err)
	}
	return "deactivated, sessions and tokens ended", nil
}

func list(rooms []string) string {
	if len(rooms) == 0 {
		return "none"
	}
	return strings.Join(rooms, ", ")
}
