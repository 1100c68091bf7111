package rocketchattest

import (
	"slices"
	"strings"
)

// createDirect is im.create: the room that the caller and the named users have together, a new one if there is none.
func (c *call) createDirect() (any, error) {
	names := c.body.str("usernames")
	if names == "" {
		names = c.body.str("username")
	}
	if names == "" {
		return nil, coded("error-room-not-found", `The required "username" or "usernames" param provided does not match any dm`, nil)
	}
	if !c.may("create-d") {
		return nil, coded("error-not-allowed", "Not allowed", fields{"method": "createDirectMessage"})
	}
	people := []*account{c.me}
	for name := range strings.SplitSeq(names, ",") {
		u := c.userByName(strings.TrimSpace(name))
		if u == nil {
			return nil, coded("error-invalid-user", "Invalid user", fields{"method": "createDirectMessage"})
		}
		if !slices.Contains(people, u) {
			people = append(people, u)
		}
	}
	r := c.directRoom(people)
	if r == nil {
		r = c.addRoom(newDatabaseID(), "", direct)
		for _, u := range people {
			c.join(r, u, 0)
		}
	}
	usernames := make([]string, 0, len(people))
	for _, u := range people {
		usernames = append(usernames, u.username)
	}
	slices.Sort(usernames)
	return fields{"room": fields{"t": r.kind, "rid": r.id, "usernames": usernames, "_id": r.id}}, nil
}

// directRoom is the room of direct messages between exactly these people.
func (db *database) directRoom(people []*account) *room {
	for _, id := range people[0].rooms {
		r := db.rooms[id]
		if r.kind == direct && len(r.members) == len(people) && !slices.ContainsFunc(people, func(u *account) bool { return r.members[u.id] == nil }) {
			return r
		}
	}
	return nil
}

// deleteDirect is im.delete.
func (c *call) deleteDirect() (any, error) {
	r := c.rooms[c.body.str("roomId")]
	switch {
	case r == nil || r.kind != direct || r.members[c.me.id] == nil && !c.may("view-room-administration"):
		return nil, coded("error-room-not-found", `The required "roomId" or "username" param provided does not match any direct message`, nil)
	case !c.may("delete-d"):
		return nil, coded("error-not-allowed", "Not allowed", fields{"method": "eraseRoom"})
	}
	c.removeRoom(r)
	return nil, nil
}
