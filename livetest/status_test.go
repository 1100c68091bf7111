package livetest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

func statusChecks() []check {
	return []check{
		{"Status.Get", statusGet},
		{"Status.Set", statusSet},
		{"Status.Presence", statusPresence},
		{"Status.PresenceOf", statusPresenceOf},
		{"Status.Connections", statusConnections},
		{"Status.EnableBroadcast", statusEnableBroadcast},
		{"Status.CustomCreate", statusCustomCreate},
		{"Status.CustomUpdate", statusCustomUpdate},
		{"Status.CustomDelete", statusCustomDelete},
		{"Status.CustomList", statusCustomList},
		{"Status.AllCustom", statusAllCustom},
	}
}

func statusGet(t *testing.T, l *live) {
	p := l.person(t)
	status, err := l.client.Status.Get(t.Context(), rocketchat.ByID(p.userID))
	require.NoError(t, err)
	want := l.admin.get(t, "users.getStatus", "userId", p.userID)
	assert.Equal(t, want["_id"], status.ID)
	assert.EqualValues(t, want["status"], status.Status)
}

func statusSet(t *testing.T, l *live) {
	p, client := l.member(t)
	require.NoError(t, client.Status.Set(t.Context(), rocketchat.Self(), rocketchat.StatusSetOptions{
		Status: rocketchat.StatusBusy, Message: new("In a meeting"),
	}))
	me := p.get(t, "me")
	assert.Equal(t, "In a meeting", me["statusText"])
	assert.Equal(t, "busy", me["statusDefault"])
	require.NoError(t, l.client.Status.Set(t.Context(), rocketchat.ByID(p.userID), rocketchat.StatusSetOptions{Message: new("")}))
	me = p.get(t, "me")
	assert.Empty(t, me["statusText"])
	assert.Equal(t, "busy", me["statusDefault"])
}

func statusPresence(t *testing.T, l *live) {
	p, _ := l.member(t)
	p.post(t, "users.setStatus", fields{"message": "Here", "status": "online"})
	list, err := l.client.Status.Presence(t.Context(), rocketchat.StatusPresenceOptions{Users: []rocketchat.UserRef{rocketchat.ByID(p.userID)}})
	require.NoError(t, err)
	want := l.admin.get(t, "users.presence", "ids", p.userID)
	assert.Equal(t, want.column("users", "_id"), each(list.Users, userID))
	require.Len(t, list.Users, 1)
	assert.Equal(t, "Here", list.Users[0].StatusText)
	assert.Equal(t, want["full"], list.Full)
}

func statusPresenceOf(t *testing.T, l *live) {
	p := l.person(t)
	presence, err := l.client.Status.PresenceOf(t.Context(), rocketchat.ByID(p.userID))
	require.NoError(t, err)
	assert.EqualValues(t, l.admin.get(t, "users.getPresence", "userId", p.userID)["presence"], presence.Presence)
}

func statusConnections(t *testing.T, l *live) {
	connections, err := l.client.Status.Connections(t.Context())
	require.NoError(t, err)
	want := l.admin.get(t, "presence.getConnections")
	assert.Positive(t, connections.Max)
	assert.EqualValues(t, want["max"], connections.Max)
	assert.EqualValues(t, want["current"], connections.Current)
}

func statusEnableBroadcast(t *testing.T, l *live) {
	l.set(t, "Presence_broadcast_disabled", true)
	require.NoError(t, l.client.Status.EnableBroadcast(t.Context()))
	assert.Equal(t, false, l.admin.get(t, "settings/Presence_broadcast_disabled")["value"])
}

// custom makes a custom status until the check ends.
func (l *live) custom(t *testing.T) (id, name string) {
	t.Helper()
	name = l.name()
	l.admin.post(t, "custom-user-status.create", fields{"name": name, "statusType": "away"})
	found := l.findCustom(t, name)
	require.NotNil(t, found)
	t.Cleanup(func() { l.dropCustom(t, found.text("_id")) })
	return found.text("_id"), name
}

func (l *live) findCustom(t *testing.T, name string) fields {
	t.Helper()
	return l.firstCustom(t, "name", name)
}

func (l *live) firstCustom(t *testing.T, key, value string) fields {
	t.Helper()
	statuses, _ := l.admin.get(t, "custom-user-status.list", "count", "0")["statuses"].([]any)
	for _, s := range statuses {
		if status, _ := s.(map[string]any); status[key] == value {
			return status
		}
	}
	return nil
}

func (l *live) dropCustom(t *testing.T, id string) {
	t.Helper()
	if l.firstCustom(t, "_id", id) != nil {
		l.admin.post(t, "custom-user-status.delete", fields{"customUserStatusId": id})
	}
}

func customID(s *rocketchat.CustomStatus) string { return s.ID }

func statusCustomCreate(t *testing.T, l *live) {
	name := l.name()
	created, err := l.client.Status.CustomCreate(t.Context(), rocketchat.CustomStatusCreateOptions{Name: name, StatusType: rocketchat.StatusBusy})
	require.NoError(t, err)
	t.Cleanup(func() { l.dropCustom(t, created.ID) })
	found := l.findCustom(t, name)
	assert.Equal(t, found["_id"], created.ID)
	assert.Equal(t, "busy", found["statusType"])
}

func statusCustomUpdate(t *testing.T, l *live) {
	id, _ := l.custom(t)
	name := l.name()
	_, err := l.client.Status.CustomUpdate(t.Context(), id, rocketchat.CustomStatusUpdateOptions{Name: name, StatusType: ""})
	require.NoError(t, err)
	found := l.findCustom(t, name)
	assert.Equal(t, id, found["_id"])
	assert.Empty(t, found["statusType"])
}

func statusCustomDelete(t *testing.T, l *live) {
	id, name := l.custom(t)
	require.NoError(t, l.client.Status.CustomDelete(t.Context(), id))
	assert.Nil(t, l.findCustom(t, name))
}

func statusCustomList(t *testing.T, l *live) {
	l.custom(t)
	l.custom(t)
	page, err := l.client.Status.CustomList(t.Context(), rocketchat.CustomStatusListOptions{Count: 1, Offset: 1, Sort: []string{"-name"}})
	require.NoError(t, err)
	want := l.admin.get(t, "custom-user-status.list", "count", "1", "offset", "1", "sort", `{"name":-1}`)
	assert.Equal(t, want.column("statuses", "_id"), each(page.Items, customID))
	assert.EqualValues(t, want["total"], page.Total)
	require.Len(t, page.Items, 1)
	assert.Equal(t, want.at("statuses.0.name"), page.Items[0].Name)
}

func statusAllCustom(t *testing.T, l *live) {
	id, _ := l.custom(t)
	got := collect(t, l.client.Status.AllCustom(t.Context(), rocketchat.CustomStatusListOptions{}), customID)
	assert.ElementsMatch(t, l.admin.get(t, "custom-user-status.list", "count", "100").column("statuses", "_id"), got)
	assert.Contains(t, got, id)
}
