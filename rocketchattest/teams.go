package rocketchattest

import (
	"slices"
	"strings"
	"time"
)

// Team is a team on the server, for tests that prepare or inspect its state.
type Team struct {
	ID, Name string
	Private  bool
	// RoomID is the team's main room; [Server.SetOwners] of it sets the owners of the team.
	RoomID string
	// Owners and Members are usernames in the order they joined. Owners are members too.
	Owners, Members []string
}

// Teams returns all teams in the order they were created.
func (s *Server) Teams() []Team {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Team, 0, len(s.teams))
	for _, t := range s.teams {
		r := s.toRoom(s.rooms[t.roomID])
		all = append(all, Team{t.id, t.name, t.private(), t.roomID, r.Owners, r.Members})
	}
	return all
}

// AddTeam adds a team with its main room and returns the team's ID. The first member is its creator and owner.
func (s *Server) AddTeam(name string, private bool, members ...string) (teamID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var users []*account
	for _, member := range members {
		if u := s.userByName(member); u != nil {
			users = append(users, u)
		}
	}
	creator := &account{}
	if len(users) > 0 {
		creator = users[0]
	}
	t := s.addTeam(name, private, creator)
	for i, u := range users {
		if s.join(s.rooms[t.roomID], u, 0); i == 0 {
			s.rooms[t.roomID].members[u.id].give(owner)
		}
	}
	return t.id
}

// team is a team. Its members and owners are those of its main room.
type team struct {
	id, name, roomID string
	kind             int // 0 public, 1 private
	created, updated time.Time
	creator          person
}

const (
	publicTeam  = 0
	privateTeam = 1
)

func (t *team) private() bool { return t.kind == privateTeam }

func (db *database) addTeam(name string, isPrivate bool, creator *account) *team {
	t := &team{id: newDatabaseID(), name: name, created: db.now(), updated: db.now(), creator: person{creator.id, creator.username}}
	kind := channel
	if isPrivate {
		t.kind, kind = privateTeam, private
	}
	r := db.addRoom(newDatabaseID(), name, kind)
	r.team, t.roomID = t, r.id
	db.teams = append(db.teams, t)
	return t
}

// removeTeam forgets a team; its rooms become rooms of their own.
func (db *database) removeTeam(t *team) {
	for _, r := range db.rooms {
		if r.team == t {
			r.team = nil
		}
	}
	db.teams = slices.DeleteFunc(db.teams, func(o *team) bool { return o == t })
}

type teamItem struct {
	ID        string `json:"_id"`
	Name      string `json:"name"`
	Kind      int    `json:"type"`
	CreatedAt stamp  `json:"createdAt"`
	CreatedBy person `json:"createdBy"`
	UpdatedAt stamp  `json:"_updatedAt"`
	RoomID    string `json:"roomId"`
	IsOwner   *bool  `json:"isOwner,omitempty"`
}

func (t *team) item() teamItem {
	return teamItem{t.id, t.name, t.kind, stamp{t.created}, t.creator, stamp{t.updated}, t.roomID, nil}
}

type person struct {
	ID       string `json:"_id"`
	Username string `json:"username"`
}

// teamRoutes are the endpoints of teams.
func teamRoutes() []route {
	return []route{
		{op: "users.listTeams", method: get, query: closed(str("userId").must()), run: (*call).listTeams},
		{op: "teams.create", method: post, run: (*call).createTeam},
		{op: "teams.info", method: get, run: (*call).teamInfo},
		{op: "teams.members", method: get, run: (*call).teamMembers},
		{op: "teams.addMembers", method: post, body: teamBody(list("members", obj("", closed(str("userId").must(), list("roles", str(""))))).must()), run: (*call).addTeamMembers},
		{op: "teams.delete", method: post, body: teamBody(list("roomsToRemove", str(""))), run: (*call).deleteTeam},
	}
}

func teamBody(more ...field) *schema {
	return selectors([]field{str("teamId"), str("teamName")}, more...)
}

// listTeams is users.listTeams.
func (c *call) listTeams() (any, error) {
	id := c.query.str("userId")
	items := []teamItem{}
	for _, t := range c.teams {
		members := c.rooms[t.roomID].members
		hidden := t.private() && members[c.me.id] == nil && !c.may("view-all-teams")
		if hidden || members[id] == nil {
			continue
		}
		item := t.item()
		item.IsOwner = new(members[id].holds(owner))
		items = append(items, item)
	}
	return fields{"teams": items}, nil
}

// createTeam is teams.create.
func (c *call) createTeam() (any, error) {
	if !c.may("create-team") {
		return nil, c.forbidden()
	}
	name, kind := c.body.str("name"), c.body["type"]
	switch {
	case name == "":
		return nil, plain("Match error: Missing key 'name'")
	case kind != float64(publicTeam) && kind != float64(privateTeam):
		return nil, plain("Match error: Failed Match.OneOf, Match.Maybe or Match.Optional validation in field type")
	case c.usernameTaken(name):
		return nil, plain("team-name-already-exists")
	case c.roomByName(name) != nil:
		return nil, plain("room-name-already-exists")
	}
	possessor := c.me
	if id := c.body.str("owner"); id != "" {
		if possessor = c.users[id]; possessor == nil {
			return nil, plain("error-team-creation")
		}
	}
	t := c.addTeam(name, kind == float64(privateTeam), c.me)
	r := c.rooms[t.roomID]
	r.creator = &person{possessor.id, possessor.username}
	c.join(r, possessor, 0, owner)
	for _, u := range c.usersByIDOrName(c.body.strings("members")) {
		c.join(r, u, 0)
	}
	return fields{"team": t.item()}, nil
}

// usersByIDOrName are the active users among ids and usernames.
func (db *database) usersByIDOrName(names []string) []*account {
	var found []*account
	for _, name := range names {
		u := db.users[name]
		if u == nil {
			u = db.byUsername[strings.ToLower(name)]
		}
		if u != nil && u.active {
			found = append(found, u)
		}
	}
	return found
}

// chosenTeam is the team a request names.
func (c *call) chosenTeam(o object) (*team, *room, error) {
	i := slices.IndexFunc(c.teams, func(t *team) bool {
		if id := o.str("teamId"); id != "" {
			return t.id == id
		}
		return t.name == o.str("teamName")
	})
	if i < 0 {
		return nil, nil, plain("team-does-not-exist")
	}
	return c.teams[i], c.rooms[c.teams[i].roomID], nil
}

// teamInfo is teams.info.
func (c *call) teamInfo() (any, error) {
	t, r, err := c.chosenTeam(c.query)
	switch {
	case err != nil:
		return nil, plain("Team not found")
	case !c.canSee(r) && !c.may("view-all-teams"):
		return nil, c.forbidden()
	}
	return fields{"teamInfo": t.item()}, nil
}

type teamMember struct {
	User      memberOfTeam `json:"user"`
	Roles     []string     `json:"roles,omitempty"`
	CreatedBy person       `json:"createdBy"`
	CreatedAt stamp        `json:"createdAt"`
}

type memberOfTeam struct {
	ID       string         `json:"_id"`
	Username string         `json:"username,omitempty"`
	Name     string         `json:"name,omitempty"`
	Status   string         `json:"status,omitempty"`
	Settings map[string]any `json:"settings,omitzero"`
}

// teamMembers is teams.members. Users outside the team see nobody, unless they may see all
// teams.
func (c *call) teamMembers() (any, error) {
	t, r, err := c.chosenTeam(c.query)
	if err != nil {
		return nil, err
	}
	q, err := c.listQuery(nil)
	if err != nil {
		return nil, err
	}
	items := []teamMember{}
	if r.members[c.me.id] != nil || c.mayIn("view-all-teams", r) {
		for _, m := range r.inOrder() {
			if u := c.users[m.user]; u.active {
				items = append(items, teamMember{memberOfTeam{u.id, u.username, u.name, u.status, u.settings()}, m.roles, t.creator, stamp{m.since}})
			}
		}
	}
	page := cut(items, q.offset, q.count)
	return fields{"members": page, "count": len(page), "offset": q.offset, "total": len(items)}, nil
}

// addTeamMembers is teams.addMembers.
func (c *call) addTeamMembers() (any, error) {
	_, r, err := c.chosenTeam(c.body)
	switch {
	case err != nil:
		return nil, err
	case !c.mayIn("add-team-member", r) && !c.mayIn("edit-team-member", r):
		return nil, c.forbidden()
	}
	members, _ := c.body["members"].([]any)
	for _, member := range members {
		m := object(asObject(member))
		u := c.users[m.str("userId")]
		if u == nil {
			return nil, coded("error-invalid-user", "Invalid user", fields{"method": "addUserToRoom"})
		}
		c.join(r, u, 0)
		for _, role := range m.strings("roles") {
			r.members[u.id].give(role)
		}
	}
	return nil, nil
}

// deleteTeam is teams.delete: the main room goes with the team, and those of its rooms that the request names.
func (c *call) deleteTeam() (any, error) {
	t, main, err := c.chosenTeam(c.body)
	switch {
	case err != nil:
		return nil, err
	case !c.mayIn("delete-team", main):
		return nil, c.forbidden()
	}
	for _, id := range c.body.strings("roomsToRemove") {
		if r := c.rooms[id]; r != nil && r.team == t && r != main {
			c.removeRoom(r)
		}
	}
	c.removeRoom(main)
	return nil, nil
}
