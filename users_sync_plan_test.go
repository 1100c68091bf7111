package rocketchat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

const teamField = `{"team":{"type":"text","maxLength":8}}`

// TestSyncRefusesWhatTheServerWould: each refusal has its code and its field, and nothing
// of it is sent.
func TestSyncRefusesWhatTheServerWould(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	for name, test := range map[string]struct {
		desired DesiredUser
		refusal SyncRefusal
	}{
		"role":         {DesiredUser{Username: "a", Roles: []string{"user", "chief"}}, SyncRefusal{SyncUnknownRole, "a", "roles", "", `there is no role with the ID "chief"`}},
		"role by name": {DesiredUser{Username: "a", Roles: []string{"Ops"}}, SyncRefusal{SyncUnknownRole, "a", "roles", "", `"Ops" is the name of a role, whose ID is "ops-id"`}},
		"custom field": {DesiredUser{Username: "a", CustomFields: map[string]any{"color": "red"}}, SyncRefusal{SyncUnknownField, "a", "customFields.color", "", "the server does not define the custom field color"}},
		"custom value": {DesiredUser{Username: "a", CustomFields: map[string]any{"grade": "z"}}, SyncRefusal{SyncInvalid, "a", "customFields.grade", "", `the custom field grade must be one of ["a" "b"]`}},
		"custom field missing": {
			DesiredUser{Username: "a", CustomFields: map[string]any{"team": "ops"}},
			SyncRefusal{SyncInvalid, "a", "customFields.grade", "", `the custom field grade must be one of ["a" "b"]`},
		},
		"custom length":              {DesiredUser{Username: "a", CustomFields: map[string]any{"team": "operations", "grade": "a"}}, SyncRefusal{SyncInvalid, "a", "customFields.team", "", "the custom field team must not be longer than 8 characters"}},
		"name":                       {DesiredUser{Username: "a", Name: "A <B>"}, SyncRefusal{SyncInvalid, "a", "name", "", `the name "A <B>" has one of the characters <>/\`}},
		"username":                   {moved("a", "a b", ""), SyncRefusal{SyncInvalid, "a", "username", "", `the username "a b" does not fit the server's rule for usernames`}},
		"reserved":                   {moved("a", "System", ""), SyncRefusal{SyncReserved, "a", "username", "", `the username "System" is reserved`}},
		"always reserved":            {moved("a", "here", ""), SyncRefusal{SyncReserved, "a", "username", "", `the username "here" is reserved`}},
		"address":                    {DesiredUser{Username: "a", Email: "a at example.com"}, SyncRefusal{SyncInvalid, "a", "email", "", `"a at example.com" is not an address`}},
		"domain":                     {DesiredUser{Username: "a", Email: "a@evil.test"}, SyncRefusal{SyncInvalid, "a", "email", "", "the server does not allow addresses of the domain evil.test"}},
		"bio":                        {DesiredUser{Username: "a", Bio: &long}, SyncRefusal{SyncInvalid, "a", "bio", "", "the bio is longer than 260 characters"}},
		"nickname":                   {DesiredUser{Username: "a", Nickname: &long}, SyncRefusal{SyncInvalid, "a", "nickname", "", "the nickname is longer than 120 characters"}},
		"name that is not UTF-8":     {DesiredUser{Username: "a", Name: "M\xfcller"}, SyncRefusal{SyncInvalid, "a", "name", "", "name cannot be sent as JSON, such as text that is not UTF-8"}},
		"username that is not UTF-8": {DesiredUser{Username: "M\xfcller", Email: "m@example.com"}, SyncRefusal{SyncInvalid, "M\uFFFDller", "username", "", "username cannot be sent as JSON, such as text that is not UTF-8"}},
		"no address":                 {DesiredUser{Username: "new"}, SyncRefusal{SyncMissing, "new", "email", "", "a new account needs an address"}},
		"no username":                {DesiredUser{Ref: ByImportID("4711"), Email: "new@example.com"}, SyncRefusal{SyncMissing, "importId 4711", "username", "", "a new account needs a username"}},
		"no such ID":                 {moved("z", "z", "z"), SyncRefusal{SyncNotFound, "z", "id", "", "nobody has the ID id.z"}},
		"own account":                {DesiredUser{Ref: Self(), Active: new(false)}, SyncRefusal{SyncOwnAccount, "admin", "active", "", "is the account that the sync runs as"}},
		"bot":                        {DesiredUser{Username: "rocket.cat", Active: new(false)}, SyncRefusal{SyncBot, "rocket.cat", "active", "", "is a bot or an app"}},
		"new with a role":            {DesiredUser{Username: "new", Email: "new@example.com", Roles: []string{"chief"}}, SyncRefusal{SyncUnknownRole, "new", "roles", "", `there is no role with the ID "chief"`}},
		"new with a taken address":   {DesiredUser{Username: "new", Email: "B@example.com"}, SyncRefusal{SyncTaken, "new", "email", "b", "the address B@example.com belongs to b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := rocketchattest.New(
				rocketchattest.WithSetting("Accounts_CustomFields", `{"team":{"type":"text","maxLength":8},"grade":{"type":"select","options":["a","b"]}}`),
				rocketchattest.WithSetting("Accounts_BlockedDomainsList", "spam.test, evil.test"))
			srv.AddRole("ops-id", "Ops", "")
			addNamed(t, srv, "a", "b")
			c := adminClient(t, srv)
			plan, err := c.Users.PlanSync(t.Context(), []DesiredUser{test.desired}, SyncOptions{MaxDeactivations: 1})
			require.NoError(t, err)
			assert.Equal(t, []SyncRefusal{test.refusal}, plan.Refusals)
			assert.Empty(t, plan.Steps)
			assert.Zero(t, plan.Unchanged)
			_, err = plan.Run(t.Context())
			require.ErrorIs(t, err, test.refusal.Code)
		})
	}
}

// TestSyncOfWhatIsNoJSON: a value that cannot be put into a request is refused, and stops
// neither the others nor the journal.
func TestSyncOfWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New(rocketchattest.WithSetting("Accounts_CustomFields", teamField))
	addNamed(t, srv, "a", "b", "c")
	report, err := adminClient(t, srv).Users.Sync(t.Context(), []DesiredUser{
		{Username: "a", Name: "New", CustomFields: map[string]any{"team": math.NaN()}},
		{Username: "b", Nickname: new("M\xfcller"), Bio: new("New")},
		{Username: "c", CustomFields: map[string]any{"team": ""}},
		{Username: "d", Name: "M\xfcller", Email: "d@example.com"},
	}, SyncOptions{Journal: new(bytes.Buffer)})
	require.ErrorIs(t, err, SyncInvalid)
	assert.Len(t, report.Refusals, 3)
	assert.Equal(t, 2, report.Count(SyncUpdate))
	assert.Zero(t, report.Failed+report.NotBegun)
	known := report.Known()
	assert.Contains(t, known, "id.c", "a field that was never set is empty")
	assert.NotContains(t, known, "id.a")
	assert.NotContains(t, known, "id.b")

	srv.Grant("view-privileged-setting") // what the server defines is not known
	report, err = adminClient(t, srv).Users.Sync(t.Context(), []DesiredUser{{Username: "a", CustomFields: map[string]any{"te\xfcm": "ops"}}}, SyncOptions{Journal: new(bytes.Buffer)})
	require.ErrorIs(t, err, SyncInvalid)
	assert.Empty(t, report.Results)
}

// TestSyncWithoutSettings: a client that may not read settings, or a server that does not
// show them, finds out while running.
func TestSyncWithoutSettings(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New(rocketchattest.WithSetting("Accounts_CustomFields", teamField))
	srv.Grant("view-privileged-setting")
	addNamed(t, srv, "a", "b")
	_, err := srv.AddUser(rocketchattest.User{Username: "f", Email: "f@example.com", CustomFields: map[string]any{"team": "dev"}})
	require.NoError(t, err)
	desired := []DesiredUser{
		{Username: "a", CustomFields: map[string]any{"team": "ops"}},
		{Username: "b", CustomFields: map[string]any{"color": "red"}},
		{Username: "f", CustomFields: map[string]any{"team": nil}}, // that it is gone afterwards is no failure
		{Username: "c", Email: "c@example.com", CustomFields: map[string]any{"color": "red"}},
	}
	before := len(srv.Calls())
	report, err := adminClient(t, srv).Users.Sync(t.Context(), desired, SyncOptions{})
	require.ErrorContains(t, err, "customFields.color was not stored, because the server does not define it")
	assert.Equal(t, 2, report.Failed)
	assert.Equal(t, 2, report.Count(SyncUpdate), err)
	assert.Equal(t, 1, callsAfter(srv, before)["settings.get"])
}

// TestSyncWithoutOneSetting: a server that lacks one of the rules has the others all the
// same.
func TestSyncWithoutOneSetting(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New(rocketchattest.WithSetting("Accounts_BlockedDomainsList", "evil.test"))
	addNamed(t, srv, "a")
	c := adminClient(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/UTF8_User_Names_Validation") {
			return replyJSON(http.StatusBadRequest, `{"success":false}`), nil
		}
		return srv.RoundTrip(r)
	})))
	plan, err := c.Users.PlanSync(t.Context(), []DesiredUser{{Ref: ByID("id.a"), Username: "system", Email: "a@evil.test"}}, SyncOptions{})
	require.NoError(t, err)
	assert.Empty(t, plan.Steps)
	require.Len(t, plan.Refusals, 2)
	require.ErrorIs(t, plan.Refusals[0], SyncReserved)
	require.ErrorIs(t, plan.Refusals[1], SyncInvalid)
}

// detailed are n people with a nickname and a bio, the last of whom are inactive.
func detailed(t *testing.T, srv *rocketchattest.Server, n, inactive int) []DesiredUser {
	t.Helper()
	desired := people(n)
	for i := range desired {
		desired[i].Nickname, desired[i].Bio = new(fmt.Sprint("nick", i)), new("Works here.")
		_, err := srv.AddUser(rocketchattest.User{
			Username: desired[i].Username, Name: desired[i].Name, Email: desired[i].Email, Roles: desired[i].Roles,
			Nickname: *desired[i].Nickname, Bio: *desired[i].Bio, Inactive: i >= n-inactive,
		})
		require.NoError(t, err)
	}
	return desired
}

// TestSyncReadsInLists counts the calls of plans. Nicknames and bios come from lists,
// custom fields one by one, and both not at all if they are known.
func TestSyncReadsInLists(t *testing.T) {
	t.Parallel()
	t.Run("nicknames and bios", func(t *testing.T) {
		t.Parallel()
		srv := rocketchattest.New()
		desired := detailed(t, srv, 300, 3)
		before := len(srv.Calls())
		plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), desired, SyncOptions{})
		require.NoError(t, err)
		assert.Empty(t, plan.Steps)
		assert.Equal(t, 300, plan.Unchanged)
		calls := callsAfter(srv, before)
		assert.LessOrEqual(t, calls["directory"], 4, "some servers give it only in pages of 100")
		assert.Equal(t, 3, calls["users.info"], "those whom it does not contain")

		desired[5].Bio = new("Left for the day.")
		plan, err = adminClient(t, srv).Users.PlanSync(t.Context(), desired, SyncOptions{})
		require.NoError(t, err)
		require.Len(t, plan.Steps, 1)
		assert.Equal(t, []FieldChange{{"bio", "Works here.", "Left for the day."}}, plan.Steps[0].Changes)
	})
	t.Run("no permission for the directory", func(t *testing.T) {
		t.Parallel()
		srv := rocketchattest.New()
		srv.Grant("view-outside-room")
		desired := detailed(t, srv, 10, 0)
		before := len(srv.Calls())
		plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), desired, SyncOptions{})
		require.NoError(t, err)
		assert.Equal(t, 10, plan.Unchanged)
		assert.Equal(t, map[string]int{"me": 1, "users.list": 1, "directory": 1, "users.info": 10}, callsAfter(srv, before))
	})
	t.Run("few people of a large server that gives pages", func(t *testing.T) {
		t.Parallel()
		srv := rocketchattest.New(rocketchattest.WithSetting("API_Allow_Infinite_Count", false))
		desired := detailed(t, srv, 600, 0)[:4]
		before := len(srv.Calls())
		_, err := adminClient(t, srv).Users.PlanSync(t.Context(), desired, SyncOptions{})
		require.NoError(t, err)
		calls := callsAfter(srv, before)
		assert.Equal(t, 1, calls["directory"])
		assert.Equal(t, 4, calls["users.info"])
	})
	t.Run("custom fields and what is known", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := rocketchattest.New(rocketchattest.WithSetting("Accounts_CustomFields", teamField), rocketchattest.WithLatency(latency))
			desired := people(100)
			addPeople(t, srv, desired[:40])
			for i := range 50 {
				desired[i].CustomFields = map[string]any{"team": "ops"}
			}
			c := limitedAdmin(t, srv)
			before := len(srv.Calls())
			var read []SyncReading
			start := time.Now()
			var estimates []time.Duration
			opts := SyncOptions{PlanProgress: func(r SyncReading) {
				if r.Op == "users.info" {
					read = append(read, r)
					estimates = append(estimates, time.Since(start)+r.Remaining)
				}
			}}
			plan, err := c.Users.PlanSync(t.Context(), desired, opts)
			require.NoError(t, err)
			took := time.Since(start)
			assert.Equal(t, 40, callsAfter(srv, before)["users.info"], "of those who are there and are to have custom fields")
			require.Len(t, read, 40)
			assert.Equal(t, SyncReading{Op: "users.info", Read: 40, Total: 40}, read[39])
			assert.InDelta(t, took, estimates[9], float64(took)/10)
			report, err := plan.Run(t.Context())
			require.NoError(t, err)

			stored, err := json.Marshal(report.Known()) // as a program would keep it
			require.NoError(t, err)
			opts = SyncOptions{}
			require.NoError(t, json.Unmarshal(stored, &opts.Known))
			assert.Len(t, opts.Known, 50)
			before = len(srv.Calls())
			again, err := c.Users.PlanSync(t.Context(), desired, opts)
			require.NoError(t, err)
			assert.Empty(t, again.Steps)
			assert.Equal(t, map[string]int{"me": 1, "users.list": 1}, callsAfter(srv, before), "a night without changes")

			desired[7].CustomFields = map[string]any{"team": "dev"}
			before = len(srv.Calls())
			again, err = c.Users.PlanSync(t.Context(), desired, opts)
			require.NoError(t, err)
			assert.Len(t, again.Steps, 1)
			assert.Equal(t, 1, callsAfter(srv, before)["users.info"], "the one who is to change")
			report, err = again.Run(t.Context())
			require.NoError(t, err)
			assert.Len(t, report.Known(), 50)
		})
	})
}

// TestSyncKnowsOnlyWhatIsSo: a step that failed, and a refused field, are not known to be
// done.
func TestSyncKnowsOnlyWhatIsSo(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New(rocketchattest.WithSetting("Accounts_CustomFields", teamField))
	addNamed(t, srv, "a", "b")
	srv.AnswerNext("users.update", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"success":false,"error":"No","errorType":"error-not-allowed"}`))
	})
	report, err := adminClient(t, srv).Users.Sync(t.Context(), []DesiredUser{
		{Username: "a", CustomFields: map[string]any{"team": "ops"}},
		{Username: "b", CustomFields: map[string]any{"team": "ops", "color": "red"}},
	}, SyncOptions{Concurrency: 1})
	require.Error(t, err)
	assert.Equal(t, 1, report.Count(SyncUpdate))
	assert.Empty(t, report.Known())

	plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), []DesiredUser{{Username: "a", CustomFields: map[string]any{"team": "dev"}}}, SyncOptions{})
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	report, err = plan.Run(ended)
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, report.Known())
}

// TestSyncKnowsWhoSwapped: a step for a temporary value says nothing about the other fields.
func TestSyncKnowsWhoSwapped(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	addNamed(t, srv, "a", "b")
	desired := []DesiredUser{moved("a", "b", ""), moved("b", "a", "")}
	for i := range desired {
		desired[i].Bio = new("New.")
	}
	report, err := adminClient(t, srv).Users.Sync(t.Context(), desired, SyncOptions{})
	require.NoError(t, err)
	assert.Len(t, report.Known(), 2)
}

// TestSyncFindsPeople: by everything that can say who is meant.
func TestSyncFindsPeople(t *testing.T) {
	t.Parallel()
	byNumber := func(u *User) string {
		_, number, _ := strings.Cut(u.Name, "#")
		return number
	}
	for name, test := range map[string]struct {
		desired DesiredUser
		opts    SyncOptions
		calls   int // of users.info
	}{
		"ID":              {DesiredUser{Ref: ByID("id.a"), Username: "new"}, SyncOptions{}, 0},
		"username":        {DesiredUser{Ref: ByUsername("A"), Username: "new"}, SyncOptions{}, 0},
		"address":         {DesiredUser{Ref: ByEmail("A@example.com"), Username: "new"}, SyncOptions{}, 0},
		"import ID":       {DesiredUser{Ref: ByImportID("4711"), Username: "new"}, SyncOptions{}, 1},
		"known":           {DesiredUser{Ref: ByImportID("4711"), Username: "new"}, SyncOptions{Known: SyncKnown{"id.a": {Ref: "importId 4711"}}}, 0},
		"known, but gone": {DesiredUser{Ref: ByImportID("4711"), Username: "new"}, SyncOptions{Known: SyncKnown{"id.z": {Ref: "importId 4711"}}}, 1},
		"extension":       {DesiredUser{Ref: ByExtension("21"), Username: "new"}, SyncOptions{}, 1},
		"key":             {DesiredUser{Key: "77", Username: "new"}, SyncOptions{Match: byNumber}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := rocketchattest.New(rocketchattest.WithVersion("8.6.0"))
			_, err := srv.AddUser(rocketchattest.User{ID: "id.a", Username: "a", Name: "Ann #77", Email: "a@example.com", ImportIDs: []string{"4711"}, Extension: "21"})
			require.NoError(t, err)
			before := len(srv.Calls())
			test.opts.Departed = func(*User) bool { return true }
			plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), []DesiredUser{test.desired}, test.opts)
			require.NoError(t, err)
			require.Len(t, plan.Steps, 1, plan)
			assert.Equal(t, "id.a", plan.Steps[0].UserID)
			assert.Equal(t, []FieldChange{{"username", "a", "new"}}, plan.Steps[0].Changes)
			assert.Equal(t, test.calls, callsAfter(srv, before)["users.info"])
		})
	}
}

// TestSyncWithOutdatedKnowledge: what an earlier sync left about accounts that are gone or
// somebody else's changes nothing.
func TestSyncWithOutdatedKnowledge(t *testing.T) {
	t.Parallel()
	journal := func(ref, id string) *SyncJournal { return &SyncJournal{people: map[string]string{ref: id}} }
	const ref = "importId import.b"
	for name, opts := range map[string]SyncOptions{
		"nothing":                 {},
		"an account that is gone": {Known: SyncKnown{"gone": {Ref: ref}}},
		"the account of somebody else in the list": {Known: SyncKnown{"id.c": {Ref: ref}}},
		"the account of somebody else by username": {Known: SyncKnown{"id.d": {Ref: ref}}},
		"two accounts":                   {Known: SyncKnown{"id.a": {Ref: ref}, "gone": {Ref: ref}}},
		"the journal of another server":  {Resume: journal("username d", "gone")},
		"a journal and another account":  {Resume: journal("username d", "id.c")},
		"a journal, and knowledge of it": {Resume: journal(ref, "gone"), Known: SyncKnown{"id.b": {Ref: ref}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := rocketchattest.New()
			addNamed(t, srv, "a", "b", "c", "d")
			plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), []DesiredUser{
				{Ref: ByImportID("import.b"), Username: "b2"},
				{Username: "b", Email: "n@example.com"},
				{Ref: ByID("id.c"), Username: "c2"},
				{Ref: ByUsername("d"), Username: "d2", Email: "d2@example.com"},
				{Ref: ByImportID("nobody"), Username: "e", Email: "e@example.com"},
			}, opts)
			require.NoError(t, err)
			var steps []string
			for _, step := range plan.Steps {
				steps = append(steps, string(step.Action)+" "+step.Username+" "+step.UserID)
			}
			assert.Equal(t, []string{"update b id.b", "update c id.c", "update d id.d", "create e ", "create b "}, steps)
		})
	}
}

// TestSyncOfWhoIsDeletedMeanwhile: an account that goes while the plan is made does not keep
// the others from being changed.
func TestSyncOfWhoIsDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New(rocketchattest.WithSetting("Accounts_CustomFields", teamField))
	addNamed(t, srv, "a", "b")
	other := adminClient(t, srv)
	c := adminClient(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Get("userId") == "id.a" {
			_, err := other.Users.Delete(r.Context(), ByID("id.a"), UserDeleteOptions{})
			assert.NoError(t, err)
		}
		return srv.RoundTrip(r)
	})))
	fields := map[string]any{"team": "ops"}
	report, err := c.Users.Sync(t.Context(), []DesiredUser{
		{Username: "a", Name: "Other", Active: new(false), CustomFields: fields}, {Username: "b", CustomFields: fields},
	}, SyncOptions{Concurrency: 1, MaxDeactivations: 1})
	require.ErrorIs(t, err, SyncNotFound)
	assert.Len(t, report.Results, 1)
	assert.Equal(t, 1, report.Count(SyncUpdate))
	assert.Equal(t, []string{"", "id.b"}, report.UserIDs)
}

// TestSyncRecognizesWhomItCreated: servers do not take an import ID for a new account, so
// the next sync recognizes it by username and address.
func TestSyncRecognizesWhomItCreated(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	c := adminClient(t, srv)
	desired := []DesiredUser{{Ref: ByImportID("4711"), Username: "ann", Email: "ann@example.com"}}
	opts := SyncOptions{Departed: func(*User) bool { return true }}
	report, err := c.Users.Sync(t.Context(), desired, opts)
	require.NoError(t, err)
	assert.Equal(t, 1, report.Count(SyncCreate))
	ann, _ := srv.User("ann")
	assert.Equal(t, []string{ann.ID}, report.UserIDs)

	plan, err := c.Users.PlanSync(t.Context(), desired, opts)
	require.NoError(t, err)
	assert.Empty(t, plan.Steps, "neither a stranger nor a leaver")
	assert.Equal(t, 1, plan.Unchanged)

	opts.Known = report.Known()
	before := len(srv.Calls())
	plan, err = c.Users.PlanSync(t.Context(), desired, opts)
	require.NoError(t, err)
	assert.Empty(t, plan.Steps)
	assert.Equal(t, map[string]int{"me": 1, "users.list": 1}, callsAfter(srv, before))

	// Somebody leaves, and somebody in the list is inactive. Ann counts once.
	_, err = srv.AddUser(rocketchattest.User{Username: "gone", Email: "gone@example.com"})
	require.NoError(t, err)
	_, err = srv.AddUser(rocketchattest.User{Username: "away", Email: "away@example.com", Inactive: true})
	require.NoError(t, err)
	opts.Known = nil
	_, err = c.Users.PlanSync(t.Context(), append(desired, DesiredUser{Username: "away"}), opts)
	many, ok := errors.AsType[*TooManyDeactivationsError](err)
	require.True(t, ok, err)
	assert.Equal(t, []int{1, 2}, []int{many.Planned, many.Active})

	// An ID means one account and no other.
	plan, err = c.Users.PlanSync(t.Context(), []DesiredUser{{Ref: ByID("nobody"), Username: "ann", Email: "ann@example.com"}}, SyncOptions{})
	require.NoError(t, err)
	require.Len(t, plan.Refusals, 1)
	assert.Equal(t, SyncNotFound, plan.Refusals[0].Code)
}

// TestSyncChecksTheWantedValue: it is the one that a custom field is to have that the server
// checks, together with the present ones of other fields.
func TestSyncChecksTheWantedValue(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New(rocketchattest.WithSetting("Accounts_CustomFields", `{"team":{"type":"text","minLength":3,"maxLength":4},"desk":{"type":"text","maxLength":4}}`))
	for name, fields := range map[string]map[string]any{"a": {"team": "ops"}, "b": {"team": "too long"}, "c": {"desk": "too long"}} {
		_, err := srv.AddUser(rocketchattest.User{Username: name, Email: name + "@example.com", CustomFields: fields})
		require.NoError(t, err)
	}
	plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), []DesiredUser{
		{Username: "a", CustomFields: map[string]any{"team": "operations"}},
		{Username: "b", CustomFields: map[string]any{"team": "dev"}},
		{Username: "c", CustomFields: map[string]any{"team": "dev"}},
	}, SyncOptions{})
	require.NoError(t, err)
	assert.Equal(t, []SyncRefusal{
		{SyncInvalid, "a", "customFields.team", "", "the custom field team must not be longer than 4 characters"},
		{SyncInvalid, "c", "customFields.desk", "", "the custom field desk must not be longer than 4 characters"},
	}, plan.Refusals)
	require.Len(t, plan.Steps, 1)
	assert.Equal(t, "b", plan.Steps[0].Username)
}

// TestSyncReadsWhomItLooksUpOnce: the answer that says whose an import ID is tells the rest,
// too.
func TestSyncReadsWhomItLooksUpOnce(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	addNamed(t, srv, "a")
	plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), []DesiredUser{{Ref: ByImportID("import.a"), Bio: new("New.")}}, SyncOptions{})
	require.NoError(t, err)
	assert.Len(t, plan.Steps, 1)
	assert.Equal(t, 1, srv.Count("users.info"))
}

// TestSyncRefusesAmbiguity: people who turn out to be the same, and accounts that turn out
// to be the same person's.
func TestSyncRefusesAmbiguity(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		desired []DesiredUser
		text    string
	}{
		"two people, one account": {
			[]DesiredUser{{Ref: ByID("id.a")}, {Ref: ByEmail("a@example.com")}},
			"rocketchat: users.sync: desired[1].Ref means the account of desired[0].Ref, too: a",
		},
		"one key, two accounts": {
			[]DesiredUser{{Key: "example.com"}},
			"matches two accounts: ",
		},
	} {
		srv := rocketchattest.New()
		addNamed(t, srv, "a", "b")
		_, err := adminClient(t, srv).Users.PlanSync(t.Context(), test.desired, SyncOptions{
			Match: func(u *User) string { _, domain, _ := strings.Cut(u.PrimaryEmail(), "@"); return domain },
		})
		require.ErrorIs(t, err, ErrInvalid, name)
		require.ErrorContains(t, err, test.text, name)
	}
}

// TestSyncComparesAsServersStore: spaces that the server cuts off are no difference.
func TestSyncComparesAsServersStore(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	c := adminClient(t, srv)
	desired := []DesiredUser{
		{Username: " ann ", Email: " ann@example.com", Name: "Ann ", Nickname: new("  "), Bio: new(""), Roles: []string{"user", "user"}},
		{Username: "k.elvin", Email: "kelvin@example.com", Name: "K"},
	}
	_, err := c.Users.Sync(t.Context(), desired, SyncOptions{})
	require.NoError(t, err)
	plan, err := c.Users.PlanSync(t.Context(), desired, SyncOptions{})
	require.NoError(t, err)
	assert.Empty(t, plan.Steps)
	assert.Equal(t, 2, plan.Unchanged)

	plan, err = c.Users.PlanSync(t.Context(), []DesiredUser{{Username: "\u212a.elvin", Email: "other@example.com"}}, SyncOptions{})
	require.NoError(t, err)
	require.Len(t, plan.Refusals, 1, "a Kelvin sign is no k")
	assert.Equal(t, SyncInvalid, plan.Refusals[0].Code)
}

// TestSyncWithoutATemporaryValue: where the server's rules allow none, a swap is refused
// for both, and names the other.
func TestSyncSendsEachRoleOnce(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	_, err := srv.AddUser(rocketchattest.User{Username: "ann", Email: "ann@example.com"})
	require.NoError(t, err)
	c := adminClient(t, srv)
	_, err = c.Users.Sync(t.Context(), []DesiredUser{
		{Username: "ann", Roles: []string{"user", "bot", "user"}},
		{Username: "new", Email: "new@example.com", Roles: []string{"bot", "bot"}},
	}, SyncOptions{})
	require.NoError(t, err)
	for name, roles := range map[string][]string{"ann": {"user", "bot"}, "new": {"bot"}} {
		user, err := c.Users.Get(t.Context(), ByUsername(name))
		require.NoError(t, err)
		assert.Equal(t, roles, user.Roles)
	}
}

func TestSyncWithoutATemporaryValue(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New(rocketchattest.WithSetting("UTF8_User_Names_Validation", "[a-z]"))
	addNamed(t, srv, "a", "b", "c")
	plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), []DesiredUser{moved("a", "b", ""), moved("b", "a", ""), moved("c", "z", "")}, SyncOptions{})
	require.NoError(t, err)
	assert.Equal(t, []SyncRefusal{
		{SyncNoTemporary, "a", "username", "b", "the username b belongs to b, with whom it would be swapped, and the server's rules allow no temporary value"},
		{SyncTaken, "b", "username", "a", "the username a belongs to a"},
	}, plan.Refusals)
	require.Len(t, plan.Steps, 1)
	assert.Equal(t, "c", plan.Steps[0].Username)
}

// TestSyncAppliesTheRuleForUsernames as servers do. A swap finds a temporary username that
// fits.
func TestSyncAppliesTheRuleForUsernames(t *testing.T) {
	t.Parallel()
	for rule, test := range map[string]struct{ a, b, bad string }{
		"":                    {"a-a", "b_b", "a b"},
		"[a-z]{3,}|[0-9]{3,}": {"aaa", "bbb", "-a"}, // ^ and $ belong to one side each
		`[a-z]+\.[a-z]+`:      {"a.a", "b.b", "a"},
		"[0-9]+":              {"1", "2", "a"},
		"[a-z]{2,8}":          {"aaa", "bbb", "b"},
		"(?:[a-z]+":           {"a-a", "b_b", "a b"}, // wrong, so the standard one counts
	} {
		srv := rocketchattest.New()
		addNamed(t, srv, test.a, test.b, "c")
		srv.Set("UTF8_User_Names_Validation", rule)
		desired := []DesiredUser{moved(test.a, test.b, ""), moved(test.b, test.a, "")}
		report, err := adminClient(t, srv).Users.Sync(t.Context(), desired, SyncOptions{})
		require.NoError(t, err, rule)
		assert.Len(t, report.Results, 3)
		plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), []DesiredUser{moved("c", test.bad, "")}, SyncOptions{})
		require.NoError(t, err)
		_, err = plan.Run(t.Context())
		if rule == "(?:[a-z]+" {
			require.ErrorIs(t, err, ErrInvalid, "a rule that cannot be read is applied by the server")
			continue
		}
		require.ErrorIs(t, err, SyncInvalid, rule)
		assert.Empty(t, plan.Steps)
	}
}

// TestSyncKeepsTheLastAdministrator, who is to lose the role and the account.
func TestSyncKeepsTheLastAdministrator(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	for _, permission := range []string{"view-full-other-user-info", "view-d-room"} {
		srv.Grant(permission, "admin", "user")
	}
	desired := []DesiredUser{{Username: "admin", Name: "Former", Roles: []string{"user"}, Active: new(false)}}
	plan, err := ordinaryClient(t, srv).Users.PlanSync(t.Context(), desired, SyncOptions{MaxDeactivations: 1})
	require.NoError(t, err)
	assert.Equal(t, []SyncRefusal{
		{SyncLastAdmin, "admin", "roles", "", "is the last administrator, who keeps the role admin"},
		{SyncLastAdmin, "admin", "active", "", "is the last administrator"},
	}, plan.Refusals)
	require.Len(t, plan.Steps, 1)
	assert.Equal(t, []FieldChange{{"name", "Administrator", "Former"}}, plan.Steps[0].Changes)
}

// TestSyncReadsADirectoryAtOnce: a server that gives the whole directory in one answer is
// asked once, however few people it is for.
func TestSyncReadsADirectoryAtOnce(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	desired := detailed(t, srv, 500, 0)
	c := adminClient(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path != "/api/v1/directory" {
			return srv.RoundTrip(r)
		}
		var everybody struct {
			Result []DirectoryUser `json:"result"`
			Total  int             `json:"total"`
			OK     bool            `json:"success"`
		}
		everybody.OK = true
		for _, u := range srv.Users() {
			everybody.Result = append(everybody.Result, DirectoryUser{ID: u.ID, Username: u.Username, Nickname: u.Nickname, Bio: u.Bio})
		}
		everybody.Total = len(everybody.Result)
		body, err := json.Marshal(everybody)
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, err
	})))
	before := len(srv.Calls())
	desired[2].Nickname = new("other")
	plan, err := c.Users.PlanSync(t.Context(), desired[:4], SyncOptions{})
	require.NoError(t, err)
	require.Len(t, plan.Steps, 1)
	assert.Equal(t, "person0002", plan.Steps[0].Username)
	assert.Zero(t, callsAfter(srv, before)["users.info"])
}

// TestSyncSaysWhoIsMeant: a refusal names people who have no username, too.
func TestSyncSaysWhoIsMeant(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	addNamed(t, srv, "a", "b")
	_, err := srv.AddUser(rocketchattest.User{ID: "nameless", Email: "nameless@example.com"})
	require.NoError(t, err)
	plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), []DesiredUser{
		{Ref: ByImportID("4711"), Email: "new@example.com"},
		{Ref: ByID("gone")},
		{Key: "77"},
		{Username: "a", Email: "nameless@example.com"},
		{Ref: ByEmail("nameless@example.com"), Username: "b", Name: "N"},
	}, SyncOptions{Match: func(*User) string { return "9" }})
	require.NoError(t, err)
	assert.Equal(t, `
update     nameless             name "" -> "N"
refused    importId 4711        a new account needs a username
refused    userId gone          nobody has the ID gone
refused    key 77               a new account needs a username
refused    a                    the address nameless@example.com belongs to nameless
refused    nameless             the username b belongs to b
0 to create, 1 to update, 0 to activate, 0 to deactivate, 5 refused, 0 unchanged
`, "\n"+plan.String())
	assert.Equal(t, "nameless", plan.Refusals[3].Other)
}

// TestSyncOfManyWhoAreRecognized: the scope of a sync does not make it slower to recognise
// people by their usernames and addresses.
func TestSyncOfManyWhoAreRecognized(t *testing.T) { //nolint:paralleltest // it compares times
	srv := rocketchattest.New()
	desired := people(20_000)
	addPeople(t, srv, desired)
	for i := range desired {
		desired[i].Ref = ByEmail("before." + desired[i].Email)
	}
	c := adminClient(t, srv)
	plan := func(opts SyncOptions) time.Duration {
		start := time.Now()
		plan, err := c.Users.PlanSync(t.Context(), desired, opts)
		require.NoError(t, err)
		require.Equal(t, len(desired), plan.Unchanged)
		require.Empty(t, plan.Steps)
		return time.Since(start)
	}
	for range 10 { // one good turn is enough, because the machine may have other work
		without := plan(SyncOptions{})
		if plan(SyncOptions{Departed: func(*User) bool { return true }}) < 4*without {
			return
		}
	}
	assert.Fail(t, "with a scope a plan takes four times as long; ten times would be squared")
}
