package rocketchattest

// The schemas of routes that have more than a few fields. The order of required fields is the order in which the server misses them.

func createBody() *schema {
	return closed(
		str("email").must(), str("name").must(), str("password").must(), str("username").must(),
		flag("active").null(), str("bio").null(), str("nickname").null(), str("statusText").null(), list("roles", str("")),
		flag("joinDefaultChannels").null(), flag("requirePasswordChange").null(), flag("setRandomPassword").null(),
		flag("sendWelcomeEmail").null(), flag("verified").null(), obj("customFields", nil), str("fields"),
		str("freeSwitchExtension").from(7, 13),
	)
}

func registerBody() *schema {
	return closed(
		str("username").must(), str("email").must(), str("pass").must(), str("name").null(), str("secret").null(), str("reason").null(),
		obj("customFields", nil).null(),
	)
}

func updateBody() *schema {
	return closed(
		str("userId").must().min(1),
		obj("data", closed(
			str("email").null(), str("name").null(), str("password").null(), str("username").null(), str("bio").null(),
			str("nickname").null(), str("statusText").null(), flag("active").null(), list("roles", str("")).null(),
			flag("requirePasswordChange").null(), flag("setRandomPassword").null(), flag("sendWelcomeEmail").null(),
			flag("verified").null(), obj("customFields", nil).null(), str("status").null(), str("freeSwitchExtension").null().from(7, 13),
			flag("joinDefaultChannels").null().before(7),
		)).must(),
		flag("confirmRelinquish"),
	)
}

func ownBody() *schema {
	return closed(
		obj("data", closed(
			str("email").null(), str("name").null(), str("username").null(), str("nickname").null(), str("bio").null(),
			str("statusText").null(), str("statusType").null(), str("currentPassword").null(), str("newPassword").null(),
		)).must(),
		obj("customFields", nil).null(),
	)
}

func deleteOwnBody() *schema {
	return closed(str("password").must(), flag("confirmRelinquish")).from(8, 4)
}

func deleteBody() *schema {
	return selectors([]field{str("userId"), str("username"), str("user")}, flag("confirmRelinquish")).from(8, 4)
}

func infoQuery() *schema {
	return selectors([]field{
		str("userId"), str("username"), str("importId"), str("email").from(8, 4), str("freeSwitchExtension").from(8, 5),
	}, str("includeUserRooms").from(7), str("fields"))
}

func listUsersQuery() *schema {
	return closed(num("count").null(), num("offset").null(), str("sort"), str("fields"), str("query"), str("email").min(1)).from(8, 4)
}

func byStatusQuery() *schema {
	return closed(
		num("count").null(), num("offset").null(), str("sort"), str("status").among("active", "deactivated"),
		flag("hasLoggedIn").null(), str("type"), list("roles", str("")), str("searchTerm"),
		list("inactiveReason", str("").among("deactivated", "pending_approval", "idle_too_long")).from(8),
	)
}

func avatarBody() *schema {
	return closed(str("avatarUrl").null(), str("userId").null(), str("username").null())
}

func statusBody() *schema {
	return closed(
		str("status").among(statusTypes()...), str("message").null(), str("expiresAt").from(8, 6), str("userId"), str("username"), str("user"),
	).from(8, 4)
}

func oneUser() *schema { return closed(str("userId"), str("username"), str("user")) }

func presenceQuery() *schema {
	return anyOf(
		closed(str("from"), str("ids")),
		closed(str("from"), list("ids", str(""))),
	).from(8, 4)
}

func customStatusQuery() *schema {
	return closed(num("count").null(), num("offset").null(), str("sort"), str("name"), str("_id"), str("query")).from(8)
}

func customStatusBody(fields ...field) *schema {
	return closed(append(fields, str("statusType"))...).from(8, 4)
}

func preferencesBody() *schema {
	return closed(str("userId").null(), obj("data", preferenceFields()).must())
}

func tokenBody() *schema {
	return closed(str("userId").must().min(1), str("secret").must().min(1)).from(8)
}

func personalTokenBody(more ...field) *schema {
	return closed(append([]field{str("tokenName").must().min(1)}, more...)...).from(8, 4)
}

func directoryQuery() *schema {
	return closed(
		str("type"), str("text"), str("workspace"), str("sort"), num("count").null(), num("offset").null(), str("query"), str("fields"),
	).from(8)
}

func spotlightQuery() *schema {
	return closed(str("query").must(), str("usernames").from(8, 6), str("type").from(8, 6), str("rid").from(8, 6))
}

func roleUsersQuery() *schema {
	return closed(str("role").must(), str("roomId"), num("count").null(), num("offset").null(), str("sort"), str("query")).from(8)
}

func roleBody(more ...field) *schema {
	common := []field{str("username").must(), str("roleId"), str("roomId"), str("roleName").before(8)}
	return closed(append(common, more...)...).coded("error-invalid-role-properties")
}
