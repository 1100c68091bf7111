package rocketchattest

// WithLicense gives the server a licence, which roles.create and roles.update need.
func WithLicense() Option { return func(c *config) { c.licensed = true } }

func customRoleBody(more ...field) *schema {
	return closed(append(more, str("name").must(), str("description").null(), str("scope").among("Users", "Subscriptions").null(), flag("mandatory2fa").null())...)
}

// customRole checks a request for a custom role that the licence allows: its properties, then the permission.
func (c *call) customRole(body *schema) error {
	switch {
	case len(validator{c.version, true, false}.check(body, c.body)) > 0:
		return coded("error-invalid-role-properties", "The role properties are invalid.", nil)
	case !c.may("access-permissions"):
		return coded("error-action-not-allowed", "Accessing permissions is not allowed", nil)
	}
	return nil
}

// createRole is roles.create.
func (c *call) createRole() (any, error) {
	if err := c.customRole(customRoleBody()); err != nil {
		return nil, err
	}
	name := c.body.str("name")
	if c.role(name) != nil || c.roleByName(name) != nil {
		return nil, coded("error-duplicate-role-names-not-allowed", "Role name already exists", nil)
	}
	r := &role{ID: newID()}
	c.roles = append(c.roles, r)
	c.describe(r)
	return fields{"role": r}, nil
}

// updateRole is roles.update. Protected roles keep their name and scope.
func (c *call) updateRole() (any, error) {
	if err := c.customRole(customRoleBody(str("roleId").must())); err != nil {
		return nil, err
	}
	r, name := c.role(c.body.str("roleId")), c.body.str("name")
	if r == nil {
		return nil, coded("error-invalid-roleId", "This role does not exist", nil)
	}
	scope := c.body.str("scope")
	switch other := c.roleByName(name); {
	case r.Protected && (name != r.Name || scope != "" && scope != r.Scope):
		return nil, coded("error-role-protected", "Role is protected", nil)
	case other != nil && other != r:
		return nil, coded("error-duplicate-role-names-not-allowed", "Role name already exists", nil)
	}
	c.describe(r)
	return fields{"role": r}, nil
}

func (c *call) describe(r *role) {
	r.Name, r.Description, r.UpdatedAt = c.body.str("name"), c.body.str("description"), stamp{c.now()}
	if scope := c.body.str("scope"); scope != "" || r.Scope == "" {
		r.Scope = "Users"
		if scope != "" {
			r.Scope = scope
		}
	}
	if c.body.has("mandatory2fa") {
		r.Mandatory = c.body.flag("mandatory2fa")
	}
}
