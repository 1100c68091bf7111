package rocketchat

import (
	"context"
	"reflect"
)

// MeService manages the account that the client acts for.
type MeService service

// Me is the account that the client acts for.
type Me struct {
	User

	Email             string                    `json:"email,omitzero"`     // the first verified address; "" without one
	AvatarURL         string                    `json:"avatarUrl,omitzero"` // absolute; ends in /avatar/undefined for an account without a username
	IsOAuthUser       bool                      `json:"isOAuthUser"`
	DefaultRoom       string                    `json:"defaultRoom,omitzero"`
	Banners           map[string]map[string]any `json:"banners,omitzero"` // by id
	OAuth             *OAuth                    `json:"oauth,omitzero"`
	OpenBusinessHours []string                  `json:"openBusinessHours,omitzero"`
	ABACAttributes    []map[string]any          `json:"abacAttributes,omitzero"`
}

// OAuth tells who may act for the account.
type OAuth struct {
	AuthorizedClients []string `json:"authorizedClients,omitzero"` // ids

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// Get returns the account that the client acts for, with its settings. Type,
// CreatedAt and LastLogin are not there: [UsersService.Get] with one's own id has them.
//
// GET /api/v1/me. No permission; accounts without a username may call it, too.
func (s *MeService) Get(ctx context.Context, opts ...CallOption) (*Me, error) {
	answer, err := do[struct {
		Me
		Nested *Me `json:"user"` // where the documentation has it; servers do not
	}](ctx, s.client, get("me").since("0.48.0"), nil, nil, opts)
	switch {
	case err != nil:
		return nil, err
	case answer.Nested != nil:
		return answer.Nested, nil
	}
	return &answer.Me, nil
}

// MeUpdate names what to change of one's own account. What is nil stays as it is; an
// empty Bio, Nickname or StatusText erases.
type MeUpdate struct {
	Name       *string     `json:"name,omitzero"`
	Username   *string     `json:"username,omitzero"` // rewrites mentions and the names on messages
	Nickname   *string     `json:"nickname,omitzero"` // at most 120 characters
	Bio        *string     `json:"bio,omitzero"`      // at most 260 characters
	Email      *string     `json:"email,omitzero"`    // replaces all addresses; a mail asks to verify it
	StatusType *UserStatus `json:"statusType,omitzero"`
	StatusText *string     `json:"statusText,omitzero"`

	// CurrentPassword proves a change of Email or NewPassword, for accounts that have no
	// other second factor; those that do must leave it nil. It is given as it is typed
	// and sent as its SHA-256.
	CurrentPassword *Secret `json:"currentPassword,omitzero"`
	// NewPassword ends all other sessions and revokes all personal access tokens.
	NewPassword *Secret `json:"newPassword,omitzero"`

	CustomFields map[string]any `json:"-"` // servers before 7.9.1 replace all of them
}

// Update changes one's own account. The answer has all of it but the preferences.
//
// POST /api/v1/users.updateOwnBasicInfo. No permission; settings of the server can
// forbid each field. A change of Email or NewPassword needs a second factor, or
// CurrentPassword. Servers after 6.14 take 1 call in 60 s. A lost answer is repeated
// unless NewPassword is set. The fields are saved one after the other, so an error can
// leave some of them changed. Errors: [ErrTaken], [ErrForbidden], [ErrTOTPRequired],
// [ErrTOTPInvalid] for a wrong CurrentPassword, and [ErrInvalid], for a new password
// with [*PasswordPolicyError].
func (s *MeService) Update(ctx context.Context, in MeUpdate, opts ...CallOption) (*Me, error) {
	e := post("users.updateOwnBasicInfo").since("0.62.2").yields("user").
		require(!in.empty(), "MeUpdate", "must name what to change").
		require(in.StatusType == nil || in.StatusType.known(), "StatusType", statusWords).
		require(in.CurrentPassword == nil || !in.CurrentPassword.IsZero(), "CurrentPassword", "must not be empty").
		require(in.NewPassword == nil || !in.NewPassword.IsZero(), "NewPassword", "must not be empty")
	if in.NewPassword == nil {
		e = e.repeatable()
	}
	if in.CurrentPassword != nil {
		in.CurrentPassword = new(hashed(*in.CurrentPassword))
	}
	return do[*Me](ctx, s.client, e, nil, meUpdateBody{in, in.CustomFields}, opts)
}

type meUpdateBody struct {
	Data         MeUpdate       `json:"data"`
	CustomFields map[string]any `json:"customFields,omitzero"`
}

// empty reports that the update names nothing.
func (u MeUpdate) empty() bool {
	u.CurrentPassword = nil
	return reflect.ValueOf(u).IsZero()
}

// Delete deletes the account that the client acts for. The password is given as it is
// typed and sent as its SHA-256; an account without one gives its username instead.
//
// POST /api/v1/users.deleteOwnAccount. The setting Accounts_AllowDeleteOwnAccount must
// be on; by default it is off. A lost answer is not repeated: after
// [ErrOutcomeUnknown], [ErrUnauthorized] on the next call says that it happened.
// Errors: [ErrForbidden], [ErrLastOwner], [ErrInvalid] for a wrong password.
func (s *MeService) Delete(ctx context.Context, password Secret, in DeleteOptions, opts ...CallOption) error {
	e := post("users.deleteOwnAccount").since("0.67.0").require(!password.IsZero(), "password", "must not be empty")
	return exec(ctx, s.client, e, struct {
		Password Secret `json:"password"`
		DeleteOptions
	}{hashed(password), in}, opts)
}

// DataDownload is an export of one's own data.
type DataDownload struct {
	Requested bool            `json:"requested"` // false when one is under way or was finished lately, which this is then
	Operation ExportOperation `json:"exportOperation"`
	URL       string          `json:"url,omitzero"`                     // of the finished export
	Pending   int             `json:"pendingOperationsBeforeMyRequest"` // other exports, before this one

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// ExportOperation is the server's job for an export.
type ExportOperation struct {
	ID                string           `json:"_id"`
	UserID            string           `json:"userId"`
	Status            ExportStatus     `json:"status"`
	FullExport        bool             `json:"fullExport"`
	CreatedAt         Time             `json:"createdAt,omitzero"`
	UpdatedAt         Time             `json:"_updatedAt,omitzero"`
	RoomList          []map[string]any `json:"roomList,omitzero"`
	FileList          []map[string]any `json:"fileList,omitzero"`
	FileID            string           `json:"fileId,omitzero"`
	ExportPath        string           `json:"exportPath"` // on the server
	AssetsPath        string           `json:"assetsPath"` // on the server
	GeneratedFile     string           `json:"generatedFile,omitzero"`
	GeneratedUserFile any              `json:"generatedUserFile,omitzero"`
	GeneratedAvatar   any              `json:"generatedAvatar,omitzero"`
	UserNameTable     map[string]any   `json:"userNameTable,omitzero"`
	UserData          *User            `json:"userData,omitzero"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// ExportStatus is how far an export is. There are others than the ones named here.
type ExportStatus string

// Statuses of exports.
const (
	ExportPending   ExportStatus = "pending"
	ExportPreparing ExportStatus = "preparing"
	ExportExporting ExportStatus = "exporting"
)

// RequestDataDownload has the server export one's own data: a page to read or, when
// full, everything in files.
//
// GET /api/v1/users.requestDataDownload, which starts the export all the same: a lost
// answer is not repeated. No permission. Another call later tells the URL.
func (s *MeService) RequestDataDownload(ctx context.Context, full bool, opts ...CallOption) (*DataDownload, error) {
	q := query()
	if full {
		q.Set("fullExport", "true")
	}
	return do[*DataDownload](ctx, s.client, get("users.requestDataDownload").since("1.2.0").once(), q, nil, opts)
}
