package rocketchattest

import (
	"slices"
	"strings"
)

// roomKind is what channels and private groups do differently.
type roomKind struct {
	prefix  string // of the endpoints
	kind    string
	key     string // of the room in answers
	mayMake string // the permission to create one
	mayDrop string // the permission to delete one
	mayAdd  string // the permission to add people to one without being in it
}

func roomKinds() []roomKind {
	return []roomKind{
		{"channels", channel, "channel", "create-c", "delete-c", "add-user-to-any-c-room"},
		{"groups", private, "group", "create-p", "delete-p", "add-user-to-any-p-room"},
	}
}

// roomRoutes are the endpoints of channels, groups and direct messages.
func roomRoutes() []route {
	list := []route{
		{op: "channels.join", method: post, run: (*call).joinChannel},
		{op: "channels.setDefault", method: post, run: (*call).setDefaultChannel},
		{op: "rooms.info", method: get, run: (*call).roomInfo},
		{op: "rooms.saveRoomSettings", method: post, run: (*call).saveRoomSettings},
		{op: "im.create", method: post, run: (*call).createDirect},
		{op: "im.delete", method: post, run: (*call).deleteDirect},
		{op: "subscriptions.getOne", method: get, query: closed(str("roomId").must()), run: (*call).oneSubscription},
	}
	for _, k := range roomKinds() {
		in := func(run func(*call, roomKind, *room) (any, error)) func(*call) (any, error) {
			return func(c *call) (any, error) {
				r, err := c.chosenRoom(k)
				if err != nil {
					return nil, err
				}
				return run(c, k, r)
			}
		}
		list = append(
			list,
			route{op: k.prefix + ".create", method: post, run: func(c *call) (any, error) { return c.createRoom(k) }},
			route{op: k.prefix + ".info", method: get, run: in((*call).showRoom)},
			route{op: k.prefix + ".delete", method: post, run: in((*call).deleteRoom)},
			route{op: k.prefix + ".invite", method: post, run: in((*call).inviteToRoom)},
			route{op: k.prefix + ".kick", method: post, run: in((*call).kickFromRoom)},
			route{op: k.prefix + ".leave", method: post, run: in((*call).leaveRoom)},
			route{op: k.prefix + ".members", method: get, run: in((*call).roomMembers)},
			route{op: k.prefix + ".roles", method: get, run: in((*call).roomRoles)},
		)
		for _, role := range []string{owner, "moderator", "leader"} {
			title := strings.ToUpper(role[:1]) + role[1:]
			list = append(
				list,
				route{op: k.prefix + ".add" + title, method: post, run: in(func(c *call, _ roomKind, r *room) (any, error) {
					return c.giveRoomRole(r, role, "addRoom"+title)
				})},
				route{op: k.prefix + ".remove" + title, method: post, run: in(func(c *call, _ roomKind, r *room) (any, error) {
					return c.dropRoomRole(r, role, "removeRoom"+title)
				})},
			)
		}
	}
	return list
}

// roomObject is a room as the API shows it.
type roomObject struct {
	ID           string         `json:"_id"`
	FullName     string         `json:"fname,omitempty"`
	UpdatedAt    stamp          `json:"_updatedAt"`
	CustomFields map[string]any `json:"customFields,omitempty"`
	Name         string         `json:"name,omitempty"`
	Kind         string         `json:"t"`
	Messages     int            `json:"msgs"`
	UsersCount   int            `json:"usersCount"`
	Creator      *roomPerson    `json:"u,omitempty"`
	CreatedAt    stamp          `json:"ts"`
	ReadOnly     bool           `json:"ro"`
	Default      bool           `json:"default"`
	SysMes       bool           `json:"sysMes"`
	TeamID       string         `json:"teamId,omitempty"`
	TeamMain     bool           `json:"teamMain,omitempty"`
}

type roomPerson struct {
	ID       string `json:"_id"`
	Username string `json:"username"`
	Name     string `json:"name,omitempty"`
}

func (db *database) roomObject(r *room) roomObject {
	o := roomObject{
		ID: r.id, UpdatedAt: stamp{r.updated}, CustomFields: r.customFields, Name: r.name, Kind: r.kind, UsersCount: len(r.members),
		CreatedAt: stamp{r.created}, ReadOnly: r.readOnly, Default: r.isDefault, SysMes: true, TeamMain: r.mainRoom(),
	}
	if r.id != general {
		o.FullName = r.name
	}
	if r.creator != nil {
		o.Creator = &roomPerson{ID: r.creator.ID, Username: r.creator.Username}
		if u := db.users[r.creator.ID]; u != nil {
			o.Creator.Username, o.Creator.Name = u.username, u.name
		}
	}
	if r.team != nil {
		o.TeamID = r.team.id
	}
	return o
}

// canSee reports whether the caller has access to a room: as a member, or because it is public.
func (c *call) canSee(r *room) bool {
	if r.members[c.me.id] != nil {
		return true
	}
	if r.kind != channel || !c.may("view-c-room") {
		return false
	}
	// rooms of a private team are for its members
	return r.team == nil || !r.team.private() || c.rooms[r.team.roomID].members[c.me.id] != nil
}

// chosenRoom is the room a request names by roomId or roomName. Groups are known to their members only.
func (c *call) chosenRoom(k roomKind) (*room, error) {
	in := c.body
	if c.r.Method == get {
		in = c.query
	}
	unknown := coded("error-room-not-found", `The required "roomId" or "roomName" param provided does not match any `+k.key, nil)
	id, name := in.str("roomId"), in.str("roomName")
	if k.kind == private && id == "" && name == "" {
		return nil, coded("error-room-param-not-provided", `The parameter "roomId" or "roomName" is required`, nil)
	}
	r := c.rooms[id]
	if _, byID := in["roomId"]; !byID {
		r = c.roomByName(name)
	}
	if r == nil || r.kind != k.kind {
		return nil, unknown
	}
	// who may add people to groups in general need not be in one
	if k.kind == private && !c.canSee(r) && c.route.op != "groups.invite" {
		return nil, unknown
	}
	return r, nil
}

// createRoom is channels.create and groups.create.
func (c *call) createRoom(k roomKind) (any, error) {
	param := "Body param"
	if k.kind == channel {
		param = "Param"
	}
	name := c.body.str("name")
	_, isList := c.body["members"].([]any)
	switch {
	case !c.may(k.mayMake):
		return nil, c.forbidden()
	case name == "":
		return nil, plain(param + ` "name" is required`)
	case c.body.has("members") && !isList:
		return nil, plain(param + ` "members" must be an array if provided`)
	case c.body.has("customFields") && c.body.object("customFields") == nil:
		return nil, plain(param + ` "customFields" must be an object if provided`)
	}
	if name = strings.TrimSpace(name); !c.validRoomName(name) {
		return nil, coded("error-invalid-room-name", name+" is not a valid room name.", fields{"function": "RocketChat.getValidRoomName", "channel_name": name})
	}
	if c.roomByName(name) != nil {
		return nil, coded("error-duplicate-channel-name", "A channel with name '"+name+"' exists", fields{"function": "RocketChat.getValidRoomName", "channel_name": name})
	}
	r := c.addRoom(newDatabaseID(), name, k.kind)
	r.creator = &person{c.me.id, c.me.username}
	r.readOnly, r.customFields = c.body.flag("readOnly"), c.body.object("customFields")
	if !c.body.flag("excludeSelf") {
		c.join(r, c.me, 0, owner)
	}
	for _, member := range c.body.strings("members") {
		if u := c.userByName(member); u != nil && u.username == member {
			c.join(r, u, 0)
		}
	}
	if id := c.body.object("extraData").str("teamId"); id != "" {
		if i := slices.IndexFunc(c.teams, func(t *team) bool { return t.id == id }); i >= 0 {
			r.team = c.teams[i]
		}
	}
	return fields{k.key: c.roomObject(r)}, nil
}

// validRoomName reports whether a room may have that name.
func (db *database) validRoomName(name string) bool {
	return name != "" && matchesWhole(db.text("UTF8_Channel_Names_Validation"), name)
}

func (c *call) showRoom(k roomKind, r *room) (any, error) { return fields{k.key: c.roomObject(r)}, nil }

// roomInfo is rooms.info.
func (c *call) roomInfo() (any, error) {
	id, name := c.query.str("roomId"), c.query.str("roomName")
	if id == "" && name == "" {
		return nil, coded("error-roomid-param-not-provided", `The parameter "roomId" or "roomName" is required`, nil)
	}
	r := c.rooms[id]
	if id == "" {
		r = c.roomByName(name)
	}
	switch {
	case r == nil:
		return nil, coded("error-room-not-found", `The required "roomId" or "roomName" param provided does not match any channel`, nil)
	case !c.canSee(r):
		return nil, plain("not-allowed")
	}
	return fields{"room": c.roomObject(r)}, nil
}

// deleteRoom is channels.delete and groups.delete. The main room of a team goes with the team only.
func (c *call) deleteRoom(k roomKind, r *room) (any, error) {
	where := fields{"method": "eraseRoom"}
	switch {
	case r.mainRoom():
		return nil, coded("error-cannot-delete-team-channel", "Cannot delete a team channel", where)
	case !c.mayIn(k.mayDrop, r):
		return nil, coded("error-not-allowed", "Not allowed", where)
	}
	c.removeRoom(r)
	return nil, nil
}

// joinChannel is channels.join.
func (c *call) joinChannel() (any, error) {
	r, err := c.chosenRoom(roomKinds()[0])
	if err != nil {
		return nil, err
	}
	if !c.canSee(r) {
		return nil, coded("error-not-allowed", "Not allowed", fields{"method": "joinRoom"})
	}
	c.join(r, c.me, 0)
	return fields{"channel": c.roomObject(r)}, nil
}
