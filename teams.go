package rocketchat

import (
	"context"
)

// TeamsService tells of teams.
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
	IsOwner   bool        `json:"isOwner"` // the user is an owner of the team

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// TeamType says who can find a team.
type TeamType int

// The types of teams.
const (
	TeamPublic  TeamType = 0
	TeamPrivate TeamType = 1
)

// TeamCreator is who made a team.
type TeamCreator struct {
	ID       string `json:"_id"`
	Username string `json:"username,omitzero"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// OfUser returns the teams that the user with the id is in: none for an id that does
// not exist.
//
// GET /api/v1/users.listTeams. Private teams of others need the permission
// view-all-teams and are left out without it.
func (s *TeamsService) OfUser(ctx context.Context, userID string, opts ...CallOption) ([]Team, error) {
	e := get("users.listTeams").yields("teams").require(userID != "", "userId", "must not be empty")
	return do[[]Team](ctx, s.client, e, query("userId", userID), nil, opts)
}
