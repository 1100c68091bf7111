package rocketchattest

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// chosen is the user a request names by userId, username or user, whichever comes first.
func (c *call) chosen(o object) (*account, error) {
	var u *account
	if id := o.str("userId"); strings.TrimSpace(id) != "" {
		u = c.users[id]
	} else {
		name := o.str("username")
		if strings.TrimSpace(name) == "" {
			name = o.str("user")
		}
		if strings.TrimSpace(name) == "" {
			return nil, coded("error-user-param-not-provided", `The required "userId" or "username" param was not provided`, nil)
		}
		u = c.userByName(name)
	}
	if u == nil {
		return nil, coded("error-invalid-user", `The required "userId" or "username" param provided does not match any users`, nil)
	}
	return u, nil
}

// namesOther reports whether a request names a user besides the caller.
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

// wantsRooms reports whether users.info is asked for rooms, which was done with fields before 7.0.
func (c *call) wantsRooms() bool {
	if c.does(roomsByFields) {
		var chosen map[string]any
		return json.Unmarshal([]byte(c.query.str("fields")), &chosen) == nil && chosen["userRooms"] == 1.0
	}
	return c.query.str("includeUserRooms") == "true"
}

// lookUp finds the user of users.info. An ID or a name matches either; import IDs and
// addresses need the permission to see them.
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
	if c.does(listsByEmail) {
		email = c.query.str("email")
	}
	if c.outsideForbidden() || email != "" && !full {
		return nil, c.forbidden()
	}
	q, err := c.listQuery(unsafeRule())
	if err != nil {
		return nil, err
	}
	if sort, sent := c.query["sort"]; sent && len(q.sort) == 0 {
		return nil, plain("the sort " + fmt.Sprint(sort) + " is none for the database")
	}
	holds := q.holds
	if email != "" {
		wanted := c.userByEmail(email)
		holds = func(u *account) bool { return u == wanted }
	}
	var keys []sortKey
	for _, key := range q.sort {
		keys = append(keys, implied(key.name, key.direction)...)
	}
	q.sort = slices.DeleteFunc(keys, func(k sortKey) bool { return !listedKey(k.name, full) })
	if _, sent := c.query["sort"]; sent && len(q.sort) == 0 {
		q.sort = []sortKey{{"", 1}} // as they came
	}
	page := c.page(q, holds)
	items := make([]any, 0, len(page.users))
	for _, u := range page.users {
		p := u.listed(full)
		p.NameInsensitive = json.RawMessage("null")
		if name := u.shownName(); name != nil {
			p.NameInsensitive = strings.ToLower(*name)
		}
		items = append(items, q.reduce(p, u))
	}
	return page.answer("users", items), nil
}

// listedKey reports whether users.list can sort by a field: it sorts what it shows.
func listedKey(name string, full bool) bool {
	return slices.Contains([]string{"_id", "username", "name", "nameInsensitive", "status", "active", "type"}, name) ||
		full && slices.Contains([]string{"emails", "emails.address", "roles", "lastLogin"}, name)
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
	if i := slices.IndexFunc(q.sort, func(k sortKey) bool { return k.name == "status" }); i >= 0 {
		q.sort = append(q.sort, sortKey{"active", q.sort[i].direction})
	}
	term, roles := strings.ToLower(c.query.str("searchTerm")), c.query.strings("roles")
	reasons := c.query.strings("inactiveReason")
	unreasoned := slices.ContainsFunc(reasons, func(r string) bool { return r != "pending_approval" })
	_, asksLogin := c.query["hasLoggedIn"]
	full := c.may("view-full-other-user-info")
	page := c.page(q, func(u *account) bool {
		switch {
		case c.query.has("status") && u.active != (c.query.str("status") == "active"):
		case asksLogin && u.lastLogin.IsZero() == c.query.flag("hasLoggedIn"):
		case c.query.str("type") != "" && u.kind != c.query.str("type"):
		case len(roles) > 0 && !slices.Contains(roles, "all") && !slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(u.roles, r) }):
		case len(reasons) > 0 && !slices.Contains(reasons, u.inactiveReason) && (!unreasoned || u.inactiveReason != ""):
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
		if c.does(extensions) {
			p.Extension = u.extension
		}
		items = append(items, p)
	}
	return page.answer("users", items), nil
}

// matches reports whether the lower-cased term is part of the name, the username or, if
// requested, an address.
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
	if !c.does(tellsDeletedRooms) {
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
	for _, id := range slices.Clone(u.rooms) { // direct messages go with either of the two
		if r := c.rooms[id]; r.kind == direct && len(r.members) <= 2 {
			removed = append(removed, id)
			c.removeRoom(r)
		}
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

// activate activates or deactivates a user. Deactivation ends all sessions, and is refused
// for the last administrator and, unless confirmed, for the last owner of a room.
func (c *call) activate(id string, active, confirmed bool) (*account, error) {
	if !c.may("edit-other-user-active-status") {
		return nil, coded("error-not-allowed", "Not allowed", fields{"method": "setUserActiveStatus"})
	}
	u := c.users[id]
	if u == nil {
		return nil, plain("User not found")
	}
	if u.federated {
		return nil, coded("error-user-is-federated", "Cannot change federated users status", fields{"method": "setUserActiveStatus"})
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

// activateFrom applies the field active of a request, if set.
func (c *call) activateFrom(id string, o object, confirmed bool) error {
	switch active := o["active"].(type) {
	case bool:
		_, err := c.activate(id, active, confirmed)
		return err
	case nil:
		if _, sent := o["active"]; sent {
			return noMatch("boolean", "null", "")
		}
	}
	return nil
}

func (db *database) setActive(u *account, active bool, reason string) {
	u.active, u.inactiveReason = active, reason
	if !active && u.agentStatus != "" {
		u.agentStatus = notAvailable
	}
	if !active && db.does(oauthEnds) {
		db.dropOAuth(func(_ *oauthApp, user *account) bool { return user == u })
	}
	if active {
		u.inactiveReason, u.reason = "", ""
	}
	db.touch(u)
}

// deactivateIdle is users.deactivateIdle.
func (c *call) deactivateIdle() (any, error) {
	since := c.now().AddDate(0, 0, -int(math.Ceil(c.body.number("daysIdle")))) // parts of a day count as one
	wanted := c.body.str("role")
	if wanted == "" {
		wanted = "user"
	}
	n := 0
	for _, u := range c.users {
		last := u.lastLogin
		if last.IsZero() {
			last = u.createdAt
		}
		if !u.active || last.After(since) || !slices.Contains(u.roles, wanted) {
			continue
		}
		c.setActive(u, false, "idle_too_long")
		if c.does(idleLosesTokens) {
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
	case !truthy(c.body["password"]):
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
