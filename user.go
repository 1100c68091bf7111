package rocketchat

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// User is an account, as far as the caller may see it. Servers leave out fields that the
// caller has no permission for and fields that were never set, so nearly every field except
// ID can be zero.
//
// Emails, Roles, CreatedAt, LastLogin and the other private fields of other users need
// the permission view-full-other-user-info.
type User struct {
	ID        string   `json:"_id"`
	Username  string   `json:"username,omitzero"`
	Name      string   `json:"name"`
	Nickname  string   `json:"nickname,omitzero"`
	Bio       string   `json:"bio,omitzero"`
	Emails    []Email  `json:"emails,omitzero"`
	Phone     any      `json:"phone,omitzero"`
	Type      UserType `json:"type,omitzero"`
	Roles     []string `json:"roles,omitzero"` // role IDs, not names
	Active    bool     `json:"active"`         // also false in answers that leave it out, such as those about roles and presence
	Reason    string   `json:"reason,omitzero"`
	Federated bool     `json:"federated,omitzero"`

	// InactiveReason says why the account is not active, since server 8.0.
	InactiveReason InactiveReason `json:"inactiveReason,omitzero"`

	Status           UserStatus   `json:"status,omitzero"`           // what others see
	StatusDefault    UserStatus   `json:"statusDefault,omitzero"`    // what the user chose
	StatusConnection UserStatus   `json:"statusConnection,omitzero"` // what the connections say
	StatusText       string       `json:"statusText"`
	StatusSource     StatusSource `json:"statusSource,omitzero"` // since server 8.6
	StatusExpiresAt  Time         `json:"statusExpiresAt,omitzero"`
	StatusLivechat   string       `json:"statusLivechat,omitzero"`

	// UTCOffset is in hours and can be fractional. It is nil until one of the user's
	// clients has reported it.
	UTCOffset    *float64 `json:"utcOffset,omitzero"`
	Language     string   `json:"language,omitzero"` // only when the user chose one
	AvatarETag   string   `json:"avatarETag,omitzero"`
	AvatarOrigin string   `json:"avatarOrigin,omitzero"`

	CreatedAt Time `json:"createdAt,omitzero"`
	UpdatedAt Time `json:"_updatedAt,omitzero"`
	LastLogin Time `json:"lastLogin,omitzero"` // zero for those who never logged in

	RequirePasswordChange       bool   `json:"requirePasswordChange"`
	RequirePasswordChangeReason string `json:"requirePasswordChangeReason,omitzero"`

	// CustomFields holds the fields that the server defines in Accounts_CustomFields;
	// without the permission, only the public ones.
	CustomFields        map[string]any `json:"customFields,omitzero"`
	FreeSwitchExtension string         `json:"freeSwitchExtension,omitzero"`
	ImportIDs           []string       `json:"importIds,omitzero"`

	// Services and Settings are set only in answers about the caller's own account.
	Services *Services     `json:"services,omitzero"`
	Settings *UserSettings `json:"settings,omitzero"`

	// Rooms is set only by [UsersService.GetWithRooms].
	Rooms []UserRoom `json:"rooms,omitzero"`

	// CanViewAllInfo reports, in answers of users.info, whether the caller sees the
	// private fields. Elsewhere it is nil.
	CanViewAllInfo *bool `json:"canViewAllInfo,omitzero"`

	// RoomIDs, RoomRolePriorities and NameInsensitive are by-products of some answers.
	RoomIDs            []string       `json:"__rooms,omitzero"`
	RoomRolePriorities map[string]int `json:"roomRolePriorities,omitzero"` // by room ID
	NameInsensitive    string         `json:"nameInsensitive,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// A type with JSON methods cannot be embedded in JSON, so types that embed User use this
// one.
type userWire User

// PrimaryEmail returns the first address, or "" if there is none.
func (u *User) PrimaryEmail() string {
	if len(u.Emails) == 0 {
		return ""
	}
	return u.Emails[0].Address
}

// HasRole reports whether the user has the role with the given ID.
func (u *User) HasRole(id string) bool { return slices.Contains(u.Roles, id) }

func (u *User) hasEmail(address string) bool {
	return slices.ContainsFunc(u.Emails, func(e Email) bool { return equalFold(e.Address, address) })
}

// seenWhole reports whether the server also sent the private fields.
func (u *User) seenWhole() bool { return u.CanViewAllInfo != nil && *u.CanViewAllInfo }

// identity implements [identified].
func (u *User) identity() string { return u.ID }

// Email is an address of a user.
type Email struct {
	Address  string `json:"address"`
	Verified bool   `json:"verified"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// UserType is the kind of an account. Servers have others besides these.
type UserType string

// The common types of accounts.
const (
	UserTypeUser UserType = "user"
	UserTypeBot  UserType = "bot"
	UserTypeApp  UserType = "app"
)

// InactiveReason is why an account is not active.
type InactiveReason string

// The reasons, since server 8.0.
const (
	InactiveDeactivated     InactiveReason = "deactivated"
	InactivePendingApproval InactiveReason = "pending_approval"
	InactiveIdleTooLong     InactiveReason = "idle_too_long"
)

// UserRoom is a room that a user is in.
type UserRoom struct {
	ID        string   `json:"_id"` // of the subscription; the room's is RoomID
	RoomID    string   `json:"rid"`
	Name      string   `json:"name"` // of a direct message: the other's username
	Type      RoomType `json:"t"`
	Roles     []string `json:"roles,omitzero"` // of the user in the room
	Unread    int      `json:"unread"`         // messages
	Federated bool     `json:"federated,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// RoomType is the kind of a room. Servers have others besides these.
type RoomType string

// The common types of rooms.
const (
	RoomPublic  RoomType = "c"
	RoomPrivate RoomType = "p"
	RoomDirect  RoomType = "d"
)

// UserSettings are the settings of a user.
type UserSettings struct {
	Profile     map[string]any    `json:"profile,omitzero"`
	Preferences *Preferences      `json:"preferences,omitzero"` // complete, with defaults, in answers of me and log-in; otherwise nil or what was stored
	Calendar    *CalendarSettings `json:"calendar,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// CalendarSettings are those of the calendars that the server connects to.
type CalendarSettings struct {
	Outlook *OutlookSettings `json:"outlook,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// OutlookSettings are those of the Outlook calendar.
type OutlookSettings struct {
	Enabled     bool   `json:"Enabled"`
	ExchangeURL string `json:"Exchange_Url"`
	OutlookURL  string `json:"Outlook_Url"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// Services are the ways to log in to the caller's own account. Some servers send more about
// them than they should, hence the secrets.
type Services struct {
	Password        *PasswordService    `json:"password,omitzero"`
	TOTP            *SecondFactor       `json:"totp,omitzero"`
	Email2FA        *SecondFactor       `json:"email2fa,omitzero"`
	EmailCode       *EmailCode          `json:"emailCode,omitzero"`
	Email           *EmailVerifications `json:"email,omitzero"`
	PasswordHistory []Secret            `json:"passwordHistory,omitzero"`
	Resume          *LoginTokens        `json:"resume,omitzero"`
	GitHub          *OAuthService       `json:"github,omitzero"`
	GitLab          *OAuthService       `json:"gitlab,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// OAuthService holds the tokens of an account at another service.
type OAuthService struct {
	AccessToken  Secret `json:"accessToken,omitzero"`
	RefreshToken Secret `json:"refreshToken,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// SecondFactor is a second factor of an account.
type SecondFactor struct {
	Enabled      bool     `json:"enabled"`
	ChangedAt    Time     `json:"changedAt,omitzero"`
	Secret       Secret   `json:"secret,omitzero"`
	TempSecret   Secret   `json:"tempSecret,omitzero"`
	HashedBackup []Secret `json:"hashedBackup,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// EmailCode is the code that was mailed last, as a hash.
type EmailCode struct {
	Code     Secret `json:"code,omitzero"`
	Attempts int    `json:"attempts"` // that failed
	Expire   Time   `json:"expire,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// EmailVerifications are the addresses that wait to be verified.
type EmailVerifications struct {
	VerificationTokens []EmailVerification `json:"verificationTokens,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// EmailVerification is an address that waits to be verified.
type EmailVerification struct {
	Address string `json:"address"`
	Token   Secret `json:"token,omitzero"`
	When    Time   `json:"when,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// LoginTokens are the sessions and personal access tokens of an account.
type LoginTokens struct {
	LoginTokens []LoginToken `json:"loginTokens,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// LoginToken is a session or a personal access token, as a hash.
type LoginToken struct {
	HashedToken Secret `json:"hashedToken,omitzero"`
	When        Time   `json:"when,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// PasswordService describes the password of an account.
type PasswordService struct {
	Exists bool   // the account has a password
	Bcrypt Secret // its hash, which some servers send

	// Extra holds members that this version of the package does not know.
	Extra map[string]any

	form passwordForm
}

// passwordForm is the JSON form of a PasswordService.
type passwordForm byte

const (
	passwordExists passwordForm = iota // {"exists": true}
	passwordBool                       // true
	passwordHash                       // {"bcrypt": "…"}
)

// passwordObject is a PasswordService that is written as an object.
type passwordObject struct {
	Exists *bool          `json:"exists,omitzero"`
	Bcrypt Secret         `json:"bcrypt,omitzero"`
	Extra  map[string]any `json:",embed,inline"`
}

// UnmarshalJSONFrom implements [github.com/go-json-experiment/json.UnmarshalerFrom].
// Servers write a boolean, an object that says whether there is a password, or one with
// its hash.
func (p *PasswordService) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if kind := dec.PeekKind(); kind == 't' || kind == 'f' {
		*p = PasswordService{form: passwordBool}
		return json.UnmarshalDecode(dec, &p.Exists)
	}
	var object passwordObject
	if err := json.UnmarshalDecode(dec, &object); err != nil {
		return err
	}
	*p = PasswordService{Exists: !object.Bcrypt.IsZero(), Bcrypt: object.Bcrypt, Extra: object.Extra, form: passwordHash}
	if object.Exists != nil {
		p.Exists, p.form = *object.Exists, passwordExists
	}
	return nil
}

// MarshalJSON implements [encoding/json.Marshaler].
func (p PasswordService) MarshalJSON() ([]byte, error) { return encoded(p) }

// MarshalJSONTo implements [github.com/go-json-experiment/json.MarshalerTo]. The form is
// the one that was read.
func (p PasswordService) MarshalJSONTo(enc *jsontext.Encoder) error {
	if p.form == passwordBool {
		return enc.WriteToken(jsontext.Bool(p.Exists))
	}
	object := passwordObject{Bcrypt: p.Bcrypt, Extra: p.Extra}
	if p.form == passwordExists {
		object.Exists = &p.Exists
	}
	return json.MarshalEncode(enc, object)
}
