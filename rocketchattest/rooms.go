package rocketchattest

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Room is a room on the server, for tests that prepare or inspect its state.
type Room struct {
	ID, Name string
	// Kind is "c" for a channel, "p" for a private group and "d" for direct messages.
	Kind string
	// Team is the ID of the team that the room belongs to.
	Team string
	// Default is set if new users join the room.
	Default bool
	// Owners and Members are usernames in the order they joined. Owners are members too.
	Owners, Members []string
}

// Rooms returns all rooms, sorted by name.
func (s *Server) Rooms() []Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Room, 0, len(s.rooms))
	for _, r := range s.rooms {
		all = append(all, s.toRoom(r))
	}
	slices.SortFunc(all, func(a, b Room) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	return all
}

// Room returns a room by its ID.
func (s *Server) Room(id string) (Room, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[id]
	if r == nil {
		return Room{}, false
	}
	return s.toRoom(r), true
}

func (db *database) toRoom(r *room) Room {
	out := Room{ID: r.id, Name: r.name, Kind: r.kind, Default: r.isDefault}
	if r.team != nil {
		out.Team = r.team.id
	}
	for _, m := range r.inOrder() {
		name := db.users[m.user].username
		out.Members = append(out.Members, name)
		if m.holds(owner) {
			out.Owners = append(out.Owners, name)
		}
	}
	return out
}

// AddRoom adds a private room with its owners and returns its ID. Other members join with [Server.Join].
// A user who is the last owner of a room cannot be deleted or deactivated without confirmation.
func (s *Server) AddRoom(name string, owners ...string) (roomID string) {
	return s.newRoom(name, private, owners)
}

// AddChannel adds a public channel with its owners and returns its ID.
func (s *Server) AddChannel(name string, owners ...string) (roomID string) {
	return s.newRoom(name, channel, owners)
}

func (s *Server) newRoom(name, kind string, owners []string) (roomID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.addRoom(newDatabaseID(), name, kind)
	for _, username := range owners {
		if u := s.userByName(username); u != nil {
			s.join(r, u, 0, owner)
		}
	}
	return r.id
}

// Join makes users members of a room, and of the team if it is a team's main room. Unknown names are ignored.
func (s *Server) Join(roomID string, usernames ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range usernames {
		if u := s.userByName(name); u != nil {
			s.join(s.rooms[roomID], u, 0)
		}
	}
}

// SetOwners makes exactly these users owners of a room, and of the team if it is a team's
// main room. They also become members. Unknown names are ignored.
func (s *Server) SetOwners(roomID string, usernames ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[roomID]
	if r == nil {
		return
	}
	for _, m := range r.members {
		m.drop(owner)
	}
	for _, name := range usernames {
		if u := s.userByName(name); u != nil {
			s.join(r, u, 0)
			r.members[u.id].give(owner)
		}
	}
}

// SetDefault sets whether new users join a room.
func (s *Server) SetDefault(roomID string, isDefault bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rooms[roomID]; r != nil {
		r.isDefault = isDefault
	}
}

// The kinds of rooms.
const (
	channel = "c"
	private = "p"
	direct  = "d"
)

// owner is the role of those who own a room.
const owner = "owner"

// room is a channel, a private group, the main room of a team or a room of direct messages.
type room struct {
	id, name, kind string
	created        time.Time
	updated        time.Time
	creator        *person // nil for rooms that the server came with
	readOnly       bool
	isDefault      bool
	favorite       bool // new users who join it as a default room have it among their favorites
	team           *team
	customFields   map[string]any
	members        map[string]*subscription // by user id
	joins          int
}

// subscription is somebody's membership in a room.
type subscription struct {
	id       string
	user     string
	roles    []string
	unread   int
	favorite bool
	joined   int
	since    time.Time
}

func (m *subscription) holds(role string) bool { return slices.Contains(m.roles, role) }

func (m *subscription) give(role string) {
	if !m.holds(role) {
		m.roles = append(m.roles, role)
	}
}

func (m *subscription) drop(role string) {
	m.roles = slices.DeleteFunc(m.roles, func(id string) bool { return id == role })
}

const general = "GENERAL"

func (db *database) addRoom(id, name, kind string) *room {
	r := &room{id: id, name: name, kind: kind, created: db.now(), updated: db.now(), members: map[string]*subscription{}}
	db.rooms[id] = r
	return r
}

// mainRoom reports whether the room is the main room of its team.
func (r *room) mainRoom() bool { return r.team != nil && r.team.roomID == r.id }

// inOrder are the memberships in the order in which people joined.
func (r *room) inOrder() []*subscription {
	all := make([]*subscription, 0, len(r.members))
	for _, m := range r.members {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *subscription) int { return cmp.Compare(a.joined, b.joined) })
	return all
}

func (r *room) owners() int {
	n := 0
	for _, m := range r.members {
		if m.holds(owner) {
			n++
		}
	}
	return n
}

func (db *database) join(r *room, u *account, unread int, roles ...string) {
	if r == nil || r.members[u.id] != nil {
		return
	}
	r.joins++
	r.members[u.id] = &subscription{id: newDatabaseID(), user: u.id, roles: roles, unread: unread, joined: r.joins, since: db.now()}
	r.updated = db.now()
	u.rooms = append(u.rooms, r.id)
}

func (db *database) leave(r *room, u *account) {
	delete(r.members, u.id)
	u.rooms = slices.DeleteFunc(u.rooms, func(id string) bool { return id == r.id })
}

// joinDefaults makes a new user a member of the default rooms.
func (db *database) joinDefaults(u *account) {
	for _, r := range db.roomsInOrder(func(r *room) bool { return r.isDefault }) {
		db.join(r, u, 1)
		r.members[u.id].favorite = r.favorite
	}
}

// roomsInOrder are the rooms a condition holds for, in the order they were created.
func (db *database) roomsInOrder(holds func(*room) bool) []*room {
	var found []*room
	for _, r := range db.rooms {
		if holds(r) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *room) int { return cmp.Or(a.created.Compare(b.created), strings.Compare(a.id, b.id)) })
	return found
}

func (db *database) roomByName(name string) *room {
	for _, r := range db.rooms {
		if r.name == name && r.kind != direct {
			return r
		}
	}
	return nil
}

// removeRoom forgets a room, and the team whose main room it is.
func (db *database) removeRoom(r *room) {
	for id := range r.members {
		db.leave(r, db.users[id])
	}
	delete(db.rooms, r.id)
	if r.mainRoom() {
		db.removeTeam(r.team)
	}
	db.invites = slices.DeleteFunc(db.invites, func(i *invite) bool { return i.room == r })
}

// lastOwnerRooms are the rooms that u alone owns: those that are removed when u goes, and those that get another owner. A public room
// without an heir stays without an owner. A private room is removed too if u is no owner but alone in it.
func (db *database) lastOwnerRooms(u *account) (removed, inherited []*room) {
	for _, id := range u.rooms {
		r := db.rooms[id]
		switch lastOwner := r.members[u.id].holds(owner) && r.owners() == 1; {
		case lastOwner && db.heir(r, u) != nil:
			inherited = append(inherited, r)
		case r.kind != channel && (lastOwner || !r.members[u.id].holds(owner) && len(r.members) == 1):
			removed = append(removed, r)
		}
	}
	return removed, inherited
}

// relinquish removes the rooms of a leaving user or gives them to an heir, and returns the
// IDs of the removed ones. Without confirmation it fails if there are such rooms.
func (db *database) relinquish(u *account, confirmed bool) ([]string, error) {
	removed, inherited := db.lastOwnerRooms(u)
	if len(removed)+len(inherited) > 0 && !confirmed {
		return nil, coded("user-last-owner", "", fields{"shouldBeRemoved": roomNames(removed), "shouldChangeOwner": roomNames(inherited)})
	}
	ids := []string{}
	for _, r := range inherited {
		db.heir(r, u).give(owner)
	}
	for _, r := range removed {
		ids = append(ids, r.id)
		db.removeRoom(r)
	}
	return ids, nil
}

// heir is the active member besides u who has been in a room longest, nil if there is none.
func (db *database) heir(r *room, u *account) *subscription {
	for _, m := range r.inOrder() {
		if m.user != u.id && db.users[m.user].active {
			return m
		}
	}
	return nil
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
		m := r.members[u.id]
		items = append(items, roomItem{m.id, m.unread, r.id, db.roomName(r, u), r.kind, m.roles})
	}
	slices.SortFunc(items, func(a, b roomItem) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	return items
}

// roomName is the name of a room for one of its members. Direct messages have the names of
// the others.
func (db *database) roomName(r *room, u *account) string {
	if r.kind != direct {
		return r.name
	}
	var others []string
	for id := range r.members {
		if id != u.id {
			others = append(others, db.users[id].username)
		}
	}
	if others == nil { // a room for notes to oneself
		return u.username
	}
	slices.Sort(others)
	return strings.Join(others, ", ")
}

// shareRoom reports whether two users are in a room together.
func (db *database) shareRoom(a, b *account) bool {
	return slices.ContainsFunc(a.rooms, func(id string) bool { return db.rooms[id].members[b.id] != nil })
}

// rolePriorities returns the priorities of a user's roles by room, which servers store with
// the user.
func (db *database) rolePriorities(u *account) map[string]int {
	const moderator, others = 500, 10_000
	if !db.does(rolePriorities) {
		return nil
	}
	priorities := map[string]int{}
	for _, id := range u.rooms {
		switch m := db.rooms[id].members[u.id]; {
		case m.holds(owner):
			priorities[id] = 0
		case m.holds("moderator"):
			priorities[id] = moderator
		case len(m.roles) > 0:
			priorities[id] = others
		}
	}
	return priorities
}
