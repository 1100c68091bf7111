package rocketchat

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func usersWire() []wireRow {
	return slices.Concat(userGetWire(), userListWire(), userUpdateWire(), userWriteWire(), mailsWire())
}

// collect returns all items of a list up to an error.
func collect[T any](list iter.Seq2[*T, error]) ([]*T, error) {
	var all []*T
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}

func userGetWire() []wireRow {
	get := func(ref UserRef) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Users.Get(ctx, ref) }
	}
	whole := func(t *testing.T, got any) {
		u := got.(*User)
		assert.Equal(t, brunoID, u.ID)
		assert.Equal(t, []Email{{Address: "bruno.costa@example.org", Verified: true}}, u.Emails)
		assert.Equal(t, []string{"user", "livechat-agent"}, u.Roles)
		assert.Equal(t, UserTypeUser, u.Type)
		assert.Equal(t, StatusFromUser, u.StatusSource)
		assert.Equal(t, 18, u.StatusExpiresAt.Hour())
		assert.Equal(t, new(-3.0), u.UTCOffset)
		assert.Equal(t, new(true), u.CanViewAllInfo)
		assert.Empty(t, u.Extra)
	}
	return []wireRow{
		{"users.info", "by-id", get(ByID(brunoID)), whole},
		{"users.info", "by-username", get(ByUsername("bruno.costa")), func(t *testing.T, got any) {
			u := got.(*User)
			assert.Equal(t, new(false), u.CanViewAllInfo)
			assert.Empty(t, u.Emails)
			assert.True(t, u.LastLogin.IsZero())
		}},
		{"users.info", "by-email", get(ByEmail("bruno.costa+chat@example.org")), whole},
		{"users.info", "by-import-id", get(ByImportID("U024BE7LH")), whole},
		{"users.info", "by-extension", get(ByExtension("1001")), whole},
		{"users.info", "self", get(ByID(aliceID)), func(t *testing.T, got any) {
			services := got.(*User).Services
			assert.True(t, services.Password.Exists)
			assert.True(t, services.Email2FA.Enabled)
			assert.Equal(t, 2025, services.Email2FA.ChangedAt.Year())
		}},
		{"users.info", "rooms", func(ctx context.Context, c *Client) (any, error) {
			return c.Users.GetWithRooms(ctx, ByID(brunoID))
		}, func(t *testing.T, got any) {
			rooms := got.(*User).Rooms
			require.Len(t, rooms, 3)
			assert.Equal(t, UserRoom{
				ID: "2gHk5JpQsTvWyZbMc", RoomID: "siyr2oWQJBjQjhLwr", Name: "ops",
				Type: RoomPrivate, Roles: []string{"owner"}, Unread: 3,
			}, rooms[1])
			assert.Equal(t, RoomDirect, rooms[2].Type)
		}},
	}
}

func userListWire() []wireRow {
	list := func(in UserListOptions) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Users.List(ctx, in) }
	}
	byStatus := func(in UserListByStatusOptions) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Users.ListByStatus(ctx, in) }
	}
	page := func(offset, total int, ids ...string) func(*testing.T, any) {
		return func(t *testing.T, got any) {
			p := got.(*Page[User])
			assert.Equal(t, offset, p.Offset)
			assert.Equal(t, total, p.Total)
			assertUsers(t, p.Items, ids...)
		}
	}
	all := func(ids ...string) func(*testing.T, any) {
		return func(t *testing.T, got any) {
			users := make([]User, 0, len(ids))
			for _, u := range got.([]*User) {
				users = append(users, *u)
			}
			assertUsers(t, users, ids...)
		}
	}
	return []wireRow{
		{"users.list", "plain", list(UserListOptions{}), page(0, 3, aliceID, brunoID, "rocket.cat")},
		{"users.list", "restricted", list(UserListOptions{}), page(0, 3, aliceID, brunoID, "rocket.cat")},
		{"users.list", "empty", list(UserListOptions{Offset: 500}), page(0, 0)},
		{"users.list", "options", list(UserListOptions{
			Offset: 2, Count: 2, Sort: []string{"-" + SortByCreatedAt, SortByUsername},
		}), page(2, 3, "rocket.cat")},
		{"users.list", "by-email", list(UserListOptions{
			Count: 20, Sort: []string{SortByUsername},
			Email: "bruno.costa@example.org",
		}), page(0, 1, brunoID)},
		{"users.list", "iterate", func(ctx context.Context, c *Client) (any, error) {
			return collect(c.Users.All(ctx, UserListOptions{}))
		}, all(aliceID, brunoID, "rocket.cat")},
		{"users.list", "iterate-options", func(ctx context.Context, c *Client) (any, error) {
			return collect(c.Users.All(ctx, UserListOptions{
				Offset: 2, Count: 2, Sort: []string{"-username"},
			}))
		}, all("rocket.cat")},
		{"users.listByStatus", "plain", byStatus(UserListByStatusOptions{}), page(0, 2, aliceID, "rocket.cat")},
		{"users.listByStatus", "options", byStatus(UserListByStatusOptions{
			Offset: 1, Count: 20, Sort: []string{SortByName},
			Status: AccountDeactivated, HasLoggedIn: new(false), Type: UserTypeUser, Roles: []string{"user", "bot"},
			SearchTerm: "bru", InactiveReason: []InactiveReason{InactivePendingApproval, InactiveIdleTooLong},
		}), func(t *testing.T, got any) {
			page(0, 1, brunoID)(t, got)
			assert.Equal(t, "New in the team", got.(*Page[User]).Items[0].Reason)
			assert.False(t, got.(*Page[User]).Items[0].Active)
		}},
		{"users.listByStatus", "iterate", func(ctx context.Context, c *Client) (any, error) {
			return collect(c.Users.AllByStatus(ctx, UserListByStatusOptions{Status: AccountActive}))
		}, all(aliceID, "rocket.cat")},
	}
}

func assertUsers(t *testing.T, users []User, ids ...string) {
	t.Helper()
	require.Len(t, users, len(ids))
	for i, u := range users {
		assert.Equal(t, ids[i], u.ID)
		assert.NotEmpty(t, u.Username)
		assert.Empty(t, u.Extra)
	}
}

func usersLossless() []losslessRow {
	return []losslessRow{
		{"users.info", "user", as[User]},
		{"users.list", "users.*", as[User]},
		{"users.listByStatus", "users.*", as[User]},
		{"users.create", "user", as[User]},
		{"users.register", "user", as[User]},
		{"users.update", "user", as[User]},
		{"users.setActiveStatus", "user", as[User]},
	}
}

func TestUsersRejectBadReads(t *testing.T) {
	t.Parallel()
	get := func(ref UserRef) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Users.Get(ctx, ref)
			return err
		}
	}
	list := func(in UserListByStatusOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Users.ListByStatus(ctx, in)
			return err
		}
	}
	testRejected(t, []rejectedRow{
		{"nobody", "user", get(UserRef{})},
		{"no id", "userId", get(ByID(""))},
		{"no username", "username", get(ByUsername(""))},
		{"no address", "email", get(ByEmail(""))},
		{"no import id", "importId", get(ByImportID(""))},
		{"no extension", "freeSwitchExtension", get(ByExtension(""))},
		{"the rooms of nobody", "user", func(ctx context.Context, c *Client) error {
			_, err := c.Users.GetWithRooms(ctx, UserRef{})
			return err
		}},
		{"negative count", "Count", func(ctx context.Context, c *Client) error {
			_, err := c.Users.List(ctx, UserListOptions{Count: -1})
			return err
		}},
		{"everything sorted by nothing", "Sort", func(ctx context.Context, c *Client) error {
			_, err := collect(c.Users.All(ctx, UserListOptions{Sort: []string{"-"}}))
			return err
		}},
		{"negative offset", "Offset", list(UserListByStatusOptions{Offset: -1})},
		{"unknown status", "Status", list(UserListByStatusOptions{Status: "asleep"})},
		{"unknown reason", "InactiveReason", list(UserListByStatusOptions{InactiveReason: []InactiveReason{InactiveDeactivated, "why not"}})},
		{"everybody of an unknown status", "Status", func(ctx context.Context, c *Client) error {
			_, err := collect(c.Users.AllByStatus(ctx, UserListByStatusOptions{Status: "asleep"}))
			return err
		}},
	})
}

// TestListIsMissing checks that an answer without its list is not taken for an empty one.
func TestListIsMissing(t *testing.T) {
	t.Parallel()
	mock := routes(t, map[string]string{
		"GET /api/v1/users.list":         "users.verifyEmail/ok",
		"GET /api/v1/users.listByStatus": "users.verifyEmail/ok",
		"GET /api/v1/directory":          "users.verifyEmail/ok",
	})
	client, err := New("https://chat.example.org", WithTransport(mock), WithToken("user", "token"))
	require.NoError(t, err)
	_, err = client.Users.List(t.Context(), UserListOptions{})
	require.ErrorIs(t, err, ErrBadAnswer)
	assert.EqualError(t, err, `rocketchat: users.list: the answer has no "users"`)
	_, err = client.Users.ListByStatus(t.Context(), UserListByStatusOptions{})
	require.ErrorIs(t, err, ErrBadAnswer)
	_, err = client.Users.Directory(t.Context(), UserDirectoryOptions{})
	require.ErrorIs(t, err, ErrBadAnswer)
}

// TestOlderServers: what an older server ignores or refuses without saying why is
// an error that says which version is needed.
func TestOlderServers(t *testing.T) {
	t.Parallel()
	old := adminClient(t, rocketchattest.New())
	_, err := old.Users.Get(t.Context(), ByEmail("admin@example.com"))
	require.ErrorIs(t, err, ErrEndpointUnknown)
	require.ErrorContains(t, err, "needs server 8.4")
	_, err = old.Users.List(t.Context(), UserListOptions{Email: "admin@example.com"})
	require.ErrorIs(t, err, ErrEndpointUnknown)
	require.ErrorContains(t, err, "needs server 8.4")

	today := adminClient(t, rocketchattest.New(rocketchattest.WithVersion("8.8.1")))
	user, err := today.Users.Get(t.Context(), ByEmail("admin@example.com"))
	require.NoError(t, err)
	assert.Equal(t, "admin", user.Username)
	page, err := today.Users.List(t.Context(), UserListOptions{Email: "ADMIN@example.com"})
	require.NoError(t, err)
	assert.Len(t, page.Items, 1)
}
