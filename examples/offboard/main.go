// Command offboard deactivates the accounts of people who have left, or who have been
// idle for long, and ends their sessions and tokens.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func main() { cli.Main(tool()) }

func tool() cli.Tool {
	var o offboard
	return cli.Tool{
		Name: "offboard",
		Summary: "offboard deactivates accounts: those that are named, or those that have been idle for long. It\n" +
			"ends their sessions and revokes their personal access tokens. Roles, messages and rooms stay, and\n" +
			"an administrator can activate them again.\n\n" +
			"It never touches the account that it runs as, and administrators, bots and apps only when told.\n" +
			"Somebody who is the last owner of a room stays active, and the rooms are named, unless -relinquish\n" +
			"agrees that they get another owner or are deleted.",
		Args:        "[USERNAME ...]",
		Permissions: "view-d-room, view-full-other-user-info, edit-other-user-active-status, logout-other-user",
		Examples:    []string{"-dry-run", "-dry-run -idle-days 180 -scope user", "elif.kaya frank.ito", "-file departed.txt -relinquish"},
		Changes:     true,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&o.file, "file", "", "`file` of usernames, one a line; - is standard input")
			f.IntVar(&o.idleDays, "idle-days", 0, "choose who has logged in, but not for so many `days`")
			f.StringVar(&o.scope, "scope", "", "with -idle-days: only who has this `role`")
			f.BoolVar(&o.relinquish, "relinquish", false, "go on with last owners: their rooms get another one or are deleted")
			f.BoolVar(&o.admins, "admins", false, "administrators, too")
			f.BoolVar(&o.bots, "bots", false, "bots and apps, too")
			f.IntVar(&o.limit, "max", 50, "do nothing if it were more `people` than this")
		},
		Demo: cli.Demo{Prepare: func(server *rocketchattest.Server) {
			server.AddRoom("partner-contracts", "frank.ito")
			server.PersonalAccessToken("elif.kaya", "reports", false)
		}},
		Run: o.run,
	}
}

type offboard struct {
	*cli.Session
	file       string
	idleDays   int
	scope      string
	relinquish bool
	admins     bool
	bots       bool
	limit      int
}

func (o *offboard) run(ctx context.Context, s *cli.Session) error {
	o.Session = s
	names, err := o.names()
	if err != nil {
		return err
	}
	me, err := s.Client.Me.Get(ctx)
	if err != nil {
		return err
	}
	var everybody []*rocketchat.User
	for user, err := range s.Client.Users.All(ctx, rocketchat.ListOptions{}) {
		if err != nil {
			return err
		}
		everybody = append(everybody, user)
	}
	if !slices.ContainsFunc(everybody, func(u *rocketchat.User) bool { return u.ID != me.ID && len(u.Roles) > 0 }) {
		return errors.New("the list of users does not tell roles and log-ins: the permission view-full-other-user-info is missing")
	}
	chosen, wrong := o.choose(everybody, names, me.ID)
	if len(chosen) == 0 {
		s.Note("nobody is to be deactivated")
		return wrong
	}
	o.show(chosen)
	if len(chosen) > o.limit {
		return errors.Join(wrong, fmt.Errorf("these are %d people, and -max allows %d: nothing was changed", len(chosen), o.limit))
	}
	if s.DryRun {
		s.Note("-dry-run: nothing was changed")
		return wrong
	}
	return errors.Join(wrong, cli.Each(ctx, s, "deactivating", 4, chosen, username, o.end))
}

// names are the usernames that were given, in lower case.
func (o *offboard) names() ([]string, error) {
	names := o.Args
	switch {
	case o.idleDays < 0:
		return nil, cli.Usage("-idle-days must not be negative")
	case o.idleDays > 0 && (len(names) > 0 || o.file != ""):
		return nil, cli.Usage("either names or -idle-days, not both")
	case o.scope != "" && o.idleDays == 0:
		return nil, cli.Usage("-scope goes with -idle-days")
	case o.file != "":
		listed, err := o.readNames()
		if err != nil {
			return nil, err
		}
		names = append(names, listed...)
	case len(names) == 0 && o.idleDays == 0 && o.Demo != nil:
		o.Note("nobody was named: this is as if -idle-days 180 was given.")
		o.idleDays = 180
	}
	if len(names) == 0 && o.idleDays == 0 {
		return nil, cli.Usage("who? Give usernames, -file or -idle-days")
	}
	names = slices.Clone(names)
	for i := range names {
		names[i] = strings.ToLower(strings.TrimPrefix(names[i], "@"))
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (o *offboard) readNames() (names []string, err error) {
	input := o.Stdin
	if o.file != "-" {
		if input, err = os.Open(o.file); err != nil {
			return nil, err
		}
		defer input.Close()
	}
	lines := bufio.NewScanner(input)
	for lines.Scan() {
		if name := strings.TrimSpace(lines.Text()); name != "" && !strings.HasPrefix(name, "#") {
			names = append(names, name)
		}
	}
	return names, lines.Err()
}

// choose is who is to be deactivated. The error says whom it leaves out who was named.
func (o *offboard) choose(everybody []*rocketchat.User, names []string, me string) (chosen []*rocketchat.User, wrong error) {
	missing := slices.Clone(names)
	before := time.Now().AddDate(0, 0, -o.idleDays)
	left := 0
	for _, user := range everybody {
		if len(names) > 0 {
			name := strings.ToLower(user.Username)
			if _, named := slices.BinarySearch(names, name); !named {
				continue
			}
			missing = slices.DeleteFunc(missing, func(m string) bool { return m == name })
		} else if user.LastLogin.IsZero() || user.LastLogin.After(before) || o.scope != "" && !slices.Contains(user.Roles, o.scope) {
			continue
		}
		if !user.Active {
			if len(names) > 0 {
				o.Note("%s is deactivated already", user.Username)
			}
			continue
		}
		if why := o.spared(user, me); why != "" {
			o.Note("%s is left alone: %s", cli.Plain(user.Username), why)
			left++
			continue
		}
		chosen = append(chosen, user)
	}
	slices.SortFunc(chosen, func(a, b *rocketchat.User) int { return cmp.Compare(a.Username, b.Username) })
	for _, name := range missing {
		o.Note("%s: there is nobody of that name", cli.Plain(name))
	}
	if len(names) > 0 && left+len(missing) > 0 {
		wrong = fmt.Errorf("%d of %d who were named are not deactivated, see above", left+len(missing), len(names))
	}
	return chosen, wrong
}

// spared says why somebody is not deactivated, if so.
func (o *offboard) spared(user *rocketchat.User, me string) string {
	bot := user.Type != "" && user.Type != rocketchat.UserTypeUser || slices.Contains(user.Roles, "bot") || slices.Contains(user.Roles, "app")
	switch {
	case user.ID == me:
		return "it is the account that this runs as"
	case bot && !o.bots:
		return "it is a bot or an app, see -bots"
	case slices.Contains(user.Roles, "admin") && !o.admins:
		return "it is an administrator, see -admins"
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
	o.Table([]string{"to deactivate", "name", "roles", "last log-in"}, rows)
}

func username(u *rocketchat.User) string { return u.Username }

// end deactivates an account. After that its owner cannot log in, so what LogoutUser ends
// stays ended; it takes push tokens along, too. Ctrl-C does not come between the two.
func (o *offboard) end(ctx context.Context, user *rocketchat.User) (string, error) {
	err := o.Client.Users.Deactivate(ctx, user.ID, rocketchat.DeactivateOptions{ConfirmRelinquish: o.relinquish})
	if rooms, ok := errors.AsType[*rocketchat.LastOwnerError](err); ok {
		return "", fmt.Errorf("is the last owner of rooms, see -relinquish; would get another owner: %s; would be deleted: %s",
			list(rooms.ShouldChangeOwner), list(rooms.ShouldBeRemoved))
	}
	if err != nil {
		return "", err
	}
	if err := o.Client.Sessions.LogoutUser(context.WithoutCancel(ctx), user.ID); err != nil {
		return "", fmt.Errorf("is deactivated, but the sessions may not have ended: %w", err)
	}
	return "deactivated, sessions and tokens ended", nil
}

func list(rooms []string) string {
	if len(rooms) == 0 {
		return "none"
	}
	return cli.Plain(strings.Join(rooms, ", "))
}
