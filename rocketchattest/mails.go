package rocketchattest

import (
	"cmp"
	"slices"
	"strings"
)

// MailKind is the kind of a mail.
type MailKind string

// The kinds of mails.
const (
	MailVerification   MailKind = "verification"
	MailPasswordReset  MailKind = "password-reset"
	MailPassword       MailKind = "password"
	MailWelcome        MailKind = "welcome"
	MailSecondFactor   MailKind = "second-factor"
	MailFactorReset    MailKind = "second-factor-reset"
	MailAddressChanged MailKind = "address-changed"
	MailInvitation     MailKind = "invitation"
)

// Mail is a mail that a real server would have sent.
type Mail struct {
	To     string
	Kind   MailKind
	UserID string
	// Code is the code or the generated password in the mail.
	Code string
	// Token is the token of the link in the mail.
	Token string
	// Text is the text of the mail. A code for the second factor has a dash in its middle,
	// and a token is the end of a link.
	Text string
}

// Mails returns all mails that a real server would have sent, in order.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

func (db *database) mail(m Mail) {
	m.Text = m.text(cmp.Or(strings.TrimSuffix(db.text("Site_Url"), "/"), "http://localhost:3000"))
	db.mails = append(db.mails, m)
}

func (m *Mail) text(site string) string {
	switch m.Kind {
	case MailVerification:
		return "To verify your account email, click the link below.\n" + site + "/verify-email/" + m.Token
	case MailPasswordReset:
		return "To reset your password, click the link below.\n" + site + "/reset-password/" + m.Token
	case MailPassword:
		return "Your password is: " + m.Code
	case MailSecondFactor:
		half := len(m.Code) / 2
		return "Your authentication code is: " + m.Code[:half] + "-" + m.Code[half:]
	case MailFactorReset:
		return "Your second factor has been reset. Please log in again."
	case MailAddressChanged:
		return "Your email address has been changed."
	case MailInvitation:
		return "You have been invited to " + site
	case MailWelcome:
	}
	return "Welcome to " + site
}

func (db *database) mailVerification(u *account, email string) {
	t := random(base64s, 43)
	u.verification = append(u.verification, verification{t, email})
	db.mail(Mail{To: email, Kind: MailVerification, UserID: u.id, Token: t})
}

// forgotPassword is users.forgotPassword: known and unknown addresses get the same answer.
func (c *call) forgotPassword() (any, error) {
	email := c.body.str("email")
	switch {
	case email == "":
		return nil, plain("The 'email' param is required")
	case !c.enabled("Accounts_PasswordReset"):
		return nil, plain("Password reset is not enabled")
	}
	if u := c.userByEmail(email); u != nil {
		c.mail(Mail{To: email, Kind: MailPasswordReset, UserID: u.id, Token: random(base64s, 43)})
	}
	return nil, nil
}

// sendWelcomeEmail is users.sendWelcomeEmail. It alone wants a mail server, which is the setting SMTP_Host.
func (c *call) sendWelcomeEmail() (any, error) {
	where := fields{"method": "sendWelcomeEmail"}
	email := c.body.str("email")
	u := c.userByEmail(email)
	switch {
	case c.text("SMTP_Host") == "":
		return nil, coded("error-email-send-failed", "SMTP is not configured", where)
	case u == nil:
		return nil, coded("error-invalid-user", "Invalid user", where)
	}
	c.mail(Mail{To: email, Kind: MailWelcome, UserID: u.id})
	return nil, nil
}

// sendConfirmationEmail is users.sendConfirmationEmail, which since 8.6 does not tell whether there is such an address.
func (c *call) sendConfirmationEmail() (any, error) {
	email := strings.TrimSpace(c.body.str("email"))
	u := c.userByEmail(email)
	if u == nil && !c.does(discreetMails) {
		return nil, plain("")
	}
	if u != nil {
		c.mailVerification(u, email)
	}
	return nil, nil
}

// verifyEmail is users.verifyEmail.
func (c *call) verifyEmail() (any, error) {
	wanted := c.body.str("token")
	u := c.findUser(func(u *account) bool {
		return slices.ContainsFunc(u.verification, func(v verification) bool { return v.token == wanted })
	})
	if u == nil {
		return nil, &failure{403, failed{Error: "Verify email link expired"}}
	}
	u.verification = slices.DeleteFunc(u.verification, func(v verification) bool {
		if v.token != wanted {
			return false
		}
		for i := range u.emails {
			u.emails[i].Verified = u.emails[i].Verified || u.emails[i].Address == v.address
		}
		return true
	})
	c.touch(u)
	return nil, nil
}
