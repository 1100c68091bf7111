package rocketchattest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// TestAgents: an account that is deactivated takes no visitors, and none after it is activated again.
func TestAgents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	status := func() any {
		agent, _ := w.ok("admin", "GET livechat/users/agent/alice", "")["user"].(map[string]any)
		return agent["statusLivechat"]
	}
	refused, _, _ := w.refused("bruno.costa", "POST livechat/users/agent", `{"username":"alice.meyer"}`)
	assert.Equal(t, http.StatusForbidden, refused)
	w.ok("admin", "POST livechat/users/agent", `{"username":"alice.meyer"}`)
	assert.Equal(t, "not-available", status(), "nobody is offline and available")
	w.ok("alice.meyer", "POST livechat/agent.status", `{"status":"available"}`)
	assert.Equal(t, "available", status())
	assert.Equal(t, "available", w.ok("alice.meyer", "GET me", "")["statusLivechat"])

	w.ok("admin", "POST users.setActiveStatus", `{"userId":"alice","activeStatus":false}`)
	w.ok("admin", "POST users.setActiveStatus", `{"userId":"alice","activeStatus":true}`)
	assert.Equal(t, "not-available", status())
	user, _ := w.User("alice.meyer")
	assert.Contains(t, user.Roles, "livechat-agent", "the role stays")

	w.ok("admin", "DELETE livechat/users/agent/alice", "")
	assert.Nil(t, w.ok("admin", "GET livechat/users/agent/alice", "")["user"])
}
