package rocketchattest

import (
	"cmp"
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
		return name != "" && !strings.EqualFold(name, "all") && (strings.EqualFold(name, c.me.username) || !c.usernameTaken(name))
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

// search finds users by a part of the fields in the setting Accounts_SearchFields.
func (db *database) search(term string) func(*account) bool {
	return searchIn(term, db.csv("Accounts_SearchFields")...)
}

// searchIn finds users by a part of one of the fields.
func searchIn(term string, names ...string) func(*account) bool {
	term = strings.ToLower(term)
	var parts []func(*account) any
	for _, name := range names {
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
	ID         string  `json:"_id"`
	Username   string  `json:"username"`
	Status     string  `json:"status,omitempty"`
	Name       *string `json:"name,omitempty"`
	Nickname   string  `json:"nickname,omitempty"`
	AvatarETag string  `json:"avatarETag,omitempty"`
	Extension  string  `json:"freeSwitchExtension,omitempty"`
	StatusText *string `json:"statusText,omitempty"`
}

// autocomplete is users.autocomplete. The selector is a JSON text of whatever kind.
func (c *call) autocomplete() (any, error) {
	source := c.query.str("selector")
	var value any
	if json.Unmarshal([]byte(source), &value) != nil {
		return nil, plain(parserText(source))
	}
	if value == nil {
		return nil, plain("Cannot read properties of null (reading 'exceptions')")
	}
	selector := object{"": value}.object("")
	holds, err := c.conditionRule().compile(selector.object("conditions"))
	if err != nil {
		return nil, plain("")
	}
	term := selector.str("term")
	if n, ok := selector["term"].(float64); ok {
		term = formatNumber(n)
	}
	found, exceptions, outside := c.search(term), selector.strings("exceptions"), c.may("view-outside-room")
	if outside {
		found = searchIn(term, "username", "name", "nickname")
	}
	items := []autocompleteItem{}
	acquainted := func(u *account) bool { return c.haveDirect(u, c.me) }
	known := slices.Collect(matching(c.inOrder(), acquainted))
	for _, u := range slices.Concat(known, slices.DeleteFunc(slices.Clone(c.inOrder()), acquainted)) {
		if len(items) == autocompleteLimit {
			break
		}
		visible := u.active && u.username != "" && u.kind != "app" && (outside || u != c.me && c.shareRoom(u, c.me))
		if !visible || !found(u) || !holds(u) || slices.Contains(exceptions, u.username) {
			continue
		}
		items = append(items, c.suggest(u, !outside && !acquainted(u)))
	}
	return fields{"items": items}, nil
}

// suggest is a user in the answer of users.autocomplete. Only people found through rooms
// come with their status text.
func (c *call) suggest(u *account, throughRooms bool) autocompleteItem {
	item := autocompleteItem{ID: u.id, Username: u.username, Status: u.status, Name: u.shownName(), Nickname: u.nickname}
	if u.picture != nil {
		item.AvatarETag = u.picture.etag
	}
	if c.does(extensions) {
		item.Extension = u.extension
	}
	if throughRooms {
		item.StatusText = u.statusText
	}
	return item
}

// conditionRule says what conditions of users.autocomplete may name: since 8.0 what users.info shows the caller.
func (c *call) conditionRule() *filterRule {
	rule := &filterRule{fields: userFields(), operators: []string{"$and", "$ne", "$exists"}}
	if c.does(anyCondition) {
		rule.anyField, rule.operators = true, []string{"$and", "$or"}
		return rule
	}
	for _, hidden := range []string{"_id", "_updatedAt", "emails.address", "nameInsensitive"} {
		delete(rule.fields, hidden)
	}
	rule.fields["freeSwitchExtension"] = func(u *account) any { return u.extension }
	if !c.may("view-full-other-user-info") {
		for _, name := range []string{"createdAt", "lastLogin", "roles", "freeSwitchExtension", "emails"} {
			delete(rule.fields, name)
		}
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
	Name       *string   `json:"name,omitempty"`
	Nickname   string    `json:"nickname,omitempty"`
	Bio        string    `json:"bio,omitempty"`
	CreatedAt  stamp     `json:"createdAt"`
	Emails     []address `json:"emails,omitempty"`
	AvatarETag string    `json:"avatarETag,omitempty"`
}

// directoryLimit is the default number of entries of the directory.
const directoryLimit = 10

// directory is directory.
func (c *call) directory() (any, error) {
	q, err := c.listQuery(nil)
	if err != nil {
		return nil, err
	}
	if q.count == 0 {
		q.count = directoryLimit
	}
	if len(q.sort) == 0 {
		q.sort = []sortKey{{"name", -1}}
	}
	refused := plain("Please verify the parameters")
	kind := cmp.Or(c.query.str("type"), "channels")
	sortable := map[string][]string{
		"channels": {"name", "createdAt", "usersCount", "usernames", "lastMessage"},
		"teams":    {"name", "createdAt", "usersCount"},
		"users":    {"name", "createdAt", "usersCount", "username", "email", "bio"},
	}[kind]
	switch {
	case len(q.sort) > 1:
		return nil, plain(`This method support only one "sort" parameter`)
	case !slices.Contains(sortable, q.sort[0].name):
		return nil, refused
	case kind == "users" && !c.mayAll("view-outside-room", "view-d-room"), kind != "users" && !c.may("view-c-room"):
		return nil, refused
	case kind == "users":
		return c.directoryUsers(q), nil
	}
	return c.directoryRooms(kind == "teams", q), nil
}

func (c *call) directoryUsers(q listQuery) any {
	full, found := c.may("view-full-other-user-info"), c.search(c.query.str("text"))
	if q.sort[0].name == "email" {
		q.sort[0].name = "emails.address"
	}
	page := c.page(q, func(u *account) bool { return u.active && u.username != "" && u.kind != "app" && found(u) })
	items := make([]any, 0, len(page.users))
	for _, u := range page.users {
		item := directoryItem{ID: u.id, Username: u.username, Name: u.shownName(), Nickname: u.nickname, Bio: u.bio, CreatedAt: stamp{u.createdAt}}
		if full {
			item.Emails = u.emails
		}
		if u.picture != nil {
			item.AvatarETag = u.picture.etag
		}
		items = append(items, item)
	}
	return page.answer("result", items)
}

// channelsNamed are the public channels with the text in their name.
func (db *database) channelsNamed(text string) []*room {
	var found []*room
	for _, r := range db.rooms {
		if r.kind == channel && strings.Contains(strings.ToLower(r.name), strings.ToLower(text)) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *room) int { return strings.Compare(a.name, b.name) })
	return found
}

type spotlightRoom struct {
	ID       string `json:"_id"`
	Name     string `json:"name"`
	FullName string `json:"fname,omitempty"`
	Kind     string `json:"t"`
	TeamMain bool   `json:"teamMain,omitempty"`
}

// spotlightScope is what spotlight looks for: people and channels, unless the text or the parameter type says otherwise.
type spotlightScope struct {
	Users bool `json:"users"`
	Rooms bool `json:"rooms"`
}

// spotlight is spotlight. A text with @ is for people, one with # for channels.
func (c *call) spotlight() (any, error) {
	scope := spotlightScope{Users: true, Rooms: true}
	if kind := c.query.str("type"); kind != "" {
		scope = spotlightScope{}
		if json.Unmarshal([]byte(kind), &scope) != nil {
			return nil, plain(parserText(kind))
		}
	}
	text := c.query.str("query")
	if rest, ok := strings.CutPrefix(text, "#"); ok {
		text, scope.Users = rest, false
	}
	if rest, ok := strings.CutPrefix(text, "@"); ok {
		text, scope.Rooms = rest, false
	}
	answer := fields{"users": []profile{}, "rooms": []spotlightRoom{}}
	if scope.Users {
		answer["users"] = c.spotlightUsers(text)
	}
	if scope.Rooms {
		answer["rooms"] = c.spotlightRooms(text)
	}
	return answer, nil
}

// spotlightRooms are channels that the caller is not in. Strangers see those that nobody joins by default.
func (c *call) spotlightRooms(text string) []spotlightRoom {
	found := []spotlightRoom{}
	if c.me != nil && !c.mayAll("view-outside-room", "view-c-room") {
		return found
	}
	for _, r := range c.channelsNamed(strings.TrimSpace(text)) {
		if c.me == nil && r.isDefault || c.me != nil && r.members[c.me.id] != nil || len(found) == spotlightLimit {
			continue
		}
		shown := spotlightRoom{ID: r.id, Name: r.name, Kind: r.kind, TeamMain: r.mainRoom()}
		if r.id != general {
			shown.FullName = r.name
		}
		found = append(found, shown)
	}
	return found
}

// spotlightUsers are the users that match: first the members of the room, if one is named,
// then everybody whom the caller may see. A user with exactly this username comes first,
// deactivated or not. Users outside the room are marked.
func (c *call) spotlightUsers(text string) []profile {
	everybody := c.mayAll("view-outside-room", "view-d-room")
	inside := c.rooms[c.query.str("rid")]
	if inside == nil && c.query.str("rid") != "" {
		return []profile{}
	}
	of := func(u *account) bool { return inside != nil && inside.members[u.id] != nil }
	if !everybody && (c.me == nil || !of(c.me)) {
		inside = nil
	}
	except := c.query.strings("usernames")
	if len(except) == 1 {
		except = strings.Split(except[0], ",")
	}
	exact, found := c.userByName(text), c.search(text)
	active := func(u *account) bool {
		return u != exact && u.active && u.username != "" && found(u) && !slices.Contains(except, u.username)
	}
	var people []*account
	if exact != nil && (everybody || of(exact)) {
		people = append(people, exact)
	}
	people = slices.AppendSeq(people, matching(c.inOrder(), func(u *account) bool { return of(u) && active(u) }))
	people = slices.AppendSeq(people, matching(c.inOrder(), func(u *account) bool {
		return !of(u) && active(u) && (everybody || c.me != nil && c.haveDirect(u, c.me))
	}))
	items := []profile{}
	for _, u := range cut(people, 0, spotlightLimit) {
		p := profile{
			ID: u.id, Name: u.shownName(), Username: u.username, Status: u.status, StatusText: u.statusText, Nickname: u.nickname, Outside: !of(u),
		}
		if u.picture != nil {
			p.AvatarETag = u.picture.etag
		}
		items = append(items, p)
	}
	return items
}

// haveDirect reports whether two users write each other directly.
func (db *database) haveDirect(a, b *account) bool {
	return a != b && slices.ContainsFunc(a.rooms, func(id string) bool { return db.rooms[id].kind == direct && db.rooms[id].members[b.id] != nil })
}
