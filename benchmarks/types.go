package benchmarks

import "time"

// The types below are those of the library, written for encoding/json: with the same
// fields, time.Time for Time, string for Secret, and without Extra.

type user struct {
	ID        string   `json:"_id"`
	Username  string   `json:"username"`
	Name      string   `json:"name"`
	Nickname  string   `json:"nickname"`
	Bio       string   `json:"bio"`
	Emails    []email  `json:"emails"`
	Phone     any      `json:"phone"`
	Type      string   `json:"type"`
	Roles     []string `json:"roles"`
	Active    bool     `json:"active"`
	Reason    string   `json:"reason"`
	Federated bool     `json:"federated"`

	InactiveReason string `json:"inactiveReason"`

	Status           string    `json:"status"`
	StatusDefault    string    `json:"statusDefault"`
	StatusConnection string    `json:"statusConnection"`
	StatusText       string    `json:"statusText"`
	StatusSource     string    `json:"statusSource"`
	StatusExpiresAt  time.Time `json:"statusExpiresAt"`
	StatusLivechat   string    `json:"statusLivechat"`

	UTCOffset    *float64 `json:"utcOffset"`
	Language     string   `json:"language"`
	AvatarETag   string   `json:"avatarETag"`
	AvatarOrigin string   `json:"avatarOrigin"`

	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"_updatedAt"`
	LastLogin time.Time `json:"lastLogin"`

	RequirePasswordChange       bool   `json:"requirePasswordChange"`
	RequirePasswordChangeReason string `json:"requirePasswordChangeReason"`

	CustomFields        map[string]any `json:"customFields"`
	FreeSwitchExtension string         `json:"freeSwitchExtension"`
	ImportIDs           []string       `json:"importIds"`

	Services *services     `json:"services"`
	Settings *userSettings `json:"settings"`

	Rooms []userRoom `json:"rooms"`

	CanViewAllInfo *bool `json:"canViewAllInfo"`

	RoomIDs            []string       `json:"__rooms"`
	RoomRolePriorities map[string]int `json:"roomRolePriorities"`
	NameInsensitive    string         `json:"nameInsensitive"`
}

type email struct {
	Address  string `json:"address"`
	Verified bool   `json:"verified"`
}

type userRoom struct {
	ID        string   `json:"_id"`
	RoomID    string   `json:"rid"`
	Name      string   `json:"name"`
	Type      string   `json:"t"`
	Roles     []string `json:"roles"`
	Unread    int      `json:"unread"`
	Federated bool     `json:"federated"`
}

// services and userSettings are cut short: no answer here has anything in them.
type services struct {
	Password any `json:"password"`
	TOTP     any `json:"totp"`
	Email2FA any `json:"email2fa"`
}

type userSettings struct {
	Profile     map[string]any `json:"profile"`
	Preferences map[string]any `json:"preferences"`
}

type infoAnswer struct {
	User    user   `json:"user"`
	Success bool   `json:"success"`
	Error   string `json:"error"`
}

type listAnswer struct {
	Users   []user `json:"users"`
	Offset  int    `json:"offset"`
	Total   int    `json:"total"`
	Success bool   `json:"success"`
	Error   string `json:"error"`
}

type createBody struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Password string `json:"password"`
	Username string `json:"username"`
	Verified bool   `json:"verified,omitempty"`
}
