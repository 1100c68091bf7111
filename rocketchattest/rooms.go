package rocketchattest

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// room is a channel, a private group or the main room of a team.
type room struct {
	id, name, kind string
	members        map[string]*subscription // by user id
}

// subscription is somebody's membership in a room.
type subscription struct {
	id     string
	user   string
	roles  []string
	unread int
	joined int
}

type team struct {
	id, name, roomID string
	kind             int // 0 public, 1 private
	createdAt        time.Time
	creator          *account
	members          []string
	owners           []string
}

const general = "GENERAL"

func (db *database) addRoom(id, name, kind string) *room {
	r := &room{id: id, name: name, kind: kind, members: map[string]*subscription{}}
	db.rooms[id] = r
	return r
}

func (db *database) join(r *room, u *account, unread int, roles ...string) {
	if r == nil || r.members[u.id] != nil {
		return
	}
	r.members[u.id] = &subscription{id: newID(), user: u.id, roles: roles, unread: unread, joined: len(r.members)}
	u.rooms = append(u.rooms, r.id)
}

// ownerRooms are the rooms that would be left without an owner: those that nobody else is in, and those that others are in.
func (db *database) ownerRooms(u *account) (alone, shared []*room) {
	for _, id := range u.rooms {
		r := db.rooms[id]
		if !r.onlyOwner(u) {
			continue
		}
		if len(r.members) == 1 {
			alone = append(alone, r)
		} else {
			shared = append(shared, r)
		}
	}
	return alone, shared
}

func (r *room) onlyOwner(u *account) bool {
	if own := r.members[u.id]; own == nil || !slices.Contains(own.roles, "owner") {
		return false
	}
	for _, m := range r.members {
		if m.user != u.id && slices.Contains(m.roles, "owner") {
			return false
		}
	}
	return true
}

// relinquish gives away or removes the rooms of a user who goes, and returns the ids of the removed ones. Without confirmation it
// refuses when there are such rooms.
func (db *database) relinquish(u *account, confirmed bool) ([]string, error) {
	alone, shared := db.ownerRooms(u)
	if len(alone)+len(shared) > 0 && !confirmed {
		return nil, coded("user-last-owner", "", fields{"shouldBeRemoved": roomNames(alone), "shouldChangeOwner": roomNames(shared)})
	}
	removed := []string{}
	for _, r := range alone {
		removed = append(removed, r.id)
		delete(db.rooms, r.id)
		u.rooms = slices.DeleteFunc(u.rooms, func(id string) bool { return id == r.id })
	}
	for _, r := range shared {
		r.members[u.id].roles = nil
		heir := r.oldestBesides(u)
		heir.roles = append(heir.roles, "owner")
	}
	return removed, nil
}

func (r *room) oldestBesides(u *account) *subscription {
	var oldest *subscription
	for _, m := range r.members {
		if m.user != u.id && (oldest == nil || m.joined < oldest.joined) {
			oldest = m
		}
	}
	return oldest
}

func roomNames(rooms []*room) []string {
	names := make([]string, 0, len(rooms))
	for _, r := range rooms {
		names = append(names, r.name)
	}
	return names
}

type roomItem struct {
	ID     string   `json:"_id"`
	Unread int      `json:"unread"`
	RID    string   `json:"rid"`
	Name   string   `json:"name"`
	Kind   string   `json:"t"`
	Roles  []string `json:"roles,omitempty"`
}

// roomItems are the rooms of a user by type and name.
func (db *database) roomItems(u *account) []roomItem {
	items := make([]roomItem, 0, len(u.rooms))
	for _, id := range u.rooms {
		r := db.rooms[id]
		s := r.members[u.id]
		items = append(items, roomItem{s.id, s.unread, r.id, r.name, r.kind, s.roles})
	}
	slices.SortFunc(items, func(a, b roomItem) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	return items
}

// shareRoom tells whether two users are in a room together, the default room aside.
func (db *database) shareRoom(a, b *account) bool {
	return slices.ContainsFunc(a.rooms, func(id string) bool { return db.rooms[id].members[b.id] != nil })
}

type teamItem struct {
	ID        string `json:"_id"`
	Name      string `json:"name"`
	Kind      int    `json:"type"`
	CreatedAt stamp  `json:"createdAt"`
	CreatedBy person `json:"createdBy"`
	UpdatedAt stamp  `json:"_updatedAt"`
	RoomID    string `json:"roomId"`
	IsOwner   bool   `json:"isOwner"`
}

type person struct {
	ID       string `json:"_id"`
	Username string `json:"username"`
}

// listTeams is users.listTeams.
func (c *call) listTeams() (any, error) {
	id := c.query.str("userId")
	items := []teamItem{}
	for _, t := range c.teams {
		hidden := t.kind == 1 && !slices.Contains(t.members, c.me.id) && !c.may("view-all-teams")
		if hidden || !slices.Contains(t.members, id) {
			continue
		}
		items = append(items, teamItem{
			t.id, t.name, t.kind,
			stamp{t.createdAt},
			person{t.creator.id, t.creator.username},
			stamp{t.createdAt},
			t.roomID, slices.Contains(t.owners, id),
		})
	}
	return fields{"teams": items}, nil
}
