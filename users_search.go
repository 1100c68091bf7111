package rocketchat

import (
	"context"
	"iter"
	"slices"
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

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// UserAutocompleteOptions narrow a search.
type UserAutocompleteOptions struct {
	// Exceptions are usernames to leave out.
	Exceptions []string `json:"exceptions,omitzero"`
	// Conditions are values that fields of a user, as in users.info, must have. Servers
	// differ in what they allow: 7.x allows any field and the operators $and and $or; 8.x
	// allows a few fields, more of them for callers with view-full-other-user-info, and no
	// $or, $in or $regex.
	Conditions map[string]any `json:"conditions,omitzero"`
}

// Autocomplete returns at most 10 active users and bots whose username, name or nickname
// contains the term. People that the caller has direct messages with come first.
//
//   - GET /api/v1/users.autocomplete.
//   - Permission: view-outside-room, without which only people in the caller's rooms are
//     found.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: an error without class and text for conditions that the server does not
//     allow.
//   - In all server versions.
func (s *UsersService) Autocomplete(ctx context.Context, term string, opts UserAutocompleteOptions, callOpts ...CallOption) ([]AutocompleteUser, error) {
	selector, err := json.Marshal(struct {
		Term string `json:"term"`
		UserAutocompleteOptions
	}{term, opts}, json.Deterministic(true))
	e := get("users.autocomplete").yields("items").with("selector", string(selector)).
		require(err == nil, "Conditions", "cannot be encoded as JSON")
	return do[items[AutocompleteUser]](ctx, s.client, e, callOpts)
}

// DirectoryUser is a user in the directory.
type DirectoryUser struct {
	ID         string         `json:"_id"`
	Username   string         `json:"username,omitzero"`
	Name       string         `json:"name,omitzero"`
	Nickname   string         `json:"nickname,omitzero"`
	Bio        string         `json:"bio,omitzero"`
	CreatedAt  Time           `json:"createdAt,omitzero"`
	Emails     []Email        `json:"emails,omitzero"` // only for callers with view-full-other-user-info
	Federation map[string]any `json:"federation,omitzero"`
	AvatarETag string         `json:"avatarETag,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// Workspace says where the users of a directory come from.
type Workspace string

// The workspaces of a directory.
const (
	WorkspaceLocal Workspace = "local" // of this server
	WorkspaceAll   Workspace = "all"   // and of federated servers
)

// UserDirectoryOptions select and order users of the directory.
type UserDirectoryOptions struct {
	Offset     int  // number of users to skip
	Count      int  // users per page; 0 is the server's default, 50; servers cap it at 100
	Everything bool // all users from Offset on in one answer, if the server allows that
	// Sort has at most one field: [SortByUsername], [SortByName], [SortByEmail],
	// [SortByCreatedAt] or "bio"; descending with a leading "-".
	Sort []string

	// Text is a part of one of the fields in the setting Accounts_SearchFields, such as the
	// username.
	Text string
	// Workspace is this server's by default.
	Workspace Workspace
}

func (o UserDirectoryOptions) page() pageOptions {
	return pageOptions{o.Offset, o.Count, o.Everything, o.Sort}
}

func (o UserDirectoryOptions) endpoint() endpoint {
	page := o.page()
	unknown := false
	if len(o.Sort) == 1 {
		key, descending := strings.CutPrefix(o.Sort[0], "-")
		if key == SortByEmail {
			key = "email"
		}
		unknown = !slices.Contains([]string{"name", "username", "email", "bio", "createdAt"}, key)
		page.sort = []string{key}
		if descending {
			page.sort[0] = "-" + key
		}
	}
	return get("directory").page(page).
		with("type", "users").with("text", o.Text).with("workspace", string(o.Workspace)).
		require(len(o.Sort) < 2, "Sort", "must not have more than one field").
		require(!unknown, "Sort", "must be name, username, email, bio or createdAt").
		require(o.Workspace == "" || o.Workspace == WorkspaceLocal || o.Workspace == WorkspaceAll, "Workspace", "must be local or all")
}

// Directory returns a page of the users in the directory.
//
//   - GET /api/v1/directory.
//   - Permission: view-outside-room and view-d-room.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrInvalid], also if a permission is missing.
//   - In all server versions.
func (s *UsersService) Directory(ctx context.Context, opts UserDirectoryOptions, callOpts ...CallOption) (*Page[DirectoryUser], error) {
	e := opts.endpoint()
	answer, err := do[struct {
		Result items[DirectoryUser] `json:"result"`
		Offset int                  `json:"offset"`
		Total  int                  `json:"total"`
	}](ctx, s.client, e, callOpts)
	if err != nil {
		return nil, err
	}
	return pageOf(e, "result", answer.Result, answer.Offset, answer.Total)
}

// AllInDirectory returns an iterator over the users in the directory. It yields every
// user once, and ends at the first error. Users are sorted by the day they joined, which
// never changes, unless opts say otherwise.
//
//   - GET /api/v1/directory, once if the server allows everything in one answer, otherwise
//     once a page.
//   - Permission: view-outside-room and view-d-room.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: as for [UsersService.Directory].
//   - In all server versions.
func (s *UsersService) AllInDirectory(ctx context.Context, opts UserDirectoryOptions, callOpts ...CallOption) iter.Seq2[*DirectoryUser, error] {
	id := func(u *DirectoryUser) string { return u.ID }
	return listing[DirectoryUser]{op: "directory", id: id, page: func(ctx context.Context, p pageOptions) (*Page[DirectoryUser], error) {
		opts.Offset, opts.Count, opts.Everything, opts.Sort = p.offset, p.count, p.everything, p.sort
		return s.Directory(ctx, opts, callOpts...)
	}}.all(ctx, opts.page().sortedBy(SortByCreatedAt))
}

// SpotlightResult is what [UsersService.Spotlight] found.
type SpotlightResult struct {
	Users []SpotlightUser `json:"users"`
	Rooms []SpotlightRoom `json:"rooms"`

	// Extra holds members that this version of the package does not know.
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
	Outside    bool       `json:"outside,omitzero"` // in no room with the caller

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// SpotlightRoom is a room that a quick search found.
type SpotlightRoom struct {
	ID   string   `json:"_id"`
	Name string   `json:"name,omitzero"`
	Type RoomType `json:"t,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// Spotlight searches quickly for people, at most 5, and for rooms. Callers find what their
// permissions allow. Since server 8.0 credentials are required.
//
//   - GET /api/v1/spotlight.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrUnauthorized].
//   - In all server versions.
func (s *UsersService) Spotlight(ctx context.Context, search string, callOpts ...CallOption) (*SpotlightResult, error) {
	e := get("spotlight").open().with("query", search).require(search != "", "query", "must not be empty")
	return do[*SpotlightResult](ctx, s.client, e, callOpts)
}

// SuggestUsername returns a free username for the caller, made from their name or address.
//
//   - GET /api/v1/users.getUsernameSuggestion.
//   - Permission: none. Accounts without a username may call it too.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound] if the server has no suggestion.
//   - Since server 0.65.0.
func (s *UsersService) SuggestUsername(ctx context.Context, callOpts ...CallOption) (string, error) {
	return do[string](ctx, s.client, get("users.getUsernameSuggestion").since("0.65.0").yields("result"), callOpts)
}

// UsernameAvailable reports whether the caller could have the name. Their own name is
// available; names of teams are not.
//
//   - GET /api/v1/users.checkUsernameAvailability.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrTaken] for a reserved name; [ErrForbidden] if the setting
//     Accounts_AllowUsernameChange is off.
//   - In all server versions.
func (s *UsersService) UsernameAvailable(ctx context.Context, name string, callOpts ...CallOption) (bool, error) {
	e := get("users.checkUsernameAvailability").yields("result").with("username", name).
		require(name != "", "username", "must not be empty")
	return do[bool](ctx, s.client, e, callOpts)
}
