package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"
	scimfilter "github.com/elimity-com/scim/filter"
	"github.com/elimity-com/scim/schema"
	"github.com/scim2/filter-parser/v2"

	"github.com/rocketchat-go/rocketchat"
)

// account has the attributes of a SCIM user that a Rocket.Chat account can store.
type account struct {
	userName, displayName, nickName, externalID, password string
	formatted, givenName, familyName                      string
	active                                                bool
	emails                                                []any // each a map[string]any, as filters need them
}

// accountOf returns the present state of an account.
func (b *bridge) accountOf(u *rocketchat.User, externalID string) *account {
	a := &account{
		userName: u.Username, displayName: u.Name, formatted: u.Name, nickName: u.Nickname, externalID: externalID, active: u.Active,
		givenName: u.Name, emails: []any{},
	}
	if b.opts.Domain != "" {
		a.userName += "@" + b.opts.Domain
	}
	if i := strings.LastIndex(u.Name, " "); i > 0 { // the server has a single name
		a.givenName, a.familyName = u.Name[:i], u.Name[i+1:]
	}
	for i, email := range u.Emails {
		kind := "other"
		if i == 0 {
			kind = "work"
		}
		a.emails = append(a.emails, map[string]any{"value": email.Address, "type": kind, "primary": i == 0})
	}
	return a
}

// attributes returns the SCIM attributes of the account.
func (a *account) attributes() scim.ResourceAttributes {
	attributes := scim.ResourceAttributes{
		"userName": a.userName, "displayName": a.displayName, "active": a.active, "emails": a.emails,
		"name": map[string]any{"formatted": a.formatted, "givenName": a.givenName, "familyName": a.familyName},
	}
	if a.nickName != "" {
		attributes["nickName"] = a.nickName
	}
	return attributes
}

// change carries out an operation of a PATCH.
func (a *account) change(op scim.PatchOperation) error {
	if op.Path != nil {
		return a.set(op.Op, *op.Path, op.Value)
	}
	values, _ := op.Value.(map[string]any)
	return a.setAll(op.Op, values)
}

// setAll sets attributes. Their names may be paths, as Entra sends them.
func (a *account) setAll(op string, values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name == enterprise {
			continue
		}
		path, err := filter.ParsePath([]byte(name))
		if err != nil {
			return scimerrors.ScimErrorInvalidPath
		}
		if err := a.set(op, path, values[name]); err != nil {
			return err
		}
	}
	return nil
}

const (
	core       = "urn:ietf:params:scim:schemas:core:2.0:User"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// set sets or removes one attribute. It ignores attributes that accounts do not have.
func (a *account) set(op string, path filter.Path, value any) error {
	if uri := path.AttributePath.URI(); uri != "" && !strings.EqualFold(uri, core) {
		return nil
	}
	name := strings.ToLower(path.AttributePath.AttributeName)
	if sub := path.AttributePath.SubAttributeName(); sub != "" {
		name += "." + strings.ToLower(sub)
	}
	if op == scim.PatchOperationRemove {
		value = nil
	}
	switch name {
	case "emails":
		return a.setEmails(op, path, value)
	case "emails.value":
		a.setAddress(value)
	case "active":
		active, ok := value.(bool)
		if !ok {
			return badValue("active must be true or false")
		}
		a.active = active
	case "name":
		if value == nil {
			a.formatted, a.givenName, a.familyName = "", "", ""
			return nil
		}
		parts, _ := value.(map[string]any)
		for part, text := range parts {
			a.setText("name."+strings.ToLower(part), text)
		}
	default:
		a.setText(name, value)
	}
	return nil
}

// setText sets an attribute that is a text; nil erases it.
func (a *account) setText(name string, value any) {
	target := map[string]*string{
		"username": &a.userName, "displayname": &a.displayName, "nickname": &a.nickName, "externalid": &a.externalID, "password": &a.password,
		"name.formatted": &a.formatted, "name.givenname": &a.givenName, "name.familyname": &a.familyName,
	}[name]
	if target != nil {
		*target, _ = value.(string)
	}
}

// setAddress sets the only or primary address.
func (a *account) setAddress(value any) {
	if address, ok := value.(string); ok {
		a.emails = []any{map[string]any{"value": address, "primary": true}}
	}
}

// setEmails changes all addresses, or those that the path selects.
func (a *account) setEmails(op string, path filter.Path, value any) error {
	if path.ValueExpression == nil {
		list, isList := value.([]any)
		switch {
		case value == nil:
			a.emails = []any{}
		case !isList:
			return badValue("emails must be a list")
		case op == scim.PatchOperationAdd:
			a.addEmails(list)
		default:
			a.emails = list
		}
		return nil
	}
	sub := ""
	if path.SubAttribute != nil {
		sub = *path.SubAttribute
	}
	selected, err := a.selectEmails(path.ValueExpression)
	if err != nil {
		return err
	}
	if op == scim.PatchOperationRemove {
		a.emails = slices.DeleteFunc(a.emails, func(email any) bool {
			return slices.ContainsFunc(selected, func(s map[string]any) bool { return s["value"] == asMap(email)["value"] })
		})
		return nil
	}
	if len(selected) == 0 { // as Entra adds addresses
		added := make(map[string]any)
		describe(path.ValueExpression, added)
		a.emails = append(a.emails, added)
		selected = append(selected, added)
	}
	for _, email := range selected {
		if sub != "" {
			email[sub] = value
			continue
		}
		maps.Copy(email, asMap(value))
	}
	return nil
}

// addEmails adds addresses. A new primary address replaces the old one.
func (a *account) addEmails(added []any) {
	for _, email := range added {
		if asMap(email)["primary"] == true {
			for _, other := range a.emails {
				asMap(other)["primary"] = false
			}
		}
	}
	a.emails = append(a.emails, added...)
}

func asMap(value any) map[string]any {
	m, _ := value.(map[string]any)
	return m
}

// selectEmails returns the addresses that match an expression.
func (a *account) selectEmails(expression filter.Expression) ([]map[string]any, error) {
	attribute, _ := schema.CoreUserSchema().Attributes.ContainsAttribute("emails")
	f := scimfilter.NewFilterValidator(expression, schema.Schema{Attributes: attribute.SubAttributes()})
	if err := f.Validate(); err != nil {
		return nil, scimerrors.ScimErrorInvalidFilter
	}
	var selected []map[string]any
	for _, email := range a.emails {
		if m := asMap(email); m != nil && f.PassesFilter(m) == nil {
			selected = append(selected, m)
		}
	}
	return selected, nil
}

// describe sets attributes so that an expression becomes true.
func describe(expression filter.Expression, attributes map[string]any) {
	switch e := expression.(type) {
	case *filter.AttributeExpression:
		if e.Operator == filter.EQ {
			attributes[e.AttributePath.AttributeName] = e.CompareValue
		}
	case *filter.LogicalExpression:
		if e.Operator == filter.AND {
			describe(e.Left, attributes)
			describe(e.Right, attributes)
		}
	}
}

// address returns the address of the account: the primary one, or that of type work, or the
// first.
func (a *account) address() string {
	var work, first string
	for _, email := range a.emails {
		m := asMap(email)
		value, _ := m["value"].(string)
		switch {
		case m["primary"] == true && value != "":
			return value
		case m["type"] == "work" && work == "":
			work = value
		case first == "":
			first = value
		}
	}
	if work != "" {
		return work
	}
	return first
}

// name returns the name of the account. It is the first that has changed of the display
// name, the formatted name, and the given with the family name.
func (a *account) name(before *account) string {
	if a.displayName != "" && a.displayName != before.displayName {
		return a.displayName
	}
	if a.formatted != "" && a.formatted != before.formatted {
		return a.formatted
	}
	joined := strings.TrimSpace(a.givenName + " " + a.familyName)
	if joined != "" && (a.givenName != before.givenName || a.familyName != before.familyName) {
		return joined
	}
	return before.displayName
}

// username returns the Rocket.Chat username for a SCIM user name.
func (b *bridge) username(userName string) (string, error) {
	if b.opts.Domain == "" {
		return userName, nil
	}
	i := strings.LastIndex(userName, "@")
	if i <= 0 || !strings.EqualFold(userName[i+1:], b.opts.Domain) {
		return "", badValue("userName must be an address of " + b.opts.Domain)
	}
	return userName[:i], nil
}

// update returns the changes from before to after, or nil if there are none.
func (b *bridge) update(before, after *account) (*rocketchat.UserUpdateOptions, error) {
	opts := new(rocketchat.UserUpdateOptions)
	changed := false
	set := func(field **string, from, to string) {
		if from != to {
			*field, changed = &to, true
		}
	}
	if after.userName != before.userName {
		from, err := b.username(before.userName)
		if err != nil {
			return nil, err
		}
		to, err := b.username(after.userName)
		if err == nil && to == "" {
			err = badValue("userName must not be empty")
		}
		if err != nil {
			return nil, err
		}
		set(&opts.Username, from, to)
	}
	set(&opts.Name, before.displayName, after.name(before))
	set(&opts.Nickname, before.nickName, after.nickName)
	if to := after.address(); to != "" && !strings.EqualFold(to, before.address()) { // every account keeps an address
		set(&opts.Email, before.address(), to)
		if b.opts.Verified {
			opts.Verified = new(true)
		}
	}
	if after.active != before.active {
		opts.Active, changed = &after.active, true
		opts.ConfirmRelinquish = b.opts.Relinquish
	}
	if after.externalID != before.externalID {
		opts.CustomFields, changed = map[string]any{b.opts.ExternalID: after.externalID}, true
	}
	if after.password != "" {
		opts.Password, changed = new(rocketchat.NewSecret(after.password)), true
	}
	if !changed {
		return nil, nil //nolint:nilnil // there is nothing to do, which is no error
	}
	return opts, nil
}
