package livetest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

func sessionChecks() []check {
	return []check{
		{"Sessions.Login", sessionsLogin},
		{"Sessions.Resume", sessionsResume},
		{"Sessions.Logout", sessionsLogout},
		{"Sessions.LogoutUser", sessionsLogoutUser},
		{"Sessions.LogoutOtherClients", sessionsLogoutOtherClients},
		{"Sessions.RemoveOtherTokens", sessionsRemoveOtherTokens},
		{"Sessions.CreateToken", sessionsCreateToken},
		{"Sessions.RedeemLoginCode", sessionsRedeemLoginCode},
		{"Sessions.SendChallengeCode", sessionsSendChallengeCode},
		{"Sessions.VerifyChallenge", sessionsVerifyChallenge},
	}
}

// opened checks that a session is one of a person.
func opened(t *testing.T, p *person, s *rocketchat.Session) {
	t.Helper()
	assert.Equal(t, p.userID, s.UserID)
	assert.Equal(t, p.username, p.with(s.AuthToken.Reveal()).get(t, "me")["username"])
}

func sessionsLogin(t *testing.T, l *live) {
	p := l.person(t)
	session, err := l.client.Sessions.Login(t.Context(), p.username, rocketchat.NewSecret(password))
	require.NoError(t, err)
	opened(t, p, session)
}

func sessionsResume(t *testing.T, l *live) {
	p, _ := l.member(t)
	session, err := l.client.Sessions.Resume(t.Context(), rocketchat.NewSecret(p.token))
	require.NoError(t, err)
	opened(t, p, session)
}

func sessionsLogout(t *testing.T, l *live) {
	p, client := l.member(t)
	other := login(t, p.base, p.username, password)
	require.NoError(t, client.Sessions.Logout(t.Context()))
	assert.False(t, p.works(t))
	assert.True(t, other.works(t))
}

func sessionsLogoutUser(t *testing.T, l *live) {
	p, _ := l.member(t)
	token := p.newToken(t, "backup")
	require.NoError(t, l.client.Sessions.LogoutUser(t.Context(), rocketchat.ByID(p.userID)))
	assert.False(t, p.works(t))
	assert.False(t, token.works(t))
}

func sessionsLogoutOtherClients(t *testing.T, l *live) {
	p, client := l.member(t)
	other, token := login(t, p.base, p.username, password), p.newToken(t, "backup")
	left, err := client.Sessions.LogoutOtherClients(t.Context())
	require.NoError(t, err)
	assert.False(t, other.works(t))
	assert.True(t, token.works(t))
	assert.True(t, p.with(left.Token.Reveal()).works(t))
}

func sessionsRemoveOtherTokens(t *testing.T, l *live) {
	p, client := l.member(t)
	other, token := login(t, p.base, p.username, password), p.newToken(t, "backup")
	require.NoError(t, client.Sessions.RemoveOtherTokens(t.Context()))
	assert.False(t, other.works(t))
	assert.False(t, token.works(t))
	assert.True(t, p.works(t))
}

func sessionsCreateToken(t *testing.T, l *live) {
	p := l.person(t)
	var opts rocketchat.SessionCreateTokenOptions
	if l.has("8.0") {
		if l.secret == "" {
			t.Skip("CREATE_TOKENS_FOR_USERS_SECRET is not set")
		}
		opts.Secret = rocketchat.NewSecret(l.secret)
	}
	session, err := l.client.Sessions.CreateToken(t.Context(), rocketchat.ByID(p.userID), opts)
	require.NoError(t, err)
	opened(t, p, session)
}

func sessionsRedeemLoginCode(t *testing.T, l *live) {
	code := strings.Repeat("x", 64)
	_, err := l.client.Sessions.RedeemLoginCode(t.Context(), rocketchat.NewSecret(code))
	if !l.has("8.7") {
		l.since(t, "8.7", err)
		return
	}
	require.ErrorIs(t, err, rocketchat.ErrSecondFactorInvalid)
	if l.loginCode == nil {
		return
	}
	p := l.person(t)
	session, err := l.client.Sessions.RedeemLoginCode(t.Context(), rocketchat.NewSecret(l.loginCode(p.username)))
	require.NoError(t, err)
	opened(t, p, session)
}

// mailing is a person who gets codes by mail, and a challenge of theirs. The ID is "" if
// the test cannot start one.
func (l *live) mailing(t *testing.T) (p *person, challengeID string) {
	t.Helper()
	p, _ = l.member(t)
	l.verify(t, p)
	p.post(t, "users.2fa.enableEmail", fields{})
	if l.challenge == nil {
		return p, ""
	}
	return p, l.challenge(p.username)
}

func sessionsSendChallengeCode(t *testing.T, l *live) {
	err := l.client.Sessions.SendChallengeCode(t.Context(), "unknown")
	if !l.has("8.7") {
		l.since(t, "8.7", err)
		return
	}
	require.ErrorIs(t, err, rocketchat.ErrNotFound)
	p, id := l.mailing(t)
	if id == "" {
		return
	}
	mail := l.mailed(t, p.email, func() { require.NoError(t, l.client.Sessions.SendChallengeCode(t.Context(), id)) })
	assert.Len(t, codeIn(t, mail), 6)
}

func sessionsVerifyChallenge(t *testing.T, l *live) {
	_, err := l.client.Sessions.VerifyChallenge(t.Context(), "unknown", rocketchat.NewSecret("123456"))
	if !l.has("8.7") {
		l.since(t, "8.7", err)
		return
	}
	require.ErrorIs(t, err, rocketchat.ErrNotFound)
	p, id := l.mailing(t)
	if id == "" {
		return
	}
	mail := l.mailed(t, p.email, func() {
		status, _ := raw{base: p.base}.call(t, http.MethodPost, "twoFactorChallenges.sendEmailCode", fields{"challengeId": id})
		require.Equal(t, http.StatusOK, status)
	})
	session, err := l.client.Sessions.VerifyChallenge(t.Context(), id, rocketchat.NewSecret(codeIn(t, mail)))
	require.NoError(t, err)
	opened(t, p, session)
}
