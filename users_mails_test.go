package rocketchat

import (
	"context"
	"net/http"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func mailsWire() []wireRow {
	const address = "bruno.costa@example.org"
	return []wireRow{
		{"users.forgotPassword", "plain", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Users.ForgotPassword(ctx, address)
		}, nil},
		{"users.sendWelcomeEmail", "plain", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Users.SendWelcomeEmail(ctx, address)
		}, nil},
		{"users.sendConfirmationEmail", "plain", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Users.SendConfirmationEmail(ctx, address)
		}, nil},
		{"users.verifyEmail", "plain", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Users.VerifyEmail(ctx, NewSecret("mailed-token"))
		}, nil},
	}
}

func TestMailsRejectBadInput(t *testing.T) {
	t.Parallel()
	testRejected(t, []rejectedRow{
		{"forgot", "email", func(ctx context.Context, c *Client) error { return c.Users.ForgotPassword(ctx, "") }},
		{"welcome", "email", func(ctx context.Context, c *Client) error { return c.Users.SendWelcomeEmail(ctx, "") }},
		{"confirmation", "email", func(ctx context.Context, c *Client) error { return c.Users.SendConfirmationEmail(ctx, "") }},
		{"verify", "token", func(ctx context.Context, c *Client) error { return c.Users.VerifyEmail(ctx, Secret{}) }},
	})
}

// TestWithoutCredentials makes the calls that a server takes without an account from a
// client that has none.
func TestWithoutCredentials(t *testing.T) {
	t.Parallel()
	calls := map[string]func(context.Context, *Client) error{
		"spotlight/ok-users": func(ctx context.Context, c *Client) error {
			_, err := c.Users.Spotlight(ctx, "bru")
			return err
		},
		"users.sendConfirmationEmail/ok": func(ctx context.Context, c *Client) error {
			return c.Users.SendConfirmationEmail(ctx, "bruno.costa@example.org")
		},
	}
	for answer, call := range calls {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			mock := httpmock.NewMockTransport()
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				assert.Empty(t, r.Header.Values("X-User-Id"))
				assert.Empty(t, r.Header.Values("X-Auth-Token"))
				return readAnswer(t, "", answer).response(), nil
			})
			client, err := New("https://chat.example.org", WithTransport(mock))
			require.NoError(t, err)
			require.NoError(t, call(t.Context(), client))
			assert.Equal(t, 1, mock.GetTotalCallCount())
		})
	}
}
