package livetest

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

func serverChecks() []check {
	return []check{
		{"Server.Info", serverInfo},
		{"Server.PasswordPolicy", serverPasswordPolicy},
		{"Teams.OfUser", teamsOfUser},
	}
}

func serverInfo(t *testing.T, l *live) {
	info, err := l.client.Server.Info(t.Context())
	require.NoError(t, err)
	_, data := l.admin.send(t, http.MethodGet, "/api/info", nil)
	var want fields
	require.NoError(t, json.Unmarshal(data, &want))
	assert.Equal(t, want["version"], info.Version)
	require.NotNil(t, info.Info)
}

func serverPasswordPolicy(t *testing.T, l *live) {
	policy, err := l.client.Server.PasswordPolicy(t.Context())
	require.NoError(t, err)
	want := l.admin.get(t, "pw.getPolicy")
	rules, _ := want["policy"].([]any)
	assert.Equal(t, want["enabled"], policy.Enabled)
	require.Len(t, policy.Rules, len(rules))
	for i, rule := range policy.Rules {
		assert.EqualValues(t, rules[i].([]any)[0], rule.Key)
	}
}

func teamsOfUser(t *testing.T, l *live) {
	p := l.person(t)
	name := l.name()
	team := l.admin.post(t, "teams.create", fields{"name": name, "type": 0, "members": []string{p.userID}})
	t.Cleanup(func() { l.admin.post(t, "teams.delete", fields{"teamId": team.text("team._id")}) })
	teams, err := l.client.Teams.OfUser(t.Context(), rocketchat.ByID(p.userID))
	require.NoError(t, err)
	require.Len(t, teams, 1)
	assert.Equal(t, team.text("team._id"), teams[0].ID)
	assert.Equal(t, name, teams[0].Name)
	want := l.admin.get(t, "users.listTeams", "userId", p.userID)
	assert.Equal(t, []string{teams[0].ID}, want.column("teams", "_id"))
}
