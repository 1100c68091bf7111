package rocketchat

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// UsersService manages accounts.
type UsersService service

// UserRef names a user; make one with [ByID], [ByUsername], [ByEmail], [ByImportID] or
// [ByExtension].
type UserRef struct{ key, value string }

// ByID names a user by its id, which never changes.
func ByID(id string) UserRef { return UserRef{"userId", id} }

// ByUsername names a user by its username. [UsersService.Get] wants the exact
// spelling; other calls ignore the case.
func ByUsername(name string) UserRef { return UserRef{"username", name} }

// ByEmail names a user by its e-mail address. Only [UsersService.Get] takes it, from
// server 8.4 on; it needs the permission view-full-other-user-info.
func ByEmail(address string) UserRef { return UserRef{"email", address} }

// ByImportID names a user by the id that it had in the system it was imported from.
// Only [UsersService.Get] takes it; it needs the permission view-full-other-user-info.
func ByImportID(id string) UserRef { return UserRef{"importId", id} }

// ByExtension names a user by the extension for voice calls. Only [UsersService.Get]
// takes it, from server 8.5 on.
func ByExtension(number string) UserRef { return UserRef{"freeSwitchExtension", number} }

// named lets the endpoint refuse a reference that names nobody.
func (r UserRef) named(e endpoint) endpoint {
	if r.key == "" {
		return e.require(false, "userId", "or username must be given")
	}
	return e.require(r.value != "", r.key, "must not be empty")
}

// direct is named for the many endpoints that look up ids and usernames alone.
func (r UserRef) direct(e endpoint) endpoint {
	return r.named(e).require(r.key == "userId" || r.key == "username", r.key, "is no way to name a user here: use ByID or ByUsername")
}

// explained adds to the refusal of a server that does not know a way to name users what
// it would take.
func (r UserRef) explained(err error) error {
	version := map[string]string{"email": "8.4", "freeSwitchExtension": "8.5"}[r.key]
	if e, ok := errors.AsType[*Error](err); ok && version != "" && e.Class == ErrInvalid && strings.HasSuffix(string(e.Code), "invalid-params") {
		e.Err = fmt.Errorf("to name a user by %s needs server %s or newer", r.key, version)
	}
	return err
}

// addTo adds the reference to the parameters of a call.
func (r UserRef) addTo(q url.Values) url.Values {
	if r.value != "" {
		q.Set(r.key, r.value)
	}
	return q
}

// body is the reference as the body of a call, or as a part of it.
func (r UserRef) body() userRefBody {
	switch r.key {
	case "userId":
		return userRefBody{UserID: r.value}
	case "username":
		return userRefBody{Username: r.value}
	}
	return userRefBody{}
}

type userRefBody struct {
	UserID   string `json:"userId,omitzero"`
	Username string `json:"username,omitzero"`
}

// Get returns one user.
//
// GET /api/v1/users.info. No permission for the public fields; the private ones of
// somebody else, and to name the user by e-mail address or import id, need
// view-full-other-user-info. Errors: [ErrNotFound].
func (s *UsersService) Get(ctx context.Context, ref UserRef, opts ...CallOption) (*User, error) {
	return s.info(ctx, ref, ref.addTo(url.Values{}), opts)
}

func (s *UsersService) info(ctx context.Context, ref UserRef, q url.Values, opts []CallOption) (*User, error) {
	user, err := do[*User](ctx, s.client, ref.named(get("users.info").since("0.35.0").yields("user")), q, nil, opts)
	return user, ref.explained(err)
}

// GetWithRooms returns one user with the rooms that the user is in, by type and name.
//
// GET /api/v1/users.info, on a server 7.0 or newer; an older one leaves out the rooms.
// So does any for a caller who asks for somebody else without the permission
// view-other-user-channels; otherwise as [UsersService.Get].
func (s *UsersService) GetWithRooms(ctx context.Context, ref UserRef, opts ...CallOption) (*User, error) {
	return s.info(ctx, ref, ref.addTo(query("includeUserRooms", "true")), opts)
}

// ListOptions choose among all accounts.
type ListOptions struct {
	PageOptions

	// Email is a whole address, in any case, whose user is wanted; from server 8.4 on.
	// It needs the permission view-full-other-user-info. Older servers ignore it, which
	// is an error of class [ErrEndpointUnknown].
	Email string
}

// ignored reports a list that has others than were asked for.
func (o ListOptions) ignored(e endpoint, users []User) error {
	for i := range users {
		if o.Email != "" && !users[i].hasEmail(o.Email) {
			return &Error{Op: e.op, Class: ErrEndpointUnknown, Message: "by e-mail address needs server 8.4 or newer: this one ignores the address"}
		}
	}
	return nil
}

// List returns a page of all accounts: users, bots and apps, active or not, by
// username unless opts say otherwise.
//
// GET /api/v1/users.list. Permission view-d-room; without view-full-other-user-info
// the users come without Emails, Roles and LastLogin. CreatedAt and CustomFields are
// never there. Errors: [ErrForbidden]; code error-invalid-sort.
func (s *UsersService) List(ctx context.Context, in ListOptions, opts ...CallOption) (*Page[User], error) {
	e := in.check(get("users.list").since("0.35.0"))
	answer, err := do[userList](ctx, s.client, e, in.addTo(query("email", in.Email)), nil, opts)
	if err == nil {
		err = in.ignored(e, answer.Users)
	}
	if err != nil {
		return nil, err
	}
	return pageOf(e, "users", answer.Users, answer.Offset, answer.Total)
}

// All yields every account once, and an error at most once, as the last. Unless in
// says otherwise they come by id, which never changes: then none is missed that was
// there all the time, whatever is created, renamed or deleted meanwhile.
//
// GET /api/v1/users.list, as often as it takes: once where the server gives
// everything at once, as servers do by default. Otherwise as [UsersService.List].
func (s *UsersService) All(ctx context.Context, in ListOptions, opts ...CallOption) iter.Seq2[*User, error] {
	return walk(ctx, "users.list", in.sortedBy(SortByID), userID, func(ctx context.Context, page PageOptions) (*Page[User], error) {
		next := in
		next.PageOptions = page
		return s.List(ctx, next, opts...)
	})
}

// AccountStatus tells accounts that can log in from those that cannot.
type AccountStatus string

// The statuses of accounts.
const (
	AccountActive      AccountStatus = "active"
	AccountDeactivated AccountStatus = "deactivated"
)

// ListByStatusOptions choose accounts by what they are. The zero value chooses all.
type ListByStatusOptions struct {
	PageOptions

	Status AccountStatus
	// HasLoggedIn chooses those who have ever logged in, or those who never have.
	HasLoggedIn *bool
	Type        UserType
	// Roles are ids of roles, of which a user has at least one.
	Roles []string
	// SearchTerm is a part of the username, the name or, for a caller with the
	// permission view-full-other-user-info, the e-mail address.
	SearchTerm string
	// InactiveReason chooses by why accounts are not active; from server 8.0 on.
	InactiveReason []InactiveReason
}

func (o ListByStatusOptions) check(e endpoint) endpoint {
	known := func(r InactiveReason) bool {
		return r == InactiveDeactivated || r == InactivePendingApproval || r == InactiveIdleTooLong
	}
	return o.PageOptions.check(e).
		require(o.Status == "" || o.Status == AccountActive || o.Status == AccountDeactivated, "Status", "must be active or deactivated").
		require(!slices.ContainsFunc(o.InactiveReason, func(r InactiveReason) bool { return !known(r) }), "InactiveReason",
			"must be deactivated, pending_approval or idle_too_long")
}

func (o ListByStatusOptions) query() url.Values {
	q := query("status", string(o.Status), "type", string(o.Type), "searchTerm", o.SearchTerm)
	if o.HasLoggedIn != nil {
		q.Set("hasLoggedIn", strconv.FormatBool(*o.HasLoggedIn))
	}
	for _, role := range o.Roles {
		q.Add("roles[]", role)
	}
	for _, reason := range o.InactiveReason {
		q.Add("inactiveReason[]", string(reason))
	}
	return o.addTo(q)
}

// ListByStatus returns a page of the accounts that in describes. Accounts that wait
// for approval are those of type user that have never logged in.
//
// GET /api/v1/users.listByStatus, on a server 6.8 or newer. Permission view-d-room,
// which here suffices for Emails, Roles and LastLogin. Errors: [ErrForbidden],
// [ErrEndpointUnknown]; code error-invalid-sort.
func (s *UsersService) ListByStatus(ctx context.Context, in ListByStatusOptions, opts ...CallOption) (*Page[User], error) {
	e := in.check(get("users.listByStatus").since("6.8.0"))
	answer, err := do[userList](ctx, s.client, e, in.query(), nil, opts)
	if err != nil {
		return nil, err
	}
	return pageOf(e, "users", answer.Users, answer.Offset, answer.Total)
}

// AllByStatus yields every account that in describes, as [UsersService.All] does.
//
// GET /api/v1/users.listByStatus, as often as it takes; otherwise as
// [UsersService.ListByStatus].
func (s *UsersService) AllByStatus(ctx context.Context, in ListByStatusOptions, opts ...CallOption) iter.Seq2[*User, error] {
	return walk(ctx, "users.listByStatus", in.sortedBy(SortByID), userID, func(ctx context.Context, page PageOptions) (*Page[User], error) {
		next := in
		next.PageOptions = page
		return s.ListByStatus(ctx, next, opts...)
	})
}

// userList is the answer that holds a page of users.
type userList struct {
	Users  items[User] `json:"users"`
	Offset int         `json:"offset"`
	Total  int         `json:"total"`
}

func userID(u *User) string { return u.ID }

// sortedBy returns the options with a sort of their own.
func (o PageOptions) sortedBy(key SortKey) PageOptions {
	if len(o.Sort) == 0 {
		o.Sort = []SortKey{key}
	}
	return o
}
