package rocketchat

import (
	"context"
	"iter"
	"slices"
	"strconv"
)

// UsersService manages accounts.
type UsersService service

// Get returns a user.
//
//   - GET /api/v1/users.info.
//   - Permission: none for public fields; view-full-other-user-info for the private
//     fields of other users and for [ByEmail] and [ByImportID].
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound]; [ErrEndpointUnknown] if the server does not know the form of
//     the reference.
//   - Since server 0.35.0; [ByEmail] since 8.4, [ByExtension] since 8.5.
func (s *UsersService) Get(ctx context.Context, ref UserRef, callOpts ...CallOption) (*User, error) {
	return s.info(ctx, userInfo(ref), callOpts)
}

// GetWithRooms returns a user with the rooms that they are in, sorted by type and name.
//
//   - GET /api/v1/users.info.
//   - Permission: view-other-user-channels for other users, without which the rooms are
//     left out; otherwise as [UsersService.Get].
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound]; [ErrInvalid] from older servers.
//   - Since server 7.0.
func (s *UsersService) GetWithRooms(ctx context.Context, ref UserRef, callOpts ...CallOption) (*User, error) {
	return s.info(ctx, userInfo(ref).with("includeUserRooms", "true"), callOpts)
}

func userInfo(ref UserRef) endpoint {
	return get("users.info").since("0.35.0").yields("user").
		of(ref, refID, refUsername, refEmail, refImportID, refExtension)
}

func (s *UsersService) info(ctx context.Context, e endpoint, callOpts []CallOption) (*User, error) {
	user, err := do[*User](ctx, s.client, e, callOpts)
	if err != nil {
		return nil, e.user.explained(err)
	}
	if err := e.user.check(user); err != nil {
		return nil, err
	}
	return user, nil
}

// UserListOptions select and order accounts.
type UserListOptions struct {
	Offset     int      // number of users to skip
	Count      int      // users per page; 0 is the server's default, 50; servers cap it at 100
	Everything bool     // all users from Offset on in one answer, if the server allows that
	Sort       []string // fields to sort by, such as [SortByUsername]; descending with a leading "-"

	// Email selects the user with this address, in any case. It needs server 8.4 and the
	// permission view-full-other-user-info. On older servers, which ignore it, the call
	// fails with [ErrEndpointUnknown].
	Email string
}

func (o UserListOptions) page() pageOptions {
	return pageOptions{o.Offset, o.Count, o.Everything, o.Sort}
}

func (o UserListOptions) at(p pageOptions) UserListOptions {
	o.Offset, o.Count, o.Everything, o.Sort = p.offset, p.count, p.everything, p.sort
	return o
}

func (o UserListOptions) endpoint() endpoint {
	return get("users.list").since("0.35.0").page(o.page()).with("email", o.Email)
}

// check rejects a list that contains users who were not selected.
func (o UserListOptions) check(users []User) error {
	for i := range users {
		if o.Email != "" && !users[i].hasEmail(o.Email) {
			return &Error{Op: "users.list", Class: ErrEndpointUnknown, Field: "Email", Message: "is ignored by this server: it needs server 8.4 or newer"}
		}
	}
	return nil
}

// List returns a page of all accounts, including bots, apps and inactive ones, sorted by
// username unless opts say otherwise.
//
// Emails, Roles and LastLogin are set only for callers with view-full-other-user-info.
// CreatedAt and CustomFields are never set.
//
//   - GET /api/v1/users.list.
//   - Permission: view-d-room.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrForbidden]; [ErrInvalid] with [CodeInvalidSort].
//   - Since server 0.35.0.
func (s *UsersService) List(ctx context.Context, opts UserListOptions, callOpts ...CallOption) (*Page[User], error) {
	page, err := userPage(ctx, s.client, opts.endpoint(), callOpts)
	if err == nil {
		err = opts.check(page.Items)
	}
	if err != nil {
		return nil, err
	}
	return page, nil
}

// All returns an iterator over all accounts. It yields every user once, and ends at the
// first error. Users are sorted by ID unless opts say otherwise: IDs never change, so
// users who exist throughout are never skipped.
//
// The list is read as it arrives: users are yielded before the answer is complete, and
// memory does not grow with the list. If the caller is slower than the network, the rest is
// read ahead, up to half of [WithMaxAnswer]. If the answer breaks off, the rest of the list
// is requested again.
//
//   - GET /api/v1/users.list, once if the server allows everything in one answer, which is
//     the default; otherwise once a page.
//   - Permission: view-d-room.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: as for [UsersService.List].
//   - Since server 0.35.0.
func (s *UsersService) All(ctx context.Context, opts UserListOptions, callOpts ...CallOption) iter.Seq2[*User, error] {
	list := listing[User]{
		op: "users.list", id: userID, retry: s.client.config.retry,
		page: func(ctx context.Context, p pageOptions) (*Page[User], error) {
			return s.List(ctx, opts.at(p), callOpts...)
		},
	}
	if opts.Email == "" {
		list.open = func(ctx context.Context, p pageOptions) (*listReader[User], context.Context, error) {
			return openList[User](ctx, s.client, opts.at(p).endpoint().yields("users"), callOpts)
		}
	}
	return list.all(ctx, opts.page().sortedBy(SortByID))
}

// AccountStatus says whether an account can log in.
type AccountStatus string

// The statuses of accounts.
const (
	AccountActive      AccountStatus = "active"
	AccountDeactivated AccountStatus = "deactivated"
)

// UserListByStatusOptions select and order accounts. The zero value selects all.
type UserListByStatusOptions struct {
	Offset     int      // number of users to skip
	Count      int      // users per page; 0 is the server's default, 50; servers cap it at 100
	Everything bool     // all users from Offset on in one answer, if the server allows that
	Sort       []string // fields to sort by, such as [SortByUsername]; descending with a leading "-"

	Status AccountStatus
	// HasLoggedIn selects users who have logged in at least once, or never.
	HasLoggedIn *bool
	Type        UserType
	// Roles are role IDs. Users with any of them are selected.
	Roles []string
	// SearchTerm is a part of the username or the name. For callers with
	// view-full-other-user-info it can also be a part of the email address.
	SearchTerm string
	// InactiveReason selects accounts by the reason why they are inactive, since server
	// 8.0. Without a Status it selects inactive accounts only.
	InactiveReason []InactiveReason
}

func (o UserListByStatusOptions) page() pageOptions {
	return pageOptions{o.Offset, o.Count, o.Everything, o.Sort}
}

func (o UserListByStatusOptions) at(p pageOptions) UserListByStatusOptions {
	o.Offset, o.Count, o.Everything, o.Sort = p.offset, p.count, p.everything, p.sort
	return o
}

func (o UserListByStatusOptions) endpoint() endpoint {
	known := []InactiveReason{InactiveDeactivated, InactivePendingApproval, InactiveIdleTooLong}
	unknown := slices.ContainsFunc(o.InactiveReason, func(r InactiveReason) bool { return !slices.Contains(known, r) })
	status := o.Status
	if status == "" && len(o.InactiveReason) > 0 { // servers would list active users too
		status = AccountDeactivated
	}
	e := get("users.listByStatus").since("6.8.0").page(o.page()).
		require(o.Status == "" || o.Status == AccountActive || o.Status == AccountDeactivated, "Status", "must be active or deactivated").
		require(!unknown, "InactiveReason", "must be deactivated, pending_approval or idle_too_long").
		with("status", string(status)).with("type", string(o.Type)).with("searchTerm", o.SearchTerm).
		withAll("roles[]", o.Roles)
	if o.HasLoggedIn != nil {
		e = e.with("hasLoggedIn", strconv.FormatBool(*o.HasLoggedIn))
	}
	for _, reason := range o.InactiveReason {
		e = e.withAll("inactiveReason[]", []string{string(reason)})
	}
	return e
}

// ListByStatus returns a page of the accounts that opts select. Accounts that wait for
// approval are those of type user that have never logged in.
//
//   - GET /api/v1/users.listByStatus.
//   - Permission: view-d-room, which is enough for Emails, Roles and LastLogin here.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrForbidden]; [ErrInvalid] with [CodeInvalidSort].
//   - Since server 6.8.0.
func (s *UsersService) ListByStatus(ctx context.Context, opts UserListByStatusOptions, callOpts ...CallOption) (*Page[User], error) {
	return userPage(ctx, s.client, opts.endpoint(), callOpts)
}

// AllByStatus returns an iterator over the accounts that opts select, as
// [UsersService.All] does over all.
//
//   - GET /api/v1/users.listByStatus, once if the server allows everything in one answer,
//     otherwise once a page.
//   - Permission: view-d-room.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: as for [UsersService.ListByStatus].
//   - Since server 6.8.0.
func (s *UsersService) AllByStatus(ctx context.Context, opts UserListByStatusOptions, callOpts ...CallOption) iter.Seq2[*User, error] {
	return listing[User]{
		op: "users.listByStatus", id: userID, retry: s.client.config.retry,
		page: func(ctx context.Context, p pageOptions) (*Page[User], error) {
			return s.ListByStatus(ctx, opts.at(p), callOpts...)
		},
		open: func(ctx context.Context, p pageOptions) (*listReader[User], context.Context, error) {
			return openList[User](ctx, s.client, opts.at(p).endpoint().yields("users"), callOpts)
		},
	}.all(ctx, opts.page().sortedBy(SortByID))
}

// userPage makes a call that answers with a page of users.
func userPage(ctx context.Context, client *Client, e endpoint, callOpts []CallOption) (*Page[User], error) {
	list, err := do[struct {
		Users  items[User] `json:"users"`
		Offset int         `json:"offset"`
		Total  int         `json:"total"`
	}](ctx, client, e, callOpts)
	if err != nil {
		return nil, err
	}
	return pageOf(e, "users", list.Users, list.Offset, list.Total)
}

func userID(u *User) string { return u.ID }
