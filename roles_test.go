package rocketchat

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func rolesWire() []wireRow {
	const auditors = "6576a1b2c3d4e5f6a7b8c9d0"
	isRole := func(t *testing.T, got any) {
		role := got.(*Role)
		assert.Equal(t, auditors, role.ID)
		assert.Equal(t, "auditor-log", role.Name)
		assert.Equal(t, RoleScopeUsers, role.Scope)
		assert.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), role.UpdatedAt.Time)
		assert.Empty(t, role.Extra)
	}
	isRoot := func(offset int) func(*testing.T, any) {
		return func(t *testing.T, got any) {
			page := got.(*Page[User])
			assert.Equal(t, offset, page.Offset)
			assert.Equal(t, 1, page.Total)
			require.Len(t, page.Items, 1)
			assert.Equal(t, "root", page.Items[0].Username)
		}
	}
	areChanges := func(t *testing.T, got any) {
		changes := got.(*RoleChanges)
		require.Len(t, changes.Updated, 1)
		assert.Equal(t, "admin", changes.Updated[0].ID)
		assert.Empty(t, changes.Removed)
	}
	return []wireRow{
		{"roles.list", "list", func(ctx context.Context, c *Client) (any, error) { return c.Roles.List(ctx) }, func(t *testing.T, got any) {
			roles := got.([]Role)
			require.Len(t, roles, 4)
			assert.Equal(t, Role{
				ID: "owner", Name: "owner", Description: "Owner", Scope: RoleScopeSubscriptions, Protected: true,
			}, roles[2])
		}},
		{"roles.getUsersInRole", "users", func(ctx context.Context, c *Client) (any, error) {
			return c.Roles.Users(ctx, "admin", RoleUsersOptions{})
		}, isRoot(0)},
		{"roles.getUsersInRole", "users-all-options", func(ctx context.Context, c *Client) (any, error) {
			return c.Roles.Users(ctx, "owner", RoleUsersOptions{RoomID: "GENERAL", Offset: 20, Count: 10})
		}, isRoot(20)},
		{"roles.getUsersInRole", "users-everything", func(ctx context.Context, c *Client) (any, error) {
			var names []string
			for user, err := range c.Roles.AllUsers(ctx, "admin", RoleUsersOptions{}) {
				if err != nil {
					return nil, err
				}
				names = append(names, user.Username)
			}
			return names, nil
		}, func(t *testing.T, got any) { assert.Equal(t, []string{"root"}, got) }},
		{"roles.getUsersInPublicRoles", "users-in-public-roles", func(ctx context.Context, c *Client) (any, error) {
			return c.Roles.UsersInPublicRoles(ctx)
		}, func(t *testing.T, got any) {
			users := got.([]User)
			require.Len(t, users, 1)
			assert.Equal(t, []string{"livechat-agent"}, users[0].Roles)
		}},
		{"roles.addUserToRole", "add", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Roles.Add(ctx, auditors, ByUsername("bruno.costa"))
		}, nil},
		{"roles.addUserToRole", "add-all-options", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Roles.AddInRoom(ctx, "owner", ByUsername("bruno.costa"), "GENERAL")
		}, nil},
		{"roles.removeUserFromRole", "remove", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Roles.Remove(ctx, auditors, ByUsername("bruno.costa"))
		}, nil},
		{"roles.removeUserFromRole", "remove-all-options", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Roles.RemoveInRoom(ctx, "owner", ByUsername("bruno.costa"), "GENERAL")
		}, nil},
		{"roles.create", "create", func(ctx context.Context, c *Client) (any, error) {
			return c.Roles.Create(ctx, RoleCreateOptions{Name: "auditor-log"})
		}, isRole},
		{"roles.create", "create-all-options", func(ctx context.Context, c *Client) (any, error) {
			return c.Roles.Create(ctx, RoleCreateOptions{
				Name: "auditor-log", Description: new(""), Scope: RoleScopeUsers, MandatoryTwoFactor: new(false),
			})
		}, isRole},
		{"roles.update", "update", func(ctx context.Context, c *Client) (any, error) {
			return c.Roles.Update(ctx, auditors, RoleUpdateOptions{Name: "auditor-log"})
		}, isRole},
		{"roles.update", "update-all-options", func(ctx context.Context, c *Client) (any, error) {
			return c.Roles.Update(ctx, auditors, RoleUpdateOptions{
				Name: "auditor-log", Description: new("Reads the log"),
				Scope: RoleScopeSubscriptions, MandatoryTwoFactor: new(true),
			})
		}, isRole},
		{"roles.delete", "delete", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Roles.Delete(ctx, auditors)
		}, nil},
		{"roles.sync", "sync", func(ctx context.Context, c *Client) (any, error) {
			return c.Roles.Changes(ctx, time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600)))
		}, areChanges},
		{"roles.sync", "sync-from-the-beginning", func(ctx context.Context, c *Client) (any, error) {
			return c.Roles.Changes(ctx, time.Time{})
		}, areChanges},
	}
}

func rolesLossless() []losslessRow {
	return []losslessRow{
		{"roles.list", "roles.*", as[Role]},
		{"roles.getUsersInRole", "users.*", as[User]},
		{"roles.getUsersInPublicRoles", "users.*", as[User]},
		{"roles.addUserToRole", "role", as[Role]},
		{"roles.removeUserFromRole", "role", as[Role]},
		{"roles.sync", "roles", as[RoleChanges]},
	}
}

func TestRolesRejectBadInput(t *testing.T) {
	t.Parallel()
	users := func(role string, o RoleUsersOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { _, err := c.Roles.Users(ctx, role, o); return err }
	}
	create := func(r RoleCreateOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { _, err := c.Roles.Create(ctx, r); return err }
	}
	update := func(id string, r RoleUpdateOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { _, err := c.Roles.Update(ctx, id, r); return err }
	}
	testRejected(t, []rejectedRow{
		{"users of no role", "roleID", users("", RoleUsersOptions{})},
		{"users from a negative offset", "Offset", users("admin", RoleUsersOptions{Offset: -1})},
		{"users in a negative number", "Count", users("admin", RoleUsersOptions{Count: -1})},
		{"add no role", "roleID", func(ctx context.Context, c *Client) error { return c.Roles.Add(ctx, "", ByUsername("ann")) }},
		{"add to nobody", "username", func(ctx context.Context, c *Client) error { return c.Roles.Add(ctx, "bot", ByUsername("")) }},
		{"remove no role", "roleID", func(ctx context.Context, c *Client) error { return c.Roles.Remove(ctx, "", ByUsername("ann")) }},
		{"remove from nobody", "username", func(ctx context.Context, c *Client) error { return c.Roles.Remove(ctx, "bot", ByUsername("")) }},
		{"create without a name", "Name", create(RoleCreateOptions{})},
		{"create with an unknown scope", "Scope", create(RoleCreateOptions{Name: "x", Scope: "users"})},
		{"update nothing", "roleID", update("", RoleUpdateOptions{Name: "x"})},
		{"update without a name", "Name", update("x", RoleUpdateOptions{})},
		{"update with an unknown scope", "Scope", update("x", RoleUpdateOptions{Name: "x", Scope: "Rooms"})},
		{"delete nothing", "roleID", func(ctx context.Context, c *Client) error { return c.Roles.Delete(ctx, "") }},
	})
}

// TestRolesAfterALostResponse loses the first answer. The second attempt is then told that
// there is nothing to do any more, which is what was wanted.
func TestRolesAfterALostResponse(t *testing.T) {
	t.Parallel()
	add := func(ctx context.Context, c *Client) error { return c.Roles.Add(ctx, "bot", ByUsername("ann")) }
	remove := func(ctx context.Context, c *Client) error { return c.Roles.Remove(ctx, "bot", ByUsername("ann")) }
	for _, row := range []struct {
		name, answer string
		call         func(context.Context, *Client) error
		first        int // status of the first answer; 0 for none
		want         error
	}{
		{"add, lost", "roles.addUserToRole/already-in-role", add, http.StatusBadGateway, nil},
		{"add, refused at first", "roles.addUserToRole/already-in-role", add, http.StatusTooManyRequests, ErrTaken},
		{"add, at once", "roles.addUserToRole/already-in-role", add, 0, ErrTaken},
		{"add, lost, another answer", "roles.addUserToRole/unknown-user", add, http.StatusBadGateway, ErrNotFound},
		{"remove, lost", "roles.removeUserFromRole/not-in-role", remove, http.StatusBadGateway, nil},
		{"remove, at once", "roles.removeUserFromRole/not-in-role", remove, 0, ErrNotFound},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			client := answering(t, func(n int) *http.Response {
				if n == 1 && row.first != 0 {
					res := httpmock.NewStringResponse(row.first, `You must wait 0 seconds before trying again.`)
					res.Header.Set("Content-Type", "text/plain")
					return res
				}
				return readAnswer(t, "", row.answer).response()
			})
			err := row.call(t.Context(), client)
			if row.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, row.want)
		})
	}
}

// answering is a client whose n-th attempt, counted from 1, gets an answer.
func answering(t *testing.T, answer func(n int) *http.Response) *Client {
	t.Helper()
	mock := httpmock.NewMockTransport()
	n := 0
	mock.RegisterNoResponder(func(*http.Request) (*http.Response, error) {
		n++
		return answer(n), nil
	})
	client, err := New("https://chat.example.org", WithTransport(mock), WithToken("u", "t"), WithRetry(RetryPolicy{MaxAttempts: 2}))
	require.NoError(t, err)
	return client
}
