// Package totp answers requests for a second factor with codes of an authenticator
// app, for programs that hold its secret:
//
//	client, err := rocketchat.New(url, rocketchat.WithLogin("bot", password),
//		rocketchat.WithTwoFactor(totp.FromSecret(secret)))
//
// It has a module of its own, so that the client does not depend on a library for codes.
package totp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/rocketchat-go/rocketchat"
)

// FromSecret answers with the current code for the base32 secret that the server returned
// when the second factor was set up. It fails for challenges of another method, and on use
// if the secret is not base32.
func FromSecret(secret rocketchat.Secret) rocketchat.TwoFactorFunc {
	return func(_ context.Context, ch rocketchat.TwoFactorChallenge) (rocketchat.Secret, error) {
		if ch.Method != rocketchat.TwoFactorTOTP {
			return rocketchat.Secret{}, fmt.Errorf("the server asks for %q, not for a code of an authenticator app", string(ch.Method))
		}
		code, err := totp.GenerateCode(secret.Reveal(), time.Now())
		if err != nil {
			return rocketchat.Secret{}, errNotASecret // the cause might quote the secret
		}
		return rocketchat.NewSecret(code), nil
	}
}

var errNotASecret = errors.New("totp: the secret is not base32")
