package main

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rocketchat-go/rocketchat"
)

// externalIDs finds accounts by external ID. Lists of users do not contain custom fields,
// so the first search reads accounts one by one; later ones read only new accounts.
type externalIDs struct {
	client  *rocketchat.Client
	field   string
	reading sync.Mutex // held by the search that reads accounts

	mu    sync.Mutex
	known map[string]string // external IDs by user ID; "" for accounts without one
}

// of returns the external ID of an account that was read with users.info: the custom
// field, or else the import ID, which imported accounts have.
func (x *externalIDs) of(u *rocketchat.User) string {
	id, _ := u.CustomFields[x.field].(string)
	if id == "" && len(u.ImportIDs) > 0 {
		id = u.ImportIDs[0]
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.known[u.ID] = id
	return id
}

// last returns the known external ID of an account from a list.
func (x *externalIDs) last(userID string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.known[userID]
}

// find returns the account with the external ID, or nil.
func (x *externalIDs) find(ctx context.Context, externalID string) (*rocketchat.User, error) {
	if externalID == "" {
		return nil, nil //nolint:nilnil // there is no such account, which is no error
	}
	if u, err := x.recall(ctx, externalID); u != nil || err != nil {
		return u, err
	}
	if u, err := x.check(ctx, externalID, rocketchat.ByImportID(externalID)); u != nil || err != nil {
		return u, err
	}
	if err := x.read(ctx); err != nil {
		return nil, err
	}
	return x.recall(ctx, externalID)
}

// recall returns the account that is known to have the external ID, if it still has; nil if
// there is none. It forgets accounts that were deleted.
func (x *externalIDs) recall(ctx context.Context, externalID string) (*rocketchat.User, error) {
	for {
		id := x.search(externalID)
		if id == "" {
			return nil, nil //nolint:nilnil // there is no such account, which is no error
		}
		u, err := x.check(ctx, externalID, rocketchat.ByID(id))
		if u != nil || err != nil {
			return u, err
		}
		x.mu.Lock()
		if x.known[id] == externalID { // it was deleted
			delete(x.known, id)
		}
		x.mu.Unlock()
	}
}

// search returns the ID of the account with a known external ID, or "".
func (x *externalIDs) search(externalID string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	for userID, known := range x.known {
		if known == externalID {
			return userID
		}
	}
	return ""
}

// check reads the account and returns it if it still has the external ID.
func (x *externalIDs) check(ctx context.Context, externalID string, ref rocketchat.UserRef) (*rocketchat.User, error) {
	u, err := x.client.Users.Get(ctx, ref)
	switch {
	case errors.Is(err, rocketchat.ErrNotFound):
		return nil, nil //nolint:nilnil // there is no such account, which is no error
	case err != nil:
		return nil, err
	case x.of(u) != externalID:
		return nil, nil //nolint:nilnil // as above
	}
	return u, nil
}

// atOnce is the number of accounts that are read at a time.
const atOnce = 4

// read reads the accounts that are not known. If it ends early, the results so far are
// kept.
func (x *externalIDs) read(ctx context.Context) error {
	x.reading.Lock()
	defer x.reading.Unlock()
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(atOnce)
	for u, err := range x.client.Users.All(ctx, rocketchat.UserListOptions{}) {
		if err != nil {
			return errors.Join(err, work.Wait())
		}
		x.mu.Lock()
		_, known := x.known[u.ID]
		x.mu.Unlock()
		if known {
			continue
		}
		work.Go(func() error {
			u, err := x.client.Users.Get(ctx, rocketchat.ByID(u.ID))
			if errors.Is(err, rocketchat.ErrNotFound) { // deleted meanwhile
				return nil
			}
			if err == nil {
				x.of(u)
			}
			return err
		})
	}
	return work.Wait()
}
