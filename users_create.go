package rocketchat

import (
	"context"
	"encoding/json"
	"errors"
	"unicode/utf16"
)

// UserCreateOptions describe a new account. Username and Password are required, and so are
// Name and Email unless the server's settings let them be empty.
type UserCreateOptions struct {
	Email    string `json:"email"`
	Name     string `json:"name"`
	Username string `json:"username"`
	Password Secret `json:"password"` // the password policy does not apply

	// Active needs the permission edit-other-user-active-status. Without it the call
	// fails after the account has been created.
	Active                *bool    `json:"active,omitzero"`
	Roles                 []string `json:"roles,omitzero"`    // role IDs; admin needs assign-admin-role
	Bio                   *string  `json:"bio,omitzero"`      // at most 260 characters
	Nickname              *string  `json:"nickname,omitzero"` // at most 120 characters
	JoinDefaultChannels   *bool    `json:"joinDefaultChannels,omitzero"`
	RequirePasswordChange *bool    `json:"requirePasswordChange,omitzero"`
	SetRandomPassword     *bool    `json:"setRandomPassword,omitzero"` // instead of Password
	SendWelcomeEmail      *bool    `json:"sendWelcomeEmail,omitzero"`
	// Verified marks Email as verified. On a server with second factors by email, which is
	// the default, the user then needs a mailed code for the first log-in.
	Verified            *bool          `json:"verified,omitzero"`
	CustomFields        map[string]any `json:"customFields,omitzero"`
	FreeSwitchExtension *string        `json:"freeSwitchExtension,omitzero"` // since server 7.13
}

// The longest texts that servers accept, in UTF-16 code units.
const (
	maxBio      = 260
	maxNickname = 120
)

// fits reports whether an optional text is short enough for a server.
func fits(text *string, limit int) bool {
	return text == nil || len(utf16.Encode([]rune(*text))) <= limit
}

// endpoint describes the call. Bio and Nickname are checked because servers refuse long
// ones only after they have created the account.
func (o UserCreateOptions) endpoint() endpoint {
	random := o.SetRandomPassword != nil && *o.SetRandomPassword
	return post("users.create").since("0.40.0").yields("user").json(o).
		require(o.Username != "", "Username", "must not be empty").
		require(!o.Password.IsZero() || random, "Password", "must not be empty").
		require(fits(o.Bio, maxBio), "Bio", "must not be longer than 260 characters").
		require(fits(o.Nickname, maxNickname), "Nickname", "must not be longer than 120 characters")
}

// CreatedUser is an account that was created or found.
type CreatedUser struct {
	User
	// Adopted is set if the response to users.create was lost and the account was then
	// found with the username and the address that were asked for.
	Adopted bool `json:"-"`
	// Existed is set if [UsersService.Ensure] found the account and created none.
	Existed bool `json:"-"`
}

// Create creates an account.
//
// If the response is lost, Create looks the account up with users.info and returns it
// with Adopted set if it has the username and the address that were asked for.
// Otherwise the error is [ErrOutcomeUnknown]: the account may exist.
//
//   - POST /api/v1/users.create.
//   - Permission: create-user, without which servers answer 400.
//   - Second factor: not asked for.
//   - Not retried if the response is lost; the account is looked up instead.
//   - Errors: [ErrTaken], [ErrForbidden], [ErrInvalid]. If Active is set, the error can
//     come after the account was created; its text says so.
//   - Since server 0.40.0.
func (s *UsersService) Create(ctx context.Context, opts UserCreateOptions, callOpts ...CallOption) (*CreatedUser, error) {
	created, err := do[*User](ctx, s.client, opts.endpoint(), callOpts)
	if err != nil {
		return s.recoverCreated(ctx, opts, err, callOpts)
	}
	return &CreatedUser{User: *created}, nil
}

// recoverCreated recovers an account whose create response was lost, or explains an error
// that came after the account was created.
func (s *UsersService) recoverCreated(ctx context.Context, opts UserCreateOptions, err error, callOpts []CallOption) (*CreatedUser, error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return nil, err
	}
	if e.OutcomeUnknown && opts.Email != "" && ctx.Err() == nil {
		if user, getErr := s.Get(ctx, ByUsername(opts.Username), lookingUp(callOpts)...); getErr == nil && opts.describes(user) {
			return &CreatedUser{User: *user, Adopted: true}, nil
		}
	}
	var details struct {
		Method string `json:"method"`
	}
	if opts.Active != nil && json.Unmarshal(e.Details, &details) == nil && details.Method == "setUserActiveStatus" {
		e.Message = "the account was created, but its active state was not set: " + e.Message
	}
	return nil, err
}

// UserRegisterOptions describe a person who signs up. Username, Email and Password are
// required, and so is Name unless the server's settings let it be empty.
type UserRegisterOptions struct {
	Username     string         `json:"username"`
	Email        string         `json:"email"`
	Password     Secret         `json:"pass"`
	Name         string         `json:"name"`
	Secret       *Secret        `json:"secret,omitzero"` // of the server's secret sign-up address
	Reason       *string        `json:"reason,omitzero"` // for those who approve new users
	CustomFields map[string]any `json:"customFields,omitzero"`
}

// Register signs a user up, as the public form does. The new user is not logged in, and is
// not active if new users have to be approved. The result holds only public fields: no
// email address, no roles.
//
// By default servers accept one call in 60 s from an address. The call is sent without
// credentials, because servers refuse callers who are logged in.
//
//   - POST /api/v1/users.register.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Not retried if the response is lost; [ErrOutcomeUnknown] means that the account
//     may exist.
//   - Errors: [ErrTaken]; [ErrInvalid], for a password with [*PasswordPolicyError];
//     [ErrForbidden] if registration is off or needs the secret.
//   - Since server 0.50.0.
func (s *UsersService) Register(ctx context.Context, opts UserRegisterOptions, callOpts ...CallOption) (*User, error) {
	e := post("users.register").since("0.50.0").public().yields("user").json(opts).
		require(opts.Username != "", "Username", "must not be empty").
		require(opts.Email != "", "Email", "must not be empty").
		require(!opts.Password.IsZero(), "Password", "must not be empty")
	return do[*User](ctx, s.client, e, callOpts)
}
