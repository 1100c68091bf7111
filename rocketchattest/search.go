package rocketchattest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

const (
	autocompleteLimit = 10
	spotlightLimit    = 5
)

// slug is a name as a username: lower case, words joined by points.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('.')
		}
	}
	joined := b.String()
	for strings.Contains(joined, "..") {
		joined = strings.ReplaceAll(joined, "..", ".")
	}
	return strings.Trim(joined, ".")
}

// suggestUsername is users.getUsernameSuggestion.
func (c *call) suggestUsername() (any, error) {
	var candidates []string
	if c.me.name != "" {
		candidates = append(candidates, slug(c.me.name))
		if words := strings.Fields(c.me.name); len(words) > 1 {
			candidates = append(candidates, slug(string([]rune(words[0])[:1])+words[len(words)-1]))
		}
	}
	for _, e := range c.me.emails {
		if local, _, ok := strings.Cut(e.Address, "@"); ok && e.Verified {
			candidates = append(candidates, slug(local))
		}
	}
	free := func(name string) bool {
		return name != "" && !c.blockedUsername(name) && (strings.EqualFold(name, c.me.username) || !c.usernameTaken(name))
	}
	if i := slices.IndexFunc(candidates, free); i >= 0 {
		return fields{"result": candidates[i]}, nil
	}
	prefix := c.text("Accounts_DefaultUsernamePrefixSuggestion")
	if len(candidates) > 0 && candidates[0] != "" {
		prefix = candidates[0]
	}
	for i := range len(c.users) + 1 {
		if name := fmt.Sprintf("%s-%d", prefix, i); free(name) {
			return fields{"result": name}, nil
		}
	}
	return nil, plain("No username suggestion found")
}

// checkUsername is users.checkUsernameAvailability. It does not look at the characters of the name.
func (c *call) checkUsername() (any, error) {
	username := c.query.str("username")
	switch {
	case username == "":
		return nil, coded("error-invalid-username", "Invalid username", fields{"method": "setUsername"})
	case !c.enabled("Accounts_AllowUsernameChange"):
		return nil, coded("error-not-allowed", "Not allowed", fields{"method": "setUsername"})
	case username == c.me.username:
		return fields{"result": true}, nil
	case c.blockedUsername(username):
		return nil, blockedUsername(username)
	}
	return fields{"result": !c.usernameTaken(username)}, nil
}

// search finds users by a part of what the setting Accounts_SearchFields names.
func (db *database) search(term string) func(*account) bool {
	term = strings.ToLower(term)
	var parts []func(*account) any
	for _, name := range db.csv("Accounts_SearchFields") {
		if value, ok := userFields()[name]; ok {
			parts = append(parts, value)
		}
	}
	return func(u *account) bool {
		return slices.ContainsFunc(parts, func(part func(*account) any) bool {
			s, _ := part(u).(string)
			return strings.Contains(strings.ToLower(s), term)
		})
	}
}

type autocompleteItem struct {
	ID         string `json:"_id"`
	Username   string `json:"username"`
	Status     string `json:"status,omitempty"`
	Name       string `json:"name,omitempty"`
	Nickname   string `json:"nickname,omitempty"`
	AvatarETag string `json:"avatarETag,omitempty"`
	Extension  string `json:"freeSwitchExtension,omitempty"`
}

// autocomplete is users.autocomplete.
func (c *call) autocomplete() (any, error) {
	var selector struct {
		Term       string         `json:"term"`
		Exceptions []string       `json:"exceptions"`
		Conditions map[string]any `json:"conditions"`
	}
	source := c.query.str("selector")
	if !json.Valid([]byte(source)) {
		return nil, plain(parserText(source))
	}
	if json.Unmarshal([]byte(source), &selector) != nil {
		return nil, plain("")
	}
	holds, err := conditionFields().compile(selector.Conditions)
	if err != nil {
		return nil, plain("")
	}
	found, outside := c.search(selector.Term), c.may("view-outside-room")
	items := []autocompleteItem{}
	for _, u := range c.inOrder() {
		if len(items) == autocompleteLimit {
			break
		}
		visible := u.active && u.username != "" && (outside || c.shareRoom(u, c.me))
		if !visible || !found(u) || !holds(u) || slices.Contains(selector.Exceptions, u.username) {
			continue
		}
		item := autocompleteItem{ID: u.id, Username: u.username, Status: u.status, Name: u.name, Nickname: u.nickname}
		if u.picture != nil {
			item.AvatarETag = u.picture.etag
		}
		if c.version.atLeast(7, 13) {
			item.Extension = u.extension
		}
		items = append(items, item)
	}
	return fields{"items": items}, nil
}

// conditionFields are the fields that conditions of users.autocomplete may name.
func conditionFields() filterRule {
	rule := userFields()
	for _, private := range []string{"createdAt", "_updatedAt", "lastLogin", "emails.address", "roles"} {
		delete(rule, private)
	}
	return rule
}

// parserText is what the JavaScript parser says about a text that is not JSON.
func parserText(source string) string {
	if source == "" {
		return "Unexpected end of JSON input"
	}
	first := []rune(strings.TrimSpace(source))
	if len(first) == 0 {
		return "Unexpected end of JSON input"
	}
	return fmt.Sprintf(`Unexpected token '%c', "%s" is not valid JSON`, first[0], source)
}

type directoryItem struct {
	ID         string    `json:"_id"`
	Username   string    `json:"username"`
	Name       string    `json:"name,omitempty"`
	Nickname   string    `json:"nickname,omitempty"`
	Bio        string    `json:"bio,omitempty"`
	CreatedAt  stamp     `json:"createdAt"`
	Emails     []address `json:"emails,omitempty"`
	AvatarETag string    `json:"avatarETag,omitempty"`
}

// directory is directory with type=users; other types are always empty here.
func (c *call) directory() (any, error) {
	q, err := c.listQuery(nil)
	if err != nil {
		return nil, err
	}
	sortable := []string{"username", "nameInsensitive", "emails.address", "bio", "createdAt"}
	kind, workspace := c.query.str("type"), c.query.str("workspace")
	switch {
	case len(q.sort) > 1:
		return nil, plain(`This method support only one "sort" parameter`)
	case len(q.sort) == 1 && !slices.Contains(sortable, q.sort[0].name),
		!slices.Contains([]string{"", "local", "all"}, workspace),
		!slices.Contains([]string{"", "users", "channels", "teams"}, kind),
		!c.may("view-outside-room") || !c.may("view-d-room"):
		return nil, plain("Please verify the parameters")
	}
	full, found := c.may("view-full-other-user-info"), c.search(c.query.str("text"))
	page := c.page(q, func(u *account) bool {
		return kind == "users" && u.active && u.username != "" && u.kind != "app" && found(u)
	})
	items := make([]any, 0, len(page.users))
	for _, u := range page.users {
		item := directoryItem{ID: u.id, Username: u.username, Name: u.name, Nickname: u.nickname, Bio: u.bio, CreatedAt: stamp{u.createdAt}}
		if full {
			item.Emails = u.emails
		}
		if u.picture != nil {
			item.AvatarETag = u.picture.etag
		}
		items = append(items, item)
	}
	return page.answer("result", items), nil
}

// spotlight is spotlight. Strangers, and callers who may not look outside their rooms, find nobody.
func (c *call) spotlight() (any, error) {
	found := c.search(strings.TrimLeft(c.query.str("query"), "@#"))
	items := []profile{}
	if c.may("view-outside-room") && c.may("view-d-room") {
		for _, u := range c.inOrder() {
			if len(items) == spotlightLimit {
				break
			}
			if u.active && u.username != "" && found(u) {
				p := profile{ID: u.id, Name: u.name, Username: u.username, Status: u.status, StatusText: u.statusText, Nickname: u.nickname}
				if u.picture != nil {
					p.AvatarETag = u.picture.etag
				}
				items = append(items, p)
			}
		}
	}
	return fields{"users": items, "rooms": []any{}}, nil
}
