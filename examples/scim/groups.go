package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"
	scimfilter "github.com/elimity-com/scim/filter"
	"github.com/elimity-com/scim/schema"
	"github.com/scim2/filter-parser/v2"

	"github.com/rocketchat-go/rocketchat"
)

// groups are the roles that apply everywhere, not only in a room.
type groups struct{ *bridge }

const admin = "admin"

// shown reports whether the provider may see a role.
func (b *bridge) shown(roleID string) bool { return roleID != admin || b.opts.Admins }

// group is a role with the IDs of its holders.
type group struct {
	name    string
	members map[string]bool
}

func resourceOf(role *rocketchat.Role, members map[string]bool) scim.Resource {
	list := []any{}
	for _, id := range slices.Sorted(maps.Keys(members)) {
		list = append(list, map[string]any{"value": id, "type": "User"})
	}
	attributes := scim.ResourceAttributes{"displayName": role.Name, "members": list}
	return scim.Resource{ID: role.ID, Attributes: attributes, Meta: scim.Meta{Version: version(attributes, "")}}
}

// roles returns the roles that are groups.
func (h *groups) roles(ctx context.Context) ([]rocketchat.Role, error) {
	all, err := h.client.Roles.List(ctx)
	return slices.DeleteFunc(all, func(role rocketchat.Role) bool {
		return role.Scope == rocketchat.RoleScopeSubscriptions || !h.shown(role.ID)
	}), err
}

// read reads a role and its holders.
func (h *groups) read(ctx context.Context, id string) (*rocketchat.Role, group, error) {
	roles, err := h.roles(ctx)
	if err != nil {
		return nil, group{}, err
	}
	i := slices.IndexFunc(roles, func(role rocketchat.Role) bool { return role.ID == id })
	if i < 0 {
		return nil, group{}, scimerrors.ScimErrorResourceNotFound(id)
	}
	g := group{roles[i].Name, make(map[string]bool)}
	for u, err := range h.client.Roles.AllUsers(ctx, id, rocketchat.RoleUsersOptions{}) {
		if err != nil {
			return nil, group{}, err
		}
		if isPerson(u) {
			g.members[u.ID] = true
		}
	}
	return &roles[i], g, nil
}

// Get implements [scim.ResourceHandler].
func (h *groups) Get(r *http.Request, id string) (scim.Resource, error) {
	role, g, err := h.read(r.Context(), id)
	if err != nil {
		return scim.Resource{}, h.refused(err)
	}
	return without(r, resourceOf(role, g.members)), nil
}

// without removes the members if the request excludes them, as requests of Entra do.
func without(r *http.Request, resource scim.Resource) scim.Resource {
	for name := range strings.SplitSeq(r.URL.Query().Get("excludedAttributes"), ",") {
		if strings.EqualFold(strings.TrimSpace(name), "members") {
			delete(resource.Attributes, "members")
		}
	}
	return resource
}

// GetAll implements [scim.ResourceHandler].
func (h *groups) GetAll(r *http.Request, params scim.ListRequestParams) (scim.Page, error) {
	ctx := r.Context()
	params, err := comparable(params, func(name string) bool { return name != "meta" }, schema.CoreGroupSchema())
	if err != nil {
		return scim.Page{}, err
	}
	roles, err := h.roles(ctx)
	if err != nil {
		return scim.Page{}, h.refused(err)
	}
	members := make(map[string]map[string]bool)
	for u, err := range h.client.Users.All(ctx, rocketchat.UserListOptions{}) { // one call, rather than one for each role
		if err != nil {
			return scim.Page{}, h.refused(err)
		}
		if !isPerson(u) {
			continue
		}
		for _, role := range u.Roles {
			if members[role] == nil {
				members[role] = make(map[string]bool)
			}
			members[role][u.ID] = true
		}
	}
	var all []scim.Resource
	for i := range roles {
		all = append(all, resourceOf(&roles[i], members[roles[i].ID]))
	}
	page := passing(all, params)
	for i, resource := range page.Resources {
		page.Resources[i] = without(r, resource)
	}
	return page, nil
}

// Create implements [scim.ResourceHandler].
func (h *groups) Create(r *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	resource, err := h.create(r.Context(), attributes)
	return resource, h.refused(err)
}

func (h *groups) create(ctx context.Context, attributes scim.ResourceAttributes) (scim.Resource, error) {
	wanted := group{members: make(map[string]bool)}
	if err := wanted.setAll(scim.PatchOperationReplace, attributes); err != nil {
		return scim.Resource{}, err
	}
	for id := range wanted.members {
		if _, err := h.client.Users.Get(ctx, rocketchat.ByID(id)); err != nil {
			return scim.Resource{}, nobody(id, err)
		}
	}
	role, err := h.client.Roles.Create(ctx, rocketchat.RoleCreateOptions{Name: wanted.name, Scope: rocketchat.RoleScopeUsers})
	if errors.Is(err, rocketchat.ErrForbidden) {
		return scim.Resource{}, forbidden("New roles need the Enterprise edition and the permission access-permissions. Use the name of a role that exists.")
	}
	if err != nil {
		return scim.Resource{}, err
	}
	if err := h.apply(ctx, role, group{wanted.name, map[string]bool{}}, wanted); err != nil {
		return scim.Resource{}, err
	}
	return resourceOf(role, wanted.members), nil
}

// Replace implements [scim.ResourceHandler].
func (h *groups) Replace(r *http.Request, id string, attributes scim.ResourceAttributes) (scim.Resource, error) {
	resource, err := h.change(r, id, func(after *group) error {
		after.members = make(map[string]bool)
		return after.setAll(scim.PatchOperationReplace, attributes)
	})
	return resource, h.refused(err)
}

// Patch implements [scim.ResourceHandler].
func (h *groups) Patch(r *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	resource, err := h.change(r, id, func(after *group) error {
		for _, op := range operations {
			if err := after.change(op); err != nil {
				return err
			}
		}
		return nil
	})
	return resource, h.refused(err)
}

func (h *groups) change(r *http.Request, id string, edit func(*group) error) (scim.Resource, error) {
	ctx, end, err := h.begin(r, "group "+id)
	if err != nil {
		return scim.Resource{}, err
	}
	defer end()
	role, before, err := h.read(ctx, id)
	if err != nil {
		return scim.Resource{}, err
	}
	if err := matches(r, resourceOf(role, before.members)); err != nil {
		return scim.Resource{}, err
	}
	after := group{before.name, maps.Clone(before.members)}
	if err := edit(&after); err != nil {
		return scim.Resource{}, err
	}
	if err := h.apply(ctx, role, before, after); err != nil {
		return scim.Resource{}, err
	}
	role.Name = after.name
	return without(r, resourceOf(role, after.members)), nil
}

// apply changes a role from before to after. It adds members before it removes any.
func (h *groups) apply(ctx context.Context, role *rocketchat.Role, before, after group) error {
	if role.ID == admin {
		credentials, err := h.client.Credentials(ctx)
		if err != nil {
			return err
		}
		if before.members[credentials.UserID] && !after.members[credentials.UserID] {
			return forbidden("The account that the SCIM server works with keeps the role admin.")
		}
	}
	if before.name != after.name {
		if _, err := h.client.Roles.Update(ctx, role.ID, rocketchat.RoleUpdateOptions{Name: after.name}); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(after.members)) {
		if before.members[id] {
			continue
		}
		err := h.client.Roles.Add(ctx, role.ID, rocketchat.ByID(id))
		if err != nil && !errors.Is(err, rocketchat.ErrTaken) {
			return nobody(id, err)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(before.members)) {
		if after.members[id] {
			continue
		}
		if err := h.client.Roles.Remove(ctx, role.ID, rocketchat.ByID(id)); err != nil {
			return err
		}
	}
	return nil
}

// nobody is the error for a member that is not there. That the group is not found would be
// something else.
func nobody(id string, err error) error {
	if errors.Is(err, rocketchat.ErrNotFound) {
		return badValue("there is no user with the ID " + id)
	}
	return err
}

// Delete implements [scim.ResourceHandler].
func (h *groups) Delete(r *http.Request, id string) error {
	ctx, end, err := h.begin(r, "group "+id)
	if err != nil {
		return h.refused(err)
	}
	defer end()
	role, g, err := h.read(ctx, id)
	switch {
	case err != nil:
		return h.refused(err)
	case role.Protected:
		return forbidden("The role is built in.")
	}
	if err := matches(r, resourceOf(role, g.members)); err != nil {
		return err
	}
	// Servers refuse to delete roles with holders.
	if err := h.apply(ctx, role, g, group{name: g.name}); err != nil {
		return h.refused(err)
	}
	return h.refused(h.client.Roles.Delete(ctx, id))
}

// change carries out an operation of a PATCH.
func (g *group) change(op scim.PatchOperation) error {
	if op.Path == nil {
		values, _ := op.Value.(map[string]any)
		return g.setAll(op.Op, values)
	}
	name := op.Path.AttributePath.AttributeName
	if op.Path.ValueExpression == nil || !strings.EqualFold(name, "members") {
		return g.set(op.Op, name, op.Value)
	}
	if op.Op != scim.PatchOperationRemove {
		return scimerrors.ScimErrorMutability
	}
	return g.removeWhere(op.Path.ValueExpression)
}

// removeWhere removes the members that match an expression such as value eq "ID".
func (g *group) removeWhere(expression filter.Expression) error {
	attribute, _ := schema.CoreGroupSchema().Attributes.ContainsAttribute("members")
	f := scimfilter.NewFilterValidator(expression, schema.Schema{Attributes: attribute.SubAttributes()})
	if err := f.Validate(); err != nil {
		return scimerrors.ScimErrorInvalidFilter
	}
	maps.DeleteFunc(g.members, func(id string, _ bool) bool {
		return f.PassesFilter(map[string]any{"value": id, "type": "User"}) == nil
	})
	return nil
}

func (g *group) setAll(op string, values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := g.set(op, name, values[name]); err != nil {
			return err
		}
	}
	return nil
}

// set sets or removes one attribute. It ignores attributes that roles do not have.
func (g *group) set(op, name string, value any) error {
	switch strings.ToLower(name) {
	case "displayname":
		text, _ := value.(string)
		if text == "" {
			return badValue("displayName must not be empty")
		}
		g.name = text
	case "members":
		list, _ := value.([]any)
		if op == scim.PatchOperationReplace || op == scim.PatchOperationRemove && list == nil {
			clear(g.members)
		}
		for _, member := range list {
			id, _ := asMap(member)["value"].(string)
			if id == "" {
				return badValue("a member must have a value")
			}
			if op == scim.PatchOperationRemove { // with a value, as Entra sends it
				delete(g.members, id)
				continue
			}
			g.members[id] = true
		}
	}
	return nil
}
