package rocketchattest

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// createUser is users.create. The new user exists already when one of the later steps fails, as on a real server.
func (c *call) createUser() (any, error) {
	if name := c.body.str("name"); !validNameCharacters(name) {
		return nil, plain("Name contains invalid characters")
	}
	if c.body.has("customFields") {
		if err := c.checkCustomFields(c.body.object("customFields")); err != nil {
			return nil, err
		}
	}
	if c.body.str("freeSwitchExtension") != "" && !c.extensionsOn() {
		return nil, typed("Setting user voice call extension is not allowed", "error-action-not-allowed", nil)
	}
	if err := c.checkNewUser(c.body); err != nil {
		return nil, err
	}
	if extension := c.body.str("freeSwitchExtension"); extension != "" && c.extensionTaken(extension, nil) {
		return nil, typed("Extension is already assigned to another user", "error-extension-not-available", nil)
	}
	u := c.newUser()
	if err := c.insert(u); err != nil {
		return nil, err
	}
	u.begun, u.done = c.begun, c.ticks.Add(1)
	if c.body["joinDefaultChannels"] != false {
		c.joinDefaults(u)
	}
	if err := c.setProfileTexts(u, c.body); err != nil {
		return nil, err
	}
	if c.body.has("customFields") {
		if err := c.saveCustomFields(u, c.body.object("customFields")); err != nil {
			return nil, err
		}
	}
	c.greet(u)
	if err := c.activateFrom(u.id, c.body, false); err != nil {
		return nil, err
	}
	return fields{"user": c.stored(u, c.me)}, nil
}

func (c *call) newUser() *account {
	now := c.now()
	u := &account{
		username: strings.TrimSpace(c.body.str("username")), name: c.body.str("name"), blankName: true, kind: "user", active: true, createdAt: now, updatedAt: now,
		emails: []address{{c.body.str("email"), c.body.flag("verified")}}, status: "offline", hasSettings: true,
		roles: c.body.strings("roles"), passwordHash: digest(c.body.str("password")), extension: c.body.str("freeSwitchExtension"),
	}
	if len(u.roles) == 0 {
		u.roles = c.csv("Accounts_Registration_Users_Default_Roles")
	}
	if c.body.flag("setRandomPassword") {
		c.setRandomPassword(u)
	}
	if c.body.has("requirePasswordChange") {
		u.passwordChange = new(c.body.flag("requirePasswordChange"))
	}
	c.optIn(u)
	return u
}

// setRandomPassword gives a user a random password, which is mailed and must be changed.
func (c *call) setRandomPassword(u *account) {
	password := random(alphabet, 20)
	u.passwordHash, u.passwordChange = digest(password), new(true)
	if len(u.emails) > 0 {
		c.mail(Mail{To: u.emails[0].Address, Kind: MailPassword, UserID: u.id, Code: password})
	}
}

func (c *call) greet(u *account) {
	if c.body.flag("sendWelcomeEmail") {
		c.mail(Mail{To: u.emails[0].Address, Kind: MailWelcome, UserID: u.id})
	}
}

func insertFailed(code, text string, more fields) error {
	more["method"] = "insertOrUpdateUser"
	return coded(code, text, more)
}

// checkNewUser checks the values of a new user.
func (c *call) checkNewUser(o object) error {
	username, email := o.str("username"), o.str("email")
	if !c.may("create-user") {
		return insertFailed("error-action-not-allowed", "Adding user is not allowed", fields{"action": "Adding_user"})
	}
	if err := c.checkRoles(o); err != nil {
		return err
	}
	required := func(field string) error {
		return insertFailed("error-the-field-is-required", "The field "+field+" is required", fields{"field": field})
	}
	inUse := func(value string) error {
		return insertFailed("error-field-unavailable", escaped(value)+" is already in use :(", fields{"field": value})
	}
	switch {
	case strings.TrimSpace(o.str("name")) == "" && c.enabled("Accounts_RequireNameForSignUp"):
		return required("Name")
	case strings.TrimSpace(username) == "":
		return required("Username")
	case !c.validUsername(username):
		return insertFailed("error-input-is-not-a-valid-field", escaped(username)+" is not a valid username", fields{"input": username, "field": "Username"})
	case o.str("password") == "" && !o.flag("setRandomPassword"):
		return required("Password")
	case c.blockedUsername(username):
		return blockedUsername(username)
	case c.usernameTaken(username):
		return cmp.Or(c.lostRace("Username", c.userByName(username)), inUse(username))
	case email != "" && c.userByEmail(email) != nil:
		return cmp.Or(c.lostRace("Email", c.userByEmail(email)), inUse(email))
	}
	return c.checkEmail(email)
}

// lostRace is the error of the framework when two calls create the same user at the same
// time: both have found the name and address free, and one is too late. The error depends
// on how close they were.
func (c *call) lostRace(what string, winner *account) error {
	if winner == nil || c.arrived > winner.done {
		return nil
	}
	text := what + " already exists."
	if c.arrived > winner.begun {
		text = "Something went wrong. Please check your credentials."
	}
	return &failure{http.StatusBadRequest, fields{"success": false, "error": text + " [403]", "errorType": http.StatusForbidden}}
}

// checkRoles refuses unknown roles, and the administrator's unless the caller may give it.
func (c *call) checkRoles(o object) error {
	roles := o.strings("roles")
	switch {
	case c.unknownRole(roles):
		return insertFailed("error-action-not-allowed", "The field Roles consist invalid role id", fields{"action": "Assign_role"})
	case slices.Contains(roles, "admin") && !c.may("assign-admin-role"):
		return insertFailed("error-action-not-allowed", "Assigning admin is not allowed", fields{"action": "Assign_admin"})
	}
	return nil
}

// register is users.register.
func (c *call) register() (any, error) {
	username, email := strings.TrimSpace(c.body.str("username")), c.body.str("email")
	stored := strings.ToLower(strings.TrimSpace(email))
	switch {
	case c.me != nil && !c.does(registersCallers):
		return nil, plain("Logged in users can not register again.")
	case !validNameCharacters(c.body.str("name")):
		return nil, plain("Name contains invalid characters")
	case !c.validUsername(username):
		return nil, plain("The username provided is not valid")
	case c.blockedUsername(username):
		return nil, blockedUsername(username)
	case c.usernameTaken(username):
		return nil, plain("Username is already in use")
	case c.userByEmail(email) != nil:
		return nil, plain("Email already exists")
	}
	if c.body.has("customFields") {
		if err := c.checkCustomFields(c.body.object("customFields")); err != nil {
			return nil, serialised(err)
		}
	}
	if err := c.mayRegister(email); err != nil {
		return nil, err
	}
	now, approved := c.now(), !c.enabled("Accounts_ManuallyApproveNewUsers")
	u := &account{
		username: username, name: strings.TrimSpace(c.body.str("name")), kind: "user", active: approved, createdAt: now, updatedAt: now, status: "offline",
		emails: []address{{Address: stored}}, roles: c.csv("Accounts_Registration_Users_Default_Roles"), passwordHash: digest(c.body.str("pass")),
	}
	if !approved {
		u.inactiveReason, u.reason = "pending_approval", strings.TrimSpace(c.body.str("reason"))
	}
	c.optIn(u)
	if err := c.insert(u); err != nil {
		return nil, plain("Error creating user")
	}
	c.joinDefaults(u)
	registered := c.stored(u, nil) // without the custom fields, which are saved after it was read
	if c.body.has("customFields") {
		if err := c.saveCustomFields(u, c.body.object("customFields")); err != nil {
			return nil, err
		}
	}
	c.mailVerification(u, stored)
	return fields{"user": registered}, nil
}

// mayRegister applies the registration settings, the check of the password and of the address.
func (c *call) mayRegister(email string) error {
	where := fields{"method": "registerUser"}
	form, secret := c.text("Accounts_RegistrationForm"), c.body.str("secret")
	name, named := c.body["name"]
	reason, reasoned := c.body["reason"]
	switch {
	case reasoned && reason == nil:
		return noMatch("string", "null", "reason")
	case !named:
		return plain("Match error: Missing key 'name'")
	case name == nil:
		return noMatch("string", "null", "name")
	case form == "Disabled":
		return coded("error-user-registration-disabled", "User registration is disabled", where)
	case form == "Secret URL" && !c.lets(secret):
		return coded("error-user-registration-secret", "User registration is only allowed via Secret URL", where)
	}
	if err := c.checkPassword(c.body.str("pass")); err != nil {
		return err
	}
	return c.checkEmail(email)
}

// lets reports whether a secret, that of the server or an invite, allows registration.
func (c *call) lets(secret string) bool {
	if secret != "" && secret == c.text("Accounts_RegistrationForm_SecretURL") {
		return true
	}
	_, err := c.goodInvite(secret)
	return err == nil
}

// serialised is the odd body that users.register alone has for bad custom fields: the error object itself.
func serialised(err error) error {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return err
	}
	refused, _ := f.body.(failed)
	return &failure{f.status, fields{
		"isClientSafe": true, "error": refused.ErrorType, "reason": strings.TrimSuffix(refused.Error, " ["+refused.ErrorType+"]"),
		"details": refused.Details, "message": refused.Error, "errorType": "Meteor.Error", "success": false,
	}}
}
