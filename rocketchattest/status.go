package rocketchattest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

func statusTypes() []string { return []string{"online", "away", "offline", "busy"} }

const connectionLimit = 200

// customStatus is a status the workspace has added.
type customStatus struct {
	ID         string `json:"_id"`
	Name       string `json:"name"`
	StatusType string `json:"statusType"`
	UpdatedAt  stamp  `json:"_updatedAt"`
}

// value is a field that lists sort by.
func (s *customStatus) value(name string) string {
	switch name {
	case "_id":
		return s.ID
	case "name":
		return s.Name
	case "statusType":
		return s.StatusType
	case "_updatedAt":
		return s.UpdatedAt.UTC().Format(stampFormat)
	}
	return ""
}

// presence is what others see: the chosen status as far as there is a connection.
func presence(connection, chosen string) string {
	if connection == "offline" || connection == "" {
		return "offline"
	}
	if chosen == "online" || chosen == "" {
		return connection
	}
	return chosen
}

func (c *call) checkStatus(status string) error {
	where := fields{"method": "users.setStatus"}
	switch {
	case !slices.Contains(statusTypes(), status):
		return coded("error-invalid-status", "Valid status types include online, away, offline, and busy.", where)
	case status == "offline" && !c.enabled("Accounts_AllowInvisibleStatusOption"):
		return coded("error-status-not-allowed", "Invisible status is disabled", where)
	}
	return nil
}

// setStatus is users.setStatus.
func (c *call) setStatus() (any, error) {
	where := fields{"method": "users.setStatus"}
	hasMessage, status := c.body.has("message"), c.body.str("status")
	if !hasMessage && !c.body.has("status") || !c.typed() && (!c.body.maybeText("message") || !c.body.maybeText("status")) {
		return nil, plain("Match error: Failed Match.OneOf, Match.Maybe or Match.Optional validation")
	}
	if !c.enabled("Accounts_AllowUserStatusMessageChange") && (hasMessage || !c.does(statusClaims)) {
		return nil, coded("error-not-allowed", "Change status is not allowed", where)
	}
	if c.namesOther(c.body) && !c.may("edit-other-user-info") {
		return nil, c.forbidden()
	}
	u, err := c.selfOrChosen(c.body)
	if err != nil {
		return nil, err
	}
	expires, err := c.statusExpiry()
	if err != nil {
		return nil, err
	}
	if c.does(statusClaims) && status == "" {
		status = u.statusDefault
	}
	if hasMessage {
		if err := c.setStatusText(u, c.body.str("message")); err != nil {
			return nil, err
		}
	}
	if status != "" {
		if err := c.checkStatus(status); err != nil {
			return nil, err
		}
		c.chooseStatus(u, status)
	}
	u.statusExpires = expires
	c.touch(u)
	return nil, nil
}

// chooseStatus makes a status the user's default. Since 8.6 others see it only while there
// is a connection; older servers show it at once.
func (c *call) chooseStatus(u *account, status string) {
	u.statusDefault, u.status = status, status
	if c.does(statusClaims) {
		u.statusSource = "manual"
		u.status = presence(u.statusConnection, status)
	}
}

func (c *call) statusExpiry() (time.Time, error) {
	if !c.body.has("expiresAt") || !c.does(statusClaims) {
		return time.Time{}, nil
	}
	where := fields{"method": "users.setStatus"}
	at, ok := parseDate(c.body.str("expiresAt"))
	switch {
	case !ok:
		return at, coded("error-invalid-date", "Invalid expiresAt date string", where)
	case !at.After(c.now()):
		return at, coded("error-invalid-date", "expiresAt must be a future date", where)
	}
	return at, nil
}

type statusItem struct {
	ID         string `json:"_id"`
	Connection string `json:"connectionStatus,omitempty"`
	Status     string `json:"status"`
	Source     string `json:"statusSource,omitempty"`
	ExpiresAt  stamp  `json:"statusExpiresAt,omitzero"`
}

// getStatus is users.getStatus.
func (c *call) getStatus() (any, error) {
	u, err := c.selfOrChosen(c.query)
	if err != nil {
		return nil, err
	}
	item := statusItem{ID: u.id, Status: u.status, Source: u.statusSource, ExpiresAt: stamp{u.statusExpires}}
	if u == c.me {
		item.Connection = cmp.Or(u.statusConnection, "offline")
	}
	return item, nil
}

// getPresence is users.getPresence.
func (c *call) getPresence() (any, error) {
	u, err := c.selfOrChosen(c.query)
	if err != nil {
		return nil, err
	}
	answer := fields{"presence": cmp.Or(u.status, "offline")}
	if u == c.me {
		answer["connectionStatus"] = cmp.Or(u.statusConnection, "offline")
		if !u.lastLogin.IsZero() {
			answer["lastLogin"] = stamp{u.lastLogin}
		}
	}
	return answer, nil
}

const presenceDelta = 10 * time.Minute

// presenceList is users.presence.
func (c *call) presenceList() (any, error) {
	shown, full := c.presentUsers()
	items := []profile{}
	for u := range matching(c.inOrder(), shown) {
		p := profile{
			ID: u.id, Name: u.shownName(), Username: u.username, Status: u.status, UTCOffset: u.utcOffset, StatusText: u.statusText,
			StatusSource: u.statusSource, StatusExpiresAt: stamp{u.statusExpires},
		}
		if u.picture != nil {
			p.AvatarETag = u.picture.etag
		}
		items = append(items, p)
	}
	return fields{"users": items, "full": full}, nil
}

// presentUsers returns the users of users.presence: the requested ones, those who changed
// recently, or otherwise everybody who is online. Only the last is the full list.
func (c *call) presentUsers() (shown func(*account) bool, full bool) {
	present := func(u *account) bool { return u.status != "offline" && u.status != "" }
	ids := c.query.strings("ids")
	if !c.does(missesCommas) {
		ids = strings.FieldsFunc(strings.Join(ids, ","), func(r rune) bool { return r == ',' })
	}
	from, isDate := parseDate(c.query.str("from"))
	switch {
	case c.enabled("Presence_broadcast_disabled"):
		return func(*account) bool { return false }, true
	case len(ids) > 0:
		return func(u *account) bool {
			speaks := u.statusText != nil && *u.statusText != "" || !u.statusExpires.IsZero()
			return slices.Contains(ids, u.id) && (present(u) || speaks && c.does(statusClaims))
		}, false
	case isDate && c.now().Sub(from) < presenceDelta:
		return func(u *account) bool { return u != c.me && u.username != "" && !u.updatedAt.Before(from) }, false
	}
	return present, true
}

// connections is presence.getConnections.
func (c *call) connections() (any, error) {
	online := c.count(func(u *account) bool { return u.statusConnection != "" && u.statusConnection != "offline" })
	return fields{"current": online, "max": connectionLimit}, nil
}

// enableBroadcast is presence.enableBroadcast.
func (c *call) enableBroadcast() (any, error) {
	c.settings["Presence_broadcast_disabled"] = false
	return nil, nil
}

// listCustomStatuses is custom-user-status.list.
func (c *call) listCustomStatuses() (any, error) {
	q, err := c.listQuery(nil)
	if err != nil {
		return nil, err
	}
	name, id := strings.ToLower(c.query.str("name")), c.query.str("_id")
	found := []*customStatus{}
	for _, s := range c.statuses {
		if strings.Contains(strings.ToLower(s.Name), name) && (id == "" || s.ID == id) {
			found = append(found, s)
		}
	}
	if len(q.sort) == 0 {
		q.sort = []sortKey{{"name", 1}}
	}
	slices.SortStableFunc(found, func(a, b *customStatus) int {
		for _, key := range q.sort {
			if order := key.direction * strings.Compare(a.value(key.name), b.value(key.name)); order != 0 {
				return order
			}
		}
		return 0
	})
	page := cut(found, q.offset, q.count)
	return fields{"statuses": page, "count": len(page), "offset": q.offset, "total": len(found)}, nil
}

func (c *call) manageStatuses() error {
	if !c.may("manage-user-status") {
		return coded("not_authorized", "", nil)
	}
	return nil
}

// checkCustomStatus refuses bad and taken names; id is the status that may keep its own.
func (c *call) checkCustomStatus(id string) error {
	name, kind := c.body.str("name"), c.body.str("statusType")
	invalid := func(what, value, field string) error {
		return coded("error-input-is-not-a-valid-field", value+" is not a valid "+what,
			fields{"method": "insertOrUpdateUserStatus", "input": value, "field": field})
	}
	switch {
	case strings.TrimSpace(name) == "":
		return coded("error-the-field-is-required", "The field Name is required", fields{"method": "insertOrUpdateUserStatus", "field": "Name"})
	case strings.ContainsAny(name, "><&\"'"):
		return invalid("name", name, "Name")
	case slices.ContainsFunc(c.statuses, func(s *customStatus) bool { return s.Name == name && s.ID != id }):
		return coded("Custom_User_Status_Error_Name_Already_In_Use", "The custom user status name is already in use",
			fields{"method": "insertOrUpdateUserStatus"})
	case kind != "" && !slices.Contains(statusTypes(), kind):
		return invalid("status type", kind, "StatusType")
	}
	return nil
}

// match is the framework's check of a body that has to hold texts under all the wanted keys and may hold one under statusType, as
// servers do that have no schema for the route.
func (c *call) match(wanted ...string) error {
	if c.typed() {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(c.body)) {
		switch {
		case !slices.Contains(wanted, key) && key != "statusType":
			return plain("Match error: Unknown key in field " + key)
		case kindOfValue(c.body[key]) != kindString:
			return noMatch("string", string(kindOfValue(c.body[key])), key)
		}
	}
	for _, key := range wanted {
		if !c.body.has(key) {
			return plain("Match error: Missing key '" + key + "'")
		}
	}
	return nil
}

// createCustomStatus is custom-user-status.create.
func (c *call) createCustomStatus() (any, error) {
	if err := c.match("name"); err != nil {
		return nil, err
	}
	if err := c.manageStatuses(); err != nil {
		return nil, err
	}
	if err := c.checkCustomStatus(""); err != nil {
		return nil, err
	}
	s := &customStatus{newID(), c.body.str("name"), c.body.str("statusType"), stamp{c.now()}}
	c.statuses = append(c.statuses, s)
	return fields{"customUserStatus": s}, nil
}

func (c *call) customStatus(id string) *customStatus {
	if i := slices.IndexFunc(c.statuses, func(s *customStatus) bool { return s.ID == id }); i >= 0 {
		return c.statuses[i]
	}
	return nil
}

// updateCustomStatus is custom-user-status.update. An unknown id is found before the permission is looked at.
func (c *call) updateCustomStatus() (any, error) {
	if err := c.match("_id", "name"); err != nil {
		return nil, err
	}
	id := c.body.str("_id")
	s := c.customStatus(id)
	if s == nil {
		return nil, plain(`No custom user status found with the id of "` + id + `".`)
	}
	if err := c.manageStatuses(); err != nil {
		return nil, err
	}
	if err := c.checkCustomStatus(id); err != nil {
		return nil, err
	}
	s.Name, s.UpdatedAt = c.body.str("name"), stamp{c.now()}
	if c.body.has("statusType") {
		s.StatusType = c.body.str("statusType")
	}
	return fields{"customUserStatus": s}, nil
}

// deleteCustomStatus is custom-user-status.delete.
func (c *call) deleteCustomStatus() (any, error) {
	id := c.body.str("customUserStatusId")
	if id == "" {
		return nil, plain(`The "customUserStatusId" params is required!`)
	}
	if err := c.manageStatuses(); err != nil {
		return nil, err
	}
	if c.customStatus(id) == nil {
		return nil, coded("Custom_User_Status_Error_Invalid_User_Status", "Invalid user status", fields{"method": "deleteCustomUserStatus"})
	}
	c.statuses = slices.DeleteFunc(c.statuses, func(s *customStatus) bool { return s.ID == id })
	return nil, nil
}
