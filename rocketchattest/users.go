package rocketchattest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// chosen is the user a request names by userId, username or user, whichever comes first.
func (c *call) chosen(o object) (*account, error) {
	var u *account
	if id := strings.TrimSpace(o.str("userId")); id != "" {
		u = c.users[id]
	} else {
		name := strings.TrimSpace(o.str("username"))
		if name == "" {
			name = strings.TrimSpace(o.str("user"))
		}
		if name == "" {
			return nil, coded("error-user-param-not-provided", `The required "userId" or "username" param was not provided`, nil)
		}
		u = c.userByName(name)
	}
	if u == nil {
		return nil, coded("error-invalid-user", `The required "userId" or "username" param provided does not match any users`, nil)
	}
	return u, nil
}

// namesOther tells whether a request names a user besides the caller.
func (c *call) namesOther(o object) bool {
	id, name, user := o.str("userId"), o.str("username"), o.str("user")
	if id == "" && name == "" && user == "" {
		return false
	}
	own := c.me.username
	return id != c.me.id && (own == "" || name != own && user != own)
}

// selfOrChosen is the user a request names, or the caller when it names nobody.
func (c *call) selfOrChosen(o object) (*account, error) {
	if !c.namesOther(o) {
		return c.me, nil
	}
	return c.chosen(o)
}

// userInfo is users.info.
func (c *call) userInfo() (any, error) {
	u, err := c.lookUp()
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, plain("User not found.")
	}
	p := c.detailed(u, c.me)
	if c.wantsRooms() && (u == c.me || c.may("view-other-user-channels")) {
		p.Subscriptions = new(c.roomItems(u))
	}
	return fields{"user": p}, nil
}

// wantsRooms tells whether users.info is asked for rooms, which was done with fields before 7.0.
func (c *call) wantsRooms() bool {
	if !c.version.atLeast(7) {
		var chosen map[string]any
		return json.Unmarshal([]byte(c.query.str("fields")), &chosen) == nil && chosen["userRooms"] == 1.0
	}
	return c.query.str("includeUserRooms") == "true"
}

// lookUp finds the user of users.info: an id or a name match either, import ids and addresses are for those who may see them.
func (c *call) lookUp() (*account, error) {
	i := slices.IndexFunc([]string{"userId", "username", "importId", "email", "freeSwitchExtension"}, func(key string) bool {
		return c.query.str(key) != ""
	})
	var u *account
	switch i {
	case 0, 1:
		ref := c.query.str("userId") + c.query.str("username")
		if u = c.users[ref]; u == nil {
			u = c.userByName(ref)
		}
		if u != nil && u.id != ref && u.username != ref {
			u = nil
		}
		return u, nil
	case 2:
		u = c.findUser(func(u *account) bool { return slices.Contains(u.importIDs, c.query.str("importId")) })
	case 3:
		u = c.userByEmail(c.query.str("email"))
	case 4:
		return c.findUser(func(u *account) bool { return u.extension == c.query.str("freeSwitchExtension") }), nil
	default:
		return nil, plain("Invalid search query.")
	}
	if u != c.me && !c.may("view-full-other-user-info") {
		return nil, nil
	}
	return u, nil
}

func (db *database) findUser(holds func(*account) bool) *account {
	for _, u := range db.users {
		if holds(u) {
			return u
		}
	}
	return nil
}

// outsideForbidden is the optional rule that listing users needs view-outside-room.
func (c *call) outsideForbidden() bool {
	return c.enabled("API_Apply_permission_view-outside-room_on_users-list") && !c.may("view-outside-room")
}

// listUsers is users.list.
func (c *call) listUsers() (any, error) {
	full := c.may("view-full-other-user-info")
	email := ""
	if c.version.atLeast(8, 4) { // older ones ignore it
		email = c.query.str("email")
	}
	if c.outsideForbidden() || email != "" && !full {
		return nil, c.forbidden()
	}
	q, err := c.listQuery(userFields())
	if err != nil {
		return nil, err
	}
	holds := q.holds
	if email != "" {
		wanted := c.userByEmail(email)
		holds = func(u *account) bool { return u == wanted }
	}
	page := c.page(q, holds)
	items := make([]any, 0, len(page.users))
	for _, u := range page.users {
		p := u.listed(full)
		p.NameInsensitive = new(strings.ToLower(u.name))
		items = append(items, q.reduce(p, u))
	}
	return page.answer("users", items), nil
}

// listByStatus is users.listByStatus, whose items are the same for every caller.
func (c *call) listByStatus() (any, error) {
	if c.outsideForbidden() {
		return nil, c.forbidden()
	}
	q, err := c.listQuery(nil)
	if err != nil {
		return nil, err
	}
	term, roles := strings.ToLower(c.query.str("searchTerm")), c.query.strings("roles")
	reasons := c.query.strings("inactiveReason")
	full := c.may("view-full-other-user-info")
	page := c.page(q, func(u *account) bool {
		switch {
		case c.query.has("status") && u.active != (c.query.str("status") == "active"):
		case c.query.has("hasLoggedIn") && u.lastLogin.IsZero() == c.query.flag("hasLoggedIn"):
		case c.query.has("type") && u.kind != c.query.str("type"):
		case len(roles) > 0 && !slices.Contains(roles, "all") && !slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(u.roles, r) }):
		case len(reasons) > 0 && !slices.Contains(reasons, u.inactiveReason):
		case term != "" && !u.matches(term, full):
		default:
			return true
		}
		return false
	})
	items := make([]any, 0, len(page.users))
	for _, u := range page.users {
		p := u.listed(true)
		p.Reason, p.Federated = u.reason, u.federated
		if c.version.atLeast(7, 13) {
			p.Extension = u.extension
		}
		items = append(items, p)
	}
	return page.answer("users", items), nil
}

// matches tells whether the lower-cased term is part of the name or username, or of an address where those count.
func (u *account) matches(term string, addresses bool) bool {
	return strings.Contains(strings.ToLower(u.username), term) || strings.Contains(strings.ToLower(u.name), term) ||
		addresses && slices.ContainsFunc(u.emails, func(e address) bool { return strings.Contains(strings.ToLower(e.Address), term) })
}

// deleteUser is users.delete.
func (c *call) deleteUser() (any, error) {
	u, err := c.chosen(c.body)
	if err != nil {
		return nil, err
	}
	removed, err := c.erase(u, c.body.flag("confirmRelinquish"))
	if err != nil {
		return nil, err
	}
	if !c.version.atLeast(7, 13) {
		return nil, nil
	}
	return fields{"deletedRooms": removed}, nil
}

// erase removes a user and gives away the rooms.
func (c *call) erase(u *account, confirmed bool) ([]string, error) {
	switch {
	case u.id == "rocket.cat":
		return nil, coded("error-action-not-allowed", "Deleting the rocket.cat user is not allowed", fields{"method": "deleteUser", "action": "Delete_user"})
	case u.federated:
		return nil, coded("error-not-allowed", "User participated in federation, this user can only be deactivated permanently", fields{"method": "deleteUser"})
	}
	removed, err := c.relinquish(u, confirmed)
	if err != nil {
		return nil, err
	}
	c.remove(u)
	return removed, nil
}

// setActiveStatus is users.setActiveStatus.
func (c *call) setActiveStatus() (any, error) {
	active := c.body.flag("activeStatus")
	u, err := c.activate(c.body.str("userId"), active, c.body.flag("confirmRelinquish"))
	if err != nil {
		return nil, err
	}
	return fields{"user": fields{"_id": u.id, "active": u.active}}, nil
}

// activate switches a user on or off. Switching off ends all sessions, and is refused for the last administrator and, unless
// confirmed, for the last owner of a room.
func (c *call) activate(id string, active, confirmed bool) (*account, error) {
	if !c.may("edit-other-user-active-status") {
		return nil, coded("error-not-allowed", "Not allowed", fields{"method": "setUserActiveStatus"})
	}
	u := c.users[id]
	if u == nil {
		return nil, plain("User not found")
	}
	if u.federated {
		return nil, coded("error-user-is-federated", "User is federated", fields{"method": "setUserActiveStatus"})
	}
	if !active {
		if c.lastActiveAdmin(u) {
			return nil, coded("error-action-not-allowed", "Leaving the app without an active admin is not allowed",
				fields{"method": "removeUserFromRole", "action": "Remove_last_admin"})
		}
		if _, err := c.relinquish(u, confirmed); err != nil {
			return nil, err
		}
		c.dropAllTokens(u)
	}
	c.setActive(u, active, "deactivated")
	return u, nil
}

func (db *database) setActive(u *account, active bool, reason string) {
	u.active, u.inactiveReason = active, reason
	if active {
		u.inactiveReason = ""
	}
	db.touch(u)
}

// deactivateIdle is users.deactivateIdle.
func (c *call) deactivateIdle() (any, error) {
	since := c.now().Add(-time.Duration(c.body.number("daysIdle") * float64(24*time.Hour)))
	wanted := c.body.str("role")
	if wanted == "" {
		wanted = "user"
	}
	n := 0
	for _, u := range c.users {
		if !u.active || u.lastLogin.IsZero() || u.lastLogin.After(since) || !slices.Contains(u.roles, wanted) {
			continue
		}
		c.setActive(u, false, "idle_too_long")
		if c.version.atLeast(8, 4, 2) {
			c.dropAllTokens(u)
		}
		n++
	}
	return fields{"count": n}, nil
}

// deleteOwnAccount is users.deleteOwnAccount.
func (c *call) deleteOwnAccount() (any, error) {
	password := strings.ToLower(c.body.str("password"))
	where := fields{"method": "deleteUserOwnAccount"}
	switch {
	case password == "":
		return nil, plain(`Body parameter "password" is required.`)
	case !c.enabled("Accounts_AllowDeleteOwnAccount"):
		return nil, coded("error-not-allowed", "Not allowed", nil)
	case c.me.passwordHash != "" && password != c.me.passwordHash:
		return nil, coded("error-invalid-password", "Invalid password", where)
	case c.me.passwordHash == "" && password != digest(strings.TrimSpace(c.me.username)):
		return nil, coded("error-invalid-username", "Invalid username", where)
	}
	_, err := c.erase(c.me, c.body.flag("confirmRelinquish"))
	return nil, err
}
