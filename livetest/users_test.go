package livetest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

func accountChecks() []check {
	return []check{
		{"Users.Create", usersCreate},
		{"Users.Ensure", usersEnsure},
		{"Users.Register", usersRegister},
		{"Users.Get", usersGet},
		{"Users.GetWithRooms", usersGetWithRooms},
		{"Users.Update", usersUpdate},
		{"Users.SetRoles", usersSetRoles},
		{"Users.Deactivate Users.Activate", usersActivity},
		{"Users.DeactivateIdle", usersDeactivateIdle},
		{"Users.Delete", usersDelete},
	}
}

// options describe a new account with an unused name.
func (l *live) options() rocketchat.UserCreateOptions {
	name := l.name()
	return rocketchat.UserCreateOptions{
		Username: name, Name: "Person " + name, Email: name + "@example.com", Password: rocketchat.NewSecret(password),
		JoinDefaultChannels: new(false),
	}
}

func usersCreate(t *testing.T, l *live) {
	opts := l.options()
	opts.Nickname, opts.Bio, opts.Roles, opts.Verified = new("Nick"), new("A bio."), []string{"user", "bot"}, new(true)
	created, err := l.client.Users.Create(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { l.drop(t, created.ID) })
	u := l.info(t, created.ID)
	assert.Equal(t, opts.Username, u["username"])
	assert.Equal(t, opts.Name, u["name"])
	assert.Equal(t, "Nick", u["nickname"])
	assert.Equal(t, "A bio.", u["bio"])
	assert.Equal(t, opts.Email, u.at("emails.0.address"))
	assert.Equal(t, true, u.at("emails.0.verified"))
	assert.ElementsMatch(t, opts.Roles, u["roles"])
}

func usersEnsure(t *testing.T, l *live) {
	opts := l.options()
	first, err := l.client.Users.Ensure(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { l.drop(t, first.ID) })
	assert.False(t, first.Existed)
	assert.Equal(t, opts.Email, l.info(t, first.ID).at("emails.0.address"))
	opts.Name = "Somebody else"
	second, err := l.client.Users.Ensure(t.Context(), opts)
	require.NoError(t, err)
	assert.True(t, second.Existed)
	assert.Equal(t, first.ID, second.ID)
	assert.NotEqual(t, opts.Name, l.info(t, first.ID)["name"])
}

func usersRegister(t *testing.T, l *live) {
	name := l.name()
	u, err := l.client.Users.Register(t.Context(), rocketchat.UserRegisterOptions{
		Username: name, Email: name + "@example.com", Name: "Person " + name, Password: rocketchat.NewSecret(password),
	})
	require.NoError(t, err)
	t.Cleanup(func() { l.drop(t, u.ID) })
	found := l.info(t, u.ID)
	assert.Equal(t, name, found["username"])
	assert.Equal(t, "Person "+name, found["name"])
	assert.Equal(t, name+"@example.com", found.at("emails.0.address"))
}

func usersGet(t *testing.T, l *live) {
	p := l.person(t)
	want := l.info(t, p.userID)
	refs := []rocketchat.UserRef{rocketchat.ByID(p.userID), rocketchat.ByUsername(p.username)}
	if l.has("8.4") {
		refs = append(refs, rocketchat.ByEmail(p.email))
	}
	for _, ref := range refs {
		u, err := l.client.Users.Get(t.Context(), ref)
		require.NoError(t, err, "%v", ref)
		assert.Equal(t, want["_id"], u.ID)
		assert.Equal(t, want["username"], u.Username)
		assert.Equal(t, want["name"], u.Name)
		assert.Equal(t, want["active"], u.Active)
		require.Len(t, u.Emails, 1)
		assert.Equal(t, want.at("emails.0.address"), u.Emails[0].Address)
		created, err := time.Parse(time.RFC3339, want.text("createdAt"))
		require.NoError(t, err)
		assert.True(t, u.CreatedAt.Equal(created), "%v, not %v", u.CreatedAt, created)
	}
	self, err := l.client.Users.Get(t.Context(), rocketchat.Self())
	require.NoError(t, err)
	assert.Equal(t, l.admin.userID, self.ID)
}

func usersGetWithRooms(t *testing.T, l *live) {
	p := l.person(t)
	roomID, name := l.room(t, p)
	u, err := l.client.Users.GetWithRooms(t.Context(), rocketchat.ByID(p.userID))
	if !l.has("7.0") {
		require.ErrorIs(t, err, rocketchat.ErrInvalid)
		return
	}
	require.NoError(t, err)
	assert.Equal(t, p.username, u.Username)
	require.Len(t, u.Rooms, 1)
	assert.Equal(t, roomID, u.Rooms[0].RoomID)
	assert.Equal(t, name, u.Rooms[0].Name)
}

func usersUpdate(t *testing.T, l *live) {
	p := l.person(t)
	l.admin.post(t, "users.update", fields{"userId": p.userID, "data": fields{"nickname": "Nick", "bio": "A bio."}})
	u, err := l.client.Users.Update(t.Context(), rocketchat.ByID(p.userID), rocketchat.UserUpdateOptions{
		Name: new("New name"), Email: new("new-" + p.email), StatusText: new("At work"), Bio: new("Another bio."),
	})
	require.NoError(t, err)
	assert.Equal(t, p.userID, u.ID)
	found := l.info(t, p.userID)
	assert.Equal(t, "New name", found["name"])
	assert.Equal(t, "new-"+p.email, found.at("emails.0.address"))
	assert.Equal(t, "At work", found["statusText"])
	assert.Equal(t, "Another bio.", found["bio"])
	assert.Equal(t, "Nick", found["nickname"], "what is not named stays")
	assert.Equal(t, p.username, found["username"])
}

func usersSetRoles(t *testing.T, l *live) {
	p := l.person(t)
	_, err := l.client.Users.SetRoles(t.Context(), rocketchat.ByID(p.userID), []string{"bot"})
	require.NoError(t, err)
	assert.Equal(t, []any{"bot"}, l.info(t, p.userID)["roles"])
}

func usersActivity(t *testing.T, l *live) {
	p, _ := l.member(t)
	require.NoError(t, l.client.Users.Deactivate(t.Context(), rocketchat.ByID(p.userID), rocketchat.UserDeactivateOptions{}))
	assert.Equal(t, false, l.info(t, p.userID)["active"])
	assert.False(t, p.works(t))
	require.NoError(t, l.client.Users.Activate(t.Context(), rocketchat.ByID(p.userID)))
	assert.Equal(t, true, l.info(t, p.userID)["active"])
	assert.True(t, login(t, p.base, p.username, password).works(t))
}

func usersDeactivateIdle(t *testing.T, l *live) {
	// A role without other holders keeps the call from affecting other people.
	role := l.unusedRole(t)
	p, other := l.person(t), l.person(t)
	l.admin.post(t, "users.update", fields{"userId": p.userID, "data": fields{"roles": []string{role}}})
	n, err := l.client.Users.DeactivateIdle(t.Context(), rocketchat.UserDeactivateIdleOptions{DaysIdle: 1, Role: role})
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Equal(t, true, l.info(t, p.userID)["active"])
	n, err = l.client.Users.DeactivateIdle(t.Context(), rocketchat.UserDeactivateIdleOptions{DaysIdle: 0, Role: role})
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Equal(t, false, l.info(t, p.userID)["active"])
	assert.Equal(t, true, l.info(t, other.userID)["active"])
}

// unusedRole is a built-in role without holders.
func (l *live) unusedRole(t *testing.T) string {
	t.Helper()
	for _, id := range []string{"anonymous", "livechat-monitor", "auditor", "guest"} {
		status, answer := l.admin.ask(t, "roles.getUsersInRole", "role", id)
		if status == http.StatusOK && len(answer.column("users", "_id")) == 0 {
			return id
		}
	}
	t.Skip("somebody has each of the roles that could be used")
	return ""
}

func usersDelete(t *testing.T, l *live) {
	p := l.person(t)
	_, err := l.client.Users.Delete(t.Context(), rocketchat.ByID(p.userID), rocketchat.UserDeleteOptions{})
	require.NoError(t, err)
	status, _ := l.admin.ask(t, "users.info", "userId", p.userID)
	assert.Equal(t, http.StatusBadRequest, status)
}

func syncChecks() []check {
	return []check{{"Users.PlanSync", usersPlanSync}, {"Users.Sync", usersSync}}
}

// desired is a person with another name, and somebody who does not exist yet.
func (l *live) desired(p *person) (people []rocketchat.DesiredUser, newcomer string) {
	newcomer = l.name()
	return []rocketchat.DesiredUser{
		{Ref: rocketchat.ByID(p.userID), Username: p.username, Email: p.email, Name: "New name"},
		{Username: newcomer, Email: newcomer + "@example.com", Name: "Newcomer"},
	}, newcomer
}

func usersPlanSync(t *testing.T, l *live) {
	p := l.person(t)
	people, newcomer := l.desired(p)
	plan, err := l.client.Users.PlanSync(t.Context(), people, rocketchat.SyncOptions{})
	require.NoError(t, err)
	assert.Empty(t, plan.Refusals)
	var steps []string
	for _, s := range plan.Steps {
		steps = append(steps, s.Username)
	}
	assert.ElementsMatch(t, []string{p.username, newcomer}, steps)
	assert.Equal(t, p.name, l.info(t, p.userID)["name"], "a plan changes nothing")
	status, _ := l.admin.ask(t, "users.info", "username", newcomer)
	assert.Equal(t, http.StatusBadRequest, status)
}

func usersSync(t *testing.T, l *live) {
	p := l.person(t)
	people, newcomer := l.desired(p)
	report, err := l.client.Users.Sync(t.Context(), people, rocketchat.SyncOptions{})
	require.NotNil(t, report, "%v", err)
	for _, id := range report.UserIDs {
		if id != "" && id != p.userID {
			t.Cleanup(func() { l.drop(t, id) })
		}
	}
	require.NoError(t, err)
	assert.Equal(t, "New name", l.info(t, p.userID)["name"])
	found := l.admin.get(t, "users.info", "username", newcomer)
	assert.Equal(t, "Newcomer", found.at("user.name"))
	assert.Equal(t, []string{p.userID, found.text("user._id")}, report.UserIDs)
}

func searchChecks() []check {
	return []check{
		{"Users.Autocomplete", usersAutocomplete},
		{"Users.Spotlight", usersSpotlight},
		{"Users.ByUsernames", usersByUsernames},
		{"Users.UsernameAvailable", usersUsernameAvailable},
		{"Users.SuggestUsername", usersSuggestUsername},
	}
}

func usersAutocomplete(t *testing.T, l *live) {
	p, q := l.person(t), l.person(t)
	found, err := l.client.Users.Autocomplete(t.Context(), "livetest-"+l.run, rocketchat.UserAutocompleteOptions{Exceptions: []string{q.username}})
	require.NoError(t, err)
	want := l.admin.get(t, "users.autocomplete", "selector", `{"term":"livetest-`+l.run+`","exceptions":["`+q.username+`"]}`)
	assert.Equal(t, want.column("items", "_id"), each(found, func(u *rocketchat.AutocompleteUser) string { return u.ID }))
	require.Len(t, found, 1)
	assert.Equal(t, p.userID, found[0].ID)
}

func usersSpotlight(t *testing.T, l *live) {
	p := l.person(t)
	found, err := l.client.Users.Spotlight(t.Context(), p.username)
	require.NoError(t, err)
	want := l.admin.get(t, "spotlight", "query", p.username)
	assert.Equal(t, want.column("users", "_id"), each(found.Users, func(u *rocketchat.SpotlightUser) string { return u.ID }))
	require.Len(t, found.Users, 1)
	assert.Equal(t, p.userID, found.Users[0].ID)
}

func usersByUsernames(t *testing.T, l *live) {
	p, q := l.person(t), l.person(t)
	nobody := l.name()
	found, err := l.client.Users.ByUsernames(t.Context(), []string{q.username, nobody, p.username})
	require.NoError(t, err)
	require.Len(t, found.Users, 2)
	assert.Equal(t, q.userID, found.Users[0].ID)
	assert.Equal(t, p.userID, found.Users[1].ID)
	assert.Equal(t, []string{nobody}, found.Missing)
}

func usersUsernameAvailable(t *testing.T, l *live) {
	for name, want := range map[string]bool{l.name(): true, l.person(t).username: false} {
		free, err := l.client.Users.UsernameAvailable(t.Context(), name)
		require.NoError(t, err)
		assert.Equal(t, want, free, name)
		assert.Equal(t, want, l.admin.get(t, "users.checkUsernameAvailability", "username", name)["result"], name)
	}
}

func usersSuggestUsername(t *testing.T, l *live) {
	p, client := l.member(t)
	name, err := client.Users.SuggestUsername(t.Context())
	require.NoError(t, err)
	assert.Equal(t, p.get(t, "users.getUsernameSuggestion")["result"], name)
	assert.NotEmpty(t, strings.TrimSpace(name))
}

// each is one value of each item.
func each[T any](items []T, value func(*T) string) []string {
	out := make([]string, 0, len(items))
	for i := range items {
		out = append(out, value(&items[i]))
	}
	return out
}
