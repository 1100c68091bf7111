package rocketchattest

import (
	"cmp"
	"slices"
	"strings"
)

type directoryRoom struct {
	ID         string `json:"_id"`
	Default    bool   `json:"default"`
	FullName   string `json:"fname,omitempty"`
	Name       string `json:"name"`
	Kind       string `json:"t"`
	TeamID     string `json:"teamId,omitempty"`
	TeamMain   bool   `json:"teamMain,omitempty"`
	CreatedAt  stamp  `json:"ts"`
	UsersCount int    `json:"usersCount"`
	BelongsTo  string `json:"belongsTo,omitempty"`
	RoomsCount *int   `json:"roomsCount,omitempty"`
}

// directoryRooms is the part of directory that finds channels or teams: the public ones, and those that the caller is in.
func (c *call) directoryRooms(teams bool, q listQuery) any {
	term := strings.ToLower(c.query.str("text"))
	found := c.roomsInOrder(func(r *room) bool {
		return r.kind != direct && r.mainRoom() == teams && strings.Contains(strings.ToLower(r.name), term) && c.listed(r)
	})
	slices.SortStableFunc(found, func(a, b *room) int { return q.sort[0].direction * compareRooms(q.sort[0].name, a, b) })
	items := []directoryRoom{}
	for _, r := range cut(found, q.offset, q.count) {
		items = append(items, c.directoryRoom(r))
	}
	return fields{"result": items, "count": len(items), "offset": q.offset, "total": len(found)}
}

// listed reports whether the directory shows a room to the caller: private ones to members only, rooms of a team to those in it.
func (c *call) listed(r *room) bool {
	if r.members[c.me.id] != nil {
		return true
	}
	return r.kind == channel && (r.team == nil || r.mainRoom() || !r.team.private() || c.rooms[r.team.roomID].members[c.me.id] != nil)
}

func compareRooms(by string, a, b *room) int {
	switch by {
	case "createdAt":
		return a.created.Compare(b.created)
	case "usersCount":
		return cmp.Compare(len(a.members), len(b.members))
	}
	return strings.Compare(a.name, b.name)
}

func (db *database) directoryRoom(r *room) directoryRoom {
	o := db.roomObject(r)
	item := directoryRoom{
		ID: o.ID, Default: o.Default, FullName: o.FullName, Name: o.Name, Kind: o.Kind, TeamID: o.TeamID, TeamMain: o.TeamMain,
		CreatedAt: o.CreatedAt, UsersCount: o.UsersCount,
	}
	switch {
	case r.mainRoom():
		item.RoomsCount = new(len(db.roomsInOrder(func(other *room) bool { return other.team == r.team && other != r })))
	case r.team != nil:
		item.BelongsTo = r.team.name
	}
	return item
}
