package rocketchat

import (
	"context"
	"errors"
	"iter"
	"time"
)

// RolesService manages roles and their holders. [UsersService.SetRoles] sets all roles of
// a user at once.
type RolesService service

// Role is a role.
type Role struct {
	ID                 string    `json:"_id"` // the name, for a built-in role
	Name               string    `json:"name"`
	Description        string    `json:"description"`
	Scope              RoleScope `json:"scope"`
	Protected          bool      `json:"protected"`    // built in; it cannot be deleted
	MandatoryTwoFactor bool      `json:"mandatory2fa"` // whether its holders must have a second factor
	UpdatedAt          Time      `json:"_updatedAt,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// RoleScope says where a role applies.
type RoleScope string

// The scopes of roles.
const (
	RoleScopeUsers         RoleScope = "Users"         // everywhere
	RoleScopeSubscriptions RoleScope = "Subscriptions" // in single rooms
)

func (s RoleScope) known() bool { return s == RoleScopeUsers || s == RoleScopeSubscriptions }

// RoleUsersOptions select users who hold a role. They are sorted by username.
type RoleUsersOptions struct {
	Offset     int  // number of users to skip
	Count      int  // users per page; 0 is the server's default, 50; servers cap it at 100
	Everything bool // all users from Offset on in one answer, if the server allows that
	// RoomID selects those who hold the role in this room, for a role of scope
	// [RoleScopeSubscriptions]. It also needs the permission view-other-user-channels.
	RoomID string
}

func (o RoleUsersOptions) page() pageOptions {
	return pageOptions{offset: o.Offset, count: o.Count, everything: o.Everything}
}

// RoleCreateOptions describe a new role.
type RoleCreateOptions struct {
	Name               string    `json:"name"`
	Description        *string   `json:"description,omitzero"`
	Scope              RoleScope `json:"scope,omitzero"` // by default everywhere
	MandatoryTwoFactor *bool     `json:"mandatory2fa,omitzero"`
}

// RoleUpdateOptions say what to change about a role. Nil and empty fields are left
// unchanged, except Name, which is required.
type RoleUpdateOptions struct {
	Name               string    `json:"name"`
	Description        *string   `json:"description,omitzero"`
	Scope              RoleScope `json:"scope,omitzero"`
	MandatoryTwoFactor *bool     `json:"mandatory2fa,omitzero"`
}

// RoleChanges are the roles that changed since a point in time.
type RoleChanges struct {
	Updated []Role `json:"update"`
	Removed []Role `json:"remove"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// List returns all roles.
//
//   - GET /api/v1/roles.list.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrUnauthorized].
//   - Since server 0.70.0.
func (s *RolesService) List(ctx context.Context, callOpts ...CallOption) ([]Role, error) {
	return do[items[Role]](ctx, s.client, get("roles.list").since("0.70.0").yields("roles"), callOpts)
}

// Users returns a page of the users who hold a role, given by its ID. Servers before 8.0
// take its name as well. Some documentation calls the endpoint users.getUsersOfRole, which
// never existed.
//
//   - GET /api/v1/roles.getUsersInRole.
//   - Permission: access-permissions.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound] for an unknown role, [ErrForbidden].
//   - Since server 1.3.0.
func (s *RolesService) Users(ctx context.Context, roleID string, opts RoleUsersOptions, callOpts ...CallOption) (*Page[User], error) {
	e := get("roles.getUsersInRole").since("1.3.0").page(opts.page()).
		with("role", roleID).with("roomId", opts.RoomID).
		require(roleID != "", "roleID", "must not be empty")
	list, err := do[struct {
		Users items[User] `json:"users"`
		Total int         `json:"total"` // the answer has no offset
	}](ctx, s.client, e, callOpts)
	if err != nil {
		return nil, err
	}
	return pageOf(e, "users", list.Users, opts.Offset, list.Total)
}

// AllUsers returns an iterator over the users who hold a role. It ends at the first
// error.
//
//   - GET /api/v1/roles.getUsersInRole, once if the server allows everything in one
//     answer, otherwise once a page.
//   - Permission: access-permissions.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: as for [RolesService.Users].
//   - Since server 1.3.0.
func (s *RolesService) AllUsers(ctx context.Context, roleID string, opts RoleUsersOptions, callOpts ...CallOption) iter.Seq2[*User, error] {
	return listing[User]{op: "roles.getUsersInRole", id: userID, page: func(ctx context.Context, p pageOptions) (*Page[User], error) {
		opts.Offset, opts.Count, opts.Everything = p.offset, p.count, p.everything
		return s.Users(ctx, roleID, opts, callOpts...)
	}}.all(ctx, opts.page())
}

// UsersInPublicRoles returns the users who hold public roles, with only their ID, username
// and these roles.
//
//   - GET /api/v1/roles.getUsersInPublicRoles.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrEndpointUnknown].
//   - Since server 7.10.0.
func (s *RolesService) UsersInPublicRoles(ctx context.Context, callOpts ...CallOption) ([]User, error) {
	return do[items[User]](ctx, s.client, get("roles.getUsersInPublicRoles").since("7.10.0").yields("users"), callOpts)
}

// Add gives a role to a user. For a role of scope [RoleScopeSubscriptions] see
// [RolesService.AddInRoom]: without a room it has little effect, and giving it twice is not
// an error.
//
//   - POST /api/v1/roles.addUserToRole.
//   - Permission: access-permissions, and assign-admin-role for the role admin.
//   - Second factor: not asked for.
//   - Retried if the response is lost; if the user then has the role already, the call
//     succeeds.
//   - Errors: [ErrNotFound] for the role and the user; [ErrTaken] with
//     [CodeUserAlreadyInRole]; [ErrForbidden].
//   - Since server 0.70.0.
func (s *RolesService) Add(ctx context.Context, roleID string, ref UserRef, callOpts ...CallOption) error {
	return s.add(ctx, roleID, ref, roleUserBody{RoleID: roleID}, callOpts)
}

// AddInRoom gives a user a role of scope [RoleScopeSubscriptions] in a room, as
// [RolesService.Add] does everywhere.
//
//   - POST /api/v1/roles.addUserToRole.
//   - Permission: access-permissions.
//   - Second factor: not asked for.
//   - Retried if the response is lost; if the user then has the role already, the call
//     succeeds.
//   - Errors: as for [RolesService.Add], and [ErrNotFound] for the room.
//   - Since server 0.70.0.
func (s *RolesService) AddInRoom(ctx context.Context, roleID string, ref UserRef, roomID string, callOpts ...CallOption) error {
	return s.add(ctx, roleID, ref, inRoom(roleID, roomID), callOpts)
}

func (s *RolesService) add(ctx context.Context, roleID string, ref UserRef, body roleUserBody, callOpts []CallOption) error {
	e := post("roles.addUserToRole").since("0.70.0").retried().of(ref, refUsername).json(body)
	return unlessDoneBefore(exec(ctx, s.client, body.check(e, roleID), callOpts), CodeUserAlreadyInRole)
}

// Remove takes a role from a user. The username has to be in its exact spelling.
//
//   - POST /api/v1/roles.removeUserFromRole.
//   - Permission: access-permissions.
//   - Second factor: not asked for.
//   - Retried if the response is lost; if the user then no longer has the role, the call
//     succeeds.
//   - Errors: [ErrNotFound] for the role and the user, and with [CodeUserNotInRole];
//     [ErrForbidden], with [CodeAdminRequired] for the last administrator.
//   - In all server versions.
func (s *RolesService) Remove(ctx context.Context, roleID string, ref UserRef, callOpts ...CallOption) error {
	return s.remove(ctx, roleID, ref, roleUserBody{RoleID: roleID}, callOpts)
}

// RemoveInRoom takes a role that a user holds in a room, as [RolesService.Remove] does with
// one that they hold everywhere.
//
//   - POST /api/v1/roles.removeUserFromRole.
//   - Permission: access-permissions.
//   - Second factor: not asked for.
//   - Retried if the response is lost; if the user then no longer has the role, the call
//     succeeds.
//   - Errors: as for [RolesService.Remove].
//   - In all server versions.
func (s *RolesService) RemoveInRoom(ctx context.Context, roleID string, ref UserRef, roomID string, callOpts ...CallOption) error {
	return s.remove(ctx, roleID, ref, inRoom(roleID, roomID), callOpts)
}

func (s *RolesService) remove(ctx context.Context, roleID string, ref UserRef, body roleUserBody, callOpts []CallOption) error {
	body.Scope = body.RoomID
	e := post("roles.removeUserFromRole").retried().of(ref, refUsername).json(body)
	return unlessDoneBefore(exec(ctx, s.client, body.check(e, roleID), callOpts), CodeUserNotInRole)
}

// roleUserBody refers to a role by its ID only: servers before 8.0 accept that, too, and
// newer ones refuse roleName.
type roleUserBody struct {
	RoleID string  `json:"roleId"`
	RoomID *string `json:"roomId,omitzero"`
	Scope  *string `json:"scope,omitzero"` // the room again: roles.removeUserFromRole reads it from here
}

func inRoom(roleID, roomID string) roleUserBody { return roleUserBody{RoleID: roleID, RoomID: &roomID} }

func (b roleUserBody) check(e endpoint, roleID string) endpoint {
	return e.require(roleID != "", "roleID", "must not be empty").
		require(b.RoomID == nil || *b.RoomID != "", "roomID", "must not be empty")
}

// unlessDoneBefore drops an error that says that there was nothing to do, if an earlier
// attempt whose response was lost may have done it.
func unlessDoneBefore(err error, code Code) error {
	if errors.Is(err, code) && errors.Is(err, ErrOutcomeUnknown) {
		return nil
	}
	return err
}

// Create creates a role. It needs the Enterprise edition.
//
//   - POST /api/v1/roles.create.
//   - Permission: access-permissions.
//   - Second factor: not asked for.
//   - Not retried if the response is lost.
//   - Errors: [ErrForbidden], also without a licence; [ErrTaken] for the name.
//   - Since server 0.70.0.
func (s *RolesService) Create(ctx context.Context, opts RoleCreateOptions, callOpts ...CallOption) (*Role, error) {
	e := post("roles.create").since("0.70.0").yields("role").json(opts).
		require(opts.Name != "", "Name", "must not be empty").
		require(opts.Scope == "" || opts.Scope.known(), "Scope", "must be Users or Subscriptions")
	return do[*Role](ctx, s.client, e, callOpts)
}

// Update changes a role. It needs the Enterprise edition.
//
//   - POST /api/v1/roles.update.
//   - Permission: access-permissions.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound]; [ErrForbidden], also without a licence; [ErrTaken] for the
//     name.
//   - In all server versions.
func (s *RolesService) Update(ctx context.Context, roleID string, opts RoleUpdateOptions, callOpts ...CallOption) (*Role, error) {
	e := post("roles.update").retried().yields("role").
		json(struct {
			ID string `json:"roleId"`
			RoleUpdateOptions
		}{roleID, opts}).
		require(roleID != "", "roleID", "must not be empty").
		require(opts.Name != "", "Name", "must not be empty").
		require(opts.Scope == "" || opts.Scope.known(), "Scope", "must be Users or Subscriptions")
	return do[*Role](ctx, s.client, e, callOpts)
}

// Delete deletes a role that nobody holds.
//
//   - POST /api/v1/roles.delete.
//   - Permission: access-permissions.
//   - Second factor: not asked for.
//   - Not retried if the response is lost.
//   - Errors: [ErrNotFound]; [ErrTaken] with [CodeRoleInUse]; [ErrForbidden], with
//     [CodeRoleProtected] for a built-in role.
//   - Since server 3.17.0.
func (s *RolesService) Delete(ctx context.Context, roleID string, callOpts ...CallOption) error {
	e := post("roles.delete").since("3.17.0").json(roleIDBody{roleID}).require(roleID != "", "roleID", "must not be empty")
	return exec(ctx, s.client, e, callOpts)
}

type roleIDBody struct {
	ID string `json:"roleId"`
}

// Changes returns the roles that were changed or removed since a point in time. The zero
// time returns all of them.
//
//   - GET /api/v1/roles.sync.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrUnauthorized].
//   - Since server 3.1.0.
func (s *RolesService) Changes(ctx context.Context, since time.Time, callOpts ...CallOption) (*RoleChanges, error) {
	if since.IsZero() {
		since = time.Unix(0, 0) // servers before 8.0 require the parameter
	}
	e := get("roles.sync").since("3.1.0").yields("roles").withTime("updatedSince", since)
	return do[*RoleChanges](ctx, s.client, e, callOpts)
}
