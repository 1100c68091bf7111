package rocketchat

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func statusWire() []wireRow {
	set := func(u StatusUpdate) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return nil, c.Status.Set(ctx, u) }
	}
	get := func(ref UserRef) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Status.Get(ctx, ref) }
	}
	presenceOf := func(ref UserRef) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Status.PresenceOf(ctx, ref) }
	}
	presence := func(o PresenceOptions) func(context.Context, *Client) (any, error) {
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
		{"users.setStatus", "set", set(StatusUpdate{Status: StatusBusy}), nil},
		{"users.setStatus", "clear-message", set(StatusUpdate{Message: new("")}), nil},
		{"users.setStatus", "set-all-options", set(StatusUpdate{
			Status: StatusAway, Message: new("lunch"), User: ByID("Qm3rT8sVxYz2LpKdA"),
			ExpiresAt: time.Date(2030, 1, 1, 12, 0, 0, 0, time.FixedZone("", 2*3600)),
		}), nil},
		{"users.setStatus", "set-by-username", set(StatusUpdate{Status: StatusOnline, Message: new(""), User: ByUsername("bruno.costa")}), nil},
		{"users.getStatus", "self", get(UserRef{}), func(t *testing.T, got any) {
			assert.Equal(t, &StatusInfo{
				ID: "h7WgZbN4cExtFqRm9", Status: StatusBusy, ConnectionStatus: StatusOnline, StatusSource: StatusFromUser,
				StatusExpiresAt: Time{time.Date(2026, 1, 1, 18, 0, 0, 0, time.UTC)},
			}, got)
		}},
		{"users.getStatus", "other", get(ByID("Qm3rT8sVxYz2LpKdA")), isOther},
		{"users.getStatus", "other-by-username", get(ByUsername("bruno.costa")), isOther},
		{"users.getPresence", "self", presenceOf(UserRef{}), func(t *testing.T, got any) {
			assert.Equal(t, &UserPresence{
				Presence: StatusOnline, ConnectionStatus: StatusOnline,
				LastLogin: Time{time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)},
			}, got)
		}},
		{"users.getPresence", "other", presenceOf(ByID("Qm3rT8sVxYz2LpKdA")), isAway},
		{"users.getPresence", "other-by-username", presenceOf(ByUsername("bruno.costa")), isAway},
		{"users.presence", "everybody", presence(PresenceOptions{}), func(t *testing.T, got any) {
			list := got.(*PresenceList)
			assert.True(t, list.Full)
			require.Len(t, list.Users, 2)
			assert.Equal(t, StatusBusy, list.Users[1].Status)
			assert.Equal(t, "Focus time", list.Users[1].StatusText)
		}},
		{"users.presence", "one", presence(PresenceOptions{IDs: []string{"rocket.cat"}}), isCat},
		{"users.presence", "all-options", presence(PresenceOptions{
			IDs:  []string{"rocket.cat", "h7WgZbN4cExtFqRm9"},
			From: time.Date(2026, 1, 1, 10, 0, 0, 250e6, time.UTC),
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
				PageOptions: PageOptions{Offset: 1, Count: 5, Sort: []SortKey{"-name", "_id"}},
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
			return c.Status.CustomCreate(ctx, "Deploying", StatusBusy)
		}, isDeploying},
		{"custom-user-status.create", "create-without-type", func(ctx context.Context, c *Client) (any, error) {
			return c.Status.CustomCreate(ctx, "Deploying", "")
		}, isDeploying},
		{"custom-user-status.update", "update", func(ctx context.Context, c *Client) (any, error) {
			return c.Status.CustomUpdate(ctx, "5fTq2LmXwRzKpVbNd", CustomStatusUpdate{Name: "Releasing", StatusType: StatusAway})
		}, isReleasing},
		{"custom-user-status.update", "update-name", func(ctx context.Context, c *Client) (any, error) {
			return c.Status.CustomUpdate(ctx, "5fTq2LmXwRzKpVbNd", CustomStatusUpdate{Name: "Releasing"})
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

func TestStatusRefuse(t *testing.T) {
	t.Parallel()
	set := func(u StatusUpdate) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { return c.Status.Set(ctx, u) }
	}
	presence := func(ids []string) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Status.Presence(ctx, PresenceOptions{IDs: ids})
			return err
		}
	}
	create := func(name string, status UserStatus) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Status.CustomCreate(ctx, name, status)
			return err
		}
	}
	update := func(id string, u CustomStatusUpdate) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { _, err := c.Status.CustomUpdate(ctx, id, u); return err }
	}
	testRefused(t, []refusedRow{
		{"set nothing", "status", set(StatusUpdate{})},
		{"set an end alone", "status", set(StatusUpdate{ExpiresAt: time.Now()})},
		{"set an unknown word", "status", set(StatusUpdate{Status: "sleeping", Message: new("")})},
		{"set of an empty id", "userId", set(StatusUpdate{Status: StatusBusy, User: ByID("")})},
		{"set by e-mail", "email", set(StatusUpdate{Status: StatusBusy, User: ByEmail("ann@example.org")})},
		{"get of an empty name", "username", func(ctx context.Context, c *Client) error { _, err := c.Status.Get(ctx, ByUsername("")); return err }},
		{"presence of an empty id", "userId", func(ctx context.Context, c *Client) error { _, err := c.Status.PresenceOf(ctx, ByID("")); return err }},
		{"presence of nobody", "ids", presence([]string{})},
		{"presence of an empty one", "ids", presence([]string{"a", ""})},
		{"list a negative number", "Count", func(ctx context.Context, c *Client) error {
			_, err := c.Status.CustomList(ctx, CustomStatusListOptions{PageOptions: PageOptions{Count: -1}})
			return err
		}},
		{"create without a name", "name", create("", StatusBusy)},
		{"create with an unknown word", "statusType", create("x", "gone")},
		{"update nothing", "id", update("", CustomStatusUpdate{Name: "x"})},
		{"update without a name", "name", update("x", CustomStatusUpdate{})},
		{"update to an unknown word", "statusType", update("x", CustomStatusUpdate{Name: "x", StatusType: "gone"})},
		{"delete nothing", "id", func(ctx context.Context, c *Client) error { return c.Status.CustomDelete(ctx, "") }},
	})
}
