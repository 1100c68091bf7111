package livetest

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

func factorChecks() []check {
	return []check{
		{"TwoFactor.EnableEmail", factorEnableEmail},
		{"TwoFactor.DisableEmail", factorDisableEmail},
		{"TwoFactor.SendEmailCode", factorSendEmailCode},
		{"TwoFactor.EnableTOTP TwoFactor.ValidateTOTP", factorEnableTOTP},
		{"TwoFactor.DisableTOTP", factorDisableTOTP},
		{"TwoFactor.TOTPCodesRemaining TwoFactor.RegenerateTOTPCodes", factorTOTPCodes},
		{"TwoFactor.ResetTOTP", factorResetTOTP},
		{"TwoFactor.ResetE2EKey", factorResetE2EKey},
	}
}

func mailsCodes(t *testing.T, r raw) bool {
	t.Helper()
	return r.get(t, "me").at("services.email2fa.enabled") == true
}

func usesApp(t *testing.T, r raw) bool {
	t.Helper()
	return r.get(t, "me").at("services.totp.enabled") == true
}

// code is what an authenticator app shows now.
func code(t *testing.T, secret string) string {
	t.Helper()
	c, err := totp.GenerateCode(secret, time.Now())
	require.NoError(t, err)
	return c
}

func factorEnableEmail(t *testing.T, l *live) {
	p, client := l.member(t)
	l.verify(t, p)
	require.False(t, mailsCodes(t, p.raw))
	require.NoError(t, client.TwoFactor.EnableEmail(t.Context()))
	assert.True(t, mailsCodes(t, p.raw))
}

func factorDisableEmail(t *testing.T, l *live) {
	p, _ := l.member(t)
	l.verify(t, p)
	p.post(t, "users.2fa.enableEmail", fields{})
	require.True(t, mailsCodes(t, p.raw))
	answered := false
	client := l.as(t, p.raw, rocketchat.WithTwoFactor(func(context.Context, rocketchat.TwoFactorChallenge) (rocketchat.Secret, error) {
		answered = true
		mails := l.mails(t, p.email)
		return rocketchat.NewSecret(codeIn(t, mails[len(mails)-1])), nil
	}))
	// The server mails the code before it asks for it.
	l.mailed(t, p.email, func() { require.NoError(t, client.TwoFactor.DisableEmail(t.Context())) })
	assert.True(t, answered)
	assert.False(t, mailsCodes(t, p.raw))
}

func factorSendEmailCode(t *testing.T, l *live) {
	p, _ := l.member(t)
	l.verify(t, p)
	p.post(t, "users.2fa.enableEmail", fields{})
	mail := l.mailed(t, p.email, func() {
		require.NoError(t, l.client.TwoFactor.SendEmailCode(t.Context(), rocketchat.ByUsername(p.username)))
	})
	assert.Len(t, codeIn(t, mail), 6)
}

// app sets up an authenticator app without the library. Backup codes come with it.
func (p *person) app(t *testing.T) (secret string, backup []any) {
	t.Helper()
	secret = p.method(t, "2fa:enable").text("secret")
	backup, _ = p.method(t, "2fa:validateTempToken", code(t, secret))["codes"].([]any)
	require.NotEmpty(t, backup)
	require.True(t, usesApp(t, p.raw))
	return secret, backup
}

func factorEnableTOTP(t *testing.T, l *live) {
	p, client := l.member(t)
	setup, err := client.TwoFactor.EnableTOTP(t.Context())
	if !l.since(t, "8.8", err) {
		_, err = client.TwoFactor.ValidateTOTP(t.Context(), rocketchat.NewSecret("123456"))
		l.since(t, "8.8", err)
		return
	}
	assert.False(t, usesApp(t, p.raw))
	codes, err := client.TwoFactor.ValidateTOTP(t.Context(), rocketchat.NewSecret(code(t, setup.Secret.Reveal())))
	require.NoError(t, err)
	assert.NotEmpty(t, codes)
	assert.True(t, usesApp(t, p.raw))
}

func factorDisableTOTP(t *testing.T, l *live) {
	p, client := l.member(t)
	if !l.has("8.8") {
		l.since(t, "8.8", client.TwoFactor.DisableTOTP(t.Context(), rocketchat.NewSecret("123456")))
		return
	}
	secret, _ := p.app(t)
	require.NoError(t, client.TwoFactor.DisableTOTP(t.Context(), rocketchat.NewSecret(code(t, secret))))
	assert.False(t, usesApp(t, p.raw))
}

func factorTOTPCodes(t *testing.T, l *live) {
	p, client := l.member(t)
	if !l.has("8.8") {
		_, err := client.TwoFactor.TOTPCodesRemaining(t.Context())
		l.since(t, "8.8", err)
		_, err = client.TwoFactor.RegenerateTOTPCodes(t.Context(), rocketchat.NewSecret("123456"))
		l.since(t, "8.8", err)
		return
	}
	secret, backup := p.app(t)
	n, err := client.TwoFactor.TOTPCodesRemaining(t.Context())
	require.NoError(t, err)
	assert.Len(t, backup, n)
	assert.EqualValues(t, p.method(t, "2fa:checkCodesRemaining")["remaining"], n)
	codes, err := client.TwoFactor.RegenerateTOTPCodes(t.Context(), rocketchat.NewSecret(code(t, secret)))
	require.NoError(t, err)
	require.NotEmpty(t, codes)
	// A backup code works once, so the new one works and an old one does not.
	assert.Empty(t, p.method(t, "2fa:regenerateCodes", backup[0])["codes"])
	assert.NotEmpty(t, p.method(t, "2fa:regenerateCodes", codes[0].Reveal())["codes"])
}

func factorResetTOTP(t *testing.T, l *live) {
	p, _ := l.member(t)
	p.app(t)
	require.NoError(t, l.client.TwoFactor.ResetTOTP(t.Context(), rocketchat.ByID(p.userID)))
	assert.False(t, p.works(t), "the sessions of the user end")
	again := login(t, p.base, p.username, password) // without a code
	assert.False(t, usesApp(t, again))
}

func factorResetE2EKey(t *testing.T, l *live) {
	p, _ := l.member(t)
	p.post(t, "e2e.setUserPublicAndPrivateKeys", fields{"public_key": `{"kty":"RSA"}`, "private_key": "secret"})
	require.NotEmpty(t, p.get(t, "e2e.fetchMyKeys")["public_key"])
	require.NoError(t, l.client.TwoFactor.ResetE2EKey(t.Context(), rocketchat.ByID(p.userID)))
	assert.False(t, p.works(t), "the sessions of the user end")
	status, keys := login(t, p.base, p.username, password).ask(t, "e2e.fetchMyKeys")
	require.Equal(t, http.StatusOK, status)
	assert.Empty(t, keys["public_key"])
}
