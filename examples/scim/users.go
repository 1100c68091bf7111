package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"
	"github.com/scim2/filter-parser/v2"

	"github.com/rocketchat-go/rocketchat"
)

// users are the accounts of people. Bots and apps are not shown.
type users struct{ *bridge }

// resource is the SCIM resource of an account.
func (h *users) resource(u *rocketchat.User, externalID string) scim.Resource {
	attributes := h.accountOf(u, externalID).attributes()
	var roles []any
	for _, role := range u.Roles {
		if h.shown(role) {
			roles = append(roles, map[string]any{"value": role})
		}
	}
	if roles != nil {
		attributes["groups"] = roles
	}
	return scim.Resource{
		ID: u.ID, ExternalID: external(externalID), Attributes: attributes,
		Meta: scim.Meta{Created: known(u.CreatedAt), LastModified: known(u.UpdatedAt), Version: version(attributes, externalID)},
	}
}

// known returns nil for times that lists do not contain.
func known(t rocketchat.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t.Time
}

func external(id string) optional.String {
	if id == "" {
		return optional.String{}
	}
	return optional.NewString(id)
}

// read reads the account of a person.
func (h *users) read(ctx context.Context, id string) (*rocketchat.User, scim.Resource, error) {
	u, err := h.client.Users.Get(ctx, rocketchat.ByID(id))
	switch {
	case err != nil:
		return nil, scim.Resource{}, err
	case !isPerson(u), u.ID != id:
		return nil, scim.Resource{}, scimerrors.ScimErrorResourceNotFound(id)
	}
	return u, h.resource(u, h.ids.of(u)), nil
}

func isPerson(u *rocketchat.User) bool { return u.Type == "" || u.Type == rocketchat.UserTypeUser }

// Get implements [scim.ResourceHandler].
func (h *users) Get(r *http.Request, id string) (scim.Resource, error) {
	_, resource, err := h.read(r.Context(), id)
	return resource, h.refused(err)
}

// GetAll implements [scim.ResourceHandler].
func (h *users) GetAll(r *http.Request, params scim.ListRequestParams) (scim.Page, error) {
	page, err := h.find(r.Context(), params)
	return page, h.refused(err)
}

func (h *users) find(ctx context.Context, params scim.ListRequestParams) (scim.Page, error) {
	if params.FilterValidator == nil {
		return h.list(ctx, params)
	}
	expression := params.FilterValidator.GetFilter()
	if equal, ok := expression.(*filter.AttributeExpression); ok && equal.Operator == filter.EQ {
		value, _ := equal.CompareValue.(string)
		switch strings.ToLower(equal.AttributePath.String()) {
		case "username":
			return h.called(ctx, value, params)
		case "externalid":
			u, err := h.ids.find(ctx, value)
			return h.one(u, params), err
		}
	}
	params, err := comparable(params, listed, schema.CoreUserSchema(), schema.ExtensionEnterpriseUser())
	if err != nil {
		return scim.Page{}, err
	}
	return h.list(ctx, params)
}

// listed reports whether lists of users contain an attribute of a filter.
func listed(name string) bool { return name != "externalid" && name != "nickname" && name != "meta" }

// one is a page with at most one account.
func (h *users) one(u *rocketchat.User, params scim.ListRequestParams) scim.Page {
	params.FilterValidator = nil
	var found []scim.Resource
	if u != nil && isPerson(u) {
		found = append(found, h.resource(u, h.ids.of(u)))
	}
	return passing(found, params)
}

// called finds an account by user name, ignoring case.
func (h *users) called(ctx context.Context, userName string, params scim.ListRequestParams) (scim.Page, error) {
	name, err := h.username(userName)
	if err != nil || name == "" { // no account can have this name
		return h.one(nil, params), nil
	}
	u, err := h.client.Users.Get(ctx, rocketchat.ByUsername(name))
	if err == nil && strings.EqualFold(u.Username, name) {
		return h.one(u, params), nil
	}
	if err != nil && !errors.Is(err, rocketchat.ErrNotFound) {
		return scim.Page{}, err
	}
	for u, err := range h.client.Users.All(ctx, rocketchat.UserListOptions{}) { // users.info needs the exact spelling
		if err != nil {
			return scim.Page{}, err
		}
		if strings.EqualFold(u.Username, name) {
			u, err := h.client.Users.Get(ctx, rocketchat.ByID(u.ID))
			return h.one(u, params), err
		}
	}
	return h.one(nil, params), nil
}

// list reads all accounts with one call and returns a page of them. Their order never
// changes, so the provider does not miss users who exist throughout.
func (h *users) list(ctx context.Context, params scim.ListRequestParams) (scim.Page, error) {
	var all []scim.Resource
	for u, err := range h.client.Users.All(ctx, rocketchat.UserListOptions{Sort: []string{rocketchat.SortByID}}) {
		if err != nil {
			return scim.Page{}, err
		}
		if isPerson(u) {
			all = append(all, h.resource(u, h.ids.last(u.ID)))
		}
	}
	page := passing(all, params)
	for i := range page.Resources { // without a version, because lists lack the fields that it depends on
		page.Resources[i].Meta.Version = ""
	}
	return page, nil
}

// Create implements [scim.ResourceHandler].
func (h *users) Create(r *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	resource, err := h.create(r.Context(), attributes)
	return resource, h.refused(err)
}

func (h *users) create(ctx context.Context, attributes scim.ResourceAttributes) (scim.Resource, error) {
	wanted := &account{active: true}
	if err := wanted.setAll(scim.PatchOperationReplace, attributes); err != nil {
		return scim.Resource{}, err
	}
	username, err := h.username(wanted.userName)
	if err != nil {
		return scim.Resource{}, err
	}
	opts := rocketchat.UserCreateOptions{
		Username: username, Name: wanted.name(&account{displayName: username}), Email: wanted.address(), Password: rocketchat.NewSecret(wanted.password),
	}
	if opts.Email == "" {
		return scim.Resource{}, badValue("emails must have an address")
	}
	if opts.Password.IsZero() { // a random one; people log in with the provider, or request another by mail
		opts.Password = rocketchat.NewSecret(rand.Text() + "-aZ9!")
	}
	if h.opts.Verified {
		opts.Verified = new(true)
	}
	if wanted.nickName != "" {
		opts.Nickname = &wanted.nickName
	}
	if wanted.externalID != "" {
		opts.CustomFields = map[string]any{h.opts.ExternalID: wanted.externalID}
	}
	if !wanted.active {
		opts.Active = &wanted.active
	}
	created, err := h.client.Users.Create(ctx, opts)
	if err != nil {
		return scim.Resource{}, err
	}
	return h.outcome(ctx, created.ID, wanted)
}

// outcome returns the changed account.
func (h *users) outcome(ctx context.Context, id string, wanted *account) (scim.Resource, error) {
	_, resource, err := h.read(ctx, id)
	if err == nil && wanted.externalID != "" && !resource.ExternalID.Present() {
		h.say("the server does not keep the custom field %q: define it in the setting Accounts_CustomFields", h.opts.ExternalID)
	}
	return resource, err
}

// Replace implements [scim.ResourceHandler].
func (h *users) Replace(r *http.Request, id string, attributes scim.ResourceAttributes) (scim.Resource, error) {
	resource, err := h.change(r, id, func(after *account) error {
		// A PUT clears attributes that it leaves out, except for those that every account
		// has, and the external ID, by which the provider identifies the account.
		*after = account{active: after.active, externalID: after.externalID}
		return after.setAll(scim.PatchOperationReplace, attributes)
	})
	return resource, h.refused(err)
}

// Patch implements [scim.ResourceHandler].
func (h *users) Patch(r *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	resource, err := h.change(r, id, func(after *account) error {
		for _, op := range operations {
			if err := after.change(op); err != nil {
				return err
			}
		}
		return nil
	})
	return resource, h.refused(err)
}

// change changes an account with one request to the server. Servers save one field after the
// other, so what was saved before a refusal is undone. Changes of the same account are
// serialized.
func (h *users) change(r *http.Request, id string, edit func(*account) error) (scim.Resource, error) {
	ctx, end, err := h.begin(r, "user "+id)
	if err != nil {
		return scim.Resource{}, err
	}
	defer end()
	u, current, err := h.read(ctx, id)
	if err != nil {
		return scim.Resource{}, err
	}
	if err := matches(r, current); err != nil {
		return scim.Resource{}, err
	}
	externalID := h.ids.last(id)
	before, after := h.accountOf(u, externalID), h.accountOf(u, externalID)
	if err := edit(after); err != nil {
		return scim.Resource{}, err
	}
	opts, err := h.update(before, after)
	if err != nil || opts == nil {
		return current, err
	}
	if opts.Active != nil && !*opts.Active {
		if err := h.spareSelf(ctx, id); err != nil {
			return scim.Resource{}, err
		}
	}
	if _, err := h.client.Users.Update(ctx, rocketchat.ByID(id), *opts); err != nil {
		return scim.Resource{}, errors.Join(err, h.undo(ctx, u, before))
	}
	return h.outcome(ctx, id, after)
}

// undo makes an account what it was before a change that was refused.
func (h *users) undo(ctx context.Context, was *rocketchat.User, before *account) error {
	u, _, err := h.read(ctx, was.ID)
	if err != nil {
		return err
	}
	opts, err := h.update(h.accountOf(u, h.ids.last(was.ID)), before)
	if err != nil || opts == nil {
		return err
	}
	if opts.Email != nil {
		opts.Verified = &was.Emails[0].Verified
	}
	_, err = h.client.Users.Update(ctx, rocketchat.ByID(was.ID), *opts)
	return err
}

func (h *users) spareSelf(ctx context.Context, id string) error {
	self, err := h.isSelf(ctx, id)
	if err == nil && self {
		err = forbidden("This is the account that the SCIM server works with.")
	}
	return err
}

// Delete implements [scim.ResourceHandler].
func (h *users) Delete(r *http.Request, id string) error {
	return h.refused(h.remove(r, id))
}

func (h *users) remove(r *http.Request, id string) error {
	ctx, end, err := h.begin(r, "user "+id)
	if err != nil {
		return err
	}
	defer end()
	_, current, err := h.read(ctx, id)
	if err != nil {
		return err
	}
	if err := matches(r, current); err != nil {
		return err
	}
	if err := h.spareSelf(ctx, id); err != nil {
		return err
	}
	if h.opts.Delete {
		_, err := h.client.Users.Delete(ctx, rocketchat.ByID(id), rocketchat.UserDeleteOptions{ConfirmRelinquish: h.opts.Relinquish})
		return err
	}
	return h.client.Users.Deactivate(ctx, rocketchat.ByID(id), rocketchat.UserDeactivateOptions{ConfirmRelinquish: h.opts.Relinquish})
}
