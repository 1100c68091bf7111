package rocketchat

import (
	"context"
	"errors"
	"iter"
	"time"
)

// RolesService manages roles and who holds them. To give a user a whole list of roles,
// see [UsersService.SetRoles].
type RolesService service

// Role is a role.
type Role struct {
	ID                 string    `json:"_id"` // of a built-in role its name
	Name               string    `json:"name"`
	Description        string    `json:"description"`
	Scope              RoleScope `json:"scope"`
	Protected          bool      `json:"protected"`    // built in: it cannot be deleted
	MandatoryTwoFactor bool      `json:"mandatory2fa"` // its holders must have a second factor
	UpdatedAt          Time      `json:"_updatedAt,omitzero"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// RoleScope says where a role counts.
type RoleScope string

// The scopes of roles.
const (
	RoleScopeUsers         RoleScope = "Users"         // everywhere
	RoleScopeSubscriptions RoleScope = "Subscriptions" // in single rooms
)

func (s RoleScope) known() bool { return s == RoleScopeUsers || s == RoleScopeSubscriptions }

// RoleUsersOptions choose a part of the users who hold a role.
type RoleUsersOptions struct {
	// Offset, Count and Everything are those of [PageOptions]. The order is that of the
	// usernames.
	Offset     int
	Count      int
	Everything bool
	// RoomID asks for those who hold the role in this room, for a role of scope
	// [RoleScopeSubscriptions]. It needs the permission view-other-user-channels too.
	RoomID string
}

func (o RoleUsersOptions) page() PageOptions {
	return PageOptions{Offset: o.Offset, Count: o.Count, Everything: o.Everything}
}

// RoleOptions are further choices for giving and taking a role.
type RoleOptions struct {
	// RoomID is the room to hold the role in, for one of scope [RoleScopeSubscriptions].
	RoomID string
}

// RoleCreate is a role to make.
type RoleCreate struct {
	Name               string    `json:"name"`
	Description        *string   `json:"description,omitzero"`
	Scope              RoleScope `json:"scope,omitzero"` // by default everywhere
	MandatoryTwoFactor *bool     `json:"mandatory2fa,omitzero"`
}

// RoleUpdate is a change of a role. What is nil or empty stays.
type RoleUpdate struct {
	ID                 string    `json:"roleId"`
	Name               string    `json:"name"` // needed, also when it stays
	Description        *string   `json:"description,omitzero"`
	Scope              RoleScope `json:"scope,omitzero"`
	MandatoryTwoFactor *bool     `json:"mandatory2fa,omitzero"`
}

// RoleChanges are the roles that changed since a moment.
type RoleChanges struct {
	Updated []Role `json:"update"`
	Removed []Role `json:"remove"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// roleUsers is a page of the users of a role, which does not say where it begins.
type roleUsers struct {
	Users items[User] `json:"users"`
	Total int         `json:"total"`
}

// List returns all roles.
//
// GET /api/v1/roles.list. No permission.
func (s *RolesService) List(ctx context.Context, opts ...CallOption) ([]Role, error) {
	return do[[]Role](ctx, s.client, get("roles.list").since("0.70.0").yields("roles"), nil, nil, opts)
}

// Users returns a page of the users who hold a role, which is named by its id; servers
// before 8.0 take its name as well.
//
// GET /api/v1/roles.getUsersInRole; users.getUsersOfRole, as some documentation calls
// it, never existed. It needs the permission access-permissions. Errors: [ErrNotFound]
// for an unknown role, [ErrForbidden].
func (s *RolesService) Users(ctx context.Context, role string, in RoleUsersOptions, opts ...CallOption) (*Page[User], error) {
	e := in.page().check(get("roles.getUsersInRole").since("1.3.0").require(role != "", "role", "must not be empty"))
	list, err := do[roleUsers](ctx, s.client, e, in.page().addTo(query("role", role, "roomId", in.RoomID)), nil, opts)
	if err != nil {
		return nil, err
	}
	return pageOf(e, "users", list.Users, in.Offset, list.Total)
}

// AllUsers goes through all users who hold a role, as [RolesService.Users] names them.
// An error ends it.
func (s *RolesService) AllUsers(ctx context.Context, role string, in RoleUsersOptions, opts ...CallOption) iter.Seq2[*User, error] {
	return walk(ctx, "roles.getUsersInRole", in.page(), func(u *User) string { return u.ID },
		func(ctx context.Context, page PageOptions) (*Page[User], error) {
			return s.Users(ctx, role, RoleUsersOptions{
				Offset: page.Offset, Count: page.Count, Everything: page.Everything, RoomID: in.RoomID,
			}, opts...)
		})
}

// UsersInPublicRoles returns the users who hold a role that everybody may know of, with
// id, username and these roles alone.
//
// GET /api/v1/roles.getUsersInPublicRoles, since server 7.10. No permission.
func (s *RolesService) UsersInPublicRoles(ctx context.Context, opts ...CallOption) ([]User, error) {
	e := get("roles.getUsersInPublicRoles").since("7.10.0").yields("users")
	return do[[]User](ctx, s.client, e, nil, nil, opts)
}

// Add gives a role, named by its id, to a user.
//
// POST /api/v1/roles.addUserToRole. It needs the permission access-permissions, and
// assign-admin-role for the role admin. A lost answer is repeated: that the user has
// the role by then is success. Errors: [ErrNotFound] for the role and the user,
// [ErrTaken] with the code error-user-already-in-role, [ErrForbidden].
//
// A role of scope [RoleScopeSubscriptions] is given without a room too, which has little
// effect; to give it twice is no error then.
func (s *RolesService) Add(ctx context.Context, role, username string, o RoleOptions, opts ...CallOption) error {
	body := roleUserBody{RoleID: role, Username: username, RoomID: o.RoomID}
	err := exec(ctx, s.client, body.check(post("roles.addUserToRole").since("0.70.0").repeatable()), body, opts)
	return unlessDoneBefore(err, "error-user-already-in-role")
}

// Remove takes a role, named by its id, from a user, named in the exact spelling.
//
// POST /api/v1/roles.removeUserFromRole. It needs the permission access-permissions. A
// lost answer is repeated: that the user does not have the role by then is success.
// Errors: [ErrNotFound] for the role, for the user, and with the code
// error-user-not-in-role; [ErrForbidden], also with the code error-admin-required for
// the last administrator.
func (s *RolesService) Remove(ctx context.Context, role, username string, o RoleOptions, opts ...CallOption) error {
	body := roleUserBody{RoleID: role, Username: username, RoomID: o.RoomID, Scope: o.RoomID}
	err := exec(ctx, s.client, body.check(post("roles.removeUserFromRole").repeatable()), body, opts)
	return unlessDoneBefore(err, "error-user-not-in-role")
}

// roleUserBody names a role by id alone: servers before 8.0 take that too, and newer
// ones refuse roleName.
type roleUserBody struct {
	RoleID   string `json:"roleId"`
	Username string `json:"username"`
	RoomID   string `json:"roomId,omitzero"`
	Scope    string `json:"scope,omitzero"` // the room once more: removing reads it from here
}

func (b roleUserBody) check(e endpoint) endpoint {
	return e.require(b.RoleID != "", "role", "must not be empty").
		require(b.Username != "", "username", "must not be empty")
}

// unlessDoneBefore drops an error that says that there is nothing to do any more, when
// an earlier attempt, whose answer was lost, may have done it.
func unlessDoneBefore(err error, code Code) error {
	if errors.Is(err, code) && errors.Is(err, ErrOutcomeUnknown) {
		return nil
	}
	return err
}

// Create makes a role.
//
// POST /api/v1/roles.create, of the Enterprise edition. It needs the permission
// access-permissions. A lost answer is not repeated. Errors: [ErrForbidden], also
// without a licence; [ErrTaken] for the name.
func (s *RolesService) Create(ctx context.Context, in RoleCreate, opts ...CallOption) (*Role, error) {
	e := post("roles.create").since("0.70.0").yields("role").
		require(in.Name != "", "name", "must not be empty").
		require(in.Scope == "" || in.Scope.known(), "scope", "must be Users or Subscriptions")
	return do[*Role](ctx, s.client, e, nil, in, opts)
}

// Update changes a role.
//
// POST /api/v1/roles.update, of the Enterprise edition. It needs the permission
// access-permissions. A lost answer is repeated. Errors: [ErrNotFound];
// [ErrForbidden], also without a licence; [ErrTaken] for the name.
func (s *RolesService) Update(ctx context.Context, in RoleUpdate, opts ...CallOption) (*Role, error) {
	e := post("roles.update").repeatable().yields("role").
		require(in.ID != "", "roleId", "must not be empty").
		require(in.Name != "", "name", "must not be empty").
		require(in.Scope == "" || in.Scope.known(), "scope", "must be Users or Subscriptions")
	return do[*Role](ctx, s.client, e, nil, in, opts)
}

// Delete removes a role that nobody holds.
//
// POST /api/v1/roles.delete. It needs the permission access-permissions. A lost answer
// is not repeated. Errors: [ErrNotFound], [ErrTaken] with the code error-role-in-use,
// [ErrForbidden], also with the code error-role-protected for a built-in role.
func (s *RolesService) Delete(ctx context.Context, roleID string, opts ...CallOption) error {
	e := post("roles.delete").since("3.17.0").require(roleID != "", "roleId", "must not be empty")
	return exec(ctx, s.client, e, roleIDBody{roleID}, opts)
}

type roleIDBody struct {
	ID string `json:"roleId"`
}

// Sync returns the roles that were changed and removed since a moment; the zero time
// is the beginning.
//
// GET /api/v1/roles.sync. No permission.
func (s *RolesService) Sync(ctx context.Context, since time.Time, opts ...CallOption) (*RoleChanges, error) {
	if since.IsZero() {
		since = time.Unix(0, 0) // servers before 8.0 want the parameter
	}
	return do[*RoleChanges](ctx, s.client, get("roles.sync").since("3.1.0").yields("roles"), addTime(query(), "updatedSince", since), nil, opts)
}
