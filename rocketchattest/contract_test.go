package rocketchattest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// clock is a server clock that a test moves by hand.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// refusal is a failure of the contract and the request that causes it.
type refusal struct {
	file    string // in testdata/contract, without .json
	as      string // username; empty means without credentials
	call    string // "METHOD op?query"
	body    string
	status  int // 400 when it is zero
	version string
	with    []rocketchattest.Option
	prepare func(*world)
	header  map[string]string
}

// world is the server for the refusals.
type world struct {
	*rocketchattest.Server
	t     *testing.T
	clock *clock
	names map[string]string // bound for the request
}

const (
	alicePassword = "Meyer-Passw0rd-1"
	totpSecret    = "KJ3VS6LNGRXWG5DFOQQXI2DFNUQGK3TE"
)

func newWorld(t *testing.T, opts ...rocketchattest.Option) *world {
	t.Helper()
	c := &clock{time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)}
	opts = slices.Concat([]rocketchattest.Option{rocketchattest.WithClock(c.Now)}, opts)
	w := &world{rocketchattest.New(opts...), t, c, map[string]string{}}
	w.add(rocketchattest.User{ID: "alice", Username: "alice.meyer", Name: "Alice Meyer", Email: "alice.meyer@example.org", Password: alicePassword})
	w.add(rocketchattest.User{ID: "bruno", Username: "bruno.costa", Name: "Bruno Costa", Email: "bruno.costa@example.org", Password: "Costa-Passw0rd-1"})
	w.AddRole("auditor", "auditor-log", "")
	return w
}

func (w *world) add(u rocketchattest.User) {
	w.t.Helper()
	_, err := w.AddUser(u)
	require.NoError(w.t, err)
}

// call sends a request and returns the answer.
func (w *world) call(as, call, body string, header map[string]string) (reply, any) {
	w.t.Helper()
	method, op, _ := strings.Cut(call, " ")
	path := "/api/v1/" + op
	if strings.HasPrefix(op, "/") {
		path = op
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.URL()+path, strings.NewReader(body))
	require.NoError(w.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if as != "" {
		id, token := w.Login(as)
		req.Header.Set("X-User-Id", id)
		req.Header.Set("X-Auth-Token", token)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	return roundTrip(w.t, w, req)
}

// ok sends a request that must succeed and returns the answer's keys.
func (w *world) ok(as, call, body string) map[string]any {
	w.t.Helper()
	res, answer := w.call(as, call, body, nil)
	require.Equal(w.t, http.StatusOK, res.StatusCode, "%s: %v", call, answer)
	keys, _ := answer.(map[string]any)
	return keys
}

// code is the code in the last mail.
func (w *world) code() string {
	w.t.Helper()
	mails := w.Mails()
	require.NotEmpty(w.t, mails)
	return mails[len(mails)-1].Code
}

// unreachable are failures of the contract that no request can cause here.
var unreachable = []string{"common.internal-error-500", "users.getUsernameSuggestion.none", "users.resetE2EKey.failed"}

// undetailed are answers whose details differ between the recorded server and the contract.
var undetailed = []string{"login.blocked-for-user", "login.blocked-for-ip", "login.deactivated", "common.totp-max-attempts-400"}

func TestRefusals(t *testing.T) {
	t.Parallel()
	covered := slices.Clone(unreachable)
	for _, r := range slices.Concat(commonRefusals(), accountRefusals(), userRefusals(), tokenRefusals(), roleRefusals()) {
		covered = append(covered, r.file)
		t.Run(r.file, func(t *testing.T) {
			t.Parallel()
			r.check(t)
		})
	}
	files, err := filepath.Glob("testdata/contract/*.json")
	require.NoError(t, err)
	for _, file := range files {
		assert.Contains(t, covered, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
}

func (r *refusal) check(t *testing.T) {
	t.Helper()
	version, status := r.version, r.status
	if version == "" {
		version = "8.6.1"
	}
	if status == 0 {
		status = http.StatusBadRequest
	}
	w := newWorld(t, append([]rocketchattest.Option{rocketchattest.WithVersion(version)}, r.with...)...)
	if r.prepare != nil {
		r.prepare(w)
	}
	res, got := w.call(r.as, r.call, fill(r.body, w.names), r.header)
	b, err := os.ReadFile(filepath.Join("testdata", "contract", r.file+".json"))
	require.NoError(t, err)
	var want any
	require.NoError(t, json.Unmarshal(b, &want))
	for _, body := range []any{got, want} {
		if keys, ok := body.(map[string]any); ok && slices.Contains(undetailed, r.file) {
			delete(keys, "details")
		}
	}
	assert.Equal(t, status, res.StatusCode, "answer %v", got)
	assert.Equal(t, want, got)
}

func setting(name string, value any) []rocketchattest.Option {
	return []rocketchattest.Option{rocketchattest.WithSetting(name, value)}
}

func factor() []rocketchattest.Option {
	return []rocketchattest.Option{rocketchattest.WithSecondFactor()}
}

// clerk adds a user "clerk" with one additional permission.
func clerk(permission string) func(*world) {
	return func(w *world) {
		w.AddRole("clerk", "clerk", "")
		w.Grant(permission, "admin", "clerk")
		w.add(rocketchattest.User{Username: "clerk", Name: "Clerk", Email: "clerk@example.org", Roles: []string{"user", "clerk"}, Password: "Clerk-Passw0rd-1"})
	}
}

func withApp(w *world) {
	w.add(rocketchattest.User{Username: "app", Roles: []string{"admin"}, Email: "app@example.org", TOTPSecret: totpSecret, Password: "App-Passw0rd-12"})
}

func withMailed(w *world) {
	w.add(rocketchattest.User{Username: "alice.m", Roles: []string{"admin"}, Email: "m@example.org", EmailSecondFactor: true, Password: "App-Passw0rd-12"})
}

func nobodyLists(w *world) { w.Grant("view-d-room", "admin") }

func noPersonalTokens(w *world) { w.Grant("create-personal-access-tokens", "admin") }

const (
	newUser = `{"name":"Carla Dias","username":"carla.dias","email":"carla@example.org","password":"Dias-Passw0rd-1"%s}`
	signUp  = `{"name":"Carla Dias","username":"carla.dias","email":"carla@example.org","pass":"Dias-Passw0rd-1"%s}`
)

// but is a JSON object with some members replaced or added; null removes one.
func but(object, members string) string {
	var base, more map[string]any
	_ = json.Unmarshal([]byte(strings.ReplaceAll(object, "%s", "")), &base)
	_ = json.Unmarshal([]byte(members), &more)
	maps.Copy(base, more)
	maps.DeleteFunc(base, func(_ string, value any) bool { return value == nil })
	b, _ := json.Marshal(base)
	return string(b)
}

func commonRefusals() []refusal {
	limited := func(w *world) {
		for range 10 {
			w.ok("alice.meyer", "GET users.info?username=rocket.cat", "")
		}
		w.clock.now = w.clock.now.Add(17*time.Second + time.Millisecond)
	}
	spoilCodes := func(w *world) {
		w.call("alice.meyer", "POST users.2fa.disableEmail", "", nil)
		for range 4 {
			w.call("alice.meyer", "POST users.2fa.disableEmail", "", map[string]string{"x-2fa-code": "x"})
		}
	}
	mailed := func(w *world) { w.ok("alice.meyer", "POST users.2fa.enableEmail", "") }
	return []refusal{
		{file: "common.unauthorized-401", call: "GET users.list", status: 401},
		{file: "common.unauthorized-401-legacy", call: "GET users.list", status: 401, version: "7.3.2"},
		{file: "me.unauthorized", call: "GET me", status: 401},
		{file: "common.missing-permission-403", as: "alice.meyer", call: "POST users.delete", body: `{"userId":"bruno"}`, status: 403},
		{file: "common.forbidden-403", as: "alice.meyer", call: "POST users.logout", body: `{"userId":"bruno"}`, status: 403},
		{file: "common.rate-limited-429", as: "alice.meyer", call: "GET users.info?username=rocket.cat", status: 429, prepare: limited},
		{file: "common.invalid-body-400", as: "admin", call: "POST users.create", body: `{}`},
		{file: "common.additional-property-400", as: "admin", call: "POST users.create", body: but(newUser, `{"color":"blue"}`)},
		{file: "common.invalid-body-400-legacy", as: "admin", call: "POST users.create", body: `{}`, version: "7.7.1"},
		{file: "common.invalid-query-400", as: "admin", call: "GET users.listByStatus?status=gone"},
		{file: "common.invalid-sort-400", as: "admin", call: "GET users.list?sort=-createdAt"},
		{file: "common.query-string-too-deep-400", as: "admin", call: "GET users.listByStatus?" + strings.Repeat("roles[]=x&", 501)},
		{file: "common.totp-required-400", as: "app", call: "POST users.update", body: `{"userId":"alice","data":{}}`, with: factor(), prepare: withApp},
		{file: "common.totp-invalid-400", as: "app", call: "POST users.update", body: `{"userId":"alice","data":{}}`, with: factor(), prepare: withApp, header: map[string]string{"x-2fa-code": "1"}},
		{file: "common.totp-required-email-400", as: "alice.meyer", call: "POST users.2fa.disableEmail", with: factor(), prepare: mailed},
		{
			file: "common.totp-required-email-pending-400", as: "alice.meyer", call: "POST users.2fa.disableEmail", with: factor(),
			prepare: func(w *world) { mailed(w); w.call("alice.meyer", "POST users.2fa.disableEmail", "", nil) },
		},
		{
			file: "common.totp-max-attempts-400", as: "alice.meyer", call: "POST users.2fa.disableEmail", with: factor(),
			prepare: func(w *world) { mailed(w); spoilCodes(w) }, header: map[string]string{"x-2fa-code": "x"},
		},
		{file: "common.totp-required-password-400", as: "admin", call: "POST users.update", body: `{"userId":"alice","data":{}}`, with: factor()},
		{file: "common.empty-failure-400", as: "admin", call: `GET users.autocomplete?selector={"conditions":{"services":1}}`},
		{file: "common.match-error-400", as: "alice.meyer", call: "POST users.setStatus", body: `{}`},
	}
}

func accountRefusals() []refusal {
	login := `{"user":"alice.meyer","password":"` + alicePassword + `"}`
	wrong := `{"user":"alice.meyer","password":"no"}`
	fail := func(times int, body string) func(*world) {
		return func(w *world) {
			for range times {
				w.call("", "POST login", body, nil)
			}
		}
	}
	appLogin := `{"user":"app","password":"App-Passw0rd-12"}`
	own := "POST users.updateOwnBasicInfo"
	owner := func(w *world) { w.Join(w.AddRoom("team-room", "alice.meyer"), "bruno.costa") }
	right := digestOf(alicePassword)
	unlimited := rocketchattest.WithLimit(0, 0)
	return []refusal{
		{file: "login.unauthorized", call: "POST login", body: wrong, status: 401},
		{file: "login.totp-required", call: "POST login", body: appLogin, status: 401, with: factor(), prepare: withApp},
		{file: "login.totp-invalid", call: "POST login", body: but(appLogin, `{"code":"1"}`), status: 401, with: factor(), prepare: withApp},
		{file: "login.blocked-for-user", call: "POST login", body: login, status: 401, prepare: fail(10, wrong), with: []rocketchattest.Option{unlimited}},
		{file: "login.blocked-for-ip", call: "POST login", body: login, status: 401, prepare: fail(50, `{"user":"nobody","password":"no"}`), with: []rocketchattest.Option{unlimited}},
		{
			file: "login.deactivated", call: "POST login", body: login, status: 401,
			prepare: func(w *world) {
				w.ok("admin", "POST users.setActiveStatus", `{"userId":"alice","activeStatus":false}`)
			},
		},
		{file: "users.updateOwnBasicInfo.totp-required", as: "alice.meyer", call: own, body: `{"data":{"email":"a@example.org"}}`, with: factor()},
		{file: "users.updateOwnBasicInfo.wrong-current-password", as: "alice.meyer", call: own, body: `{"data":{"email":"a@example.org","currentPassword":"x"}}`, with: factor()},
		{file: "users.updateOwnBasicInfo.identity-not-saved", as: "alice.meyer", call: own, body: `{"data":{"username":"bruno.costa"}}`},
		{
			file: "users.updateOwnBasicInfo.username-change-not-allowed", as: "alice.meyer", call: own, body: `{"data":{"username":"alice.m"}}`,
			with: setting("Accounts_AllowUsernameChange", false),
		},
		{
			file: "users.updateOwnBasicInfo.profile-change-disabled", as: "alice.meyer", call: own, body: `{"data":{"bio":"x"}}`,
			with: setting("Accounts_AllowUserProfileChange", false),
		},
		{file: "users.updateOwnBasicInfo.password-policy", as: "alice.meyer", call: own, body: `{"data":{"newPassword":"short-1"}}`},
		{file: "users.updateOwnBasicInfo.same-password", as: "alice.meyer", call: own, body: `{"data":{"newPassword":"` + alicePassword + `"}}`},
		{file: "users.deleteOwnAccount.disabled", as: "alice.meyer", call: "POST users.deleteOwnAccount", body: `{"password":"x"}`},
		{
			file: "users.deleteOwnAccount.wrong-password", as: "alice.meyer", call: "POST users.deleteOwnAccount", body: `{"password":"x"}`,
			with: setting("Accounts_AllowDeleteOwnAccount", true),
		},
		{
			file: "users.deleteOwnAccount.last-owner", as: "alice.meyer", call: "POST users.deleteOwnAccount", body: `{"password":"` + strings.ToUpper(right) + `"}`,
			with: setting("Accounts_AllowDeleteOwnAccount", true), prepare: owner,
		},
		{file: "users.getPreferences.not-set", as: "admin", call: "GET users.getPreferences"},
		{file: "users.setPreferences.missing-data", as: "alice.meyer", call: "POST users.setPreferences", body: `{"preferences":{}}`},
		{file: "users.setPreferences.unknown-preference", as: "alice.meyer", call: "POST users.setPreferences", body: `{"data":{"color":"blue"}}`},
		{file: "users.setPreferences.not-a-number", as: "alice.meyer", call: "POST users.setPreferences", body: `{"data":{"idleTimeLimit":"soon"}}`},
		{file: "users.setPreferences.missing-permission", as: "alice.meyer", call: "POST users.setPreferences", body: `{"userId":"bruno","data":{}}`},
		{file: "users.setPreferences.unknown-user", as: "admin", call: "POST users.setPreferences", body: `{"userId":"nobody","data":{}}`},
		{file: "users.setAvatar.not-allowed", as: "alice.meyer", call: "POST users.setAvatar", body: `{"avatarUrl":"x"}`, with: setting("Accounts_AllowUserAvatarChange", false)},
		{file: "users.setAvatar.forbidden-json", as: "alice.meyer", call: "POST users.setAvatar", body: `{"avatarUrl":"x","userId":"bruno"}`, status: 403},
		{
			file: "users.setAvatar.forbidden-multipart", as: "alice.meyer", call: "POST users.setAvatar", header: multipartHeader(),
			body: multipartBody("userId", "bruno", true),
		},
		{file: "users.setAvatar.invalid-url", as: "alice.meyer", call: "POST users.setAvatar", body: `{"avatarUrl":"http://169.254.169.254/"}`},
		{file: "users.setAvatar.no-file", as: "alice.meyer", call: "POST users.setAvatar", header: multipartHeader(), body: multipartBody("userId", "alice", false)},
		{file: "users.getAvatar.unknown-user", as: "alice.meyer", call: "GET users.getAvatar?username=nobody"},
		{file: "users.getAvatar.missing-param", as: "alice.meyer", call: "GET users.getAvatar"},
		{file: "users.resetAvatar.missing-param", as: "alice.meyer", call: "POST users.resetAvatar", body: `{}`},
		{file: "users.resetAvatar.not-allowed", as: "alice.meyer", call: "POST users.resetAvatar", body: `{"userId":"bruno"}`},
		{file: "users.setStatus.forbidden", as: "alice.meyer", call: "POST users.setStatus", body: `{"userId":"bruno","status":"busy"}`, status: 403},
		{file: "users.setStatus.invalid-status", as: "alice.meyer", call: "POST users.setStatus", body: `{"status":"gone"}`},
		{file: "users.setStatus.invalid-status-legacy", as: "alice.meyer", call: "POST users.setStatus", body: `{"status":"gone"}`, version: "7.7.1"},
		{file: "users.setStatus.not-allowed", as: "alice.meyer", call: "POST users.setStatus", body: `{"message":"x"}`, with: setting("Accounts_AllowUserStatusMessageChange", false)},
		{file: "users.setStatus.invisible-disabled", as: "alice.meyer", call: "POST users.setStatus", body: `{"status":"offline"}`, with: setting("Accounts_AllowInvisibleStatusOption", false)},
		{file: "users.setStatus.past-date", as: "alice.meyer", call: "POST users.setStatus", body: `{"status":"busy","expiresAt":"2025-01-01T00:00:00Z"}`},
		{file: "users.setStatus.bad-date", as: "alice.meyer", call: "POST users.setStatus", body: `{"status":"busy","expiresAt":"soon"}`},
		{file: "users.setStatus.nothing-to-do", as: "alice.meyer", call: "POST users.setStatus", body: `{}`},
		{file: "users.getStatus.unknown-user", as: "alice.meyer", call: "GET users.getStatus?userId=nobody"},
		{file: "presence.getConnections.missing-permission", as: "alice.meyer", call: "GET presence.getConnections", status: 403},
		{file: "presence.enableBroadcast.missing-permission", as: "alice.meyer", call: "POST presence.enableBroadcast", status: 403},
		{file: "custom-user-status.create.not-authorized", as: "alice.meyer", call: "POST custom-user-status.create", body: `{"name":"Focus"}`},
		{
			file: "custom-user-status.create.name-taken", as: "admin", call: "POST custom-user-status.create", body: `{"name":"Focus"}`,
			prepare: func(w *world) { w.ok("admin", "POST custom-user-status.create", `{"name":"Focus"}`) },
		},
		{file: "custom-user-status.create.invalid-status-type", as: "admin", call: "POST custom-user-status.create", body: `{"name":"Focus","statusType":"gone"}`},
		{file: "custom-user-status.update.not-found", as: "admin", call: "POST custom-user-status.update", body: `{"_id":"nope","name":"x"}`},
		{file: "custom-user-status.delete.missing-id", as: "admin", call: "POST custom-user-status.delete", body: `{}`},
		{file: "custom-user-status.delete.not-found", as: "admin", call: "POST custom-user-status.delete", body: `{"customUserStatusId":"nope"}`},
	}
}
