package rocketchattest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func Example() {
	server := rocketchattest.New(rocketchattest.WithLimit(0, 0))
	client := &http.Client{Transport: server}

	id, token := server.Login("admin")
	req, _ := http.NewRequest(http.MethodGet, server.URL()+"/api/v1/users.info?username=rocket.cat", nil)
	req.Header.Set("X-User-Id", id)
	req.Header.Set("X-Auth-Token", token)
	res, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	var answer struct {
		User struct {
			Name string `json:"name"`
		} `json:"user"`
	}
	_ = json.NewDecoder(res.Body).Decode(&answer)
	fmt.Println(res.StatusCode, answer.User.Name, server.Count("users.info"))
	// Output: 200 Rocket.Cat 1
}

func TestWindow(t *testing.T) {
	t.Parallel()
	const perWindow = 3
	w := newWorld(t, rocketchattest.WithLimit(perWindow, time.Minute))
	start := w.clock.now
	resets := map[string]bool{}
	call := func(ip string) (status int, remaining string) {
		res, _ := w.call("alice.meyer", "GET users.info?username=rocket.cat", "", map[string]string{"X-Real-IP": ip})
		reset, err := strconv.ParseInt(res.Header.Get("X-RateLimit-Reset"), 10, 64)
		require.NoError(t, err)
		late := time.UnixMilli(reset).Sub(start.Add(time.Minute))
		assert.GreaterOrEqual(t, late, time.Duration(0))
		assert.Less(t, late, 7*time.Millisecond, "the reset is a little late, by what the answer took")
		resets[res.Header.Get("X-RateLimit-Reset")] = true
		return res.StatusCode, res.Header.Get("X-RateLimit-Remaining")
	}
	for i := range perWindow {
		status, remaining := call("192.0.2.1")
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, strconv.Itoa(perWindow-1-i), remaining)
	}
	assert.Greater(t, len(resets), 1, "not the same each time")
	w.clock.now = start.Add(30 * time.Second)
	status, remaining := call("192.0.2.1")
	assert.Equal(t, http.StatusTooManyRequests, status)
	assert.Equal(t, "0", remaining)

	status, remaining = call("192.0.2.2")
	assert.Equal(t, http.StatusOK, status, "another address has its own count")
	assert.Equal(t, "2", remaining)

	w.clock.now = start.Add(time.Minute)
	status, _ = call("192.0.2.1")
	assert.Equal(t, http.StatusTooManyRequests, status, "the window still holds at its very end")

	start = start.Add(time.Minute + time.Millisecond)
	w.clock.now = start
	status, remaining = call("192.0.2.1")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "2", remaining)
}

func TestLimitScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(1, time.Minute))
	limited := func(as, call, body string) string {
		res, _ := w.call(as, call, body, nil)
		return fmt.Sprint(res.StatusCode, " ", res.Header.Get("X-RateLimit-Remaining"))
	}
	assert.Equal(t, "200 0", limited("alice.meyer", "GET me", ""))
	assert.Equal(t, "429 0", limited("bruno.costa", "GET me", ""), "the count is the address's, not the user's")
	assert.Equal(t, "200 0", limited("bruno.costa", "GET users.getStatus", ""), "every route has its own")
	assert.Equal(t, "200 ", limited("admin", "GET me", ""), "administrators are exempt")
	assert.Equal(t, "200 ", limited("", "GET /api/info", ""), "as is a route without version")
	assert.Equal(t, "200 ", limited("", "GET /avatar/admin", ""))
	assert.Equal(t, "401 ", limited("", "GET users.list", ""))
	assert.Equal(t, "200 0", limited("alice.meyer", "GET logout", ""))
	assert.Equal(t, "200 0", limited("alice.meyer", "POST logout", ""), "methods count apart")

	replica := w.Replica()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL()+"/api/v1/me", nil)
	require.NoError(t, err)
	id, token := w.Login("alice.meyer")
	req.Header.Set("X-User-Id", id)
	req.Header.Set("X-Auth-Token", token)
	res, _ := roundTrip(t, replica, req)
	assert.Equal(t, http.StatusOK, res.StatusCode, "a replica shares users and counts on its own")
}

func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		version    string
		permission string // remaining calls told by a refusal for want of permission
		schema     string
		suffix     string
	}{
		{"7.7.1", "9", "9", " [invalid-params]"},
		{"8.6.1", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.version, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rocketchattest.WithVersion(tt.version))
			res, _ := w.call("alice.meyer", "POST users.delete", `{"userId":"bruno"}`, nil)
			assert.Equal(t, http.StatusForbidden, res.StatusCode)
			assert.Equal(t, tt.permission, res.Header.Get("X-RateLimit-Remaining"))
			res, answer := w.call("alice.meyer", "POST users.update", `{"userId":"bruno"}`, nil)
			assert.Equal(t, http.StatusBadRequest, res.StatusCode)
			assert.Equal(t, tt.schema, res.Header.Get("X-RateLimit-Remaining"))
			assert.Equal(t, "must have required property 'data'"+tt.suffix, dig(answer, "error"))
		})
	}
}

func TestOwnLimits(t *testing.T) {
	t.Parallel()
	tests := []struct{ version, call, limit string }{
		{"7.7.1", "POST users.setStatus", "10"},
		{"8.0.0", "POST users.setStatus", "5"},
		{"7.13.0", "POST users.updateOwnBasicInfo", "10"},
		{"8.0.0", "POST users.updateOwnBasicInfo", "1"},
		{"8.1.0", "POST users.sendConfirmationEmail", "10"},
		{"8.2.0", "POST users.sendConfirmationEmail", "1"},
		{"8.8.0", "GET users.totpCodesRemaining", "5"},
		{"7.7.1", "POST users.register", "1"},
	}
	for _, tt := range tests {
		w := newWorld(t, rocketchattest.WithVersion(tt.version))
		res, answer := w.call("alice.meyer", tt.call, `{"data":{},"status":"busy","email":"alice.meyer@example.org","username":"x","pass":"x"}`, nil)
		if res.Header.Get("X-RateLimit-Limit") == "" {
			res, answer = w.call("alice.meyer", tt.call, bodyFor(tt.call), nil)
		}
		assert.Equal(t, tt.limit, res.Header.Get("X-RateLimit-Limit"), "%s %s: %v", tt.version, tt.call, answer)
	}
}

func bodyFor(call string) string {
	switch call {
	case "POST users.setStatus":
		return `{"status":"busy"}`
	case "POST users.updateOwnBasicInfo":
		return `{"data":{}}`
	}
	return `{"email":"alice.meyer@example.org"}`
}

func TestHiddenLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithHiddenLimit())
	update := func(user, email string) int {
		res, _ := w.call("admin", "POST users.update", `{"userId":"`+user+`","data":{"email":"`+email+`"}}`, nil)
		return res.StatusCode
	}
	assert.Equal(t, http.StatusOK, update("alice", "a1@example.org"))
	assert.Equal(t, http.StatusOK, update("alice", "a1@example.org"), "the address it has already is no change")
	assert.Equal(t, http.StatusTooManyRequests, update("alice", "a2@example.org"))
	assert.Equal(t, http.StatusOK, update("bruno", "b1@example.org"), "another user is another matter")
	w.clock.now = w.clock.now.Add(time.Minute + time.Millisecond)
	assert.Equal(t, http.StatusOK, update("alice", "a2@example.org"))
}

func TestVersions(t *testing.T) {
	t.Parallel()
	status := func(version, as, call, body string) int {
		w := newWorld(t, rocketchattest.WithVersion(version), rocketchattest.WithEnv("CREATE_TOKENS_FOR_USERS", "true"),
			rocketchattest.WithEnv("CREATE_TOKENS_FOR_USERS_SECRET", "open"))
		res, _ := w.call(as, call, body, nil)
		return res.StatusCode
	}
	tests := []struct {
		version, as, call, body string
		status                  int
	}{
		{"7.9.0", "admin", "GET roles.getUsersInPublicRoles", "", 404},
		{"7.10.0", "admin", "GET roles.getUsersInPublicRoles", "", 200},
		{"8.6.1", "", "POST users.verifyEmail", `{"token":"x"}`, 404},
		{"8.7.0", "", "POST users.verifyEmail", `{"token":"x"}`, 403},
		{"8.0.0", "", "GET users.getAvatar?username=admin", "", 307},
		{"8.1.0", "", "GET users.getAvatar?username=admin", "", 401},
		{"8.3.0", "admin", "GET users.list?color=blue", "", 200},
		{"8.4.0", "admin", "GET users.list?color=blue", "", 400},
		{"8.3.0", "admin", "GET users.info?email=alice.meyer@example.org", "", 400},
		{"8.4.0", "admin", "GET users.info?email=ALICE.meyer@example.org", "", 200},
		{"7.13.0", "admin", "POST users.createToken", `{"username":"bruno.costa"}`, 200},
		{"8.0.0", "admin", "POST users.createToken", `{"username":"bruno.costa"}`, 400},
		{"8.0.0", "alice.meyer", "POST users.createToken", `{"userId":"bruno","secret":"open"}`, 200},
		{"8.6.1", "alice.meyer", "POST users.createToken", `{"userId":"bruno","secret":"open"}`, 400},
		{"8.6.1", "admin", "POST users.createToken", `{"userId":"bruno","secret":"open"}`, 200},
		{"7.12.0", "admin", "POST users.create", but(newUser, `{"freeSwitchExtension":""}`), 400},
		{"7.13.0", "admin", "POST users.create", but(newUser, `{"freeSwitchExtension":""}`), 200},
		{"7.7.1", "alice.meyer", "POST users.register", but(signUp, `{}`), 200},
		{"8.5.0", "", "POST users.sendConfirmationEmail", `{"email":"x@example.org"}`, 401},
		{"8.6.0", "", "POST users.sendConfirmationEmail", `{"email":"x@example.org"}`, 200},
		{"7.3.0", "admin", "PUT me", "", 405},
		{"7.4.0", "admin", "PUT me", "", 404},
		{"7.0.0", "", "GET /avatar/uid/rocket.cat", "", 200},
		{"7.1.0", "", "GET /avatar/uid/nobody", "", 404},
		{"7.7.1", "admin", "GET users.getUsersOfRole?role=admin", "", 404},
		{"6.13.1", "admin", "GET users.info?userId=bruno&includeUserRooms=true", "", 400},
		{"7.0.0", "admin", "GET users.info?userId=bruno&includeUserRooms=true", "", 200},
		{"6.13.1", "admin", "POST users.update", `{"userId":"bruno","data":{"joinDefaultChannels":false}}`, 200},
		{"7.0.0", "admin", "POST users.update", `{"userId":"bruno","data":{"joinDefaultChannels":false}}`, 400},
		{"7.0.0", "admin", "POST users.setPreferences", `{"data":{"masterVolume":50}}`, 400},
		{"7.7.1", "admin", "POST users.setPreferences", `{"data":{"masterVolume":50,"voipRingerVolume":50}}`, 200},
		{"8.8.1", "admin", "POST users.setPreferences", `{"data":{"sidebarSectionsOrder":["Unread"]}}`, 400},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.status, status(tt.version, tt.as, tt.call, tt.body), "%s %s", tt.version, tt.call)
	}
}

func TestVersionedAnswers(t *testing.T) {
	t.Parallel()
	at := func(version string) *world {
		return newWorld(t, rocketchattest.WithVersion(version),
			rocketchattest.WithSetting("Accounts_CustomFields", `{"team":{"type":"text"},"badge":{"type":"text","public":true}}`))
	}
	for version, team := range map[string]any{"7.7.1": nil, "7.9.1": "blue"} {
		w := at(version)
		w.ok("admin", "POST users.update", `{"userId":"bruno","data":{"customFields":{"team":"blue"}}}`)
		answer := w.ok("admin", "POST users.update", `{"userId":"bruno","data":{"customFields":{"badge":"x"}}}`)
		assert.Equal(t, team, dig(answer, "user.customFields.team"), version)
		answer = w.ok("alice.meyer", "GET users.info?username=bruno.costa", "")
		assert.Equal(t, map[string]any{"badge": "x"}, dig(answer, "user.customFields"), "strangers see the public ones")
	}
	assert.NotContains(t, at("7.12.0").ok("admin", "POST users.delete", `{"userId":"bruno"}`), "deletedRooms")
	assert.Contains(t, at("7.13.0").ok("admin", "POST users.delete", `{"userId":"bruno"}`), "deletedRooms")

	fields := "GET users.info?userId=bruno&fields=" + url.QueryEscape(`{"userRooms":1}`)
	assert.Contains(t, at("6.14.0").ok("admin", fields, "")["user"], "rooms")
	assert.NotContains(t, at("7.0.0").ok("admin", fields, "")["user"], "rooms")

	for version, found := range map[string]int{"8.2.0": 1, "8.4.1": 0, "8.4.2": 1} {
		users, _ := at(version).ok("alice.meyer", "GET users.presence?ids=rocket.cat,bruno", "")["users"].([]any)
		assert.Len(t, users, found, version)
	}

	res, _ := at("7.3.0").call("admin", "PUT logout", "", nil)
	assert.Equal(t, "GET, POST", res.Header.Get("Allow"))

	login := `{"user":"alice.meyer","password":"` + alicePassword + `"}`
	assert.NotContains(t, at("7.3.0").ok("", "POST login", login), "success")
	assert.Contains(t, at("7.4.0").ok("", "POST login", login), "success")
	assert.Equal(t, "You've been logged out!", dig(at("7.3.0").ok("alice.meyer", "POST logout", ""), "data.message"))
	assert.Empty(t, dig(at("7.4.0").ok("alice.meyer", "POST logout", ""), "__text"))

	_, refused := at("8.6.1").call("", "POST login", `{"resume":"nobody's"}`, nil)
	assert.Equal(t, "Unauthorized", dig(refused, "error"))

	w := at("8.6.1")
	w.ok("alice.meyer", "POST users.setStatus", `{"status":"busy","expiresAt":"2026-01-01T11:00:00Z"}`)
	answer := w.ok("alice.meyer", "GET users.getStatus", "")
	delete(answer, "_id")
	assert.Equal(t, map[string]any{
		"status": "offline", "connectionStatus": "offline", "statusSource": "manual", "statusExpiresAt": "2026-01-01T11:00:00.000Z", "success": true,
	}, answer)
}

// TestRoutesWithoutSchema are refusals of 7.7.1 on routes that look at their input by hand, where the order of the checks counts.
// TestTokenForUnknownUser: users.createToken looks for the user before it compares the secret.
func TestTokenForUnknownUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithVersion("8.3.0"), rocketchattest.WithEnv("CREATE_TOKENS_FOR_USERS_SECRET", "open"))
	for user, want := range map[string]string{"nobody": "error-invalid-user", "bruno": "error-not-authorized"} {
		_, answer := w.call("admin", "POST users.createToken", `{"userId":"`+user+`","secret":"wrong"}`, nil)
		assert.Equal(t, want, dig(answer, "errorType"), user)
	}
}

func TestRoutesWithoutSchema(t *testing.T) {
	t.Parallel()
	const status, custom, remove, avatar = "POST users.setStatus", "POST custom-user-status.", "POST roles.removeUserFromRole", "POST users.setAvatar"
	const noMatch = "Match error: Failed Match.OneOf, Match.Maybe or Match.Optional validation"
	tests := []struct {
		as, call, body, text string
		errorType            any
	}{
		{"alice.meyer", status, `{"status":5}`, noMatch, nil},
		{"alice.meyer", status, `{"status":"busy","message":5}`, noMatch, nil},
		{"alice.meyer", status, `{"message":null}`, noMatch, nil},
		{"alice.meyer", remove, `{}`, "User does not have the permissions required for this action [error-unauthorized]", nil},
		{"alice.meyer", "POST roles.delete", `{}`, "User does not have the permissions required for this action [error-unauthorized]", nil},
		{"admin", remove, `{}`, "must have required property 'username' [error-invalid-role-properties]", "error-invalid-role-properties"},
		{"admin", remove, `{"username":"bruno.costa"}`, "error-invalid-role-properties", nil},
		{"admin", custom + "create", `{}`, "Match error: Missing key 'name'", nil},
		{"admin", custom + "create", `{"name":" "}`, "The field Name is required [error-the-field-is-required]", "error-the-field-is-required"},
		{"admin", custom + "update", `{"name":"Focus"}`, "Match error: Missing key '_id'", nil},
		{"admin", custom + "update", `{"_id":"x"}`, "Match error: Missing key 'name'", nil},
		{
			"admin", custom + "create", `{"name":"Focus","statusType":"gone"}`,
			"The custom user status name is already in use [Custom_User_Status_Error_Name_Already_In_Use]", "Custom_User_Status_Error_Name_Already_In_Use",
		},
		{"alice.meyer", avatar, `{}`, "Unsupported content type: application/json", nil},
	}
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	id, _ := dig(w.ok("admin", custom+"create", `{"name":"Focus","statusType":"busy"}`), "customUserStatus._id").(string)
	for _, tt := range tests {
		_, answer := w.call(tt.as, tt.call, tt.body, nil)
		assert.Equal(t, tt.text, dig(answer, "error"), "%s %s", tt.call, tt.body)
		assert.Equal(t, tt.errorType, dig(answer, "errorType"), "%s %s", tt.call, tt.body)
	}
	_, answer := w.call("alice.meyer", avatar, multipartBody("userId", "alice", false), multipartHeader())
	assert.Equal(t, map[string]any{"success": false, "error": "[No file uploaded]", "errorType": "No file uploaded"}, answer)

	answer = w.ok("admin", custom+"update", `{"_id":"`+id+`","name":"Deep focus"}`)
	assert.Equal(t, "busy", dig(answer, "customUserStatus.statusType"), "what is left out stays")
}

// TestWhoIsMeant has the user named as the server compares names: letter by letter for oneself, ignoring case for others.
func TestWhoIsMeant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tests := []struct {
		body string
		want int
	}{
		{`{"username":"alice.meyer","message":"x"}`, http.StatusOK},
		{`{"user":"alice.meyer","message":"x"}`, http.StatusOK},
		{`{"username":"ALICE.meyer","message":"x"}`, http.StatusForbidden},
		{`{"userId":"bruno","username":"alice.meyer","message":""}`, http.StatusOK},
	}
	for _, tt := range tests {
		res, _ := w.call("alice.meyer", "POST users.setStatus", tt.body, nil)
		assert.Equal(t, tt.want, res.StatusCode, tt.body)
	}
	alice, _ := w.User("alice.meyer")
	assert.Empty(t, alice.StatusText, "the last one meant the caller too")
}

func TestRegisterReason(t *testing.T) {
	t.Parallel()
	for approval, reason := range map[bool]any{false: nil, true: "because"} {
		w := newWorld(t, rocketchattest.WithSetting("Accounts_ManuallyApproveNewUsers", approval))
		assert.Equal(t, reason, dig(w.ok("", "POST users.register", but(signUp, `{"reason":" because "}`)), "user.reason"))
	}
}

func TestUpdateTraps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok("admin", "POST users.update", `{"userId":"bruno","data":{"bio":"hi","nickname":"bru"}}`)
	answer := w.ok("admin", "POST users.update", `{"userId":"bruno","data":{"name":"Bruno C."}}`)
	assert.NotContains(t, dig(answer, "user"), "bio", "users.update erases what is left out")
	w.ok("alice.meyer", "POST users.updateOwnBasicInfo", `{"data":{"bio":"hi"}}`)
	answer = w.ok("alice.meyer", "POST users.updateOwnBasicInfo", `{"data":{"name":"Alice"}}`)
	assert.Equal(t, "hi", dig(answer, "user.bio"), "updateOwnBasicInfo keeps it")
	answer = w.ok("alice.meyer", "POST users.updateOwnBasicInfo", `{"data":{"statusType":"asleep"}}`)
	assert.Equal(t, "asleep", dig(answer, "user.statusDefault"), "updateOwnBasicInfo takes any word")

	res, _ := w.call("admin", "POST users.update", `{"userId":"bruno","data":{"name":"Saved","email":"nope"}}`, nil)
	assert.Equal(t, http.StatusBadRequest, res.StatusCode)
	u, _ := w.User("bruno.costa")
	assert.Equal(t, "Saved", u.Name, "what came before the failure stays")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, first := w.Login("alice.meyer")
	_, pat := w.PersonalAccessToken("alice.meyer", "ci", false)
	works := func(token string) bool {
		res, _ := w.call("", "GET users.getStatus", "", map[string]string{"X-User-Id": id, "X-Auth-Token": token, "X-Real-IP": token})
		return res.StatusCode == http.StatusOK
	}
	require.True(t, works(first))
	for range 50 {
		w.Login("alice.meyer")
	}
	assert.False(t, works(first), "the oldest of more than 50 login tokens goes")
	assert.True(t, works(pat))
	w.ok("alice.meyer", "POST users.logoutOtherClients", "")
	assert.True(t, works(pat), "logoutOtherClients keeps personal access tokens")
	w.ok("alice.meyer", "POST users.removeOtherTokens", "")
	assert.False(t, works(pat), "removeOtherTokens does not")

	_, login := w.Login("alice.meyer")
	w.clock.now = w.clock.now.AddDate(0, 0, 91)
	assert.False(t, works(login), "login tokens expire")
	res, answer := w.call("", "POST login", `{"resume":"`+login+`"}`, nil)
	assert.Equal(t, http.StatusUnauthorized, res.StatusCode)
	assert.Equal(t, "Unauthorized", dig(answer, "error"))
}

func TestLastOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithVersion("8.6.1"))
	shared, alone := w.AddRoom("shared", "bruno.costa"), w.AddRoom("alone", "bruno.costa")
	w.Join(shared, "alice.meyer")
	answer := w.ok("admin", "POST users.delete", `{"userId":"bruno","confirmRelinquish":true}`)
	assert.Equal(t, []any{alone}, answer["deletedRooms"])
	answer = w.ok("alice.meyer", "GET users.info?username=alice.meyer&includeUserRooms=true", "")
	rooms, _ := dig(answer, "user.rooms").([]any)
	require.Len(t, rooms, 2)
	assert.Equal(t, []any{"owner"}, dig(rooms[1], "roles"), "the heir")
}

func TestAvatars(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	get := func(path string, header map[string]string) reply {
		res, _ := w.call("", "GET "+path, "", header)
		return res
	}
	assert.Equal(t, "image/svg+xml", get("/avatar/alice.meyer", nil).Header.Get("Content-Type"))
	upload := func(data string) (reply, any) {
		body := strings.ReplaceAll(multipartBody("userId", "alice", true), "\r\npng\r\n", "\r\n"+data+"\r\n")
		return w.call("alice.meyer", "POST users.setAvatar", body, multipartHeader())
	}
	_, answer := upload("no picture")
	assert.Equal(t, "ufs: cannot upload file", dig(answer, "errorType"))
	res, _ := upload("\x89PNG")
	require.Equal(t, http.StatusOK, res.StatusCode)
	res = get("/avatar/uid/alice", nil)
	assert.Equal(t, "image/png", res.Header.Get("Content-Type"))
	res = get("/avatar/alice.meyer", map[string]string{"If-Modified-Since": res.Header.Get("Last-Modified")})
	assert.Equal(t, http.StatusNotModified, res.StatusCode)
	assert.Equal(t, "image/svg+xml", get("/avatar/@alice.meyer", nil).Header.Get("Content-Type"), "with @ it is always the letter")

	w.Set("Accounts_AvatarBlockUnauthenticatedAccess", true)
	assert.Equal(t, "image/svg+xml", get("/avatar/alice.meyer", nil).Header.Get("Content-Type"), "strangers see letters")
	assert.Equal(t, http.StatusNotFound, get("/avatar/uid/alice", nil).StatusCode)
	id, token := w.Login("bruno.costa")
	assert.Equal(t, "image/png", get("/avatar/alice.meyer?rc_uid="+id+"&rc_token="+token, nil).Header.Get("Content-Type"))
	assert.Equal(t, "image/png", get("/avatar/uid/alice", map[string]string{"Cookie": "rc_uid=" + id + "; rc_token=" + token}).Header.Get("Content-Type"))
}

// TestFetchedAvatar has the server fetch a picture from a server of the test.
func TestFetchedAvatar(t *testing.T) {
	t.Parallel()
	internet := http.NewServeMux()
	internet.HandleFunc("/face.png", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "image/png")
		_, _ = rw.Write([]byte("\x89PNG"))
	})
	internet.HandleFunc("/page", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>")) })
	internet.HandleFunc("/broken.png", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
	w := newWorld(t, rocketchattest.WithInternet(handled{internet}))
	tests := []struct{ address, errorType string }{
		{"https://pictures.example.org/face.png", ""},
		{"https://pictures.example.org/page", "error-avatar-invalid-url"},
		{"https://pictures.example.org/nowhere", "error-avatar-invalid-url"},
		{"https://pictures.example.org/broken.png", "error-avatar-url-handling"},
		{"http://10.0.0.1/face.png", "error-avatar-invalid-url"},
	}
	for _, tt := range tests {
		_, answer := w.call("alice.meyer", "POST users.setAvatar", `{"avatarUrl":"`+tt.address+`"}`, nil)
		got, _ := dig(answer, "errorType").(string)
		assert.Equal(t, tt.errorType, got, tt.address)
	}
}

// handled is a transport that answers in memory.
type handled struct{ http.Handler }

func (h handled) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec.Result(), nil
}

func TestFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AnswerNext("me", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
	w.AnswerNext("me", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	res, _ := w.call("admin", "GET me", "", nil)
	assert.Equal(t, http.StatusBadGateway, res.StatusCode)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL()+"/api/v1/me", nil)
	require.NoError(t, err)
	_, err = w.RoundTrip(req)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	w.ok("admin", "GET me", "")

	statuses := []int{}
	for _, call := range w.Calls() {
		statuses = append(statuses, call.Status)
		assert.Equal(t, "me", call.Op)
	}
	assert.Equal(t, []int{502, 0, 200}, statuses)
	assert.Equal(t, 3, w.Count("me"))
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	order := ""
	mark := func(name string) rocketchattest.Option {
		return rocketchattest.WithMiddleware(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				order += name
				next.ServeHTTP(rw, r)
			})
		})
	}
	newWorld(t, mark("a"), mark("b")).ok("", "GET /api/info", "")
	assert.Equal(t, "ab", order)
}

func TestLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := rocketchattest.New(rocketchattest.WithLatency(time.Second))
		start := time.Now()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+"/api/info", nil)
		require.NoError(t, err)
		res, _ := roundTrip(t, server, req)
		assert.Equal(t, http.StatusOK, res.StatusCode)
		assert.Equal(t, time.Second, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err = server.RoundTrip(req.WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 1300*time.Millisecond, time.Since(start))
		assert.Len(t, server.Calls(), 1, "a call that was given up has no effect")
	})
}

func TestHandler(t *testing.T) {
	t.Parallel()
	server := rocketchattest.New()
	front := httptest.NewServer(server)
	defer front.Close()
	res, err := front.Client().Get(front.URL + "/api/v1/nope")
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, res.StatusCode)
	assert.Equal(t, "404 Not Found", string(b))
	assert.Equal(t, "text/plain; charset=UTF-8", res.Header.Get("Content-Type"))
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	const workers, each = 8, 20
	server := rocketchattest.New(rocketchattest.WithLimit(0, 0))
	id, token := server.Login("admin")
	post := func(op, body string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL()+"/api/v1/"+op, strings.NewReader(body))
		if err != nil {
			return 0
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-User-Id", id)
		req.Header.Set("X-Auth-Token", token)
		res, err := server.RoundTrip(req)
		if err != nil {
			return 0
		}
		return drain(res)
	}
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for j := range each {
				name := fmt.Sprintf("u%d-%d", i, j)
				assert.Equal(t, http.StatusOK, post("users.create", but(newUser, `{"username":"`+name+`","email":"`+name+`@example.org"}`)))
				assert.Equal(t, http.StatusOK, post("users.update", `{"userId":"rocket.cat","data":{"bio":"x"}}`))
				server.Users()
				server.Set("SMTP_Host", name)
			}
		})
	}
	all.Wait()
	assert.Len(t, server.Users(), workers*each+2)
	assert.Equal(t, workers*each, server.Count("users.create"))
}

func drain(res *http.Response) int {
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode
}

func TestManyUsers(t *testing.T) {
	t.Parallel()
	const many = 20_000
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	for i := range many {
		w.add(rocketchattest.User{Username: fmt.Sprintf("user%06d", i), Name: "Somebody", Email: fmt.Sprintf("u%d@example.org", i)})
	}
	seen := 0
	for offset := 0; ; offset += 100 {
		answer := w.ok("admin", "GET users.list?count=100&offset="+strconv.Itoa(offset), "")
		users, _ := answer["users"].([]any)
		if len(users) == 0 {
			break
		}
		seen += len(users)
	}
	assert.Equal(t, many+4, seen)
}

func TestOps(t *testing.T) {
	t.Parallel()
	ops := rocketchattest.Ops()
	assert.True(t, slices.IsSorted(ops))
	for _, op := range []string{"users.info", "logout.get", "avatar.byUserId", "directory", "info"} {
		assert.Contains(t, ops, op)
	}
	assert.NotContains(t, ops, "users.getUsersOfRole")
}

// TestForeignInput makes sure that no input brings the server down.
func TestForeignInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0), rocketchattest.WithSecondFactor(), rocketchattest.WithVersion("8.8.1"))
	bodies := []string{
		"", "null", "[]", `"x"`, `{"data":null}`, `{"data":[]}`, `{"data":{"customFields":[1]}}`, `{"userId":{},"user":[1],"password":[]}`,
		`{"user":{"username":{}},"password":{"digest":1}}`, `{"username":null,"roleId":7,"email":"@"}`, "\xff\xfe", strings.Repeat("[", 10_000),
	}
	for _, op := range rocketchattest.Ops() {
		for _, body := range bodies {
			for _, contentType := range []string{"application/json", "multipart/form-data; boundary=x", "multipart/form-data", "x/;", "application/x-www-form-urlencoded"} {
				for _, method := range []string{http.MethodGet, http.MethodPost} {
					path := "/api/v1/" + op + "?a[b]=c&a=d&roles[]=&x[=y&ids[]=1&count=x&sort=[&userId=1&selector=[1]&selector=2&updatedSince=1"
					req, err := http.NewRequestWithContext(t.Context(), method, w.URL()+path, strings.NewReader(body))
					require.NoError(t, err)
					id, token := w.Login("admin")
					req.Header.Set("Content-Type", contentType)
					req.Header.Set("X-User-Id", id)
					req.Header.Set("X-Auth-Token", token)
					res, err := w.RoundTrip(req)
					require.NoError(t, err)
					if status := drain(res); op != "login" { // a body that is not a log-in makes servers crash, too
						assert.NotEqual(t, http.StatusInternalServerError, status, "%s %s %s", method, op, body)
					}
				}
			}
		}
	}
}
