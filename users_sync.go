package rocketchat

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// DesiredUser describes what an account should be like. Zero fields are neither compared
// nor changed.
type DesiredUser struct {
	// Ref says which account is meant. The zero value means [ByUsername] of Username: an
	// account with another username then belongs to somebody else. With an ID, an import ID
	// or another value that does not change, a new username is a rename.
	//
	// If no account matches a Ref, the account with both the Username and the Email is used.
	// If there is none, the account is created, except for [ByID].
	Ref UserRef
	// Key is used instead of Ref together with [SyncOptions.Match].
	Key string

	Username string // in any case of its ASCII letters
	Email    string // the first address; a new account needs one
	Name     string
	// Password is the password of a new account. It is not compared. If it is zero, a new
	// account gets a random password that nobody knows.
	Password Secret
	// Roles are role IDs in any order. Nil leaves them unchanged, and an empty list removes
	// all. In both cases a new account gets the server's default roles.
	Roles []string
	// Active says whether the account should be active. Nil leaves an existing account
	// unchanged, so people who come back need new(true). A new account is active by default.
	Active *bool

	// Lists of users do not contain the following fields; see [UsersService.PlanSync] for
	// the calls that they cost.
	Nickname *string
	Bio      *string
	// CustomFields are compared one by one; fields that are not in the map are left
	// unchanged.
	CustomFields map[string]any
}

// SyncOptions say how far a sync may go. The zero value deactivates nobody who is not in
// the list.
type SyncOptions struct {
	// Departed reports whether to deactivate an active user who is not in the list. It is
	// the scope of the sync, and gets the fields of a user that [UsersService.List] returns.
	// It is not called for bots, apps and the account that the client acts for. If it is
	// nil, only those whose Active is false in the list are deactivated.
	Departed func(*User) bool
	// MaxDeactivations is the share of the active users that may be deactivated: 0 means
	// 0.2, and 1 means all of them. With Departed, only the users in its scope count: the
	// people in the list and those for whom Departed reports true. A plan that exceeds the
	// share fails with [*TooManyDeactivationsError].
	MaxDeactivations float64
	// Match returns the key of an account, or "" if it has none. The account belongs to the
	// person in the list with the same [DesiredUser.Key]. Match gets the fields of a user
	// that [UsersService.List] returns.
	Match func(*User) (key string)
	// ConfirmRelinquish deactivates users even if rooms lose their last owner.
	ConfirmRelinquish bool
	// Verified marks new addresses as verified, except that of the account that the
	// client acts for, which servers refuse.
	Verified bool
	// Concurrency is the number of calls of each kind under way at once; 0 means 4.
	Concurrency int

	// PlanProgress is called while the server is read. Its calls do not overlap.
	PlanProgress func(SyncReading)
	// Progress is called after every step. Its calls do not overlap.
	Progress func(SyncProgress)

	// Known is what [SyncReport.Known] returned after an earlier sync. People whose
	// nickname, bio and custom fields in the list are the same as in that sync are not read
	// again, so changes that others have made to these fields since are not noticed.
	Known SyncKnown
	// Journal gets a line of JSON before every step and after it, so that another process
	// can continue after a crash; see [ReadSyncJournal]. A step whose line cannot be written
	// does not begin. The lines hold names and addresses, but no passwords.
	Journal io.Writer
	// Resume continues what another run began. It is needed only if Refs refer to
	// usernames or addresses that the sync itself changes.
	Resume *SyncJournal
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

// SyncStep is what a sync does to one account with one request.
type SyncStep struct {
	Action   SyncAction    `json:"action"`
	Username string        `json:"username"`        // "" for an account that has none yet
	UserID   string        `json:"userId,omitzero"` // "" for a new account
	Changes  []FieldChange `json:"changes"`
	// Temporary is set for a step that gives a user a temporary username or address, because
	// users swap theirs.
	Temporary bool `json:"temporary,omitzero"`

	id      int
	desired int // index in the list; -1 for departed users
	create  *UserCreateOptions
	update  *UserUpdateOptions
	restore *UserUpdateOptions // what a user with temporary values had before
	// verified is set if the address that the user had before was verified.
	verified bool
	needs    []need // steps that have to succeed first
	follows  int    // ID of the step that has to end first; 0 for none
}

// need is a step that has to succeed before another, and why.
type need struct {
	step  int
	field string
	other string // whom the step is about; "" for the user's own temporary value
}

// FieldChange is a field that differs. Its name is that of the server, such as "email" or
// "customFields.team".
type FieldChange struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

// String describes the change in a few words.
func (c FieldChange) String() string { return fmt.Sprintf("%s %q -> %q", c.Field, c.From, c.To) }

// String describes the step on one line.
func (s SyncStep) String() string {
	changes := make([]string, len(s.Changes))
	for i, c := range s.Changes {
		changes[i] = c.String()
		if s.Action == SyncCreate {
			changes[i] = c.Field + " " + c.To
		}
	}
	line := fmt.Sprintf("%-10s %-20s %s", s.Action, cmp.Or(s.Username, s.UserID), strings.Join(changes, ", "))
	if s.Temporary {
		line += " (temporary)"
	}
	return strings.TrimSpace(line)
}

// SyncCode says why a sync refuses something. It is an error, so that it can be a target
// of [errors.Is].
type SyncCode string

// The reasons for refusals.
const (
	// SyncTaken: the username or the address belongs to another account, which keeps it.
	SyncTaken SyncCode = "taken"
	// SyncInvalid: the server would refuse the value.
	SyncInvalid SyncCode = "invalid"
	// SyncReserved: the server reserves the username.
	SyncReserved SyncCode = "reserved"
	// SyncMissing: a new account needs the field.
	SyncMissing SyncCode = "missing"
	// SyncNotFound: no account has the ID, or the account was deleted while the plan was
	// made.
	SyncNotFound SyncCode = "not found"
	// SyncUnknownRole: the server has no such role.
	SyncUnknownRole SyncCode = "unknown role"
	// SyncUnknownField: the server does not define the custom field.
	SyncUnknownField SyncCode = "unknown field"
	// SyncNoTemporary: users swap values, and the server's rules allow no temporary one.
	SyncNoTemporary SyncCode = "no temporary value"
	// SyncOwnAccount: the sync would deactivate the account that it runs as, or take its
	// role admin.
	SyncOwnAccount SyncCode = "own account"
	// SyncBot: the sync would deactivate a bot or an app.
	SyncBot SyncCode = "bot"
	// SyncLastAdmin: no active administrator would be left.
	SyncLastAdmin SyncCode = "last administrator"
)

// Error implements error.
func (c SyncCode) Error() string { return string(c) }

// SyncRefusal is a change that the plan does not make. It is an error.
type SyncRefusal struct {
	Code     SyncCode `json:"code"`
	Username string   `json:"username"`       // whom it is about; their ID or Ref if they have no username
	Field    string   `json:"field"`          // the field that is not changed, such as "email"; "active" for deactivations
	Other    string   `json:"other,omitzero"` // username, or ID, of whoever is in the way
	Reason   string   `json:"reason"`         // a sentence for people
}

// Error implements error.
func (r SyncRefusal) Error() string { return r.Username + ": " + r.Reason }

// Is reports whether target is the code of r.
func (r SyncRefusal) Is(target error) bool {
	code, ok := target.(SyncCode)
	return ok && code == r.Code
}

// SyncPlan holds the steps that bring accounts in step with a list. It can be printed,
// and [SyncPlan.Run] carries it out. A program can remove steps before that.
type SyncPlan struct {
	Steps     []SyncStep
	Refusals  []SyncRefusal // changes that are not made
	Unchanged int           // accounts that are as they should be

	users    *UsersService
	opts     SyncOptions
	callOpts []CallOption
	known    syncKnowledge
	people   map[string]string // user IDs by reference, for the journal
	newRefs  map[int]string    // references of new people, by their index in the list
	// customKnown is set if the plan knew which custom fields the server defines.
	customKnown bool
}

// String returns the plan as lines of text.
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

// count returns the number of steps of an action, without those for temporary values.
func (p *SyncPlan) count(a SyncAction) (n int) {
	for _, step := range p.Steps {
		if step.Action == a && !step.Temporary {
			n++
		}
	}
	return n
}

// Calls returns how many calls of each endpoint the plan takes if each succeeds at once.
// If the client has [WithTwoFactor] and the server has not asked for a second factor
// before, the count includes the first call of users.update, which the server answers by
// asking. If the function of WithTwoFactor does not answer ahead (see
// [TwoFactorChallenge.Ahead]), the server asks every time, and these further calls are
// not counted.
func (p *SyncPlan) Calls() map[string]int {
	calls := make(map[string]int)
	for _, step := range p.Steps {
		for _, op := range step.ops() {
			calls[op]++
		}
	}
	if p.users != nil && p.questioned() {
		calls[opAsking]++
	}
	return calls
}

// opAsking is the operation of a sync for which servers ask for a second factor.
const opAsking = "users.update"

// questioned reports whether the server is going to answer a call by asking for a second
// factor. Later calls of the operation bring it along.
func (p *SyncPlan) questioned() bool {
	config := &p.users.client.config
	if config.twoFactor == nil || !slices.ContainsFunc(p.Steps, func(s SyncStep) bool { return s.writeOp() == opAsking }) {
		return false
	}
	config.factors.mu.Lock()
	defer config.factors.mu.Unlock()
	_, asked := config.factors.asked[opAsking]
	return !asked
}

// ops returns the operations of a step, in their order.
func (s SyncStep) ops() []string {
	switch s.Action {
	case SyncCreate:
		return []string{"users.create"}
	case SyncUpdate:
		if s.update != nil && s.update.erases() {
			return []string{"users.info", "users.update"}
		}
		return []string{"users.update"}
	}
	return []string{"users.setActiveStatus"}
}

// writeOp returns the operation of a step that changes something.
func (s SyncStep) writeOp() string {
	ops := s.ops()
	return ops[len(ops)-1]
}

// TooManyDeactivationsError rejects a plan that would deactivate more than the share that
// [SyncOptions] allow, usually because the list is incomplete.
type TooManyDeactivationsError struct {
	Planned int     // number of deactivations
	Active  int     // number of active users in the scope of the sync
	Share   float64 // that is allowed
}

// Error implements error.
func (e *TooManyDeactivationsError) Error() string {
	return fmt.Sprintf("rocketchat: the sync would deactivate %d of %d active users, more than the share of %g that is allowed", e.Planned, e.Active, e.Share)
}

// Sync brings the accounts of the server in step with a list: it creates those that are
// missing, changes only what differs, and deactivates those of people who have left. It
// is [UsersService.PlanSync] followed by [SyncPlan.Run]. The report is nil if the plan
// failed.
//
//   - GET /api/v1/users.list and others to plan, POST /api/v1/users.create,
//     POST /api/v1/users.update and POST /api/v1/users.setActiveStatus to run.
//   - Permission: as for [UsersService.PlanSync] and [SyncPlan.Run].
//   - Second factor: asked for by users.update.
//   - Retried if the response is lost; accounts that were to be created are looked up.
//   - Errors: those of [UsersService.PlanSync]; [*SyncError] if not everything was done.
//   - Since server 0.75.0.
func (s *UsersService) Sync(ctx context.Context, desired []DesiredUser, opts SyncOptions, callOpts ...CallOption) (*SyncReport, error) {
	plan, err := s.PlanSync(ctx, desired, opts, callOpts...)
	if err != nil {
		return nil, err
	}
	return plan.Run(ctx)
}

// PlanSync compares the accounts of the server with what they should be. It changes
// nothing, so it is also the dry run of [UsersService.Sync].
//
// Renames, and usernames and addresses that people swap or pass on, are put into an order
// that works, if need be with a temporary value. Changes that the server would refuse are
// refused in the plan, as far as the server's rules can be read. A plan never deactivates
// the account that the client acts for, bots and apps, or the last active administrator,
// and never takes the role admin from that account or from the last administrator.
//
// A plan costs two calls: for the client's own account and for the list of users. Others
// are made only if they are needed: roles.list if roles are to change; up to five calls
// of settings, for clients with view-privileged-setting, if usernames, addresses or
// custom fields are to change; directory if nicknames or bios are to be compared; and
// users.info for each person whose custom fields are to be compared, or whom [ByImportID]
// or [ByExtension] refers to. [SyncOptions.Known] saves calls of the last two kinds.
//
//   - GET /api/v1/users.list, and others as above.
//   - Permission: view-d-room and view-full-other-user-info; view-outside-room for the
//     directory, without which users.info is called for each person instead.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrInvalid] for an empty list, for people who cannot be told apart, and if
//     two accounts match one of them; [ErrForbidden] if the addresses of others are not
//     visible; [*TooManyDeactivationsError].
//   - Since server 0.75.0.
func (s *UsersService) PlanSync(ctx context.Context, desired []DesiredUser, opts SyncOptions, callOpts ...CallOption) (*SyncPlan, error) {
	if err := checkDesired(desired, opts); err != nil {
		return nil, err
	}
	opts.MaxDeactivations = cmp.Or(opts.MaxDeactivations, defaultMaxDeactivations)
	opts.Concurrency = cmp.Or(opts.Concurrency, defaultConcurrency)
	attempts := &syncAttempts{outdated: make(map[int]bool), lookedUp: make(map[int]*User)}
	for {
		p := newSyncPlanner(s, desired, opts, callOpts, attempts)
		if err := p.read(ctx); err != nil {
			return nil, err
		}
		if p.forget() {
			continue
		}
		if err := p.settle(ctx); err != nil {
			return nil, err
		}
		return p.plan(ctx)
	}
}

const opSync = "users.sync"

// checkDesired rejects lists in which people cannot be told apart.
func checkDesired(desired []DesiredUser, opts SyncOptions) error {
	switch {
	case !(opts.MaxDeactivations >= 0 && opts.MaxDeactivations <= 1): // NaN, too
		return invalid(opSync, "MaxDeactivations", "must be a share from 0 to 1")
	case opts.Concurrency < 0:
		return invalid(opSync, "Concurrency", "must not be negative")
	case len(desired) == 0:
		return invalid(opSync, "desired", "must not be empty")
	}
	seen := make(map[UserRef]int, 3*len(desired))
	for i := range desired {
		d := &desired[i]
		if err := d.check(i, opts.Match != nil); err != nil {
			return err
		}
		for _, value := range d.distinct() {
			if before, twice := seen[value.ref]; twice {
				return invalid(opSync, fmt.Sprintf("desired[%d].%s", i, value.field),
					fmt.Sprintf("%q is in the list twice, at desired[%d] too", value.ref.value, before))
			}
			seen[value.ref] = i
		}
	}
	return nil
}

// distinctValue is a value that only one person in the list may have.
type distinctValue struct {
	field string
	ref   UserRef
}

// distinct returns what tells d from the others. A username is told apart as what the
// account is to be called, even if it also says which account is meant.
func (d *DesiredUser) distinct() []distinctValue {
	values := make([]distinctValue, 0, 3)
	switch {
	case d.Ref != UserRef{}:
		values = append(values, distinctValue{"Ref", d.Ref.folded()})
	case d.Key != "":
		values = append(values, distinctValue{"Key", UserRef{refKey, d.Key}})
	}
	if name := folded(d.Username); name != "" {
		values = append(values, distinctValue{"Username", UserRef{"wanted username", name}})
	}
	if address := folded(d.Email); address != "" {
		values = append(values, distinctValue{"Email", UserRef{"wanted address", address}})
	}
	return values
}

// check rejects a person of whom it is not clear who is meant.
func (d *DesiredUser) check(i int, matches bool) error {
	field := func(name string) string { return fmt.Sprintf("desired[%d].%s", i, name) }
	switch {
	case d.Key != "" && d.Ref != (UserRef{}):
		return invalid(opSync, field("Key"), "must not be set together with Ref")
	case d.Key != "" && !matches:
		return invalid(opSync, field("Key"), "needs SyncOptions.Match")
	case d.Ref.key != "" && d.Ref.key != refSelf && d.Ref.value == "":
		return invalid(opSync, field("Ref"), "must not be empty")
	case !utf8.ValidString(d.Ref.value):
		return invalid(opSync, field("Ref"), "must be UTF-8")
	case !utf8.ValidString(d.Key):
		return invalid(opSync, field("Key"), "must be UTF-8")
	case !d.explicit() && strings.TrimSpace(d.Username) == "":
		return invalid(opSync, field("Username"), "must not be empty")
	}
	return nil
}

// refKey is the form of references to a [DesiredUser.Key].
const refKey = "key"

// identity returns the reference by which the account of d is found.
func (d *DesiredUser) identity() UserRef {
	switch {
	case d.Ref != UserRef{}:
		return d.Ref
	case d.Key != "":
		return UserRef{refKey, d.Key}
	}
	return ByUsername(strings.TrimSpace(d.Username))
}

// folded returns the reference in the form in which references are compared.
func (r UserRef) folded() UserRef {
	if r.key == refUsername || r.key == refEmail {
		r.value = folded(r.value)
	}
	return r
}

// folded is foldKey without spaces around it, and without a copy if nothing changes.
func folded(s string) string {
	s = strings.TrimSpace(s)
	for i := range len(s) {
		if lower(s[i]) != s[i] {
			return foldKey(s)
		}
	}
	return s
}

// customFieldNames returns the names of the custom fields, sorted.
func (d *DesiredUser) customFieldNames() []string {
	return slices.Sorted(maps.Keys(d.CustomFields))
}
