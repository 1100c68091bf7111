package livetest

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

func roleChecks() []check {
	return []check{
		{"Roles.List", rolesList},
		{"Roles.Add Roles.Remove", rolesAdd},
		{"Roles.AddInRoom Roles.RemoveInRoom", rolesInRoom},
		{"Roles.Users", rolesUsers},
		{"Roles.AllUsers", rolesAllUsers},
		{"Roles.UsersInPublicRoles", rolesUsersInPublicRoles},
		{"Roles.Changes", rolesChanges},
		{"Roles.Create", rolesCreate},
		{"Roles.Update", rolesUpdate},
		{"Roles.Delete", rolesDelete},
	}
}

func roleID(r *rocketchat.Role) string { return r.ID }

func rolesList(t *testing.T, l *live) {
	roles, err := l.client.Roles.List(t.Context())
	require.NoError(t, err)
	want := l.admin.get(t, "roles.list")
	assert.NotEmpty(t, roles)
	assert.ElementsMatch(t, want.column("roles", "_id"), each(roles, roleID))
}

func rolesAdd(t *testing.T, l *live) {
	p := l.person(t)
	require.NoError(t, l.client.Roles.Add(t.Context(), "bot", rocketchat.ByID(p.userID)))
	assert.ElementsMatch(t, []any{"user", "bot"}, l.info(t, p.userID)["roles"])
	require.NoError(t, l.client.Roles.Remove(t.Context(), "bot", rocketchat.ByID(p.userID)))
	assert.Equal(t, []any{"user"}, l.info(t, p.userID)["roles"])
}

func rolesInRoom(t *testing.T, l *live) {
	p := l.person(t)
	roomID, _ := l.room(t, p)
	moderators := func() []string {
		return l.admin.get(t, "roles.getUsersInRole", "role", "moderator", "roomId", roomID).column("users", "_id")
	}
	require.Empty(t, moderators())
	require.NoError(t, l.client.Roles.AddInRoom(t.Context(), "moderator", rocketchat.ByID(p.userID), roomID))
	assert.Equal(t, []string{p.userID}, moderators())
	require.NoError(t, l.client.Roles.RemoveInRoom(t.Context(), "moderator", rocketchat.ByID(p.userID), roomID))
	assert.Empty(t, moderators())
}

// bot makes a person a bot, by role.
func (l *live) bot(t *testing.T) *person {
	t.Helper()
	p := l.person(t)
	l.admin.post(t, "roles.addUserToRole", fields{"roleId": "bot", "username": p.username})
	return p
}

func rolesUsers(t *testing.T, l *live) {
	p := l.bot(t)
	page, err := l.client.Roles.Users(t.Context(), "bot", rocketchat.RoleUsersOptions{Count: 100})
	require.NoError(t, err)
	want := l.admin.get(t, "roles.getUsersInRole", "role", "bot", "count", "100")
	assert.Equal(t, want.column("users", "_id"), each(page.Items, userID))
	assert.EqualValues(t, want["total"], page.Total)
	assert.Contains(t, each(page.Items, userID), p.userID)
}

func rolesAllUsers(t *testing.T, l *live) {
	p := l.bot(t)
	got := collect(t, l.client.Roles.AllUsers(t.Context(), "bot", rocketchat.RoleUsersOptions{}), userID)
	want := l.admin.get(t, "roles.getUsersInRole", "role", "bot", "count", "100")
	assert.ElementsMatch(t, want.column("users", "_id"), got)
	assert.Contains(t, got, p.userID)
}

func rolesUsersInPublicRoles(t *testing.T, l *live) {
	l.bot(t)
	users, err := l.client.Roles.UsersInPublicRoles(t.Context())
	if !l.since(t, "7.10", err) {
		return
	}
	assert.ElementsMatch(t, l.admin.get(t, "roles.getUsersInPublicRoles").column("users", "_id"), each(users, userID))
}

func rolesChanges(t *testing.T, l *live) {
	changes, err := l.client.Roles.Changes(t.Context(), time.Time{})
	require.NoError(t, err)
	want := l.admin.get(t, "roles.sync", "updatedSince", "1970-01-01T00:00:00.000Z")
	assert.NotEmpty(t, changes.Updated)
	assert.ElementsMatch(t, want.column("roles.update", "_id"), each(changes.Updated, roleID))
	assert.ElementsMatch(t, want.column("roles.remove", "_id"), each(changes.Removed, roleID))
}

// role makes a role until the check ends. Without a licence the server refuses that.
func (l *live) role(t *testing.T) (id, name string, licensed bool) {
	t.Helper()
	name = l.name()
	status, answer := l.admin.call(t, http.MethodPost, "roles.create", fields{"name": name, "description": "Before"})
	if status != http.StatusOK {
		return "", name, false
	}
	id = answer.text("role._id")
	t.Cleanup(func() { l.dropRole(t, id) })
	return id, name, true
}

func (l *live) dropRole(t *testing.T, id string) {
	t.Helper()
	if l.findRole(t, id) != nil {
		l.admin.post(t, "roles.delete", fields{"roleId": id})
	}
}

func (l *live) findRole(t *testing.T, id string) fields {
	t.Helper()
	roles, _ := l.admin.get(t, "roles.list")["roles"].([]any)
	for _, r := range roles {
		if role, _ := r.(map[string]any); role["_id"] == id {
			return role
		}
	}
	return nil
}

func rolesCreate(t *testing.T, l *live) {
	_, _, licensed := l.role(t)
	name := l.name()
	role, err := l.client.Roles.Create(t.Context(), rocketchat.RoleCreateOptions{Name: name, Description: new("A role.")})
	if !licensed {
		require.ErrorIs(t, err, rocketchat.ErrForbidden)
		assert.NotContains(t, l.admin.get(t, "roles.list").column("roles", "name"), name)
		return
	}
	require.NoError(t, err)
	t.Cleanup(func() { l.dropRole(t, role.ID) })
	stored := l.findRole(t, role.ID)
	assert.Equal(t, name, stored["name"])
	assert.Equal(t, "A role.", stored["description"])
}

func rolesUpdate(t *testing.T, l *live) {
	id, name, licensed := l.role(t)
	if !licensed {
		before := l.findRole(t, "bot")
		_, err := l.client.Roles.Update(t.Context(), "bot", rocketchat.RoleUpdateOptions{Name: "bot", Description: new("After")})
		require.ErrorIs(t, err, rocketchat.ErrForbidden)
		assert.Equal(t, before, l.findRole(t, "bot"))
		return
	}
	_, err := l.client.Roles.Update(t.Context(), id, rocketchat.RoleUpdateOptions{Name: name, Description: new("After")})
	require.NoError(t, err)
	stored := l.findRole(t, id)
	assert.Equal(t, name, stored["name"])
	assert.Equal(t, "After", stored["description"])
}

func rolesDelete(t *testing.T, l *live) {
	id, _, licensed := l.role(t)
	if !licensed {
		require.ErrorIs(t, l.client.Roles.Delete(t.Context(), "bot"), rocketchat.ErrForbidden)
		assert.NotNil(t, l.findRole(t, "bot"))
		return
	}
	require.NoError(t, l.client.Roles.Delete(t.Context(), id))
	assert.Nil(t, l.findRole(t, id))
}
