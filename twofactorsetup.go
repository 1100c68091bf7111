package rocketchat

import "context"

// TwoFactorService sets up the second factors of accounts. To answer a server that
// asks for one, see [WithTwoFactor].
type TwoFactorService service

// TOTPSetup is what an authenticator app needs.
type TOTPSetup struct {
	Secret Secret `json:"secret"`
	URL    Secret `json:"url"` // otpauth://…, to show as a QR code; it holds the secret

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

type totpBody struct {
	Code Secret `json:"code"`
}

func (b totpBody) check(e endpoint) endpoint {
	return e.since("8.8.0").require(!b.Code.IsZero(), "code", "must not be empty")
}

// EnableEmail has the server mail codes as the caller's second factor. It logs out the
// caller's other clients, but leaves personal access tokens.
//
// POST /api/v1/users.2fa.enableEmail. No permission. A lost answer is repeated. Errors:
// [ErrInvalid] while no address of the account is verified.
func (s *TwoFactorService) EnableEmail(ctx context.Context, opts ...CallOption) error {
	return exec(ctx, s.client, post("users.2fa.enableEmail").repeatable(), nil, opts)
}

// DisableEmail ends codes by mail.
//
// POST /api/v1/users.2fa.disableEmail. No permission. A second factor is asked for, also
// shortly after another call was given one. A lost answer is repeated.
func (s *TwoFactorService) DisableEmail(ctx context.Context, opts ...CallOption) error {
	return exec(ctx, s.client, post("users.2fa.disableEmail").repeatable(), nil, opts)
}

// SendEmailCode has a code mailed to a user. It succeeds for somebody unknown too.
//
// POST /api/v1/users.2fa.sendEmailCode. No credentials are needed, and none are sent:
// with them the mail would go to the caller. A lost answer is not repeated.
func (s *TwoFactorService) SendEmailCode(ctx context.Context, emailOrUsername string, opts ...CallOption) error {
	e := post("users.2fa.sendEmailCode").public().require(emailOrUsername != "", "emailOrUsername", "must not be empty")
	return exec(ctx, s.client, e, emailCodeBody{emailOrUsername}, opts)
}

type emailCodeBody struct {
	EmailOrUsername string `json:"emailOrUsername"`
}

// EnableTOTP begins to set up an authenticator app for the caller. It is not in force
// before [TwoFactorService.ValidateTOTP].
//
// POST /api/v1/users.enableTotp, since server 8.8. No permission. A second factor may be
// asked for. A lost answer is not repeated. Errors: [ErrTaken] with the code
// error-2fa-already-enabled.
func (s *TwoFactorService) EnableTOTP(ctx context.Context, opts ...CallOption) (*TOTPSetup, error) {
	return do[*TOTPSetup](ctx, s.client, post("users.enableTotp").since("8.8.0"), nil, nil, opts)
}

// ValidateTOTP ends the set-up with a code that the app shows, and returns the backup
// codes, which are shown this once. It logs out the caller's other clients.
//
// POST /api/v1/users.validateTotp, since server 8.8. No permission. A second factor may
// be asked for. A lost answer is not repeated; [TwoFactorService.RegenerateTOTPCodes]
// makes other backup codes. Errors: [ErrTOTPInvalid].
func (s *TwoFactorService) ValidateTOTP(ctx context.Context, code Secret, opts ...CallOption) ([]Secret, error) {
	body := totpBody{code}
	return do[[]Secret](ctx, s.client, body.check(post("users.validateTotp").since("8.8.0").yields("codes")), nil, body, opts)
}

// DisableTOTP ends the use of an authenticator app, with a code that it shows or a
// backup code.
//
// POST /api/v1/users.disableTotp, since server 8.8. No permission. A lost answer is not
// repeated, for a second run could not be told from a wrong code. Errors:
// [ErrTOTPInvalid], also when no app was in use.
func (s *TwoFactorService) DisableTOTP(ctx context.Context, code Secret, opts ...CallOption) error {
	body := totpBody{code}
	c, err := send(ctx, s.client, body.check(post("users.disableTotp").since("8.8.0").yields("disabled")), nil, body, opts)
	if err != nil {
		return err
	}
	disabled, err := decode[bool](c)
	if err == nil && !disabled {
		return &Error{
			Op: c.op, StatusCode: c.status, Class: ErrTOTPInvalid, Attempts: c.attempts,
			Message: "the code is wrong, or no authenticator app was in use",
		}
	}
	return err
}

// RegenerateTOTPCodes makes other backup codes and returns them; the old ones are worth
// nothing any more.
//
// POST /api/v1/users.regenerateTotpCodes, since server 8.8. No permission. A lost answer
// is not repeated. Errors: [ErrTOTPInvalid].
func (s *TwoFactorService) RegenerateTOTPCodes(ctx context.Context, code Secret, opts ...CallOption) ([]Secret, error) {
	body := totpBody{code}
	return do[[]Secret](ctx, s.client, body.check(post("users.regenerateTotpCodes").since("8.8.0").yields("codes")), nil, body, opts)
}

// TOTPCodesRemaining tells how many backup codes the caller has left.
//
// GET /api/v1/users.totpCodesRemaining, since server 8.8. No permission.
func (s *TwoFactorService) TOTPCodesRemaining(ctx context.Context, opts ...CallOption) (int, error) {
	return do[int](ctx, s.client, get("users.totpCodesRemaining").since("8.8.0").yields("remaining"), nil, nil, opts)
}

// ResetTOTP removes the authenticator app of a user who has lost it, and ends the user's
// sessions if there was one to remove; the zero ref is oneself. Another user gets a mail
// about it.
//
// POST /api/v1/users.resetTOTP. Another user needs the permission edit-other-user-totp.
// A second factor is asked for, also shortly after another call was given one. A lost
// answer is repeated. Errors: [ErrNotFound], [ErrForbidden], [ErrInvalid] with the code
// error-two-factor-not-enabled.
func (s *TwoFactorService) ResetTOTP(ctx context.Context, ref UserRef, opts ...CallOption) error {
	return exec(ctx, s.client, ref.orOneself(post("users.resetTOTP").since("3.6.0").repeatable()), ref.body(), opts)
}

// ResetE2EKey removes the end-to-end encryption key of a user and ends all the user's
// sessions; the zero ref is oneself.
//
// POST /api/v1/users.resetE2EKey. Another user needs the permission edit-other-user-e2ee.
// A second factor is asked for, also shortly after another call was given one. A lost
// answer is repeated. Errors: [ErrNotFound], [ErrForbidden]; of no class when the server
// could not do it.
func (s *TwoFactorService) ResetE2EKey(ctx context.Context, ref UserRef, opts ...CallOption) error {
	return exec(ctx, s.client, ref.orOneself(post("users.resetE2EKey").since("3.6.0").repeatable()), ref.body(), opts)
}
