package rocketchat

import "context"

// TeamsService lists teams.
type TeamsService service

// Team is a team that a user is in.
type Team struct {
	ID        string      `json:"_id"`
	Name      string      `json:"name"`
	Type      TeamType    `json:"type"`
	CreatedAt Time        `json:"createdAt,omitzero"`
	CreatedBy TeamCreator `json:"createdBy"`
	UpdatedAt Time        `json:"_updatedAt,omitzero"`
	RoomID    string      `json:"roomId"`  // of the team's main room
	IsOwner   bool        `json:"isOwner"` // whether the user owns the team

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// TeamType is the visibility of a team.
type TeamType int

// The types of teams.
const (
	TeamPublic  TeamType = 0
	TeamPrivate TeamType = 1
)

// TeamCreator is the user who created a team.
type TeamCreator struct {
	ID       string `json:"_id"`
	Username string `json:"username,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// OfUser returns the teams that a user is in. An ID that does not exist has none.
//
//   - GET /api/v1/users.listTeams.
//   - Permission: view-all-teams for the private teams of other users, which are left out
//     without it.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrNotFound] if the user has to be looked up.
//   - In all server versions.
func (s *TeamsService) OfUser(ctx context.Context, ref UserRef, callOpts ...CallOption) ([]Team, error) {
	return do[items[Team]](ctx, s.client, get("users.listTeams").yields("teams").of(ref, refID), callOpts)
}
