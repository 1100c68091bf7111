package rocketchattest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// form sends a request as a browser does.
func (w *world) form(path string, values url.Values) (reply, map[string]any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.URL()+path, strings.NewReader(values.Encode()))
	require.NoError(w.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, answer := roundTrip(w.t, w, req)
	keys, _ := answer.(map[string]any)
	return res, keys
}

func TestOAuth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	made := w.ok("admin", "POST oauth-apps.create", `{"name":"app","active":true,"redirectUri":"https://app.example.org/in"}`)
	app, _ := made["application"].(map[string]any)
	clientID, secret := app["clientId"].(string), app["clientSecret"].(string)
	_, login := w.Login("alice.meyer")

	consent := url.Values{"allow": {"yes"}, "token": {login}, "client_id": {clientID}, "response_type": {"code"}, "redirect_uri": {"https://app.example.org/in"}, "state": {"s"}}
	res, _ := w.form("/oauth/authorize", consent)
	require.Equal(t, http.StatusFound, res.StatusCode)
	back, err := url.Parse(res.Header.Get("Location"))
	require.NoError(t, err)
	assert.Equal(t, "s", back.Query().Get("state"))
	exchange := url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "client_id": {clientID}, "client_secret": {secret},
		"redirect_uri": {"https://app.example.org/in"},
	}
	_, first := w.form("/oauth/token", exchange)
	assert.Equal(t, "Bearer", first["token_type"])
	res, _ = w.form("/oauth/token", exchange)
	assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode, "a code works once")

	_, second := w.form("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first["refresh_token"].(string)}, "client_id": {clientID}, "client_secret": {secret}})
	bearer := func(token any) map[string]string {
		return map[string]string{"Authorization": fmt.Sprintf("Bearer %v", token)}
	}
	status := func(call string, token any) (int, any) {
		res, answer := w.call("", call, "", bearer(token))
		keys, _ := answer.(map[string]any)
		return res.StatusCode, keys["username"]
	}
	code, username := status("GET me", second["access_token"])
	assert.Equal(t, []any{http.StatusOK, "alice.meyer"}, []any{code, username})
	code, _ = status("GET me", first["access_token"])
	assert.Equal(t, http.StatusUnauthorized, code, "the refresh token ended the first one")
	assert.Equal(t, "alice.meyer", w.ok("", "GET me?access_token="+second["access_token"].(string), "")["username"])
	_, info := w.call("", "GET /oauth/userinfo", "", bearer(second["access_token"]))
	assert.Equal(t, "alice.meyer", info.(map[string]any)["preffered_username"])
	_, refused := w.call("", "POST users.logoutOtherClients", "", bearer(second["access_token"]))
	assert.Equal(t, "error-parameter-required", refused.(map[string]any)["errorType"])

	w.clock.now = w.clock.now.Add(2 * time.Hour)
	code, _ = status("GET me", second["access_token"])
	assert.Equal(t, http.StatusUnauthorized, code, "it has expired")
	code, _ = status("GET me", w.OAuthToken(clientID, "bruno.costa"))
	assert.Equal(t, http.StatusOK, code)

	list := w.ok("admin", "GET oauth-apps.list", "")
	assert.Equal(t, []string{"Zapier", "app"}, names(t, list["oauthApps"], "name"))
	shown := w.ok("alice.meyer", "GET oauth-apps.get?clientId="+clientID, "")["oauthApp"]
	assert.NotContains(t, shown, "clientSecret", "it is for those who manage apps")
	token := w.OAuthToken(clientID, "bruno.costa")
	res, deleted := w.call("admin", "POST oauth-apps.delete", fmt.Sprintf(`{"appId":%q}`, app["_id"]), nil)
	assert.Equal(t, []any{http.StatusOK, true}, []any{res.StatusCode, deleted})
	code, _ = status("GET me", token)
	assert.Equal(t, http.StatusUnauthorized, code, "tokens go with the app")
}
