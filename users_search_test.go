package rocketchat

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func searchWire() []wireRow {
	const autocomplete, availability = "users.autocomplete", "users.checkUsernameAvailability"
	found := func(t *testing.T, got any) {
		users := got.([]AutocompleteUser)
		require.Len(t, users, 2)
		assert.Equal(t, "alice.meyer", users[0].Username)
		assert.Equal(t, "ali", users[0].Nickname)
		assert.Equal(t, StatusOffline, users[1].Status)
		assert.Empty(t, users[0].Extra)
	}
	listed := func(t *testing.T, got any) {
		page := got.(*Page[DirectoryUser])
		assert.Equal(t, 1, page.Total)
		require.Len(t, page.Items, 1)
		assert.Equal(t, "Platform team", page.Items[0].Bio)
		assert.Equal(t, 2025, page.Items[0].CreatedAt.Year())
		assert.Empty(t, page.Items[0].Extra)
	}
	return []wireRow{
		{autocomplete, "term", func(ctx context.Context, c *Client) (any, error) {
			return c.Users.Autocomplete(ctx, "ali", UserAutocompleteOptions{})
		}, found},
		{autocomplete, "none", func(ctx context.Context, c *Client) (any, error) {
			return c.Users.Autocomplete(ctx, `a "quoted" {word}`, UserAutocompleteOptions{})
		}, func(t *testing.T, got any) { assert.Empty(t, got) }},
		{autocomplete, "all", func(ctx context.Context, c *Client) (any, error) {
			return c.Users.Autocomplete(ctx, "ali", UserAutocompleteOptions{
				Exceptions: []string{"alice.meyer", "bob"},
				Conditions: map[string]any{"active": true, "type": map[string]any{"$ne": "bot"}},
			})
		}, found},
		{"directory", "plain", func(ctx context.Context, c *Client) (any, error) {
			return c.Users.Directory(ctx, UserDirectoryOptions{})
		}, listed},
		{"directory", "all", func(ctx context.Context, c *Client) (any, error) {
			return c.Users.Directory(ctx, UserDirectoryOptions{
				Offset: 5, Count: 10, Sort: []string{"-" + SortByEmail},
				Text: "ali", Workspace: WorkspaceAll,
			})
		}, listed},
		{"directory", "iterate", func(ctx context.Context, c *Client) (any, error) {
			return collect(c.Users.AllInDirectory(ctx, UserDirectoryOptions{Workspace: WorkspaceLocal}))
		}, func(t *testing.T, got any) {
			require.Len(t, got, 1)
			assert.Equal(t, aliceID, got.([]*DirectoryUser)[0].ID)
		}},
		{"spotlight", "plain", func(ctx context.Context, c *Client) (any, error) {
			return c.Users.Spotlight(ctx, "bru")
		}, func(t *testing.T, got any) {
			result := got.(*SpotlightResult)
			require.Len(t, result.Users, 1)
			assert.Equal(t, "bruno.costa", result.Users[0].Username)
			assert.Empty(t, result.Users[0].Extra)
			assert.Empty(t, result.Rooms)
		}},
		{"users.getUsernameSuggestion", "plain", func(ctx context.Context, c *Client) (any, error) {
			return c.Users.SuggestUsername(ctx)
		}, func(t *testing.T, got any) { assert.Equal(t, "alice.meyer-1", got) }},
		{availability, "available", func(ctx context.Context, c *Client) (any, error) {
			return c.Users.UsernameAvailable(ctx, "brand.new")
		}, func(t *testing.T, got any) { assert.Equal(t, true, got) }},
		{availability, "taken", func(ctx context.Context, c *Client) (any, error) {
			return c.Users.UsernameAvailable(ctx, "bruno.costa")
		}, func(t *testing.T, got any) { assert.Equal(t, false, got) }},
	}
}

func searchLossless() []losslessRow {
	return []losslessRow{
		{"users.autocomplete", "items.*", as[AutocompleteUser]},
		{"directory", "result.*", as[DirectoryUser]},
		{"spotlight", "", as[SpotlightResult]},
	}
}

func TestSearchRejectsBadInput(t *testing.T) {
	t.Parallel()
	directory := func(in UserDirectoryOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.Users.Directory(ctx, in)
			return err
		}
	}
	sorted := func(keys ...string) UserDirectoryOptions {
		return UserDirectoryOptions{Sort: keys}
	}
	testRejected(t, []rejectedRow{
		{"conditions that cannot be encoded", "Conditions", func(ctx context.Context, c *Client) error {
			_, err := c.Users.Autocomplete(ctx, "ali", UserAutocompleteOptions{Conditions: map[string]any{"active": func() {}}})
			return err
		}},
		{"negative offset", "Offset", directory(UserDirectoryOptions{Offset: -1})},
		{"two sort keys", "Sort", directory(sorted(SortByName, SortByUsername))},
		{"unknown sort key", "Sort", directory(sorted("-" + SortByLastLogin))},
		{"unknown workspace", "Workspace", directory(UserDirectoryOptions{Workspace: "elsewhere"})},
		{"everything of an unknown workspace", "Workspace", func(ctx context.Context, c *Client) error {
			_, err := collect(c.Users.AllInDirectory(ctx, UserDirectoryOptions{Workspace: "elsewhere"}))
			return err
		}},
		{"search for nothing", "query", func(ctx context.Context, c *Client) error {
			_, err := c.Users.Spotlight(ctx, "")
			return err
		}},
		{"no username", "username", func(ctx context.Context, c *Client) error {
			_, err := c.Users.UsernameAvailable(ctx, "")
			return err
		}},
	})
}
