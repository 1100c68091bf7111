package rocketchat

import (
	"context"
	"maps"
	"reflect"
)

// UserUpdateOptions say what to change about an account. Nil fields are left unchanged; an
// empty string clears the field.
type UserUpdateOptions struct {
	// Email replaces all addresses. The new one is not verified unless Verified is set,
	// and mails go to the old and the new one.
	Email    *string `json:"email,omitzero"`
	Name     *string `json:"name,omitzero"`
	Username *string `json:"username,omitzero"`
	// Password needs the permission edit-other-user-password. Without it the server silently
	// keeps the old password. A new password ends all sessions of the user and revokes their
	// personal access tokens.
	Password   *Secret `json:"password,omitzero"`
	Bio        *string `json:"bio,omitzero"`      // at most 260 characters
	Nickname   *string `json:"nickname,omitzero"` // at most 120 characters
	StatusText *string `json:"statusText,omitzero"`
	// Active needs the permission edit-other-user-active-status. It is applied last.
	Active *bool `json:"active,omitzero"`
	// Roles are role IDs. They replace the user's roles. They need the permission
	// assign-roles.
	Roles                 []string `json:"roles,omitzero"`
	RequirePasswordChange *bool    `json:"requirePasswordChange,omitzero"`
	// SetRandomPassword mails the user a new password, which they must change.
	SetRandomPassword *bool `json:"setRandomPassword,omitzero"`
	SendWelcomeEmail  *bool `json:"sendWelcomeEmail,omitzero"`
	Verified          *bool `json:"verified,omitzero"` // the address
	// CustomFields are the fields to change. A field cannot be removed: nil and "" are
	// stored as its value.
	CustomFields        map[string]any `json:"customFields,omitzero"`
	FreeSwitchExtension *string        `json:"freeSwitchExtension,omitzero"` // since server 7.13

	// ConfirmRelinquish lets Active end the user's ownership of rooms; see [ErrLastOwner].
	ConfirmRelinquish bool `json:"-"`

	// Overwrite sends the request without reading the user first. The server then clears Bio
	// and Nickname if they are nil, and before 7.9.1 all CustomFields that are not set.
	Overwrite bool `json:"-"`
}

// Update changes only the fields set in opts.
//
// Servers clear bio and nickname if a request leaves them out, and before 7.9.1 they
// replace all custom fields. Update therefore reads the user first, with one call of
// users.info, and sends the values to keep along. A change that somebody else makes
// between the two calls can be lost. This read is skipped if Bio and Nickname are set and
// CustomFields is not, or with Overwrite.
//
// Servers 7.x accept one change of a user's address in a minute; servers 8.3 and newer have
// no such limit.
//
//   - POST /api/v1/users.update.
//   - Permission: edit-other-user-info, without which servers answer 400, and more for
//     single fields; none for one's own account. CustomFields also need
//     view-full-other-user-info, unless Overwrite is set: the fields to keep are not
//     visible without it.
//   - Second factor: asked for.
//   - Retried if the response is lost, unless SetRandomPassword or SendWelcomeEmail would
//     send a second mail.
//   - Errors: [ErrNotFound], [ErrTaken], [ErrForbidden], [ErrInvalid]; [ErrLastOwner] for
//     Active, after everything else was changed.
//   - Since server 0.35.0.
func (s *UsersService) Update(ctx context.Context, ref UserRef, opts UserUpdateOptions, callOpts ...CallOption) (*User, error) {
	e := post("users.update").since("0.35.0").secondFactor().yields("user").of(ref, refID).
		require(!opts.empty(), "UserUpdateOptions", "must set a field to change").
		require(opts.Password == nil || !opts.Password.IsZero(), "Password", "must not be empty").
		require(fits(opts.Bio, maxBio), "Bio", "must not be longer than 260 characters").
		require(fits(opts.Nickname, maxNickname), "Nickname", "must not be longer than 120 characters")
	if !opts.mails() {
		e = e.retried()
	}
	if e.wrong == nil && opts.erases() {
		callOpts = together(callOpts)
		present, err := s.Get(ctx, ref, lookingUp(callOpts)...)
		if err != nil {
			return nil, err
		}
		if opts.CustomFields != nil && !present.seenWhole() {
			return nil, &Error{
				Op: e.op, Class: ErrForbidden, Field: "CustomFields",
				Message: "cannot be changed one by one without the permission view-full-other-user-info; Overwrite replaces them all",
			}
		}
		if ref.key != refID {
			e = e.of(ByID(present.ID), refID)
		}
		opts = opts.keeping(present)
	}
	return do[*User](ctx, s.client, e.json(userUpdateBody{opts, opts.ConfirmRelinquish}), callOpts)
}

type userUpdateBody struct {
	Data              UserUpdateOptions `json:"data"`
	ConfirmRelinquish bool              `json:"confirmRelinquish,omitzero"`
}

// mails reports whether the update sends a mail each time it runs, which may contain a new
// password.
func (o UserUpdateOptions) mails() bool {
	return o.SetRandomPassword != nil && *o.SetRandomPassword || o.SendWelcomeEmail != nil && *o.SendWelcomeEmail
}

// empty reports whether the update changes nothing.
func (o UserUpdateOptions) empty() bool {
	o.ConfirmRelinquish, o.Overwrite = false, false
	return reflect.ValueOf(o).IsZero()
}

// erases reports whether a server could clear fields that the update does not set.
func (o UserUpdateOptions) erases() bool {
	return !o.Overwrite && (o.Bio == nil || o.Nickname == nil || o.CustomFields != nil)
}

// keeping returns the update with the fields of present that it must send along.
func (o UserUpdateOptions) keeping(present *User) UserUpdateOptions {
	if o.Bio == nil && present.Bio != "" {
		o.Bio = &present.Bio
	}
	if o.Nickname == nil && present.Nickname != "" {
		o.Nickname = &present.Nickname
	}
	if o.CustomFields != nil {
		fields := make(map[string]any, len(present.CustomFields)+len(o.CustomFields))
		for name, value := range present.CustomFields {
			if value != nil { // a field that was never set
				fields[name] = value
			}
		}
		maps.Copy(fields, o.CustomFields)
		o.CustomFields = fields
	}
	return o
}

// SetRoles gives a user exactly these roles. It is shorthand for [UsersService.Update]
// with only Roles set. To add or remove a single role, see [RolesService].
//
//   - POST /api/v1/users.update, after a read of users.info.
//   - Permission: assign-roles, and assign-admin-role for the role admin.
//   - Second factor: asked for.
//   - Retried if the response is lost.
//   - Errors: as for [UsersService.Update].
//   - Since server 0.35.0.
func (s *UsersService) SetRoles(ctx context.Context, ref UserRef, roleIDs []string, callOpts ...CallOption) (*User, error) {
	if roleIDs == nil {
		roleIDs = []string{}
	}
	return s.Update(ctx, ref, UserUpdateOptions{Roles: roleIDs}, callOpts...)
}
