package rocketchat

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func teamsWire() []wireRow {
	return []wireRow{
		{"users.listTeams", "plain", func(ctx context.Context, c *Client) (any, error) {
			return c.Teams.OfUser(ctx, ByID(aliceID))
		}, func(t *testing.T, got any) {
			teams := got.([]Team)
			require.Len(t, teams, 1)
			assert.Equal(t, "documentation", teams[0].Name)
			assert.Equal(t, TeamPublic, teams[0].Type)
			assert.Equal(t, aliceID, teams[0].CreatedBy.ID)
			assert.Equal(t, "GwktYAajqw4RiWiBK", teams[0].RoomID)
			assert.True(t, teams[0].IsOwner)
			assert.Empty(t, teams[0].Extra)
		}},
	}
}

func teamsLossless() []losslessRow {
	return []losslessRow{{"users.listTeams", "teams.*", as[Team]}}
}

func TestTeamsRejectBadInput(t *testing.T) {
	t.Parallel()
	testRejected(t, []rejectedRow{
		{"the teams of nobody", "userId", func(ctx context.Context, c *Client) error {
			_, err := c.Teams.OfUser(ctx, ByID(""))
			return err
		}},
	})
}
