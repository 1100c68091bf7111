package rocketchat

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// adminClient makes calls on srv as the administrator.
func adminClient(t *testing.T, srv *rocketchattest.Server, opts ...Option) *Client {
	t.Helper()
	id, token := srv.Login("admin")
	c, err := New(srv.URL(), append([]Option{WithTransport(srv), WithToken(id, token)}, opts...)...)
	require.NoError(t, err)
	return c
}

// limitedAdmin is an administrator whose calls the server counts.
func limitedAdmin(t *testing.T, srv *rocketchattest.Server, opts ...Option) *Client {
	t.Helper()
	srv.Grant("api-bypass-rate-limit")
	return adminClient(t, srv, opts...)
}

// callsAfter counts the calls after the first ones, by operation.
func callsAfter(srv *rocketchattest.Server, before int) map[string]int {
	calls := make(map[string]int)
	for _, call := range srv.Calls()[before:] {
		calls[call.Op]++
	}
	return calls
}

// people are n desired users.
func people(n int) []DesiredUser {
	desired := make([]DesiredUser, n)
	for i := range desired {
		name := fmt.Sprintf("person%04d", i)
		desired[i] = DesiredUser{Username: name, Name: "Person " + name, Email: name + "@example.com", Roles: []string{"user"}}
	}
	return desired
}

func addPeople(t *testing.T, srv *rocketchattest.Server, desired []DesiredUser) {
	t.Helper()
	for _, d := range desired {
		_, err := srv.AddUser(rocketchattest.User{Username: d.Username, Name: d.Name, Email: d.Email, Roles: d.Roles, Inactive: d.Active != nil && !*d.Active})
		require.NoError(t, err)
	}
}

func TestPlanSync(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New(rocketchattest.WithSetting("Accounts_CustomFields", `{"team":{"type":"text"}}`))
	for _, u := range []rocketchattest.User{
		{Username: "same", Name: "Same", Email: "same@example.com", Bio: "Likes lists.", Nickname: "sam"},
		{Username: "changed", Name: "Old Name", Email: "old@example.com", Roles: []string{"user", "guest"}},
		{Username: "back", Name: "Back", Email: "back@example.com", Inactive: true},
		{Username: "gone", Name: "Gone", Email: "gone@example.com"},
		{Username: "helper.bot", Name: "Helper", Email: "bot@example.com", Roles: []string{"bot"}},
		{Username: "detail", Name: "Detail", Email: "detail@example.com", Bio: "Old."},
	} {
		_, err := srv.AddUser(u)
		require.NoError(t, err)
	}
	c := adminClient(t, srv)
	before := len(srv.Calls())
	plan, err := c.Users.PlanSync(t.Context(), []DesiredUser{
		{Username: "SAME", Name: "Same", Email: "Same@example.com", Roles: []string{"user"}},
		{Username: "changed", Name: "New Name", Email: "new@example.com", Roles: []string{"user"}},
		{Username: "back", Name: "Back", Active: new(true)},
		{Username: "fresh", Name: "Fresh", Email: "fresh@example.com", Active: new(true), Bio: new("Hello."), CustomFields: map[string]any{"team": "ops"}},
		{Username: "thief", Name: "Thief", Email: "gone@example.com"},
		{Username: "nobody"},
		{Username: "detail", Bio: new("New.")},
	}, SyncOptions{Departed: func(*User) bool { return true }, MaxDeactivations: 1})
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(`
update     changed              email "old@example.com" -> "new@example.com", name "Old Name" -> "New Name", roles "guest user" -> "user"
activate   back                 active "false" -> "true"
create     fresh                email fresh@example.com, name Fresh, bio Hello., customFields.team ops
update     detail               bio "Old." -> "New."
deactivate gone                 active "true" -> "false"
refused    thief                the address gone@example.com belongs to gone
refused    nobody               a new account needs an address
1 to create, 2 to update, 1 to activate, 1 to deactivate, 2 refused, 1 unchanged`), strings.TrimSpace(plan.String()))
	assert.Equal(t, map[string]int{"users.create": 1, "users.info": 2, "users.update": 2, "users.setActiveStatus": 2}, plan.Calls())
	assert.Equal(t, map[string]int{"me": 1, "users.list": 1, "users.info": 1, "roles.list": 1, "settings.get": 5}, callsAfter(srv, before))

	report, err := plan.Run(t.Context())
	require.ErrorIs(t, err, SyncTaken)
	require.ErrorIs(t, err, SyncMissing)
	require.EqualError(t, err, "rocketchat: sync: 0 of 5 steps failed; refused thief: the address gone@example.com belongs to gone; refused nobody: a new account needs an address")
	assert.Equal(t, 1, report.Count(SyncCreate))
	assert.Equal(t, 2, report.Count(SyncUpdate))
	changed, _ := srv.User("changed")
	assert.Equal(t, "New Name", changed.Name)
	assert.Equal(t, "new@example.com", changed.Email)
	assert.Equal(t, []string{"user"}, changed.Roles)
	same, _ := srv.User("same")
	assert.Equal(t, "Likes lists.", same.Bio)
	gone, _ := srv.User("gone")
	assert.True(t, gone.Inactive)
	back, _ := srv.User("back")
	assert.False(t, back.Inactive)
}

func TestSyncRefuses(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	addPeople(t, srv, people(10))
	c := adminClient(t, srv)
	for name, desired := range map[string][]DesiredUser{
		"desired":             {},
		"desired[0].Username": {{}},
		"desired[1].Ref":      {{Ref: ByID("x")}, {Ref: ByID("x")}},
		"desired[0].Ref":      {{Ref: ByEmail("")}},
		"desired[0].Key":      {{Key: "4711"}},
		"desired[1].Username": {{Username: "a"}, {Username: "A"}},
		"desired[1].Email":    {{Username: "a", Email: "x@example.com"}, {Username: "b", Email: "X@example.com"}},
	} {
		_, err := c.Users.PlanSync(t.Context(), desired, SyncOptions{})
		require.ErrorIs(t, err, ErrInvalid)
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok)
		assert.Equal(t, name, e.Field)
	}
	for _, in := range []SyncOptions{{MaxDeactivations: 1.1}, {MaxDeactivations: math.NaN()}, {MaxDeactivations: -1}, {Concurrency: -1}} {
		_, err := c.Users.PlanSync(t.Context(), people(1), in)
		require.ErrorIs(t, err, ErrInvalid)
	}
	assert.Empty(t, srv.Calls(), "nothing is sent")

	_, err := c.Users.Sync(t.Context(), people(5), SyncOptions{Departed: func(*User) bool { return true }})
	many, ok := errors.AsType[*TooManyDeactivationsError](err)
	require.True(t, ok)
	assert.Equal(t, 5, many.Planned)
	assert.Equal(t, 10, many.Active, "neither the own account nor the bot is in the scope")
	for _, u := range srv.Users() {
		assert.False(t, u.Inactive, u.Username)
	}

	_, err = ordinaryClient(t, srv).Users.PlanSync(t.Context(), people(1), SyncOptions{})
	require.ErrorIs(t, err, ErrForbidden, "who does not see roles and addresses cannot compare")
}

// TestSyncAllowsTheWholeShare: 29 of 100 are 0.29, although 0.29 times 100 is less than 29.
func TestSyncAllowsTheWholeShare(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	desired := people(98)
	addPeople(t, srv, desired)
	for i := range 30 {
		desired[i].Active = new(false)
	}
	c := adminClient(t, srv)
	opts := SyncOptions{MaxDeactivations: 0.29}
	_, err := c.Users.PlanSync(t.Context(), desired, opts)
	many, ok := errors.AsType[*TooManyDeactivationsError](err)
	require.True(t, ok)
	require.Equal(t, 100, many.Active)
	desired[0].Active = nil
	_, err = c.Users.PlanSync(t.Context(), desired, opts)
	require.NoError(t, err)
}

func TestSyncKeepsAnAdministrator(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	// The account that the sync runs as may do everything, but is no administrator.
	for _, permission := range []string{"view-full-other-user-info", "edit-other-user-info", "edit-other-user-active-status", "assign-roles", "assign-admin-role", "api-bypass-rate-limit"} {
		srv.Grant(permission, "admin", "syncer")
	}
	srv.AddRole("syncer", "syncer", "")
	_, err := srv.AddUser(rocketchattest.User{Username: "syncer", Email: "syncer@example.com", Roles: []string{"user", "syncer"}})
	require.NoError(t, err)
	id, token := srv.Login("syncer")
	c, err := New(srv.URL(), WithTransport(srv), WithToken(id, token))
	require.NoError(t, err)

	everybody := SyncOptions{Departed: func(*User) bool { return true }, MaxDeactivations: 1}
	plan, err := c.Users.PlanSync(t.Context(), []DesiredUser{{Username: "syncer"}}, everybody)
	require.NoError(t, err)
	assert.Empty(t, plan.Steps)
	assert.Equal(t, []SyncRefusal{{Code: SyncLastAdmin, Username: "admin", Field: "active", Reason: "is the last administrator"}}, plan.Refusals)

	plan, err = c.Users.PlanSync(t.Context(), []DesiredUser{{Username: "admin", Roles: []string{"user"}}}, SyncOptions{})
	require.NoError(t, err)
	assert.Empty(t, plan.Steps)
	assert.Contains(t, plan.String(), "keeps the role admin")

	// Who is to become one does not count: that step can fail.
	plan, err = c.Users.PlanSync(t.Context(), []DesiredUser{{Username: "syncer", Roles: []string{"syncer", "admin"}}, {Username: "admin", Roles: []string{"user"}}}, SyncOptions{})
	require.NoError(t, err)
	assert.Len(t, plan.Steps, 1)
	assert.Contains(t, plan.String(), "keeps the role admin")

	_, err = srv.AddUser(rocketchattest.User{Username: "admin2", Email: "admin2@example.com", Roles: []string{"admin"}})
	require.NoError(t, err)
	plan, err = c.Users.PlanSync(t.Context(), []DesiredUser{{Username: "admin", Roles: []string{"user"}}}, everybody)
	require.NoError(t, err)
	assert.Len(t, plan.Steps, 1, "one of the two stays")

	// Each counts once, also if they are to lose the role and the account.
	_, err = srv.AddUser(rocketchattest.User{Username: "admin3", Email: "admin3@example.com", Roles: []string{"admin"}})
	require.NoError(t, err)
	leaver := func(name string) DesiredUser {
		return DesiredUser{Username: name, Roles: []string{"user"}, Active: new(false)}
	}
	plan, err = c.Users.PlanSync(t.Context(), []DesiredUser{leaver("admin2"), leaver("admin3")}, SyncOptions{MaxDeactivations: 1})
	require.NoError(t, err)
	assert.Empty(t, plan.Refusals)
	assert.Len(t, plan.Steps, 4)
	report, err := plan.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, report.Count(SyncDeactivate))
}

// TestSyncOfAThousand counts the calls of a sync under the limit of the server.
func TestSyncOfAThousand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLatency(latency))
		desired := people(1000)
		there := desired[:600]
		addPeople(t, srv, there)
		departed := people(1050)[1000:]
		addPeople(t, srv, departed)
		for i := range 200 { // of those who are there, 200 have another name
			desired[i].Name += " changed"
		}
		c := limitedAdmin(t, srv)
		before := len(srv.Calls())
		start := time.Now()
		var last SyncProgress
		var firstEstimate time.Duration
		report, err := c.Users.Sync(t.Context(), desired, SyncOptions{
			Departed: func(*User) bool { return true },
			Progress: func(p SyncProgress) {
				if last = p; p.Ended == 50 {
					firstEstimate = time.Since(start) + p.Remaining
				}
			},
		})
		require.NoError(t, err)
		took := time.Since(start)
		assert.Equal(t, 400, report.Count(SyncCreate))
		assert.Equal(t, 200, report.Count(SyncUpdate))
		assert.Equal(t, 50, report.Count(SyncDeactivate))
		assert.Equal(t, SyncProgress{Last: last.Last, Ended: 650, Total: 650}, last)
		assert.InEpsilon(t, took, firstEstimate, 0.05, "the estimate after 50 steps")

		calls := callsAfter(srv, before)
		// A perfect client reads itself, the list, the rules and the roles once, every user
		// whose name it changes (since the server would erase bio and nickname), and makes
		// each change once.
		assert.Equal(t, map[string]int{
			"me": 1, "users.list": 1, "settings.get": 4, "roles.list": 1, "users.info": 200, "users.create": 400, "users.update": 200, "users.setActiveStatus": 50,
		}, calls)
		assert.Empty(t, refusals(srv))
		within(t, took, 39*time.Minute, 0.01) // 400 creates in windows of 10
		t.Logf("calls %v, 429s 0, took %s", calls, took)

		again, err := c.Users.PlanSync(t.Context(), desired, SyncOptions{Departed: func(*User) bool { return true }})
		require.NoError(t, err)
		assert.Empty(t, again.Steps, "a second run has nothing to do")
	})
}

// TestSyncIsResumed kills a sync at a random point, mid-call, fifty times, and runs it
// again with a new client: it ends as a sync does that nobody disturbed.
func TestSyncIsResumed(t *testing.T) {
	t.Parallel()
	const n = 60
	prepare := func() (*rocketchattest.Server, []DesiredUser) {
		srv := rocketchattest.New(rocketchattest.WithLimit(0, 0))
		desired := people(n)
		addPeople(t, srv, desired[:n/2])
		addPeople(t, srv, people(n + 10)[n:])
		for i := range n / 4 {
			desired[i].Name += " changed"
			desired[i].Roles = []string{"user", "guest"}
		}
		desired[n-1].Active = new(false)
		return srv, desired
	}
	in := SyncOptions{Departed: func(*User) bool { return true }, MaxDeactivations: 1}
	state := func(srv *rocketchattest.Server) (all []string) {
		for _, u := range srv.Users() {
			all = append(all, fmt.Sprint(u.Username, u.Name, u.Email, u.Roles, u.Inactive))
		}
		return all
	}
	srv, desired := prepare()
	_, err := adminClient(t, srv).Users.Sync(t.Context(), desired, in)
	require.NoError(t, err)
	want := state(srv)

	for seed := range uint64(50) {
		t.Run(fmt.Sprint("killed ", seed), func(t *testing.T) {
			t.Parallel()
			srv, desired := prepare()
			random := rand.New(rand.NewPCG(seed, 7))
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			var sent atomic.Int32
			dies := 1 + random.Int32N(65)
			before := random.IntN(2) == 0
			c := adminClient(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
				at := sent.Add(1)
				if at > dies || at == dies && before {
					kill()
					return nil, context.Canceled
				}
				res, err := srv.RoundTrip(r)
				if at == dies { // the server did it, and nobody hears of it
					kill()
					return nil, context.Canceled
				}
				return res, err
			})))
			_, err := c.Users.Sync(ctx, desired, in)
			require.Error(t, err)

			_, err = adminClient(t, srv).Users.Sync(t.Context(), desired, in)
			require.NoError(t, err)
			assert.ElementsMatch(t, want, state(srv))
			created := 0
			for _, call := range srv.Calls() {
				if call.Op == "users.create" && call.Status == http.StatusOK {
					created++
				}
			}
			assert.Equal(t, n/2, created, "each account was created once")
		})
	}
}

// TestSyncReportsEachStep: what fails does not stop the rest, and is named.
func TestSyncReportsEachStep(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	c := adminClient(t, srv)
	srv.AnswerNext("users.create", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"success":false,"error":"boss is blocked and can't be used! [error-blocked-username]","errorType":"error-blocked-username"}`))
	})
	report, err := c.Users.Sync(t.Context(), people(3), SyncOptions{Concurrency: 1})
	require.ErrorIs(t, err, ErrTaken)
	require.ErrorContains(t, err, "1 of 3")
	assert.Equal(t, 1, report.Failed)
	assert.Equal(t, 2, report.Count(SyncCreate))
	require.ErrorIs(t, report.Results[0].Err, ErrTaken)
	assert.True(t, report.Results[1].Done)

	ctx, cancel := context.WithCancel(t.Context())
	plan, err := c.Users.PlanSync(ctx, people(3), SyncOptions{})
	require.NoError(t, err)
	cancel()
	report, err = plan.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 0, report.Failed)
	assert.Equal(t, 1, report.NotBegun)
	assert.True(t, report.Results[0].NotBegun)
}

// TestSyncAdoptsLostCreates: the answer to users.create is lost, the account is there.
func TestSyncAdoptsLostCreates(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	c := adminClient(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		res, err := srv.RoundTrip(r)
		if r.URL.Path == "/api/v1/users.create" {
			return nil, errors.New("connection reset")
		}
		return res, err
	})))
	desired := people(5)
	for i := range desired {
		desired[i].Bio = new("New.")
	}
	report, err := c.Users.Sync(t.Context(), desired, SyncOptions{})
	require.NoError(t, err)
	for _, result := range report.Results {
		assert.True(t, result.Adopted)
	}
	assert.Empty(t, report.Known(), "somebody else may have created them")
	assert.Equal(t, 5, srv.Count("users.create"))
}

func TestSyncKeepsItsOwnRights(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	_, err := srv.AddUser(rocketchattest.User{Username: "admin2", Email: "admin2@example.com", Roles: []string{"admin"}})
	require.NoError(t, err)
	plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), []DesiredUser{{Username: "admin", Roles: []string{"user"}}}, SyncOptions{})
	require.NoError(t, err)
	assert.Empty(t, plan.Steps)
	assert.Contains(t, plan.String(), "runs as, which keeps the role admin")

	plan, err = adminClient(t, srv).Users.PlanSync(t.Context(), []DesiredUser{
		{Username: "admin", Roles: []string{"admin", "user"}},
		{Username: "admin2", Roles: []string{"user", "admin"}},
	}, SyncOptions{})
	require.NoError(t, err)
	assert.Len(t, plan.Steps, 2, "who keeps the role can have others")
	assert.Empty(t, plan.Refusals)
}

// TestSyncOfItsOwnAddress: nobody may call their own address verified, so it is changed
// without.
func TestSyncOfItsOwnAddress(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	addPeople(t, srv, people(1))
	_, err := adminClient(t, srv).Users.Sync(t.Context(), []DesiredUser{
		{Username: "admin", Email: "boss@example.com"},
		{Username: "person0000", Email: "new@example.com"},
	}, SyncOptions{Verified: true})
	require.NoError(t, err)
	admin, _ := srv.User("admin")
	assert.Equal(t, "boss@example.com", admin.Email)
	assert.True(t, admin.Unverified)
	person, _ := srv.User("person0000")
	assert.False(t, person.Unverified)
}

// TestSyncOfWhatConflicts: an address that is somebody else's does not keep the rest
// from being done.
func TestSyncOfWhatConflicts(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	addPeople(t, srv, people(10))
	plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), []DesiredUser{
		{Username: "person0001", Email: "person0002@example.com", Active: new(false)},
	}, SyncOptions{})
	require.NoError(t, err)
	assert.Len(t, plan.Refusals, 1)
	require.Len(t, plan.Steps, 1)
	assert.Equal(t, SyncDeactivate, plan.Steps[0].Action)
}

func TestSameJSON(t *testing.T) {
	t.Parallel()
	for range 100 {
		require.True(t, sameJSON(map[string]any{"a": 1, "b": 2, "c": []int{3}}, map[string]any{"c": []any{3.0}, "b": 2.0, "a": 1.0}))
	}
	assert.False(t, sameJSON(1, 2))
	assert.False(t, sameJSON(make(chan int), make(chan int)), "what cannot be encoded is not the same")
	assert.False(t, sameJSON([]any{1, make(chan int)}, []any{1, make(chan int)}), "not even if it begins in the same way")
}
