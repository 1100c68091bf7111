// Command roster prints the accounts of a server as a table, CSV or JSON.
package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
)

func main() { cli.Main(tool()) }

func tool() cli.Tool {
	var r roster
	return cli.Tool{
		Name: "roster",
		Summary: "roster prints the accounts of a server: all of them, or those that fit every filter that is\n" +
			"given. It changes nothing.",
		Permissions: "view-d-room; view-full-other-user-info for addresses, roles and log-ins",
		Examples:    []string{"", "-never-logged-in -active", "-format csv -idle-days 90 -role user >idle.csv", "-format json -domain example.com"},
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&r.format, "format", "table", "`format` of the output: table, csv or json")
			f.StringVar(&r.role, "role", "", "who has this `role`")
			f.BoolVar(&r.active, "active", false, "who can log in")
			f.BoolVar(&r.inactive, "inactive", false, "who is deactivated")
			f.BoolVar(&r.never, "never-logged-in", false, "who has never logged in")
			f.IntVar(&r.idleDays, "idle-days", 0, "who has logged in, but not for so many `days`")
			f.StringVar(&r.search, "search", "", "who has this `text` in the username, name or address, in any case")
			f.StringVar(&r.domain, "domain", "", "who has an address of this `domain`")
		},
		Run: r.run,
	}
}

type roster struct {
	format           string
	role             string
	active, inactive bool
	never            bool
	idleDays         int
	search           string
	domain           string
}

// entry is what roster tells of an account.
type entry struct {
	Username  string     `json:"username"`
	Name      string     `json:"name"`
	Email     string     `json:"email"`
	Roles     []string   `json:"roles"`
	Active    bool       `json:"active"`
	Type      string     `json:"type"`
	Status    string     `json:"status"`
	LastLogin *time.Time `json:"lastLogin"` // null for never
	ID        string     `json:"id"`
}

func (r *roster) run(ctx context.Context, s *cli.Session) error {
	if err := r.check(); err != nil {
		return err
	}
	me, err := s.Client.Me.Get(ctx)
	if err != nil {
		return err
	}
	entries := []entry{}
	private := false // whether the caller sees the roles of others
	for user, err := range s.Client.Users.All(ctx, rocketchat.ListOptions{}) {
		if err != nil {
			return err
		}
		private = private || user.ID != me.ID && len(user.Roles) > 0
		if r.fits(user) {
			entries = append(entries, entryOf(user))
		}
	}
	if !private {
		if r.role != "" || r.never || r.idleDays > 0 || r.domain != "" {
			return errors.New("addresses, roles and log-ins are not known: the permission view-full-other-user-info is missing")
		}
		s.Note("the permission view-full-other-user-info is missing: no addresses, roles and log-ins are known")
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.Username, b.Username) })
	return r.print(s, entries)
}

func (r *roster) check() error {
	switch {
	case r.format != "table" && r.format != "csv" && r.format != "json":
		return cli.Usage("-format must be table, csv or json, not %q", r.format)
	case r.active && r.inactive:
		return cli.Usage("-active and -inactive: nobody is both")
	case r.never && r.idleDays != 0:
		return cli.Usage("-never-logged-in and -idle-days: nobody is both")
	case r.idleDays < 0:
		return cli.Usage("-idle-days must not be negative")
	}
	return nil
}

// fits reports whether a user is wanted.
func (r *roster) fits(u *rocketchat.User) bool {
	switch {
	case r.role != "" && !slices.Contains(u.Roles, r.role),
		r.active && !u.Active,
		r.inactive && u.Active,
		r.never && !u.LastLogin.IsZero(),
		r.idleDays > 0 && (u.LastLogin.IsZero() || u.LastLogin.After(time.Now().AddDate(0, 0, -r.idleDays))):
		return false
	}
	texts := []string{u.Username, u.Name}
	inDomain := r.domain == ""
	for _, email := range u.Emails {
		texts = append(texts, email.Address)
		_, domain, _ := strings.Cut(email.Address, "@")
		inDomain = inDomain || strings.EqualFold(domain, strings.TrimPrefix(r.domain, "@"))
	}
	holds := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(r.search)) }
	return inDomain && slices.ContainsFunc(texts, holds)
}

func entryOf(u *rocketchat.User) entry {
	e := entry{
		Username: u.Username, Name: u.Name, Roles: u.Roles, Active: u.Active, Type: string(u.Type), Status: string(u.Status), ID: u.ID,
	}
	if len(u.Emails) > 0 {
		e.Email = u.Emails[0].Address
	}
	if !u.LastLogin.IsZero() {
		e.LastLogin = &u.LastLogin.Time
	}
	return e
}

func (e entry) cells(form string) []string {
	last := ""
	if e.LastLogin != nil {
		last = e.LastLogin.UTC().Format(form)
	}
	return []string{e.Username, e.Name, e.Email, strings.Join(e.Roles, " "), strconv.FormatBool(e.Active), e.Type, e.Status, last, e.ID}
}

func (r *roster) print(s *cli.Session, entries []entry) error {
	header := []string{"username", "name", "email", "roles", "active", "type", "status", "last_login", "id"}
	rows := make([][]string, len(entries))
	switch r.format {
	case "json":
		out := json.NewEncoder(s.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(entries)
	case "csv":
		for i, e := range entries {
			rows[i] = e.cells(time.RFC3339)
		}
		return csv.NewWriter(s.Stdout).WriteAll(append([][]string{header}, rows...))
	}
	for i, e := range entries {
		rows[i] = e.cells(time.DateOnly)
	}
	s.Table(header, rows)
	s.Note("%d accounts", len(entries))
	return nil
}
