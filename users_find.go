package rocketchat

import (
	"context"
	"errors"
)

// Found is the result of [UsersService.ByUsernames].
type Found struct {
	Users   []*User  // in the order in which they were asked for
	Missing []string // unknown names
}

// fewNames is the number of names up to which they are looked up one by one instead of
// reading the whole list.
const fewNames = 2

// ByUsernames returns the users with the given usernames, in their exact spelling. It looks
// up each user, or reads the list of users if that takes fewer calls. Only the fields that
// users.list returns are guaranteed. Unknown names are listed in Missing; they are not an
// error.
//
// Servers cannot filter users.list by names: they ignore the filter and return everybody,
// or reject it.
//
//   - GET /api/v1/users.info for each name, or GET /api/v1/users.list.
//   - Permission: view-d-room for the list; without it each name is looked up.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrInvalid] for an empty name.
//   - Since server 0.35.0.
func (s *UsersService) ByUsernames(ctx context.Context, names []string, callOpts ...CallOption) (*Found, error) {
	f := finder{users: s, callOpts: callOpts, wanted: make(map[string]*User, len(names))}
	for _, name := range names {
		if name == "" {
			return nil, invalid("users.info", "username", "must not be empty")
		}
		f.wanted[name] = nil
	}
	f.open = len(f.wanted)
	if f.open > fewNames {
		if err := f.readList(ctx); err != nil {
			return nil, err
		}
	}
	found := new(Found)
	reported := make(map[string]bool, len(f.wanted))
	for _, name := range names {
		if reported[name] {
			continue
		}
		reported[name] = true
		user, err := f.find(ctx, name)
		switch {
		case err != nil:
			return nil, err
		case user != nil:
			found.Users = append(found.Users, user)
		default:
			found.Missing = append(found.Missing, name)
		}
	}
	return found, nil
}

// finder looks for users by their names.
type finder struct {
	users    *UsersService
	callOpts []CallOption
	wanted   map[string]*User // by name; nil if not found yet
	open     int              // names for which it is not known whether they exist
}

func (f *finder) take(u *User) {
	if known, asked := f.wanted[u.Username]; asked && known == nil {
		f.wanted[u.Username] = u
		f.open--
	}
}

// find returns the user with the name, or nil if there is none.
func (f *finder) find(ctx context.Context, name string) (*User, error) {
	if f.wanted[name] != nil || f.open == 0 {
		return f.wanted[name], nil
	}
	user, err := f.users.Get(ctx, ByUsername(name), f.callOpts...)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil //nolint:nilnil // that nobody is there is an answer
	case err != nil:
		return nil, err
	case user.Username != name: // users.info takes an ID for a username, too
		return nil, nil //nolint:nilnil // as above
	}
	return user, nil
}

// readList reads the list as long as that is cheaper than looking up the names that are
// still open. After reading the whole list no name is open.
func (f *finder) readList(ctx context.Context) error {
	page, err := f.users.List(ctx, UserListOptions{Everything: true}, f.callOpts...)
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, ErrForbidden):
		return nil // each is looked up
	case err != nil:
		return err
	}
	for i := range page.Items {
		f.take(&page.Items[i])
	}
	if len(page.Items) >= page.Total {
		f.open = 0
		return nil
	}
	if f.open <= page.Total/cappedPage+1 {
		return nil
	}
	for user, err := range f.users.All(ctx, UserListOptions{Count: cappedPage}, f.callOpts...) {
		if err != nil {
			return err
		}
		f.take(user)
	}
	f.open = 0
	return nil
}
