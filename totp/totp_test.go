package totp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
	"github.com/rocketchat-go/rocketchat/totp"
)

const seed = "JBSWY3DPEHPK3PXP"

func TestFromSecret(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New(rocketchattest.WithSecondFactor())
	_, err := srv.AddUser(rocketchattest.User{Username: "bot", Password: "B0t-password!", TOTPSecret: seed})
	require.NoError(t, err)
	client, err := rocketchat.New(srv.URL(), rocketchat.WithTransport(srv),
		rocketchat.WithLogin("bot", "B0t-password!"), rocketchat.WithTwoFactor(totp.FromSecret(rocketchat.NewSecret(seed))))
	require.NoError(t, err)
	_, err = client.Tokens.Generate(t.Context(), "nightly", rocketchat.TokenGenerateOptions{})
	require.NoError(t, err)
}

func TestFromSecretRefuses(t *testing.T) {
	t.Parallel()
	_, err := totp.FromSecret(rocketchat.NewSecret(seed))(t.Context(), rocketchat.TwoFactorChallenge{Method: rocketchat.TwoFactorPassword})
	require.ErrorContains(t, err, "password")
	_, err = totp.FromSecret(rocketchat.NewSecret("not-base-32!"))(t.Context(), rocketchat.TwoFactorChallenge{Method: rocketchat.TwoFactorTOTP})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "not-base-32!")
}
