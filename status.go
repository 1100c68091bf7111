package rocketchat

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// StatusService reads and sets whether people are there, and the words that a server
// offers for it.
type StatusService service

// UserStatus says whether somebody is there.
type UserStatus string

// The statuses of a user.
const (
	StatusOnline  UserStatus = "online"
	StatusAway    UserStatus = "away"
	StatusBusy    UserStatus = "busy"
	StatusOffline UserStatus = "offline" // as a choice of one's own it is the invisible one
)

// known reports one of the words that servers take.
func (s UserStatus) known() bool {
	switch s {
	case StatusOnline, StatusAway, StatusBusy, StatusOffline:
		return true
	}
	return false
}

const statusWords = "must be online, away, busy or offline"

// StatusSource says where a status comes from.
type StatusSource string

// The sources of a status.
const (
	StatusFromConnections StatusSource = "internal" // computed from the user's connections
	StatusFromUser        StatusSource = "manual"   // chosen
	StatusFromOutside     StatusSource = "external" // another system, such as a calendar or a call
)

// StatusUpdate is a change of a user's status. Without a Status the status stays,
// without a Message the message does; one of them must be given.
type StatusUpdate struct {
	Status UserStatus
	// Message is cut at 120 characters by the server; "" clears it.
	Message *string
	// ExpiresAt is when the status ends; it must be in the future. Servers before 8.6
	// do not know it.
	ExpiresAt time.Time
	// User is whose status is set; the zero value is oneself.
	User UserRef
}

type statusBody struct {
	Status    UserStatus `json:"status,omitzero"`
	Message   *string    `json:"message,omitzero"`
	ExpiresAt Time       `json:"expiresAt,omitzero"`
	userRefBody
}

// StatusInfo is a user's status. The message is not part of it: read the StatusText
// of the [User].
type StatusInfo struct {
	ID               string       `json:"_id"`
	Status           UserStatus   `json:"status"`
	ConnectionStatus UserStatus   `json:"connectionStatus,omitzero"` // of oneself alone
	StatusSource     StatusSource `json:"statusSource,omitzero"`     // from server 8.6 on
	StatusExpiresAt  Time         `json:"statusExpiresAt,omitzero"`  // from server 8.6 on

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// UserPresence is a user's presence.
type UserPresence struct {
	Presence         UserStatus `json:"presence"`
	ConnectionStatus UserStatus `json:"connectionStatus,omitzero"` // of oneself alone
	LastLogin        Time       `json:"lastLogin,omitzero"`        // of oneself alone

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// PresenceOptions choose whose presence to read; the zero value is of all who are not
// offline.
type PresenceOptions struct {
	// From asks for what has changed since then. A server looks back ten minutes; for
	// an older moment it answers with everybody, see [PresenceList.Full].
	From time.Time
	// IDs asks for these users alone. Newer servers take no more than 500 at once.
	IDs []string
}

// PresenceList is who is there.
type PresenceList struct {
	// Users are, when IDs were asked for, those who are not offline or have a message;
	// when changes were asked for, those whose status changed, but oneself.
	Users []User `json:"users"`
	// Full tells that Users are all who are not offline, not a part or the changes.
	Full bool `json:"full"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// PresenceConnections is how many clients are connected to a server.
type PresenceConnections struct {
	Current int `json:"current"`
	Max     int `json:"max"` // beyond it the server stops to broadcast presence

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// CustomStatus is a status with a name that a server offers to its users.
type CustomStatus struct {
	ID         string     `json:"_id"`
	Name       string     `json:"name"`
	StatusType UserStatus `json:"statusType,omitzero"`
	UpdatedAt  Time       `json:"_updatedAt,omitzero"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// CustomStatusListOptions choose custom statuses.
type CustomStatusListOptions struct {
	PageOptions
	Name string // a part of the name; the case does not matter
	ID   string
}

// CustomStatusUpdate is what a custom status becomes.
type CustomStatusUpdate struct {
	Name       string     // needed, also when it stays
	StatusType UserStatus // "" for none
}

type customStatusBody struct {
	ID         string     `json:"_id,omitzero"`
	Name       string     `json:"name"`
	StatusType UserStatus `json:"statusType,omitzero"`
}

type customStatusList struct {
	Statuses []CustomStatus `json:"statuses"`
	Offset   int            `json:"offset"`
	Total    int            `json:"total"`
}

// Set sets a status, a message or both. What others see of the status depends on the
// connections too: somebody who is not connected stays offline for them.
//
// POST /api/v1/users.setStatus. Another user needs the permission edit-other-user-info.
// A lost answer is repeated. Servers allow 5 calls per minute, and 5 for one user.
// Errors: [ErrInvalid] with the code error-invalid-date for a moment that has passed,
// [ErrForbidden] with the code error-status-not-allowed where the server has no
// invisible status, with error-not-allowed where it allows no changes, [ErrNotFound].
func (s *StatusService) Set(ctx context.Context, in StatusUpdate, opts ...CallOption) error {
	e := in.User.orOneself(post("users.setStatus").since("1.2.0").repeatable()).
		require(in.Status == "" || in.Status.known(), "status", statusWords).
		require(in.Status != "" || in.Message != nil, "status", "or a message must be given")
	return exec(ctx, s.client, e, statusBody{
		Status: in.Status, Message: in.Message, ExpiresAt: Time{in.ExpiresAt}, userRefBody: in.User.body(),
	}, opts)
}

// Get returns the status of a user; the zero ref is oneself.
//
// GET /api/v1/users.getStatus. No permission. Errors: [ErrNotFound].
func (s *StatusService) Get(ctx context.Context, ref UserRef, opts ...CallOption) (*StatusInfo, error) {
	return do[*StatusInfo](ctx, s.client, ref.orOneself(get("users.getStatus").since("1.2.0")), ref.addTo(url.Values{}), nil, opts)
}

// PresenceOf returns the presence of a user; the zero ref is oneself.
//
// GET /api/v1/users.getPresence. No permission. Errors: [ErrNotFound].
func (s *StatusService) PresenceOf(ctx context.Context, ref UserRef, opts ...CallOption) (*UserPresence, error) {
	return do[*UserPresence](ctx, s.client, ref.orOneself(get("users.getPresence").since("0.35.0")), ref.addTo(url.Values{}), nil, opts)
}

// Presence returns who is there.
//
// GET /api/v1/users.presence. No permission. On a server that has stopped to broadcast
// presence (Presence_broadcast_disabled) the list is empty and Full; see
// [StatusService.EnableBroadcast]. Each id is a parameter of its own, because servers
// 8.3 to 8.5 misread a list with commas.
func (s *StatusService) Presence(ctx context.Context, in PresenceOptions, opts ...CallOption) (*PresenceList, error) {
	e := get("users.presence").since("1.1.0").
		require(in.IDs == nil || len(in.IDs) > 0, "ids", "must not be an empty list: nil asks for everybody")
	q := url.Values{}
	for _, id := range in.IDs {
		e = e.require(id != "", "ids", "must not hold an empty id")
		q.Add("ids", id)
	}
	return do[*PresenceList](ctx, s.client, e, addTime(q, "from", in.From), nil, opts)
}

// Connections tells how many clients are connected to the server.
//
// GET /api/v1/presence.getConnections. It needs the permission manage-user-status.
// Errors: [ErrForbidden].
func (s *StatusService) Connections(ctx context.Context, opts ...CallOption) (*PresenceConnections, error) {
	return do[*PresenceConnections](ctx, s.client, get("presence.getConnections"), nil, nil, opts)
}

// EnableBroadcast has the server tell of presence again, after it had stopped because
// of too many connections.
//
// POST /api/v1/presence.enableBroadcast. It needs the permission manage-user-status. A
// second factor may be asked for. A lost answer is repeated. Errors: [ErrForbidden].
func (s *StatusService) EnableBroadcast(ctx context.Context, opts ...CallOption) error {
	return exec(ctx, s.client, post("presence.enableBroadcast").repeatable(), nil, opts)
}

// CustomList returns a page of the statuses that the server offers under names of its
// own.
//
// GET /api/v1/custom-user-status.list. No permission. Errors: [ErrInvalid] for a sort
// key that is none.
func (s *StatusService) CustomList(ctx context.Context, in CustomStatusListOptions, opts ...CallOption) (*Page[CustomStatus], error) {
	e := in.check(get("custom-user-status.list"))
	list, err := do[customStatusList](ctx, s.client, e, in.addTo(query("name", in.Name, "_id", in.ID)), nil, opts)
	if err != nil {
		return nil, err
	}
	return pageOf(e, "statuses", list.Statuses, list.Offset, list.Total)
}

// AllCustom goes through all custom statuses that [StatusService.CustomList] would
// list. An error ends it.
func (s *StatusService) AllCustom(ctx context.Context, in CustomStatusListOptions, opts ...CallOption) iter.Seq2[*CustomStatus, error] {
	return walk(ctx, "custom-user-status.list", in.PageOptions, func(c *CustomStatus) string { return c.ID },
		func(ctx context.Context, page PageOptions) (*Page[CustomStatus], error) {
			next := in
			next.PageOptions = page
			return s.CustomList(ctx, next, opts...)
		})
}

// CustomCreate adds a custom status: a name for status, which may be "" for none.
//
// POST /api/v1/custom-user-status.create. It needs the permission manage-user-status. A
// lost answer is not repeated. Errors: [ErrTaken] for the name, [ErrForbidden].
func (s *StatusService) CustomCreate(ctx context.Context, name string, status UserStatus, opts ...CallOption) (*CustomStatus, error) {
	body := customStatusBody{Name: name, StatusType: status}
	e := body.check(post("custom-user-status.create").yields("customUserStatus"))
	return do[*CustomStatus](ctx, s.client, e, nil, body, opts)
}

// CustomUpdate changes a custom status.
//
// POST /api/v1/custom-user-status.update. It needs the permission manage-user-status. A
// lost answer is repeated. Errors: [ErrNotFound], [ErrTaken] for the name,
// [ErrForbidden].
func (s *StatusService) CustomUpdate(ctx context.Context, id string, in CustomStatusUpdate, opts ...CallOption) (*CustomStatus, error) {
	body := customStatusBody{ID: id, Name: in.Name, StatusType: in.StatusType}
	e := body.check(post("custom-user-status.update").repeatable().yields("customUserStatus").
		require(id != "", "id", "must not be empty"))
	return do[*CustomStatus](ctx, s.client, e, nil, body, opts)
}

// CustomDelete removes a custom status.
//
// POST /api/v1/custom-user-status.delete. It needs the permission manage-user-status. A
// lost answer is not repeated. Errors: [ErrNotFound], [ErrForbidden].
func (s *StatusService) CustomDelete(ctx context.Context, id string, opts ...CallOption) error {
	e := post("custom-user-status.delete").require(id != "", "id", "must not be empty")
	return exec(ctx, s.client, e, customStatusDeleteBody{id}, opts)
}

type customStatusDeleteBody struct {
	ID string `json:"customUserStatusId"`
}

func (b customStatusBody) check(e endpoint) endpoint {
	return e.require(b.Name != "", "name", "must not be empty").
		require(b.StatusType == "" || b.StatusType.known(), "statusType", statusWords)
}

// orOneself is direct for the endpoints where nobody named means the caller.
func (r UserRef) orOneself(e endpoint) endpoint {
	if r == (UserRef{}) {
		return e
	}
	return r.direct(e)
}

// addTime adds a moment to the parameters of a call, unless it is the zero time.
func addTime(q url.Values, key string, moment time.Time) url.Values {
	if !moment.IsZero() {
		q.Set(key, moment.UTC().Format(isoMillis))
	}
	return q
}
