package rocketchattest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// permissionHolders are the permissions of a fresh server, by the roles that hold them.
func permissionHolders() map[string]string {
	return map[string]string{
		"": `add-user-to-any-p-room kick-user-from-any-p-room`,
		"admin": `access-mailer access-permissions access-setting-permissions add-all-to-room add-oauth-service add-user-to-any-c-room
			assign-admin-role assign-roles bulk-register-user clean-channel-history clear-oembed-cache create-user delete-d delete-user
			edit-other-user-active-status edit-other-user-avatar edit-other-user-e2ee edit-other-user-info edit-other-user-password
			edit-other-user-totp edit-privileged-setting edit-room-retention-policy get-server-info kick-user-from-any-c-room
			logout-other-user mail-messages manage-apps manage-assets manage-cloud manage-email-inbox manage-emoji
			manage-incoming-integrations manage-moderation-actions manage-oauth-apps manage-outgoing-integrations
			manage-own-incoming-integrations manage-own-outgoing-integrations manage-selected-settings manage-sounds manage-user-status
			register-on-cloud remove-slackbridge-links restart-server run-import run-migration send-mail sync-auth-services-users
			test-admin-options unarchive-room user-generate-access-token view-all-teams view-device-management
			view-engagement-dashboard view-federation-data view-full-other-user-info view-import-operations view-join-code view-logs
			view-moderation-console view-other-user-channels view-privileged-setting view-room-administration view-statistics
			view-user-administration`,
		"admin,user": `access-marketplace allow-external-voice-calls allow-internal-voice-calls create-personal-access-tokens create-team
			export-messages-as-pdf test-push-notifications`,
		"admin,owner": `archive-room convert-team delete-c delete-p delete-team edit-team force-delete-message set-leader set-moderator
			set-owner set-react-when-readonly set-readonly toggle-room-e2e-encryption view-all-team-channels`,
		"admin,owner,moderator": `add-team-member add-user-to-joined-room ban-user create-invite-links create-team-channel
			create-team-group delete-message delete-team-channel delete-team-group edit-message edit-room edit-room-avatar
			edit-team-channel edit-team-member move-room-to-team mute-user pin-message post-readonly remove-team-channel remove-user
			view-broadcast-member-list`,
		"admin,owner,moderator,user":                      `call-management videoconf-ring-users`,
		"admin,owner,moderator,user,federated-external":   `mention-all mention-here view-outside-room`,
		"admin,user,federated-external":                   `access-federation delete-own-message mobile-upload-file`,
		"admin,user,bot,app,federated-external":           `create-c create-d create-p`,
		"admin,user,bot,app,anonymous,federated-external": `leave-c leave-p view-c-room`,
		"admin,user,bot,app,guest,federated-external":     `view-d-room`,
		"admin,user,anonymous,guest,federated-external":   `view-p-room`,
		"admin,user,anonymous,federated-external":         `preview-c-room`,
		"admin,user,guest,app,federated-external":         `start-discussion`,
		"admin,user,owner,app,federated-external":         `start-discussion-other-user`,
		"admin,bot,app": `api-bypass-rate-limit join-without-join-code send-many-messages`,
		"admin,livechat-manager,livechat-monitor":                `manage-livechat-agents view-livechat-manager`,
		"admin,livechat-manager,livechat-monitor,livechat-agent": `view-l-room`,
		"bot,app":                 `bypass-time-limit-edit-and-delete message-impersonate`,
		"guest,bot,app,anonymous": `view-joined-room`,
	}
}

// defaultPermissions says which roles hold a permission on a fresh server, of those that the version has.
func (db *database) defaultPermissions() map[string][]string {
	permissions := map[string][]string{}
	for roles, names := range permissionHolders() {
		holders := strings.FieldsFunc(roles, func(r rune) bool { return r == ',' })
		holders = slices.DeleteFunc(holders, func(id string) bool { return db.role(id) == nil })
		for name := range strings.FieldsSeq(names) {
			permissions[name] = holders
		}
	}
	return permissions
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

// roomScoped reports whether the role is held in a room instead of on the server.
func (r *role) roomScoped() bool { return r.Scope == "Subscriptions" }

func (db *database) defaultRoles(now stamp) []*role {
	builtIn := func(id, scope, description string) *role {
		return &role{ID: id, Scope: scope, Description: description, Name: id, Protected: true, UpdatedAt: now}
	}
	all := []*role{
		builtIn("admin", "Users", "Admin"),
		builtIn("moderator", "Subscriptions", "Moderator"),
		builtIn("leader", "Subscriptions", "Leader"),
		builtIn("owner", "Subscriptions", "Owner"),
		builtIn("user", "Users", ""),
		builtIn("federated-external", "Users", "External Federated User"),
		builtIn("bot", "Users", ""),
		builtIn("app", "Users", ""),
		builtIn("guest", "Users", ""),
		builtIn("anonymous", "Users", ""),
		builtIn("livechat-agent", "Users", "Livechat Agent"),
		builtIn("livechat-manager", "Users", "Livechat Manager"),
	}
	if !db.does(federatedRole) {
		all = slices.DeleteFunc(all, func(r *role) bool { return r.ID == "federated-external" })
	}
	return all
}

// allowed reports whether u holds a permission through one of its roles.
func (db *database) allowed(u *account, permission string) bool {
	if u == nil {
		return false
	}
	return slices.ContainsFunc(db.rolesOf(u), func(r string) bool { return slices.Contains(db.permissions[permission], r) })
}

// rolesKept is how long servers cache the roles of a user.
const rolesKept = time.Second

// rolesOf are the roles of a user that determine permissions, which may be cached.
func (db *database) rolesOf(u *account) []string {
	if !db.does(remembersRoles) {
		return u.roles
	}
	if now := db.now(); u.known.at.IsZero() || now.Sub(u.known.at) >= rolesKept {
		u.known.roles, u.known.at = slices.Clone(u.roles), now
	}
	return u.known.roles
}

// allowedIn reports whether u holds a permission in a room, through a role on the server or in the room.
func (db *database) allowedIn(u *account, permission string, r *room) bool {
	if db.allowed(u, permission) {
		return true
	}
	m := r.members[u.id]
	return m != nil && slices.ContainsFunc(m.roles, func(id string) bool { return slices.Contains(db.permissions[permission], id) })
}

// may reports whether the caller holds a permission.
func (c *call) may(permission string) bool { return c.allowed(c.me, permission) }

// mayAll reports whether the caller holds all of the permissions.
func (c *call) mayAll(permissions ...string) bool {
	return !slices.ContainsFunc(permissions, func(p string) bool { return !c.may(p) })
}

// mayIn reports whether the caller holds a permission in a room.
func (c *call) mayIn(permission string, r *room) bool { return c.allowedIn(c.me, permission, r) }

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

// unknownRole reports whether one of the ids belongs to no role.
func (db *database) unknownRole(ids []string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return db.role(id) == nil })
}

type permissionItem struct {
	ID        string   `json:"_id"`
	Roles     []string `json:"roles"`
	UpdatedAt stamp    `json:"_updatedAt"`
}

func (db *database) permissionItems() []permissionItem {
	items := make([]permissionItem, 0, len(db.permissions))
	for _, name := range slices.Sorted(maps.Keys(db.permissions)) {
		roles := slices.Clone(db.permissions[name])
		if roles == nil {
			roles = []string{}
		}
		items = append(items, permissionItem{name, roles, stamp{cmp.Or(db.permissionChanges[name], db.started)}})
	}
	return items
}

func permissionsBody() *schema {
	return closed(list("permissions", obj("", closed(str("_id").must(), list("roles", str("")).must()))).must())
}

// listPermissions is permissions.listAll: all permissions, or those that changed since a moment.
func (c *call) listPermissions() (any, error) {
	items := c.permissionItems()
	if since := c.query.str("updatedSince"); since != "" {
		from, ok := parseDate(since)
		if !ok {
			return nil, coded("error-roomId-param-invalid", `The "updatedSince" query parameter must be a valid date.`, nil)
		}
		items = slices.DeleteFunc(items, func(p permissionItem) bool { return !p.UpdatedAt.After(from) })
	}
	return fields{"update": items, "remove": []any{}}, nil
}

// updatePermissions is permissions.update: it changes all of the named permissions, or none.
func (c *call) updatePermissions() (any, error) {
	if len(validator{c.version, false, false}.check(permissionsBody(), c.body)) > 0 { // old servers, which have no schema
		return nil, typed("Invalid body params", "error-invalid-body-params", nil)
	}
	changes, _ := c.body["permissions"].([]any)
	for _, change := range changes {
		p := object(asObject(change))
		switch {
		case !c.knownPermission(p.str("_id")):
			return nil, typed("Invalid permission", "error-invalid-permission", nil)
		case c.unknownRole(p.strings("roles")):
			return nil, typed("Invalid role", "error-invalid-role", nil)
		}
	}
	for _, change := range changes {
		p := object(asObject(change))
		c.grant(p.str("_id"), p.strings("roles"))
	}
	return fields{"permissions": c.permissionItems()}, nil
}

func (db *database) knownPermission(name string) bool { _, ok := db.permissions[name]; return ok }

func (db *database) grant(permission string, roles []string) {
	db.permissions[permission] = slices.Clone(roles)
	db.permissionChanges[permission] = db.now()
}

func asObject(value any) map[string]any { o, _ := value.(map[string]any); return o }
