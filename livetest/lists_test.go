package livetest

import (
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

func listChecks() []check {
	return []check{
		{"Users.List", usersList},
		{"Users.All", usersAll},
		{"Users.ListByStatus", usersListByStatus},
		{"Users.AllByStatus", usersAllByStatus},
		{"Users.Directory", usersDirectory},
		{"Users.AllInDirectory", usersAllInDirectory},
	}
}

func userID(u *rocketchat.User) string { return u.ID }

// collect reads an iterator to its end.
func collect[T any](t *testing.T, all iter.Seq2[*T, error], value func(*T) string) []string {
	t.Helper()
	out := []string{}
	for item, err := range all {
		require.NoError(t, err)
		out = append(out, value(item))
	}
	return out
}

func usersList(t *testing.T, l *live) {
	l.person(t)
	l.person(t)
	page, err := l.client.Users.List(t.Context(), rocketchat.UserListOptions{Count: 2, Offset: 1, Sort: []string{"-" + rocketchat.SortByUsername}})
	require.NoError(t, err)
	want := l.admin.get(t, "users.list", "count", "2", "offset", "1", "sort", `{"username":-1}`)
	assert.Equal(t, want.column("users", "_id"), each(page.Items, userID))
	assert.EqualValues(t, want["total"], page.Total)
	assert.Equal(t, 1, page.Offset)
}

func usersAll(t *testing.T, l *live) {
	p := l.person(t)
	got := collect(t, l.client.Users.All(t.Context(), rocketchat.UserListOptions{}), userID)
	assert.ElementsMatch(t, l.admin.get(t, "users.list", "count", "0").column("users", "_id"), got)
	assert.Contains(t, got, p.userID)
}

func usersListByStatus(t *testing.T, l *live) {
	p, _ := l.member(t)
	never := l.person(t)
	page, err := l.client.Users.ListByStatus(t.Context(), rocketchat.UserListByStatusOptions{
		Status: rocketchat.AccountActive, HasLoggedIn: new(false), SearchTerm: l.run,
	})
	if !l.since(t, "6.8", err) {
		return
	}
	want := l.admin.get(t, "users.listByStatus", "status", "active", "hasLoggedIn", "false", "searchTerm", l.run)
	assert.Equal(t, want.column("users", "_id"), each(page.Items, userID))
	assert.Contains(t, each(page.Items, userID), never.userID)
	assert.NotContains(t, each(page.Items, userID), p.userID)
}

func usersAllByStatus(t *testing.T, l *live) {
	p := l.person(t)
	l.admin.post(t, "users.setActiveStatus", fields{"userId": p.userID, "activeStatus": false})
	got := collect(t, l.client.Users.AllByStatus(t.Context(), rocketchat.UserListByStatusOptions{Status: rocketchat.AccountDeactivated}), userID)
	want := l.admin.get(t, "users.listByStatus", "status", "deactivated", "count", "100")
	assert.ElementsMatch(t, want.column("users", "_id"), got)
	assert.Contains(t, got, p.userID)
}

func directoryID(u *rocketchat.DirectoryUser) string { return u.ID }

func usersDirectory(t *testing.T, l *live) {
	p, q := l.person(t), l.person(t)
	page, err := l.client.Users.Directory(t.Context(), rocketchat.UserDirectoryOptions{Text: l.run, Sort: []string{"-" + rocketchat.SortByUsername}})
	require.NoError(t, err)
	want := []string{q.userID, p.userID}
	if p.username > q.username {
		slices.Reverse(want)
	}
	assert.Equal(t, want, each(page.Items, directoryID))
	assert.Equal(t, 2, page.Total)
	assert.Equal(t, p.email, page.Items[slices.Index(want, p.userID)].Emails[0].Address)
}

func usersAllInDirectory(t *testing.T, l *live) {
	p := l.person(t)
	got := collect(t, l.client.Users.AllInDirectory(t.Context(), rocketchat.UserDirectoryOptions{}), directoryID)
	want := l.admin.get(t, "directory", "type", "users", "count", "100")
	assert.Subset(t, got, want.column("result", "_id"))
	assert.Len(t, got, int(want["total"].(float64)))
	assert.Contains(t, got, p.userID)
}
