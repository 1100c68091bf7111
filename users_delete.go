package rocketchat

import "context"

// UserDeleteOptions say how to delete an account.
type UserDeleteOptions struct {
	// ConfirmRelinquish confirms that rooms that lose their last owner get another one or
	// are deleted. Without it the call fails for the last owner of a room with
	// [ErrLastOwner].
	ConfirmRelinquish bool `json:"confirmRelinquish,omitzero"`
}

// Delete deletes an account. It returns the IDs of the rooms that were deleted with it,
// which servers before 7.13 do not report. The setting Message_ErasureType determines what
// happens to the user's messages. The last administrator is not protected.
//
//   - POST /api/v1/users.delete.
//   - Permission: delete-user.
//   - Second factor: not asked for.
//   - Not retried if the response is lost; after [ErrOutcomeUnknown], [ErrNotFound] from
//     the next call means that the account was deleted.
//   - Errors: [ErrNotFound], [ErrForbidden], [ErrLastOwner].
//   - Since server 0.35.0.
func (s *UsersService) Delete(ctx context.Context, ref UserRef, opts UserDeleteOptions, callOpts ...CallOption) (deletedRooms []string, err error) {
	answer, err := do[struct {
		DeletedRooms []string `json:"deletedRooms"`
	}](ctx, s.client, post("users.delete").since("0.35.0").of(ref).json(opts), callOpts)
	return answer.DeletedRooms, err
}

// Activate lets a user log in again.
//
//   - POST /api/v1/users.setActiveStatus.
//   - Permission: edit-other-user-active-status.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound], [ErrForbidden].
//   - Since server 0.75.0.
func (s *UsersService) Activate(ctx context.Context, ref UserRef, callOpts ...CallOption) error {
	e := post("users.setActiveStatus").since("0.75.0").retried().of(ref, refID).json(activeStatusBody{Active: true})
	return exec(ctx, s.client, e, callOpts)
}

// UserDeactivateOptions say how to deactivate an account.
type UserDeactivateOptions struct {
	// ConfirmRelinquish confirms that rooms that lose their last owner get another one or
	// are deleted. Without it the call fails for the last owner of a room with
	// [ErrLastOwner].
	ConfirmRelinquish bool
}

// Deactivate ends all sessions of a user, revokes their personal access tokens, and keeps
// them from logging in. Roles stay.
//
//   - POST /api/v1/users.setActiveStatus.
//   - Permission: edit-other-user-active-status.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound]; [ErrLastOwner]; [ErrForbidden], also for the last
//     administrator.
//   - Since server 0.75.0.
func (s *UsersService) Deactivate(ctx context.Context, ref UserRef, opts UserDeactivateOptions, callOpts ...CallOption) error {
	e := post("users.setActiveStatus").since("0.75.0").retried().of(ref, refID).
		json(activeStatusBody{ConfirmRelinquish: opts.ConfirmRelinquish})
	return exec(ctx, s.client, e, callOpts)
}

type activeStatusBody struct {
	Active            bool `json:"activeStatus"`
	ConfirmRelinquish bool `json:"confirmRelinquish,omitzero"`
}

// UserDeactivateIdleOptions select the users to deactivate.
type UserDeactivateIdleOptions struct {
	DaysIdle int    `json:"daysIdle"`
	Role     string `json:"role,omitzero"` // a role ID; by default user
}

// DeactivateIdle deactivates active users with a role who last logged in more than DaysIdle
// days ago, or who never logged in and were created before that. It returns their number.
// The tokens of these users may stay valid, as they do on server 8.3.
//
//   - POST /api/v1/users.deactivateIdle.
//   - Permission: edit-other-user-active-status.
//   - Second factor: not asked for.
//   - Not retried if the response is lost, because the number would be wrong.
//   - Errors: [ErrForbidden].
//   - Since server 3.1.0.
func (s *UsersService) DeactivateIdle(ctx context.Context, opts UserDeactivateIdleOptions, callOpts ...CallOption) (int, error) {
	e := post("users.deactivateIdle").since("3.1.0").yields("count").json(opts).
		require(opts.DaysIdle >= 0, "DaysIdle", "must not be negative")
	return do[int](ctx, s.client, e, callOpts)
}
