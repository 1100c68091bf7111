package livetest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

func ownChecks() []check {
	return []check{
		{"Me.Get", meGet},
		{"Me.Update", meUpdate},
		{"Me.Delete", meDelete},
		{"Me.RequestDataDownload", meRequestDataDownload},
		{"Preferences.Get Preferences.Set", preferencesSet},
		{"Preferences.SetFor", preferencesSetFor},
	}
}

func meGet(t *testing.T, l *live) {
	p, client := l.member(t)
	me, err := client.Me.Get(t.Context())
	require.NoError(t, err)
	want := p.get(t, "me")
	assert.Equal(t, want["_id"], me.ID)
	assert.Equal(t, want["username"], me.Username)
	assert.Equal(t, want["name"], me.Name)
	assert.Equal(t, want.at("emails.0.address"), me.Emails[0].Address)
	assert.ElementsMatch(t, want["roles"], me.Roles)
}

func meUpdate(t *testing.T, l *live) {
	p, client := l.member(t)
	_, err := client.Me.Update(t.Context(), rocketchat.MeUpdateOptions{
		Name: new("New name"), Nickname: new("Nick"), Bio: new("A bio."), StatusText: new("At work"),
		Email: new("new-" + p.email), CurrentPassword: new(rocketchat.NewSecret(password)),
	})
	require.NoError(t, err)
	u := l.info(t, p.userID)
	assert.Equal(t, "New name", u["name"])
	assert.Equal(t, "Nick", u["nickname"])
	assert.Equal(t, "A bio.", u["bio"])
	assert.Equal(t, "At work", u["statusText"])
	assert.Equal(t, "new-"+p.email, u.at("emails.0.address"))
	assert.Equal(t, p.username, u["username"])
}

func meDelete(t *testing.T, l *live) {
	l.set(t, "Accounts_AllowDeleteOwnAccount", true)
	p, client := l.member(t)
	require.NoError(t, client.Me.Delete(t.Context(), rocketchat.NewSecret(password), rocketchat.MeDeleteOptions{}))
	status, _ := l.admin.ask(t, "users.info", "userId", p.userID)
	assert.Equal(t, http.StatusBadRequest, status)
}

func meRequestDataDownload(t *testing.T, l *live) {
	p, client := l.member(t)
	export, err := client.Me.RequestDataDownload(t.Context(), false)
	require.NoError(t, err)
	assert.True(t, export.Requested)
	again := p.get(t, "users.requestDataDownload")
	assert.Equal(t, false, again["requested"])
	assert.Equal(t, again.at("exportOperation._id"), export.Operation.ID)
}

func preferencesSet(t *testing.T, l *live) {
	p, client := l.member(t)
	_, err := client.Preferences.Set(t.Context(), rocketchat.Preferences{UseEmojis: new(false), IdleTimeLimit: new(120)})
	require.NoError(t, err)
	stored := p.get(t, "users.getPreferences")
	assert.Equal(t, false, stored.at("preferences.useEmojis"))
	assert.EqualValues(t, 120, stored.at("preferences.idleTimeLimit"))

	p.post(t, "users.setPreferences", fields{"data": fields{"hideRoles": true}})
	got, err := client.Preferences.Get(t.Context())
	require.NoError(t, err)
	assert.Equal(t, rocketchat.Preferences{UseEmojis: new(false), IdleTimeLimit: new(120), HideRoles: new(true)}, *got)
}

func preferencesSetFor(t *testing.T, l *live) {
	p, _ := l.member(t)
	_, err := l.client.Preferences.SetFor(t.Context(), rocketchat.ByID(p.userID), rocketchat.Preferences{SendOnEnter: new(rocketchat.SendOnEnter("alternative"))})
	require.NoError(t, err)
	assert.Equal(t, "alternative", p.get(t, "users.getPreferences").at("preferences.sendOnEnter"))
}
