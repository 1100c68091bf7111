package livetest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

func tokenChecks() []check {
	return []check{
		{"Tokens.Generate", tokensGenerate},
		{"Tokens.List", tokensList},
		{"Tokens.Regenerate", tokensRegenerate},
		{"Tokens.Revoke", tokensRevoke},
		{"Tokens.Rotate", tokensRotate},
	}
}

// with returns the account with another token.
func (p *person) with(token string) raw { return raw{base: p.base, userID: p.userID, token: token} }

// token makes a personal access token.
func (p *person) newToken(t *testing.T, name string) raw {
	t.Helper()
	return p.with(p.post(t, "users.generatePersonalAccessToken", fields{"tokenName": name}).text("token"))
}

func (p *person) tokenNames(t *testing.T) []string {
	t.Helper()
	return p.get(t, "users.getPersonalAccessTokens").column("tokens", "name")
}

func tokensGenerate(t *testing.T, l *live) {
	p, client := l.member(t)
	token, err := client.Tokens.Generate(t.Context(), "backup", rocketchat.TokenGenerateOptions{BypassTwoFactor: true})
	require.NoError(t, err)
	assert.True(t, p.with(token.Reveal()).works(t))
	stored := p.get(t, "users.getPersonalAccessTokens")
	assert.Equal(t, []string{"backup"}, stored.column("tokens", "name"))
	assert.Equal(t, true, stored.at("tokens.0.bypassTwoFactor"))
}

func tokensList(t *testing.T, l *live) {
	p, client := l.member(t)
	p.newToken(t, "one")
	p.newToken(t, "two")
	tokens, err := client.Tokens.List(t.Context())
	require.NoError(t, err)
	want := p.get(t, "users.getPersonalAccessTokens")
	assert.ElementsMatch(t, []string{"one", "two"}, want.column("tokens", "name"))
	assert.Equal(t, want.column("tokens", "name"), each(tokens, func(v *rocketchat.PersonalAccessToken) string { return v.Name }))
	assert.Equal(t, want.column("tokens", "lastTokenPart"), each(tokens, func(v *rocketchat.PersonalAccessToken) string { return v.LastTokenPart }))
}

func tokensRegenerate(t *testing.T, l *live) {
	p, client := l.member(t)
	old := p.newToken(t, "backup")
	token, err := client.Tokens.Regenerate(t.Context(), "backup")
	require.NoError(t, err)
	assert.False(t, old.works(t))
	assert.True(t, p.with(token.Reveal()).works(t))
	assert.Equal(t, []string{"backup"}, p.tokenNames(t))
}

func tokensRevoke(t *testing.T, l *live) {
	p, client := l.member(t)
	old := p.newToken(t, "backup")
	require.NoError(t, client.Tokens.Revoke(t.Context(), "backup"))
	assert.False(t, old.works(t))
	assert.Empty(t, p.tokenNames(t))
}

func tokensRotate(t *testing.T, l *live) {
	p, client := l.member(t)
	old := p.newToken(t, "backup")
	var kept rocketchat.Secret
	rotated, err := client.Tokens.Rotate(t.Context(), "backup", rocketchat.TokenRotateOptions{Keep: func(r *rocketchat.RotatedToken) error {
		kept = r.Token
		assert.True(t, old.works(t), "the old token is valid until the new one is kept")
		return nil
	}})
	require.NoError(t, err)
	assert.True(t, rotated.OldRevoked)
	assert.False(t, old.works(t))
	assert.True(t, p.with(kept.Reveal()).works(t))
	assert.Equal(t, []string{rotated.Name}, p.tokenNames(t))
}
