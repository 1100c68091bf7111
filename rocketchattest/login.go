package rocketchattest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// refusedLogin is the 401 of login, which has an envelope of its own.
func (c *call) refusedLogin(code any, message string, d fields) error {
	body := fields{"status": "error", "error": code, "message": message}
	if c.does(newRouter) {
		body["success"] = false
	}
	if d != nil {
		body["details"] = d
	}
	return &failure{http.StatusUnauthorized, body}
}

func (c *call) unauthorizedLogin() error { return c.refusedLogin("Unauthorized", "Unauthorized", nil) }

// login is login, by password or by a valid token.
func (c *call) login() (any, error) {
	if resume, sent := c.body["resume"]; sent && truthy(resume) {
		return c.resume(resume)
	}
	form, err := c.loginForm()
	if err != nil {
		return nil, err
	}
	if form == nil {
		return nil, c.unauthorizedLogin()
	}
	u, from := c.loginUser(form), attempt{c.address, form.username}
	if err := c.blockedLogin(from); err != nil {
		c.failedLogin(from)
		return nil, err
	}
	if u == nil || u.passwordHash == "" || form.password != u.passwordHash {
		c.failedLogin(from)
		return nil, c.unauthorizedLogin()
	}
	if err := c.mayLogin(u); err != nil {
		return nil, err
	}
	if err := c.loginFactor(u, form.code); err != nil {
		return nil, err
	}
	c.succeededLogin(from, u)
	return c.loggedIn(u, c.addLoginToken(u))
}

// loginForm is the content of a log-in: the user and the SHA-256 of the password, in one of
// the accepted forms.
type loginForm struct {
	id, username, email string
	password            string
	code                string
}

// errLoginForm is a body that the framework's own check refuses, which servers answer like a crash.
var errLoginForm = errors.New("no form of a log-in")

// loginForm reads the body; nil when it does not try to log in by password at all.
func (c *call) loginForm() (*loginForm, error) {
	o := c.body
	if o["ldap"] == true && o.has("ldapOptions") { // without LDAP the password is the local one
		o = object{"user": o["username"], "password": o["ldapPass"]}
	}
	if c.noJSON || truthy(o["serviceName"]) && truthy(o["accessToken"]) {
		return nil, errLoginForm
	}
	if !truthy(o["password"]) {
		return nil, nil
	}
	for key := range o {
		if !slices.Contains([]string{"user", "username", "email", "password", "code"}, key) {
			return nil, errLoginForm
		}
	}
	form := &loginForm{code: c.r.Header.Get("X-2fa-Code")}
	if code, _ := o.asText("code"); truthy(o["code"]) {
		form.code = code
	}
	if !form.name(o) || !form.secret(o["password"]) {
		return nil, errLoginForm
	}
	return form, nil
}

// name reads who logs in.
func (f *loginForm) name(o object) bool {
	key, value := "username", o["user"]
	switch user := value.(type) {
	case string:
		if strings.Contains(user, "@") {
			key = "email"
		}
	default:
		switch {
		case truthy(o["username"]):
			value = o["username"]
		case truthy(o["email"]):
			key, value = "email", o["email"]
		default:
			f.code = "" // only the other forms take a code along
			by := o.object("user")
			if len(by) != 1 {
				return false
			}
			for key = range by {
				value = by[key]
			}
		}
	}
	name, _ := value.(string)
	switch key {
	case "id":
		f.id = name
	case "username":
		f.username = name
	case "email":
		f.email = name
	default:
		return false
	}
	return name != ""
}

const longestPassword = 256

// secret reads the password: plain, or as a digest.
func (f *loginForm) secret(value any) bool {
	switch v := value.(type) {
	case string:
		f.password = digest(v)
		return utf8.RuneCountInString(v) <= longestPassword
	case map[string]any:
		f.password = object(v).str("digest")
		return len(v) == 2 && v["algorithm"] == "sha-256" && len(f.password) == hex.EncodedLen(sha256.Size)
	}
	return false
}

func (c *call) loggedIn(u *account, t *token) (any, error) {
	u.lastLogin = c.now()
	c.touch(u)
	answer := fields{"status": "success", "data": fields{"userId": u.id, "authToken": t.value, "me": c.own(u)}}
	if c.does(newRouter) {
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

// resume logs in by a token. It alone looks at the date of the token.
func (c *call) resume(value any) (any, error) {
	s, ok := value.(string)
	if !ok {
		return nil, errLoginForm
	}
	t := c.byToken[s]
	if t == nil || c.expired(t) {
		return nil, c.unauthorizedLogin()
	}
	if err := c.mayLogin(t.user); err != nil {
		return nil, err
	}
	return c.loggedIn(t.user, t)
}

// loginUser is the account a login names, nil when there is none.
func (c *call) loginUser(form *loginForm) *account {
	switch {
	case form.id != "":
		return c.users[form.id]
	case form.username != "":
		return c.userByName(form.username)
	}
	return c.userByEmail(form.email)
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
		return c.refusedLogin("error-invalid-email", "Invalid email __email__", nil)
	}
	return nil
}

// loginFactor asks for a second factor at login, where the password does not count as one.
func (c *call) loginFactor(u *account, code string) error {
	if len(c.factorMethods(u)) == 0 || c.testMode() {
		return nil
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
