package rocketchat

import "context"

// emailBody names an account by its address.
type emailBody struct {
	Email string `json:"email"`
}

// mail is a call that has a mail sent to an address.
func mail(op, email string) endpoint {
	return post(op).require(email != "", "email", "must not be empty")
}

// ForgotPassword mails the user with the address a link to set a new password. It
// succeeds for addresses that nobody has, too.
//
// POST /api/v1/users.forgotPassword. No credentials are needed. A lost answer is not
// repeated: another mail would go out. Errors: [ErrForbidden] while the setting
// Accounts_PasswordReset is off.
func (s *UsersService) ForgotPassword(ctx context.Context, email string, opts ...CallOption) error {
	return exec(ctx, s.client, mail("users.forgotPassword", email).since("0.64.0").public(), emailBody{email}, opts)
}

// SendWelcomeEmail mails the user with the address the welcome that new users get.
//
// POST /api/v1/users.sendWelcomeEmail, on a server 6.8 or newer. Permission send-mail.
// A lost answer is not repeated: another mail would go out. Errors: [ErrForbidden],
// [ErrNotFound], [ErrEndpointUnknown]; code error-email-send-failed where the server
// has no mail set up.
func (s *UsersService) SendWelcomeEmail(ctx context.Context, email string, opts ...CallOption) error {
	return exec(ctx, s.client, mail("users.sendWelcomeEmail", email).since("6.8.0"), emailBody{email}, opts)
}

// SendConfirmationEmail mails the user with the address a link that confirms it.
// Servers from 8.6 on succeed whether or not a mail went out; older ones fail, without
// a code, when none did.
//
// POST /api/v1/users.sendConfirmationEmail. No permission; servers before 8.6 need
// credentials. From 8.2 on a server takes 1 call in 60 s. A lost answer is not
// repeated: another mail would go out.
func (s *UsersService) SendConfirmationEmail(ctx context.Context, email string, opts ...CallOption) error {
	return exec(ctx, s.client, mail("users.sendConfirmationEmail", email).open(), emailBody{email}, opts)
}

// VerifyEmail confirms an address with the token of the link that was mailed.
//
// POST /api/v1/users.verifyEmail, on a server 8.7 or newer. No credentials are needed.
// A lost answer is not repeated: the token works once. Errors: [ErrInvalid] for a
// wrong or old token; [ErrEndpointUnknown].
func (s *UsersService) VerifyEmail(ctx context.Context, token Secret, opts ...CallOption) error {
	e := post("users.verifyEmail").public().since("8.7.0").require(!token.IsZero(), "token", "must not be empty")
	return exec(ctx, s.client, e, struct {
		Token Secret `json:"token"`
	}{token}, opts)
}
