package rocketchattest

import "slices"

// defaultPermissions says which roles hold a permission on a fresh server. What is not listed belongs to admin alone.
func defaultPermissions() map[string][]string {
	return map[string][]string{
		"create-personal-access-tokens": {"admin", "user"},
		"view-d-room":                   {"admin", "user", "bot", "app", "guest", "federated-external"},
		"view-outside-room":             {"admin", "owner", "moderator", "user", "federated-external"},
		"api-bypass-rate-limit":         {"admin", "bot", "app"},
	}
}

// role is a role as roles.list shows it.
type role struct {
	ID          string `json:"_id"`
	Scope       string `json:"scope"`
	Description string `json:"description"`
	Mandatory   bool   `json:"mandatory2fa"`
	Name        string `json:"name"`
	Protected   bool   `json:"protected"`
	UpdatedAt   stamp  `json:"_updatedAt,omitzero"`
}

// roomScoped tells whether the role is held in a room instead of on the server.
func (r *role) roomScoped() bool { return r.Scope == "Subscriptions" }

func defaultRoles(now stamp) []*role {
	builtIn := func(id, scope, description string) *role {
		return &role{ID: id, Scope: scope, Description: description, Name: id, Protected: true, UpdatedAt: now}
	}
	return []*role{
		builtIn("admin", "Users", "Admin"),
		builtIn("moderator", "Subscriptions", "Moderator"),
		builtIn("leader", "Subscriptions", "Leader"),
		builtIn("owner", "Subscriptions", "Owner"),
		builtIn("user", "Users", ""),
		builtIn("bot", "Users", ""),
		builtIn("app", "Users", ""),
		builtIn("guest", "Users", ""),
		builtIn("anonymous", "Users", ""),
		builtIn("livechat-agent", "Users", "Livechat Agent"),
		builtIn("livechat-manager", "Users", "Livechat Manager"),
	}
}

// allowed tells whether u holds a permission through one of its roles.
func (db *database) allowed(u *account, permission string) bool {
	if u == nil {
		return false
	}
	holders, ok := db.permissions[permission]
	if !ok {
		return slices.Contains(u.roles, "admin")
	}
	return slices.ContainsFunc(u.roles, func(r string) bool { return slices.Contains(holders, r) })
}

// may tells whether the caller holds a permission.
func (c *call) may(permission string) bool { return c.allowed(c.me, permission) }

func (db *database) role(id string) *role {
	if i := slices.IndexFunc(db.roles, func(r *role) bool { return r.ID == id }); i >= 0 {
		return db.roles[i]
	}
	return nil
}

func (db *database) roleByName(name string) *role {
	if i := slices.IndexFunc(db.roles, func(r *role) bool { return r.Name == name }); i >= 0 {
		return db.roles[i]
	}
	return nil
}

// unknownRole tells whether one of the ids belongs to no role.
func (db *database) unknownRole(ids []string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return db.role(id) == nil })
}
