package rocketchattest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// TestTOTPCode checks the values of RFC 6238, appendix B, cut to six digits.
func TestTOTPCode(t *testing.T) {
	t.Parallel()
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	for seconds, code := range map[int64]string{59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"} {
		assert.Equal(t, code, rocketchattest.TOTPCode(secret, time.Unix(seconds, 0)))
	}
	assert.Empty(t, rocketchattest.TOTPCode("not base32!", time.Unix(0, 0)))
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithSecondFactor(), rocketchattest.WithLimit(0, 0))
	withApp(w)
	withMailed(w)
	update := func(as, code, method string) int {
		res, _ := w.call(as, "POST users.update", `{"userId":"bruno","data":{"name":"Bruno"}}`, map[string]string{"x-2fa-code": code, "x-2fa-method": method})
		return res.StatusCode
	}
	right := func() string { return rocketchattest.TOTPCode(totpSecret, w.clock.now) }
	assert.Equal(t, http.StatusOK, update("app", right(), "totp"))
	assert.Equal(t, http.StatusOK, update("app", right(), ""), "the method need not be named")
	assert.Equal(t, http.StatusBadRequest, update("app", digestOf("App-Passw0rd-12"), "password"), "who has an app has no password fallback")
	code := right()
	w.clock.now = w.clock.now.Add(30 * time.Second)
	assert.Equal(t, http.StatusOK, update("app", code, "totp"), "the code before is good still")
	w.clock.now = w.clock.now.Add(time.Minute)
	assert.Equal(t, http.StatusBadRequest, update("app", code, "totp"))

	assert.Equal(t, http.StatusBadRequest, update("alice.m", "", ""))
	code = w.code()
	assert.Len(t, code, 6)
	assert.Equal(t, http.StatusBadRequest, update("alice.m", "", ""))
	assert.Equal(t, code, w.code(), "no second mail while a code is good")
	assert.Equal(t, http.StatusOK, update("alice.m", code, "email"))
	assert.Equal(t, http.StatusBadRequest, update("alice.m", code, "email"), "a code works once")

	assert.Equal(t, http.StatusOK, update("admin", digestOf(rocketchattest.AdminPassword), "password"))
	_, refused := w.call("admin", "POST users.update", `{"userId":"bruno","data":{}}`, map[string]string{
		"x-2fa-code": digestOf(rocketchattest.AdminPassword), "x-2fa-method": "totp",
	})
	assert.Equal(t, "totp-invalid", dig(refused, "errorType"), "a method that is named counts, active or not")
	assert.Equal(t, map[string]any{"method": "totp", "codeGenerated": false, "availableMethods": []any{}}, dig(refused, "details"))
	id, token := w.PersonalAccessToken("admin", "robot", true)
	res, _ := w.call("", "POST users.update", `{"userId":"bruno","data":{}}`, map[string]string{"X-User-Id": id, "X-Auth-Token": token})
	assert.Equal(t, http.StatusOK, res.StatusCode, "a token may bypass it")
}

func TestRememberedFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithSecondFactor(), rocketchattest.WithSetting("Accounts_TwoFactorAuthentication_RememberFor", 1800))
	id, token := w.Login("admin")
	update := func(code, agent string) int {
		res, _ := w.call("", "POST users.update", `{"userId":"bruno","data":{}}`, map[string]string{
			"X-User-Id": id, "X-Auth-Token": token, "x-2fa-code": code, "x-2fa-method": "password", "User-Agent": agent,
		})
		return res.StatusCode
	}
	assert.Equal(t, http.StatusOK, update("", ""), "the account is new")
	w.clock.now = w.clock.now.Add(30 * time.Minute)
	assert.Equal(t, http.StatusBadRequest, update("", ""))
	assert.Equal(t, http.StatusOK, update(digestOf(rocketchattest.AdminPassword), ""))
	assert.Equal(t, http.StatusOK, update("", ""))
	assert.Equal(t, http.StatusBadRequest, update("", "another browser"))
	w.clock.now = w.clock.now.Add(30 * time.Minute)
	assert.Equal(t, http.StatusBadRequest, update("", ""))
}

// TestNewAccountWithApp: an authenticator app counts from the start.
func TestNewAccountWithApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithSecondFactor(), rocketchattest.WithSetting("Accounts_TwoFactorAuthentication_RememberFor", 1800))
	withApp(w)
	res, _ := w.call("app", "POST users.generatePersonalAccessToken", `{"tokenName":"robot"}`, nil)
	assert.Equal(t, http.StatusBadRequest, res.StatusCode)
	w.ok("alice.meyer", "POST users.generatePersonalAccessToken", `{"tokenName":"robot"}`)
}

func TestTOTPSetUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithVersion("8.8.1"), rocketchattest.WithSecondFactor())
	sha := map[string]string{"x-2fa-code": digestOf(alicePassword), "x-2fa-method": "password"}
	_, answer := w.call("alice.meyer", "POST users.enableTotp", "", sha)
	secret, _ := dig(answer, "secret").(string)
	require.NotEmpty(t, secret)
	code := `{"code":"` + rocketchattest.TOTPCode(secret, w.clock.now) + `"}`
	res, answer := w.call("alice.meyer", "POST users.validateTotp", code, sha)
	require.Equal(t, http.StatusOK, res.StatusCode, "%v", answer)
	codes, _ := dig(answer, "codes").([]any)
	require.Len(t, codes, 12)
	backup, _ := codes[0].(string)

	login := `{"user":"alice.meyer","password":"` + alicePassword + `"}`
	res, _ = w.call("", "POST login", login, nil)
	assert.Equal(t, http.StatusUnauthorized, res.StatusCode)
	assert.Equal(t, "success", w.ok("", "POST login", but(login, `{"code":"`+backup+`"}`))["status"])
	assert.InDelta(t, 11, w.ok("alice.meyer", "GET users.totpCodesRemaining", "")["remaining"], 0, "a backup code works once")
	assert.Len(t, w.ok("alice.meyer", "POST users.regenerateTotpCodes", code)["codes"], 12)
	assert.Equal(t, false, w.ok("alice.meyer", "POST users.disableTotp", `{"code":"1"}`)["disabled"])
	assert.Equal(t, true, w.ok("alice.meyer", "POST users.disableTotp", code)["disabled"])
	w.ok("", "POST login", login)
}

func TestLoginOutsideTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithVersion("8.7.1"))
	withMailed(w)
	w.challenge("alice.m")
	id := w.names["challenge"]
	w.ok("", "POST twoFactorChallenges.sendEmailCode", `{"challengeId":"`+id+`"}`)
	answer := w.ok("", "POST twoFactorChallenges.verifyChallenge", `{"challengeId":"`+id+`","code":"`+w.code()+`"}`)
	assert.NotEmpty(t, answer["loginToken"])
	answer = w.ok("", "POST loginCode.redeem", `{"code":"`+w.LoginCode("alice.m")+`"}`)
	token, _ := answer["loginToken"].(string)
	res, _ := w.call("", "GET me", "", map[string]string{"X-User-Id": w.id("alice.m"), "X-Auth-Token": token})
	assert.Equal(t, http.StatusOK, res.StatusCode)
}

func TestMails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithVersion("8.7.1"))
	w.ok("", "POST users.register", but(signUp, `{}`))
	mails := w.Mails()
	require.Len(t, mails, 1)
	assert.Equal(t, rocketchattest.MailVerification, mails[0].Kind)
	assert.Equal(t, "carla@example.org", mails[0].To)
	w.ok("", "POST users.verifyEmail", `{"token":"`+mails[0].Token+`"}`)
	u, ok := w.User("carla.dias")
	require.True(t, ok)
	assert.False(t, u.Unverified)

	w.ok("", "POST users.forgotPassword", `{"email":"carla@example.org"}`)
	w.ok("admin", "POST users.update", `{"userId":"`+u.ID+`","data":{"setRandomPassword":true}}`)
	w.ok("", "POST login", `{"user":"carla.dias","password":"`+w.code()+`"}`)
	w.ok("", "POST users.2fa.sendEmailCode", `{"emailOrUsername":"carla@example.org"}`)
	w.ok("", "POST users.sendConfirmationEmail", `{"email":"carla@example.org"}`)
	w.Set("SMTP_Host", "smtp.example.org")
	w.ok("admin", "POST users.sendWelcomeEmail", `{"email":"carla@example.org"}`)
	kinds := []rocketchattest.MailKind{}
	for _, m := range w.Mails()[1:] {
		kinds = append(kinds, m.Kind)
	}
	assert.Equal(t, []rocketchattest.MailKind{
		rocketchattest.MailPasswordReset, rocketchattest.MailPassword, rocketchattest.MailSecondFactor, rocketchattest.MailVerification,
		rocketchattest.MailWelcome,
	}, kinds)
}
