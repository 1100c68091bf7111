package rocketchattest_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// names are the given member of every item of a list.
func names(t *testing.T, items any, key string) []string {
	t.Helper()
	all, ok := items.([]any)
	require.True(t, ok, "%v", items)
	found := []string{}
	for _, item := range all {
		s, _ := dig(item, key).(string)
		found = append(found, s)
	}
	return found
}

func TestListing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0), rocketchattest.WithVersion("8.6.1"))
	w.add(rocketchattest.User{Username: "zoe", Name: "ada", Inactive: true, LastLogin: w.clock.now, Roles: []string{"user", "bot"}, ImportIDs: []string{"i1"}})
	list := func(op, query string) []string {
		return names(t, w.ok("admin", "GET "+op+"?"+query, "")["users"], "username")
	}
	everybody := []string{"admin", "alice.meyer", "bruno.costa", "rocket.cat", "zoe"}
	assert.Equal(t, everybody, list("users.list", ""))
	assert.Equal(t, []string{"zoe", "rocket.cat"}, list("users.list", `count=2&sort={"name":-1}`), "ada comes after Rocket.Cat: upper case first")
	assert.Equal(t, []string{"rocket.cat", "admin", "alice.meyer", "bruno.costa", "zoe"}, list("users.list", `sort={"status":-1,"username":1}`))
	assert.Equal(t, []string{"zoe"}, list("users.list", `sort={"lastLogin":-1}&count=1`))
	assert.Equal(t, []string{"alice.meyer"}, list("users.list", "email=Alice.Meyer@example.org"))
	assert.Empty(t, list("users.list", "email=nobody@example.org"))
	assert.Equal(t, []string{"zoe"}, list("users.list", "offset=4"))

	w.Set("API_Upper_Count_Limit", 2)
	assert.Len(t, list("users.list", "count=50"), 2, "the upper limit cuts silently")
	assert.Len(t, list("users.list", "count=0"), len(everybody))
	w.Set("API_Allow_Infinite_Count", false)
	w.Set("API_Default_Count", 1)
	assert.Len(t, list("users.list", "count=0"), 1)
	w.Set("API_Upper_Count_Limit", 100)
	w.Set("API_Default_Count", 50)

	assert.Equal(t, []string{"zoe"}, list("users.listByStatus", "status=deactivated"))
	assert.Equal(t, []string{"zoe"}, list("users.listByStatus", "inactiveReason[]=deactivated&status=deactivated"))
	assert.Equal(t, everybody, list("users.listByStatus", "inactiveReason[]=deactivated"), "who has no reason is not left out")
	assert.Equal(t, []string{"zoe"}, list("users.listByStatus", "hasLoggedIn=true"))
	assert.Equal(t, []string{"rocket.cat", "zoe"}, list("users.listByStatus", "roles=bot"))
	assert.Equal(t, everybody, list("users.listByStatus", "roles[]=all"))
	assert.Equal(t, []string{"rocket.cat"}, list("users.listByStatus", "type=bot"))
	assert.Equal(t, []string{"bruno.costa"}, list("users.listByStatus", "searchTerm=COSTA@"))

	for _, query := range []string{"count=-1", "count=x", `sort={"name":2}`, `sort=["name"]`, `sort={"name"`} {
		res, _ := w.call("admin", "GET users.list?"+query, "", nil)
		assert.Equal(t, http.StatusBadRequest, res.StatusCode, query)
	}
	w.Set("API_Apply_permission_view-outside-room_on_users-list", true)
	w.Grant("view-outside-room", "admin")
	res, _ := w.call("alice.meyer", "GET users.list", "", nil)
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
	assert.Equal(t, "zoe", dig(w.ok("admin", "GET users.info?importId=i1", ""), "user.username"))
}

func TestUnsafeParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0), rocketchattest.WithEnv("ALLOW_UNSAFE_QUERY_AND_FIELDS_API_PARAMS", "true"))
	list := func(query string) []string {
		return names(t, w.ok("admin", "GET users.list?query="+url.QueryEscape(query), "")["users"], "username")
	}
	for query, want := range map[string][]string{
		`{"username":{"$in":["admin","bruno.costa"]}}`:                    {"admin", "bruno.costa"},
		`{"username":{"$nin":["admin","bruno.costa"]},"type":"user"}`:     {"alice.meyer"},
		`{"username":{"$regex":"^a"}}`:                                    {"admin", "alice.meyer"},
		`{"$or":[{"type":"bot"},{"username":"admin"}]}`:                   {"admin", "rocket.cat"},
		`{"$and":[{"active":true},{"roles":"admin"}]}`:                    {"admin"},
		`{"name":{"$ne":"Administrator"},"emails.address":{"$exists":1}}`: {"rocket.cat"},
		`{"username":{"$eq":"admin"}}`:                                    {"admin"},
	} {
		assert.Equal(t, want, list(query), query)
	}
	res, answer := w.call("admin", `GET users.list?fields={"createdAt":1}&query={"username":"admin"}`, "", nil)
	users, _ := dig(answer, "users").([]any)
	require.Len(t, users, 1)
	assert.Contains(t, users[0], "createdAt")
	assert.NotContains(t, users[0], "username")
	assert.Equal(t, "9.0.0", res.Header.Get("X-Deprecation-Version"))
	for query, code := range map[string]string{
		`query={"$where":1}`: "error-invalid-query", `query={"username":{"$gt":1}}`: "error-invalid-query", `query={`: "error-invalid-query",
		`fields={`: "error-invalid-fields", `query={"username":{"$regex":"("}}`: "error-invalid-query", `query={"$or":[{"x":1}]}`: "error-invalid-query",
	} {
		_, answer := w.call("admin", "GET users.list?"+query, "", nil)
		assert.Equal(t, code, dig(answer, "errorType"), query)
	}
}

func TestFinding(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0), rocketchattest.WithVersion("8.6.1"))
	w.add(rocketchattest.User{Username: "outsider", Name: "Out Sider", Roles: []string{"guest"}, Nickname: "cost"})
	complete := func(as, selector string) []string {
		return names(t, w.ok(as, "GET users.autocomplete?selector="+url.QueryEscape(selector), "")["items"], "username")
	}
	assert.Equal(t, []string{"bruno.costa", "outsider"}, complete("alice.meyer", `{"term":"COST"}`))
	assert.Equal(t, []string{"outsider"}, complete("alice.meyer", `{"term":"cost","exceptions":["bruno.costa"]}`))
	assert.Equal(t, []string{"bruno.costa"}, complete("alice.meyer", `{"conditions":{"username":{"$ne":"x"},"name":"Bruno Costa"}}`))
	assert.NotEmpty(t, complete("outsider", `{"term":"bruno"}`), "who shares a room is found")

	directory := w.ok("admin", `GET directory?type=users&text=meyer&sort={"name":1}`, "")
	assert.Equal(t, []string{"alice.meyer"}, names(t, directory["result"], "username"))
	assert.InDelta(t, 1, directory["total"], 0)
	directory = w.ok("admin", `GET directory?type=users&sort={"email":-1}&count=1`, "")
	assert.Equal(t, []string{"bruno.costa"}, names(t, directory["result"], "username"))
	for _, query := range []string{`type=users&sort={"name":1,"bio":1}`, `type=users&sort={"lastLogin":1}`, "type=x"} {
		res, _ := w.call("admin", "GET directory?"+query, "", nil)
		assert.Equal(t, http.StatusBadRequest, res.StatusCode, query)
	}
	assert.Equal(t, []string{"bruno.costa"}, names(t, w.ok("alice.meyer", "GET spotlight?query=@bruno", "")["users"], "username"))
	anonymous, _ := w.call("", "GET spotlight?query=bruno", "", nil)
	assert.Equal(t, http.StatusUnauthorized, anonymous.StatusCode)
	w.Set("Accounts_AllowAnonymousRead", true)
	assert.Empty(t, w.ok("", "GET spotlight?query=bruno", "")["users"], "strangers find nobody")

	assert.Equal(t, "alice.meyer", w.ok("alice.meyer", "GET users.getUsernameSuggestion", "")["result"])
	w.add(rocketchattest.User{ID: "new", Name: "Bruno  Costa", Email: "bruno@example.org"})
	assert.Equal(t, "bcosta", w.ok("new", "GET users.getUsernameSuggestion", "")["result"])
	res, _ := w.call("new", "GET users.list", "", nil)
	assert.Equal(t, http.StatusInternalServerError, res.StatusCode, "a user without username may do little")
	me := w.ok("new", "GET me", "")
	assert.Equal(t, w.URL()+"/avatar/undefined", me["avatarUrl"])
	w.ok("new", "POST users.updateOwnBasicInfo", `{"data":{"username":"newcomer"}}`)
	w.ok("new", "GET users.list", "")
}

func TestTeams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddTeam("open", false, "bruno.costa", "alice.meyer")
	w.AddTeam("closed", true, "bruno.costa", "nobody")
	list := func(as string) []any {
		teams, _ := w.ok(as, "GET users.listTeams?userId=bruno", "")["teams"].([]any)
		return teams
	}
	assert.Equal(t, []string{"open"}, names(t, list("alice.meyer"), "name"), "private teams of others are not shown")
	assert.Equal(t, []string{"open", "closed"}, names(t, list("admin"), "name"))
	assert.Equal(t, true, dig(list("admin")[0], "isOwner"))
	assert.Equal(t, false, w.ok("alice.meyer", "GET users.checkUsernameAvailability?username=open", "")["result"])
}

func TestPresence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithVersion("8.6.1"), rocketchattest.WithLimit(0, 0))
	w.add(rocketchattest.User{ID: "live", Username: "live", Status: "online"})
	seen := func(query string) []string {
		return names(t, w.ok("alice.meyer", "GET users.presence?"+query, "")["users"], "_id")
	}
	assert.Equal(t, []string{"live", "rocket.cat"}, seen(""))
	w.ok("live", "POST users.setStatus", `{"status":"busy","message":"deep"}`)
	assert.Equal(t, "busy", w.ok("alice.meyer", "GET users.getPresence?username=live", "")["presence"])
	w.ok("bruno.costa", "POST users.setStatus", `{"message":"away from here"}`)
	assert.Equal(t, []string{"bruno", "live"}, seen("ids=live,bruno,nobody"))
	assert.Equal(t, []string{"live"}, seen("ids=live&ids=alice"))
	w.clock.now = w.clock.now.Add(11 * time.Minute)
	w.ok("bruno.costa", "POST users.setStatus", `{"status":"away"}`)
	assert.Equal(t, []string{"bruno"}, seen("from="+w.clock.now.Add(-time.Minute).Format(time.RFC3339)))
	assert.InDelta(t, 1, w.ok("admin", "GET presence.getConnections", "")["current"], 0)
	w.Set("Presence_broadcast_disabled", true)
	assert.Empty(t, seen(""))
	w.ok("admin", "POST presence.enableBroadcast", "")
	assert.NotEmpty(t, seen(""))
}

func TestCustomStatuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithVersion("8.6.1"))
	id, _ := dig(w.ok("admin", "POST custom-user-status.create", `{"name":"Focus","statusType":"busy"}`), "customUserStatus._id").(string)
	w.ok("admin", "POST custom-user-status.create", `{"name":"Lunch"}`)
	w.ok("admin", "POST custom-user-status.update", `{"_id":"`+id+`","name":"Deep focus","statusType":"away"}`)
	list := w.ok("alice.meyer", `GET custom-user-status.list?sort={"name":-1}`, "")
	assert.Equal(t, []string{"Lunch", "Deep focus"}, names(t, list["statuses"], "name"))
	w.ok("admin", "POST custom-user-status.delete", `{"customUserStatusId":"`+id+`"}`)
	assert.InDelta(t, 0, w.ok("alice.meyer", "GET custom-user-status.list?name=FOCUS", "")["total"], 0)
}

func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithVersion("8.6.1"))
	w.AddRole("r1", "support", "Support")
	roomID := w.AddRoom("ops", "bruno.costa")
	w.Join(roomID, "alice.meyer")
	w.ok("admin", "POST roles.addUserToRole", `{"username":"alice.meyer","roleId":"r1"}`)
	w.ok("admin", "POST roles.addUserToRole", `{"username":"alice.meyer","roleId":"moderator","roomId":"`+roomID+`"}`)
	in := func(query string) []string {
		return names(t, w.ok("admin", "GET roles.getUsersInRole?"+query, "")["users"], "username")
	}
	assert.Equal(t, []string{"alice.meyer"}, in("role=r1"))
	assert.Equal(t, []string{"alice.meyer"}, in("role=moderator&roomId="+roomID))
	assert.Equal(t, []string{"bruno.costa"}, in("role=owner"))
	assert.Empty(t, in("role=moderator&roomId=GENERAL"))
	public, _ := w.ok("alice.meyer", "GET roles.getUsersInPublicRoles", "")["users"].([]any)
	assert.Equal(t, []string{"admin", "alice.meyer"}, names(t, public, "username"))
	w.ok("admin", "POST roles.removeUserFromRole", `{"username":"alice.meyer","roleId":"moderator","scope":"`+roomID+`"}`)
	w.ok("admin", "POST roles.removeUserFromRole", `{"username":"alice.meyer","roleId":"r1"}`)
	w.ok("admin", "POST roles.delete", `{"roleId":"r1"}`)
	later := url.QueryEscape(w.clock.now.Add(time.Hour).Format(time.RFC3339))
	assert.Empty(t, dig(w.ok("admin", "GET roles.sync?updatedSince="+later, ""), "roles.update"))
	assert.NotEmpty(t, dig(w.ok("admin", "GET roles.sync", ""), "roles.update"))
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithVersion("8.6.1"), rocketchattest.WithLimit(0, 0), rocketchattest.WithSecondFactor(),
		rocketchattest.WithAdminPassword("other"))
	w.ok("", "POST login", `{"username":"admin","password":{"digest":"`+digestOf("other")+`","algorithm":"sha-256"}}`)
	res, answer := w.call("", "POST login", "email=alice.meyer%40example.org&password="+alicePassword, map[string]string{
		"Content-Type": "application/x-www-form-urlencoded",
	})
	assert.Equal(t, http.StatusOK, res.StatusCode, "%v", answer)

	sha := map[string]string{"x-2fa-code": digestOf("other"), "x-2fa-method": "password"}
	withApp(w)
	_, _ = w.call("admin", "POST users.resetTOTP", `{"username":"app"}`, sha)
	u, _ := w.User("app")
	assert.Empty(t, u.TOTPSecret)

	w.add(rocketchattest.User{ID: "idle", Username: "idle", LastLogin: w.clock.now.AddDate(0, 0, -40)})
	assert.InDelta(t, 1, w.ok("admin", "POST users.deactivateIdle", `{"daysIdle":"30"}`)["count"], 0, "numbers may come as text")
	u, _ = w.User("idle")
	assert.True(t, u.Inactive)

	w.ok("alice.meyer", "POST users.2fa.enableEmail", "")
	w.call("alice.meyer", "POST users.2fa.disableEmail", "", nil)
	res, _ = w.call("alice.meyer", "POST users.2fa.disableEmail", "", map[string]string{"x-2fa-code": w.code()})
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, true, w.ok("", "GET pw.getPolicy", "")["enabled"])
	assert.Equal(t, true, w.ok("alice.meyer", "GET users.requestDataDownload", "")["requested"])
	assert.Equal(t, false, w.ok("alice.meyer", "GET users.requestDataDownload", "")["requested"])

	w.Set("Accounts_AllowDeleteOwnAccount", true)
	w.ok("alice.meyer", "POST users.deleteOwnAccount", `{"password":"`+digestOf(alicePassword)+`"}`)
	_, ok := w.User("alice.meyer")
	assert.False(t, ok)
	_, err := w.AddUser(rocketchattest.User{Username: "BRUNO.costa"})
	require.Error(t, err)
	id, token := w.Login("nobody")
	assert.Empty(t, id+token)
}

func TestOwnPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithSecondFactor(), rocketchattest.WithLimit(0, 0), rocketchattest.WithSetting("Accounts_Password_History_Enabled", true))
	own := func(body string) any {
		_, answer := w.call("alice.meyer", "POST users.updateOwnBasicInfo", body, nil)
		return answer
	}
	first, second := digestOf(alicePassword), digestOf("Another-1")
	assert.Equal(t, "totp-required", dig(own(`{"data":{"newPassword":"Another-1"}}`), "errorType"))
	_, pat := w.PersonalAccessToken("alice.meyer", "ci", true)
	assert.Equal(t, true, dig(own(`{"data":{"newPassword":"Another-1","currentPassword":"`+first+`"}}`), "success"))
	res, _ := w.call("", "GET me", "", map[string]string{"X-User-Id": "alice", "X-Auth-Token": pat})
	assert.Equal(t, http.StatusUnauthorized, res.StatusCode, "a new password ends personal access tokens")
	assert.Equal(t, "error-password-in-history", dig(own(`{"data":{"newPassword":"`+alicePassword+`","currentPassword":"`+second+`"}}`), "errorType"))
}

func TestForcedPassword(t *testing.T) {
	t.Parallel()
	for version, ends := range map[string]bool{"7.7.1": false, "8.0.0": true} {
		w := newWorld(t, rocketchattest.WithSecondFactor(), rocketchattest.WithVersion(version))
		w.add(rocketchattest.User{Username: "forced", Password: "Start-1", RequirePasswordChange: true})
		w.ok("forced", "POST users.updateOwnBasicInfo", `{"data":{"newPassword":"Chosen-1"}}`)
		u, _ := w.User("forced")
		assert.Equal(t, ends, !u.RequirePasswordChange, version)
	}
}
