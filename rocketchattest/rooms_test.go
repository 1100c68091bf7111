package rocketchattest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// refused sends a request that must be refused, and returns the error and its code.
func (w *world) refused(as, call, body string) (status int, text, code any) {
	w.t.Helper()
	res, answer := w.call(as, call, body, nil)
	keys, _ := answer.(map[string]any)
	require.GreaterOrEqual(w.t, res.StatusCode, http.StatusBadRequest, "%s: %v", call, answer)
	return res.StatusCode, keys["error"], keys["errorType"]
}

func TestRooms(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct{ prefix, key, name string }{{"channels", "channel", "open"}, {"groups", "group", "closed"}} {
		t.Run(kind.prefix, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rocketchattest.WithLimit(0, 0))
			made := w.ok("alice.meyer", "POST "+kind.prefix+".create", fmt.Sprintf(`{"name":%q,"members":["bruno.costa"]}`, kind.name))
			room, _ := made[kind.key].(map[string]any)
			id, _ := room["_id"].(string)
			assert.EqualValues(t, 2, room["usersCount"])
			body := func(user string) string { return fmt.Sprintf(`{"roomId":%q,"userId":%q}`, id, user) }

			_, text, code := w.refused("bruno.costa", "POST "+kind.prefix+".addOwner", body("bruno"))
			assert.Equal(t, []any{"Not allowed [error-not-allowed]", "error-not-allowed"}, []any{text, code})
			_, _, code = w.refused("alice.meyer", "POST "+kind.prefix+".addOwner", body("rocket.cat"))
			assert.Equal(t, "error-user-not-in-room", code)
			_, _, code = w.refused("alice.meyer", "POST "+kind.prefix+".removeOwner", body("alice"))
			assert.Equal(t, "error-remove-last-owner", code)
			w.ok("alice.meyer", "POST "+kind.prefix+".addOwner", body("bruno"))
			_, _, code = w.refused("alice.meyer", "POST "+kind.prefix+".addOwner", body("bruno"))
			assert.Equal(t, "error-user-already-owner", code)
			w.ok("bruno.costa", "POST "+kind.prefix+".removeOwner", body("alice"))
			roles := w.ok("bruno.costa", "GET "+kind.prefix+".roles?roomId="+id, "")
			require.Len(t, roles["roles"], 1)

			w.ok("bruno.costa", "POST "+kind.prefix+".invite", fmt.Sprintf(`{"roomId":%q,"usernames":["rocket.cat","nobody"]}`, id))
			members := w.ok("alice.meyer", "GET "+kind.prefix+".members?roomId="+id, "")
			assert.ElementsMatch(t, []string{"alice.meyer", "bruno.costa", "rocket.cat"}, names(t, members["members"], "username"))
			inspected, known := w.Room(id)
			assert.True(t, known)
			assert.Equal(t, []string{"bruno.costa"}, inspected.Owners)

			_, _, code = w.refused("alice.meyer", "POST "+kind.prefix+".delete", fmt.Sprintf(`{"roomId":%q}`, id))
			assert.Equal(t, "error-not-allowed", code)
			w.ok("bruno.costa", "POST "+kind.prefix+".delete", fmt.Sprintf(`{"roomName":%q}`, kind.name))
			_, _, code = w.refused("bruno.costa", "GET "+kind.prefix+".info?roomId="+id, "")
			assert.Equal(t, "error-room-not-found", code)
		})
	}
}

func TestRoomsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	secret := w.AddRoom("secret", "alice.meyer")
	open := w.AddChannel("open", "alice.meyer")

	_, _, code := w.refused("bruno.costa", "GET groups.info?roomId="+secret, "")
	assert.Equal(t, "error-room-not-found", code, "who is not in a group does not know it")
	w.ok("bruno.costa", "POST channels.join", fmt.Sprintf(`{"roomId":%q}`, open))
	own := w.ok("bruno.costa", "GET subscriptions.getOne?roomId="+open, "")
	subscription, _ := own["subscription"].(map[string]any)
	assert.Equal(t, "open", subscription["name"])
	assert.Nil(t, w.ok("bruno.costa", "GET subscriptions.getOne?roomId="+secret, "")["subscription"])

	w.Grant("create-c", "admin")
	status, text, _ := w.refused("bruno.costa", "POST channels.create", `{"name":"x"}`)
	assert.Equal(t, []any{http.StatusForbidden, "unauthorized"}, []any{status, text})
	_, text, _ = w.refused("admin", "POST channels.create", `{}`)
	assert.Equal(t, `Param "name" is required`, text)
	_, _, code = w.refused("admin", "POST channels.create", `{"name":"open"}`)
	assert.Equal(t, "error-duplicate-channel-name", code)

	direct := w.ok("alice.meyer", "POST im.create", `{"username":"bruno.costa"}`)
	again := w.ok("bruno.costa", "POST im.create", `{"username":"alice.meyer"}`)
	assert.Equal(t, direct["room"], again["room"], "two people have one room")
}

// TestHeirs: what becomes of the rooms of the only owner depends on who else is in them.
func TestHeirs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0), rocketchattest.WithVersion("8.6.0"))
	alone, shared, public := w.AddRoom("alone", "alice.meyer"), w.AddRoom("shared", "alice.meyer"), w.AddChannel("public", "alice.meyer")
	w.Join(shared, "bruno.costa")
	_, answer := w.call("admin", "POST users.delete", `{"userId":"alice"}`, nil)
	assert.Equal(t, map[string]any{"shouldBeRemoved": []any{"alone"}, "shouldChangeOwner": []any{"shared"}}, answer.(map[string]any)["details"])

	w.ok("admin", "POST users.setActiveStatus", `{"userId":"alice","activeStatus":false,"confirmRelinquish":true}`)
	r, _ := w.Room(shared)
	assert.Equal(t, []string{"alice.meyer", "bruno.costa"}, r.Owners, "an heir comes in addition")
	_, known := w.Room(alone)
	assert.False(t, known)
	r, known = w.Room(public)
	assert.True(t, known, "a public room outlives its owner")
	assert.Equal(t, []string{"alice.meyer"}, r.Owners)
}

func TestDefaultRooms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	lobby := w.AddChannel("lobby", "admin")
	crew := w.AddTeam("crew", true, "admin")
	_, _, code := w.refused("alice.meyer", "POST channels.setDefault", fmt.Sprintf(`{"roomId":%q,"default":true}`, lobby))
	assert.Equal(t, "error-action-not-allowed", code)
	w.ok("admin", "POST channels.setDefault", fmt.Sprintf(`{"roomId":%q,"default":true}`, lobby))
	teams := w.Teams()
	require.Len(t, teams, 1)
	w.ok("admin", "POST rooms.saveRoomSettings", fmt.Sprintf(`{"rid":%q,"default":true}`, teams[0].RoomID))

	w.ok("admin", "POST users.create", `{"username":"new","name":"New","email":"new@example.org","password":"New-Passw0rd-123"}`)
	info := w.ok("new", "GET users.info?username=new&includeUserRooms=true", "")
	user, _ := info["user"].(map[string]any)
	assert.ElementsMatch(t, []string{"general", "lobby", "crew"}, names(t, user["rooms"], "name"))
	joined := w.ok("new", "GET users.listTeams?userId="+w.id("new"), "")
	assert.Equal(t, []string{"crew"}, names(t, joined["teams"], "name"), "who joins the main room is in the team")
	assert.NotEmpty(t, crew)

	w.SetDefault(lobby, false)
	w.ok("admin", "POST users.create", `{"username":"newer","name":"N","email":"newer@example.org","password":"New-Passw0rd-123"}`)
	r, _ := w.Room(lobby)
	assert.NotContains(t, r.Members, "newer")
}

func TestTeamCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	made := w.ok("alice.meyer", "POST teams.create", `{"name":"crew","type":1,"members":["bruno"]}`)
	team, _ := made["team"].(map[string]any)
	_, text, _ := w.refused("alice.meyer", "POST teams.create", `{"name":"crew","type":0}`)
	assert.Equal(t, "team-name-already-exists", text)
	_, text, _ = w.refused("alice.meyer", "POST teams.create", `{"name":"other"}`)
	assert.Equal(t, "Match error: Failed Match.OneOf, Match.Maybe or Match.Optional validation in field type", text)

	add := fmt.Sprintf(`{"teamId":%q,"members":[{"userId":"rocket.cat","roles":["owner"]}]}`, team["_id"])
	status, _, _ := w.refused("bruno.costa", "POST teams.addMembers", add)
	assert.Equal(t, http.StatusForbidden, status)
	w.ok("alice.meyer", "POST teams.addMembers", add)
	teams := w.Teams()
	require.Len(t, teams, 1)
	assert.Equal(t, []string{"alice.meyer", "rocket.cat"}, teams[0].Owners)
	assert.Equal(t, []string{"alice.meyer", "bruno.costa", "rocket.cat"}, teams[0].Members)
	w.SetOwners(teams[0].RoomID, "bruno.costa")
	assert.Equal(t, []string{"bruno.costa"}, w.Teams()[0].Owners)

	_, _, code := w.refused("bruno.costa", "POST groups.delete", fmt.Sprintf(`{"roomId":%q}`, teams[0].RoomID))
	assert.Equal(t, "error-cannot-delete-team-channel", code)
	w.ok("bruno.costa", "POST teams.delete", `{"teamName":"crew"}`)
	assert.Empty(t, w.Teams())
	_, text, _ = w.refused("bruno.costa", "POST teams.delete", `{"teamName":"crew"}`)
	assert.Equal(t, "team-does-not-exist", text)
}
