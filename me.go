package rocketchat

import (
	"context"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MeService manages the account that the client acts for.
type MeService service

// Me is the account that the client acts for.
type Me struct {
	User
	OwnDetails
}

// OwnDetails are the fields that the server returns only for the caller's own account.
type OwnDetails struct {
	Email             string                    `json:"email,omitzero"`     // the first verified address
	AvatarURL         string                    `json:"avatarUrl,omitzero"` // absolute; ends in /avatar/undefined for an account without a username
	IsOAuthUser       bool                      `json:"isOAuthUser"`
	DefaultRoom       string                    `json:"defaultRoom,omitzero"`
	Banners           map[string]map[string]any `json:"banners,omitzero"` // by ID
	OAuth             *OAuth                    `json:"oauth,omitzero"`
	OpenBusinessHours []string                  `json:"openBusinessHours,omitzero"`
	ABACAttributes    []map[string]any          `json:"abacAttributes,omitzero"`
}

// meWire is [Me] on the wire.
type meWire struct {
	userWire
	OwnDetails
}

// MarshalJSON implements [encoding/json.Marshaler].
func (m Me) MarshalJSON() ([]byte, error) { return encoded(m) }

// MarshalJSONTo implements [json.MarshalerTo].
func (m Me) MarshalJSONTo(enc *jsontext.Encoder) error {
	return json.MarshalEncode(enc, meWire{userWire(m.User), m.OwnDetails})
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (m *Me) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var wire meWire
	err := json.UnmarshalDecode(dec, &wire)
	m.User, m.OwnDetails = User(wire.userWire), wire.OwnDetails
	return err
}

// OAuth lists the OAuth clients that may act for the account.
type OAuth struct {
	AuthorizedClients []string `json:"authorizedClients,omitzero"` // IDs

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// Get returns the account that the client acts for, with its settings. Type, CreatedAt and
// LastLogin are not set; [UsersService.Get] with [Self] sets them.
//
//   - GET /api/v1/me.
//   - Permission: none. Accounts without a username may call it too.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrUnauthorized].
//   - Since server 0.48.0.
func (s *MeService) Get(ctx context.Context, callOpts ...CallOption) (*Me, error) {
	answer, err := do[meAnswer](ctx, s.client, get("me").since("0.48.0"), callOpts)
	switch {
	case err != nil:
		return nil, err
	case answer.Nested != nil:
		return answer.Nested, nil
	}
	return &Me{User: User(answer.userWire), OwnDetails: answer.OwnDetails}, nil
}

// meAnswer is the answer of me.
type meAnswer struct {
	meWire
	Nested *Me `json:"user"` // as documented; servers do not send it
}

func (a meAnswer) identity() string {
	if a.Nested != nil {
		return a.Nested.ID
	}
	return a.ID
}

// MeUpdateOptions say what to change about one's own account. Nil fields are left
// unchanged; an empty Bio, Nickname or StatusText clears the field.
type MeUpdateOptions struct {
	Name       *string     `json:"name,omitzero"`
	Username   *string     `json:"username,omitzero"` // rewrites mentions and the names on messages
	Nickname   *string     `json:"nickname,omitzero"` // at most 120 characters
	Bio        *string     `json:"bio,omitzero"`      // at most 260 characters
	Email      *string     `json:"email,omitzero"`    // replaces all addresses; a mail asks to verify it
	StatusType *UserStatus `json:"statusType,omitzero"`
	StatusText *string     `json:"statusText,omitzero"`

	// CurrentPassword confirms a change of Email or NewPassword for accounts without another
	// second factor. It must be nil for accounts that have one. It is sent as its SHA-256.
	CurrentPassword *Secret `json:"currentPassword,omitzero"`
	// NewPassword ends all other sessions and revokes all personal access tokens.
	NewPassword *Secret `json:"newPassword,omitzero"`

	CustomFields map[string]any `json:"-"` // servers before 7.9.1 replace all of them
}

// Update changes one's own account. The result lacks the preferences. The fields are saved
// one after the other, so some may have changed if it fails. Server 8.3 accepts one call in
// 60 s; server 7.7 has no such limit.
//
//   - POST /api/v1/users.updateOwnBasicInfo.
//   - Permission: none; server settings can forbid each field.
//   - Second factor: asked for if Email or NewPassword is set and CurrentPassword is not.
//   - Retried if the response is lost, unless NewPassword is set.
//   - Errors: [ErrTaken], [ErrForbidden], [ErrSecondFactorRequired];
//     [ErrSecondFactorInvalid] for a wrong CurrentPassword; [ErrInvalid], for a new
//     password with [*PasswordPolicyError].
//   - Since server 0.62.2.
func (s *MeService) Update(ctx context.Context, opts MeUpdateOptions, callOpts ...CallOption) (*Me, error) {
	e := post("users.updateOwnBasicInfo").since("0.62.2").secondFactor().yields("user").
		require(!opts.empty(), "MeUpdateOptions", "must set a field to change").
		require(opts.StatusType == nil || opts.StatusType.known(), "StatusType", statusWords).
		require(opts.CurrentPassword == nil || !opts.CurrentPassword.IsZero(), "CurrentPassword", "must not be empty").
		require(opts.NewPassword == nil || !opts.NewPassword.IsZero(), "NewPassword", "must not be empty")
	if opts.NewPassword == nil {
		e = e.retried()
	}
	if opts.CurrentPassword != nil {
		opts.CurrentPassword = new(hashed(*opts.CurrentPassword))
	}
	return do[*Me](ctx, s.client, e.json(meUpdateBody{opts, opts.CustomFields}), callOpts)
}

type meUpdateBody struct {
	Data         MeUpdateOptions `json:"data"`
	CustomFields map[string]any  `json:"customFields,omitzero"`
}

// empty reports whether the update changes nothing.
func (o MeUpdateOptions) empty() bool {
	o.CurrentPassword = nil
	return reflect.ValueOf(o).IsZero()
}

// MeDeleteOptions say how to delete one's own account.
type MeDeleteOptions struct {
	// ConfirmRelinquish confirms that rooms that lose their last owner get another one or
	// are deleted. Without it the call fails for the last owner of a room with
	// [ErrLastOwner].
	ConfirmRelinquish bool `json:"confirmRelinquish,omitzero"`
}

// Delete deletes the account that the client acts for. The password is sent as its
// SHA-256; an account without one gives its username instead.
//
//   - POST /api/v1/users.deleteOwnAccount.
//   - Permission: none; the setting Accounts_AllowDeleteOwnAccount must be on, which it is
//     not by default.
//   - Second factor: not asked for.
//   - Not retried if the response is lost; after [ErrOutcomeUnknown], [ErrUnauthorized]
//     from the next call means that the account was deleted.
//   - Errors: [ErrForbidden], [ErrLastOwner]; [ErrInvalid] for a wrong password.
//   - Since server 0.67.0.
func (s *MeService) Delete(ctx context.Context, password Secret, opts MeDeleteOptions, callOpts ...CallOption) error {
	e := post("users.deleteOwnAccount").since("0.67.0").require(!password.IsZero(), "password", "must not be empty").
		json(struct {
			Password Secret `json:"password"`
			MeDeleteOptions
		}{hashed(password), opts})
	return exec(ctx, s.client, e, callOpts)
}

// DataDownload is an export of one's own data.
type DataDownload struct {
	Requested bool            `json:"requested"` // false if this is an earlier export, which is under way or finished recently
	Operation ExportOperation `json:"exportOperation"`
	URL       string          `json:"url,omitzero"`                     // of the finished export
	Pending   int             `json:"pendingOperationsBeforeMyRequest"` // number of exports before this one

	// Extra holds members that this version of the package does not know.
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

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// ExportStatus is the state of an export. Servers have others besides these.
type ExportStatus string

// Statuses of exports.
const (
	ExportPending   ExportStatus = "pending"
	ExportPreparing ExportStatus = "preparing"
	ExportExporting ExportStatus = "exporting"
)

// RequestDataDownload has the server export one's own data: as pages to read or, if full,
// as files with everything. A later call returns the URL.
//
//   - GET /api/v1/users.requestDataDownload, which starts the export.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Not retried if the response is lost.
//   - Errors: [ErrForbidden].
//   - Since server 1.2.0.
func (s *MeService) RequestDataDownload(ctx context.Context, full bool, callOpts ...CallOption) (*DataDownload, error) {
	e := get("users.requestDataDownload").since("1.2.0").once()
	if full {
		e = e.with("fullExport", "true")
	}
	return do[*DataDownload](ctx, s.client, e, callOpts)
}
