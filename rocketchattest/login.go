package rocketchattest

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// refusedLogin is the 401 of login, which has an envelope of its own.
func (c *call) refusedLogin(code any, message string, d fields) error {
	body := fields{"status": "error", "error": code, "message": message}
	if c.version.atLeast(7, 4) {
		body["success"] = false
	}
	if d != nil {
		body["details"] = d
	}
	return &failure{http.StatusUnauthorized, body}
}

func (c *call) unauthorizedLogin() error { return c.refusedLogin("Unauthorized", "Unauthorized", nil) }

// login is login, by password or by a token that is still good.
func (c *call) login() (any, error) {
	if resume := c.body.str("resume"); resume != "" {
		return c.resume(resume)
	}
	u := c.loginUser()
	if err := c.blockedLogin(u); err != nil {
		return nil, err
	}
	if u == nil || u.passwordHash == "" || c.givenPassword() != u.passwordHash {
		c.failedLogin(u)
		return nil, c.unauthorizedLogin()
	}
	if err := c.mayLogin(u); err != nil {
		return nil, err
	}
	if err := c.loginFactor(u); err != nil {
		return nil, err
	}
	u.logins = failedLogins{}
	delete(c.addresses, c.address)
	return c.loggedIn(u, c.addLoginToken(u))
}

func (c *call) loggedIn(u *account, t *token) (any, error) {
	u.lastLogin = c.now()
	c.touch(u)
	answer := fields{"status": "success", "data": fields{"userId": u.id, "authToken": t.value, "me": c.own(u)}}
	if c.version.atLeast(7, 4) {
		return answer, nil
	}
	return c.withoutSuccess(answer)
}

// withoutSuccess is an answer of the old router, which knows no success key.
func (c *call) withoutSuccess(answer fields) (any, error) {
	body, err := succeed(answer)
	if err != nil {
		return nil, err
	}
	return jsonAnswer(http.StatusOK, []byte(strings.TrimSuffix(string(body), `,"success":true}`)+"}")), nil
}

func (c *call) resume(value string) (any, error) {
	t := c.byToken[value]
	switch {
	case t == nil:
		return nil, c.refusedLogin(http.StatusForbidden, "You've been logged out by the server. Please log in again.", nil)
	case t.expired(c.now()):
		return nil, c.refusedLogin(http.StatusForbidden, "Your session has expired. Please log in again.", nil)
	}
	if err := c.mayLogin(t.user); err != nil {
		return nil, err
	}
	return c.loggedIn(t.user, t)
}

// loginUser is the account a login names in one of the accepted forms, nil when there is none.
func (c *call) loginUser() *account {
	name, email := c.body.str("username"), c.body.str("email")
	if user := c.body.str("user"); user != "" {
		name = user
		if strings.Contains(user, "@") {
			name, email = "", user
		}
	}
	if user := c.body.object("user"); user != nil {
		name, email = user.str("username"), user.str("email")
	}
	if name != "" {
		return c.userByName(name)
	}
	return c.userByEmail(email)
}

// givenPassword is the SHA-256 of the password in the body, whichever way it was sent.
func (c *call) givenPassword() string {
	if p := c.body.object("password"); p != nil {
		return strings.ToLower(p.str("digest"))
	}
	return digest(c.body.str("password"))
}

func (c *call) mayLogin(u *account) error {
	where := fields{"function": "Accounts.validateLoginAttempt"}
	verified := slices.ContainsFunc(u.emails, func(e address) bool { return e.Verified })
	switch {
	case u.kind == "app":
		return c.refusedLogin("error-app-user-is-not-allowed-to-login", "App user is not allowed to login", where)
	case !u.active:
		return c.refusedLogin("error-user-is-not-activated", "User is not activated", where)
	case len(u.emails) > 0 && !verified && c.enabled("Accounts_EmailVerification"):
		return c.refusedLogin("error-invalid-email", "Invalid email "+u.emails[0].Address, where)
	}
	return nil
}

// loginFactor asks for a second factor at login; the password alone is none here.
func (c *call) loginFactor(u *account) error {
	if len(c.factorMethods(u)) == 0 {
		return nil
	}
	code := c.body.str("code")
	if code == "" {
		code = c.r.Header.Get("X-2fa-Code")
	}
	err := c.challengeFactor(u, code, c.r.Header.Get("X-2fa-Method"), false)
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	refused, ok := f.body.(failed)
	if !ok {
		return err
	}
	d, _ := refused.Details.(fields)
	return c.refusedLogin(refused.ErrorType, strings.TrimSuffix(refused.Error, " ["+refused.ErrorType+"]"), d)
}

const blockedLogins = "Block_Multiple_Failed_Logins_"

// blockedLogin refuses a log-in after too many failed ones from the address or of the user, with the right password too.
func (c *call) blockedLogin(u *account) error {
	if !c.enabled(blockedLogins + "Enabled") {
		return nil
	}
	where := fields{"function": "Accounts.validateLoginAttempt"}
	if f := c.addresses[c.address]; f != nil && c.enabled(blockedLogins+"By_Ip") && c.blocked(f, "Attempts_Until_Block_By_Ip", "Time_To_Unblock_By_Ip_In_Minutes") {
		return c.refusedLogin("error-login-blocked-for-ip", "Login has been temporarily blocked For IP", where)
	}
	if u != nil && c.enabled(blockedLogins+"By_User") && c.blocked(&u.logins, "Attempts_Until_Block_by_User", "Time_To_Unblock_By_User_In_Minutes") {
		return c.refusedLogin("error-login-blocked-for-user", "Login has been temporarily blocked For User", where)
	}
	return nil
}

func (c *call) blocked(f *failedLogins, attempts, minutes string) bool {
	pause := time.Duration(c.integer(blockedLogins+minutes)) * time.Minute
	if f.count > 0 && c.now().Sub(f.last) > pause {
		*f = failedLogins{}
	}
	return f.count >= c.integer(blockedLogins+attempts)
}

func (c *call) failedLogin(u *account) {
	if c.addresses[c.address] == nil {
		c.addresses[c.address] = &failedLogins{}
	}
	failures := []*failedLogins{c.addresses[c.address]}
	if u != nil {
		failures = append(failures, &u.logins)
	}
	for _, f := range failures {
		f.count++
		f.last = c.now()
	}
}
