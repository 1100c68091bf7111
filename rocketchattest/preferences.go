package rocketchattest

import (
	"maps"
	"slices"
)

// defaultPreference is the prefix of the settings with the default values of preferences.
const defaultPreference = "Accounts_Default_User_Preferences_"

// defaultPreferences are a fresh workspace's.
func defaultPreferences(v version) map[string]any {
	p := map[string]any{
		"enableAutoAway": true, "idleTimeLimit": 300, "desktopNotificationRequireInteraction": false, "desktopNotifications": "all",
		"pushNotifications": "all", "unreadAlert": true, "useEmojis": true, "convertAsciiEmoji": true, "autoImageLoad": true,
		"saveMobileBandwidth": true, "collapseMediaByDefault": false, "hideUsernames": false, "hideRoles": false, "hideFlexTab": false,
		"displayAvatars": true, "sidebarGroupByType": true, "themeAppearence": "auto", "sidebarViewMode": "medium",
		"sidebarDisplayAvatar": true, "sidebarShowUnread": false, "sidebarSortby": "activity", "showThreadsInMainChannel": false,
		"enableMobileRinging": true, "alsoSendThreadToChannel": "default", "sidebarShowFavorites": true, "sendOnEnter": "normal",
		"emailNotificationMode": "mentions", "newRoomNotification": "door", "newMessageNotification": "chime",
		"muteFocusedConversations": true, "masterVolume": 100, "notificationsSoundVolume": 100, "voipRingerVolume": 100,
		"omnichannelTranscriptEmail": false, "notifyCalendarEvents": true, "featuresPreview": "[]",
		"sidebarSectionsOrder": []string{
			"Incoming_Calls", "Incoming_Livechats", "Open_Livechats", "On_Hold_Chats", "Unread", "Favorites", "Teams", "Discussions",
			"Channels", "Direct_Messages", "Conversations",
		},
	}
	if releases()[voiceCallNotifications].holds(v) {
		p["desktopNotificationVoiceCalls"] = true
	}
	return p
}

func (db *database) effectivePreferences(u *account) map[string]any {
	p := defaultPreferences(db.version)
	for name := range p {
		p[name] = db.settings[defaultPreference+name]
	}
	maps.Copy(p, u.preferences)
	return p
}

// preferenceFields are the keys of users.setPreferences.
func preferenceFields() *schema {
	var all []field
	for _, name := range []string{
		"newRoomNotification", "newMessageNotification", "emailNotificationMode", "desktopNotifications", "pushNotifications",
		"sendOnEnter", "language", "sidebarSortby", "sidebarViewMode", "themeAppearence", "fontSize",
	} {
		all = append(all, str(name).null())
	}
	for _, name := range []string{"clockMode", "notificationsSoundVolume", "idleTimeLimit"} {
		all = append(all, num(name).null())
	}
	for _, name := range []string{
		"useEmojis", "convertAsciiEmoji", "saveMobileBandwidth", "collapseMediaByDefault", "autoImageLoad", "unreadAlert",
		"enableAutoAway", "showThreadsInMainChannel", "desktopNotificationRequireInteraction", "hideUsernames", "hideRoles",
		"displayAvatars", "hideFlexTab", "sidebarShowFavorites", "sidebarShowUnread", "sidebarDisplayAvatar", "sidebarGroupByType",
		"muteFocusedConversations", "receiveLoginDetectionEmail", "notifyCalendarEvents", "omnichannelTranscriptEmail",
		"omnichannelTranscriptPDF", "omnichannelHideConversationAfterClosing", "enableMobileRinging", "mentionsWithSymbol",
	} {
		all = append(all, flag(name).null())
	}
	return closed(append(all,
		str("alsoSendThreadToChannel").among("default", "always", "never").null(),
		num("masterVolume").null().from(7, 1), // not on 7.0, but on 7.9
		num("voipRingerVolume").null().from(7, 1),
		flag("desktopNotificationVoiceCalls").null().from(7, 13),
		num("utcOffset").null().from(8, 6),
		list("highlights", str("")).null(),
		list("dontAskAgainList", obj("", open(str("action"), str("label")))).null(),
		list("featuresPreview", obj("", open(str("name"), flag("value")))).null(),
		list("statusVisibilityDenied", str("")).from(8, 8),
	)...)
}

// getPreferences is users.getPreferences: what is stored, without the defaults. A user without any settings has none.
func (c *call) getPreferences() (any, error) {
	if c.me.settings() == nil {
		return nil, plain("FAILED TO RETRIEVE USER PREFERENCES BECAUSE THEY HAVEN'T BEEN SET UP BY THE USER YET")
	}
	return fields{"preferences": preferencesWithLanguage(c.me)}, nil
}

func preferencesWithLanguage(u *account) map[string]any {
	p := maps.Clone(u.preferences)
	if p == nil {
		p = map[string]any{}
	}
	if _, chosen := p["language"]; u.language != "" && !chosen {
		p["language"] = u.language
	}
	return p
}

const leastIdleSeconds = 60

// checkPreferences is the check of the action: a null that the schema lets through is refused, but for a few newer preferences.
func (c *call) checkPreferences(data object) error {
	nullable := []string{
		"alsoSendThreadToChannel", "showThreadsInMainChannel", "desktopNotificationRequireInteraction", "dontAskAgainList",
		"featuresPreview", "receiveLoginDetectionEmail", "utcOffset",
	}
	for _, f := range preferenceFields().fields {
		if value, sent := data[f.name]; sent && value == nil && !slices.Contains(nullable, f.name) {
			return noMatch(string(f.kind), "null", f.name)
		}
	}
	if data.has("idleTimeLimit") && data.number("idleTimeLimit") < leastIdleSeconds {
		return coded("invalid-idle-time-limit-value", "Invalid idleTimeLimit", nil)
	}
	return nil
}

// setPreferences is users.setPreferences.
func (c *call) setPreferences() (any, error) {
	u := c.me
	if id := c.body.str("userId"); id != "" && id != c.me.id {
		if !c.may("edit-other-user-info") {
			return nil, coded("error-action-not-allowed", "Editing user is not allowed", nil)
		}
		if u = c.users[id]; u == nil {
			return nil, coded("error-invalid-user", `The optional "userId" param provided does not match any users`, nil)
		}
	}
	data := c.body.object("data")
	if err := c.checkPreferences(data); err != nil {
		return nil, err
	}
	if u.preferences == nil {
		u.preferences = map[string]any{}
	}
	for key, value := range data {
		switch { // as they were called once
		case key == "emailNotificationMode" && value == "all":
			value = "mentions"
		case key == "emailNotificationMode" && value == "disabled":
			value = "nothing"
		}
		if offset, ok := value.(float64); ok && key == "utcOffset" {
			u.utcOffset = &offset
			continue
		}
		u.preferences[key] = value
	}
	if language, ok := data["language"].(string); ok {
		u.language = language
	}
	c.touch(u)
	return fields{"user": fields{"_id": u.id, "settings": fields{"preferences": preferencesWithLanguage(u)}}}, nil
}
