package rocketchat

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func twoFactorWire() []wireRow {
	areCodes := func(first string) func(*testing.T, any) {
		return func(t *testing.T, got any) {
			codes := got.([]Secret)
			require.Len(t, codes, 12)
			assert.Equal(t, first, codes[0].Reveal())
		}
	}
	return []wireRow{
		{"users.2fa.enableEmail", "enable", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.TwoFactor.EnableEmail(ctx)
		}, nil},
		{"users.2fa.disableEmail", "disable", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.TwoFactor.DisableEmail(ctx)
		}, nil},
		{"users.2fa.sendEmailCode", "send", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.TwoFactor.SendEmailCode(ctx, ByUsername("alice.meyer"))
		}, nil},
		{"users.enableTotp", "enable", func(ctx context.Context, c *Client) (any, error) {
			return c.TwoFactor.EnableTOTP(ctx)
		}, func(t *testing.T, got any) {
			setup := got.(*TOTPSetup)
			assert.Equal(t, "KJ3VS6LNGRXWG5DFOQQXI2DFNUQGK3TE", setup.Secret.Reveal())
			assert.Contains(t, setup.URL.Reveal(), "otpauth://totp/")
			assert.Empty(t, setup.Extra)
		}},
		{"users.validateTotp", "validate", func(ctx context.Context, c *Client) (any, error) {
			return c.TwoFactor.ValidateTOTP(ctx, NewSecret("123456"))
		}, areCodes("jJsQvpys")},
		{"users.disableTotp", "disable", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.TwoFactor.DisableTOTP(ctx, NewSecret("123456"))
		}, nil},
		{"users.regenerateTotpCodes", "regenerate", func(ctx context.Context, c *Client) (any, error) {
			return c.TwoFactor.RegenerateTOTPCodes(ctx, NewSecret("123456"))
		}, areCodes("3sQzT3fv")},
		{"users.totpCodesRemaining", "remaining", func(ctx context.Context, c *Client) (any, error) {
			return c.TwoFactor.TOTPCodesRemaining(ctx)
		}, func(t *testing.T, got any) { assert.Equal(t, 12, got) }},
		{"users.resetTOTP", "self", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.TwoFactor.ResetTOTP(ctx, Self())
		}, nil},
		{"users.resetTOTP", "other", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.TwoFactor.ResetTOTP(ctx, ByID("Qm3rT8sVxYz2LpKdA"))
		}, nil},
		{"users.resetE2EKey", "self", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.TwoFactor.ResetE2EKey(ctx, Self())
		}, nil},
		{"users.resetE2EKey", "other", func(ctx context.Context, c *Client) (any, error) {
			return nil, c.TwoFactor.ResetE2EKey(ctx, ByUsername("bruno.costa"))
		}, nil},
	}
}

func twoFactorLossless() []losslessRow {
	return []losslessRow{
		{"users.enableTotp", "", as[TOTPSetup]},
		{"users.validateTotp", "codes", as[[]Secret]},
		{"users.regenerateTotpCodes", "codes", as[[]Secret]},
	}
}

func TestTwoFactorRejectsBadInput(t *testing.T) {
	t.Parallel()
	testRejected(t, []rejectedRow{
		{"mail to nobody", "username", func(ctx context.Context, c *Client) error { return c.TwoFactor.SendEmailCode(ctx, ByUsername("")) }},
		{"validate nothing", "code", func(ctx context.Context, c *Client) error {
			_, err := c.TwoFactor.ValidateTOTP(ctx, Secret{})
			return err
		}},
		{"disable with nothing", "code", func(ctx context.Context, c *Client) error { return c.TwoFactor.DisableTOTP(ctx, Secret{}) }},
		{"regenerate with nothing", "code", func(ctx context.Context, c *Client) error {
			_, err := c.TwoFactor.RegenerateTOTPCodes(ctx, Secret{})
			return err
		}},
		{"reset of an empty id", "userId", func(ctx context.Context, c *Client) error { return c.TwoFactor.ResetTOTP(ctx, ByID("")) }},
		{"reset by an empty address", "email", func(ctx context.Context, c *Client) error {
			return c.TwoFactor.ResetE2EKey(ctx, ByEmail(""))
		}},
	})
}

// TestTOTPWrongCode: one endpoint answers 200 and says in the body that it did nothing.
func TestTOTPWrongCode(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		answer string
		status int
		call   func(context.Context, *Client) error
	}{
		{"users.disableTotp/wrong-code", http.StatusOK, func(ctx context.Context, c *Client) error { return c.TwoFactor.DisableTOTP(ctx, NewSecret("000000")) }},
		{"users.validateTotp/invalid", http.StatusBadRequest, func(ctx context.Context, c *Client) error {
			_, err := c.TwoFactor.ValidateTOTP(ctx, NewSecret("000000"))
			return err
		}},
		{"users.regenerateTotpCodes/wrong-code", http.StatusBadRequest, func(ctx context.Context, c *Client) error {
			_, err := c.TwoFactor.RegenerateTOTPCodes(ctx, NewSecret("000000"))
			return err
		}},
	} {
		t.Run(row.answer, func(t *testing.T) {
			t.Parallel()
			client := answering(t, func(int) *http.Response { return readAnswer(t, "", row.answer).response() })
			err := row.call(t.Context(), client)
			require.ErrorIs(t, err, ErrSecondFactorInvalid)
			e := new(Error)
			require.ErrorAs(t, err, &e)
			assert.Equal(t, row.status, e.StatusCode)
			assert.Equal(t, 1, e.Attempts)
			assert.NotEmpty(t, e.Op)
		})
	}
}
