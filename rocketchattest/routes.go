package rocketchattest

import (
	"net/http"
	"slices"
	"time"
)

const (
	get  = http.MethodGet
	post = http.MethodPost
)

// api completes the path of versioned routes.
const api = "/api/v1/"

// routes are all endpoints, in the order of the contract.
func routes() []route {
	perMinute := func(calls int) limit { return limit{calls, time.Minute} }
	early := v(8) // early routes were typed when 8.3 was recorded
	list := []route{
		{op: "me", method: get, noUsername: true, run: (*call).getMe},
		{op: "login", method: post, public: always(), noUsername: true, run: (*call).login},
		{op: "logout", method: post, run: (*call).logout},
		{op: "logout.get", method: get, path: api + "logout", run: (*call).logout},
		{op: "users.updateOwnBasicInfo", method: post, noUsername: true, own: perMinute(1), ownSince: v(8), body: ownBody(), run: (*call).updateOwn},
		{op: "users.deleteOwnAccount", method: post, body: deleteOwnBody(), run: (*call).deleteOwnAccount},

		{op: "users.create", method: post, body: createBody(), run: (*call).createUser},
		{op: "users.register", method: post, public: always(), body: registerBody(), run: (*call).register},
		{op: "users.update", method: post, factor: factor, body: updateBody(), run: (*call).updateUser},
		{op: "users.info", method: get, query: infoQuery(), run: (*call).userInfo},
		{op: "users.list", method: get, permissions: []string{"view-d-room"}, query: listUsersQuery(), run: (*call).listUsers},
		{op: "users.listByStatus", method: get, since: v(6, 8), permissions: []string{"view-d-room"}, query: byStatusQuery(), run: (*call).listByStatus},
		{op: "users.delete", method: post, permissions: []string{"delete-user"}, body: deleteBody(), run: (*call).deleteUser},
		{
			op: "users.setActiveStatus", method: post, permissions: []string{"edit-other-user-active-status", "manage-moderation-actions"},
			body: closed(str("userId").must(), flag("activeStatus").must(), flag("confirmRelinquish")), run: (*call).setActiveStatus,
		},
		{
			op: "users.deactivateIdle", method: post, permissions: []string{"edit-other-user-active-status"},
			body: closed(num("daysIdle").must(), str("role")), run: (*call).deactivateIdle,
		},

		{op: "users.setAvatar", method: post, body: avatarBody(), run: (*call).setAvatar},
		{op: "users.getAvatar", method: get, public: before(v(8, 1)), query: oneUser().from(8, 8), run: (*call).getAvatar},
		{op: "users.resetAvatar", method: post, run: (*call).resetAvatar},
		{op: "users.getAvatarSuggestion", method: get, typed: early, run: (*call).avatarSuggestion},
		{op: "avatar.byUsername", method: get, path: "/avatar/{username}", public: always(), unlimited: true, run: (*call).avatarByUsername},
		{op: "avatar.byUserId", method: get, path: "/avatar/uid/{userId}", since: v(7, 1), public: always(), unlimited: true, run: (*call).avatarByUserID},

		{op: "users.setStatus", method: post, own: perMinute(5), ownSince: v(8), body: statusBody(), run: (*call).setStatus},
		{op: "users.getStatus", method: get, query: oneUser().from(8, 4), run: (*call).getStatus},
		{op: "users.getPresence", method: get, query: oneUser().from(8, 4), run: (*call).getPresence},
		{op: "users.presence", method: get, query: presenceQuery(), run: (*call).presenceList},
		{op: "presence.getConnections", method: get, typed: early, permissions: []string{"manage-user-status"}, run: (*call).connections},
		{op: "presence.enableBroadcast", method: post, typed: early, permissions: []string{"manage-user-status"}, factor: factor, run: (*call).enableBroadcast},
		{op: "custom-user-status.list", method: get, typed: early, query: customStatusQuery(), run: (*call).listCustomStatuses},
		{op: "custom-user-status.create", method: post, body: customStatusBody(str("name").must()), run: (*call).createCustomStatus},
		{op: "custom-user-status.update", method: post, body: customStatusBody(str("_id").must(), str("name").must()), run: (*call).updateCustomStatus},
		{
			op: "custom-user-status.delete", method: post,
			body: closed(str("customUserStatusId").must().min(1)).from(8, 4), run: (*call).deleteCustomStatus,
		},

		{op: "users.getPreferences", method: get, run: (*call).getPreferences},
		{op: "users.setPreferences", method: post, body: preferencesBody(), run: (*call).setPreferences},

		{op: "users.createToken", method: post, typed: early, body: tokenBody(), run: (*call).createToken},
		{op: "users.generatePersonalAccessToken", method: post, factor: factor, body: personalTokenBody(flag("bypassTwoFactor")), run: (*call).generatePersonalToken},
		{op: "users.regeneratePersonalAccessToken", method: post, factor: factor, body: personalTokenBody(), run: (*call).regeneratePersonalToken},
		{op: "users.getPersonalAccessTokens", method: get, permissions: []string{"create-personal-access-tokens"}, run: (*call).personalTokens},
		{op: "users.removePersonalAccessToken", method: post, factor: factor, body: personalTokenBody(), run: (*call).removePersonalToken},
		{op: "users.logout", method: post, body: open(str("userId").null()), run: (*call).logoutUser},
		{op: "users.logoutOtherClients", method: post, run: (*call).logoutOtherClients},
		{op: "users.removeOtherTokens", method: post, run: (*call).removeOtherTokens},
		{op: "users.requestDataDownload", method: get, query: closed(str("fullExport")).from(8, 4), run: (*call).requestDataDownload},

		{op: "users.getUsernameSuggestion", method: get, noUsername: true, run: (*call).suggestUsername},
		{op: "users.checkUsernameAvailability", method: get, query: closed(str("username").must()), run: (*call).checkUsername},
		{op: "users.autocomplete", method: get, query: closed(str("selector").must()), run: (*call).autocomplete},
		{op: "directory", method: get, typed: early, query: directoryQuery(), run: (*call).directory},
		{op: "spotlight", method: get, typed: early, anonymous: true, query: spotlightQuery(), run: (*call).spotlight},

		{op: "users.forgotPassword", method: post, public: always(), body: closed(str("email").must()).from(8, 4), run: (*call).forgotPassword},
		{op: "users.sendWelcomeEmail", method: post, since: v(6, 8), permissions: []string{"send-mail"}, body: closed(str("email").must().email()), run: (*call).sendWelcomeEmail},
		{
			op: "users.sendConfirmationEmail", method: post, public: since(v(8, 6)), own: perMinute(1), ownSince: v(8, 2),
			body: closed(str("email").must()), run: (*call).sendConfirmationEmail,
		},
		{op: "users.verifyEmail", method: post, since: v(8, 7), public: always(), body: closed(str("token").must()), run: (*call).verifyEmail},

		{op: "users.2fa.enableEmail", method: post, run: (*call).enableEmailFactor},
		{op: "users.2fa.disableEmail", method: post, factor: factorEachTime, run: (*call).disableEmailFactor},
		{
			op: "users.2fa.sendEmailCode", method: post, public: always(),
			body: closed(str("emailOrUsername").must()).from(8, 4), run: (*call).sendEmailCode,
		},
		{op: "users.enableTotp", method: post, since: v(8, 8), factor: factorEachTime, own: perMinute(5), run: (*call).enableTOTP},
		{op: "users.disableTotp", method: post, since: v(8, 8), own: perMinute(5), body: closed(str("code").must()), run: (*call).disableTOTP},
		{op: "users.validateTotp", method: post, since: v(8, 8), factor: factorEachTime, own: perMinute(5), body: closed(str("code").must()), run: (*call).validateTOTP},
		{op: "users.regenerateTotpCodes", method: post, since: v(8, 8), own: perMinute(5), body: closed(str("code").must()), run: (*call).regenerateTOTPCodes},
		{op: "users.totpCodesRemaining", method: get, since: v(8, 8), own: perMinute(5), run: (*call).totpCodesRemaining},
		{op: "users.resetTOTP", method: post, factor: factorEachTime, body: oneUser().from(8, 4), run: (*call).resetTOTP},
		{op: "users.resetE2EKey", method: post, factor: factorEachTime, body: oneUser().from(8, 4), run: (*call).resetE2EKey},
		{
			op: "twoFactorChallenges.sendEmailCode", method: post, since: v(8, 7), public: always(), own: perMinute(5),
			body: closed(str("challengeId").must()), run: (*call).sendChallengeCode,
		},
		{
			op: "twoFactorChallenges.verifyChallenge", method: post, since: v(8, 7), public: always(), own: perMinute(5),
			body: closed(str("challengeId").must(), str("code").must()), run: (*call).verifyChallenge,
		},
		{op: "loginCode.redeem", method: post, since: v(8, 7), public: always(), own: perMinute(10), body: closed(str("code").must().min(64)), run: (*call).redeemLoginCode},

		{op: "roles.list", method: get, typed: early, run: (*call).listRoles},
		{op: "roles.sync", method: get, typed: early, query: closed(str("updatedSince")).from(8), run: (*call).syncRoles},
		{op: "roles.getUsersInRole", method: get, typed: early, permissions: []string{"access-permissions"}, query: roleUsersQuery(), run: (*call).usersInRole},
		{op: "roles.getUsersInPublicRoles", method: get, typed: early, since: v(7, 10), run: (*call).usersInPublicRoles},
		{op: "roles.addUserToRole", method: post, typed: early, body: roleBody(), run: (*call).addToRole},
		{op: "roles.removeUserFromRole", method: post, typed: early, permissions: []string{"access-permissions"}, body: roleBody(str("scope")), run: (*call).removeFromRole},
		{op: "roles.delete", method: post, typed: early, permissions: []string{"access-permissions"}, body: closed(str("roleId").must()).coded("error-invalid-role-properties"), run: (*call).deleteRole},
		{op: "roles.create", method: post, enterprise: true, run: (*call).createRole},
		{op: "roles.update", method: post, enterprise: true, run: (*call).updateRole},
		{op: "permissions.listAll", method: get, typed: early, query: closed(str("updatedSince").null()), run: (*call).listPermissions},
		{op: "permissions.update", method: post, typed: early, permissions: []string{"access-permissions"}, body: permissionsBody().from(8), run: (*call).updatePermissions},

		{op: "info", method: get, path: "/api/info", public: always(), noUsername: true, unlimited: true, run: (*call).info},
		{op: "pw.getPolicy", method: get, public: always(), run: (*call).passwordPolicy},
		{op: "settings.get", method: get, path: api + "settings/{_id}", permissions: []string{"view-privileged-setting"}, run: (*call).getSetting},
		{
			op: "settings.set", method: post, path: api + "settings/{_id}", permissions: []string{"edit-privileged-setting"}, factor: factor,
			run: (*call).setSetting,
		},
	}
	list = slices.Concat(list, roomRoutes(), teamRoutes(), inviteRoutes(), pushRoutes(), e2eRoutes(), oauthRoutes(), methodRoutes(), agentRoutes())
	for i := range list {
		if list[i].path == "" {
			list[i].path = api + list[i].op
		}
	}
	return list
}
