package rocketchattest

// subscriptionObject is a membership as its owner sees it.
type subscriptionObject struct {
	ID            string     `json:"_id"`
	Open          bool       `json:"open"`
	Alert         bool       `json:"alert"`
	Unread        int        `json:"unread"`
	UserMentions  int        `json:"userMentions"`
	GroupMentions int        `json:"groupMentions"`
	Since         stamp      `json:"ts"`
	RID           string     `json:"rid"`
	Name          string     `json:"name,omitempty"`
	FullName      string     `json:"fname,omitempty"`
	Kind          string     `json:"t"`
	User          roomPerson `json:"u"`
	Roles         []string   `json:"roles,omitempty"`
	Favorite      bool       `json:"f,omitempty"`
	UpdatedAt     stamp      `json:"_updatedAt"`
}

// oneSubscription is subscriptions.getOne: the caller's membership in a room, or null.
func (c *call) oneSubscription() (any, error) {
	id := c.query.str("roomId")
	if id == "" {
		return nil, plain("The 'roomId' param is required")
	}
	r := c.rooms[id]
	if r == nil || r.members[c.me.id] == nil {
		return fields{"subscription": nil}, nil
	}
	m := r.members[c.me.id]
	name := c.roomName(r, c.me)
	fullName := name
	if other := c.userByName(name); r.kind == direct && other != nil {
		fullName = other.name
	}
	return fields{"subscription": subscriptionObject{
		ID: m.id, Open: true, Alert: m.unread > 0, Unread: m.unread, UserMentions: m.unread, Since: stamp{m.since}, RID: r.id, Name: name,
		FullName: fullName, Kind: r.kind, User: roomPerson{c.me.id, c.me.username, c.me.name}, Roles: m.roles, Favorite: m.favorite, UpdatedAt: stamp{m.since},
	}}, nil
}
