package rocketchat

import (
	"context"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func meRows() []wireRow {
	const update, remove, download = "users.updateOwnBasicInfo", "users.deleteOwnAccount", "users.requestDataDownload"
	get := func(ctx context.Context, c *Client) (any, error) { return c.Me.Get(ctx) }
	change := func(in MeUpdateOptions) func(context.Context, *Client) (any, error) {
		return func(ctx context.Context, c *Client) (any, error) { return c.Me.Update(ctx, in) }
	}
	changed := func(t *testing.T, got any) {
		me := got.(*Me)
		assert.Equal(t, "Alice M. Meyer", me.Name)
		assert.Equal(t, "alice.m", me.Username)
		assert.Empty(t, me.Extra)
	}
	return []wireRow{
		{"me", "get", get, func(t *testing.T, got any) {
			me := got.(*Me)
			assert.Equal(t, aliceID, me.ID)
			assert.Equal(t, "alice.meyer@example.org", me.Email)
			assert.Equal(t, []Email{{Address: "alice.meyer@example.org", Verified: true}}, me.Emails)
			assert.Equal(t, []string{"user"}, me.Roles)
			assert.Equal(t, StatusOnline, me.Status)
			assert.InDelta(t, 2, *me.UTCOffset, 0)
			assert.Equal(t, map[string]any{"department": "Research"}, me.CustomFields)
			assert.NotNil(t, me.Settings.Preferences)
			assert.True(t, me.Services.Password.Exists)
			assert.False(t, me.IsOAuthUser)
			assert.Empty(t, me.Extra)
		}},
		{"me", "totp", get, func(t *testing.T, got any) {
			assert.True(t, got.(*Me).Services.TOTP.Enabled)
			assert.Empty(t, got.(*Me).Services.Extra)
		}},
		{"me", "without-username", get, func(t *testing.T, got any) {
			me := got.(*Me)
			assert.Empty(t, me.Username)
			assert.Nil(t, me.UTCOffset)
			assert.False(t, me.Services.Password.Exists)
		}},
		{"me", "documented", get, func(t *testing.T, got any) {
			me := got.(*Me)
			assert.Equal(t, "userId", me.ID)
			assert.Equal(t, "/avatar/username", me.AvatarURL)
			assert.Equal(t, []Email{{Address: "user@example.com", Verified: true}}, me.Emails)
			assert.InDelta(t, -3, *me.UTCOffset, 0)
			assert.Empty(t, me.Extra)
		}},
		{update, "name", change(MeUpdateOptions{Name: new("Alice M. Meyer")}), changed},
		{update, "erase", change(MeUpdateOptions{Bio: new(""), Nickname: new(""), StatusText: new("")}), changed},
		{update, "custom-fields", change(MeUpdateOptions{CustomFields: map[string]any{"department": "Research"}}), changed},
		{update, "all", change(MeUpdateOptions{
			Name: new("Alice M. Meyer"), Username: new("alice.m"), Nickname: new("ali"), Bio: new("Platform team"),
			Email: new("alice.meyer@example.org"), StatusType: new(StatusAway), StatusText: new("lunch"),
			CurrentPassword: new(NewSecret("Secret-alice-1")), NewPassword: new(NewSecret("Secret-alice-2")),
			CustomFields: map[string]any{"department": "Research", "badge": nil},
		}), changed},
		{remove, "plain", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Me.Delete(ctx, NewSecret("Secret-alice-2"), MeDeleteOptions{})
		}, nil},
		{remove, "all", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Me.Delete(ctx, NewSecret("Secret-alice-2"), MeDeleteOptions{ConfirmRelinquish: true})
		}, nil},
		{download, "plain", func(ctx context.Context, c *Client) (any, error) {
			return c.Me.RequestDataDownload(ctx, false)
		}, func(t *testing.T, got any) {
			d := got.(*DataDownload)
			assert.True(t, d.Requested)
			assert.Equal(t, ExportPreparing, d.Operation.Status)
			assert.Equal(t, "alice.meyer", d.Operation.UserData.Username)
			assert.Empty(t, d.URL)
			assert.Empty(t, d.Extra)
			assert.Empty(t, d.Operation.Extra)
		}},
		{download, "full", func(ctx context.Context, c *Client) (any, error) {
			return c.Me.RequestDataDownload(ctx, true)
		}, func(t *testing.T, got any) {
			assert.False(t, got.(*DataDownload).Requested)
			assert.Equal(t, ExportExporting, got.(*DataDownload).Operation.Status)
		}},
	}
}

func meLossless() []losslessRow {
	return []losslessRow{
		{"me", "", as[Me]},
		{"users.updateOwnBasicInfo", "user", as[Me]},
		{"users.requestDataDownload", "", as[DataDownload]},
	}
}

func TestMeRejectsBadInput(t *testing.T) {
	t.Parallel()
	update := func(in MeUpdateOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Me.Update(ctx, in)
			return err
		}
	}
	testRejected(t, []rejectedRow{
		{"no change", "MeUpdateOptions", update(MeUpdateOptions{})},
		{"a password that proves no change", "MeUpdateOptions", update(MeUpdateOptions{CurrentPassword: new(NewSecret("p"))})},
		{"no current password", "CurrentPassword", update(MeUpdateOptions{Name: new("A"), CurrentPassword: new(NewSecret(""))})},
		{"no new password", "NewPassword", update(MeUpdateOptions{NewPassword: new(NewSecret(""))})},
		{"unknown status", "StatusType", update(MeUpdateOptions{StatusType: new(UserStatus("asleep"))})},
		{"delete without a password", "password", func(ctx context.Context, c *Client) error {
			return c.Me.Delete(ctx, Secret{}, MeDeleteOptions{})
		}},
	})
}

func TestMeWithoutASession(t *testing.T) {
	t.Parallel()
	mock := routes(t, map[string]string{"GET /api/v1/me": "me/unauthorized"})
	client, err := New("https://chat.example.org", WithTransport(mock), WithToken("user", "token"))
	require.NoError(t, err)
	me, err := client.Me.Get(t.Context())
	require.ErrorIs(t, err, ErrUnauthorized)
	assert.Nil(t, me)
}

// TestContractSaysWhatIsRetried checks which calls are sent again when their answer is lost.
func TestContractSaysWhatIsRetried(t *testing.T) {
	t.Parallel()
	e := func(in MeUpdateOptions) error {
		mock := httpmock.NewMockTransport() // every call fails
		client, err := New("https://chat.example.org", WithTransport(mock), WithToken("user", "token"),
			WithRetry(RetryPolicy{MaxAttempts: 2}))
		require.NoError(t, err)
		_, err = client.Me.Update(t.Context(), in)
		return err
	}
	var failed *Error
	require.ErrorAs(t, e(MeUpdateOptions{Name: new("Alice")}), &failed)
	assert.Equal(t, 2, failed.Attempts)
	require.ErrorAs(t, e(MeUpdateOptions{NewPassword: new(NewSecret("Secret-alice-2"))}), &failed)
	assert.Equal(t, 1, failed.Attempts)
	assert.True(t, failed.OutcomeUnknown)
}
