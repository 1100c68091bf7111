package rocketchat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// syncRules are the rules of the server that could be read. Nil and empty ones allow
// everything.
type syncRules struct {
	username *regexp.Regexp
	reserved []string
	allowed  []string // domains of addresses
	blocked  []string // domains of addresses
	roles    map[string]string
	custom   map[string]customFieldRule
	knows    bool // custom is what the server defines
	opaque   bool // settings cannot be read
}

// customFieldRule is how a server defines a custom field.
type customFieldRule struct {
	Type      string   `json:"type"`
	Required  bool     `json:"required"`
	MinLength int      `json:"minLength"`
	MaxLength int      `json:"maxLength"`
	Options   []string `json:"options"`
}

// setting reads a setting of the server, as text. Without the permission, or on a server
// that does not show it, it is unknown.
func (p *syncPlanner) setting(ctx context.Context, name string) (value string, known bool, err error) {
	if p.rules.opaque {
		return "", false, nil
	}
	answer, err := do[struct {
		Value any `json:"value"`
	}](ctx, p.users.client, get("settings").at("/api/v1/settings/"+name), p.callOpts)
	if err == nil {
		value, known = answer.Value.(string)
		return value, known, nil
	}
	if e, ok := errors.AsType[*Error](err); ok && e.StatusCode >= 400 && e.StatusCode < 500 && e.Class != ErrUnauthorized && e.Class != ErrRateLimited {
		// A bad request is the answer for a setting that the server does not have.
		p.rules.opaque = e.StatusCode != http.StatusBadRequest
		return "", false, nil //nolint:nilerr // what cannot be read is unknown
	}
	return "", false, err
}

// settingList reads a setting that is a list of words.
func (p *syncPlanner) settingList(ctx context.Context, name string) ([]string, error) {
	text, _, err := p.setting(ctx, name)
	var words []string
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words, err
}

// readCustomRules reads which custom fields there are, if anybody is to have one.
func (p *syncPlanner) readCustomRules(ctx context.Context) error {
	if !slices.ContainsFunc(p.changes, func(c *syncChange) bool {
		return (c.open || c.isNew) && len(p.desired[c.desired].CustomFields) > 0
	}) {
		return nil
	}
	text, known, err := p.setting(ctx, "Accounts_CustomFields")
	if err != nil || !known {
		return err
	}
	p.rules.knows = strings.TrimSpace(text) == "" || json.Unmarshal([]byte(text), &p.rules.custom, decodeOptions) == nil
	return nil
}

// readRules reads the rules for what the plan changes.
func (p *syncPlanner) readRules(ctx context.Context) error {
	changing := make(map[string]bool)
	for _, c := range p.changes {
		for _, f := range c.fields {
			changing[f.Field] = changing[f.Field] || f.To != ""
		}
	}
	var err error
	if changing[fieldUsername] {
		if err = p.readNameRules(ctx); err != nil {
			return err
		}
	}
	if changing[fieldEmail] {
		if p.rules.allowed, err = p.settingList(ctx, "Accounts_AllowedDomainsList"); err != nil {
			return err
		}
		if p.rules.blocked, err = p.settingList(ctx, "Accounts_BlockedDomainsList"); err != nil {
			return err
		}
	}
	if changing[fieldRoles] {
		roles, err := p.users.client.Roles.List(ctx, p.callOpts...)
		if err != nil {
			return err
		}
		p.rules.roles = make(map[string]string, len(roles))
		for _, role := range roles {
			p.rules.roles[role.ID] = role.Name
		}
	}
	return nil
}

// defaultUsernames is the rule of servers whose setting is empty.
const defaultUsernames = "[0-9a-zA-Z-_.]+"

func (p *syncPlanner) readNameRules(ctx context.Context) error {
	pattern, known, err := p.setting(ctx, "UTF8_User_Names_Validation")
	if err != nil {
		return err
	}
	// The pattern is not grouped, as on the server. If Go cannot compile it, the rule is unknown.
	if rule, bad := regexp.Compile("^" + cmp.Or(pattern, defaultUsernames) + "$"); known && bad == nil {
		p.rules.username = rule
	}
	p.rules.reserved, err = p.settingList(ctx, "Accounts_BlockedUsernameList")
	return err
}

// fault says why the server would refuse a change, if it would.
func (r *syncRules) fault(f FieldChange, d *DesiredUser) (SyncCode, string) {
	if !sendable(f, d) {
		return SyncInvalid, f.Field + " cannot be sent as JSON, such as text that is not UTF-8"
	}
	switch f.Field {
	case fieldUsername:
		return r.usernameFault(f.To)
	case fieldEmail:
		return r.emailFault(f.To)
	case fieldName:
		if strings.ContainsAny(f.To, `<>/\`) {
			return SyncInvalid, fmt.Sprintf(`the name %q has one of the characters <>/\`, f.To)
		}
	case fieldRoles:
		return r.rolesFault(d.Roles)
	case fieldNickname:
		if !fits(&f.To, maxNickname) {
			return SyncInvalid, fmt.Sprintf("the nickname is longer than %d characters", maxNickname)
		}
	case fieldBio:
		if !fits(&f.To, maxBio) {
			return SyncInvalid, fmt.Sprintf("the bio is longer than %d characters", maxBio)
		}
	}
	return "", ""
}

// sendable reports whether a value can be put into a request.
func sendable(f FieldChange, d *DesiredUser) bool {
	if name, custom := strings.CutPrefix(f.Field, customPrefix); custom {
		return asJSON(map[string]any{name: d.CustomFields[name]}) != ""
	}
	return utf8.ValidString(f.To)
}

func (r *syncRules) usernameFault(name string) (SyncCode, string) {
	isName := func(reserved string) bool { return equalFold(reserved, name) }
	switch {
	case slices.ContainsFunc(r.reserved, isName), isName("all"), isName("here"):
		return SyncReserved, fmt.Sprintf("the username %q is reserved", name)
	case r.username != nil && !r.username.MatchString(name):
		return SyncInvalid, fmt.Sprintf("the username %q does not fit the server's rule for usernames", name)
	}
	return "", ""
}

func (r *syncRules) emailFault(address string) (SyncCode, string) {
	local, domain, _ := strings.Cut(address, "@")
	isDomain := func(listed string) bool { return equalFold(listed, domain) }
	switch {
	case local == "" || domain == "" || strings.ContainsAny(address, " \t\r\n<>") || strings.Contains(domain, "@"):
		return SyncInvalid, fmt.Sprintf("%q is not an address", address)
	case slices.ContainsFunc(r.blocked, isDomain), len(r.allowed) > 0 && !slices.ContainsFunc(r.allowed, isDomain):
		return SyncInvalid, "the server does not allow addresses of the domain " + domain
	}
	return "", ""
}

func (r *syncRules) rolesFault(roles []string) (SyncCode, string) {
	for _, role := range roles {
		if _, exists := r.roles[role]; exists || r.roles == nil {
			continue
		}
		for id, name := range r.roles {
			if name == role {
				return SyncUnknownRole, fmt.Sprintf("%q is the name of a role, whose ID is %q", role, id)
			}
		}
		return SyncUnknownRole, fmt.Sprintf("there is no role with the ID %q", role)
	}
	return "", ""
}

// fault says what a server does not like about the value of a custom field, if anything.
func (r customFieldRule) fault(value any) string {
	text, isText := value.(string)
	if value != nil && !isText {
		return ""
	}
	switch length := len(utf16.Encode([]rune(text))); {
	case text == "" && r.Required:
		return "must not be empty"
	case r.Type == "select" && !slices.Contains(r.Options, text): // even if it was never set
		return fmt.Sprintf("must be one of %q", r.Options)
	case text == "":
	case r.MaxLength > 0 && length > r.MaxLength:
		return fmt.Sprintf("must not be longer than %d characters", r.MaxLength)
	case length < r.MinLength:
		return fmt.Sprintf("must not be shorter than %d characters", r.MinLength)
	}
	return ""
}
