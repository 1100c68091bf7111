package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/filter"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"
	parser "github.com/scim2/filter-parser/v2"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
)

// bridge has what both kinds of resources need.
type bridge struct {
	client *rocketchat.Client
	say    func(format string, args ...any)
	opts   options
	locks  locks
	ids    *externalIDs
}

// newHandler returns the SCIM server.
func newHandler(s *cli.Session, opts options, token, public string) (http.Handler, error) {
	b := &bridge{client: s.Client, say: s.Note, opts: opts, locks: locks{held: make(map[string]*lock)}}
	b.ids = &externalIDs{client: s.Client, field: opts.ExternalID, known: make(map[string]string)}
	server, err := scim.NewServer(&scim.ServerArgs{
		ServiceProviderConfig: &scim.ServiceProviderConfig{
			MaxResults: pageSize, SupportFiltering: true, SupportPatch: true,
			AuthenticationSchemes: []scim.AuthenticationScheme{{
				Type: scim.AuthenticationTypeOauthBearerToken, Name: "Bearer token", Description: "The token of " + tokenName + ".", Primary: true,
			}},
		},
		ResourceTypes: []scim.ResourceType{
			{
				ID: optional.NewString("User"), Name: "User", Endpoint: "/Users", Handler: &users{b}, Schema: schema.CoreUserSchema(),
				// Its attributes are accepted, because Entra sends them, and ignored.
				SchemaExtensions: []scim.SchemaExtension{{Schema: schema.ExtensionEnterpriseUser()}},
			},
			{ID: optional.NewString("Group"), Name: "Group", Endpoint: "/Groups", Handler: &groups{b}, Schema: schema.CoreGroupSchema()},
		},
	}, scim.WithBaseURL(public))
	if err != nil {
		return nil, err
	}
	return guard(s, token, http.StripPrefix(base, server)), nil
}

// pageSize is the largest page of a list. Rocket.Chat's own pages are not larger.
const pageSize = 100

// isSelf reports whether the client acts for the account.
func (b *bridge) isSelf(ctx context.Context, userID string) (bool, error) {
	credentials, err := b.client.Credentials(ctx)
	return credentials.UserID == userID, err
}

// refused is the SCIM error for an error of the client.
func (b *bridge) refused(err error) error {
	if _, ok := errors.AsType[scimerrors.ScimError](err); ok || err == nil {
		return err
	}
	e := scimerrors.ScimError{Status: http.StatusInternalServerError, Detail: cli.Explain(err)}
	switch {
	case errors.Is(err, rocketchat.ErrNotFound):
		e.Status = http.StatusNotFound
	case errors.Is(err, rocketchat.ErrTaken):
		e.Status, e.ScimType = http.StatusConflict, scimerrors.ScimTypeUniqueness
	case errors.Is(err, rocketchat.ErrLastOwner), errors.Is(err, rocketchat.ErrInvalid):
		e.Status, e.ScimType = http.StatusBadRequest, scimerrors.ScimTypeInvalidValue
	case errors.Is(err, rocketchat.ErrForbidden):
		e.Status = http.StatusForbidden
	}
	b.say("%s", e.Detail)
	return e
}

// begin waits until no other request changes the resource. Once begun, a change continues
// even if the provider hangs up. Otherwise the next change could begin while the server is
// still working on this one.
func (b *bridge) begin(r *http.Request, resource string) (ctx context.Context, end func(), err error) {
	end = b.locks.lock(resource)
	if err := r.Context().Err(); err != nil {
		end()
		return nil, nil, err
	}
	return context.WithoutCancel(r.Context()), end, nil
}

func badValue(detail string) error {
	return scimerrors.ScimError{Status: http.StatusBadRequest, ScimType: scimerrors.ScimTypeInvalidValue, Detail: detail}
}

func forbidden(detail string) error {
	return scimerrors.ScimError{Status: http.StatusForbidden, Detail: detail}
}

// version is the entity tag of a resource.
func version(attributes scim.ResourceAttributes, externalID string) string {
	text, err := json.Marshal([]any{attributes, externalID}) // with the keys of maps in order
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return `W/"` + hex.EncodeToString(sum[:8]) + `"`
}

// matches compares the header If-Match of a request with the present resource.
func matches(r *http.Request, current scim.Resource) error {
	header := r.Header.Get("If-Match")
	if header == "" {
		return nil
	}
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == current.Meta.Version {
			return nil
		}
	}
	return scimerrors.ScimError{Status: http.StatusPreconditionFailed, Detail: "The resource has changed since it was read."}
}

// passing returns a page of the resources that pass a filter.
func passing(resources []scim.Resource, params scim.ListRequestParams) scim.Page {
	passed := []scim.Resource{}
	for _, resource := range resources {
		if params.FilterValidator == nil || passes(params.FilterValidator, resource) {
			passed = append(passed, resource)
		}
	}
	start := min(params.StartIndex-1, len(passed))
	return scim.Page{TotalResults: len(passed), Resources: passed[start:min(start+params.Count, len(passed))]}
}

// everywhere reports whether ok holds for all attributes that a filter asks about.
func everywhere(expression parser.Expression, ok func(parser.AttributePath) bool) bool {
	switch e := expression.(type) {
	case *parser.AttributeExpression:
		return ok(e.AttributePath)
	case *parser.LogicalExpression:
		return everywhere(e.Left, ok) && everywhere(e.Right, ok)
	case *parser.NotExpression:
		return everywhere(e.Expression, ok)
	}
	return true
}

// comparable returns the parameters with a filter that the SCIM library can compare: parts
// of attributes with several values only as emails[value eq "x"], and the name only in
// parts. The filter is refused if it asks about an attribute that is not known.
func comparable(params scim.ListRequestParams, known func(name string) bool, core schema.Schema, extensions ...schema.Schema) (scim.ListRequestParams, error) {
	if params.FilterValidator == nil {
		return params, nil
	}
	expression := params.FilterValidator.GetFilter()
	if !everywhere(expression, func(path parser.AttributePath) bool {
		name := strings.ToLower(path.AttributeName)
		return known(name) && (name != "name" || path.SubAttribute != nil)
	}) {
		return params, scimerrors.ScimErrorInvalidFilter
	}
	core.Attributes = slices.Concat(core.Attributes, schema.CommonAttributes())
	f := filter.NewFilterValidator(byValue(expression), core, extensions...)
	params.FilterValidator = &f
	return params, nil
}

// byValue writes emails.value eq "x" and emails eq "x" as emails[value eq "x"].
func byValue(expression parser.Expression) parser.Expression {
	switch e := expression.(type) {
	case *parser.AttributeExpression:
		switch strings.ToLower(e.AttributePath.AttributeName) {
		case "emails", "groups", "members":
			part := "value"
			if e.AttributePath.SubAttribute != nil {
				part = *e.AttributePath.SubAttribute
			}
			return &parser.ValuePath{
				AttributePath: parser.AttributePath{AttributeName: e.AttributePath.AttributeName},
				ValueFilter:   &parser.AttributeExpression{AttributePath: parser.AttributePath{AttributeName: part}, Operator: e.Operator, CompareValue: e.CompareValue},
			}
		}
	case *parser.LogicalExpression:
		return &parser.LogicalExpression{Left: byValue(e.Left), Right: byValue(e.Right), Operator: e.Operator}
	case *parser.NotExpression:
		return &parser.NotExpression{Expression: byValue(e.Expression)}
	}
	return expression
}

func passes(f *filter.Validator, resource scim.Resource) bool {
	attributes := map[string]any{"id": resource.ID}
	maps.Copy(attributes, resource.Attributes)
	if resource.ExternalID.Present() {
		attributes["externalId"] = resource.ExternalID.Value()
	}
	return f.PassesFilter(attributes) == nil
}

// locks serialize changes of the same resource.
type locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	sync.Mutex
	wanted int
}

// lock locks a name until unlock is called.
func (l *locks) lock(name string) (unlock func()) {
	l.mu.Lock()
	one := l.held[name]
	if one == nil {
		one = new(lock)
		l.held[name] = one
	}
	one.wanted++
	l.mu.Unlock()
	one.Lock()
	return func() {
		one.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if one.wanted--; one.wanted == 0 {
			delete(l.held, name)
		}
	}
}
