package rocketchat

import (
	"context"
	"net/http"
)

// TwoFactorService sets up second factors. To answer a server that asks for one, see
// [WithTwoFactor].
type TwoFactorService service

// TOTPSetup is what an authenticator app needs.
type TOTPSetup struct {
	Secret Secret `json:"secret"`
	URL    Secret `json:"url"` // otpauth://…, to show as a QR code; it holds the secret

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// totpCode adds a code of an authenticator app to a call.
func (e endpoint) totpCode(code Secret) endpoint {
	return e.require(!code.IsZero(), "code", "must not be empty").json(struct {
		Code Secret `json:"code"`
	}{code})
}

// EnableEmail makes mailed codes the caller's second factor. It logs out the caller's other
// clients. Personal access tokens stay valid.
//
//   - POST /api/v1/users.2fa.enableEmail.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrInvalid] if no address of the account is verified.
//   - In all server versions.
func (s *TwoFactorService) EnableEmail(ctx context.Context, callOpts ...CallOption) error {
	return exec(ctx, s.client, post("users.2fa.enableEmail").retried(), callOpts)
}

// DisableEmail stops the use of mailed codes as a second factor.
//
//   - POST /api/v1/users.2fa.disableEmail.
//   - Permission: none.
//   - Second factor: asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrSecondFactorRequired].
//   - In all server versions.
func (s *TwoFactorService) DisableEmail(ctx context.Context, callOpts ...CallOption) error {
	return exec(ctx, s.client, post("users.2fa.disableEmail").secondFactor().retried(), callOpts)
}

// SendEmailCode mails a code to a user. It succeeds for unknown users, too. No credentials
// are sent, because with them the mail would go to the caller.
//
//   - POST /api/v1/users.2fa.sendEmailCode, after one of users.info if ref is neither a
//     username nor an address.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Not retried if the response is lost: it would send a second mail.
//   - Errors: [ErrRateLimited].
//   - In all server versions.
func (s *TwoFactorService) SendEmailCode(ctx context.Context, ref UserRef, callOpts ...CallOption) error {
	e := endpoint{op: "users.2fa.sendEmailCode"}.of(ref)
	if e.wrong != nil {
		return e.wrong
	}
	callOpts = together(callOpts)
	name := ref.value
	if ref.key != refUsername && ref.key != refEmail {
		id, err := s.client.userID(ctx, e.op, ref, callOpts)
		if err != nil {
			return err
		}
		user, err := s.client.Users.Get(ctx, ByID(id), callOpts...)
		if err != nil {
			return err
		}
		name = user.Username
	}
	return s.sendEmailCode(ctx, name, callOpts)
}

func (s *TwoFactorService) sendEmailCode(ctx context.Context, emailOrUsername string, callOpts []CallOption) error {
	e := post("users.2fa.sendEmailCode").public().require(emailOrUsername != "", "emailOrUsername", "must not be empty").
		json(struct {
			EmailOrUsername string `json:"emailOrUsername"`
		}{emailOrUsername})
	return exec(ctx, s.client, e, callOpts)
}

// EnableTOTP begins to set up an authenticator app for the caller. The app is not in use
// before [TwoFactorService.ValidateTOTP].
//
//   - POST /api/v1/users.enableTotp.
//   - Permission: none.
//   - Second factor: asked for.
//   - Not retried if the response is lost.
//   - Errors: [ErrTaken] with [CodeTwoFactorEnabled]; [ErrEndpointUnknown].
//   - Since server 8.8.0.
func (s *TwoFactorService) EnableTOTP(ctx context.Context, callOpts ...CallOption) (*TOTPSetup, error) {
	return do[*TOTPSetup](ctx, s.client, post("users.enableTotp").since("8.8.0").secondFactor(), callOpts)
}

// ValidateTOTP completes the set-up with a code of the app. It returns the backup codes,
// which are shown only once, and logs out the caller's other clients.
//
//   - POST /api/v1/users.validateTotp.
//   - Permission: none.
//   - Second factor: asked for.
//   - Not retried if the response is lost; [TwoFactorService.RegenerateTOTPCodes] creates
//     other backup codes.
//   - Errors: [ErrSecondFactorInvalid]; [ErrEndpointUnknown].
//   - Since server 8.8.0.
func (s *TwoFactorService) ValidateTOTP(ctx context.Context, code Secret, callOpts ...CallOption) ([]Secret, error) {
	e := post("users.validateTotp").since("8.8.0").secondFactor().yields("codes").totpCode(code)
	return do[[]Secret](ctx, s.client, e, callOpts)
}

// DisableTOTP stops the use of an authenticator app. The code is one of the app or a backup
// code.
//
//   - POST /api/v1/users.disableTotp.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Not retried if the response is lost: a second run could not be told from a wrong
//     code.
//   - Errors: [ErrSecondFactorInvalid], also if no app was in use; [ErrEndpointUnknown].
//   - Since server 8.8.0.
func (s *TwoFactorService) DisableTOTP(ctx context.Context, code Secret, callOpts ...CallOption) error {
	e := post("users.disableTotp").since("8.8.0").yields("disabled").totpCode(code)
	disabled, err := do[bool](ctx, s.client, e, callOpts)
	if err == nil && !disabled {
		return &Error{
			Op: e.op, StatusCode: http.StatusOK, Class: ErrSecondFactorInvalid, Attempts: 1,
			Message: "the code is wrong, or no authenticator app was in use",
		}
	}
	return err
}

// RegenerateTOTPCodes creates new backup codes and returns them. The old ones are no longer
// valid.
//
//   - POST /api/v1/users.regenerateTotpCodes.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Not retried if the response is lost.
//   - Errors: [ErrSecondFactorInvalid]; [ErrEndpointUnknown].
//   - Since server 8.8.0.
func (s *TwoFactorService) RegenerateTOTPCodes(ctx context.Context, code Secret, callOpts ...CallOption) ([]Secret, error) {
	return do[[]Secret](ctx, s.client, post("users.regenerateTotpCodes").since("8.8.0").yields("codes").totpCode(code), callOpts)
}

// TOTPCodesRemaining returns how many backup codes the caller has left.
//
//   - GET /api/v1/users.totpCodesRemaining.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrEndpointUnknown].
//   - Since server 8.8.0.
func (s *TwoFactorService) TOTPCodesRemaining(ctx context.Context, callOpts ...CallOption) (int, error) {
	return do[int](ctx, s.client, get("users.totpCodesRemaining").since("8.8.0").yields("remaining"), callOpts)
}

// ResetTOTP removes the authenticator app of a user who has lost it, and ends their
// sessions if there was one to remove. Other users get a mail about it.
//
//   - POST /api/v1/users.resetTOTP.
//   - Permission: edit-other-user-totp for other users.
//   - Second factor: asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound], [ErrForbidden]; [ErrInvalid] with [CodeTwoFactorNotEnabled].
//   - Since server 3.6.0.
func (s *TwoFactorService) ResetTOTP(ctx context.Context, ref UserRef, callOpts ...CallOption) error {
	return exec(ctx, s.client, post("users.resetTOTP").since("3.6.0").secondFactor().retried().ofSelfOr(ref), callOpts)
}

// ResetE2EKey removes the end-to-end encryption key of a user and ends all their sessions.
//
//   - POST /api/v1/users.resetE2EKey.
//   - Permission: edit-other-user-e2ee for other users.
//   - Second factor: asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound], [ErrForbidden]; an error without class if the server failed
//     to do it.
//   - Since server 3.6.0.
func (s *TwoFactorService) ResetE2EKey(ctx context.Context, ref UserRef, callOpts ...CallOption) error {
	return exec(ctx, s.client, post("users.resetE2EKey").since("3.6.0").secondFactor().retried().ofSelfOr(ref), callOpts)
}
