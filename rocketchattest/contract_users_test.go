package rocketchattest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func multipartHeader() map[string]string {
	return map[string]string{"Content-Type": "multipart/form-data; boundary=edge"}
}

func multipartBody(field, value string, file bool) string {
	var b strings.Builder
	b.WriteString("--edge\r\nContent-Disposition: form-data; name=\"" + field + "\"\r\n\r\n" + value + "\r\n")
	if file {
		b.WriteString("--edge\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\npng\r\n")
	}
	b.WriteString("--edge--\r\n")
	return b.String()
}

func userRefusals() []refusal {
	create, update, register := "POST users.create", "POST users.update", "POST users.register"
	required := setting("Accounts_CustomFields", `{"department":{"type":"text","required":true}}`)
	teamRoom := func(w *world) { w.Join(w.AddRoom("team-room", "bruno.costa"), "alice.meyer") }
	bothRooms := func(w *world) { teamRoom(w); w.AddRoom("solo-room", "bruno.costa") }
	editor := clerk("edit-other-user-info")
	unsafe := rocketchattest.WithEnv("ALLOW_UNSAFE_QUERY_AND_FIELDS_API_PARAMS", "true")
	return []refusal{
		{file: "users.info.not-found", as: "admin", call: "GET users.info?userId=nobody"},
		{file: "users.info.missing-param", as: "admin", call: "GET users.info"},
		{file: "users.info.empty-param", as: "admin", call: "GET users.info?userId="},
		{file: "users.list.missing-permission", as: "alice.meyer", call: "GET users.list", status: 403, prepare: nobodyLists},
		{file: "users.list.forbidden-email-filter", as: "alice.meyer", call: "GET users.list?email=bruno.costa@example.org", status: 403},
		{file: "users.list.unknown-query-param", as: "admin", call: "GET users.list?color=blue"},
		{file: "users.list.invalid-query", as: "admin", call: `GET users.list?query={"services.password":1}`, with: []rocketchattest.Option{unsafe}},
		{file: "users.listByStatus.invalid-status", as: "admin", call: "GET users.listByStatus?status=gone"},
		{file: "users.listByStatus.missing-permission", as: "alice.meyer", call: "GET users.listByStatus", status: 403, prepare: nobodyLists},

		{file: "users.create.missing-permission", as: "alice.meyer", call: create, body: but(newUser, `{}`)},
		{file: "users.create.username-taken", as: "admin", call: create, body: but(newUser, `{"username":"bruno.costa"}`)},
		{file: "users.create.email-taken", as: "admin", call: create, body: but(newUser, `{"email":"bruno.costa@example.org"}`)},
		{file: "users.create.blocked-username", as: "admin", call: create, body: but(newUser, `{"username":"admin"}`)},
		{file: "users.create.missing-email", as: "admin", call: create, body: but(newUser, `{"email":null}`)},
		{file: "users.create.invalid-name", as: "admin", call: create, body: but(newUser, `{"name":"<b>"}`)},
		{file: "users.create.admin-role-not-allowed", as: "clerk", call: create, body: but(newUser, `{"roles":["admin"]}`), prepare: clerk("create-user")},
		{file: "users.create.custom-field-invalid", as: "admin", call: create, body: but(newUser, `{"customFields":{}}`), with: required},
		{file: "users.create.invalid-role", as: "admin", call: create, body: but(newUser, `{"roles":["nope"]}`)},
		{file: "users.create.invalid-username", as: "admin", call: create, body: but(newUser, `{"username":"bad name"}`)},
		{file: "users.create.name-required", as: "admin", call: create, body: but(newUser, `{"name":" "}`)},
		{file: "users.create.active-without-permission", as: "clerk", call: create, body: but(newUser, `{"active":false}`), prepare: clerk("create-user")},
		{file: "users.create.extension-not-allowed", as: "admin", call: create, body: but(newUser, `{"freeSwitchExtension":"1000"}`)},

		{file: "users.register.already-logged-in", as: "alice.meyer", call: register, body: but(signUp, `{}`)},
		{file: "users.register.invalid-name", call: register, body: but(signUp, `{"name":"<b>"}`)},
		{file: "users.register.invalid-username", call: register, body: but(signUp, `{"username":"bad name"}`)},
		{file: "users.register.username-taken", call: register, body: but(signUp, `{"username":"bruno.costa"}`)},
		{file: "users.register.email-taken", call: register, body: but(signUp, `{"email":"bruno.costa@example.org"}`)},
		{file: "users.register.disabled", call: register, body: but(signUp, `{}`), with: setting("Accounts_RegistrationForm", "Disabled")},
		{file: "users.register.secret-required", call: register, body: but(signUp, `{}`), with: setting("Accounts_RegistrationForm", "Secret URL")},
		{file: "users.register.custom-field-error", call: register, body: but(signUp, `{"customFields":{}}`), with: required},
		{
			file: "users.register.rate-limited", call: register, body: but(signUp, `{}`), status: 429,
			prepare: func(w *world) {
				w.ok("", register, but(signUp, `{}`))
				w.clock.now = w.clock.now.Add(3 * time.Second)
			},
		},

		{file: "users.update.missing-permission", as: "alice.meyer", call: update, body: `{"userId":"bruno","data":{}}`},
		{file: "users.update.assign-roles-not-allowed", as: "clerk", call: update, body: `{"userId":"bruno","data":{"roles":["auditor"]}}`, prepare: editor},
		{file: "users.update.identity-not-saved", as: "admin", call: update, body: `{"userId":"bruno","data":{"username":"alice.meyer"}}`},
		{file: "users.update.email-taken", as: "admin", call: update, body: `{"userId":"bruno","data":{"email":"alice.meyer@example.org"}}`},
		{file: "users.update.bio-too-long", as: "admin", call: update, body: `{"userId":"bruno","data":{"bio":"` + strings.Repeat("x", 261) + `"}}`},
		{file: "users.update.nickname-too-long", as: "admin", call: update, body: `{"userId":"bruno","data":{"nickname":"` + strings.Repeat("x", 121) + `"}}`},
		{file: "users.update.empty-user-id", as: "admin", call: update, body: `{"userId":"","data":{}}`},
		{file: "users.update.unknown-field", as: "admin", call: update, body: `{"userId":"bruno","data":{"color":"blue"}}`},
		{file: "users.update.totp-required", as: "admin", call: update, body: `{"userId":"bruno","data":{}}`, with: factor()},

		{file: "users.delete.unknown-user", as: "admin", call: "POST users.delete", body: `{"userId":"nobody"}`},
		{file: "users.delete.missing-param", as: "admin", call: "POST users.delete", body: `{}`},
		{file: "users.delete.last-owner", as: "admin", call: "POST users.delete", body: `{"userId":"bruno"}`, prepare: bothRooms},
		{file: "users.delete.missing-permission", as: "alice.meyer", call: "POST users.delete", body: `{"userId":"bruno"}`, status: 403},
		{file: "users.delete.missing-permission-legacy", as: "alice.meyer", call: "POST users.delete", body: `{"userId":"bruno"}`, status: 403, version: "6.14.0"},

		{file: "users.setActiveStatus.missing-permission", as: "alice.meyer", call: "POST users.setActiveStatus", body: `{"userId":"bruno","activeStatus":false}`, status: 403},
		{
			file: "users.setActiveStatus.moderator-only", as: "clerk", call: "POST users.setActiveStatus",
			body: `{"userId":"bruno","activeStatus":false}`, prepare: clerk("manage-moderation-actions"),
		},
		{file: "users.setActiveStatus.last-owner", as: "admin", call: "POST users.setActiveStatus", body: `{"userId":"bruno","activeStatus":false}`, prepare: teamRoom},
		{
			file: "users.setActiveStatus.last-admin", as: "admin", call: "POST users.setActiveStatus", body: `{"userId":"root","activeStatus":false}`,
			prepare: func(w *world) {
				w.add(rocketchattest.User{ID: "root", Username: "root", Roles: []string{"admin"}})
				w.Grant("edit-other-user-active-status", "user")
				w.ok("alice.meyer", "POST users.setActiveStatus", `{"userId":"`+w.id("admin")+`","activeStatus":false}`)
				w.Grant("edit-other-user-active-status", "admin")
			},
		},
		{file: "users.setActiveStatus.unknown-user", as: "admin", call: "POST users.setActiveStatus", body: `{"userId":"nobody","activeStatus":false}`},
		{file: "users.setActiveStatus.missing-param", as: "admin", call: "POST users.setActiveStatus", body: `{"userId":"bruno"}`},
		{file: "users.deactivateIdle.missing-permission", as: "alice.meyer", call: "POST users.deactivateIdle", body: `{"daysIdle":3}`, status: 403},
		{file: "users.deactivateIdle.missing-param", as: "admin", call: "POST users.deactivateIdle", body: `{}`},

		{file: "users.checkUsernameAvailability.blocked", as: "alice.meyer", call: "GET users.checkUsernameAvailability?username=all"},
		{file: "users.checkUsernameAvailability.missing-param", as: "alice.meyer", call: "GET users.checkUsernameAvailability"},
		{file: "users.autocomplete.missing-selector", as: "alice.meyer", call: "GET users.autocomplete"},
		{file: "users.autocomplete.not-json", as: "alice.meyer", call: "GET users.autocomplete?selector=bruno"},
		{file: "users.autocomplete.forbidden-operator", as: "alice.meyer", call: `GET users.autocomplete?selector={"conditions":{"name":{"$where":"1"}}}`},
		{file: "users.listTeams.missing-param", as: "alice.meyer", call: "GET users.listTeams"},
	}
}

// challenge starts a second step of a log-in and binds its id for the request.
func (w *world) challenge(username string) { w.names["challenge"] = w.Challenge(username) }

func (w *world) id(username string) string {
	w.t.Helper()
	u, ok := w.User(username)
	if !ok {
		w.t.Fatalf("no user %s", username)
	}
	return u.ID
}

func tokenRefusals() []refusal {
	generate, regenerate, remove := "POST users.generatePersonalAccessToken", "POST users.regeneratePersonalAccessToken", "POST users.removePersonalAccessToken"
	mail := setting("SMTP_Host", "smtp.example.org")
	return []refusal{
		{file: "users.createToken.not-authorized", as: "admin", call: "POST users.createToken", body: `{"userId":"bruno","secret":"x"}`},
		{file: "users.createToken.missing-secret", as: "admin", call: "POST users.createToken", body: `{"userId":"bruno"}`},
		{
			file: "users.generatePersonalAccessToken.name-taken", as: "alice.meyer", call: generate, body: `{"tokenName":"ci"}`,
			prepare: func(w *world) { w.PersonalAccessToken("alice.meyer", "ci", false) },
		},
		{file: "users.generatePersonalAccessToken.not-authorized", as: "alice.meyer", call: generate, body: `{"tokenName":"ci"}`, prepare: noPersonalTokens},
		{file: "users.generatePersonalAccessToken.missing-name", as: "alice.meyer", call: generate, body: `{}`},
		{file: "users.generatePersonalAccessToken.missing-name-legacy", as: "alice.meyer", call: generate, body: `{}`, version: "7.7.1"},
		{file: "users.generatePersonalAccessToken.totp-required", as: "alice.meyer", call: generate, body: `{"tokenName":"ci"}`, with: factor()},
		{file: "users.regeneratePersonalAccessToken.unknown-token", as: "alice.meyer", call: regenerate, body: `{"tokenName":"ci"}`},
		{file: "users.regeneratePersonalAccessToken.not-authorized", as: "alice.meyer", call: regenerate, body: `{"tokenName":"ci"}`, prepare: noPersonalTokens},
		{file: "users.getPersonalAccessTokens.missing-permission", as: "alice.meyer", call: "GET users.getPersonalAccessTokens", status: 403, prepare: noPersonalTokens},
		{file: "users.removePersonalAccessToken.unknown-token", as: "alice.meyer", call: remove, body: `{"tokenName":"ci"}`},
		{file: "users.removePersonalAccessToken.not-authorized", as: "alice.meyer", call: remove, body: `{"tokenName":"ci"}`, prepare: noPersonalTokens},
		{file: "users.logout.forbidden", as: "alice.meyer", call: "POST users.logout", body: `{"userId":"bruno"}`, status: 403},

		{file: "users.forgotPassword.disabled", call: "POST users.forgotPassword", body: `{"email":"x@example.org"}`, with: setting("Accounts_PasswordReset", false)},
		{file: "users.forgotPassword.missing-email", call: "POST users.forgotPassword", body: `{}`},
		{file: "users.sendWelcomeEmail.no-smtp", as: "admin", call: "POST users.sendWelcomeEmail", body: `{"email":"alice.meyer@example.org"}`},
		{file: "users.sendWelcomeEmail.unknown-user", as: "admin", call: "POST users.sendWelcomeEmail", body: `{"email":"nobody@example.org"}`, with: mail},
		{file: "users.sendWelcomeEmail.missing-permission", as: "alice.meyer", call: "POST users.sendWelcomeEmail", body: `{"email":"x@example.org"}`, status: 403},
		{file: "users.sendConfirmationEmail.missing-email", call: "POST users.sendConfirmationEmail", body: `{}`},
		{file: "users.verifyEmail.expired", call: "POST users.verifyEmail", body: `{"token":"x"}`, status: 403, version: "8.8.1"},

		{
			file: "users.2fa.enableEmail.unverified-email", as: "carla", call: "POST users.2fa.enableEmail",
			prepare: func(w *world) {
				w.add(rocketchattest.User{Username: "carla", Email: "carla@example.org", Unverified: true})
			},
		},
		{
			file: "users.2fa.disableEmail.totp-required", as: "alice.meyer", call: "POST users.2fa.disableEmail", with: factor(),
			prepare: func(w *world) { w.ok("alice.meyer", "POST users.2fa.enableEmail", "") },
		},
		{file: "users.2fa.sendEmailCode.missing-param", call: "POST users.2fa.sendEmailCode", body: `{}`},
		{file: "users.enableTotp.already-enabled", as: "app", call: "POST users.enableTotp", version: "8.8.1", prepare: withApp},
		{file: "users.validateTotp.invalid", as: "alice.meyer", call: "POST users.validateTotp", body: `{"code":"1"}`, version: "8.8.1"},
		{file: "users.regenerateTotpCodes.wrong-code", as: "alice.meyer", call: "POST users.regenerateTotpCodes", body: `{"code":"1"}`, version: "8.8.1"},
		{file: "users.resetTOTP.not-allowed", as: "alice.meyer", call: "POST users.resetTOTP", body: `{"userId":"bruno"}`},
		{file: "users.resetTOTP.two-factor-disabled", as: "admin", call: "POST users.resetTOTP", body: `{"userId":"bruno"}`},
		{file: "users.resetE2EKey.not-allowed", as: "alice.meyer", call: "POST users.resetE2EKey", body: `{"userId":"bruno"}`},
		{
			file: "twoFactorChallenges.sendEmailCode.expired", call: "POST twoFactorChallenges.sendEmailCode", version: "8.7.1",
			body: `{"challengeId":"${challenge}"}`, prepare: func(w *world) {
				w.challenge("alice.meyer")
				w.clock.now = w.clock.now.Add(time.Hour)
			},
		},
		{
			file: "twoFactorChallenges.verifyChallenge.invalid-code", call: "POST twoFactorChallenges.verifyChallenge", version: "8.7.1",
			body: `{"challengeId":"${challenge}","code":"1"}`, prepare: func(w *world) { w.challenge("alice.meyer") },
		},
		{file: "loginCode.redeem.invalid-code", call: "POST loginCode.redeem", body: `{"code":"` + strings.Repeat("x", 64) + `"}`, version: "8.7.1"},
	}
}

func roleRefusals() []refusal {
	add, remove := "POST roles.addUserToRole", "POST roles.removeUserFromRole"
	return []refusal{
		{file: "roles.getUsersInRole.invalid-role", as: "admin", call: "GET roles.getUsersInRole?role=auditor-log"},
		{file: "roles.getUsersInRole.missing-role", as: "admin", call: "GET roles.getUsersInRole"},
		{file: "roles.getUsersInRole.missing-permission", as: "alice.meyer", call: "GET roles.getUsersInRole?role=admin", status: 403},
		{file: "roles.addUserToRole.role-not-found", as: "admin", call: add, body: `{"username":"bruno.costa","roleId":"nope"}`},
		{file: "roles.addUserToRole.already-in-role", as: "admin", call: add, body: `{"username":"bruno.costa","roleId":"user"}`},
		{file: "roles.addUserToRole.unknown-user", as: "admin", call: add, body: `{"username":"nobody","roleId":"user"}`},
		{file: "roles.addUserToRole.missing-permission", as: "alice.meyer", call: add, body: `{"username":"bruno.costa","roleId":"bot"}`},
		{file: "roles.removeUserFromRole.unknown-user", as: "admin", call: remove, body: `{"username":"nobody","roleId":"user"}`},
		{file: "roles.removeUserFromRole.unknown-role", as: "admin", call: remove, body: `{"username":"bruno.costa","roleId":"nope"}`},
		{file: "roles.removeUserFromRole.not-in-role", as: "admin", call: remove, body: `{"username":"bruno.costa","roleId":"bot"}`},
		{file: "roles.removeUserFromRole.last-admin", as: "admin", call: remove, body: `{"username":"admin","roleId":"admin"}`},
		{file: "roles.removeUserFromRole.missing-permission", as: "alice.meyer", call: remove, body: `{"username":"bruno.costa","roleId":"user"}`, status: 403},
		{file: "roles.sync.invalid-date", as: "admin", call: "GET roles.sync?updatedSince=soon"},
		{file: "roles.delete.protected", as: "admin", call: "POST roles.delete", body: `{"roleId":"user"}`},
		{
			file: "roles.delete.in-use", as: "admin", call: "POST roles.delete", body: `{"roleId":"auditor"}`,
			prepare: func(w *world) {
				w.ok("admin", "POST roles.addUserToRole", `{"username":"bruno.costa","roleId":"auditor"}`)
			},
		},
		{file: "roles.create.community-edition", as: "admin", call: "POST roles.create", body: `{"name":"x"}`},
	}
}
