package rocketchat

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// person is a row of the tables in testdata/sync: what the staff department says, and what
// the server has before and after a sync.
type person struct{ number, username, email, name, roles, active, department string }

func readPeople(t *testing.T, file string) []person {
	t.Helper()
	text, err := os.ReadFile("testdata/sync/" + file)
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	var all []person
	for _, r := range rows[1:] {
		all = append(all, person{r[0], r[1], r[2], r[3], r[4], r[5], r[6]})
	}
	return all
}

// staffServer is a server with the accounts of before.csv: 292 people, 19 guests from
// outside, an administrator and a bot. Staff numbers are import IDs there.
func staffServer(t *testing.T) *rocketchattest.Server {
	t.Helper()
	srv := rocketchattest.New(rocketchattest.WithLatency(latency), rocketchattest.WithSecondFactor(),
		rocketchattest.WithSetting("Accounts_CustomFields", `{"department":{"type":"text"}}`))
	srv.AddRole("livechat-agent", "livechat-agent", "")
	for _, p := range readPeople(t, "before.csv") {
		u := rocketchattest.User{
			Username: p.username, Email: p.email, Name: p.name, Roles: strings.Fields(p.roles), Inactive: p.active == "false", Bio: "I am " + p.number,
		}
		if p.number != "" {
			u.ImportIDs, u.CustomFields = []string{p.number}, map[string]any{"department": p.department}
		}
		_, err := srv.AddUser(u)
		require.NoError(t, err)
	}
	return srv
}

// staffOf is the state of the server as rows, without administrator and bot.
func staffOf(srv *rocketchattest.Server) (all []person) {
	for _, u := range srv.Users() {
		if u.Username == "admin" || u.Type == "bot" {
			continue
		}
		p := person{username: u.Username, email: u.Email, name: u.Name, roles: listOf(u.Roles), active: "true"}
		if u.Inactive {
			p.active = "false"
		}
		p.department, _ = u.CustomFields["department"].(string)
		all = append(all, p)
	}
	return all
}

// TestSyncOfAStaff is the nightly sync of 300 people from a staff department, with
// renames, people who swap addresses and pass on usernames, newcomers, leavers, people who
// come back, and three rows that cannot be. It is cut off at several moments and continued
// by another process.
func TestSyncOfAStaff(t *testing.T) {
	t.Parallel()
	var desired []DesiredUser
	for _, p := range readPeople(t, "hr.csv") {
		desired = append(desired, DesiredUser{
			Ref: ByImportID(p.number), Username: p.username, Email: p.email, Name: p.name, Roles: strings.Fields(p.roles),
			Active: new(p.active == "true"), CustomFields: map[string]any{"department": p.department},
		})
	}
	require.Len(t, desired, 300)
	opts := SyncOptions{Departed: func(u *User) bool { return strings.HasSuffix(u.PrimaryEmail(), "@hr.example") }}
	want := readPeople(t, "after.csv")
	for i := range want {
		want[i].number = ""
	}
	bios := func(srv *rocketchattest.Server) (all []string) {
		for _, u := range srv.Users() {
			if u.Bio != "" {
				all = append(all, u.ID+u.Bio+strings.Join(u.ImportIDs, ","))
			}
		}
		return all
	}
	for _, dies := range []int32{3, 200, 320, 350, 380, 400, 420} { // number of the call that the first process does not survive
		synctest.Test(t, func(t *testing.T) {
			srv := staffServer(t)
			srv.Grant("api-bypass-rate-limit")
			unchanged := bios(srv)
			id, token := srv.Login("admin")
			client := func(transport roundTripper) *Client {
				c, err := New(srv.URL(), WithTransport(transport), WithToken(id, token), WithTwoFactor(AnswerWithPassword(NewSecret(rocketchattest.AdminPassword))))
				require.NoError(t, err)
				return c
			}
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			log := &brittle{ctx: ctx}
			var calls atomic.Int32
			first := opts
			first.Journal = log
			_, err := client(dying(srv, kill, dies, dies%2 == 0, &calls)).Users.Sync(ctx, desired, first)
			require.Error(t, err)

			second := opts
			second.Resume, err = ReadSyncJournal(&log.Buffer)
			require.NoError(t, err)
			report, err := client(srv.RoundTrip).Users.Sync(t.Context(), desired, second)
			require.ErrorIs(t, err, SyncTaken)
			require.ErrorIs(t, err, SyncUnknownRole)
			require.ErrorIs(t, err, SyncInvalid)
			assert.Zero(t, report.Failed+report.NotBegun, "%v", err)
			assert.Len(t, report.Refusals, 3)
			assert.Equal(t, want, staffOf(srv))
			assert.ElementsMatch(t, unchanged, bios(srv), "nobody lost their bio, and nobody became somebody else")

			night := opts
			night.Known = report.Known()
			before := len(srv.Calls())
			plan, err := client(srv.RoundTrip).Users.PlanSync(t.Context(), desired, night)
			require.NoError(t, err)
			assert.Empty(t, plan.Steps, plan)
			// The three rows that cannot be are looked at every night; nobody else is.
			made := callsAfter(srv, before)
			assert.Equal(t, 1, made["users.list"])
			assert.LessOrEqual(t, made["users.info"], 3, made)
			t.Logf("killed at call %d, then %d steps; the next night: %v", dies, len(report.Results), made)
		})
	}
}
