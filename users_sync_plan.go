package rocketchat

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// The fields of accounts, as changes and refusals name them.
const (
	fieldUsername = "username"
	fieldEmail    = "email"
	fieldName     = "name"
	fieldRoles    = "roles"
	fieldNickname = "nickname"
	fieldBio      = "bio"
	fieldActive   = "active"
	customPrefix  = "customFields."
)

// syncField is a field that a sync compares.
type syncField struct {
	name   string
	detail bool                              // lists do not contain it
	to     func(*DesiredUser) (string, bool) // the wanted value, and whether one is wanted
	from   func(*User) string                // the present value
	same   func(from, to string) bool        // nil: ==
	update func(*UserUpdateOptions, *DesiredUser)
	create func(*UserCreateOptions, *DesiredUser)
}

// syncFields lists the fields that a sync compares, but for custom fields and Active. A
// new account can have them too.
func syncFields() []syncField {
	text := func(value func(*DesiredUser) string) func(*DesiredUser) (string, bool) {
		return func(d *DesiredUser) (string, bool) { return value(d), value(d) != "" }
	}
	optional := func(value func(*DesiredUser) *string) func(*DesiredUser) (string, bool) {
		return func(d *DesiredUser) (string, bool) {
			if value(d) == nil {
				return "", false
			}
			return *value(d), true
		}
	}
	return []syncField{
		{
			name: fieldUsername, same: equalFold,
			to:     text(func(d *DesiredUser) string { return d.Username }),
			from:   func(u *User) string { return u.Username },
			update: func(o *UserUpdateOptions, d *DesiredUser) { o.Username = &d.Username },
			create: func(o *UserCreateOptions, d *DesiredUser) { o.Username = d.Username },
		},
		{
			name: fieldEmail, same: equalFold,
			to:     text(func(d *DesiredUser) string { return d.Email }),
			from:   (*User).PrimaryEmail,
			update: func(o *UserUpdateOptions, d *DesiredUser) { o.Email = &d.Email },
			create: func(o *UserCreateOptions, d *DesiredUser) { o.Email = d.Email },
		},
		{
			name:   fieldName,
			to:     text(func(d *DesiredUser) string { return d.Name }),
			from:   func(u *User) string { return u.Name },
			update: func(o *UserUpdateOptions, d *DesiredUser) { o.Name = &d.Name },
			create: func(o *UserCreateOptions, d *DesiredUser) { o.Name = d.Name },
		},
		{
			name:   fieldRoles,
			to:     func(d *DesiredUser) (string, bool) { return listOf(d.Roles), d.Roles != nil },
			from:   func(u *User) string { return listOf(u.Roles) },
			update: func(o *UserUpdateOptions, d *DesiredUser) { o.Roles = distinct(d.Roles) },
			create: func(o *UserCreateOptions, d *DesiredUser) { o.Roles = distinct(d.Roles) },
		},
		{
			name: fieldNickname, detail: true,
			to:     optional(func(d *DesiredUser) *string { return d.Nickname }),
			from:   func(u *User) string { return u.Nickname },
			update: func(o *UserUpdateOptions, d *DesiredUser) { o.Nickname = d.Nickname },
			create: func(o *UserCreateOptions, d *DesiredUser) { o.Nickname = d.Nickname },
		},
		{
			name: fieldBio, detail: true,
			to:     optional(func(d *DesiredUser) *string { return d.Bio }),
			from:   func(u *User) string { return u.Bio },
			update: func(o *UserUpdateOptions, d *DesiredUser) { o.Bio = d.Bio },
			create: func(o *UserCreateOptions, d *DesiredUser) { o.Bio = d.Bio },
		},
	}
}

// syncChange is what is to become of one person's account.
type syncChange struct {
	desired      int // index in the list
	id, username string
	fields       []FieldChange
	isNew        bool
	dropped      bool // a new account that will not be created
	refused      bool // in part or as a whole
	open         bool // what lists do not tell is to be compared
	active       bool
	verified     bool // the first address
	admin        bool
	bot          bool
	deactivate   bool
	activate     bool

	temporary map[string]string // by field, temporary values
	split     bool              // the address changes in a step of its own
	parts     [partCount]*syncNode
}

// who names the account: by its ID if it has no username.
func (c *syncChange) who() string { return cmp.Or(c.username, c.id) }

// drop takes a field out of the change. A new account is given up as a whole.
func (c *syncChange) drop(field string) {
	if c.isNew {
		c.dropped, c.fields = true, nil
		return
	}
	c.fields = slices.DeleteFunc(c.fields, func(f FieldChange) bool { return f.Field == field })
	if field == fieldActive {
		c.deactivate = false
	}
}

// find returns the change of a field.
func (c *syncChange) find(field string) (FieldChange, bool) {
	i := slices.IndexFunc(c.fields, func(f FieldChange) bool { return f.Field == field })
	if i < 0 {
		return FieldChange{}, false
	}
	return c.fields[i], true
}

// compare notes what u lacks to be what the person at index i should be.
func (p *syncPlanner) compare(u *User, i int) {
	d := p.want(i)
	c := syncChange{desired: i, id: u.ID, username: u.Username, active: u.Active, verified: len(u.Emails) > 0 && u.Emails[0].Verified, admin: u.Active && isAdmin(u), bot: isBot(u)}
	c.compare(p.fields, false, &d, u)
	if d.Active != nil {
		c.deactivate, c.activate = !*d.Active && u.Active, *d.Active && !u.Active
	}
	switch wanted := p.known.prints[i]; {
	case wanted == fingerprint{}:
	case p.opts.Known[u.ID].Fields == wanted.String():
		p.known.sure[i] = isSure
	default:
		c.open = true
	}
	if len(c.fields) == 0 && !c.deactivate && !c.activate && !c.open {
		p.Unchanged++
		return
	}
	p.changes = append(p.changes, &c)
}

// compare notes the fields that differ, of those that lists tell or of the others.
func (c *syncChange) compare(fields []syncField, detail bool, d *DesiredUser, u *User) {
	for i := range fields {
		field := &fields[i]
		if field.detail != detail || field.name == fieldRoles && slices.Equal(d.Roles, u.Roles) {
			continue
		}
		to, wanted := field.to(d)
		if !wanted {
			continue
		}
		from := field.from(u)
		if from == to || field.same != nil && field.same(from, to) {
			continue
		}
		c.fields = append(c.fields, FieldChange{field.name, from, to})
	}
}

// compareDetails notes what differs in the fields that lists do not tell.
func (p *syncPlanner) compareDetails(c *syncChange, u *User) {
	d := p.want(c.desired)
	before := len(c.fields)
	c.compare(p.fields, true, &d, u)
	refused := p.checkCustom(c, &d, u.CustomFields)
	for _, name := range d.customFieldNames() {
		if from, to := u.CustomFields[name], d.CustomFields[name]; !refused[name] && !sameCustom(from, to) {
			c.fields = append(c.fields, FieldChange{customPrefix + name, textOfField(from), textOfField(to)})
		}
	}
	switch {
	case len(refused) > 0:
	case len(c.fields) > before:
		p.known.sure[c.desired] = sureOnDone
	default:
		p.known.sure[c.desired] = isSure
	}
	c.open = false
}

// comparesCustom reports whether custom fields are to be compared that exist.
func (p *syncPlanner) comparesCustom(c *syncChange) bool {
	for name := range p.desired[c.desired].CustomFields {
		if _, defined := p.rules.custom[name]; defined || !p.rules.knows {
			return true
		}
	}
	return false
}

// checkCustom refuses custom fields that the server does not define, or whose values it
// does not take. A server checks all fields of an account together.
func (p *syncPlanner) checkCustom(c *syncChange, d *DesiredUser, present map[string]any) (refused map[string]bool) {
	if len(d.CustomFields) == 0 || !p.rules.knows {
		return nil
	}
	refused = make(map[string]bool)
	after := maps.Clone(d.CustomFields)
	for name, value := range present {
		if _, changes := after[name]; !changes {
			after[name] = value
		}
	}
	differs := false
	for _, name := range d.customFieldNames() {
		if _, defined := p.rules.custom[name]; !defined {
			refused[name] = true
			p.refuse(c, customPrefix+name, SyncUnknownField, "", "the server does not define the custom field "+name)
			continue
		}
		differs = differs || !sameCustom(present[name], d.CustomFields[name])
	}
	if !differs {
		return refused
	}
	for _, name := range slices.Sorted(maps.Keys(p.rules.custom)) {
		fault := p.rules.custom[name].fault(after[name])
		if fault == "" {
			continue
		}
		p.refuse(c, customPrefix+name, SyncInvalid, "", "the custom field "+name+" "+fault)
		for wanted := range d.CustomFields { // none of them can be saved
			refused[wanted] = true
		}
		break
	}
	return refused
}

// placedRefusal is a refusal with its place in the list.
type placedRefusal struct {
	desired int
	SyncRefusal
}

func (p *syncPlanner) refuse(c *syncChange, field string, code SyncCode, other, reason string) {
	who := cmp.Or(c.who(), p.desired[c.desired].identity().String())
	p.refusals = append(p.refusals, placedRefusal{
		c.desired, SyncRefusal{Code: code, Username: strings.ToValidUTF8(who, "\uFFFD"), Field: field, Other: other, Reason: reason},
	})
	c.refused = true
	if field == fieldNickname || field == fieldBio || strings.HasPrefix(field, customPrefix) {
		p.known.sure[c.desired] = notSure
	}
	c.drop(field)
}

// plan makes the plan out of what was read.
func (p *syncPlanner) plan(ctx context.Context) (*SyncPlan, error) {
	if err := p.readRules(ctx); err != nil {
		return nil, err
	}
	for _, c := range p.changes {
		p.checkRules(c)
	}
	p.pass()
	p.keepAdmins()
	p.changes = slices.DeleteFunc(p.changes, func(c *syncChange) bool { return c.dropped })
	slices.SortStableFunc(p.changes, func(a, b *syncChange) int { return cmp.Compare(a.desired, b.desired) })
	p.emit()
	slices.SortStableFunc(p.refusals, func(a, b placedRefusal) int { return cmp.Compare(a.desired, b.desired) })
	for _, r := range p.refusals {
		p.Refusals = append(p.Refusals, r.SyncRefusal)
	}
	deactivations := p.count(SyncDeactivate)
	// A quotient is rounded as the share is: 29 of 100 are 0.29, and 0.29 times 100 is less than 29.
	if limit := p.opts.MaxDeactivations; deactivations > 0 && float64(deactivations)/float64(p.inScope) > limit {
		return nil, &TooManyDeactivationsError{Planned: deactivations, Active: p.inScope, Share: limit}
	}
	return p.SyncPlan, nil
}

// checkRules refuses what the server would refuse.
func (p *syncPlanner) checkRules(c *syncChange) {
	d := p.want(c.desired)
	if c.isNew {
		for _, missing := range []struct{ field, value, text string }{
			{fieldUsername, d.Username, "a new account needs a username"},
			{fieldEmail, d.Email, "a new account needs an address"},
		} {
			if missing.value == "" {
				p.refuse(c, missing.field, SyncMissing, "", missing.text)
				return
			}
		}
		p.checkCustom(c, &d, nil)
	}
	for _, f := range slices.Clone(c.fields) {
		if code, reason := p.rules.fault(f, &d); code != "" {
			p.refuse(c, f.Field, code, "", reason)
		}
		if c.dropped {
			return
		}
	}
}

// keepAdmins refuses to take away the last administrator and the rights of the account
// that the sync runs as. Each administrator counts once, whatever happens to them. Those
// who are to become administrators do not count, because that step can fail.
func (p *syncPlanner) keepAdmins() {
	for _, c := range p.changes {
		demoted := p.keepOwnRights(c)
		if !c.admin || !demoted && !c.deactivate {
			continue
		}
		if p.admins > 1 {
			p.admins--
			continue
		}
		if demoted {
			p.refuse(c, fieldRoles, SyncLastAdmin, "", "is the last administrator, who keeps the role admin")
		}
		if c.deactivate {
			p.refuse(c, fieldActive, SyncLastAdmin, "", "is the last administrator")
		}
	}
	p.leavers = slices.DeleteFunc(p.leavers, func(l syncLeaver) bool {
		switch {
		case !l.admin:
			return false
		case p.admins > 1:
			p.admins--
			return false
		}
		p.refusals = append(p.refusals, placedRefusal{len(p.desired), SyncRefusal{
			Code: SyncLastAdmin, Username: cmp.Or(l.username, l.id), Field: fieldActive, Reason: "is the last administrator",
		}})
		return true
	})
}

// keepOwnRights refuses what would lock out the account that the sync runs as, and to
// deactivate programs. It reports whether the change takes the role admin from anybody.
func (p *syncPlanner) keepOwnRights(c *syncChange) (demoted bool) {
	_, changes := c.find(fieldRoles)
	demoted = changes && c.admin && !slices.Contains(p.desired[c.desired].Roles, adminRole)
	if c.id != p.me {
		if c.deactivate && c.bot {
			p.refuse(c, fieldActive, SyncBot, "", "is a bot or an app")
		}
		return demoted
	}
	if demoted {
		p.refuse(c, fieldRoles, SyncOwnAccount, "", "is the account that the sync runs as, which keeps the role admin")
	}
	if c.deactivate {
		p.refuse(c, fieldActive, SyncOwnAccount, "", "is the account that the sync runs as")
	}
	return false
}

const adminRole = "admin"

func isAdmin(u *User) bool { return slices.Contains(u.Roles, adminRole) }

// isBot reports an account that belongs to a program.
func isBot(u *User) bool {
	return u.Type != "" && u.Type != UserTypeUser || u.HasRole("bot") || u.HasRole("app")
}

// listOf makes lists comparable whose order does not matter.
func listOf(words []string) string {
	words = slices.Sorted(slices.Values(words))
	return strings.Join(slices.Compact(words), " ")
}

// distinct returns words without those that occur again.
func distinct(words []string) []string {
	if words == nil {
		return nil
	}
	rest := make([]string, 0, len(words))
	for _, word := range words {
		if !slices.Contains(rest, word) {
			rest = append(rest, word)
		}
	}
	return rest
}

// textOfField returns the value of a custom field for people to read.
func textOfField(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// sameCustom compares the values of a custom field. One that was never set is empty.
func sameCustom(present, wanted any) bool {
	return present == nil && wanted == "" || sameJSON(present, wanted)
}

// sameJSON compares a value of the caller's with one that came as JSON.
func sameJSON(a, b any) bool {
	text := asJSON(a)
	return reflect.DeepEqual(a, b) || text != "" && text == asJSON(b)
}

// asJSON returns a value as JSON, or "" for one that has no such form.
func asJSON(v any) string {
	out, err := json.Marshal(v, json.Deterministic(true))
	if err != nil { // out may have a part of it
		return ""
	}
	return string(out)
}

// randomPassword satisfies the strictest policy that servers come with.
func randomPassword() Secret { return NewSecret(rand.Text() + "-aZ9!") }
