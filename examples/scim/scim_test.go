package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/elimity-com/scim/schema"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func TestMain(m *testing.M) {
	schema.SetAllowStringValues(true) // as main does
	os.Exit(m.Run())
}

const secret = "a token that nobody guesses"

// provider is an identity provider that talks to the SCIM server.
type provider struct {
	*testing.T
	handler http.Handler
	chat    *rocketchattest.Server
	client  *rocketchat.Client
	log     *bytes.Buffer
}

func newProvider(t *testing.T, opts options) *provider {
	t.Helper()
	chat := rocketchattest.New(rocketchattest.WithLimit(0, 0), rocketchattest.WithSecondFactor(), rocketchattest.WithLicense(),
		rocketchattest.WithSetting("Accounts_CustomFields", `{"externalId":{"type":"text"}}`))
	chat.AddRole("desk", "Service desk", "")
	client, err := rocketchat.New(chat.URL(), rocketchat.WithTransport(chat), rocketchat.WithLogin("admin", rocketchattest.AdminPassword),
		rocketchat.WithTwoFactor(rocketchat.AnswerWithPassword(rocketchat.NewSecret(rocketchattest.AdminPassword))))
	require.NoError(t, err)
	opts.ExternalID = "externalId"
	log := new(bytes.Buffer)
	handler, err := newHandler(&cli.Session{Client: client, Stdout: io.Discard, Stderr: log}, opts, secret, "https://scim.example.org/scim/v2")
	require.NoError(t, err)
	return &provider{t, handler, chat, client, log}
}

// send sends a request, and returns the answer as an object.
func (p *provider) send(status int, method, path, body string, header ...string) map[string]any {
	p.Helper()
	r := httptest.NewRequestWithContext(p.Context(), method, "/scim/v2"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/scim+json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	require.Equal(p, status, w.Code, "%s %s %s\n%s\n%s", method, path, body, w.Body, p.log)
	answer := make(map[string]any)
	if w.Body.Len() > 0 {
		require.NoError(p, json.Unmarshal(w.Body.Bytes(), &answer), "%s", w.Body)
	}
	if tag := w.Header().Get("Etag"); tag != "" {
		assert.Equal(p, tag, answer["meta"].(map[string]any)["version"])
	}
	return answer
}

func (p *provider) patch(status int, path, operations string, header ...string) map[string]any {
	p.Helper()
	return p.send(status, http.MethodPatch, path, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":`+operations+`}`, header...)
}

// find searches, and returns what was found.
func (p *provider) find(kind, filter string) []any {
	p.Helper()
	answer := p.send(http.StatusOK, http.MethodGet, "/"+kind+"?filter="+url.QueryEscape(filter), "")
	found, _ := answer["Resources"].([]any)
	assert.InDelta(p, len(found), answer["totalResults"], 0)
	return found
}

func (p *provider) account(username string) rocketchattest.User {
	p.Helper()
	u, ok := p.chat.User(username)
	require.True(p, ok, "there is no %s", username)
	return u
}

// TestEntra follows the requests that Entra ID makes over the life of an account.
func TestEntra(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{Domain: "example.org"})
	assert.Empty(t, p.find("Users", `userName eq "non-existent user"`), "the test of the connection")
	assert.Empty(t, p.find("Users", `externalId eq "0a21f0f2"`))

	created := p.send(http.StatusCreated, http.MethodPost, "/Users", `{
		"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"externalId": "0a21f0f2", "userName": "mara.lind@example.org", "active": true, "displayName": "Mara Lind",
		"emails": [{"primary": true, "type": "work", "value": "mara@example.org"}],
		"name": {"formatted": "Mara Lind", "familyName": "Lind", "givenName": "Mara"},
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Sales"},
		"meta": {"resourceType": "User"}, "roles": []}`)
	assert.Equal(t, "0a21f0f2", created["externalId"])
	assert.Equal(t, "mara.lind@example.org", created["userName"])
	id := created["id"].(string)
	assert.Equal(t, map[string]any{"externalId": "0a21f0f2"}, p.account("mara.lind").CustomFields)
	p.send(http.StatusConflict, http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"Mara.Lind@example.org","emails":[{"value":"other@example.org"}]}`)
	p.send(http.StatusBadRequest, http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"x@elsewhere.org","emails":[{"value":"other@example.org"}]}`)

	for _, filter := range []string{
		`userName eq "mara.lind@example.org"`, `userName eq "MARA.LIND@example.org"`, `externalId eq "0a21f0f2"`,
		`emails[type eq "work" and value eq "mara@example.org"]`, `displayName sw "Mara" and active eq true`,
		`name.familyName eq "Lind"`, `id eq "` + id + `"`, `not (userName eq "admin@example.org")`,
	} {
		found := p.find("Users", filter)
		if assert.Len(t, found, 1, filter) {
			assert.Equal(t, id, found[0].(map[string]any)["id"])
		}
	}

	p.patch(http.StatusOK, "/Users/"+id, `[
		{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "mara.lind@example.org"},
		{"op": "Replace", "path": "name.familyName", "value": "Lindqvist"},
		{"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "Support"},
		{"op": "Add", "path": "addresses[type eq \"work\"].country", "value": "SE"}]`)
	assert.Equal(t, "mara.lind@example.org", p.account("mara.lind").Email)
	assert.Equal(t, "Mara Lindqvist", p.account("mara.lind").Name)
	p.patch(http.StatusOK, "/Users/"+id, `[{"op": "Replace", "value": {
		"displayName": "Mara L.", "emails[type eq \"work\"].value": "ml@example.org", "name.givenName": "M",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "Sales"}}]`)
	assert.Equal(t, "Mara L.", p.account("mara.lind").Name)
	assert.Equal(t, "ml@example.org", p.account("mara.lind").Email)
	p.patch(http.StatusOK, "/Users/"+id, `[{"op": "Replace", "path": "userName", "value": "mara.lindqvist@example.org"}]`)
	assert.Equal(t, id, p.account("mara.lindqvist").ID, "a rename is no new account")

	p.patch(http.StatusOK, "/Users/"+id, `[{"op": "Replace", "path": "active", "value": "False"}]`)
	assert.True(t, p.account("mara.lindqvist").Inactive)
	p.patch(http.StatusOK, "/Users/"+id, `[{"op": "Replace", "path": "active", "value": "True"}]`)
	assert.False(t, p.account("mara.lindqvist").Inactive)
	p.patch(http.StatusOK, "/Users/"+id, `[{"op": "Replace", "path": "externalId", "value": "77"}]`)
	assert.Len(t, p.find("Users", `externalId eq "77"`), 1)
	assert.Empty(t, p.find("Users", `externalId eq "0a21f0f2"`))

	found := p.send(http.StatusOK, http.MethodGet, "/Groups?excludedAttributes=members&filter="+url.QueryEscape(`displayName eq "Service desk"`), "")["Resources"].([]any)
	require.Len(t, found, 1)
	assert.NotContains(t, found[0], "members")
	desk := "/Groups/" + found[0].(map[string]any)["id"].(string)
	p.patch(http.StatusOK, desk, `[{"op": "Add", "path": "members", "value": [{"$ref": null, "value": "`+id+`"}]}]`)
	assert.Equal(t, []string{"user", "desk"}, p.account("mara.lindqvist").Roles)
	assert.Len(t, p.find("Groups", `id eq "desk" and members[value eq "`+id+`"]`), 1)
	p.patch(http.StatusOK, desk, `[{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "`+id+`"}]}]`)
	assert.Equal(t, []string{"user"}, p.account("mara.lindqvist").Roles)

	p.send(http.StatusNoContent, http.MethodDelete, "/Users/"+id, "")
	assert.True(t, p.account("mara.lindqvist").Inactive)
	assert.NotContains(t, p.log.String(), "mara", "names are not logged")
}

// TestOkta follows the requests that Okta makes over the life of an account.
func TestOkta(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{})
	p.send(http.StatusOK, http.MethodGet, "/ServiceProviderConfig", "")
	p.send(http.StatusOK, http.MethodGet, "/Users?startIndex=1&count=2", "")
	assert.Empty(t, p.find("Users", `userName eq "isa.moreno"`))
	const user = `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], %s "userName": "isa.moreno",
		"name": {"givenName": "Isa", "familyName": %q}, "emails": [{"primary": true, "value": "isa@example.org", "type": "work"}],
		"displayName": "Isa Moreno", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7", "groups": [], "password": "Sup3r-S3cret!", "active": true}`
	created := p.send(http.StatusCreated, http.MethodPost, "/Users", fmt.Sprintf(user, "", "Moreno"))
	id := created["id"].(string)
	assert.NotContains(t, created, "password")
	assert.Equal(t, "https://scim.example.org/scim/v2/Users/"+id, created["meta"].(map[string]any)["location"])

	read := p.send(http.StatusOK, http.MethodGet, "/Users/"+id, "")
	assert.Equal(t, created, read)
	assert.Contains(t, read["meta"], "created")
	p.send(http.StatusOK, http.MethodPut, "/Users/"+id, fmt.Sprintf(user, `"id": "`+id+`",`, "Moreno Ruiz"))
	assert.Equal(t, "Isa Moreno Ruiz", p.account("isa.moreno").Name)
	p.patch(http.StatusOK, "/Users/"+id, `[{"op": "replace", "value": {"active": false}}]`)
	assert.True(t, p.account("isa.moreno").Inactive)
	p.patch(http.StatusOK, "/Users/"+id, `[{"op": "replace", "value": {"active": true, "emails": [{"value": "isa@example.com", "primary": true}], "name": {"givenName": "Isabel", "familyName": "Moreno"}}}]`)
	assert.False(t, p.account("isa.moreno").Inactive)
	assert.Equal(t, "isa@example.com", p.account("isa.moreno").Email)
	assert.Equal(t, "Isabel Moreno", p.account("isa.moreno").Name)

	group := p.send(http.StatusCreated, http.MethodPost, "/Groups", `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Test SCIMv2", "members": []}`)
	path := "/Groups/" + group["id"].(string)
	p.patch(http.StatusOK, path, `[{"op": "replace", "value": {"id": "`+group["id"].(string)+`", "displayName": "Testers"}}]`)
	p.patch(http.StatusOK, path, `[{"op": "add", "path": "members", "value": [{"value": "`+id+`", "display": "isa.moreno"}]}]`)
	assert.Contains(t, p.account("isa.moreno").Roles, group["id"])
	p.patch(http.StatusOK, path, `[{"op": "remove", "path": "members[value eq \"`+id+`\"]"}]`)
	assert.NotContains(t, p.account("isa.moreno").Roles, group["id"])
	p.send(http.StatusOK, http.MethodPut, path, `{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Testers", "members": [{"value": "`+id+`"}]}`)
	read = p.send(http.StatusOK, http.MethodGet, path, "")
	assert.Equal(t, []any{map[string]any{"value": id, "type": "User"}}, read["members"])
	assert.Equal(t, "Testers", read["displayName"])
	p.send(http.StatusNoContent, http.MethodDelete, path, "")
	p.send(http.StatusNotFound, http.MethodGet, path, "")
}

// TestConcurrentPatches: changes of one account end as one of them, and never as a mix.
func TestConcurrentPatches(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{})
	u, err := p.chat.AddUser(rocketchattest.User{Username: "kim", Name: "Kim Nought", Email: "kim@example.org"})
	require.NoError(t, err)
	const writers = 12
	var work sync.WaitGroup
	p.log.Reset()
	for i := range writers {
		work.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/scim/Users/"+u.ID, strings.NewReader(fmt.Sprintf(
				`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
				{"op":"replace","path":"name.givenName","value":"Given%[1]d"},{"op":"replace","path":"name.familyName","value":"Family%[1]d"},
				{"op":"replace","path":"nickName","value":"nick%[1]d"},{"op":"replace","path":"emails[type eq \"work\"].value","value":"kim%[1]d@example.org"}]}`, i)))
			r.Header.Set("Authorization", "bearer "+secret)
			w := httptest.NewRecorder()
			p.handler.ServeHTTP(w, r)
			assert.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
			assert.Contains(t, w.Body.String(), fmt.Sprintf(`"nickName":"nick%d"`, i), "each is told what it made")
		})
	}
	work.Wait()
	kim := p.account("kim")
	n := strings.TrimPrefix(kim.Nickname, "nick")
	assert.NotEmpty(t, n)
	assert.Equal(t, "Given"+n+" Family"+n, kim.Name)
	assert.Equal(t, "kim"+n+"@example.org", kim.Email)
}

func TestToken(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{})
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Basic " + secret, secret, "Bearer " + secret + "x"} {
		answer := p.send(http.StatusUnauthorized, http.MethodGet, "/Users", "", "Authorization", header)
		assert.Equal(t, "401", answer["status"])
	}
	assert.Zero(t, p.chat.Count("users.list"))
	assert.NotContains(t, p.log.String(), secret)
}

// TestProgram: the program serves on a port of its own until it is told to stop.
func TestProgram(t *testing.T) {
	chat := newProvider(t, options{})
	client, err := rocketchat.New(chat.chat.URL(), rocketchat.WithTransport(chat.chat), rocketchat.WithLogin("admin", rocketchattest.AdminPassword))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read, write := io.Pipe()
	ended := make(chan error, 1)
	s := &cli.Session{Client: client, Stdout: write, Stderr: io.Discard}
	t.Setenv(tokenName, "short")
	require.ErrorContains(t, new(serve{Listen: "127.0.0.1:0"}).Run(ctx, s), "at least 20 characters")
	t.Setenv(tokenName, secret)
	require.ErrorContains(t, new(serve{Listen: "127.0.0.1:0", Cert: "x"}).Run(ctx, s), "belong together")
	go func() { ended <- new(serve{Listen: "127.0.0.1:0"}).Run(ctx, s) }()
	var address string
	_, err = fmt.Fscanf(read, "SCIM 2.0 at %s\n", &address)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/Users?filter=userName+eq+%22admin%22", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+secret)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"userName":"admin"`)
	stop()
	require.NoError(t, <-ended)
}

func TestETags(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{Delete: true})
	u, err := p.chat.AddUser(rocketchattest.User{Username: "kim", Name: "Kim", Email: "kim@example.org"})
	require.NoError(t, err)
	path := "/Users/" + u.ID
	tag := func() string {
		return p.send(http.StatusOK, http.MethodGet, path, "")["meta"].(map[string]any)["version"].(string)
	}
	first := tag()
	p.patch(http.StatusOK, path, `[{"op":"replace","path":"displayName","value":"Kimberly"}]`, "If-Match", first)
	p.patch(http.StatusPreconditionFailed, path, `[{"op":"replace","path":"displayName","value":"Kimmy"}]`, "If-Match", first)
	p.send(http.StatusPreconditionFailed, http.MethodDelete, path, "", "If-Match", first)
	assert.Equal(t, "Kimberly", p.account("kim").Name)
	assert.NotEqual(t, first, tag())
	p.send(http.StatusNoContent, http.MethodDelete, path, "", "If-Match", `W/"other", `+tag())
	p.send(http.StatusNotFound, http.MethodGet, path, "")
}

func TestPages(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{})
	for i := range 7 {
		_, err := p.chat.AddUser(rocketchattest.User{Username: fmt.Sprintf("user%d", i), Name: "User", Email: fmt.Sprintf("user%d@example.org", i)})
		require.NoError(t, err)
	}
	seen := make(map[string]bool)
	for start := 1; start <= 8; start += 3 {
		answer := p.send(http.StatusOK, http.MethodGet, fmt.Sprintf("/Users?startIndex=%d&count=3", start), "")
		assert.InDelta(t, 8, answer["totalResults"], 0, "the administrator, too, but not the bot")
		for _, u := range answer["Resources"].([]any) {
			seen[u.(map[string]any)["userName"].(string)] = true
			assert.NotContains(t, u.(map[string]any)["meta"], "created", "lists do not tell")
		}
	}
	assert.Len(t, seen, 8)
	assert.NotContains(t, seen, "rocket.cat")
	assert.Empty(t, p.send(http.StatusOK, http.MethodGet, "/Users?startIndex=100", "")["Resources"])
	p.send(http.StatusBadRequest, http.MethodGet, "/Users?filter="+url.QueryEscape(`nickName eq "x"`), "")
}

// TestExternalIDs: accounts that were there before the program, imported ones among them,
// are found, and read one by one only once.
func TestExternalIDs(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{})
	for i, u := range []rocketchattest.User{{ImportIDs: []string{"imported"}}, {CustomFields: map[string]any{"externalId": "field"}}, {}} {
		u.Username, u.Name, u.Email = fmt.Sprintf("user%d", i), "User", fmt.Sprintf("user%d@example.org", i)
		_, err := p.chat.AddUser(u)
		require.NoError(t, err)
	}
	for externalID, username := range map[string]string{"imported": "user0", "field": "user1"} {
		found := p.find("Users", `externalId eq "`+externalID+`"`)
		require.Len(t, found, 1)
		assert.Equal(t, username, found[0].(map[string]any)["userName"])
	}
	before := p.chat.Count("users.info")
	assert.Empty(t, p.find("Users", `externalId eq "nobody"`))
	assert.Equal(t, before+1, p.chat.Count("users.info"), "only the import ID is asked for")
}

// TestCreatedAgain: a person who was deleted and comes back is found by the same external ID.
func TestCreatedAgain(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{Delete: true})
	const kim = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"e-1","userName":"kim","emails":[{"value":"kim@example.org"}]}`
	for range 10 {
		id := p.send(http.StatusCreated, http.MethodPost, "/Users", kim)["id"].(string)
		found := p.find("Users", `externalId eq "e-1"`)
		require.Len(t, found, 1)
		assert.Equal(t, id, found[0].(map[string]any)["id"])
		p.send(http.StatusNoContent, http.MethodDelete, "/Users/"+id, "")
		p.send(http.StatusNotFound, http.MethodGet, "/Users/"+id, "")
		assert.Empty(t, p.find("Users", `externalId eq "e-1"`))
	}
}

// TestOwnAccount: the provider cannot take the program's own rights away.
func TestOwnAccount(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{Admins: true})
	id := p.account("admin").ID
	p.patch(http.StatusForbidden, "/Users/"+id, `[{"op":"replace","path":"active","value":false}]`)
	p.send(http.StatusForbidden, http.MethodDelete, "/Users/"+id, "")
	p.patch(http.StatusForbidden, "/Groups/admin", `[{"op":"remove","path":"members"}]`)
	assert.Contains(t, p.account("admin").Roles, "admin")
	p.send(http.StatusForbidden, http.MethodDelete, "/Groups/user", "")

	hidden := newProvider(t, options{})
	hidden.send(http.StatusNotFound, http.MethodGet, "/Groups/admin", "")
	hidden.patch(http.StatusNotFound, "/Groups/admin", `[{"op":"add","path":"members","value":[{"value":"x"}]}]`)
}

// TestLastOwner: the provider learns why somebody is not deactivated.
func TestLastOwner(t *testing.T) {
	t.Parallel()
	for relinquish, status := range map[bool]int{false: http.StatusBadRequest, true: http.StatusOK} {
		p := newProvider(t, options{Relinquish: relinquish})
		u, err := p.chat.AddUser(rocketchattest.User{Username: "kim", Name: "Kim", Email: "kim@example.org"})
		require.NoError(t, err)
		p.chat.AddRoom("plans", "kim")
		answer := p.patch(status, "/Users/"+u.ID, `[{"op":"replace","value":{"active":false}}]`)
		assert.Equal(t, relinquish, p.account("kim").Inactive)
		if !relinquish {
			assert.Contains(t, answer["detail"], "owner")
		}
	}
}

// TestHangUp: a change that waited for another is not begun when nobody wants it any more,
// and one that has begun is carried out.
func TestHangUp(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{})
	u, err := p.chat.AddUser(rocketchattest.User{Username: "kim", Name: "Kim", Email: "kim@example.org"})
	require.NoError(t, err)
	patch := func(ctx context.Context, name string) {
		r := httptest.NewRequestWithContext(ctx, http.MethodPatch, "/scim/Users/"+u.ID, strings.NewReader(
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"displayName","value":"`+name+`"}]}`))
		r.Header.Set("Authorization", "Bearer "+secret)
		p.handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	gone, hangUp := context.WithCancel(t.Context())
	p.chat.AnswerNext("users.info", func(w http.ResponseWriter, _ *http.Request) { // the read before the change
		hangUp()
		w.WriteHeader(http.StatusBadGateway)
	})
	patch(gone, "Begun")
	assert.Equal(t, "Begun", p.account("kim").Name)
	patch(gone, "Not begun")
	assert.Equal(t, "Begun", p.account("kim").Name)
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{})
	u, err := p.chat.AddUser(rocketchattest.User{Username: "kim", Name: "Kim", Email: "kim@example.org"})
	require.NoError(t, err)
	for _, operations := range []string{
		`[]`, `[{"op":"destroy","path":"active","value":true}]`, `[{"op":"replace","path":"active","value":"perhaps"}]`,
		`[{"op":"remove"}]`, `[{"op":"replace","path":"noSuchThing","value":1}]`, `[{"op":"replace","path":"emails[","value":"x"}]`,
		`[{"op":"replace","path":"userName","value":"not a name"}]`,
	} {
		answer := p.patch(http.StatusBadRequest, "/Users/"+u.ID, operations)
		assert.Equal(t, []any{"urn:ietf:params:scim:api:messages:2.0:Error"}, answer["schemas"], operations)
	}
	p.send(http.StatusBadRequest, http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"no.address"}`)
	p.send(http.StatusBadRequest, http.MethodPost, "/Users", `{"userName":`)
	p.send(http.StatusNotFound, http.MethodGet, "/Users/kim", "", "Accept", "*/*")
	assert.Equal(t, "Kim", p.account("kim").Name)
	assert.Equal(t, "kim@example.org", p.account("kim").Email)
}

// TestRefusedChange changes nothing, although servers save one field after the other.
func TestRefusedChange(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{})
	ids := make(map[string]string)
	for _, name := range []string{"kim", "lee"} {
		u, err := p.chat.AddUser(rocketchattest.User{Username: name, Name: name + " Nought", Email: name + "@example.org", Nickname: "nick"})
		require.NoError(t, err)
		ids[name] = u.ID
	}
	p.chat.AddRoom("plans", "kim")
	before := p.account("kim")
	path := "/Users/" + ids["kim"]
	p.patch(http.StatusConflict, path, `[{"op":"replace","path":"userName","value":"kim2"},{"op":"replace","path":"emails[type eq \"work\"].value","value":"lee@example.org"}]`)
	p.patch(http.StatusBadRequest, path, `[{"op":"replace","value":{"active":false,"userName":"kim2","displayName":"Kim","nickName":"k","emails":[{"value":"kim2@example.org"}]}}]`)
	for _, operation := range []string{`{"op":"remove","path":"userName"}`, `{"op":"replace","path":"userName","value":""}`} {
		answer := p.patch(http.StatusBadRequest, path, "["+operation+"]")
		assert.Equal(t, "invalidValue", answer["scimType"])
	}
	assert.Equal(t, before, p.account("kim"))

	// A member who is not there does not make the group one that is not found.
	p.patch(http.StatusBadRequest, "/Groups/desk", `[{"op":"add","path":"members","value":[{"value":"nobody"}]}]`)
	p.send(http.StatusBadRequest, http.MethodPost, "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"New","members":[{"value":"nobody"}]}`)
	assert.Empty(t, p.find("Groups", `displayName eq "New"`))
}

// TestFilters: in the forms of RFC 7644, of which the SCIM library compares not all.
func TestFilters(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{})
	for _, name := range []string{"kim", "lee"} {
		_, err := p.chat.AddUser(rocketchattest.User{ID: "id." + name, Username: name, Name: name + " Nought", Email: name + "@example.org"})
		require.NoError(t, err)
	}
	for filter, expected := range map[string]int{
		`emails.value eq "KIM@example.org"`: 1, `emails eq "kim@example.org"`: 1, `emails co "@example.org"`: 2, `emails[type eq "work" and value sw "lee"]`: 1,
		`emails.type eq "work" and not (emails.value eq "kim@example.org") and userName ne "admin"`: 1,
		`USERNAME Eq "kim" or userName ew "EE"`:                                                     2, `groups.value eq "user"`: 2, `emails pr`: 3, `id eq "id.kim"`: 1, `name.familyName co "ought"`: 2,
	} {
		assert.Len(t, p.find("Users", filter), expected, filter)
	}
	assert.Len(t, p.find("Groups", `members eq "id.kim"`), 1)
	assert.Len(t, p.find("Groups", `id eq "user" and members.value eq "id.lee"`), 1)
	for _, filter := range []string{`name eq "kim"`, `not (name eq "kim")`, `nickName eq "x"`, `meta.created gt "2020-01-01T00:00:00Z"`, `unknown eq "x"`, `userName eq`} {
		answer := p.send(http.StatusBadRequest, http.MethodGet, "/Users?filter="+url.QueryEscape(filter), "")
		assert.Equal(t, "invalidFilter", answer["scimType"], filter)
	}
}

// TestAddresses: whichever way the provider changes addresses, the account gets the one
// that it means.
func TestAddresses(t *testing.T) {
	t.Parallel()
	p := newProvider(t, options{})
	for operations, expected := range map[string]string{
		`[{"op":"add","path":"emails","value":[{"value":"new@example.org","type":"home"}]}]`:                                                "kim@example.org",
		`[{"op":"add","path":"emails","value":[{"value":"new@example.org","primary":true}]}]`:                                               "new@example.org",
		`[{"op":"replace","path":"emails","value":[{"value":"home@example.org","type":"home"},{"value":"new@example.org","type":"work"}]}]`: "new@example.org",
		`[{"op":"replace","path":"emails[type eq \"home\"].value","value":"new@example.org"}]`:                                              "kim@example.org",
		`[{"op":"replace","path":"emails[primary eq true].value","value":"new@example.org"}]`:                                               "new@example.org",
		`[{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"new@example.org"}}]`:                                          "new@example.org",
		`[{"op":"replace","path":"emails.value","value":"new@example.org"}]`:                                                                "new@example.org",
		`[{"op":"remove","path":"emails"}]`: "kim@example.org",
		`[{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"add","path":"emails[type eq \"work\" and primary eq true].value","value":"new@example.org"}]`: "new@example.org",
	} {
		u, err := p.chat.AddUser(rocketchattest.User{Username: "kim", Name: "Kim", Email: "kim@example.org"})
		require.NoError(t, err)
		p.patch(http.StatusOK, "/Users/"+u.ID, operations)
		assert.Equal(t, expected, p.account("kim").Email, operations)
		_, err = p.client.Users.Delete(t.Context(), rocketchat.ByID(u.ID), rocketchat.UserDeleteOptions{})
		require.NoError(t, err)
	}
}
