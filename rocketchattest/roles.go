package rocketchattest

import "slices"

// listRoles is roles.list.
func (c *call) listRoles() (any, error) {
	items := make([]role, 0, len(c.roles))
	for _, r := range c.roles {
		item := *r
		item.UpdatedAt = stamp{}
		items = append(items, item)
	}
	return fields{"roles": items}, nil
}

// syncRoles is roles.sync.
func (c *call) syncRoles() (any, error) {
	asked := c.query.str("updatedSince")
	since, ok := parseDate(asked)
	switch {
	case !c.query.has("updatedSince") && !c.typed():
		return nil, plain("Match error: Missing key 'updatedSince'")
	case !ok && !c.typed():
		return nil, plain("Match error: Failed Match.Where validation in field updatedSince")
	case !ok && asked != "":
		return nil, coded("error-invalid-param", "updatedSince must be a valid date string", nil)
	}
	changed := []*role{}
	for _, r := range c.roles {
		if !r.UpdatedAt.Before(since) {
			changed = append(changed, r)
		}
	}
	return fields{"roles": fields{"update": changed, "remove": []any{}}}, nil
}

type roleMember struct {
	ID         string    `json:"_id"`
	CreatedAt  stamp     `json:"createdAt,omitzero"`
	Username   string    `json:"username"`
	Emails     []address `json:"emails,omitempty"`
	Name       *string   `json:"name,omitempty"`
	UpdatedAt  stamp     `json:"_updatedAt,omitzero"`
	AvatarETag string    `json:"avatarETag,omitempty"`
}

// usersInRole is roles.getUsersInRole, whose answer has a total but neither count nor offset.
func (c *call) usersInRole() (any, error) {
	name, roomID := c.query.str("role"), c.query.str("roomId")
	if name == "" {
		return nil, coded("error-param-not-provided", `Query param "role" is required`, nil)
	}
	if roomID != "" && !c.may("view-other-user-channels") {
		return nil, coded("error-not-allowed", "Not allowed", nil)
	}
	r := c.role(name)
	if r == nil && c.does(rolesByName) {
		r = c.roleByName(name)
	}
	if r == nil {
		return nil, coded("error-invalid-roleId", "", nil)
	}
	q, err := c.pagination() // in the order of the usernames, whatever is asked
	if err != nil {
		return nil, err
	}
	page := c.page(q, func(u *account) bool { return c.holdsRole(u, r, roomID) })
	items := make([]roleMember, 0, len(page.users))
	for _, u := range page.users {
		m := roleMember{ID: u.id, CreatedAt: stamp{u.createdAt}, Username: u.username, Emails: u.emails, Name: u.shownName(), UpdatedAt: stamp{u.updatedAt}}
		if u.picture != nil {
			m.AvatarETag = u.picture.etag
		}
		items = append(items, m)
	}
	return fields{"users": items, "total": page.total}, nil
}

// holdsRole reports whether u has a role: on the server, or in a room, where no room means any.
func (db *database) holdsRole(u *account, r *role, roomID string) bool {
	if !r.roomScoped() {
		return slices.Contains(u.roles, r.ID)
	}
	return slices.ContainsFunc(u.rooms, func(id string) bool {
		return (roomID == "" || id == roomID) && slices.Contains(db.rooms[id].members[u.id].roles, r.ID)
	})
}

// usersInPublicRoles is roles.getUsersInPublicRoles; a role is public when it has a description.
func (c *call) usersInPublicRoles() (any, error) {
	public := func(id string) bool {
		r := c.role(id)
		return r != nil && r.Description != "" && !r.roomScoped()
	}
	type holder struct {
		ID       string   `json:"_id"`
		Username string   `json:"username"`
		Roles    []string `json:"roles"`
	}
	holders := []holder{}
	for _, u := range c.inOrder() {
		shown := slices.DeleteFunc(slices.Clone(u.roles), func(id string) bool { return !public(id) })
		if len(shown) > 0 {
			holders = append(holders, holder{u.id, u.username, shown})
		}
	}
	return fields{"users": holders}, nil
}

// roleInBody is the role a request names, by id, and before 8.0 by name too.
func (c *call) roleInBody() *role {
	id := c.body.str("roleId")
	if id == "" && c.does(rolesByName) {
		return c.roleByName(c.body.str("roleName"))
	}
	return c.role(id)
}

// roleNamed refuses a request that names no role.
func (c *call) roleNamed() error {
	if c.body.str("roleId") == "" && (c.body.str("roleName") == "" || !c.does(rolesByName)) {
		return plain("error-invalid-role-properties")
	}
	return nil
}

// addToRole is roles.addUserToRole. Membership is looked at before the permission.
func (c *call) addToRole() (any, error) {
	u, err := c.chosen(object{"username": c.body.str("username")})
	if err != nil {
		return nil, err
	}
	if err := c.roleNamed(); err != nil {
		return nil, err
	}
	r, roomID := c.roleInBody(), c.body.str("roomId")
	if r == nil {
		return nil, typed("error-role-not-found", "Role not found", nil)
	}
	if (!r.roomScoped() || roomID != "") && c.holdsRole(u, r, roomID) {
		return nil, coded("error-user-already-in-role", "User already in role", nil)
	}
	refuse := func(text, action string) error {
		return coded("error-action-not-allowed", text, fields{"method": "authorization:addUserToRole", "action": action})
	}
	if !c.may("access-permissions") {
		return nil, refuse("Accessing permissions is not allowed", "Accessing_permissions")
	}
	if r.ID == "admin" && !c.may("assign-admin-role") {
		return nil, refuse("Assigning admin is not allowed", "Assign_admin")
	}
	if r.roomScoped() && roomID != "" {
		room := c.rooms[roomID]
		if room == nil || room.members[u.id] == nil {
			return nil, coded("error-invalid-user", "User is not part of given room", fields{"method": "authorization:addUserToRole"})
		}
		room.members[u.id].roles = append(room.members[u.id].roles, r.ID)
	} else if !slices.Contains(u.roles, r.ID) {
		u.roles = append(u.roles, r.ID)
	}
	c.touch(u)
	return fields{"role": r}, nil
}

// removeFromRole is roles.removeUserFromRole. The username must be spelled exactly.
func (c *call) removeFromRole() (any, error) {
	if err := c.roleNamed(); err != nil {
		return nil, err
	}
	u := c.userByName(c.body.str("username"))
	if u == nil || u.username != c.body.str("username") {
		return nil, coded("error-invalid-user", "There is no user with this username", nil)
	}
	r := c.roleInBody()
	if r == nil {
		return nil, coded("error-invalid-roleId", "This role does not exist", nil)
	}
	roomID := c.body.str("scope") // the key roomId is accepted, and ignored
	if !c.holdsRole(u, r, roomID) || r.roomScoped() && roomID == "" {
		return nil, coded("error-user-not-in-role", "User is not in this role", nil)
	}
	if r.ID == "admin" && c.count(func(o *account) bool { return slices.Contains(o.roles, "admin") }) == 1 {
		return nil, coded("error-admin-required", "You need to have at least one admin", nil)
	}
	without := func(roles []string) []string {
		return slices.DeleteFunc(slices.Clone(roles), func(id string) bool { return id == r.ID })
	}
	if r.roomScoped() {
		m := c.rooms[roomID].members[u.id]
		m.roles = without(m.roles)
	} else {
		u.roles = without(u.roles)
	}
	c.touch(u)
	return fields{"role": r}, nil
}

// deleteRole is roles.delete.
func (c *call) deleteRole() (any, error) {
	id := c.body.str("roleId")
	r := c.role(id)
	switch {
	case r == nil:
		return nil, coded("error-invalid-roleId", "This role does not exist", nil)
	case r.Protected:
		return nil, coded("error-role-protected", "Cannot delete a protected role", nil)
	case c.findUser(func(u *account) bool { return c.holdsRole(u, r, "") }) != nil:
		return nil, coded("error-role-in-use", "Cannot delete role because it's in use", nil)
	}
	c.roles = slices.DeleteFunc(c.roles, func(o *role) bool { return o == r })
	return nil, nil
}
