// Command ldap-sync keeps the accounts of a server in step with an LDAP directory.
package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func main() { cli.Main(tool()) }

func tool() cli.Tool {
	return cli.Tool{
		Name: "ldap-sync",
		Summary: `Keeps the accounts of a server in step with an LDAP directory: it creates accounts for new people, follows renames and changes of addresses and groups, and deactivates the accounts of people who have left the directory. It prints the plan first.

The file of --state records which account belongs to which entry. It allows the program to recognise people who were renamed, and to deactivate only accounts that came from the directory. In the first run, accounts are found by their usernames.

With --role the directory determines the roles of its people: they have the role user and those of their groups, and no others.`,
		Permissions: "create-user, edit-other-user-info, assign-roles, edit-other-user-active-status, view-d-room, view-full-other-user-info, view-privileged-setting",
		Examples: []string{
			"--ldap ldaps://ldap.example.org --base ou=people,dc=example,dc=org --state ldap-sync.json --dry-run",
			"--ldap ldaps://ldap.example.org --base ou=people,dc=example,dc=org --state ldap-sync.json --field department=departmentNumber --group-base ou=groups,dc=example,dc=org --role livechat-agent=support",
		},
		Changes: true,
		Demo: cli.Demo{Options: []rocketchattest.Option{
			rocketchattest.WithSetting("Accounts_CustomFields", `{"department":{"type":"text"}}`),
		}},
		Command: new(ldapSync),
	}
}

type ldapSync struct {
	*cli.Session `kong:"-"`

	LDAP     string `name:"ldap" required:"" placeholder:"URL" help:"Address of the directory, such as ldaps://ldap.example.org."`
	StartTLS bool   `name:"start-tls" help:"Encrypt the connection to an ldap:// address with StartTLS."`
	BindDN   string `name:"bind-dn" placeholder:"DN" help:"Name to log in with; the password is in LDAP_PASSWORD. By default the program does not log in."`

	Base     string `required:"" placeholder:"DN" help:"Where the people are in the directory."`
	Filter   string `default:"(objectClass=inetOrgPerson)" placeholder:"FILTER" help:"Which entries are people. Default: (objectClass=inetOrgPerson)."`
	ID       string `name:"id-attribute" default:"entryUUID" placeholder:"ATTRIBUTE" help:"Attribute that never changes; objectGUID in Active Directory. Default: entryUUID."`
	Username string `name:"username-attribute" default:"uid" placeholder:"ATTRIBUTE" help:"Attribute with the username. Default: uid."`
	Name     string `name:"name-attribute" default:"cn" placeholder:"ATTRIBUTE" help:"Attribute with the name. Default: cn."`
	Mail     string `name:"mail-attribute" default:"mail" placeholder:"ATTRIBUTE" help:"Attribute with the address. Default: mail."`

	Field     map[string]string `placeholder:"FIELD=ATTRIBUTE" help:"Fill a custom field from an attribute. May be given several times."`
	Role      map[string]string `placeholder:"ROLE=GROUP" help:"Give a role, by its ID, to the members of a group; groups within the group do not count. May be given several times."`
	GroupBase string            `placeholder:"DN" help:"Where the groups are in the directory."`

	State string  `required:"" placeholder:"FILE" help:"File that records which account belongs to which entry."`
	Max   float64 `default:"0.1" placeholder:"SHARE" help:"Stop if more than this share of the accounts would be deactivated. Default: 0.1."`
}

// Run implements [cli.Command].
func (l *ldapSync) Run(ctx context.Context, s *cli.Session) error {
	l.Session = s
	switch {
	case !strings.HasPrefix(l.LDAP, "ldap://") && !strings.HasPrefix(l.LDAP, "ldaps://"):
		return cli.Usage("--ldap must begin with ldap:// or ldaps://, not %q", l.LDAP)
	case len(l.Role) > 0 && l.GroupBase == "":
		return cli.Usage("--role needs --group-base")
	case l.Max < 0 || l.Max > 1:
		return cli.Usage("--max must be a share between 0 and 1, not %v", l.Max)
	}
	known, err := readState(l.State)
	if err != nil {
		return err
	}
	people, err := l.readDirectory(ctx)
	if err != nil {
		return err
	}
	l.Note("%d people in the directory", len(people))
	return l.sync(ctx, people, known)
}

func (l *ldapSync) sync(ctx context.Context, people []person, known *state) error {
	desired := make([]rocketchat.DesiredUser, len(people))
	for i, p := range people {
		desired[i] = p.desired(known)
	}
	var shown *cli.Progress
	opts := rocketchat.SyncOptions{
		Departed:         func(u *rocketchat.User) bool { return known.owns(u.ID) },
		MaxDeactivations: cmp.Or(l.Max, math.SmallestNonzeroFloat64), // 0 would be the default of the library
		Known:            known.Known,
		PlanProgress: func(at rocketchat.SyncReading) {
			if at.Read == at.Total || at.Total > 0 && at.Read%100 == 0 {
				l.Note("%s: %d of %d read, about %s left", at.Op, at.Read, at.Total, at.Remaining.Round(time.Second))
			}
		},
		Progress: func(at rocketchat.SyncProgress) {
			shown.Step(at.Last.Username, string(at.Last.Action)+"d", at.Last.Err)
		},
	}
	var journal *os.File
	if !l.DryRun {
		var err error
		if journal, err = openJournal(l.State, &opts); err != nil {
			return err
		}
		defer func() { _ = journal.Close() }()
		opts.Journal = journal
	}
	plan, err := l.Client.Users.PlanSync(ctx, desired, opts)
	if err != nil {
		return err
	}
	l.Print("%s", plan)
	if l.DryRun {
		l.Note("--dry-run: nothing was changed")
		return nil
	}
	shown = l.Progress("accounts", len(plan.Steps))
	report, runErr := plan.Run(ctx)
	shown.Close()
	known.learn(people, report)
	err = known.write(l.State)
	if err == nil { // the state tells all that the journal could
		err = journal.Truncate(0)
	}
	return errors.Join(runErr, err)
}

// openJournal opens the journal beside the state, and lets the sync continue a run that
// was cut off.
func openJournal(state string, opts *rocketchat.SyncOptions) (*os.File, error) {
	file, err := os.OpenFile(state+".journal", os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if opts.Resume, err = rocketchat.ReadSyncJournal(io.Reader(file)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
