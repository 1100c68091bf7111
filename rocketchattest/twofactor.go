package rocketchattest

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 as authenticator apps use it
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// totp is a user's authenticator app.
type totp struct {
	secret  string // base32
	enabled bool
	backup  []string
}

// emailCode is the code that was mailed last.
type emailCode struct {
	code     string
	expires  time.Time
	attempts int
}

// challenge is a pending second factor of a log-in outside the API, see twoFactorChallenges.verifyChallenge.
type challenge struct {
	user    *account
	expires time.Time
}

const (
	backupCodes      = 12
	challengeExpires = 10 * time.Minute
)

func newTOTPSecret() string { return random("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 32) }

// TOTPCode returns the code that an authenticator app with this base32 secret shows at the
// given time, by RFC 6238 with SHA-1, 30 seconds and 6 digits. It returns "" if the secret
// is not base32.
func TOTPCode(secret string, at time.Time) string {
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimRight(secret, "=")))
	if err != nil {
		return ""
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[offset:])&0x7fffffff%1_000_000)
}

func (db *database) checkTOTP(u *account, code string) bool {
	if u.totp == nil {
		return false
	}
	if i := slices.Index(u.totp.backup, code); i >= 0 {
		u.totp.backup = slices.Delete(u.totp.backup, i, i+1)
		return true
	}
	delta := db.integer("Accounts_TwoFactorAuthentication_MaxDelta")
	for i := -delta; i <= delta; i++ {
		if hmac.Equal([]byte(TOTPCode(u.totp.secret, db.now().Add(time.Duration(i)*30*time.Second))), []byte(code)) {
			return true
		}
	}
	return false
}

func newBackupCodes() []string {
	codes := make([]string, backupCodes)
	for i := range codes {
		codes[i] = random(alphabet, 8)
	}
	return codes
}

// factorMethods are the active ways of a second factor in the order the server prefers them.
func (db *database) factorMethods(u *account) []string {
	methods := []string{}
	if u.totp != nil && u.totp.enabled && db.enabled("Accounts_TwoFactorAuthentication_By_TOTP_Enabled") {
		methods = append(methods, "totp")
	}
	verified := slices.ContainsFunc(u.emails, func(e address) bool { return e.Verified })
	if !u.emailFactor.IsZero() && verified && db.enabled("Accounts_TwoFactorAuthentication_By_Email_Enabled") {
		methods = append(methods, "email")
	}
	return methods
}

// secondFactor is the check of routes that ask for a second factor.
func (c *call) secondFactor() error {
	if c.route.factor == noFactor || c.testMode() || c.knowsToken() && c.token.bypass {
		return nil
	}
	return c.challengeFactor(c.me, c.r.Header.Get("X-2fa-Code"), c.r.Header.Get("X-2fa-Method"), c.route.factor == factor)
}

// knowsToken reports whether the second factor depends on the token.
func (c *call) knowsToken() bool { return c.token != nil && !c.does(asksEveryToken) }

// client identifies where the call comes from: its address and user agent.
func (c *call) client() string { return c.address + " " + c.r.UserAgent() }

// remembered reports whether no second factor is needed for now: the caller gave one with
// this token from the same client, or was registered, less long ago than the setting
// Accounts_TwoFactorAuthentication_RememberFor says. Registration counts only without an
// authenticator app and mailed codes.
func (c *call) remembered() bool {
	keep := time.Duration(c.number("Accounts_TwoFactorAuthentication_RememberFor") * float64(time.Second))
	recent := func(at time.Time) bool { return c.now().Sub(at) < keep }
	return c.token.verifiedBy == c.client() && recent(c.token.verified) || len(c.factorMethods(c.me)) == 0 && recent(c.me.createdAt)
}

// challengeFactor asks for a second factor, or checks the code given, which may be
// remembered if the route allows that.
func (c *call) challengeFactor(u *account, code, wanted string, remember bool) error {
	remember = remember && c.knowsToken()
	method, methods := c.chooseFactor(u, wanted)
	if !c.enabled("Accounts_TwoFactorAuthentication_Enabled") || method == "" || remember && c.remembered() {
		return nil
	}
	details, mailed := c.factorDetails(u, method, methods)
	switch {
	case code == "":
		return coded("totp-required", "TOTP Required", details)
	case !mailed && c.checkFactor(u, method, code):
		if remember {
			c.token.verified, c.token.verifiedBy = c.now(), c.client()
		}
		return nil
	case method == "email" && c.usedUp(u.emailCode):
		return coded("totp-max-attempts", "TOTP Maximun Failed Attempts Reached", details)
	}
	return coded("totp-invalid", "TOTP Invalid", details)
}

// chooseFactor returns the requested method and the active ones. A method in the request is
// used even if it is not active, in which case no code is right.
func (db *database) chooseFactor(u *account, wanted string) (method string, active []string) {
	active = db.factorMethods(u)
	switch {
	case wanted == "totp" || wanted == "email":
		return wanted, active
	case len(active) > 0:
		return active[0], active
	case u.passwordHash != "" && db.enabled("Accounts_TwoFactorAuthentication_Enforce_Password_Fallback"):
		return "password", active
	}
	return "", active
}

// factorDetails returns the requested method. For email it sends a code, unless an
// earlier one is still valid.
func (c *call) factorDetails(u *account, method string, methods []string) (d fields, mailed bool) {
	d = fields{"method": method, "codeGenerated": false, "availableMethods": methods}
	if method != "email" {
		return d, false
	}
	verified := slices.IndexFunc(u.emails, func(e address) bool { return e.Verified })
	switch {
	case c.route.op == "login" || c.does(codeForUsername):
		d["emailOrUsername"] = u.username
	case verified >= 0:
		d["emailOrUsername"] = u.emails[verified].Address
	}
	if code := u.emailCode; code != nil && !c.now().After(code.expires) && !c.usedUp(code) {
		d["codeExpires"] = stamp{code.expires}
		return d, false
	}
	c.mailCode(u)
	d["codeGenerated"] = true
	return d, true
}

// usedUp reports whether too many wrong codes were given for the mailed one.
func (db *database) usedUp(code *emailCode) bool {
	return code != nil && code.attempts >= db.integer("Accounts_TwoFactorAuthentication_Max_Invalid_Email_Code_Attempts")
}

func (c *call) checkFactor(u *account, method, code string) bool {
	switch active := slices.Contains(c.factorMethods(u), method); method {
	case "totp":
		return active && c.checkTOTP(u, code)
	case "email":
		return active && c.checkEmailCode(u, code)
	}
	return hmac.Equal([]byte(strings.ToLower(code)), []byte(u.passwordHash))
}

// checkEmailCode compares the digits: a code works with and without the dash of the mail, and once.
func (c *call) checkEmailCode(u *account, code string) bool {
	e := u.emailCode
	if e == nil || c.now().After(e.expires) {
		return false
	}
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, code)
	if !hmac.Equal([]byte(digits), []byte(e.code)) {
		e.attempts++
		return false
	}
	u.emailCode = nil
	return true
}

// mailCode sends a code to all verified addresses of a user.
func (db *database) mailCode(u *account) {
	life := time.Duration(db.integer("Accounts_TwoFactorAuthentication_By_Email_Code_Expiration")) * time.Second
	u.emailCode = &emailCode{code: random("0123456789", 6), expires: db.now().Add(life)}
	for _, e := range u.emails {
		if e.Verified {
			db.mail(Mail{To: e.Address, Kind: MailSecondFactor, UserID: u.id, Code: u.emailCode.code})
		}
	}
}

// optIn turns on mailed codes for a new user if the settings say so.
func (db *database) optIn(u *account) {
	const factor = "Accounts_TwoFactorAuthentication_"
	if db.enabled(factor+"Enabled") && db.enabled(factor+"By_Email_Enabled") && db.enabled(factor+"By_Email_Auto_Opt_In") {
		u.emailFactor = u.createdAt
	}
}

// enableEmailFactor is users.2fa.enableEmail.
func (c *call) enableEmailFactor() (any, error) {
	if !slices.ContainsFunc(c.me.emails, func(e address) bool { return e.Verified }) {
		return nil, coded("error-invalid-user", "You need to verify your emails before setting up 2FA", nil)
	}
	c.me.emailFactor = c.now()
	c.touch(c.me)
	c.endOtherSessions()
	return nil, nil
}

// endOtherSessions drops the caller's other login tokens. It does nothing for callers with an OAuth token.
func (c *call) endOtherSessions() {
	if c.token != nil {
		c.dropTokens(c.me, func(t *token) bool { return t != c.token && !t.personal() })
	}
}

// disableEmailFactor is users.2fa.disableEmail.
func (c *call) disableEmailFactor() (any, error) {
	c.me.emailFactor = time.Time{}
	c.touch(c.me)
	return nil, nil
}

// sendEmailCode is users.2fa.sendEmailCode: the same answer whether or not there is such a user.
func (c *call) sendEmailCode() (any, error) {
	name := c.body.str("emailOrUsername")
	if name == "" {
		return nil, coded("error-parameter-required", "emailOrUsername is required", nil)
	}
	u := c.me
	if u == nil {
		u = c.userByName(name)
		if strings.Contains(name, "@") {
			u = c.userByEmail(name)
		}
	}
	if u != nil {
		c.mailCode(u)
	}
	return nil, nil
}

// enableTOTP is users.enableTotp.
func (c *call) enableTOTP() (any, error) {
	if c.me.totp != nil && c.me.totp.enabled {
		return nil, coded("error-2fa-already-enabled", "", nil)
	}
	c.me.totp = &totp{secret: newTOTPSecret()}
	return fields{
		"secret": c.me.totp.secret,
		"url":    "otpauth://totp/" + url.PathEscape("Rocket.Chat:"+c.me.username) + "?secret=" + c.me.totp.secret,
	}, nil
}

// validateTOTP is users.validateTotp.
func (c *call) validateTOTP() (any, error) { return c.confirmTOTP(c.body.str("code")) }

// confirmTOTP switches the authenticator app on that enableTOTP prepared. The other sessions end.
func (c *call) confirmTOTP(code string) (any, error) {
	if c.me.totp == nil || !c.checkTOTP(c.me, code) {
		return nil, coded("invalid-totp", "", nil)
	}
	c.me.totp.enabled, c.me.totp.backup = true, newBackupCodes()
	c.endOtherSessions()
	return fields{"codes": c.me.totp.backup}, nil
}

// disableTOTP is users.disableTotp: a wrong code is a success that disabled nothing.
func (c *call) disableTOTP() (any, error) {
	return fields{"disabled": c.dropTOTP(c.body.str("code"))}, nil
}

// dropTOTP removes the caller's authenticator app if the code is right.
func (c *call) dropTOTP(code string) bool {
	right := c.checkTOTP(c.me, code)
	if right {
		c.me.totp = nil
	}
	return right
}

// regenerateTOTPCodes is users.regenerateTotpCodes.
func (c *call) regenerateTOTPCodes() (any, error) {
	codes := c.renewTOTPCodes(c.body.str("code"))
	if codes == nil {
		return nil, plain("invalid-totp")
	}
	return fields{"codes": codes}, nil
}

// renewTOTPCodes replaces the caller's backup codes if the code is right, and returns nil if it is not.
func (c *call) renewTOTPCodes(code string) []string {
	if !c.checkTOTP(c.me, code) {
		return nil
	}
	c.me.totp.backup = newBackupCodes()
	return c.me.totp.backup
}

// totpCodesRemaining is users.totpCodesRemaining.
func (c *call) totpCodesRemaining() (any, error) {
	left := 0
	if c.me.totp != nil {
		left = len(c.me.totp.backup)
	}
	return fields{"remaining": left}, nil
}

// resetTOTP is users.resetTOTP: the authenticator app and the sessions go, codes by email stay.
func (c *call) resetTOTP() (any, error) {
	u, err := c.me, error(nil)
	if c.namesUser() {
		switch {
		case !c.may("edit-other-user-totp"):
			return nil, coded("error-not-allowed", "Not allowed", nil)
		case !c.enabled("Accounts_TwoFactorAuthentication_Enabled"):
			return nil, coded("error-two-factor-not-enabled", "Two factor authentication is not enabled", nil)
		}
		if u, err = c.chosen(c.body); err != nil {
			return nil, err
		}
	}
	if u.totp != nil {
		u.totp = nil
		c.dropAllTokens(u)
	}
	if u != c.me && len(u.emails) > 0 {
		c.mail(Mail{To: u.emails[0].Address, Kind: MailFactorReset, UserID: u.id})
	}
	return nil, nil
}

// resetE2EKey is users.resetE2EKey: it ends all sessions of the user. The user is looked up
// before the permission is checked.
func (c *call) resetE2EKey() (any, error) {
	u, err := c.me, error(nil)
	if c.namesUser() {
		if u, err = c.chosen(c.body); err != nil {
			return nil, err
		}
		if !c.may("edit-other-user-e2ee") {
			return nil, coded("error-not-allowed", "Not allowed", nil)
		}
	}
	u.keys = nil
	c.dropAllTokens(u)
	return nil, nil
}

// namesUser reports whether the body has a key that names a user, whatever is in it.
func (c *call) namesUser() bool {
	return slices.ContainsFunc([]string{"userId", "username", "user"}, func(key string) bool { _, sent := c.body[key]; return sent })
}

// sendChallengeCode is twoFactorChallenges.sendEmailCode.
func (c *call) sendChallengeCode() (any, error) {
	ch, err := c.pendingChallenge()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(c.factorMethods(ch.user), "email") {
		return nil, typed("Invalid challenge method", "error-invalid-challenge-method", nil)
	}
	c.mailCode(ch.user)
	return nil, nil
}

// verifyChallenge is twoFactorChallenges.verifyChallenge.
func (c *call) verifyChallenge() (any, error) {
	ch, err := c.pendingChallenge()
	if err != nil {
		return nil, err
	}
	code := c.body.str("code")
	if !c.checkTOTP(ch.user, code) && !c.checkEmailCode(ch.user, code) {
		return nil, typed("Invalid code", "error-invalid-code", nil)
	}
	delete(c.challenges, c.body.str("challengeId"))
	return c.loginToken(ch.user), nil
}

func (c *call) pendingChallenge() (*challenge, error) {
	ch := c.challenges[c.body.str("challengeId")]
	switch {
	case ch == nil:
		return nil, typed("challenge not found", "error-challenge-not-found", nil)
	case c.now().After(ch.expires):
		return nil, typed("challenge expired", "error-challenge-expired", nil)
	}
	return ch, nil
}

func (c *call) loginToken(u *account) fields {
	return fields{"loginToken": c.addLoginToken(u).value, "userId": u.id}
}

// redeemLoginCode is loginCode.redeem: a code works once.
func (c *call) redeemLoginCode() (any, error) {
	code := c.body.str("code")
	u := c.users[c.loginCodes[code]]
	if u == nil {
		return nil, plain("error-invalid-code")
	}
	delete(c.loginCodes, code)
	return c.loginToken(u), nil
}
