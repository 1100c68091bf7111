package rocketchattest

import (
	"slices"
	"strings"
)

// usersInBody are the users a request names, one or several; unknown ones are left out.
func (c *call) usersInBody() ([]*account, error) {
	sole := c.body.str("userId") + c.body.str("username") + c.body.str("user")
	byID := c.body.has("userIds") || c.body.has("userId")
	names := c.body.strings("usernames")
	if c.body.has("userIds") {
		names = c.body.strings("userIds")
	}
	if sole != "" {
		names = append(names, sole)
	}
	if len(names) == 0 {
		return nil, coded("error-users-params-not-provided", `Please provide "userId" or "username" or "userIds" or "usernames" as param`, nil)
	}
	var found []*account
	for _, name := range names {
		u := c.userByName(name)
		if byID {
			u = c.users[name]
		}
		if u != nil && !slices.Contains(found, u) {
			found = append(found, u)
		}
	}
	return found, nil
}

// inviteToRoom is channels.invite and groups.invite, which make people members at once.
func (c *call) inviteToRoom(k roomKind, r *room) (any, error) {
	users, err := c.usersInBody()
	switch {
	case err != nil:
		return nil, err
	case len(users) == 0 && k.kind == channel:
		return nil, typed("invalid-user-invite-list", "Cannot invite if no users are provided", nil)
	case len(users) == 0:
		return nil, coded("error-empty-invite-list", "Cannot invite if no valid users are provided", nil)
	case !c.mayInvite(k, r):
		return nil, coded("error-not-allowed", "Not allowed", fields{"method": "addUsersToRoom"})
	}
	for _, u := range users {
		c.join(r, u, 0)
	}
	return fields{k.key: c.roomObject(r)}, nil
}

// mayInvite reports whether the caller may add people to a room: as a member, or to any room of its kind.
func (c *call) mayInvite(k roomKind, r *room) bool {
	return r.members[c.me.id] != nil && c.mayIn("add-user-to-joined-room", r) || c.may(k.mayAdd)
}

// kickFromRoom is channels.kick and groups.kick.
func (c *call) kickFromRoom(k roomKind, r *room) (any, error) {
	where := fields{"method": "removeUserFromRoom"}
	u, err := c.chosen(c.body)
	switch {
	case err != nil:
		return nil, err
	case !c.mayIn("remove-user", r):
		return nil, coded("error-not-allowed", "Not allowed", where)
	case r.members[u.id] == nil:
		return nil, coded("error-user-not-in-room", "User is not in this room", where)
	case r.members[u.id].holds(owner) && r.owners() == 1:
		return nil, coded("error-you-are-last-owner", "You are the last owner. Please set new owner before leaving the room.", where)
	}
	c.leave(r, u)
	if k.kind == private {
		return nil, nil
	}
	return fields{k.key: c.roomObject(r)}, nil
}

// leaveRoom is channels.leave and groups.leave.
func (c *call) leaveRoom(k roomKind, r *room) (any, error) {
	where := fields{"method": "leaveRoom"}
	m := r.members[c.me.id]
	switch {
	case !c.may("leave-" + k.kind):
		return nil, coded("error-not-allowed", "Not allowed", where)
	case m == nil:
		return nil, coded("error-user-not-in-room", "You are not in this room", where)
	case m.holds(owner) && r.owners() == 1:
		return nil, coded("error-you-are-last-owner", "You are the last owner. Please set new owner before leaving the room.", where)
	}
	c.leave(r, c.me)
	if k.kind == private {
		return nil, nil
	}
	return fields{k.key: c.roomObject(r)}, nil
}

// giveRoomRole is channels.addOwner and its relatives.
func (c *call) giveRoomRole(r *room, role, method string) (any, error) {
	where := fields{"method": method}
	u, err := c.chosen(c.body)
	switch {
	case err != nil:
		return nil, err
	case !c.mayIn("set-"+role, r):
		return nil, coded("error-not-allowed", "Not allowed", where)
	case r.members[u.id] == nil:
		return nil, coded("error-user-not-in-room", "User is not in this room", where)
	case r.members[u.id].holds(role):
		return nil, coded("error-user-already-"+role, "User is already "+withArticle(role), where)
	}
	r.members[u.id].give(role)
	return nil, nil
}

// dropRoomRole is channels.removeOwner and its relatives.
func (c *call) dropRoomRole(r *room, role, method string) (any, error) {
	where := fields{"method": method}
	u, err := c.chosen(c.body)
	switch {
	case err != nil:
		return nil, err
	case !c.mayIn("set-"+role, r):
		return nil, coded("error-not-allowed", "Not allowed", where)
	case r.members[u.id] == nil:
		return nil, coded("error-invalid-room", "Invalid room", where)
	case !r.members[u.id].holds(role):
		return nil, coded("error-user-not-"+role, "User is not "+withArticle(role), where)
	case role == owner && r.owners() == 1:
		return nil, coded("error-remove-last-owner", "This is the last owner. Please set a new owner before removing this one.", where)
	}
	r.members[u.id].drop(role)
	return nil, nil
}

func withArticle(role string) string {
	if role == owner {
		return "an " + role
	}
	return "a " + role
}

type roomMember struct {
	ID         string  `json:"_id"`
	Username   string  `json:"username,omitempty"`
	Name       *string `json:"name,omitempty"`
	Nickname   string  `json:"nickname,omitempty"`
	Status     string  `json:"status,omitempty"`
	AvatarETag string  `json:"avatarETag,omitempty"`
	UpdatedAt  stamp   `json:"_updatedAt"`
	Federated  bool    `json:"federated,omitempty"`
}

// roomMembers is channels.members and groups.members: the active members by username, those with a connection first.
func (c *call) roomMembers(_ roomKind, r *room) (any, error) {
	q, err := c.listQuery(nil)
	if err != nil {
		return nil, err
	}
	found, statuses := c.search(c.query.str("filter")), c.query.strings("status")
	var users []*account
	for _, u := range c.inOrder() {
		if r.members[u.id] != nil && u.active && found(u) && (len(statuses) == 0 || slices.Contains(statuses, u.status)) {
			users = append(users, u)
		}
	}
	slices.SortStableFunc(users, func(a, b *account) int { return strings.Compare(b.statusConnection, a.statusConnection) })
	items := []roomMember{}
	for _, u := range cut(users, q.offset, q.count) {
		m := roomMember{ID: u.id, Username: u.username, Name: u.shownName(), Nickname: u.nickname, Status: u.status, UpdatedAt: stamp{u.updatedAt}, Federated: u.federated}
		if u.picture != nil {
			m.AvatarETag = u.picture.etag
		}
		items = append(items, m)
	}
	return fields{"members": items, "count": len(items), "offset": q.offset, "total": len(users)}, nil
}

type roomRole struct {
	ID    string     `json:"_id"`
	RID   string     `json:"rid"`
	User  roomPerson `json:"u"`
	Roles []string   `json:"roles"`
}

// roomRoles is channels.roles and groups.roles.
func (c *call) roomRoles(_ roomKind, r *room) (any, error) {
	if !c.canSee(r) {
		return nil, coded("error-invalid-room", "Invalid room", fields{"method": "getRoomRoles"})
	}
	items := []roomRole{}
	for _, m := range r.inOrder() {
		if len(m.roles) > 0 {
			u := c.users[m.user]
			items = append(items, roomRole{m.id, r.id, roomPerson{u.id, u.username, u.name}, m.roles})
		}
	}
	slices.SortFunc(items, func(a, b roomRole) int { return strings.Compare(a.User.Username, b.User.Username) })
	return fields{"roles": items}, nil
}
