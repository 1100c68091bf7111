package livetest

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

func mailChecks() []check {
	return []check{
		{"Users.ForgotPassword", usersForgotPassword},
		{"Users.SendConfirmationEmail", usersSendConfirmationEmail},
		{"Users.VerifyEmail", usersVerifyEmail},
		{"Users.SendWelcomeEmail", usersSendWelcomeEmail},
	}
}

var linkToVerify = regexp.MustCompile(`/verify-email/([\w-]+)`)

func usersForgotPassword(t *testing.T, l *live) {
	p := l.person(t)
	mail := l.mailed(t, p.email, func() { require.NoError(t, l.client.Users.ForgotPassword(t.Context(), p.email)) })
	assert.Contains(t, mail, "/reset-password/")
}

func usersSendConfirmationEmail(t *testing.T, l *live) {
	p := l.person(t)
	mail := l.mailed(t, p.email, func() { require.NoError(t, l.client.Users.SendConfirmationEmail(t.Context(), p.email)) })
	assert.Regexp(t, linkToVerify, mail)
}

func usersVerifyEmail(t *testing.T, l *live) {
	if !l.has("8.7") {
		l.since(t, "8.7", l.client.Users.VerifyEmail(t.Context(), rocketchat.NewSecret("token")))
		return
	}
	p := l.person(t)
	mail := l.mailed(t, p.email, func() { l.admin.post(t, "users.sendConfirmationEmail", fields{"email": p.email}) })
	m := linkToVerify.FindStringSubmatch(mail)
	require.NotNil(t, m, "the mail has no link: %s", mail)
	require.NoError(t, l.client.Users.VerifyEmail(t.Context(), rocketchat.NewSecret(m[1])))
	assert.Equal(t, true, l.info(t, p.userID).at("emails.0.verified"))
}

func usersSendWelcomeEmail(t *testing.T, l *live) {
	p := l.person(t)
	if !l.has("6.8") {
		l.since(t, "6.8", l.client.Users.SendWelcomeEmail(t.Context(), p.email))
		return
	}
	mail := l.mailed(t, p.email, func() { require.NoError(t, l.client.Users.SendWelcomeEmail(t.Context(), p.email)) })
	assert.Contains(t, mail, "Welcome")
}
