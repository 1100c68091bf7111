package rocketchat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// staff is a server with random accounts, and a random list of what they should be like.
type staff struct {
	*rand.Rand
	clean   bool // the server refuses nothing of it
	graded  bool // people have a grade
	srv     *rocketchattest.Server
	names   []string
	isBot   map[string]bool
	desired []DesiredUser
	opts    SyncOptions
}

func (s *staff) chance(n int) bool { return s.IntN(n) == 0 }

// mostly returns good, or something else unless the staff is clean.
func (s *staff) mostly(good string, others ...string) string {
	if s.clean || s.chance(2) {
		return good
	}
	return others[s.IntN(len(others))]
}

// shuffled gives each account a value, half of the time often the one that it has.
func (s *staff) shuffled(values []string) []string {
	out := make([]string, len(values))
	for i, j := range s.Perm(len(values)) {
		out[i] = values[j]
	}
	if s.chance(2) {
		return out
	}
	for i, name := range s.names {
		if s.chance(2) {
			out[slices.Index(out, name)], out[i] = out[i], name
		}
	}
	return out
}

// newStaff makes the staff of a seed, which is the same each time.
func newStaff(t *testing.T, seed uint64, opts ...rocketchattest.Option) *staff {
	t.Helper()
	s := &staff{Rand: rand.New(rand.NewPCG(seed, 11)), names: strings.Split("abcdefghijkl", ""), isBot: make(map[string]bool)}
	s.clean = s.chance(2)
	s.graded = s.chance(2)
	fields := `{"team":{"type":"text","maxLength":8}}`
	if s.graded {
		fields = `{"team":{"type":"text","maxLength":8},"grade":{"type":"select","options":["a","b"],"defaultValue":"a"}}`
	}
	s.srv = rocketchattest.New(append([]rocketchattest.Option{
		rocketchattest.WithLimit(0, 0),
		rocketchattest.WithSetting("Accounts_CustomFields", fields),
		rocketchattest.WithSetting("Accounts_BlockedDomainsList", "evil.test"),
	}, opts...)...)
	for _, name := range s.names {
		s.hire(t, name)
	}
	values := append(strings.Split("vwxyz", ""), s.names...)
	if !s.clean {
		values = append(values, "system", "here")
	}
	usernames, emails := s.shuffled(values), s.shuffled(values)
	for i, name := range s.names {
		if !s.clean && s.chance(5) {
			continue
		}
		d := s.person(name)
		if s.clean || !s.chance(4) {
			d.Username = usernames[i]
		}
		if s.clean || !s.chance(4) {
			d.Email = emails[i] + "@" + s.mostly("example.com", "example.com", "evil.test")
		}
		s.describe(&d, !s.isBot[name])
		s.desired = append(s.desired, d)
	}
	for i := range s.IntN(3) {
		d := DesiredUser{Username: usernames[len(s.names)+i], Email: emails[len(s.names)+i] + "@example.com"}
		s.describe(&d, !s.isBot[d.Username])
		if len(d.Roles) == 0 {
			d.Roles = nil // servers give new accounts a role
		}
		s.desired = append(s.desired, d)
	}
	if !s.clean {
		s.desired = append(s.desired, DesiredUser{Ref: ByID("nobody"), Name: "No"}, DesiredUser{Ref: Self(), Roles: []string{"user"}, Active: new(false)})
	}
	s.Shuffle(len(s.desired), func(i, j int) { s.desired[i], s.desired[j] = s.desired[j], s.desired[i] })
	s.opts = SyncOptions{MaxDeactivations: 1, Concurrency: 1 + s.IntN(4), Match: func(u *User) string { return strings.TrimPrefix(u.ID, "id.") }}
	if s.chance(2) {
		s.opts.Departed = func(u *User) bool { return u.Username != "l" && u.Username != "k" }
	}
	return s
}

// hire adds an account.
func (s *staff) hire(t *testing.T, name string) {
	t.Helper()
	u := rocketchattest.User{
		ID: "id." + name, Username: name, Name: "Person " + name, Email: name + "@example.com",
		Inactive: s.chance(5), ImportIDs: []string{"import." + name},
		Roles: [][]string{{"user"}, {"user"}, {"user", "admin"}, {"user", "guest"}, {"bot"}}[s.IntN(5)],
	}
	s.isBot[name] = u.Roles[0] == "bot"
	if s.chance(2) {
		u.Bio, u.Nickname = "Bio", "Nick"
	}
	_, err := s.srv.AddUser(u)
	require.NoError(t, err)
}

// person refers to an account.
func (s *staff) person(name string) DesiredUser {
	if s.chance(5) {
		return DesiredUser{Key: name}
	}
	return DesiredUser{Ref: []UserRef{ByID("id." + name), ByImportID("import." + name), ByUsername(name), ByEmail(name + "@example.com")}[s.IntN(4)]}
}

// describe sets what has nothing to do with who somebody is.
func (s *staff) describe(d *DesiredUser, roles bool) {
	if s.chance(3) {
		d.Name = s.mostly("New Name", "A <b>", "Person a")
	}
	if roles && s.chance(3) {
		d.Roles = [][]string{{"user"}, {"user", "admin"}, {"guest", "user"}, {s.mostly("user", "chief")}, {}}[s.IntN(5)]
	}
	if s.chance(4) {
		d.Active = new(s.chance(2))
	}
	if s.chance(3) {
		d.Bio = new(s.mostly("Other", "", "Bio", strings.Repeat("x", 261)))
	}
	if s.chance(3) {
		d.Nickname = new(s.mostly("Other", "", "Nick"))
	}
	if s.chance(4) {
		d.CustomFields = map[string]any{s.mostly("team", "color"): s.mostly("ops", "dev", "operations")}
		if s.graded {
			d.CustomFields["grade"] = s.mostly("a", "b", "c")
		}
	}
}

// staffs is how many of them a test tries.
func staffs() uint64 {
	if testing.Short() {
		return 50
	}
	return 200
}

// accounts are what the accounts are like, by ID; by username those that a sync created.
func (s *staff) accounts() map[string]string {
	all := make(map[string]string)
	for _, u := range s.srv.Users() {
		key := u.ID
		if !strings.HasPrefix(key, "id.") {
			key = u.Username
		}
		all[key] = fmt.Sprint(u.Username, u.Email, u.Unverified, u.Name, u.Roles, u.Inactive, u.Bio, u.Nickname, u.CustomFields)
	}
	return all
}

// synced are the accounts of a staff after a sync that nobody disturbs.
func synced(t *testing.T, seed uint64) map[string]string {
	t.Helper()
	s := newStaff(t, seed)
	_, _ = adminClient(t, s.srv).Users.Sync(t.Context(), s.desired, s.opts) // some wishes are refused
	return s.accounts()
}

// addsUp checks that each step is done, failed or not begun.
func addsUp(t *testing.T, report *SyncReport, seed uint64) {
	t.Helper()
	done := 0
	for _, result := range report.Results {
		assert.Equal(t, result.Done, result.Err == nil, "seed %d: %v", seed, result.Err)
		if result.Done {
			done++
		}
	}
	assert.Equal(t, len(report.Results), done+report.Failed+report.NotBegun, "seed %d", seed)
}

// TestSyncOfRandomStaffs: whatever a plan does not refuse comes true, with as many calls as
// it says, and nobody else is touched. The next plan has nothing to do.
func TestSyncOfRandomStaffs(t *testing.T) {
	t.Parallel()
	for seed := range staffs() {
		synctest.Test(t, func(t *testing.T) {
			opts := []rocketchattest.Option{rocketchattest.WithLatency(time.Second)}
			var factor []Option
			if seed%2 == 0 {
				opts = append(opts, rocketchattest.WithSecondFactor())
				factor = append(factor, WithTwoFactor(AnswerWithPassword(NewSecret(rocketchattest.AdminPassword))))
			}
			s := newStaff(t, seed, opts...)
			c := adminClient(t, s.srv, factor...)
			before := s.accounts()
			plan, err := c.Users.PlanSync(t.Context(), s.desired, s.opts)
			require.NoError(t, err, "seed %d", seed)
			require.Equal(t, before, s.accounts(), "seed %d: a plan changes nothing", seed)
			for _, r := range plan.Refusals {
				assert.True(t, r.Code != "" && r.Username != "" && r.Field != "" && r.Reason != "" && (r.Other != "") == (r.Code == SyncTaken), "seed %d: %#v", seed, r)
			}
			if s.clean {
				keepsAdmin := func(r SyncRefusal) bool { return r.Code == SyncLastAdmin || r.Code == SyncBot || r.Code == SyncTaken }
				assert.Empty(t, slices.DeleteFunc(slices.Clone(plan.Refusals), keepsAdmin), "seed %d", seed)
			}
			calls, counted := len(s.srv.Calls()), plan.Calls()
			report, err := plan.Run(t.Context())
			assert.Equal(t, len(plan.Refusals) > 0, err != nil, "seed %d: %v", seed, err)
			assert.Zero(t, report.Failed+report.NotBegun, "seed %d: %v", seed, err)
			assert.Equal(t, counted, callsAfter(s.srv, calls), "seed %d", seed)

			after := s.accounts()
			touched := make(map[string]bool)
			for _, step := range plan.Steps {
				touched[step.UserID] = true
			}
			maps.DeleteFunc(before, func(id, _ string) bool { return touched[id] })
			for id, was := range before {
				assert.Equal(t, was, after[id], "seed %d: %s is not touched", seed, id)
			}
			assert.NotContains(t, fmt.Sprint(after), "sync-", "seed %d: no temporary value is left", seed)
			assert.True(t, slices.ContainsFunc(s.srv.Users(), func(u rocketchattest.User) bool {
				return !u.Inactive && slices.Contains(u.Roles, "admin")
			}), "seed %d: an administrator is left", seed)

			for i, id := range report.UserIDs { // what people were called does not refer to them any more
				if id != "" {
					s.desired[i].Ref, s.desired[i].Key = ByID(id), ""
				}
			}
			again, err := c.Users.PlanSync(t.Context(), s.desired, s.opts)
			require.NoError(t, err, "seed %d", seed)
			assert.Empty(t, again.Steps, "seed %d: %s after %s", seed, again, plan)
			assert.Len(t, again.Refusals, len(plan.Refusals), "seed %d: %s after %s", seed, again, plan)
		})
	}
}

// TestSyncOfRandomStaffsIsResumed kills syncs one to three times, with journals that are
// cut off anywhere in what was written last. They end as they do when nobody disturbs them.
func TestSyncOfRandomStaffsIsResumed(t *testing.T) {
	t.Parallel()
	for seed := range staffs() {
		synctest.Test(t, func(t *testing.T) {
			undisturbed := synced(t, seed)
			s := newStaff(t, seed)
			var log bytes.Buffer
			finished := false
			for n := 1 + s.IntN(3); n > 0 && !finished; n-- {
				var err error
				finished, err = s.killed(t, &log)
				require.NoError(t, err, "seed %d", seed)
			}
			if !finished {
				before, err := ReadSyncJournal(bytes.NewReader(log.Bytes()))
				require.NoError(t, err, "seed %d", seed)
				s.opts.Resume = before
				report, err := adminClient(t, s.srv).Users.Sync(t.Context(), s.desired, s.opts)
				require.NotNil(t, report, "seed %d: %v", seed, err)
				assert.Zero(t, report.Failed+report.NotBegun, "seed %d: %v", seed, err)
			}
			assert.Equal(t, undisturbed, s.accounts(), "seed %d", seed)
		})
	}
}

// killed runs a sync in a process that dies.
func (s *staff) killed(t *testing.T, log *bytes.Buffer) (finished bool, err error) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	opts, lines := s.opts, &brittle{ctx: ctx}
	if opts.Resume, err = ReadSyncJournal(bytes.NewReader(log.Bytes())); err != nil {
		return false, err
	}
	opts.Journal = lines
	transport := dying(s.srv, kill, 1+s.Int32N(30), s.chance(2), new(atomic.Int32))
	report, _ := adminClient(t, s.srv, WithTransport(transport)).Users.Sync(ctx, s.desired, opts)
	written := lines.Bytes()
	if report != nil && report.NotBegun == len(report.Results) { // the people may be cut off
		written = written[:s.IntN(len(written)+1)]
	}
	log.Write(written)
	return report != nil && report.Failed+report.NotBegun == 0, nil
}

// faulty is the transport to a server that fails now and then, before or after it acted.
func faulty(srv *rocketchattest.Server, random *rand.Rand) roundTripper {
	var mu sync.Mutex
	return func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		fault := random.IntN(40)
		mu.Unlock()
		switch fault {
		case 0:
			return nil, errors.New("connection refused")
		case 1:
			return replyJSON(http.StatusInternalServerError, `{"success":false}`), nil
		case 2:
			return reply(http.StatusServiceUnavailable, "text/html", "<html>"), nil
		case 3:
			return replyJSON(http.StatusTooManyRequests, `{"success":false,"error":"Error, too many requests. You must wait 5 seconds before trying this endpoint again. [error-too-many-requests]"}`), nil
		}
		res, err := srv.RoundTrip(r)
		switch {
		case err != nil || fault > 7:
			return res, err
		case fault == 4:
			return nil, errors.Join(errors.New("connection reset"), res.Body.Close())
		case fault == 5:
			return reply(http.StatusBadGateway, "text/html", "<html>"), res.Body.Close()
		case fault == 6 && r.URL.Path == "/api/v1/users.update":
			return replyJSON(http.StatusBadRequest, `{"success":false,"error":"Not possible","errorType":"Edit_Federated_User_Not_Allowed"}`), res.Body.Close()
		case fault == 7:
			res.ContentLength, res.Body = -1, &cutBody{io.LimitReader(res.Body, 40), io.ErrUnexpectedEOF}
		}
		return res, nil
	}
}

// TestSyncOfRandomStaffsWithFaults: each step is done, failed or not begun, and the next
// sync ends as one does that nobody disturbs.
func TestSyncOfRandomStaffsWithFaults(t *testing.T) {
	t.Parallel()
	for seed := range staffs() {
		synctest.Test(t, func(t *testing.T) {
			undisturbed := synced(t, seed)
			s := newStaff(t, seed)
			var log bytes.Buffer
			opts := s.opts
			opts.Journal = &log
			report, err := adminClient(t, s.srv, WithTransport(faulty(s.srv, s.Rand))).Users.Sync(t.Context(), s.desired, opts)
			if report == nil { // the plan failed
				require.Error(t, err)
				return
			}
			addsUp(t, report, seed)
			if opts.Resume, err = ReadSyncJournal(bytes.NewReader(log.Bytes())); err != nil || !opts.Resume.Finished {
				require.NoError(t, err, "seed %d", seed)
				report, err = adminClient(t, s.srv).Users.Sync(t.Context(), s.desired, opts)
				require.NotNil(t, report, "seed %d: %v", seed, err)
				assert.Zero(t, report.Failed+report.NotBegun, "seed %d: %v", seed, err)
			}
			assert.Equal(t, undisturbed, s.accounts(), "seed %d", seed)
		})
	}
}

// temporaryName is a username that a sync made up.
var temporaryName = regexp.MustCompile(`^[a-l]-[a-z]{8}$`)

// TestSyncOfRandomStaffsWithoutSettings: where the plan does not know the rules, the server
// refuses steps in the middle of swaps and circles. Nobody keeps a temporary value.
func TestSyncOfRandomStaffsWithoutSettings(t *testing.T) {
	t.Parallel()
	for seed := range staffs() {
		synctest.Test(t, func(t *testing.T) {
			s := newStaff(t, seed)
			s.srv.Grant("view-privileged-setting")
			report, err := adminClient(t, s.srv).Users.Sync(t.Context(), s.desired, s.opts)
			require.NotNil(t, report, "seed %d: %v", seed, err)
			addsUp(t, report, seed)
			for _, u := range s.srv.Users() {
				assert.False(t, temporaryName.MatchString(u.Username) || strings.Contains(u.Email, "+sync-"), "seed %d: %s %s: %v", seed, u.Username, u.Email, err)
			}
		})
	}
}
