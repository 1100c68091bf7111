package rocketchat

import (
	"context"
	"maps"
	"reflect"
)

// UserCreate describes a new account. Username and Password must be given; Name and
// Email, too, unless the server's settings let them be empty.
type UserCreate struct {
	Email    string `json:"email"`
	Name     string `json:"name"`
	Username string `json:"username"`
	Password Secret `json:"password"` // the password policy does not apply

	// Active needs the permission edit-other-user-active-status. Without it the call
	// fails after the user was created.
	Active                *bool          `json:"active,omitzero"`
	Roles                 []string       `json:"roles,omitzero"` // ids; admin needs assign-admin-role
	Bio                   *string        `json:"bio,omitzero"`
	Nickname              *string        `json:"nickname,omitzero"`
	StatusText            *string        `json:"statusText,omitzero"`
	JoinDefaultChannels   *bool          `json:"joinDefaultChannels,omitzero"` // by default true
	RequirePasswordChange *bool          `json:"requirePasswordChange,omitzero"`
	SetRandomPassword     *bool          `json:"setRandomPassword,omitzero"` // instead of Password
	SendWelcomeEmail      *bool          `json:"sendWelcomeEmail,omitzero"`
	Verified              *bool          `json:"verified,omitzero"` // the address
	CustomFields          map[string]any `json:"customFields,omitzero"`
	FreeSwitchExtension   *string        `json:"freeSwitchExtension,omitzero"` // from server 7.13 on
}

// check lets the endpoint refuse what no server would take.
func (in UserCreate) check(e endpoint) endpoint {
	random := in.SetRandomPassword != nil && *in.SetRandomPassword
	return e.require(in.Username != "", "Username", "must not be empty").
		require(!in.Password.IsZero() || random, "Password", "must not be empty")
}

// Create makes an account.
//
// POST /api/v1/users.create. Permission create-user, without which the server answers
// 400. A lost answer is not repeated: the account is looked up instead, with GET
// /api/v1/users.info, and returned as [CreatedUser.Adopted] if it has the username and
// the address that were asked for. Else the error is ErrOutcomeUnknown: the account may
// be there. With Active set even a refusal can come after the account was made; its
// text says so. Errors: [ErrTaken], [ErrForbidden], [ErrInvalid].
func (s *UsersService) Create(ctx context.Context, in UserCreate, opts ...CallOption) (*CreatedUser, error) {
	e := in.check(post("users.create").since("0.40.0").yields("user"))
	created, err := do[*User](ctx, s.client, e, nil, in, opts)
	if err != nil {
		return s.recovered(ctx, in, err, opts)
	}
	return &CreatedUser{User: *created}, nil
}

// UserRegister is what somebody signs up with. Username, Email and Password must be
// given; Name, too, unless the server's settings let it be empty.
type UserRegister struct {
	Username     string         `json:"username"`
	Email        string         `json:"email"`
	Password     Secret         `json:"pass"`
	Name         string         `json:"name"`
	Secret       *Secret        `json:"secret,omitzero"` // of the server's secret sign-up address
	Reason       *string        `json:"reason,omitzero"` // for those who approve new users
	CustomFields map[string]any `json:"customFields,omitzero"`
}

// Register signs somebody up, as the public form does. The new user is not logged in,
// and not active where the server wants new users approved. The answer shows what
// anybody may see: no e-mail address, no roles.
//
// POST /api/v1/users.register. It is sent without credentials, since servers refuse a
// caller who is logged in. By default a server takes 1 call in 60 s from an address. A
// lost answer is not repeated: ErrOutcomeUnknown means that the account may be there.
// Errors: [ErrTaken]; [ErrInvalid], for a password with [*PasswordPolicyError];
// [ErrForbidden] where registration is off or needs the secret.
func (s *UsersService) Register(ctx context.Context, in UserRegister, opts ...CallOption) (*User, error) {
	e := post("users.register").since("0.50.0").public().yields("user").
		require(in.Username != "", "Username", "must not be empty").
		require(in.Email != "", "Email", "must not be empty").
		require(!in.Password.IsZero(), "Password", "must not be empty")
	return do[*User](ctx, s.client, e, nil, in, opts)
}

// UserUpdate names what to change of an account. What is nil stays as it is; an empty
// text erases.
type UserUpdate struct {
	// Email replaces all addresses. It is not verified unless Verified is set, too, and
	// mails go to the old and the new one.
	Email    *string `json:"email,omitzero"`
	Name     *string `json:"name,omitzero"`
	Username *string `json:"username,omitzero"`
	// Password needs the permission edit-other-user-password: without it the server
	// says nothing and leaves the password as it is. It ends all sessions of the user
	// and revokes the personal access tokens.
	Password   *Secret `json:"password,omitzero"`
	Bio        *string `json:"bio,omitzero"`      // at most 260 characters
	Nickname   *string `json:"nickname,omitzero"` // at most 120 characters
	StatusText *string `json:"statusText,omitzero"`
	// Active needs the permission edit-other-user-active-status. It is applied after
	// everything else was.
	Active *bool `json:"active,omitzero"`
	// Roles are ids and replace those that the user has. They need the permission
	// assign-roles.
	Roles                 []string `json:"roles,omitzero"`
	RequirePasswordChange *bool    `json:"requirePasswordChange,omitzero"`
	// SetRandomPassword mails the user a new password, which the user must change.
	SetRandomPassword *bool `json:"setRandomPassword,omitzero"`
	SendWelcomeEmail  *bool `json:"sendWelcomeEmail,omitzero"`
	Verified          *bool `json:"verified,omitzero"` // the address
	// CustomFields are the fields to change; the others stay. A field cannot be
	// removed: nil or "" is stored as its value.
	CustomFields        map[string]any `json:"customFields,omitzero"`
	FreeSwitchExtension *string        `json:"freeSwitchExtension,omitzero"` // from server 7.13 on

	// ConfirmRelinquish lets Active end the user's ownership of rooms; see [ErrLastOwner].
	ConfirmRelinquish bool `json:"-"`

	// Overwrite sends the request as it is, without reading the user first. The server
	// then erases Bio and Nickname where they are nil, and before 7.9.1 all
	// CustomFields that are not named.
	Overwrite bool `json:"-"`
}

// Update changes what in names of the account with the id, and nothing else.
//
// Servers erase bio and nickname when a request leaves them out, and before 7.9.1
// replace all custom fields. So Update reads the user first and sends what is to stay
// along. That is one more call, against the limit of users.info; a change that somebody
// else makes between the two calls can be lost. There is no such call when in names
// Bio and Nickname and no CustomFields, nor with Overwrite.
//
// POST /api/v1/users.update. A second factor is asked for. Permission
// edit-other-user-info, without which the server answers 400, and more for single
// fields; none for one's own account. CustomFields need view-full-other-user-info as
// well, unless Overwrite is set: what the caller does not see cannot be kept. A lost
// answer is repeated, unless SetRandomPassword or SendWelcomeEmail would mail again. A changed Email is limited to one in a minute for each user.
// Errors: [ErrNotFound], [ErrTaken], [ErrForbidden], [ErrInvalid], and [ErrLastOwner]
// for Active, when everything else is changed already.
func (s *UsersService) Update(ctx context.Context, userID string, in UserUpdate, opts ...CallOption) (*User, error) {
	e := post("users.update").since("0.35.0").yields("user").
		require(userID != "", "userId", "must not be empty").
		require(!in.empty(), "UserUpdate", "must name what to change").
		require(in.Password == nil || !in.Password.IsZero(), "Password", "must not be empty")
	e.idempotent = !in.mails()
	if e.wrong == nil && in.erases() {
		present, err := s.Get(ctx, ByID(userID), opts...)
		if err != nil {
			return nil, err
		}
		if in.CustomFields != nil && (present.CanViewAllInfo == nil || !*present.CanViewAllInfo) {
			return nil, &Error{
				Op: e.op, Class: ErrForbidden, Field: "CustomFields",
				Message: "cannot be changed one by one: without view-full-other-user-info the others are not known; Overwrite sends them as they are",
			}
		}
		in = in.keeping(present)
	}
	return do[*User](ctx, s.client, e, nil, userUpdateBody{userID, in, in.ConfirmRelinquish}, opts)
}

type userUpdateBody struct {
	UserID            string     `json:"userId"`
	Data              UserUpdate `json:"data"`
	ConfirmRelinquish bool       `json:"confirmRelinquish,omitzero"`
}

// empty reports that the update names nothing.
// mails reports an update that sends a mail each time, one of them with a new password.
func (u UserUpdate) mails() bool {
	return u.SetRandomPassword != nil && *u.SetRandomPassword || u.SendWelcomeEmail != nil && *u.SendWelcomeEmail
}

func (u UserUpdate) empty() bool {
	u.ConfirmRelinquish, u.Overwrite = false, false
	return reflect.ValueOf(u).IsZero()
}

// erases reports that a server could erase what the update does not name.
func (u UserUpdate) erases() bool {
	return !u.Overwrite && (u.Bio == nil || u.Nickname == nil || u.CustomFields != nil)
}

// keeping returns the update with what is to stay of present.
func (u UserUpdate) keeping(present *User) UserUpdate {
	if u.Bio == nil && present.Bio != "" {
		u.Bio = &present.Bio
	}
	if u.Nickname == nil && present.Nickname != "" {
		u.Nickname = &present.Nickname
	}
	if u.CustomFields != nil {
		fields := make(map[string]any, len(present.CustomFields)+len(u.CustomFields))
		for name, value := range present.CustomFields {
			if value != nil { // a field that was never set
				fields[name] = value
			}
		}
		maps.Copy(fields, u.CustomFields)
		u.CustomFields = fields
	}
	return u
}

// SetRoles gives the user with the id exactly these roles, named by their ids. To add
// or remove a single one, see [RolesService].
//
// It is [UsersService.Update] with Roles, which see. Permission assign-roles, and
// assign-admin-role for the role admin.
func (s *UsersService) SetRoles(ctx context.Context, userID string, roles []string, opts ...CallOption) (*User, error) {
	if roles == nil {
		roles = []string{}
	}
	return s.Update(ctx, userID, UserUpdate{Roles: roles}, opts...)
}

// DeleteOptions say how to delete an account.
type DeleteOptions struct {
	// ConfirmRelinquish agrees that rooms whose last owner the user is get another or
	// are deleted. Without it the call fails for such a user with [ErrLastOwner], which
	// names the rooms.
	ConfirmRelinquish bool `json:"confirmRelinquish,omitzero"`
}

// Delete deletes an account and returns the ids of the rooms that went with it, which
// servers before 7.13 do not tell. The setting Message_ErasureType says what becomes of
// the user's messages.
//
// POST /api/v1/users.delete. Permission delete-user. A lost answer is not repeated:
// after [ErrOutcomeUnknown], [ErrNotFound] on the next call says that it happened.
// Errors: [ErrNotFound], [ErrForbidden], [ErrLastOwner]. Nothing protects the last
// administrator.
func (s *UsersService) Delete(ctx context.Context, ref UserRef, in DeleteOptions, opts ...CallOption) ([]string, error) {
	answer, err := do[struct {
		DeletedRooms []string `json:"deletedRooms"`
	}](ctx, s.client, ref.direct(post("users.delete").since("0.35.0")), nil, userDeleteBody{ref.body(), in}, opts)
	return answer.DeletedRooms, err
}

type userDeleteBody struct {
	userRefBody
	DeleteOptions
}

// Activate lets the user with the id log in again.
//
// POST /api/v1/users.setActiveStatus. Permission edit-other-user-active-status. A lost
// answer is repeated. Errors: [ErrNotFound], [ErrForbidden].
func (s *UsersService) Activate(ctx context.Context, userID string, opts ...CallOption) error {
	return s.setActive(ctx, activeStatusBody{UserID: userID, Active: true}, opts)
}

// DeactivateOptions say how to deactivate an account.
type DeactivateOptions struct {
	// ConfirmRelinquish agrees that rooms whose last owner the user is get another or
	// are deleted. Without it the call fails for such a user with [ErrLastOwner], which
	// names the rooms.
	ConfirmRelinquish bool
}

// Deactivate ends all sessions of the user with the id, revokes the personal access
// tokens and lets the user not log in any more. Roles stay.
//
// POST /api/v1/users.setActiveStatus. Permission edit-other-user-active-status. A lost
// answer is repeated. Errors: [ErrNotFound]; [ErrLastOwner]; [ErrForbidden], for the
// last administrator, too.
func (s *UsersService) Deactivate(ctx context.Context, userID string, in DeactivateOptions, opts ...CallOption) error {
	return s.setActive(ctx, activeStatusBody{UserID: userID, ConfirmRelinquish: in.ConfirmRelinquish}, opts)
}

type activeStatusBody struct {
	UserID            string `json:"userId"`
	Active            bool   `json:"activeStatus"`
	ConfirmRelinquish bool   `json:"confirmRelinquish,omitzero"`
}

func (s *UsersService) setActive(ctx context.Context, body activeStatusBody, opts []CallOption) error {
	e := post("users.setActiveStatus").since("0.75.0").repeatable().require(body.UserID != "", "userId", "must not be empty")
	return exec(ctx, s.client, e, body, opts)
}

// DeactivateIdle deactivates the active users with a role, by default user, whose last
// log-in was more than so many days ago, and returns how many they were.
//
// POST /api/v1/users.deactivateIdle. Permission edit-other-user-active-status. A lost
// answer is not repeated, since the count would be wrong. Errors: [ErrForbidden].
func (s *UsersService) DeactivateIdle(ctx context.Context, daysIdle int, role string, opts ...CallOption) (int, error) {
	e := post("users.deactivateIdle").since("3.1.0").yields("count").require(daysIdle >= 0, "daysIdle", "must not be negative")
	return do[int](ctx, s.client, e, nil, struct {
		DaysIdle int    `json:"daysIdle"`
		Role     string `json:"role,omitzero"` // an id
	}{daysIdle, role}, opts)
}
