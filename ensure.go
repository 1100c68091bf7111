package rocketchat

import (
	"context"
	"encoding/json"
	"errors"
)

// CreatedUser is an account that is there now.
type CreatedUser struct {
	User
	// Adopted tells that the answer to users.create was lost, and that the account was
	// found afterwards with the username and the address that were asked for.
	Adopted bool `json:"-"`
	// Existed tells that [UsersService.Ensure] found the account and made none.
	Existed bool `json:"-"`
}

// Ensure makes an account unless it is there: one with the username and the e-mail
// address of in. It changes nothing of one that is there. However often it is called
// and whatever happens on the way, there is one account in the end.
//
// GET /api/v1/users.info, and POST /api/v1/users.create if nobody has the username. The
// permissions are create-user and view-full-other-user-info, to compare the address.
// When the answer to users.create is lost, the account is looked up and adopted; when
// it is not there, it is created once more, which cannot make a second one, since
// usernames are unique. Errors: [ErrTaken] when the username or the address is
// somebody else's, and those of [UsersService.Create].
func (s *UsersService) Ensure(ctx context.Context, in UserCreate, opts ...CallOption) (*CreatedUser, error) {
	e := in.check(post("users.create")).require(in.Email != "", "Email", "must not be empty")
	if e.wrong != nil {
		return nil, e.wrong
	}
	if there, err := s.existing(ctx, in, opts); there != nil || err != nil {
		return there, err
	}
	return s.createOnce(ctx, in, opts)
}

// createOnce makes the account that in asks for, unless it turns out to be there.
func (s *UsersService) createOnce(ctx context.Context, in UserCreate, opts []CallOption) (*CreatedUser, error) {
	created, err := s.Create(ctx, in, opts...)
	doubt := errors.Is(err, ErrOutcomeUnknown)
	if doubt && ctx.Err() == nil {
		created, err = s.Create(ctx, in, opts...)
	}
	if errors.Is(err, ErrTaken) {
		if there, getErr := s.existing(ctx, in, opts); there != nil && getErr == nil {
			there.Adopted = doubt // somebody was quicker, or our own lost call was
			return there, nil
		}
	}
	if e, ok := errors.AsType[*Error](err); ok && doubt {
		e.OutcomeUnknown = true // the second call's failure says nothing of the first
	}
	return created, err
}

// existing returns the account that in asks for, nil if nobody has the username, and
// an error if somebody else does.
func (s *UsersService) existing(ctx context.Context, in UserCreate, opts []CallOption) (*CreatedUser, error) {
	user, err := s.Get(ctx, ByUsername(in.Username), opts...)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil //nolint:nilnil // that nobody is there is an answer
	case err != nil:
		return nil, err
	case user.CanViewAllInfo != nil && !*user.CanViewAllInfo:
		return nil, &Error{
			Op: "users.info", Class: ErrForbidden, Field: "Email",
			Message: "cannot be compared with that of the account of the username: the permission view-full-other-user-info is missing",
		}
	case !in.describes(user):
		return nil, &Error{Op: "users.create", Class: ErrTaken, Field: "Username", Message: "belongs to an account with another e-mail address"}
	}
	return &CreatedUser{User: *user, Existed: true}, nil
}

// describes reports whether user is the account that in asks for, and no stranger's.
func (in UserCreate) describes(user *User) bool {
	return user.Username == in.Username && user.hasEmail(in.Email)
}

// recovered makes the best of a failed users.create: an account that was made although
// the answer was lost, or an error that tells that one was made.
func (s *UsersService) recovered(ctx context.Context, in UserCreate, err error, opts []CallOption) (*CreatedUser, error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return nil, err
	}
	if e.OutcomeUnknown && in.Email != "" && ctx.Err() == nil {
		if user, getErr := s.Get(ctx, ByUsername(in.Username), opts...); getErr == nil && in.describes(user) {
			return &CreatedUser{User: *user, Adopted: true}, nil
		}
	}
	var details struct {
		Method string `json:"method"`
	}
	if in.Active != nil && json.Unmarshal(e.Details, &details) == nil && details.Method == "setUserActiveStatus" {
		e.Message = "the account was made, but its active state was not set: " + e.Message
	}
	return nil, err
}
