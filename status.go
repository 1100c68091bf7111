package rocketchat

import (
	"cmp"
	"context"
	"time"
)

// StatusService reads and sets presence and status messages, and manages the custom
// statuses of a server.
type StatusService service

// UserStatus is the presence of a user.
type UserStatus string

// The statuses of a user.
const (
	StatusOnline  UserStatus = "online"
	StatusAway    UserStatus = "away"
	StatusBusy    UserStatus = "busy"
	StatusOffline UserStatus = "offline" // if a user chose it: invisible
)

// known reports whether servers accept a status.
func (s UserStatus) known() bool {
	switch s {
	case StatusOnline, StatusAway, StatusBusy, StatusOffline:
		return true
	}
	return false
}

const statusWords = "must be online, away, busy or offline"

// StatusSource is the source of a status.
type StatusSource string

// The sources of a status.
const (
	StatusFromConnections StatusSource = "internal" // computed from the user's connections
	StatusFromUser        StatusSource = "manual"   // chosen
	StatusFromOutside     StatusSource = "external" // another system, such as a calendar or a call
)

// StatusSetOptions say what to change about a user's status. Status or Message must be set.
type StatusSetOptions struct {
	Status UserStatus // "" leaves it unchanged
	// Message is cut at 120 characters by the server. nil leaves it unchanged; an empty
	// string clears it.
	Message *string
	// ExpiresAt is when the status ends. It must be in the future. Servers before 8.6
	// would ignore it, so Set asks for the server's version first and fails with
	// [ErrEndpointUnknown] there.
	ExpiresAt time.Time
}

type statusBody struct {
	Status    UserStatus `json:"status,omitzero"`
	Message   *string    `json:"message,omitzero"`
	ExpiresAt Time       `json:"expiresAt,omitzero"`
}

// StatusInfo is a user's status. It does not include the message, which is the StatusText
// of the [User].
type StatusInfo struct {
	ID               string       `json:"_id"`
	Status           UserStatus   `json:"status"`
	ConnectionStatus UserStatus   `json:"connectionStatus,omitzero"` // only of the caller
	StatusSource     StatusSource `json:"statusSource,omitzero"`     // since server 8.6
	StatusExpiresAt  Time         `json:"statusExpiresAt,omitzero"`  // since server 8.6

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// UserPresence is a user's presence.
type UserPresence struct {
	Presence         UserStatus `json:"presence"`
	ConnectionStatus UserStatus `json:"connectionStatus,omitzero"` // only of the caller
	LastLogin        Time       `json:"lastLogin,omitzero"`        // only of the caller

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// StatusPresenceOptions select users. The zero value selects everybody who is not offline.
type StatusPresenceOptions struct {
	// From selects users whose presence changed since then. A server looks back ten
	// minutes; for an older moment it returns everybody, see [PresenceList.Full].
	From time.Time
	// Users selects these users. Newer servers take no more than 500 at once.
	Users []UserRef
}

// PresenceList is the presence of many users.
type PresenceList struct {
	// Users are the selected users who are not offline or have a message. If changes were
	// selected, they are the users other than the caller whose status has changed.
	Users []User `json:"users"`
	// Full is set if Users contains everybody who is not offline, rather than a part or
	// changes.
	Full bool `json:"full"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// PresenceConnections counts the clients that are connected to a server.
type PresenceConnections struct {
	Current int `json:"current"`
	Max     int `json:"max"` // beyond it the server stops broadcasting presence

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// Set sets a user's status, their message or both. Since server 8.6 the visible status also
// depends on the user's connections: users who are not connected stay offline. Servers 8.3
// and newer accept 5 calls in 60 s from an address. Servers 7.x have the default limit, and
// accept only 5 changes of a user's message in a minute.
//
//   - POST /api/v1/users.setStatus.
//   - Permission: edit-other-user-info for other users.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound]; [ErrInvalid] with [CodeInvalidDate] for a time in the past;
//     [ErrForbidden] with [CodeStatusNotAllowed] if the server has no invisible status,
//     with [CodeNotAllowed] if it allows no changes; [ErrEndpointUnknown] for ExpiresAt.
//   - Since server 1.2.0; ExpiresAt since 8.6.
func (s *StatusService) Set(ctx context.Context, ref UserRef, opts StatusSetOptions, callOpts ...CallOption) error {
	e := post("users.setStatus").since("1.2.0").retried().ofSelfOr(ref).
		json(statusBody{opts.Status, opts.Message, Time{opts.ExpiresAt}}).
		require(opts.Status == "" || opts.Status.known(), "Status", statusWords).
		require(opts.Status != "" || opts.Message != nil, "Status", "or Message must be set")
	if e.wrong == nil && !opts.ExpiresAt.IsZero() {
		info, err := s.client.Server.Info(ctx, callOpts...)
		if err != nil {
			return err
		}
		if !info.AtLeast(8, 6) {
			return &Error{Op: e.op, Class: ErrEndpointUnknown, Field: "ExpiresAt", Message: "needs server 8.6 or newer; this server would ignore it"}
		}
	}
	return exec(ctx, s.client, e, callOpts)
}

// Get returns the status of a user.
//
//   - GET /api/v1/users.getStatus.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound].
//   - Since server 1.2.0.
func (s *StatusService) Get(ctx context.Context, ref UserRef, callOpts ...CallOption) (*StatusInfo, error) {
	return do[*StatusInfo](ctx, s.client, get("users.getStatus").since("1.2.0").ofSelfOr(ref), callOpts)
}

// PresenceOf returns the presence of a user.
//
//   - GET /api/v1/users.getPresence.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound].
//   - Since server 0.35.0.
func (s *StatusService) PresenceOf(ctx context.Context, ref UserRef, callOpts ...CallOption) (*UserPresence, error) {
	return do[*UserPresence](ctx, s.client, get("users.getPresence").since("0.35.0").ofSelfOr(ref), callOpts)
}

// Presence returns the presence of many users. If the server has stopped broadcasting
// presence (Presence_broadcast_disabled), the list is empty and Full; see
// [StatusService.EnableBroadcast].
//
//   - GET /api/v1/users.presence, after one of users.info for each user who is not
//     referred to by ID.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound] if a user has to be looked up.
//   - Since server 1.1.0.
func (s *StatusService) Presence(ctx context.Context, opts StatusPresenceOptions, callOpts ...CallOption) (*PresenceList, error) {
	e := get("users.presence").since("1.1.0").withTime("from", opts.From).
		require(opts.Users == nil || len(opts.Users) > 0, "Users", "must not be an empty list: nil selects everybody")
	for _, ref := range opts.Users {
		e.wrong = cmp.Or(e.wrong, e.of(ref).wrong)
	}
	callOpts = together(callOpts)
	for _, ref := range opts.Users {
		if e.wrong != nil {
			break
		}
		id, err := s.client.userID(ctx, e.op, ref, callOpts)
		if err != nil {
			return nil, err
		}
		e = e.withAll("ids", []string{id}) // one parameter each: servers 8.3 to 8.5 misread a list with commas
	}
	return do[*PresenceList](ctx, s.client, e, callOpts)
}

// Connections returns how many clients are connected to the server.
//
//   - GET /api/v1/presence.getConnections.
//   - Permission: manage-user-status.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrForbidden].
//   - In all server versions.
func (s *StatusService) Connections(ctx context.Context, callOpts ...CallOption) (*PresenceConnections, error) {
	return do[*PresenceConnections](ctx, s.client, get("presence.getConnections"), callOpts)
}

// EnableBroadcast makes the server broadcast presence again, after it had stopped because
// of too many connections.
//
//   - POST /api/v1/presence.enableBroadcast.
//   - Permission: manage-user-status.
//   - Second factor: asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrForbidden].
//   - In all server versions.
func (s *StatusService) EnableBroadcast(ctx context.Context, callOpts ...CallOption) error {
	return exec(ctx, s.client, post("presence.enableBroadcast").retried().secondFactor(), callOpts)
}
