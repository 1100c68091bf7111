package rocketchat

import (
	"context"
	"errors"
)

// Ensure creates an account unless there is one with the username and the email address in
// opts. It does not change an existing account. It is safe to call repeatedly: there is
// never more than one account.
//
// Usernames and addresses are compared without regard to the case of ASCII letters, as
// servers do.
//
//   - GET /api/v1/users.info, and POST /api/v1/users.create if nobody has the username.
//   - Permission: create-user, and view-full-other-user-info to compare the address.
//   - Second factor: not asked for.
//   - Not retried if the response is lost; the account is looked up and adopted, or, if
//     it does not exist, created with a second call. Usernames are unique, so this cannot
//     create a second account.
//   - Errors: [ErrTaken] if the username or the address belongs to another account; those
//     of [UsersService.Create].
//   - Since server 0.40.0.
func (s *UsersService) Ensure(ctx context.Context, opts UserCreateOptions, callOpts ...CallOption) (*CreatedUser, error) {
	e := opts.endpoint().require(opts.Email != "", "Email", "must not be empty")
	if e.wrong != nil {
		return nil, e.wrong
	}
	callOpts = together(callOpts)
	if found, err := s.existing(ctx, ByUsername(opts.Username), opts, callOpts); found != nil || err != nil {
		return found, err
	}
	return s.createOnce(ctx, opts, callOpts)
}

// createOnce creates the account that opts describe, unless it turns out to exist.
func (s *UsersService) createOnce(ctx context.Context, opts UserCreateOptions, callOpts []CallOption) (*CreatedUser, error) {
	created, err := s.Create(ctx, opts, callOpts...)
	doubt := errors.Is(err, ErrOutcomeUnknown)
	if doubt && ctx.Err() == nil {
		created, err = s.Create(ctx, opts, callOpts...)
	}
	if errors.Is(err, ErrTaken) {
		if found, findErr := s.takenBy(ctx, opts, callOpts); found != nil && findErr == nil {
			found.Adopted = doubt // another call, or our own lost one, was faster
			return found, nil
		}
	}
	if e, ok := errors.AsType[*Error](err); ok && doubt {
		e.OutcomeUnknown = true // the failure of the second call does not tell what became of the first
	}
	return created, err
}

// takenBy returns the account that prevents opts from being created, if it is the account
// that they describe. users.info does not find a username in another case, but
// users.getStatus does.
func (s *UsersService) takenBy(ctx context.Context, opts UserCreateOptions, callOpts []CallOption) (*CreatedUser, error) {
	if found, err := s.existing(ctx, ByUsername(opts.Username), opts, callOpts); found != nil || err != nil {
		return found, err
	}
	status, err := s.client.Status.Get(ctx, ByUsername(opts.Username), lookingUp(callOpts)...)
	if err != nil {
		return nil, err
	}
	return s.existing(ctx, ByID(status.ID), opts, callOpts)
}

// existing returns the account that opts describe, nil if there is none, and an error if
// another account has the username.
func (s *UsersService) existing(ctx context.Context, ref UserRef, opts UserCreateOptions, callOpts []CallOption) (*CreatedUser, error) {
	user, err := s.Get(ctx, ref, lookingUp(callOpts)...)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil //nolint:nilnil // that nobody is there is an answer
	case err != nil:
		return nil, err
	case !user.seenWhole() && user.CanViewAllInfo != nil:
		return nil, &Error{
			Op: "users.info", Class: ErrForbidden, Field: "Email",
			Message: "cannot be compared without the permission view-full-other-user-info",
		}
	case !opts.describes(user):
		return nil, &Error{Op: "users.create", Class: ErrTaken, Field: "Username", Message: "belongs to an account with another email address"}
	}
	return &CreatedUser{User: *user, Existed: true}, nil
}

// describes reports whether user is the account that opts describe.
func (o UserCreateOptions) describes(user *User) bool {
	return equalFold(user.Username, o.Username) && user.hasEmail(o.Email)
}
