package rocketchat

import "context"

// to adds the address that a mail goes to.
func (e endpoint) to(email string) endpoint {
	return e.require(email != "", "email", "must not be empty").json(struct {
		Email string `json:"email"`
	}{email})
}

// ForgotPassword mails the user with the address a link to set a new password. It succeeds
// for unknown addresses, too.
//
//   - POST /api/v1/users.forgotPassword.
//   - Permission: none. No credentials are sent.
//   - Second factor: not asked for.
//   - Not retried if the response is lost: it would send a second mail.
//   - Errors: [ErrForbidden] if the setting Accounts_PasswordReset is off.
//   - Since server 0.64.0.
func (s *UsersService) ForgotPassword(ctx context.Context, email string, callOpts ...CallOption) error {
	return exec(ctx, s.client, post("users.forgotPassword").since("0.64.0").public().to(email), callOpts)
}

// SendWelcomeEmail mails the user with the address the welcome that new users get.
//
//   - POST /api/v1/users.sendWelcomeEmail.
//   - Permission: send-mail.
//   - Second factor: not asked for.
//   - Not retried if the response is lost: it would send a second mail.
//   - Errors: [ErrForbidden], [ErrNotFound], [ErrEndpointUnknown]; [CodeEmailSendFailed] if
//     the server cannot send mails.
//   - Since server 6.8.0.
func (s *UsersService) SendWelcomeEmail(ctx context.Context, email string, callOpts ...CallOption) error {
	return exec(ctx, s.client, post("users.sendWelcomeEmail").since("6.8.0").to(email), callOpts)
}

// SendConfirmationEmail mails the user with the address a link to confirm it. Servers since
// 8.6 succeed whether or not a mail was sent; older ones fail, without a code, if none was.
// Servers before 8.6 require credentials. Servers since 8.2 accept one call in 60 s.
//
//   - POST /api/v1/users.sendConfirmationEmail.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Not retried if the response is lost: it would send a second mail.
//   - Errors: [ErrUnauthorized].
//   - In all server versions.
func (s *UsersService) SendConfirmationEmail(ctx context.Context, email string, callOpts ...CallOption) error {
	return exec(ctx, s.client, post("users.sendConfirmationEmail").open().to(email), callOpts)
}

// VerifyEmail confirms an address with the token of the mailed link.
//
//   - POST /api/v1/users.verifyEmail.
//   - Permission: none. No credentials are sent.
//   - Second factor: not asked for.
//   - Not retried if the response is lost: the token works once.
//   - Errors: [ErrInvalid] for a wrong or expired token; [ErrEndpointUnknown].
//   - Since server 8.7.0.
func (s *UsersService) VerifyEmail(ctx context.Context, token Secret, callOpts ...CallOption) error {
	e := post("users.verifyEmail").public().since("8.7.0").require(!token.IsZero(), "token", "must not be empty").json(struct {
		Token Secret `json:"token"`
	}{token})
	return exec(ctx, s.client, e, callOpts)
}
