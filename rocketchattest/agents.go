package rocketchattest

import (
	"net/http"
	"path"
	"slices"
	"strings"
)

// agentRole is the role of people who answer visitors of a website.
const agentRole = "livechat-agent"

// Whether an agent takes visitors. Accounts that are not agents have neither status.
const (
	available    = "available"
	notAvailable = "not-available"
)

// agentRoutes make accounts agents, to the extent that it shows in the account.
func agentRoutes() []route {
	manage := []string{"view-livechat-manager", "manage-livechat-agents"}
	return []route{
		{op: "livechat.agents.add", method: post, path: api + "livechat/users/agent", permissions: manage, body: open(str("username").must()), run: (*call).addAgent},
		{op: "livechat.agents.get", method: get, path: api + "livechat/users/agent/{_id}", permissions: manage, run: (*call).showAgent},
		{op: "livechat.agents.remove", method: http.MethodDelete, path: api + "livechat/users/agent/{_id}", permissions: manage, run: (*call).removeAgent},
		{op: "livechat.agent.status", method: post, path: api + "livechat/agent.status", permissions: []string{"view-l-room"}, run: (*call).setAgentStatus},
	}
}

// addAgent is POST livechat/users/agent.
func (c *call) addAgent() (any, error) {
	u := c.userByName(c.body.str("username"))
	if u == nil {
		return nil, coded("error-invalid-user", "Invalid user", fields{"method": "livechat:addAgent"})
	}
	if !slices.Contains(u.roles, agentRole) {
		u.roles = append(u.roles, agentRole)
	}
	u.agentStatus = notAvailable
	if u.status != "offline" {
		u.agentStatus = available
	}
	c.touch(u)
	return fields{"user": person{u.id, u.username}}, nil
}

func (c *call) agentInPath() *account { return c.users[path.Base(c.r.URL.Path)] }

// showAgent is GET livechat/users/agent/{_id}, whose answer is null for users who are not
// agents.
func (c *call) showAgent() (any, error) {
	u := c.agentInPath()
	switch {
	case u == nil:
		return nil, plain("User not found")
	case !slices.Contains(u.roles, agentRole):
		return fields{"user": nil}, nil
	}
	return fields{"user": profile{
		ID: u.id, Username: u.username, Name: u.shownName(), Status: u.status, StatusLivechat: u.agentStatus, Emails: u.emails,
	}}, nil
}

// removeAgent is DELETE livechat/users/agent/{_id}.
func (c *call) removeAgent() (any, error) {
	u := c.agentInPath()
	if u == nil {
		return nil, plain("")
	}
	u.roles = slices.DeleteFunc(slices.Clone(u.roles), func(id string) bool { return id == agentRole })
	u.agentStatus = ""
	c.touch(u)
	return nil, nil
}

// setAgentStatus is livechat/agent.status: for oneself, or for others with the permission; without a status it changes to the other one.
func (c *call) setAgentStatus() (any, error) {
	u, status := c.me, c.body.str("status")
	if id := strings.TrimSpace(c.body.str("agentId")); id != "" {
		u = c.users[id]
	}
	switch {
	case u == nil || !slices.Contains(u.roles, agentRole):
		return nil, &failure{http.StatusNotFound, failed{Error: "Agent not found"}}
	case u != c.me && !c.may("manage-livechat-agents"):
		return nil, c.forbidden()
	case status == "" && u.agentStatus == available:
		status = notAvailable
	case status == "":
		status = available
	case status != available && status != notAvailable:
		return nil, plain("Invalid status")
	}
	u.agentStatus = status
	return fields{"status": status}, nil
}
