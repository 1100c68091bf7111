package rocketchat

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// DesiredUser is what an account should be like. What is zero is not compared.
type DesiredUser struct {
	Username string // says which account is meant, whatever its case
	Email    string // its first address; a new account needs one
	Name     string
	// Password is that of a new account, and is not compared. Without one the account
	// gets a random password that nobody knows.
	Password Secret
	Roles    []string // ids, in any order; nil leaves them, empty takes all
	// Active says whether the account should be active. nil leaves one that is there as it
	// is, so a person who has come back needs new(true); a new account is active.
	Active *bool
	// Nickname, Bio and CustomFields cost a call of users.info for each user who has
	// them here, since lists do not tell them.
	Nickname     *string
	Bio          *string
	CustomFields map[string]any
}

// SyncOptions say how far a sync may go.
type SyncOptions struct {
	// Departed tells of an active user who is not desired whether to deactivate him:
	// it is the scope of the sync. Without it nobody is deactivated but those whose
	// Active is to be false.
	Departed func(*User) bool
	// MaxDeactivations is the share of the active users that may be deactivated: 0 is
	// 0.2, 1 is everybody. A plan that wants more is refused.
	MaxDeactivations float64
	// ConfirmRelinquish goes on with users who are the last owner of rooms.
	ConfirmRelinquish bool
	// Verified has new addresses count as verified.
	Verified bool
	// Concurrency is how many calls of each kind may be under way; 0 is 4.
	Concurrency int
	// Progress is called after every step, by one step at a time.
	Progress func(SyncProgress)
}

const (
	defaultMaxDeactivations = 0.2
	defaultConcurrency      = 4
)

// SyncAction is what a step of a sync does.
type SyncAction string

// The actions of a sync.
const (
	SyncCreate     SyncAction = "create"
	SyncUpdate     SyncAction = "update"
	SyncActivate   SyncAction = "activate"
	SyncDeactivate SyncAction = "deactivate"
)

// SyncStep is what a sync does to one account.
type SyncStep struct {
	Action   SyncAction
	Username string
	UserID   string // "" for a new account
	Changes  []FieldChange

	create UserCreate
	update UserUpdate
}

// FieldChange is a field that differs.
type FieldChange struct{ Field, From, To string }

// String says it in a few words.
func (c FieldChange) String() string { return fmt.Sprintf("%s %q -> %q", c.Field, c.From, c.To) }

// String says it in a line.
func (s SyncStep) String() string {
	changes := make([]string, len(s.Changes))
	for i, c := range s.Changes {
		changes[i] = c.String()
		if s.Action == SyncCreate {
			changes[i] = c.Field + " " + c.To
		}
	}
	return strings.TrimSpace(fmt.Sprintf("%-10s %-20s %s", s.Action, s.Username, strings.Join(changes, ", ")))
}

// SyncRefusal is something that a sync will not do.
type SyncRefusal struct {
	Username string
	Reason   string
}

// SyncPlan is what would make the accounts of a server what they should be. It can be
// printed; [SyncPlan.Run] carries it out.
type SyncPlan struct {
	Steps     []SyncStep
	Refusals  []SyncRefusal // what was asked for, or follows from it, and will not be done
	Unchanged int           // users who are as they should be

	users *UsersService
	opts  SyncOptions
	call  []CallOption
}

// String is the plan in lines of text.
func (p *SyncPlan) String() string {
	var b strings.Builder
	for _, step := range p.Steps {
		b.WriteString(step.String() + "\n")
	}
	for _, r := range p.Refusals {
		fmt.Fprintf(&b, "%-10s %-20s %s\n", "refused", r.Username, r.Reason)
	}
	fmt.Fprintf(&b, "%d to create, %d to update, %d to activate, %d to deactivate, %d refused, %d unchanged\n",
		p.count(SyncCreate), p.count(SyncUpdate), p.count(SyncActivate), p.count(SyncDeactivate), len(p.Refusals), p.Unchanged)
	return b.String()
}

func (p *SyncPlan) count(a SyncAction) (n int) {
	for _, step := range p.Steps {
		if step.Action == a {
			n++
		}
	}
	return n
}

// Calls is how many calls of each endpoint the plan takes, if each succeeds at once.
func (p *SyncPlan) Calls() map[string]int {
	calls := make(map[string]int)
	for _, step := range p.Steps {
		for _, op := range step.ops() {
			calls[op]++
		}
	}
	return calls
}

func (s SyncStep) ops() []string {
	switch s.Action {
	case SyncCreate:
		return []string{"users.create"}
	case SyncUpdate:
		if s.update.erases() {
			return []string{"users.info", "users.update"}
		}
		return []string{"users.update"}
	}
	return []string{"users.setActiveStatus"}
}

// TooManyDeactivationsError refuses a plan that would deactivate more than the share
// that [SyncOptions] allow: mostly because the list of those who should stay is short.
type TooManyDeactivationsError struct {
	Planned int // deactivations
	Active  int // users
	Share   float64
}

// Error implements error.
func (e *TooManyDeactivationsError) Error() string {
	return fmt.Sprintf("rocketchat: the sync would deactivate %d of %d active users, more than the share of %g that is allowed", e.Planned, e.Active, e.Share)
}

// Sync makes the accounts of the server what they should be: it creates those that are
// missing, changes only what differs, and deactivates those that have departed.
// It is [UsersService.PlanSync] and [SyncPlan.Run] in one; the report is nil when the
// plan failed.
func (s *UsersService) Sync(ctx context.Context, desired []DesiredUser, in SyncOptions, opts ...CallOption) (*SyncReport, error) {
	plan, err := s.PlanSync(ctx, desired, in, opts...)
	if err != nil {
		return nil, err
	}
	return plan.Run(ctx)
}

// PlanSync compares the accounts of the server with what they should be. It changes
// nothing.
//
// A plan never deactivates the account that the client acts for, bots and apps, or the
// last active administrator, nor takes the role admin from that account or from the last
// who holds it, even if others are to get it; it says so in Refusals.
//
// GET /api/v1/me, GET /api/v1/users.list, and GET /api/v1/users.info for users whose
// nickname, bio or custom fields are to be compared. Permissions view-d-room and
// view-full-other-user-info; Run needs create-user, edit-other-user-info, assign-roles
// and edit-other-user-active-status for what it does. Errors: [ErrInvalid] for a
// desired user that nobody could be, [*TooManyDeactivationsError].
func (s *UsersService) PlanSync(ctx context.Context, desired []DesiredUser, in SyncOptions, opts ...CallOption) (*SyncPlan, error) {
	if err := checkDesired(desired, in); err != nil {
		return nil, err
	}
	in.MaxDeactivations = cmp.Or(in.MaxDeactivations, defaultMaxDeactivations)
	in.Concurrency = cmp.Or(in.Concurrency, defaultConcurrency)
	me, err := s.client.Me.Get(ctx, opts...)
	if err != nil {
		return nil, err
	}
	p := &planner{
		SyncPlan: &SyncPlan{users: s, opts: in, call: opts},
		me:       me.ID, byName: make(map[string]*User), byEmail: make(map[string]*User),
	}
	for user, err := range s.All(ctx, ListOptions{}, opts...) {
		if err != nil {
			return nil, err
		}
		p.add(user)
	}
	if !p.seesAll {
		return nil, &Error{Op: "users.list", Class: ErrForbidden, Message: "does not tell roles and addresses: the permission view-full-other-user-info is missing"}
	}
	if err := p.details(ctx, desired); err != nil {
		return nil, err
	}
	return p.plan(desired)
}

func checkDesired(desired []DesiredUser, in SyncOptions) error {
	const op = "users.sync"
	switch {
	case !(in.MaxDeactivations >= 0 && in.MaxDeactivations <= 1): // NaN, too
		return invalid(op, "MaxDeactivations", "must be a share from 0 to 1")
	case in.Concurrency < 0:
		return invalid(op, "Concurrency", "must not be negative")
	}
	names, emails := make(map[string]bool), make(map[string]bool)
	for i, d := range desired {
		field := fmt.Sprintf("desired[%d]", i)
		name, email := strings.ToLower(d.Username), strings.ToLower(d.Email)
		switch {
		case name == "":
			return invalid(op, field+".Username", "must not be empty")
		case names[name]:
			return invalid(op, field+".Username", fmt.Sprintf("%q stands in the list twice", d.Username))
		case email != "" && emails[email]:
			return invalid(op, field+".Email", fmt.Sprintf("%q stands in the list twice", d.Email))
		}
		names[name], emails[email] = true, true
	}
	return nil
}

// planner is a plan in the making.
type planner struct {
	*SyncPlan
	me      string
	order   []*User
	byName  map[string]*User // in lower case
	byEmail map[string]*User // in lower case
	seesAll bool
	active  int
	admins  int // active ones that are left; who is to become one does not count yet
}

func (p *planner) add(u *User) {
	p.order = append(p.order, u)
	p.byName[strings.ToLower(u.Username)] = u
	for _, email := range u.Emails {
		p.byEmail[strings.ToLower(email.Address)] = u
	}
	p.seesAll = p.seesAll || len(u.Roles) > 0
	if u.Active {
		p.active++
		if isAdmin(u) {
			p.admins++
		}
	}
}

// details reads what lists do not tell, of the users for whom it is to be compared.
func (p *planner) details(ctx context.Context, desired []DesiredUser) error {
	var open []*User
	for _, d := range desired {
		if u := p.byName[strings.ToLower(d.Username)]; u != nil && (d.Nickname != nil || d.Bio != nil || d.CustomFields != nil) {
			open = append(open, u)
		}
	}
	errs := make([]error, len(open))
	parallel(p.opts.Concurrency, len(open), func(i int) {
		if errs[i] = ctx.Err(); errs[i] != nil {
			return
		}
		var full *User
		if full, errs[i] = p.users.Get(ctx, ByID(open[i].ID), p.call...); errs[i] == nil {
			open[i].Nickname, open[i].Bio, open[i].CustomFields = full.Nickname, full.Bio, full.CustomFields
		}
	})
	return errors.Join(errs...)
}

func (p *planner) plan(desired []DesiredUser) (*SyncPlan, error) {
	wanted := make(map[string]bool, len(desired))
	for _, d := range desired {
		u := p.byName[strings.ToLower(d.Username)]
		if u != nil {
			wanted[u.ID] = true
		}
		if owner := p.byEmail[strings.ToLower(d.Email)]; d.Email != "" && owner != nil && owner != u {
			p.refuse(d.Username, fmt.Sprintf("the address %s belongs to %s", d.Email, owner.Username))
			if u == nil {
				continue
			}
			d.Email = "" // the rest can be done
		}
		if u == nil {
			p.create(d)
		} else {
			p.change(d, u)
		}
	}
	for _, u := range p.order {
		if u.Active && !wanted[u.ID] && p.opts.Departed != nil && p.opts.Departed(u) {
			p.deactivate(u)
		}
	}
	limit := p.opts.MaxDeactivations
	if n := p.count(SyncDeactivate); float64(n) > limit*float64(p.active) {
		return nil, &TooManyDeactivationsError{Planned: n, Active: p.active, Share: limit}
	}
	return p.SyncPlan, nil
}

func (p *planner) refuse(username, reason string) {
	p.Refusals = append(p.Refusals, SyncRefusal{Username: username, Reason: reason})
}

func (p *planner) create(d DesiredUser) {
	if d.Email == "" {
		p.refuse(d.Username, "a new account needs an address")
		return
	}
	if d.Password.IsZero() {
		d.Password = randomPassword()
	}
	in := UserCreate{
		Username: d.Username, Email: d.Email, Name: cmp.Or(d.Name, d.Username), Password: d.Password, Roles: d.Roles,
		Nickname: d.Nickname, Bio: d.Bio, CustomFields: d.CustomFields,
	}
	changes := []FieldChange{{"email", "", in.Email}, {"name", "", in.Name}}
	if d.Roles != nil {
		changes = append(changes, FieldChange{"roles", "", listOf(d.Roles)})
	}
	if d.Nickname != nil {
		changes = append(changes, FieldChange{"nickname", "", *d.Nickname})
	}
	if d.Bio != nil {
		changes = append(changes, FieldChange{"bio", "", *d.Bio})
	}
	for _, name := range slices.Sorted(maps.Keys(d.CustomFields)) {
		changes = append(changes, FieldChange{name, "", textOfField(d.CustomFields[name])})
	}
	if d.Active != nil && !*d.Active {
		in.Active = d.Active
		changes = append(changes, FieldChange{"active", "", "false"})
	}
	if p.opts.Verified {
		in.Verified = new(true)
	}
	p.Steps = append(p.Steps, SyncStep{Action: SyncCreate, Username: d.Username, Changes: changes, create: in})
}

// change plans what brings the account u to d.
func (p *planner) change(d DesiredUser, u *User) {
	step := SyncStep{Action: SyncUpdate, Username: u.Username, UserID: u.ID}
	differs := func(field, from, to string) {
		step.Changes = append(step.Changes, FieldChange{field, from, to})
	}
	var email string
	if len(u.Emails) > 0 {
		email = u.Emails[0].Address
	}
	if d.Email != "" && !strings.EqualFold(d.Email, email) {
		step.update.Email = &d.Email
		if p.opts.Verified {
			step.update.Verified = new(true)
		}
		differs("email", email, d.Email)
	}
	if d.Name != "" && d.Name != u.Name {
		step.update.Name = &d.Name
		differs("name", u.Name, d.Name)
	}
	if d.Roles != nil && listOf(d.Roles) != listOf(u.Roles) {
		demoted := isAdmin(u) && !slices.Contains(d.Roles, "admin")
		switch {
		case demoted && u.ID == p.me:
			p.refuse(u.Username, "the account that the sync runs as keeps the role admin")
		case demoted && u.Active && p.admins == 1:
			p.refuse(u.Username, "the last administrator keeps the role admin")
		default:
			if demoted && u.Active {
				p.admins--
			}
			step.update.Roles = d.Roles
			differs("roles", listOf(u.Roles), listOf(d.Roles))
		}
	}
	if d.Nickname != nil && *d.Nickname != u.Nickname {
		step.update.Nickname = d.Nickname
		differs("nickname", u.Nickname, *d.Nickname)
	}
	if d.Bio != nil && *d.Bio != u.Bio {
		step.update.Bio = d.Bio
		differs("bio", u.Bio, *d.Bio)
	}
	for _, name := range slices.Sorted(maps.Keys(d.CustomFields)) {
		if from, to := u.CustomFields[name], d.CustomFields[name]; !sameJSON(from, to) {
			if step.update.CustomFields == nil {
				step.update.CustomFields = make(map[string]any)
			}
			step.update.CustomFields[name] = to
			differs(name, textOfField(from), textOfField(to))
		}
	}
	if d.Active != nil && *d.Active && !u.Active {
		if len(step.Changes) > 0 {
			step.update.Active = d.Active
		} else {
			step.Action = SyncActivate
		}
		differs("active", "false", "true")
	}
	if len(step.Changes) > 0 {
		p.Steps = append(p.Steps, step)
	}
	switch {
	case d.Active != nil && !*d.Active && u.Active:
		p.deactivate(u)
	case len(step.Changes) == 0:
		p.Unchanged++
	}
}

func (p *planner) deactivate(u *User) {
	switch {
	case u.ID == p.me:
		p.refuse(u.Username, "is the account that the sync runs as")
		return
	case u.Type != "" && u.Type != UserTypeUser, slices.Contains(u.Roles, "bot"), slices.Contains(u.Roles, "app"):
		p.refuse(u.Username, "is a bot or an app")
		return
	case isAdmin(u) && p.admins == 1:
		p.refuse(u.Username, "is the last administrator")
		return
	case isAdmin(u):
		p.admins--
	}
	p.Steps = append(p.Steps, SyncStep{
		Action: SyncDeactivate, Username: u.Username, UserID: u.ID,
		Changes: []FieldChange{{"active", "true", "false"}},
	})
}

func isAdmin(u *User) bool { return slices.Contains(u.Roles, "admin") }

// listOf makes lists comparable whose order does not matter.
func listOf(words []string) string {
	words = slices.Sorted(slices.Values(words))
	return strings.Join(slices.Compact(words), " ")
}

// textOfField is the value of a custom field for people to read.
func textOfField(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// sameJSON compares a value of the caller's with one that came as JSON.
func sameJSON(a, b any) bool {
	text := jsonQuery(a)
	return reflect.DeepEqual(a, b) || text != "" && text == jsonQuery(b)
}

// randomPassword satisfies the strictest policy that servers come with.
func randomPassword() Secret { return NewSecret(rand.Text() + "-aZ9!") }

// estimate is how long the calls still to make of an endpoint take under its limit.
func (c *Client) estimate(op string, calls int) time.Duration {
	known, ok := c.RateLimit(op)
	if !ok || known.Exempt || calls <= known.Remaining {
		return 0
	}
	windows := (calls - known.Remaining - 1) / max(known.Limit, 1)
	return known.Reset + time.Duration(windows)*known.Window
}
