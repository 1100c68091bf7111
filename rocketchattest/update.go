package rocketchattest

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	bioLimit        = 260
	nicknameLimit   = 120
	statusTextLimit = 120
)

// updateUser is users.update. The steps are saved one after the other: one that fails leaves the earlier ones done.
func (c *call) updateUser() (any, error) {
	id, data := c.body.str("userId"), c.body.object("data")
	if !validNameCharacters(data.str("name")) {
		return nil, plain("Name contains invalid characters")
	}
	if err := c.mayUpdate(id, data); err != nil {
		return nil, err
	}
	u := c.users[id]
	if err := c.saveUser(u, data); err != nil {
		return nil, err
	}
	if data.has("customFields") {
		values := data.object("customFields")
		if err := c.checkCustomFields(values); err != nil {
			return nil, err
		}
		c.setCustomFields(u, values)
	}
	if err := c.activateFrom(id, data, c.body.flag("confirmRelinquish")); err != nil {
		return nil, err
	}
	return fields{"user": c.stored(u, c.me)}, nil
}

// mayUpdate checks the permissions for the user and for each field that would change.
func (c *call) mayUpdate(id string, data object) error {
	self, u := id == c.me.id, c.users[id]
	refuse := func(text, action string) error {
		return insertFailed("error-action-not-allowed", text, fields{"action": action})
	}
	switch {
	case u != nil && u.federated:
		return coded("Edit_Federated_User_Not_Allowed", "Not possible to edit a federated user", nil)
	case self && data.flag("verified"):
		return refuse("Editing email verification is not allowed", "Editing_user")
	case !self && !c.may("edit-other-user-info"):
		return refuse("Editing user is not allowed", "Editing_user")
	}
	if err := c.checkRoles(data); err != nil {
		return err
	}
	if username := data.str("username"); username != "" && !c.validUsername(username) {
		return insertFailed("error-input-is-not-a-valid-field", escaped(username)+" is not a valid username", fields{"input": username, "field": "Username"})
	}
	if u == nil {
		return coded("error-user-not-found", "User not found", fields{"method": "saveUser"})
	}
	if roles, sent := data["roles"]; sent && roles == nil {
		return plain("Cannot read properties of null (reading 'some')")
	}
	if data.has("roles") && !sameRoles(u.roles, data.strings("roles")) && !c.may("assign-roles") {
		return refuse("Assign roles is not allowed", "Assign_role")
	}
	if extension := data.str("freeSwitchExtension"); extension != "" && extension != u.extension {
		if !c.extensionsOn() {
			return refuse("Edit user voice call extension is not allowed", "Update_user")
		}
		if c.extensionTaken(extension, u) {
			return coded("error-extension-not-available", "Extension is already assigned to another user", nil)
		}
	}
	return c.mayEdit(u, data)
}

// extensionsOn reports whether users may have voice extensions.
func (db *database) extensionsOn() bool {
	if db.does(extensionsOverSIP) {
		return db.enabled("VoIP_TeamCollab_SIP_Integration_Enabled")
	}
	return db.enabled("VoIP_TeamCollab_Enabled")
}

func (db *database) extensionTaken(extension string, by *account) bool {
	return db.findUser(func(u *account) bool { return u != by && u.extension == extension }) != nil
}

func sameRoles(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// mayEdit applies the settings that forbid changes to the caller's own account and to
// callers without the permission.
func (c *call) mayEdit(u *account, data object) error {
	refuse := func(what string) error {
		return insertFailed("error-action-not-allowed", "Edit "+what+" is not allowed", fields{"action": "Update_user"})
	}
	exempt := c.may("edit-other-user-info") && u != c.me
	changes := func(key, stored string) bool { return data.has(key) && data.str(key) != stored }
	email, status := "", ""
	if len(u.emails) > 0 {
		email = u.emails[0].Address
	}
	if u.statusText != nil {
		status = *u.statusText
	}
	switch {
	case !c.enabled("Accounts_AllowUserProfileChange") && !c.may("edit-other-user-info") && !c.may("edit-other-user-password"):
		return refuse("user profile")
	case changes("username", u.username) && !exempt && !c.enabled("Accounts_AllowUsernameChange"):
		return refuse("username")
	case changes("statusText", status) && !exempt && !c.enabled("Accounts_AllowUserStatusMessageChange"):
		return refuse("user status")
	case changes("name", u.name) && !exempt && !c.enabled("Accounts_AllowRealNameChange"):
		return refuse("user real name")
	case email != "" && changes("email", email) && !exempt && !c.enabled("Accounts_AllowEmailChange"):
		return refuse("user email")
	case (data.str("password") != "" || data.str("newPassword") != "") && !c.enabled("Accounts_AllowPasswordChange") &&
		(!c.may("edit-other-user-password") || u == c.me):
		return refuse("user password")
	}
	return nil
}

// saveUser stores the fields of users.update. Like real servers, it clears bio and nickname
// if they are missing.
func (c *call) saveUser(u *account, data object) error {
	if err := c.saveIdentity(u, data, "saveUser"); err != nil {
		return err
	}
	if data.has("statusText") {
		if err := c.setStatusText(u, data.str("statusText")); err != nil {
			return err
		}
	}
	if email := data.str("email"); email != "" {
		if err := c.setEmail(u, email, data.flag("verified")); err != nil {
			return err
		}
	}
	if err := c.savePassword(u, data); err != nil {
		return err
	}
	if err := c.setProfileTexts(u, data); err != nil {
		return err
	}
	if data.has("roles") {
		u.roles = data.strings("roles")
	}
	saveFlags(u, data)
	if data.flag("sendWelcomeEmail") && len(u.emails) > 0 {
		c.mail(Mail{To: u.emails[0].Address, Kind: MailWelcome, UserID: u.id})
	}
	c.touch(u)
	return nil
}

// savePassword stores a given or a random password. Without the permission it silently does
// nothing.
func (c *call) savePassword(u *account, data object) error {
	random := data.flag("setRandomPassword")
	if random {
		u.passwordChange = new(true)
	}
	password := strings.TrimSpace(data.str("password"))
	switch {
	case !c.may("edit-other-user-password"):
		return nil
	case random:
		c.setRandomPassword(u)
	case password == "":
		return nil
	default:
		if err := c.checkPassword(password); err != nil {
			return err
		}
		u.passwordHash = digest(password)
	}
	c.dropAllTokens(u)
	return nil
}

func saveFlags(u *account, data object) {
	if data.has("requirePasswordChange") && !data.flag("setRandomPassword") {
		u.passwordChange = new(data.flag("requirePasswordChange"))
		if !*u.passwordChange {
			u.passwordChangeReason = ""
		}
	}
	if data.has("verified") && len(u.emails) > 0 && data.str("email") == "" {
		u.emails[0].Verified = data.flag("verified")
	}
	if extension, sent := data["freeSwitchExtension"]; sent {
		u.extension, _ = extension.(string)
	}
}

// saveIdentity stores username and name. All errors have the same text. A null becomes the
// string "null".
func (c *call) saveIdentity(u *account, data object, method string) error {
	refused := coded("error-could-not-save-identity", "Could not save user identity", fields{"method": method})
	if username, sent := data.asText("username"); sent && username != u.username {
		if !c.validUsername(username) || c.blockedUsername(username) ||
			!strings.EqualFold(username, u.username) && c.usernameTaken(username) {
			return refused
		}
		c.reindex(u, func() { u.username = username })
	}
	if name, sent := data.asText("name"); sent && name != u.name {
		if name == "" && c.enabled("Accounts_RequireNameForSignUp") {
			return refused
		}
		u.name, u.blankName = name, false
	}
	return nil
}

// setEmail makes an address the only one of a user, unverified unless said otherwise.
func (c *call) setEmail(u *account, email string, verified bool) error {
	email = strings.TrimSpace(email)
	if len(u.emails) > 0 && u.emails[0].Address == email {
		return nil
	}
	if err := c.hiddenLimit("email", u, 1); err != nil {
		return err
	}
	if err := c.checkEmail(email); err != nil {
		return err
	}
	if owner := c.userByEmail(email); owner != nil && owner != u {
		return coded("error-field-unavailable", email+" is already in use :(", fields{"function": "_setEmail", "field": email})
	}
	if len(u.emails) > 0 {
		c.mail(Mail{To: u.emails[0].Address, Kind: MailAddressChanged, UserID: u.id})
	}
	c.reindex(u, func() { u.emails = []address{{email, verified}} })
	if !verified {
		c.mailVerification(u, email)
	}
	return nil
}

// setStatusText stores a status message, trimmed and cut.
func (c *call) setStatusText(u *account, message string) error {
	if err := c.hiddenLimit("statusText", u, 5); err != nil {
		return err
	}
	message = strings.TrimSpace(message)
	if runes := []rune(message); len(runes) > statusTextLimit {
		message = string(runes[:statusTextLimit])
	}
	u.statusText = &message
	return nil
}

func checkTexts(bio, nickname string) error {
	where := fields{"method": "saveUserProfile"}
	switch {
	case utf8.RuneCountInString(bio) > bioLimit:
		return coded("error-bio-size-exceeded", "Bio size exceeds 260 characters", where)
	case utf8.RuneCountInString(nickname) > nicknameLimit:
		return coded("error-nickname-size-exceeded", "Nickname size exceeds 120 characters", where)
	}
	return nil
}

// setProfileTexts stores bio and nickname as sent, and nothing where they are missing or blank.
func (c *call) setProfileTexts(u *account, data object) error {
	bio, nickname := data.str("bio"), data.str("nickname")
	if err := checkTexts(bio, nickname); err != nil {
		return err
	}
	u.bio, u.nickname = "", ""
	if strings.TrimSpace(bio) != "" {
		u.bio = bio
	}
	if strings.TrimSpace(nickname) != "" {
		u.nickname = nickname
	}
	return nil
}

// getMe is me.
func (c *call) getMe() (any, error) { return c.own(c.me), nil }

// updateOwn is users.updateOwnBasicInfo.
func (c *call) updateOwn() (any, error) {
	data := c.body.object("data")
	if !validNameCharacters(data.str("name")) {
		return nil, plain("Name contains invalid characters")
	}
	if err := c.ownFactor(data); err != nil {
		return nil, err
	}
	if err := c.saveOwn(data); err != nil {
		return nil, err
	}
	if values := c.body.object("customFields"); len(values) > 0 {
		if err := c.checkCustomFields(values); err != nil {
			return nil, err
		}
		if err := c.saveCustomFields(c.me, values); err != nil {
			return nil, err
		}
	}
	p := c.me.full()
	p.ImportIDs, p.RolePriorities = nil, c.rolePriorities(c.me)
	p.Services = c.me.services()
	if c.does(calendarSettings) {
		p.Settings = fields{"profile": fields{}, "calendar": fields{}}
		c.decorate(&p, c.me)
	}
	return fields{"user": p}, nil
}

// ownFactor asks for a second factor when the address or the password is to change. The present password in the body is one.
func (c *call) ownFactor(data object) error {
	forced := c.me.passwordChange != nil && *c.me.passwordChange
	newEmail := data.str("email") != "" && len(c.me.emails) > 0
	newPassword := data.str("newPassword") != "" && !forced
	if !newEmail && !newPassword {
		return nil
	}
	code, method := c.r.Header.Get("X-2fa-Code"), c.r.Header.Get("X-2fa-Method")
	if current := data.str("currentPassword"); current != "" {
		code, method = current, "password"
	}
	return c.challengeFactor(c.me, code, method, false)
}

func (c *call) saveOwn(data object) error {
	where := fields{"method": "saveUserProfile"}
	if !c.enabled("Accounts_AllowUserProfileChange") {
		return coded("error-not-allowed", "Not allowed", where)
	}
	if err := c.mayEdit(c.me, data); err != nil {
		return err
	}
	if truthy(data["name"]) || truthy(data["username"]) {
		if err := c.saveIdentity(c.me, data, "saveUserProfile"); err != nil {
			return err
		}
	}
	if err := c.saveOwnStatus(data); err != nil {
		return err
	}
	if err := checkTexts(data.str("bio"), data.str("nickname")); err != nil {
		return err
	}
	if data.has("bio") {
		c.me.bio = strings.TrimSpace(data.str("bio"))
	}
	if data.has("nickname") {
		c.me.nickname = strings.TrimSpace(data.str("nickname"))
	}
	if email := data.str("email"); email != "" {
		if err := c.setEmail(c.me, email, false); err != nil {
			return err
		}
	}
	if password := data.str("newPassword"); password != "" && c.me.passwordHash != "" {
		if err := c.changePassword(password); err != nil {
			return err
		}
	}
	c.me.hasProfile = true
	c.touch(c.me)
	return nil
}

func (c *call) saveOwnStatus(data object) error {
	if data.has("statusText") {
		if err := c.setStatusText(c.me, data.str("statusText")); err != nil {
			return err
		}
	}
	if status := data.str("statusType"); status != "" {
		if status == "offline" && !c.enabled("Accounts_AllowInvisibleStatusOption") {
			return coded("error-status-not-allowed", "Invisible status is disabled", fields{"method": "setUserStatus"})
		}
		c.me.statusDefault = status // any word is stored
		if c.me.statusConnection == "" {
			c.me.statusConnection = "offline"
		}
		c.me.status = presence(c.me.statusConnection, status)
	}
	return nil
}

// changePassword gives the caller another password and ends all other sessions, personal access tokens included. A forced change is
// done with that since 8.0; 7.7 was seen to keep asking.
func (c *call) changePassword(password string) error {
	where := fields{"method": "saveUserProfile"}
	hash := digest(password)
	switch {
	case hash == c.me.passwordHash:
		return coded("error-password-same-as-current", "Entered password same as current password", where)
	case c.enabled("Accounts_Password_History_Enabled") && slices.Contains(c.me.history, hash):
		return coded("error-password-in-history", "Entered password has been previously used", where)
	}
	if err := c.checkPassword(password); err != nil {
		return err
	}
	c.me.history = append(c.me.history, c.me.passwordHash)
	if surplus := len(c.me.history) - c.integer("Accounts_Password_History_Amount"); surplus > 0 {
		c.me.history = c.me.history[surplus:]
	}
	c.me.passwordHash = hash
	if c.does(endsForcedChange) && c.me.passwordChange != nil && *c.me.passwordChange {
		c.me.passwordChange, c.me.passwordChangeReason = nil, ""
	}
	_, err := c.removeOtherTokens()
	return err
}
