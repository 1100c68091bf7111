package rocketchat

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func serverWire() []wireRow {
	policy := func(ctx context.Context, c *Client) (any, error) { return c.Server.PasswordPolicy(ctx) }
	return []wireRow{
		{"info", "info", func(ctx context.Context, c *Client) (any, error) {
			return c.Server.Info(ctx)
		}, func(t *testing.T, got any) {
			info := got.(*ServerInfo)
			assert.Equal(t, "8.6.1", info.Version)
			assert.Equal(t, "4.39.0", info.MinimumClientVersions.Mobile)
			require.NotNil(t, info.Info)
			assert.Equal(t, time.Date(2026, 7, 23, 18, 0, 0, 0, time.UTC), info.Info.Build.Date.Time)
			assert.EqualValues(t, 16777216000, info.Info.Build.TotalMemory)
			assert.Equal(t, "Thu Jul 23 18:00:00 2026 +0000", info.Info.Commit.Date)
			assert.Empty(t, info.Extra)
		}},
		{"pw.getPolicy", "policy", policy, func(t *testing.T, got any) {
			policy := got.(*PasswordPolicy)
			assert.True(t, policy.Enabled)
			require.Len(t, policy.Rules, 7)
			length, ok := policy.Rule(PasswordMinLength)
			assert.True(t, ok)
			assert.Equal(t, 14, length.Limit())
			repeats, ok := policy.Rule(PasswordMaxRepeating)
			assert.True(t, ok)
			assert.Equal(t, 3, repeats.Limit())
			digit, ok := policy.Rule(PasswordNeedsNumber)
			assert.True(t, ok)
			assert.Zero(t, digit.Limit())
			_, ok = policy.Rule(PasswordMaxLength)
			assert.False(t, ok)
		}},
		{"pw.getPolicy", "policy-disabled", policy, func(t *testing.T, got any) {
			assert.Equal(t, &PasswordPolicy{Rules: []PasswordRule{}}, got)
		}},
	}
}

func serverLossless() []losslessRow {
	return []losslessRow{
		{"info", "", as[ServerInfo]},
		{"pw.getPolicy", "", as[PasswordPolicy]},
	}
}

// TestServerInfoCredentials: the call works without credentials, and fails when those
// that the client was given cannot be had.
func TestServerInfoCredentials(t *testing.T) {
	t.Parallel()
	noVault := errors.New("the vault is closed")
	for _, row := range []struct {
		name string
		opts []Option
		want string
		err  error
	}{
		{"none", nil, "", nil},
		{"a token", []Option{WithToken("ann", "token")}, "token", nil},
		{"none to be had", []Option{WithCredentials(brokenProvider{noVault})}, "", noVault},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			mock := httpmock.NewMockTransport()
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				assert.Equal(t, "/api/info", r.URL.Path)
				assert.Equal(t, row.want, r.Header.Get("X-Auth-Token"))
				return readAnswer(t, "info", "ok-anonymous").response(), nil
			})
			client, err := New("https://chat.example.org", append(row.opts, WithTransport(mock), WithRetry(RetryPolicy{MaxAttempts: 1}))...)
			require.NoError(t, err)
			info, err := client.Server.Info(t.Context())
			if row.err != nil {
				require.ErrorIs(t, err, row.err)
				assert.Zero(t, mock.GetTotalCallCount())
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "8.6", info.Version)
			assert.Nil(t, info.Info)
		})
	}
}

type brokenProvider struct{ err error }

func (p brokenProvider) Credentials(context.Context, Credentials) (Credentials, error) {
	return Credentials{}, p.err
}

func TestPasswordRule(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]PasswordRule{
		`[]`:                {},
		`["x"]`:             {Key: "x"},
		`["x",null]`:        {Key: "x"},
		`["x",{}]`:          {Key: "x", Params: map[string]any{}},
		`["x",{"least":3}]`: {Key: "x", Params: map[string]any{"least": 3.0}},
		`["x",{"chars":"!?"},"not known to us so far"]`: {Key: "x", Params: map[string]any{"chars": "!?"}},
	} {
		var got PasswordRule
		require.NoError(t, json.Unmarshal([]byte(in), &got), in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{`"x"`, `[5]`, `["x","y"]`} {
		require.Error(t, json.Unmarshal([]byte(in), new(PasswordRule)), in)
	}
}
