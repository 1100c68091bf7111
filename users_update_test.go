package rocketchat

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func userUpdateWire() []wireRow {
	row := func(name string, in UserUpdateOptions) wireRow {
		return wireRow{"users.update", name, func(ctx context.Context, c *Client) (any, error) {
			return c.Users.Update(ctx, ByID(brunoID), in)
		}, func(t *testing.T, got any) {
			assert.Equal(t, "bruno.a.costa", got.(*User).Username)
			assert.Equal(t, []string{"user", "livechat-agent"}, got.(*User).Roles)
			assert.Empty(t, got.(*User).Extra)
		}}
	}
	roles := func(name string, roles []string) wireRow {
		return wireRow{"users.update", name, func(ctx context.Context, c *Client) (any, error) {
			return c.Users.SetRoles(ctx, ByID(brunoID), roles)
		}, nil}
	}
	return []wireRow{
		row("keeps-profile", UserUpdateOptions{Name: new("Bruno A. Costa")}),
		row("keeps-nickname", UserUpdateOptions{Bio: new("")}),
		row("keeps-nothing", UserUpdateOptions{Name: new("Bruno A. Costa")}),
		row("names-profile", UserUpdateOptions{Bio: new(""), Nickname: new("bruno")}),
		row("overwrite", UserUpdateOptions{Name: new("Bruno A. Costa"), CustomFields: map[string]any{"team": "blue"}, Overwrite: true}),
		row("merges-custom-fields", UserUpdateOptions{
			Bio: new("b"), Nickname: new("n"), CustomFields: map[string]any{"department": "dev", "color": nil},
		}),
		row("all", UserUpdateOptions{
			Email: new("bruno.a.costa@example.org"), Name: new("Bruno A. Costa"), Password: new(NewSecret("Secret-bruno-2")),
			Username: new("bruno.a.costa"), Bio: new("Support"), Nickname: new("bruno"), StatusText: new(""), Active: new(true),
			Roles: []string{"user", "livechat-agent"}, RequirePasswordChange: new(false), SetRandomPassword: new(false),
			SendWelcomeEmail: new(false), Verified: new(false), CustomFields: map[string]any{"team": "blue"},
			FreeSwitchExtension: new("1001"), ConfirmRelinquish: true,
		}),
		row("all-overwrite", UserUpdateOptions{
			Email: new("bruno.a.costa@example.org"), Name: new("Bruno A. Costa"), Password: new(NewSecret("Secret-bruno-2")),
			Username: new("bruno.a.costa"), Bio: new("Support"), Nickname: new("bruno"), StatusText: new("busy"), Active: new(false),
			Roles: []string{"user", "livechat-agent"}, RequirePasswordChange: new(true), SetRandomPassword: new(true),
			SendWelcomeEmail: new(true), Verified: new(true), CustomFields: map[string]any{"team": "blue"},
			FreeSwitchExtension: new("1001"), ConfirmRelinquish: true, Overwrite: true,
		}),
		roles("roles", []string{"user", "livechat-agent"}),
		roles("no-roles", nil),
	}
}

func userWriteWire() []wireRow {
	create := func(in UserCreateOptions) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Users.Create(ctx, in) }
	}
	created := func(t *testing.T, got any) {
		u := got.(*CreatedUser)
		assert.Equal(t, brunoID, u.ID)
		assert.Equal(t, []string{"GENERAL"}, u.RoomIDs)
		assert.True(t, u.Active)
		assert.Empty(t, u.Extra)
	}
	register := func(in UserRegisterOptions) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Users.Register(ctx, in) }
	}
	remove := func(ref UserRef, in UserDeleteOptions) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Users.Delete(ctx, ref, in) }
	}
	deactivate := func(in UserDeactivateOptions) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Users.Deactivate(ctx, ByID(brunoID), in)
		}
	}
	idle := func(days int, role string) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) {
			return c.Users.DeactivateIdle(ctx, UserDeactivateIdleOptions{DaysIdle: days, Role: role})
		}
	}
	two := func(t *testing.T, got any) { assert.Equal(t, 2, got) }
	return []wireRow{
		{"users.create", "plain", create(UserCreateOptions{
			Email: "bruno.costa@example.org", Name: "Bruno Costa", Username: "bruno.costa", Password: NewSecret("Secret-bruno-1"),
		}), created},
		{"users.create", "restricted", create(UserCreateOptions{
			Email: "bruno.costa@example.org", Name: "Bruno Costa", Username: "bruno.costa", SetRandomPassword: new(true),
		}), created},
		{"users.create", "all", create(UserCreateOptions{
			Email: "bruno.costa@example.org", Name: "Bruno Costa", Username: "bruno.costa", Password: NewSecret("Secret-bruno-1"),
			Active: new(false), Roles: []string{"user", "livechat-agent"}, Bio: new("Support lead"), Nickname: new("bru"),
			JoinDefaultChannels: new(false), RequirePasswordChange: new(true),
			SetRandomPassword: new(false), SendWelcomeEmail: new(true), Verified: new(true),
			CustomFields: map[string]any{"department": "Support"}, FreeSwitchExtension: new("1001"),
		}), created},
		{"users.register", "plain", register(UserRegisterOptions{
			Username: "carla.nunes", Email: "carla.nunes@example.org", Password: NewSecret("Secret-carla-1"),
		}), func(t *testing.T, got any) { assert.True(t, got.(*User).Active) }},
		{"users.register", "all", register(UserRegisterOptions{
			Username: "carla.nunes", Email: "carla.nunes@example.org", Password: NewSecret("Secret-carla-1"), Name: "Carla Nunes",
			Secret: new(NewSecret("sign-up-secret")), Reason: new("New in the team"), CustomFields: map[string]any{"department": "Support"},
		}), func(t *testing.T, got any) {
			assert.False(t, got.(*User).Active)
			assert.Equal(t, "New in the team", got.(*User).Reason)
		}},
		{"users.delete", "by-id", remove(ByID(brunoID), UserDeleteOptions{}), func(t *testing.T, got any) {
			assert.Equal(t, []string{}, got)
		}},
		{"users.delete", "all", remove(ByUsername("bruno.costa"), UserDeleteOptions{ConfirmRelinquish: true}), func(t *testing.T, got any) {
			assert.Equal(t, []string{"x2pLwRzKpVbNd8fTq"}, got)
		}},
		{"users.delete", "before-7.13", remove(ByID(brunoID), UserDeleteOptions{}), func(t *testing.T, got any) { assert.Nil(t, got) }},
		{"users.setActiveStatus", "activate", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Users.Activate(ctx, ByID(brunoID))
		}, nil},
		{"users.setActiveStatus", "deactivate", deactivate(UserDeactivateOptions{}), nil},
		{"users.setActiveStatus", "all", deactivate(UserDeactivateOptions{ConfirmRelinquish: true}), nil},
		{"users.deactivateIdle", "plain", idle(400, ""), two},
		{"users.deactivateIdle", "role", idle(0, "bot"), two},
	}
}

func TestUsersRejectBadWrites(t *testing.T) {
	t.Parallel()
	update := func(id string, in UserUpdateOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Users.Update(ctx, ByID(id), in)
			return err
		}
	}
	create := func(in UserCreateOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Users.Create(ctx, in)
			return err
		}
	}
	register := func(in UserRegisterOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Users.Register(ctx, in)
			return err
		}
	}
	remove := func(ref UserRef) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Users.Delete(ctx, ref, UserDeleteOptions{})
			return err
		}
	}
	testRejected(t, []rejectedRow{
		{"create nobody", "Username", create(UserCreateOptions{Password: NewSecret("p")})},
		{"create without a password", "Password", create(UserCreateOptions{Username: "u", SetRandomPassword: new(false)})},
		{"create with a channel", "request", create(UserCreateOptions{Username: "u", Password: NewSecret("p"), CustomFields: map[string]any{"c": make(chan int)}})},
		{"register nobody", "Username", register(UserRegisterOptions{Email: "e", Password: NewSecret("p")})},
		{"register without an address", "Email", register(UserRegisterOptions{Username: "u", Password: NewSecret("p")})},
		{"register without a password", "Password", register(UserRegisterOptions{Username: "u", Email: "e"})},
		{"update nobody", "userId", update("", UserUpdateOptions{Name: new("N")})},
		{"update nothing", "UserUpdateOptions", update(brunoID, UserUpdateOptions{ConfirmRelinquish: true, Overwrite: true})},
		{"update to no password", "Password", update(brunoID, UserUpdateOptions{Password: new(NewSecret(""))})},
		{"roles of nobody", "userId", func(ctx context.Context, c *Client) error {
			_, err := c.Users.SetRoles(ctx, ByID(""), nil)
			return err
		}},
		{"delete nobody", "user", remove(UserRef{})},
		{"delete an empty id", "userId", remove(ByID(""))},
		{"delete an empty address", "email", remove(ByEmail(""))},
		{"activate nobody", "userId", func(ctx context.Context, c *Client) error { return c.Users.Activate(ctx, ByID("")) }},
		{"deactivate nobody", "userId", func(ctx context.Context, c *Client) error {
			return c.Users.Deactivate(ctx, ByID(""), UserDeactivateOptions{ConfirmRelinquish: true})
		}},
		{"negative days", "DaysIdle", func(ctx context.Context, c *Client) error {
			_, err := c.Users.DeactivateIdle(ctx, UserDeactivateIdleOptions{DaysIdle: -1, Role: ""})
			return err
		}},
	})
}

// TestUpdateFailsWithItsRead checks that a user who cannot be read well enough is not
// changed.
func TestUpdateFailsWithItsRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, answer string
		in           UserUpdateOptions
		want         Class
	}{
		{"custom fields that are not seen", "users.info/ok-restricted", UserUpdateOptions{CustomFields: map[string]any{"team": "blue"}}, ErrForbidden},
		{"no such user", "users.info/not-found", UserUpdateOptions{Name: new("Bruno")}, ErrNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			mock := routes(t, map[string]string{"GET /api/v1/users.info": test.answer})
			client, err := New("https://chat.example.org", WithTransport(mock), WithToken("user", "token"))
			require.NoError(t, err)
			_, err = client.Users.Update(t.Context(), ByID(brunoID), test.in)
			require.ErrorIs(t, err, test.want)
			assert.Equal(t, 1, mock.GetTotalCallCount())
		})
	}
}

// TestUpdateLeavesItsInputAlone checks that what is kept does not show up in the
// caller's maps.
func TestUpdateLeavesItsInputAlone(t *testing.T) {
	t.Parallel()
	mock := routes(t, map[string]string{
		"GET /api/v1/users.info":    "users.info/ok",
		"POST /api/v1/users.update": "users.update/ok",
	})
	client, err := New("https://chat.example.org", WithTransport(mock), WithToken("user", "token"))
	require.NoError(t, err)
	in := UserUpdateOptions{CustomFields: map[string]any{"team": "blue"}}
	_, err = client.Users.Update(t.Context(), ByID(brunoID), in)
	require.NoError(t, err)
	assert.Equal(t, UserUpdateOptions{CustomFields: map[string]any{"team": "blue"}}, in)
}
