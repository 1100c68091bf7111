package rocketchat

import (
	"context"
	"errors"
)

// Found is the answer of [UsersService.ByUsernames].
type Found struct {
	Users   []*User  // in the order in which they were asked for
	Missing []string // names that nobody has
}

// fewNames are looked up one by one: the whole list is not worth fetching for them.
const fewNames = 2

// ByUsernames finds users by their usernames, in the exact spelling. It looks each up,
// or reads the list of users where that takes fewer calls, so it is safe to rely on
// only what users.list tells of a user.
//
// No server filters users.list by names: it ignores the filter and answers with
// everybody, or refuses it.
//
// GET /api/v1/users.info for each name, or GET /api/v1/users.list. Without
// the permission view-d-room, which the list needs, each is looked up. Lost answers are repeated. A name that nobody has is no
// error.
func (s *UsersService) ByUsernames(ctx context.Context, names []string, opts ...CallOption) (*Found, error) {
	wanted := make(map[string]*User, len(names))
	for _, name := range names {
		if name == "" {
			return nil, invalid("users.info", "username", "must not be empty")
		}
		wanted[name] = nil
	}
	open := len(wanted)
	take := func(u *User) {
		if known, asked := wanted[u.Username]; asked && known == nil {
			wanted[u.Username] = u
			open--
		}
	}
	if open > fewNames {
		if err := s.takeFromList(ctx, take, &open, opts); err != nil {
			return nil, err
		}
	}
	found := new(Found)
	reported := make(map[string]bool, len(wanted))
	for _, name := range names {
		if reported[name] {
			continue
		}
		reported[name] = true
		if wanted[name] == nil && open > 0 {
			user, err := s.Get(ctx, ByUsername(name), opts...)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return nil, err
			}
			if err == nil && user.Username == name { // users.info takes an id for a username, too
				wanted[name] = user
			}
		}
		if user := wanted[name]; user != nil {
			found.Users = append(found.Users, user)
		} else {
			found.Missing = append(found.Missing, name)
		}
	}
	return found, nil
}

// takeFromList reads the list as long as that is cheaper than to look up the names that
// are still open. When it was read to its end, none is open any more.
func (s *UsersService) takeFromList(ctx context.Context, take func(*User), open *int, opts []CallOption) error {
	page, err := s.List(ctx, ListOptions{PageOptions: PageOptions{Everything: true}}, opts...)
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, ErrForbidden):
		return nil // then each is looked up
	case err != nil:
		return err
	}
	for i := range page.Items {
		take(&page.Items[i])
	}
	if len(page.Items) >= page.Total {
		*open = 0
		return nil
	}
	if *open <= page.Total/cappedPage+1 {
		return nil
	}
	for user, err := range s.All(ctx, ListOptions{PageOptions: PageOptions{Count: cappedPage}}, opts...) {
		if err != nil {
			return err
		}
		take(user)
	}
	*open = 0
	return nil
}
