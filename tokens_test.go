package rocketchat

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func tokensWire() []wireRow {
	isNew := func(t *testing.T, got any) {
		assert.Equal(t, "2fWkTqLq5yDt2p0cRzXbnN1uE7aHsV4mGjKiO9ePx3B", got.(Secret).Reveal())
	}
	return []wireRow{
		{"users.getPersonalAccessTokens", "list", func(ctx context.Context, c *Client) (any, error) {
			return c.Tokens.List(ctx)
		}, func(t *testing.T, got any) {
			tokens := got.([]PersonalAccessToken)
			require.Len(t, tokens, 2)
			assert.Equal(t, PersonalAccessToken{
				Name: "backup", LastTokenPart: "5RtYvN", BypassTwoFactor: true,
				CreatedAt: Time{time.Date(2025, 12, 1, 10, 0, 0, 0, time.UTC)},
			}, tokens[1])
		}},
		{"users.generatePersonalAccessToken", "generate", func(ctx context.Context, c *Client) (any, error) {
			return c.Tokens.Generate(ctx, "ci", TokenGenerateOptions{})
		}, isNew},
		{"users.generatePersonalAccessToken", "generate-all-options", func(ctx context.Context, c *Client) (any, error) {
			return c.Tokens.Generate(ctx, "ci", TokenGenerateOptions{BypassTwoFactor: true})
		}, isNew},
		{"users.generatePersonalAccessToken", "second-factor", func(ctx context.Context, c *Client) (any, error) {
			c, err := c.With(WithTwoFactor(AnswerWithPassword(NewSecret("password"))))
			if err != nil {
				return nil, err
			}
			return c.Tokens.Generate(ctx, "ci", TokenGenerateOptions{})
		}, isNew},
		{"users.regeneratePersonalAccessToken", "regenerate", func(ctx context.Context, c *Client) (any, error) {
			return c.Tokens.Regenerate(ctx, "ci")
		}, func(t *testing.T, got any) {
			assert.Equal(t, "8sKd0PqWnVbZ3rTy6LxMh1CuJfAg4EoI7QzXc5RtYvN", got.(Secret).Reveal())
		}},
		{"users.removePersonalAccessToken", "revoke", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Tokens.Revoke(ctx, "ci")
		}, nil},
	}
}

func tokensLossless() []losslessRow {
	return []losslessRow{
		{"users.getPersonalAccessTokens", "tokens.*", as[PersonalAccessToken]},
		{"users.generatePersonalAccessToken", "token", as[Secret]},
		{"users.regeneratePersonalAccessToken", "token", as[Secret]},
	}
}

func TestTokensRejectBadInput(t *testing.T) {
	t.Parallel()
	testRejected(t, []rejectedRow{
		{"generate without a name", "tokenName", func(ctx context.Context, c *Client) error {
			_, err := c.Tokens.Generate(ctx, "", TokenGenerateOptions{})
			return err
		}},
		{"regenerate without a name", "tokenName", func(ctx context.Context, c *Client) error { _, err := c.Tokens.Regenerate(ctx, ""); return err }},
		{"revoke without a name", "tokenName", func(ctx context.Context, c *Client) error { return c.Tokens.Revoke(ctx, "") }},
	})
}
