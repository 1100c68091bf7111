package rocketchattest

import (
	"maps"
	"slices"
)

// profile is a user on the wire. Which parts are filled depends on the route and on who asks.
type profile struct {
	ID               string         `json:"_id"`
	CreatedAt        stamp          `json:"createdAt,omitzero"`
	Username         string         `json:"username,omitempty"`
	Emails           []address      `json:"emails,omitempty"`
	Type             string         `json:"type,omitempty"`
	Roles            []string       `json:"roles,omitzero"`
	Status           string         `json:"status,omitempty"`
	Active           *bool          `json:"active,omitempty"`
	InactiveReason   string         `json:"inactiveReason,omitempty"`
	Name             *string        `json:"name,omitempty"`
	NameInsensitive  any            `json:"nameInsensitive,omitzero"`
	UpdatedAt        stamp          `json:"_updatedAt,omitzero"`
	Rooms            []string       `json:"__rooms,omitempty"`
	Settings         map[string]any `json:"settings,omitzero"`
	RolePriorities   map[string]int `json:"roomRolePriorities,omitempty"`
	PasswordChange   *bool          `json:"requirePasswordChange,omitempty"`
	ChangeReason     string         `json:"requirePasswordChangeReason,omitempty"`
	LastLogin        stamp          `json:"lastLogin,omitzero"`
	StatusText       *string        `json:"statusText,omitempty"`
	StatusConnection string         `json:"statusConnection,omitempty"`
	StatusDefault    string         `json:"statusDefault,omitempty"`
	StatusSource     string         `json:"statusSource,omitempty"`
	StatusExpiresAt  stamp          `json:"statusExpiresAt,omitzero"`
	StatusLivechat   string         `json:"statusLivechat,omitempty"`
	Bio              string         `json:"bio,omitempty"`
	Nickname         string         `json:"nickname,omitempty"`
	Reason           string         `json:"reason,omitempty"`
	CustomFields     map[string]any `json:"customFields,omitempty"`
	UTCOffset        *float64       `json:"utcOffset,omitempty"`
	Language         string         `json:"language,omitempty"`
	Extension        string         `json:"freeSwitchExtension,omitempty"`
	Federated        bool           `json:"federated,omitempty"`
	AvatarOrigin     string         `json:"avatarOrigin,omitempty"`
	AvatarETag       string         `json:"avatarETag,omitempty"`
	Services         map[string]any `json:"services,omitempty"`
	Email            string         `json:"email,omitempty"`
	AvatarURL        string         `json:"avatarUrl,omitempty"`
	IsOAuthUser      *bool          `json:"isOAuthUser,omitempty"`
	ImportIDs        []string       `json:"importIds,omitempty"`
	CanViewAllInfo   *bool          `json:"canViewAllInfo,omitempty"`
	Subscriptions    *[]roomItem    `json:"rooms,omitempty"`
	Outside          bool           `json:"outside,omitempty"`
}

// full is everything that is stored about u, secrets aside.
func (u *account) full() profile {
	p := profile{
		ID: u.id, CreatedAt: stamp{u.createdAt}, Username: u.username, Emails: slices.Clone(u.emails), Type: u.kind,
		Roles: slices.Clone(u.roles), Status: u.status, Active: new(u.active), Name: u.shownName(), UpdatedAt: stamp{u.updatedAt},
		Rooms: slices.Clone(u.rooms), Settings: u.settings(), PasswordChange: u.passwordChange, ChangeReason: u.passwordChangeReason,
		LastLogin: stamp{u.lastLogin}, StatusText: u.statusText, StatusConnection: u.statusConnection, StatusDefault: u.statusDefault,
		StatusSource: u.statusSource, StatusExpiresAt: stamp{u.statusExpires}, StatusLivechat: u.agentStatus, Bio: u.bio, Nickname: u.nickname, Reason: u.reason,
		CustomFields: u.customFields, UTCOffset: u.utcOffset, Language: u.language, Extension: u.extension, Federated: u.federated,
		ImportIDs: u.importIDs,
	}
	if p.Roles == nil {
		p.Roles = []string{}
	}
	if u.picture != nil {
		p.AvatarOrigin, p.AvatarETag = u.picture.origin, u.picture.etag
	}
	return p
}

// shownName is the name as answers have it, nil for a user without one.
func (u *account) shownName() *string {
	if u.name == "" && !u.blankName {
		return nil
	}
	return &u.name
}

// settings is the stored settings object, nil for a user that has none.
func (u *account) settings() map[string]any {
	if !u.hasSettings && !u.hasProfile && u.preferences == nil {
		return nil
	}
	s := map[string]any{}
	if u.hasProfile {
		s["profile"] = fields{}
	}
	if u.preferences != nil {
		s["preferences"] = maps.Clone(u.preferences)
	}
	return s
}

// stored is u as the routes answer it that return stored users: reduced by what the viewer may see.
func (db *database) stored(u, viewer *account) profile {
	p := u.full()
	p.ImportIDs, p.RolePriorities = nil, db.rolePriorities(u)
	if db.does(inactiveReasons) {
		p.InactiveReason = u.inactiveReason
	}
	if !db.allowed(viewer, "view-full-other-user-info") {
		p.AvatarOrigin, p.Emails, p.StatusConnection, p.CreatedAt, p.LastLogin = "", nil, "", stamp{}, stamp{}
		p.PasswordChange, p.ChangeReason, p.Roles, p.StatusDefault, p.UpdatedAt, p.Settings = nil, "", nil, "", stamp{}, nil
		p.CustomFields = db.visibleCustomFields(u, true)
	}
	return p
}

// detailed is u as users.info shows it.
func (db *database) detailed(u, viewer *account) profile {
	full := u == viewer || db.allowed(viewer, "view-full-other-user-info")
	p := u.full()
	p.UpdatedAt, p.Rooms, p.Settings, p.StatusDefault, p.Language, p.AvatarOrigin = stamp{}, nil, nil, "", "", ""
	p.CanViewAllInfo = new(full)
	p.CustomFields = db.visibleCustomFields(u, !full)
	if !full {
		p.Emails, p.StatusConnection, p.CreatedAt, p.LastLogin, p.Roles, p.ImportIDs = nil, "", stamp{}, stamp{}, nil, nil
		p.PasswordChange, p.ChangeReason = nil, ""
	}
	if !db.does(infoWithExtension) {
		p.Extension = ""
	}
	if u == viewer {
		p.Services = fields{"password": u.passwordHash != ""}
		if !u.emailFactor.IsZero() {
			p.Services["email2fa"] = fields{"enabled": true, "changedAt": stamp{u.emailFactor}}
		}
	}
	return p
}

// listed is u in users.list and users.listByStatus; full adds addresses, roles and the last login.
func (u *account) listed(full bool) profile {
	p := profile{ID: u.id, Username: u.username, Name: u.shownName(), Status: u.status, Active: new(u.active), Type: u.kind}
	if u.picture != nil {
		p.AvatarETag = u.picture.etag
	}
	if full {
		p.Emails, p.LastLogin, p.Roles = slices.Clone(u.emails), stamp{u.lastLogin}, slices.Clone(u.roles)
	}
	return p
}

// services returns the ways to log in, as far as the user may see them.
func (u *account) services() fields {
	s := fields{}
	if u.passwordHash != "" {
		s["password"] = fields{"exists": true}
	}
	if u.totp != nil && u.totp.enabled {
		s["totp"] = fields{"enabled": true}
	}
	if !u.emailFactor.IsZero() {
		s["email2fa"] = fields{"enabled": true}
	}
	return s
}

// own is u as me and login show it.
func (c *call) own(u *account) profile {
	p := u.full()
	p.CreatedAt, p.LastLogin, p.Type, p.Rooms, p.ImportIDs = stamp{}, stamp{}, "", nil, nil
	p.Extension, p.Reason = "", ""
	p.Services = u.services()
	p.Settings = fields{"profile": fields{}, "preferences": c.effectivePreferences(u)}
	if c.does(calendarSettings) {
		p.Settings["calendar"] = fields{}
	}
	c.decorate(&p, u)
	return p
}

// decorate adds what is computed for the user itself.
func (c *call) decorate(p *profile, u *account) {
	if i := slices.IndexFunc(u.emails, func(e address) bool { return e.Verified }); i >= 0 {
		p.Email = u.emails[i].Address
	}
	p.AvatarURL = c.avatarURL(u)
	p.IsOAuthUser = new(false)
}
