package rocketchat

import (
	"context"
	"iter"
)

// CustomStatus is a status with a name of its own, which a server offers to its users.
type CustomStatus struct {
	ID         string     `json:"_id"`
	Name       string     `json:"name"`
	StatusType UserStatus `json:"statusType,omitzero"`
	UpdatedAt  Time       `json:"_updatedAt,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// CustomStatusListOptions select and order custom statuses.
type CustomStatusListOptions struct {
	Offset     int      // number of statuses to skip
	Count      int      // statuses per page; 0 is the server's default, 50; servers cap it at 100
	Everything bool     // all statuses from Offset on in one answer, if the server allows that
	Sort       []string // fields to sort by, such as "name"; descending with a leading "-"

	Name string // a part of the name, in any case
	ID   string
}

func (o CustomStatusListOptions) page() pageOptions {
	return pageOptions{o.Offset, o.Count, o.Everything, o.Sort}
}

// CustomStatusCreateOptions describe a new custom status.
type CustomStatusCreateOptions struct {
	Name       string     `json:"name"`
	StatusType UserStatus `json:"statusType,omitzero"` // "" for none
}

// CustomStatusUpdateOptions are the new values of a custom status.
type CustomStatusUpdateOptions struct {
	Name       string     `json:"name"`       // required, even if it stays
	StatusType UserStatus `json:"statusType"` // "" for none
}

// CustomList returns a page of the server's custom statuses.
//
//   - GET /api/v1/custom-user-status.list.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrInvalid] for an unknown sort key.
//   - In all server versions.
func (s *StatusService) CustomList(ctx context.Context, opts CustomStatusListOptions, callOpts ...CallOption) (*Page[CustomStatus], error) {
	e := get("custom-user-status.list").page(opts.page()).with("name", opts.Name).with("_id", opts.ID)
	list, err := do[struct {
		Statuses items[CustomStatus] `json:"statuses"`
		Offset   int                 `json:"offset"`
		Total    int                 `json:"total"`
	}](ctx, s.client, e, callOpts)
	if err != nil {
		return nil, err
	}
	return pageOf(e, "statuses", list.Statuses, list.Offset, list.Total)
}

// AllCustom returns an iterator over the custom statuses that opts select. It ends at the
// first error.
//
//   - GET /api/v1/custom-user-status.list, once if the server allows everything in one
//     answer, otherwise once a page.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: as for [StatusService.CustomList].
//   - In all server versions.
func (s *StatusService) AllCustom(ctx context.Context, opts CustomStatusListOptions, callOpts ...CallOption) iter.Seq2[*CustomStatus, error] {
	id := func(c *CustomStatus) string { return c.ID }
	return listing[CustomStatus]{op: "custom-user-status.list", id: id, page: func(ctx context.Context, p pageOptions) (*Page[CustomStatus], error) {
		opts.Offset, opts.Count, opts.Everything, opts.Sort = p.offset, p.count, p.everything, p.sort
		return s.CustomList(ctx, opts, callOpts...)
	}}.all(ctx, opts.page())
}

// CustomCreate creates a custom status.
//
//   - POST /api/v1/custom-user-status.create.
//   - Permission: manage-user-status.
//   - Second factor: not asked for.
//   - Not retried if the response is lost.
//   - Errors: [ErrTaken] for the name, [ErrForbidden].
//   - In all server versions.
func (s *StatusService) CustomCreate(ctx context.Context, opts CustomStatusCreateOptions, callOpts ...CallOption) (*CustomStatus, error) {
	e := post("custom-user-status.create").yields("customUserStatus").json(opts).customStatus(opts.Name, opts.StatusType)
	return do[*CustomStatus](ctx, s.client, e, callOpts)
}

// CustomUpdate changes a custom status.
//
//   - POST /api/v1/custom-user-status.update.
//   - Permission: manage-user-status.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound]; [ErrTaken] for the name; [ErrForbidden].
//   - In all server versions.
func (s *StatusService) CustomUpdate(ctx context.Context, id string, opts CustomStatusUpdateOptions, callOpts ...CallOption) (*CustomStatus, error) {
	e := post("custom-user-status.update").retried().yields("customUserStatus").
		json(struct {
			ID string `json:"_id"`
			CustomStatusUpdateOptions
		}{id, opts}).
		require(id != "", "id", "must not be empty").customStatus(opts.Name, opts.StatusType)
	return do[*CustomStatus](ctx, s.client, e, callOpts)
}

// CustomDelete deletes a custom status.
//
//   - POST /api/v1/custom-user-status.delete.
//   - Permission: manage-user-status.
//   - Second factor: not asked for.
//   - Not retried if the response is lost.
//   - Errors: [ErrNotFound], [ErrForbidden].
//   - In all server versions.
func (s *StatusService) CustomDelete(ctx context.Context, id string, callOpts ...CallOption) error {
	e := post("custom-user-status.delete").require(id != "", "id", "must not be empty").json(struct {
		ID string `json:"customUserStatusId"`
	}{id})
	return exec(ctx, s.client, e, callOpts)
}

// customStatus checks the values of a custom status.
func (e endpoint) customStatus(name string, status UserStatus) endpoint {
	return e.require(name != "", "Name", "must not be empty").
		require(status == "" || status.known(), "StatusType", statusWords)
}
