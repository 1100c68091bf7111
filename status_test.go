package rocketchat

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func statusWire() []wireRow {
	set := func(ref UserRef, opts StatusSetOptions) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return nil, c.Status.Set(ctx, ref, opts) }
	}
	get := func(ref UserRef) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Status.Get(ctx, ref) }
	}
	presenceOf := func(ref UserRef) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Status.PresenceOf(ctx, ref) }
	}
	presence := func(o StatusPresenceOptions) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Status.Presence(ctx, o) }
	}
	isOther := func(t *testing.T, got any) {
		assert.Equal(t, &StatusInfo{ID: "Qm3rT8sVxYz2LpKdA", Status: StatusOffline}, got)
	}
	isCat := func(t *testing.T, got any) {
		list := got.(*PresenceList)
		assert.False(t, list.Full)
		require.Len(t, list.Users, 1)
		assert.Equal(t, "rocket.cat", list.Users[0].ID)
	}
	isDeploying := func(t *testing.T, got any) {
		status := got.(*CustomStatus)
		assert.Equal(t, "Deploying", status.Name)
		assert.Equal(t, StatusBusy, status.StatusType)
	}
	isReleasing := func(t *testing.T, got any) { assert.Equal(t, "Releasing", got.(*CustomStatus).Name) }
	isAway := func(t *testing.T, got any) { assert.Equal(t, &UserPresence{Presence: StatusOffline}, got) }
	return []wireRow{
		{"users.setStatus", "set", set(Self(), StatusSetOptions{Status: StatusBusy}), nil},
		{"users.setStatus", "clear-message", set(Self(), StatusSetOptions{Message: new("")}), nil},
		{"users.setStatus", "set-all-options", set(ByID("Qm3rT8sVxYz2LpKdA"), StatusSetOptions{
			Status: StatusAway, Message: new("lunch"),
			ExpiresAt: time.Date(2030, 1, 1, 12, 0, 0, 0, time.FixedZone("", 2*3600)),
		}), nil},
		{"users.setStatus", "set-by-username", set(ByUsername("bruno.costa"), StatusSetOptions{Status: StatusOnline, Message: new("")}), nil},
		{"users.getStatus", "self", get(Self()), func(t *testing.T, got any) {
			assert.Equal(t, &StatusInfo{
				ID: "h7WgZbN4cExtFqRm9", Status: StatusBusy, ConnectionStatus: StatusOnline, StatusSource: StatusFromUser,
				StatusExpiresAt: Time{time.Date(2026, 1, 1, 18, 0, 0, 0, time.UTC)},
			}, got)
		}},
		{"users.getStatus", "other", get(ByID("Qm3rT8sVxYz2LpKdA")), isOther},
		{"users.getStatus", "other-by-username", get(ByUsername("bruno.costa")), isOther},
		{"users.getPresence", "self", presenceOf(Self()), func(t *testing.T, got any) {
			assert.Equal(t, &UserPresence{
				Presence: StatusOnline, ConnectionStatus: StatusOnline,
				LastLogin: Time{time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)},
			}, got)
		}},
		{"users.getPresence", "other", presenceOf(ByID("Qm3rT8sVxYz2LpKdA")), isAway},
		{"users.getPresence", "other-by-username", presenceOf(ByUsername("bruno.costa")), isAway},
		{"users.presence", "everybody", presence(StatusPresenceOptions{}), func(t *testing.T, got any) {
			list := got.(*PresenceList)
			assert.True(t, list.Full)
			require.Len(t, list.Users, 2)
			assert.Equal(t, StatusBusy, list.Users[1].Status)
			assert.Equal(t, "Focus time", list.Users[1].StatusText)
		}},
		{"users.presence", "one", presence(StatusPresenceOptions{Users: []UserRef{ByID("rocket.cat")}}), isCat},
		{"users.presence", "all-options", presence(StatusPresenceOptions{
			Users: []UserRef{ByID("rocket.cat"), ByID("h7WgZbN4cExtFqRm9")},
			From:  time.Date(2026, 1, 1, 10, 0, 0, 250e6, time.UTC),
		}), isCat},
		{"presence.getConnections", "connections", func(ctx context.Context, c *Client) (any, error) {
			return c.Status.Connections(ctx)
		}, func(t *testing.T, got any) { assert.Equal(t, &PresenceConnections{Current: 3, Max: 200}, got) }},
		{"presence.enableBroadcast", "enable", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Status.EnableBroadcast(ctx)
		}, nil},
		{"custom-user-status.list", "list", func(ctx context.Context, c *Client) (any, error) {
			return c.Status.CustomList(ctx, CustomStatusListOptions{})
		}, func(t *testing.T, got any) {
			page := got.(*Page[CustomStatus])
			assert.Equal(t, 1, page.Total)
			require.Len(t, page.Items, 1)
			isDeploying(t, &page.Items[0])
		}},
		{"custom-user-status.list", "list-all-options", func(ctx context.Context, c *Client) (any, error) {
			return c.Status.CustomList(ctx, CustomStatusListOptions{
				Name: "dep", ID: "5fTq2LmXwRzKpVbNd",
				Offset: 1, Count: 5, Sort: []string{"-name", "_id"},
			})
		}, nil},
		{"custom-user-status.list", "all", func(ctx context.Context, c *Client) (any, error) {
			var last *CustomStatus
			for status, err := range c.Status.AllCustom(ctx, CustomStatusListOptions{Name: "dep"}) {
				if err != nil {
					return nil, err
				}
				last = status
			}
			return last, nil
		}, isDeploying},
		{"custom-user-status.create", "create", func(ctx context.Context, c *Client) (any, error) {
			return c.Status.CustomCreate(ctx, CustomStatusCreateOptions{Name: "Deploying", StatusType: StatusBusy})
		}, isDeploying},
		{"custom-user-status.create", "create-without-type", func(ctx context.Context, c *Client) (any, error) {
			return c.Status.CustomCreate(ctx, CustomStatusCreateOptions{Name: "Deploying", StatusType: ""})
		}, isDeploying},
		{"custom-user-status.update", "update", func(ctx context.Context, c *Client) (any, error) {
			return c.Status.CustomUpdate(ctx, "5fTq2LmXwRzKpVbNd", CustomStatusUpdateOptions{Name: "Releasing", StatusType: StatusAway})
		}, isReleasing},
		{"custom-user-status.update", "update-name", func(ctx context.Context, c *Client) (any, error) {
			return c.Status.CustomUpdate(ctx, "5fTq2LmXwRzKpVbNd", CustomStatusUpdateOptions{Name: "Releasing"})
		}, isReleasing},
		{"custom-user-status.delete", "delete", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Status.CustomDelete(ctx, "5fTq2LmXwRzKpVbNd")
		}, nil},
	}
}

func statusLossless() []losslessRow {
	return []losslessRow{
		{"users.getStatus", "", as[StatusInfo]},
		{"users.getPresence", "", as[UserPresence]},
		{"users.presence", "", as[PresenceList]},
		{"presence.getConnections", "", as[PresenceConnections]},
		{"custom-user-status.list", "statuses.*", as[CustomStatus]},
		{"custom-user-status.create", "customUserStatus", as[CustomStatus]},
		{"custom-user-status.update", "customUserStatus", as[CustomStatus]},
	}
}

func TestStatusRejectsBadInput(t *testing.T) {
	t.Parallel()
	set := func(ref UserRef, opts StatusSetOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { return c.Status.Set(ctx, ref, opts) }
	}
	presence := func(users []UserRef) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Status.Presence(ctx, StatusPresenceOptions{Users: users})
			return err
		}
	}
	create := func(name string, status UserStatus) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Status.CustomCreate(ctx, CustomStatusCreateOptions{Name: name, StatusType: status})
			return err
		}
	}
	update := func(id string, u CustomStatusUpdateOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { _, err := c.Status.CustomUpdate(ctx, id, u); return err }
	}
	testRejected(t, []rejectedRow{
		{"set nothing", "Status", set(Self(), StatusSetOptions{})},
		{"set an end alone", "Status", set(Self(), StatusSetOptions{ExpiresAt: time.Now()})},
		{"set an unknown word", "Status", set(Self(), StatusSetOptions{Status: "sleeping", Message: new("")})},
		{"set of an empty id", "userId", set(ByID(""), StatusSetOptions{Status: StatusBusy})},
		{"set of nobody", "user", set(UserRef{}, StatusSetOptions{Status: StatusBusy})},
		{"get of an empty name", "username", func(ctx context.Context, c *Client) error { _, err := c.Status.Get(ctx, ByUsername("")); return err }},
		{"presence of an empty id", "userId", func(ctx context.Context, c *Client) error { _, err := c.Status.PresenceOf(ctx, ByID("")); return err }},
		{"presence of nobody", "Users", presence([]UserRef{})},
		{"presence of an empty one", "userId", presence([]UserRef{ByID("a"), ByID("")})},
		{"list a negative number", "Count", func(ctx context.Context, c *Client) error {
			_, err := c.Status.CustomList(ctx, CustomStatusListOptions{Count: -1})
			return err
		}},
		{"create without a name", "Name", create("", StatusBusy)},
		{"create with an unknown word", "StatusType", create("x", "gone")},
		{"update nothing", "id", update("", CustomStatusUpdateOptions{Name: "x"})},
		{"update without a name", "Name", update("x", CustomStatusUpdateOptions{})},
		{"update to an unknown word", "StatusType", update("x", CustomStatusUpdateOptions{Name: "x", StatusType: "gone"})},
		{"delete nothing", "id", func(ctx context.Context, c *Client) error { return c.Status.CustomDelete(ctx, "") }},
	})
}
