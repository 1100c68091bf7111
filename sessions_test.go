package rocketchat

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	aliceID    = "h7WgZbN4cExtFqRm9"
	aliceToken = "9HqLlyZOugoStsXCUfD_0YdwnNnunAJF8V47U3QHXSq"
	brunoID    = "Qm3rT8sVxYz2LpKdA"
)

func sessionsWire() []wireRow {
	loginCode := NewSecret("c0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0dec0de")
	opened := func(t *testing.T, got any) {
		s := got.(*Session)
		assert.Equal(t, Credentials{UserID: aliceID, Token: NewSecret(aliceToken)}, s.Credentials())
		assert.Empty(t, s.Extra)
	}
	openedWithMe := func(t *testing.T, got any) {
		opened(t, got)
		assert.Equal(t, "alice.meyer", got.(*Session).Me.Username)
		assert.Equal(t, "alice.meyer@example.org", got.(*Session).Me.Email)
	}
	created := func(t *testing.T, got any) {
		s := got.(*Session)
		assert.Equal(t, Credentials{UserID: brunoID, Token: NewSecret("2jdk99wuSjXPO201XlAks9sjDjAhSJmskAKW301mSuj9Sk")}, s.Credentials())
		assert.Nil(t, s.Me)
	}
	return []wireRow{
		{"login", "login", func(ctx context.Context, c *Client) (any, error) {
			return c.Sessions.Login(ctx, "alice.meyer", NewSecret("Secret-alice-1"))
		}, openedWithMe},
		{"login", "legacy", func(ctx context.Context, c *Client) (any, error) {
			return c.Sessions.Login(ctx, "alice.meyer@example.org", NewSecret("Secret-alice-1"))
		}, openedWithMe},
		{"login", "second-factor", func(ctx context.Context, c *Client) (any, error) {
			return c.Sessions.Login(ctx, "alice.meyer", NewSecret("Secret-alice-1"), WithTwoFactorCode(TwoFactorTOTP, "123456"))
		}, openedWithMe},
		{"login", "resume", func(ctx context.Context, c *Client) (any, error) {
			return c.Sessions.Resume(ctx, NewSecret(aliceToken))
		}, openedWithMe},
		{"logout", "current", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Sessions.Logout(ctx)
		}, nil},
		{"logout", "legacy", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Sessions.Logout(ctx)
		}, nil},
		{"users.logout", "other", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Sessions.LogoutUser(ctx, ByID(brunoID))
		}, nil},
		{"users.logoutOtherClients", "session", func(ctx context.Context, c *Client) (any, error) {
			return c.Sessions.LogoutOtherClients(ctx)
		}, func(t *testing.T, got any) {
			left := got.(*OtherClients)
			assert.Equal(t, NewSecret(aliceToken), left.Token)
			assert.Equal(t, "2026-04-01T10:00:00Z", left.TokenExpires.Format("2006-01-02T15:04:05Z"))
			assert.Empty(t, left.Extra)
		}},
		{"users.logoutOtherClients", "personal-access-token", func(ctx context.Context, c *Client) (any, error) {
			return c.Sessions.LogoutOtherClients(ctx)
		}, func(t *testing.T, got any) {
			assert.True(t, got.(*OtherClients).TokenExpires.IsZero())
		}},
		{"users.removeOtherTokens", "plain", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Sessions.RemoveOtherTokens(ctx)
		}, nil},
		{"users.createToken", "secret", func(ctx context.Context, c *Client) (any, error) {
			return c.Sessions.CreateToken(ctx, ByID(brunoID), SessionCreateTokenOptions{Secret: NewSecret("environment-secret")})
		}, created},
		{"users.createToken", "before-8", func(ctx context.Context, c *Client) (any, error) {
			return c.Sessions.CreateToken(ctx, ByID(brunoID), SessionCreateTokenOptions{})
		}, created},
		{"loginCode.redeem", "plain", func(ctx context.Context, c *Client) (any, error) {
			return c.Sessions.RedeemLoginCode(ctx, loginCode)
		}, opened},
		{"twoFactorChallenges.sendEmailCode", "plain", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.Sessions.SendChallengeCode(ctx, "challenge-1")
		}, nil},
		{"twoFactorChallenges.verifyChallenge", "plain", func(ctx context.Context, c *Client) (any, error) {
			return c.Sessions.VerifyChallenge(ctx, "challenge-1", NewSecret("123456"))
		}, opened},
	}
}

// There is no row for users.logoutOtherClients: an expiry of "" is the zero time.
func sessionsLossless() []losslessRow {
	return []losslessRow{
		{"login", "data", as[Session]},
		{"users.createToken", "data", as[Session]},
		{"loginCode.redeem", "", as[redeemed]},
		{"twoFactorChallenges.verifyChallenge", "", as[redeemed]},
	}
}

// rejectedRow is a call with an invalid argument.
type rejectedRow struct {
	name, field string
	call        func(ctx context.Context, c *Client) error
}

// testRefused checks that the calls fail for the field, and that nothing is sent.
func testRejected(t *testing.T, rows []rejectedRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			mock := httpmock.NewMockTransport()
			client, err := New("https://chat.example.org", WithTransport(mock), WithToken("user", "token"))
			require.NoError(t, err)
			err = row.call(t.Context(), client)
			require.ErrorIs(t, err, ErrInvalid)
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, row.field, e.Field)
			assert.NotEmpty(t, e.Op)
			assert.Zero(t, e.Attempts)
			assert.Zero(t, mock.GetTotalCallCount())
		})
	}
}

func TestSessionsRejectBadInput(t *testing.T) {
	t.Parallel()
	testRejected(t, []rejectedRow{
		{"login without a user", "user", func(ctx context.Context, c *Client) error {
			_, err := c.Sessions.Login(ctx, "", NewSecret("password"))
			return err
		}},
		{"login without a password", "password", func(ctx context.Context, c *Client) error {
			_, err := c.Sessions.Login(ctx, "alice", Secret{})
			return err
		}},
		{"resume without a token", "token", func(ctx context.Context, c *Client) error {
			_, err := c.Sessions.Resume(ctx, Secret{})
			return err
		}},
		{"log out nobody", "userId", func(ctx context.Context, c *Client) error {
			return c.Sessions.LogoutUser(ctx, ByID(""))
		}},
		{"a token for nobody", "userId", func(ctx context.Context, c *Client) error {
			_, err := c.Sessions.CreateToken(ctx, ByID(""), SessionCreateTokenOptions{Secret: NewSecret("s")})
			return err
		}},
		{"no login code", "code", func(ctx context.Context, c *Client) error {
			_, err := c.Sessions.RedeemLoginCode(ctx, Secret{})
			return err
		}},
		{"a code for no challenge", "challengeId", func(ctx context.Context, c *Client) error {
			return c.Sessions.SendChallengeCode(ctx, "")
		}},
		{"no challenge", "challengeId", func(ctx context.Context, c *Client) error {
			_, err := c.Sessions.VerifyChallenge(ctx, "", NewSecret("123456"))
			return err
		}},
		{"no code for a challenge", "code", func(ctx context.Context, c *Client) error {
			_, err := c.Sessions.VerifyChallenge(ctx, "challenge-1", Secret{})
			return err
		}},
	})
}

// routes is a transport that gives the routes, such as "POST /api/v1/login", the
// answers of testdata, such as "login/ok".
func routes(t *testing.T, answers map[string]string) *httpmock.MockTransport {
	t.Helper()
	mock := httpmock.NewMockTransport()
	for route, name := range answers {
		answer := readAnswer(t, "", name)
		method, path, _ := strings.Cut(route, " ")
		mock.RegisterResponder(method, "https://chat.example.org"+path, func(*http.Request) (*http.Response, error) {
			return answer.response(), nil
		})
	}
	return mock
}

func TestLogoutOfTheOwnSession(t *testing.T) {
	t.Parallel()
	const login, me, logout = "POST /api/v1/login", "GET /api/v1/me", "POST /api/v1/logout"
	count := func(mock *httpmock.MockTransport, route string) int {
		method, path, _ := strings.Cut(route, " ")
		return mock.GetCallCountInfo()[method+" https://chat.example.org"+path]
	}
	for name, answer := range map[string]string{"ends": "logout/ok-current", "was over": "me/unauthorized"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mock := routes(t, map[string]string{login: "login/ok", me: "me/ok", logout: answer})
			client, err := New("https://chat.example.org", WithTransport(mock), WithLogin("alice", "Secret-alice-1"))
			require.NoError(t, err)

			require.NoError(t, client.Sessions.Logout(t.Context()), "not logged in: nothing to end")
			assert.Zero(t, mock.GetTotalCallCount())

			_, err = client.Me.Get(t.Context())
			require.NoError(t, err)
			if err = client.Sessions.Logout(t.Context()); answer == "logout/ok-current" {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, ErrUnauthorized)
			}
			assert.Equal(t, 1, count(mock, login))
			assert.Equal(t, 1, count(mock, logout))

			_, err = client.Me.Get(t.Context())
			require.NoError(t, err)
			assert.Equal(t, 2, count(mock, login), "the next call logs in again")
		})
	}
}
