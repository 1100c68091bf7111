package rocketchat

import (
	"context"
	"iter"
	"strings"

	"github.com/go-json-experiment/json"
)

// AutocompleteUser is a user that [UsersService.Autocomplete] found.
type AutocompleteUser struct {
	ID                  string     `json:"_id"`
	Username            string     `json:"username,omitzero"`
	Name                string     `json:"name,omitzero"`
	Nickname            string     `json:"nickname,omitzero"`
	Status              UserStatus `json:"status,omitzero"`
	AvatarETag          string     `json:"avatarETag,omitzero"`
	FreeSwitchExtension string     `json:"freeSwitchExtension,omitzero"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// AutocompleteOptions narrow a search.
type AutocompleteOptions struct {
	// Exceptions are usernames to leave out.
	Exceptions []string `json:"exceptions,omitzero"`
	// Conditions are what the fields of a user, as in users.info, must be. Servers know
	// the operators $and, $ne and $exists, and refuse others without a word.
	Conditions map[string]any `json:"conditions,omitzero"`
}

// Autocomplete returns at most 10 active users of whose username, name, bio or
// nickname the term is a part; the setting Accounts_SearchFields can name others. The
// people that the caller has direct messages with come first.
//
// GET /api/v1/users.autocomplete. Without the permission view-outside-room it finds
// only people of the caller's rooms. Errors: of no class and without a text for
// conditions that the server does not allow.
func (s *UsersService) Autocomplete(ctx context.Context, term string, in AutocompleteOptions, opts ...CallOption) ([]AutocompleteUser, error) {
	selector, err := json.Marshal(struct {
		Term string `json:"term"`
		AutocompleteOptions
	}{term, in}, json.Deterministic(true))
	e := get("users.autocomplete").yields("items").require(err == nil, "Conditions", "cannot be encoded as JSON")
	return do[[]AutocompleteUser](ctx, s.client, e, query("selector", string(selector)), nil, opts)
}

// DirectoryUser is a user in the directory.
type DirectoryUser struct {
	ID         string         `json:"_id"`
	Username   string         `json:"username,omitzero"`
	Name       string         `json:"name,omitzero"`
	Nickname   string         `json:"nickname,omitzero"`
	Bio        string         `json:"bio,omitzero"`
	CreatedAt  Time           `json:"createdAt,omitzero"`
	Emails     []Email        `json:"emails,omitzero"` // for callers with view-full-other-user-info
	Federation map[string]any `json:"federation,omitzero"`
	AvatarETag string         `json:"avatarETag,omitzero"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// Workspace says from where the users of a directory are.
type Workspace string

// The workspaces of a directory.
const (
	WorkspaceLocal Workspace = "local" // of this server
	WorkspaceAll   Workspace = "all"   // of federated servers, too
)

// DirectoryOptions choose users of the directory.
type DirectoryOptions struct {
	// PageOptions may have one sort key: [SortByUsername], [SortByName],
	// [SortByEmail], [SortByCreatedAt] or "bio".
	PageOptions

	// Text is a part of what Accounts_SearchFields names, such as the username.
	Text string
	// Workspace is by default that of this server.
	Workspace Workspace
}

// directorySort is the name that the endpoint has for a sort key, "" for none.
func directorySort(key SortKey) string {
	switch field := key.field(); field {
	case "name", "username", "email", "bio", "createdAt":
		return field
	case SortByEmail.field():
		return "email"
	}
	return ""
}

// translated lets the endpoint refuse options that no server would take, and gives
// the sort key its name in this endpoint.
func (o DirectoryOptions) translated(e endpoint) (DirectoryOptions, endpoint) {
	e = o.check(e).
		require(len(o.Sort) < 2, "Sort", "must have one key here").
		require(o.Workspace == "" || o.Workspace == WorkspaceLocal || o.Workspace == WorkspaceAll, "Workspace", "must be local or all")
	if len(o.Sort) == 1 {
		key := o.Sort[0]
		name := directorySort(key)
		e = e.require(name != "", "Sort", "must be name, username, email, bio or createdAt here")
		o.Sort = []SortKey{SortKey(strings.Replace(string(key), key.field(), name, 1))}
	}
	return o, e
}

// Directory returns a page of the users whom the directory shows.
//
// GET /api/v1/directory with type=users. Permissions view-outside-room and
// view-d-room. Errors: [ErrInvalid], also where a permission is missing.
func (s *UsersService) Directory(ctx context.Context, in DirectoryOptions, opts ...CallOption) (*Page[DirectoryUser], error) {
	in, e := in.translated(get("directory"))
	q := in.addTo(query("type", "users", "text", in.Text, "workspace", string(in.Workspace)))
	answer, err := do[struct {
		Result items[DirectoryUser] `json:"result"`
		Offset int                  `json:"offset"`
		Total  int                  `json:"total"`
	}](ctx, s.client, e, q, nil, opts)
	if err != nil {
		return nil, err
	}
	return pageOf(e, "result", answer.Result, answer.Offset, answer.Total)
}

// AllInDirectory yields every user whom the directory shows once, and an error at
// most once, as the last. Unless in says otherwise they come by the day they joined,
// which never changes.
//
// GET /api/v1/directory, as often as it takes; otherwise as [UsersService.Directory].
func (s *UsersService) AllInDirectory(ctx context.Context, in DirectoryOptions, opts ...CallOption) iter.Seq2[*DirectoryUser, error] {
	id := func(u *DirectoryUser) string { return u.ID }
	return walk(ctx, "directory", in.sortedBy(SortByCreatedAt), id, func(ctx context.Context, page PageOptions) (*Page[DirectoryUser], error) {
		next := in
		next.PageOptions = page
		return s.Directory(ctx, next, opts...)
	})
}

// SpotlightResult is what [UsersService.Spotlight] found.
type SpotlightResult struct {
	Users []SpotlightUser `json:"users"`
	Rooms []SpotlightRoom `json:"rooms"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// SpotlightUser is a user that a quick search found.
type SpotlightUser struct {
	ID         string     `json:"_id"`
	Name       string     `json:"name"`
	Username   string     `json:"username"`
	Nickname   string     `json:"nickname,omitzero"`
	Status     UserStatus `json:"status,omitzero"`
	StatusText string     `json:"statusText"`
	AvatarETag string     `json:"avatarETag,omitzero"`
	Outside    bool       `json:"outside,omitzero"` // not in a room with the caller

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// SpotlightRoom is a room that a quick search found.
type SpotlightRoom struct {
	ID   string   `json:"_id"`
	Name string   `json:"name,omitzero"`
	Type RoomType `json:"t,omitzero"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// Spotlight searches quickly for people, at most 5, and for rooms.
//
// GET /api/v1/spotlight. No credentials are needed, but a caller sees what the caller's
// permissions allow: without any mostly nothing.
func (s *UsersService) Spotlight(ctx context.Context, search string, opts ...CallOption) (*SpotlightResult, error) {
	e := get("spotlight").open().require(search != "", "query", "must not be empty")
	return do[*SpotlightResult](ctx, s.client, e, query("query", search), nil, opts)
}

// SuggestUsername returns a username that is free for the caller, made from the
// caller's name or address.
//
// GET /api/v1/users.getUsernameSuggestion. No permission; accounts without a username
// may call it. Errors: [ErrNotFound] when the server has no suggestion.
func (s *UsersService) SuggestUsername(ctx context.Context, opts ...CallOption) (string, error) {
	return do[string](ctx, s.client, get("users.getUsernameSuggestion").since("0.65.0").yields("result"), nil, nil, opts)
}

// UsernameAvailable reports whether the caller could have the name. The caller's
// own is available, the names of teams are not.
//
// GET /api/v1/users.checkUsernameAvailability. Errors: [ErrTaken] for a reserved name;
// [ErrForbidden] while the setting Accounts_AllowUsernameChange is off.
func (s *UsersService) UsernameAvailable(ctx context.Context, name string, opts ...CallOption) (bool, error) {
	e := get("users.checkUsernameAvailability").yields("result").require(name != "", "username", "must not be empty")
	return do[bool](ctx, s.client, e, query("username", name), nil, opts)
}
