package rocketchat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// addNamed adds people with these usernames, an address each, and IDs made of the names.
func addNamed(t *testing.T, srv *rocketchattest.Server, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := srv.AddUser(rocketchattest.User{ID: "id." + name, Username: name, Name: "Person " + name, Email: name + "@example.com", Bio: "Bio of " + name, ImportIDs: []string{"import." + name}})
		require.NoError(t, err)
	}
}

// moved is the person who was added as one name and is to be called another, with the
// address of a third.
func moved(from, name, email string) DesiredUser {
	d := DesiredUser{Ref: ByID("id." + from), Username: name}
	if email != "" {
		d.Email = email + "@example.com"
	}
	return d
}

// identities are the usernames and addresses of the people, by ID; of those whom a sync
// created, by username.
func identities(srv *rocketchattest.Server) map[string]string {
	all := make(map[string]string)
	for _, u := range srv.Users() {
		switch {
		case strings.HasPrefix(u.ID, "id."):
			all[u.ID] = u.Username + " " + u.Email + " " + u.Bio
		case u.Username != "admin" && u.Type != "bot":
			all["new "+u.Username] = u.Email
		}
	}
	return all
}

func TestSyncPassesNamesOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		desired []DesiredUser
		plan    string // actions in their order; T for a temporary value
		refused []SyncRefusal
	}{
		"a rename is an update": {desired: []DesiredUser{moved("a", "z", "")}, plan: "a"},
		"a chain":               {desired: []DesiredUser{moved("a", "b", ""), moved("b", "c", ""), moved("c", "z", "")}, plan: "c b a"},
		"two swap names":        {desired: []DesiredUser{moved("a", "b", ""), moved("b", "a", "")}, plan: "Ta b a"},
		"two swap addresses":    {desired: []DesiredUser{moved("a", "a", "b"), moved("b", "b", "a")}, plan: "Ta b a"},
		"two swap both":         {desired: []DesiredUser{moved("a", "b", "b"), moved("b", "a", "a")}, plan: "Ta b a"},
		"a circle of three":     {desired: []DesiredUser{moved("a", "b", "b"), moved("b", "c", "c"), moved("c", "a", "a")}, plan: "Ta c b a"},
		"name one way, address the other": {
			desired: []DesiredUser{moved("a", "b", "z"), moved("b", "y", "a")}, plan: "a b a",
		},
		"a new account waits for a circle of a name and an address": {
			desired: []DesiredUser{{Username: "a", Email: "new@example.com"}, moved("a", "b", "z"), moved("b", "y", "a")}, plan: "a b a a",
		},
		"who waits for such a circle changes in one step": {
			desired: []DesiredUser{moved("c", "a", "c.new"), moved("a", "b", "z"), moved("b", "y", "a")}, plan: "a b a c",
		},
		"a new account gets a free name": {
			desired: []DesiredUser{{Username: "a", Email: "new@example.com"}, moved("a", "z", "")}, plan: "a a",
		},
		"a name that an outsider keeps": {
			desired: []DesiredUser{moved("a", "b", "z"), moved("b", "d", "")}, plan: "a",
			refused: []SyncRefusal{
				{SyncTaken, "a", "username", "b", "the username b belongs to b"},
				{SyncTaken, "b", "username", "d", "the username d belongs to d"},
			},
		},
		"an address that its owner keeps": {
			desired: []DesiredUser{moved("a", "a", "b"), moved("b", "b", "")}, plan: "",
			refused: []SyncRefusal{{SyncTaken, "a", "email", "b", "the address b@example.com belongs to b"}},
		},
		"a name in another case is the same": {desired: []DesiredUser{moved("a", "A", "A")}, plan: ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := rocketchattest.New()
			addNamed(t, srv, "a", "b", "c", "d")
			c := adminClient(t, srv)
			plan, err := c.Users.PlanSync(t.Context(), test.desired, SyncOptions{Concurrency: 1})
			require.NoError(t, err)
			var steps []string
			for _, step := range plan.Steps {
				steps = append(steps, map[bool]string{true: "T"}[step.Temporary]+step.Username)
			}
			assert.Equal(t, test.plan, strings.Join(steps, " "), plan)
			assert.Equal(t, test.refused, plan.Refusals)
			report, err := plan.Run(t.Context())
			if len(test.refused) == 0 {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, SyncTaken)
			}
			assert.Zero(t, report.Failed+report.NotBegun)
			again, err := c.Users.PlanSync(t.Context(), test.desired, SyncOptions{})
			require.NoError(t, err)
			assert.Empty(t, again.Steps)
			assert.Len(t, again.Refusals, len(test.refused))
		})
	}
}

// TestSyncPassesOnAnything gives usernames and addresses to each other at random, some of
// which outsiders keep. Whatever the plan does not refuse has to come true.
func TestSyncPassesOnAnything(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 3))
		srv := rocketchattest.New()
		names := strings.Split("a b c d e f g h i j", " ")
		addNamed(t, srv, names...)
		values := append(strings.Split("x y z", " "), names...)
		pick := func() []string {
			picked := make([]string, len(values))
			for i, j := range random.Perm(len(values)) {
				picked[i] = values[j]
			}
			return picked
		}
		usernames, emails := pick(), pick()
		var desired []DesiredUser
		for i, name := range names[:8] { // i and j keep what they have
			d := moved(name, usernames[i], emails[i])
			if random.IntN(4) == 0 {
				d.Email = ""
			}
			desired = append(desired, d)
		}
		desired = append(desired, DesiredUser{Username: usernames[9], Email: emails[9] + "@example.com"})
		c := adminClient(t, srv)
		report, err := c.Users.Sync(t.Context(), desired, SyncOptions{})
		refused := make(map[string]bool)
		for _, r := range report.Refusals {
			require.Equal(t, SyncTaken, r.Code)
			refused[strings.Fields(r.Reason)[2]] = true // the value, which nobody else wants
		}
		if len(refused) == 0 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, SyncTaken)
		}
		require.Zero(t, report.Failed+report.NotBegun, "seed %d: %v", seed, err)
		state := identities(srv)
		for _, d := range desired[:8] {
			has := strings.Fields(state[d.Ref.value])
			assert.Equal(t, has[0] == d.Username, !refused[d.Username], "seed %d: %s is %s", seed, d.Ref.value, has[0])
			if d.Email != "" {
				assert.Equal(t, has[1] == d.Email, !refused[d.Email], "seed %d: %s has %s", seed, d.Ref.value, has[1])
			}
			assert.NotContains(t, strings.Join(has, " "), "sync-", "no temporary value is left")
		}
		again, err := c.Users.PlanSync(t.Context(), desired, SyncOptions{})
		require.NoError(t, err)
		assert.Empty(t, again.Steps, "seed %d: %s", seed, again)
	}
}

// TestSyncOfManyCircles: people who are entangled with each other alone take three steps for
// two, however many there are, and a circle of everybody does not take for ever.
func TestSyncOfManyCircles(t *testing.T) { //nolint:paralleltest // it compares times
	plan := func(n int, wanted func(i int) (username, email int)) (*SyncPlan, time.Duration) {
		srv := rocketchattest.New()
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("p%d", i))
		}
		addNamed(t, srv, names...)
		var desired []DesiredUser
		for i, name := range names {
			username, email := wanted(i)
			desired = append(desired, moved(name, fmt.Sprintf("p%d", username), fmt.Sprintf("p%d", email)))
		}
		c := adminClient(t, srv)
		fastest := time.Hour
		var plan *SyncPlan
		for range 5 {
			start := time.Now()
			var err error
			plan, err = c.Users.PlanSync(t.Context(), desired, SyncOptions{})
			require.NoError(t, err)
			fastest = min(fastest, time.Since(start))
		}
		return plan, fastest
	}
	pairs, _ := plan(400, func(i int) (int, int) { // one gets the name of the other, and gives their address
		if i%2 == 0 {
			return i + 1, i + 1000
		}
		return i + 1000, i - 1
	})
	assert.Len(t, pairs.Steps, 600)
	circle := func(n int) time.Duration {
		_, took := plan(n, func(i int) (int, int) { return (i + 1) % n, (i + n - 1) % n })
		return took
	}
	assert.Less(t, float64(circle(400))/float64(circle(100)), 40.0, "four times as many: 16 times would be squared, 64 cubed")
}

// TestSyncUpdatesNobodyTwiceAtOnce: an update sends along the bio and the nickname that the
// user has, so another one at the same time would undo it.
func TestSyncUpdatesNobodyTwiceAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLatency(time.Second))
		addNamed(t, srv, "a", "b", "first")
		desired := []DesiredUser{{Username: "first"}, moved("a", "z", "b"), moved("b", "a", "a")}
		for i := range desired {
			desired[i].Bio = new("New bio")
		}
		plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), desired, SyncOptions{})
		require.NoError(t, err)
		require.Len(t, plan.Steps, 5, "a gets a temporary address, a new username and a new address")
		_, err = plan.Run(t.Context())
		require.NoError(t, err)
		for id, identity := range identities(srv) {
			assert.Contains(t, identity, "New bio", id)
		}
	})
}

// TestSyncSwapsUnderTheHiddenLimit: servers up to 8.2 take one change of an address in a
// minute, so a temporary one costs a minute.
func TestSyncSwapsUnderTheHiddenLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithHiddenLimit(), rocketchattest.WithVersion("7.7.1"))
		addNamed(t, srv, "a", "b")
		start := time.Now()
		_, err := adminClient(t, srv).Users.Sync(t.Context(), []DesiredUser{moved("a", "a", "b"), moved("b", "b", "a")}, SyncOptions{})
		require.NoError(t, err)
		within(t, time.Since(start), time.Minute, 0.05)
		assert.Equal(t, "a b@example.com Bio of a", identities(srv)["id.a"])
	})
}

// TestSyncGoesOnBesideTheHiddenLimit: who would have to wait for the limit of a single user
// longer than the client may does not stop the others.
func TestSyncGoesOnBesideTheHiddenLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithHiddenLimit(), rocketchattest.WithVersion("7.7.1"))
		addNamed(t, srv, "a", "b", "c")
		c := adminClient(t, srv, WithMaxWait(10*time.Second))
		_, err := c.Users.Update(t.Context(), ByUsername("b"), UserUpdateOptions{Email: new("early@example.com")})
		require.NoError(t, err)
		report, err := c.Users.Sync(t.Context(), []DesiredUser{moved("a", "a", "x"), moved("b", "b", "y"), moved("c", "c", "z")}, SyncOptions{Concurrency: 1})
		require.ErrorIs(t, err, ErrRateLimited)
		assert.Equal(t, 2, report.Count(SyncUpdate))
		assert.Equal(t, 1, report.NotBegun)
		assert.Equal(t, "c z@example.com Bio of c", identities(srv)["id.c"])
	})
}

// TestSyncRestoresASwap: if one of two cannot be changed, the other gets their own name
// back.
func TestSyncRestoresASwap(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	addNamed(t, srv, "a", "b")
	before := identities(srv)
	var updates atomic.Int32
	c := adminClient(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/api/v1/users.update" && updates.Add(1) == 2 {
			srv.AnswerNext("users.update", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"success":false,"error":"Not possible","errorType":"Edit_Federated_User_Not_Allowed"}`))
			})
		}
		return srv.RoundTrip(r)
	})))
	desired := []DesiredUser{moved("a", "b", ""), moved("b", "a", "")}
	report, err := c.Users.Sync(t.Context(), desired, SyncOptions{})
	require.ErrorIs(t, err, ErrForbidden)
	assert.Equal(t, 1, report.Failed)
	assert.Equal(t, 1, report.NotBegun)
	require.ErrorContains(t, report.Results[2].Err, "username is still that of b, whose step was not done; they have their own value again")
	assert.Equal(t, before, identities(srv))

	_, err = c.Users.Sync(t.Context(), desired, SyncOptions{})
	require.NoError(t, err)
}

// TestSyncOfSortedSteps: a caller may sort the steps for people to read. They are carried
// out in the order that works.
func TestSyncOfSortedSteps(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	addNamed(t, srv, "a", "b", "c")
	plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), []DesiredUser{moved("a", "b", ""), moved("b", "c", ""), moved("c", "a", "")}, SyncOptions{Concurrency: 1})
	require.NoError(t, err)
	slices.Reverse(plan.Steps)
	_, err = plan.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "c b@example.com Bio of b", identities(srv)["id.b"])
}

// TestSyncOfChangedSteps: steps can be removed. Others than those of the plan are rejected.
func TestSyncOfChangedSteps(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	addNamed(t, srv, "a", "b", "c")
	c := adminClient(t, srv)
	plan, err := c.Users.PlanSync(t.Context(), []DesiredUser{moved("a", "b", ""), moved("b", "a", ""), moved("c", "z", "")}, SyncOptions{})
	require.NoError(t, err)
	steps := plan.Steps
	for _, others := range [][]SyncStep{append(slices.Clone(steps), steps[0]), append(slices.Clone(steps), SyncStep{Action: SyncDeactivate, UserID: "id.a"})} {
		plan.Steps = others
		report, err := plan.Run(t.Context())
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, "Steps[4]")
		assert.Nil(t, report)
	}
	for _, other := range []*SyncPlan{{}, {Steps: steps}, {Steps: []SyncStep{{Action: SyncUpdate, UserID: "id.a"}}}} {
		assert.NotPanics(t, func() { other.Calls() })
		_, err := other.Run(t.Context())
		require.ErrorIs(t, err, ErrInvalid, "PlanSync did not make it")
	}
	before := identities(srv)
	plan.Steps = slices.DeleteFunc(steps, func(s SyncStep) bool { return s.UserID == "id.b" })
	report, err := plan.Run(t.Context())
	require.ErrorContains(t, err, "they have their own value again")
	assert.Equal(t, 1, report.Count(SyncUpdate))
	before["id.c"] = "z c@example.com Bio of c"
	assert.Equal(t, before, identities(srv))
}

// TestSyncDoesNotRestoreNothing: if the temporary value could not be given, nothing is
// given back.
func TestSyncDoesNotRestoreNothing(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	addNamed(t, srv, "a", "b")
	srv.AnswerNext("users.update", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"success":false,"error":"Not possible","errorType":"Edit_Federated_User_Not_Allowed"}`))
	})
	before := identities(srv)
	report, err := adminClient(t, srv).Users.Sync(t.Context(), []DesiredUser{moved("a", "b", ""), moved("b", "a", "")}, SyncOptions{})
	require.ErrorIs(t, err, ErrForbidden)
	assert.Equal(t, 1, report.Failed)
	assert.Equal(t, 2, report.NotBegun)
	assert.Equal(t, 1, srv.Count("users.update"))
	assert.Equal(t, before, identities(srv))
	require.EqualError(t, report.Results[1].Err, "rocketchat: users.update: username is still that of a, whose step was not done")
}

// refusing is a transport that refuses the updates whose body contains a text.
func refusing(srv *rocketchattest.Server, text string) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		if r.URL.Path != "/api/v1/users.update" {
			return srv.RoundTrip(r)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if strings.Contains(string(body), text) {
			return replyJSON(http.StatusBadRequest, `{"success":false,"error":"Not possible","errorType":"Edit_Federated_User_Not_Allowed"}`), nil
		}
		return srv.RoundTrip(r)
	}
}

// TestSyncUnwindsACircle: if one of several who pass their usernames and addresses on cannot
// be changed, the others have theirs as before, and the next sync can try again. That the
// server drops a custom field of theirs does not matter.
func TestSyncUnwindsACircle(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		refused, drops := fmt.Sprintf(`"id.%c"`, "abcd"[i%4]), i >= 4
		desired := []DesiredUser{moved("a", "b", "d"), moved("b", "c", "a"), moved("c", "d", "b"), moved("d", "a", "c")}
		srv := rocketchattest.New()
		addNamed(t, srv, "a", "b", "c", "d")
		before := srv.Users()
		if drops {
			srv.Grant("view-privileged-setting")
			for i := range desired {
				desired[i].CustomFields = map[string]any{"color": "red"}
			}
		}
		c := adminClient(t, srv, WithTransport(refusing(srv, refused)))
		report, err := c.Users.Sync(t.Context(), desired, SyncOptions{})
		require.ErrorIs(t, err, ErrForbidden)
		assert.Equal(t, before, srv.Users(), "%s: %v", refused, err)
		done := report.Count(SyncUpdate)
		for _, result := range report.Results {
			if result.Temporary && result.Done {
				done++
			}
			assert.NotContains(t, fmt.Sprint(result.Err), "they keep a temporary value")
			assert.NotContains(t, fmt.Sprint(result.Err), "everything else was", "everybody has what they had")
		}
		assert.Equal(t, len(report.Results), done+report.Failed+report.NotBegun)
		report, err = adminClient(t, srv).Users.Sync(t.Context(), desired, SyncOptions{})
		assert.Equal(t, drops, err != nil, err)
		assert.Zero(t, report.NotBegun)
		assert.Equal(t, "b d@example.com Bio of a", identities(srv)["id.a"])
	}
}

// TestSyncLeavesNoTemporaryValue: whoever got a temporary value gets one to keep, also if
// their last step is refused because of something else, or not tried any more.
func TestSyncLeavesNoTemporaryValue(t *testing.T) {
	t.Parallel()
	swap := []DesiredUser{moved("a", "b", "b"), moved("b", "a", "a")}
	withBadName := slices.Clone(swap)
	withBadName[0].Name = "Refused"
	givenUp := slices.Clone(swap) // the steps before that of b are all refused, so that it is not tried
	for i := range manyEqual {
		givenUp = append(givenUp, DesiredUser{Username: fmt.Sprint("z", i), Name: "Refused"})
	}
	for name, test := range map[string]struct {
		desired []DesiredUser
		refused string
		want    string
		says    string
	}{
		"the other step is refused":     {swap, `"id.b"`, "a a@example.com Bio of a", "they have their own value again"},
		"the last step is refused":      {withBadName, "Refused", "b b@example.com Bio of a", "they have their new username or address all the same"},
		"no step is tried any more":     {givenUp, "Refused", "a a@example.com Bio of a", "they have their own value again"},
		"the new value is refused, too": {swap, `"username":"b"`, "a-", "they keep a temporary value, because their own cannot be given back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := rocketchattest.New()
			addNamed(t, srv, "a", "b")
			for i := range manyEqual {
				addNamed(t, srv, fmt.Sprint("z", i))
			}
			c := adminClient(t, srv, WithTransport(refusing(srv, test.refused)))
			plan, err := c.Users.PlanSync(t.Context(), test.desired, SyncOptions{Concurrency: 1})
			require.NoError(t, err)
			require.True(t, plan.Steps[0].Temporary)
			report, err := plan.Run(t.Context())
			require.ErrorIs(t, err, ErrForbidden)
			for _, result := range report.Results {
				if result.UserID == "id.a" && !result.Temporary {
					require.ErrorContains(t, result.Err, test.says)
				}
			}
			assert.Contains(t, identities(srv)["id.a"], test.want)
			u, _ := srv.User(strings.Fields(identities(srv)["id.a"])[0])
			assert.Equal(t, test.want[0] != 'a' || test.want[1] == '-', u.Unverified, "an own address stays verified")
		})
	}
}

// dying is the transport of a process that dies with a call: before it is sent, or after
// the server has acted on it and before anybody hears of that.
func dying(srv *rocketchattest.Server, kill context.CancelFunc, at int32, before bool, sent *atomic.Int32) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		call := sent.Add(1)
		if call < at || call == at && !before {
			res, err := srv.RoundTrip(r)
			if call < at {
				return res, err
			}
		}
		kill()
		return nil, errors.New("the process is dead")
	}
}

// brittle is the journal of a process that dies.
type brittle struct {
	bytes.Buffer
	ctx context.Context //nolint:containedctx // its end is that of the process
}

func (b *brittle) Write(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.Buffer.Write(p)
}

// TestSyncOfSwapsIsResumed kills a sync with swaps, chains and circles at every call, and
// continues it. It ends as one does that nobody disturbed.
func TestSyncOfSwapsIsResumed(t *testing.T) {
	t.Parallel()
	names := strings.Split("a b c d e f g h i", " ")
	byID := []DesiredUser{
		moved("a", "b", "b"), moved("b", "a", "a"), // swap everything
		moved("c", "d", ""), moved("d", "e", ""), moved("e", "c", ""), // a circle
		moved("f", "g", "h"), moved("g", "z", "f"), moved("h", "h", "g"), // a chain of names, a circle of addresses
		{Username: "f", Email: "f.new@example.com"},
	}
	// as refers to the same people by something else.
	as := func(ref func(name string) UserRef) []DesiredUser {
		desired := slices.Clone(byID)
		for i := range desired {
			if name, found := strings.CutPrefix(desired[i].Ref.value, "id."); found {
				desired[i].Ref = ref(name)
			}
		}
		return desired
	}
	for name, test := range map[string]struct {
		desired []DesiredUser
		journal bool
	}{
		"by ID":        {byID, false},
		"by import ID": {as(func(name string) UserRef { return ByImportID("import." + name) }), false},
		"by username":  {as(ByUsername), true},
		"by address":   {as(func(name string) UserRef { return ByEmail(name + "@example.com") }), true},
		"by the username that stays": {[]DesiredUser{
			{Username: "a", Email: "b@example.com"},
			{Username: "b", Email: "c@example.com"},
			{Username: "c", Email: "a@example.com"},
			{Username: "d", Email: "e@example.com"},
			{Username: "e", Email: "d@example.com"},
			{Username: "new", Email: "f@example.com"},
			{Username: "f", Email: "f.new@example.com"},
		}, false},
	} {
		desired, journaled := test.desired, test.journal
		prepare := func() *rocketchattest.Server {
			srv := rocketchattest.New(rocketchattest.WithLimit(0, 0))
			addNamed(t, srv, names...)
			return srv
		}
		srv := prepare()
		var total atomic.Int32
		_, err := adminClient(t, srv, WithTransport(dying(srv, func() {}, 1<<30, true, &total))).Users.Sync(t.Context(), desired, SyncOptions{Concurrency: 2})
		require.NoError(t, err)
		want := identities(srv)
		require.Contains(t, want["id.a"], "b@example.com Bio of a")
		require.Greater(t, total.Load(), int32(20))
		for at := int32(1); at <= total.Load(); at++ {
			for _, before := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, killed at call %d, before it %t", name, at, before), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						srv := prepare()
						ctx, kill := context.WithCancel(t.Context())
						defer kill()
						log := &brittle{ctx: ctx}
						opts := SyncOptions{Concurrency: 2}
						if journaled {
							opts.Journal = log
						}
						report, err := adminClient(t, srv, WithTransport(dying(srv, kill, at, before, new(atomic.Int32)))).Users.Sync(ctx, desired, opts)
						if report == nil || report.Failed+report.NotBegun > 0 {
							require.Error(t, err)
						}
						opts = SyncOptions{}
						if journaled {
							opts.Resume, err = ReadSyncJournal(&log.Buffer)
							require.NoError(t, err)
						}
						_, err = adminClient(t, srv).Users.Sync(t.Context(), desired, opts)
						require.NoError(t, err)
						assert.Equal(t, want, identities(srv))
						assert.Len(t, srv.Users(), len(names)+3, "nobody was created twice")
					})
				})
			}
		}
	}
}

// TestSyncWaitsForWhoHasNoUsername: the step that takes the address of an account without a
// username is not taken for one with a temporary value.
func TestSyncWaitsForWhoHasNoUsername(t *testing.T) {
	t.Parallel()
	for _, refused := range []string{`"id.a"`, `"nameless"`} {
		srv := rocketchattest.New()
		addNamed(t, srv, "a")
		_, err := srv.AddUser(rocketchattest.User{ID: "nameless", Email: "nameless@example.com"})
		require.NoError(t, err)
		report, err := adminClient(t, srv, WithTransport(refusing(srv, refused))).Users.Sync(t.Context(), []DesiredUser{
			{Username: "a", Email: "nameless@example.com"},
			{Ref: ByID("nameless"), Email: "other@example.com"},
		}, SyncOptions{})
		require.ErrorIs(t, err, ErrForbidden)
		assert.Equal(t, 1, report.Failed)
		if refused == `"nameless"` {
			require.EqualError(t, report.Results[1].Err, "rocketchat: users.update: email is still that of nameless, whose step was not done")
		}
	}
}

// TestSyncGoesOnWithoutACustomField: a custom field that the server dropped does not keep
// others from what the step has freed.
func TestSyncGoesOnWithoutACustomField(t *testing.T) {
	t.Parallel()
	for name, desired := range map[string][]DesiredUser{
		"passed on": {moved("a", "c", ""), moved("b", "a", "")},
		"swapped":   {moved("a", "b", ""), moved("b", "a", "")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := rocketchattest.New()
			srv.Grant("view-privileged-setting")
			addNamed(t, srv, "a", "b")
			for i := range desired {
				desired[i].CustomFields = map[string]any{"color": "red"}
			}
			report, err := adminClient(t, srv).Users.Sync(t.Context(), desired, SyncOptions{})
			require.ErrorContains(t, err, "customFields.color was not stored")
			assert.Zero(t, report.NotBegun, err)
			for _, d := range desired {
				u, _ := srv.User(d.Username)
				assert.Equal(t, d.Ref, ByID(u.ID))
			}
		})
	}
}
