// Command roster prints the accounts of a server as a table, CSV or JSON.
package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
)

func main() { cli.Main(tool()) }

func tool() cli.Tool {
	return cli.Tool{
		Name:        "roster",
		Summary:     "Prints the accounts of a server: all of them, or those that match every filter. It changes nothing.",
		Permissions: "view-d-room; view-full-other-user-info for addresses, roles and log-ins",
		Examples:    []string{"", "--never-logged-in --active", "--format csv --idle-days 90 --role user >idle.csv", "--json --domain example.com"},
		Results:     true,
		Command:     new(roster),
	}
}

type roster struct {
	Format   string `default:"table" placeholder:"table|csv|json" help:"Format of the output: table, csv or json. Default: table."`
	Role     string `placeholder:"ROLE" help:"Only accounts with this role."`
	Active   bool   `help:"Only accounts that can log in."`
	Inactive bool   `help:"Only deactivated accounts."`
	Never    bool   `name:"never-logged-in" help:"Only accounts that have never logged in."`
	IdleDays int    `placeholder:"DAYS" help:"Only accounts whose last log-in is more than this many days ago."`
	Search   string `placeholder:"TEXT" help:"Only accounts with this text in the username, name or address, ignoring case."`
	Domain   string `placeholder:"DOMAIN" help:"Only accounts with an address in this domain."`
}

// entry is the output for an account.
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

// Run implements [cli.Command].
func (r *roster) Run(ctx context.Context, s *cli.Session) error {
	if s.JSON {
		r.Format = "json"
	}
	if err := r.check(); err != nil {
		return err
	}
	s.JSON = r.Format == "json"
	me, err := s.Client.Me.Get(ctx)
	if err != nil {
		return err
	}
	entries := []entry{}
	private := false // whether the caller sees the roles of others
	for user, err := range s.Client.Users.All(ctx, rocketchat.UserListOptions{}) {
		if err != nil {
			return err
		}
		private = private || user.ID != me.ID && len(user.Roles) > 0
		if r.fits(user) {
			entries = append(entries, entryOf(user))
		}
	}
	if !private {
		if r.Role != "" || r.Never || r.IdleDays > 0 || r.Domain != "" {
			return errors.New("addresses, roles and log-ins are not known: the permission view-full-other-user-info is missing")
		}
		s.Note("the permission view-full-other-user-info is missing: addresses, roles and log-ins are not shown")
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.Username, b.Username) })
	return r.print(s, entries)
}

func (r *roster) check() error {
	switch {
	case r.Format != "table" && r.Format != "csv" && r.Format != "json":
		return cli.Usage("--format must be table, csv or json, not %q", r.Format)
	case r.Active && r.Inactive:
		return cli.Usage("--active and --inactive exclude each other")
	case r.Never && r.IdleDays != 0:
		return cli.Usage("--never-logged-in and --idle-days exclude each other")
	case r.IdleDays < 0:
		return cli.Usage("--idle-days must not be negative")
	}
	return nil
}

// fits reports whether a user matches the filters.
func (r *roster) fits(u *rocketchat.User) bool {
	switch {
	case r.Role != "" && !slices.Contains(u.Roles, r.Role),
		r.Active && !u.Active,
		r.Inactive && u.Active,
		r.Never && !u.LastLogin.IsZero(),
		r.IdleDays > 0 && (u.LastLogin.IsZero() || u.LastLogin.After(time.Now().AddDate(0, 0, -r.IdleDays))):
		return false
	}
	texts := []string{u.Username, u.Name}
	inDomain := r.Domain == ""
	for _, email := range u.Emails {
		texts = append(texts, email.Address)
		_, domain, _ := strings.Cut(email.Address, "@")
		inDomain = inDomain || strings.EqualFold(domain, strings.TrimPrefix(r.Domain, "@"))
	}
	holds := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(r.Search)) }
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
	if r.Format == "json" {
		return s.WriteJSON(entries)
	}
	header := []string{"username", "name", "email", "roles", "active", "type", "status", "last_login", "id"}
	rows := make([][]string, len(entries))
	form := time.DateOnly
	if r.Format == "csv" {
		form = time.RFC3339
	}
	for i, e := range entries {
		rows[i] = e.cells(form)
	}
	if r.Format == "csv" {
		return cli.WriteCSV(s.Stdout, append([][]string{header}, rows...))
	}
	s.Table(header, rows, "id", "status", "type", "roles", "active", "last_login", "name")
	s.Note("%s", cli.Count(len(entries), "account", "accounts"))
	return nil
}
