package rocketchattest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// oauthApp is a program that may ask users for access.
type oauthApp struct {
	id, name         string
	active           bool
	clientID, secret string
	redirectURIs     []string
	created, updated time.Time
	creator          person
}

// oauthCode is what a user's consent gives an app; it is exchanged for a token once.
type oauthCode struct {
	app         *oauthApp
	user        *account
	redirectURI string
	expires     time.Time
}

// oauthToken is an access token together with the refresh token that renews it.
type oauthToken struct {
	app                     *oauthApp
	user                    *account
	access, refresh         string
	expires, refreshExpires time.Time
}

// The lives of codes and tokens.
const (
	oauthCodeLife    = 5 * time.Minute
	oauthTokenLife   = time.Hour
	oauthRefreshLife = 14 * 24 * time.Hour
)

// OAuthApp adds an OAuth app on the server and returns its client ID and secret. Users
// give it access at /oauth/authorize.
func (s *Server) OAuthApp(name, redirectURI string) (clientID, clientSecret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.addOAuthApp(name, redirectURI, true, person{"rocket.cat", "rocket.cat"})
	return a.clientID, a.secret
}

// OAuthToken issues an OAuth access token without a call, by username or ID. It is empty
// if there is no such user or app.
func (s *Server) OAuthToken(clientID, username string) (accessToken string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, app := s.named(username), s.oauthClient(clientID)
	if u == nil || app == nil {
		return ""
	}
	return s.addOAuthToken(app, u).access
}

func (db *database) addOAuthApp(name, redirectURI string, active bool, creator person) *oauthApp {
	a := &oauthApp{
		id: newID(), name: name, active: active, clientID: newID(), secret: random(base64s, 43), redirectURIs: uriList(redirectURI),
		created: db.now(), updated: db.now(), creator: creator,
	}
	db.oauthApps = append(db.oauthApps, a)
	return a
}

// addZapier adds the app that every server comes with.
func (db *database) addZapier() {
	const id = "zapier"
	a := db.addOAuthApp("Zapier", "https://zapier.com/dashboard/auth/oauth/return/RocketChatDevAPI/", true, person{"system", "system"})
	a.id, a.clientID = id, id
}

func (db *database) addOAuthToken(app *oauthApp, u *account) *oauthToken {
	const characters = 40
	t := &oauthToken{
		app: app, user: u, access: random("0123456789abcdef", characters), refresh: random("0123456789abcdef", characters),
		expires: db.now().Add(oauthTokenLife), refreshExpires: db.now().Add(oauthRefreshLife),
	}
	db.oauthTokens = append(db.oauthTokens, t)
	return t
}

// uriList reads addresses that are separated by commas or line ends.
func uriList(s string) []string {
	var list []string
	for uri := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == '\n' }) {
		if uri = strings.TrimSpace(uri); uri != "" {
			list = append(list, uri)
		}
	}
	return list
}

// oauthClient is the active app with a client id.
func (db *database) oauthClient(clientID string) *oauthApp {
	i := slices.IndexFunc(db.oauthApps, func(a *oauthApp) bool { return a.active && a.clientID == clientID })
	if i < 0 {
		return nil
	}
	return db.oauthApps[i]
}

func (db *database) oauthToken(access string) *oauthToken {
	i := slices.IndexFunc(db.oauthTokens, func(t *oauthToken) bool { return t.access == access })
	if i < 0 {
		return nil
	}
	return db.oauthTokens[i]
}

// dropOAuth forgets the codes and tokens a condition holds for.
func (db *database) dropOAuth(app func(*oauthApp, *account) bool) {
	for code, o := range db.oauthCodes {
		if app(o.app, o.user) {
			delete(db.oauthCodes, code)
		}
	}
	db.oauthTokens = slices.DeleteFunc(db.oauthTokens, func(t *oauthToken) bool { return app(t.app, t.user) })
}

// bearer is the user whose OAuth token comes with a request, in the header or as access_token in the query.
func (c *call) bearer() *account {
	access := strings.TrimPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	if access == "" {
		access = c.query.str("access_token")
	}
	delete(c.query, "access_token")
	if t := c.oauthToken(access); t != nil && t.expires.After(c.now()) {
		return t.user
	}
	return nil
}

func oauthRoutes() []route {
	manage := []string{"manage-oauth-apps"}
	list := []route{
		{op: "oauth-apps.list", method: get, permissions: manage, run: (*call).listOAuthApps},
		{op: "oauth-apps.get", method: get, query: selectors([]field{str("clientId"), str("appId"), str("_id")}), run: (*call).oneOAuthApp},
		{op: "oauth-apps.create", method: post, permissions: manage, body: oauthAppBody(), run: (*call).createOAuthApp},
		{op: "oauth-apps.update", method: post, permissions: manage, body: oauthAppBody(str("appId").must().min(1)), run: (*call).updateOAuthApp},
		{op: "oauth-apps.delete", method: post, permissions: manage, body: closed(str("appId").must().min(1)), run: (*call).deleteOAuthApp},
		{op: "oauth.userinfo", method: get, path: "/oauth/userinfo", run: (*call).oauthUserInfo},
		{op: "oauth.authorize", method: get, path: "/oauth/authorize", run: (*call).oauthConsentPage},
		{op: "oauth.authorize.consent", method: post, path: "/oauth/authorize", run: (*call).oauthConsent},
		{op: "oauth.token", method: post, path: "/oauth/token", run: (*call).oauthExchange},
	}
	for i := range list {
		if strings.HasPrefix(list[i].path, "/oauth/") {
			list[i].public, list[i].noUsername, list[i].unlimited = always(), true, true
		}
	}
	return list
}

func oauthAppBody(more ...field) *schema {
	return closed(append(more, str("name").must(), flag("active").must(), str("redirectUri").must())...)
}

type oauthAppObject struct {
	ID          string `json:"_id"`
	Name        string `json:"name"`
	Active      bool   `json:"active"`
	ClientID    string `json:"clientId"`
	Secret      string `json:"clientSecret,omitempty"`
	RedirectURI string `json:"redirectUri"`
	CreatedAt   stamp  `json:"_createdAt"`
	CreatedBy   person `json:"_createdBy"`
	UpdatedAt   stamp  `json:"_updatedAt"`
}

func (a *oauthApp) object() oauthAppObject {
	return oauthAppObject{
		a.id, a.name, a.active, a.clientID, a.secret, strings.Join(a.redirectURIs, ","), stamp{a.created}, a.creator, stamp{a.updated},
	}
}

// listOAuthApps is oauth-apps.list.
func (c *call) listOAuthApps() (any, error) {
	items := make([]oauthAppObject, 0, len(c.oauthApps))
	for _, a := range c.oauthApps {
		items = append(items, a.object())
	}
	return fields{"oauthApps": items}, nil
}

// oneOAuthApp is oauth-apps.get; only those who may manage apps see the secret.
func (c *call) oneOAuthApp() (any, error) {
	id, client := c.query.str("appId")+c.query.str("_id"), c.query.str("clientId")
	i := slices.IndexFunc(c.oauthApps, func(a *oauthApp) bool { return a.id == id || a.clientID == client })
	if i < 0 {
		return nil, plain("OAuth app not found.")
	}
	o := c.oauthApps[i].object()
	if !c.may("manage-oauth-apps") {
		o.Secret = ""
	}
	return fields{"oauthApp": o}, nil
}

func (c *call) checkOAuthApp(method string) error {
	where := fields{"method": method}
	switch {
	case strings.TrimSpace(c.body.str("name")) == "":
		return coded("error-invalid-name", "Invalid name", where)
	case len(uriList(c.body.str("redirectUri"))) == 0:
		return coded("error-invalid-redirectUri", "Invalid redirectUri", where)
	}
	return nil
}

// createOAuthApp is oauth-apps.create.
func (c *call) createOAuthApp() (any, error) {
	if err := c.checkOAuthApp("addOAuthApp"); err != nil {
		return nil, err
	}
	a := c.addOAuthApp(c.body.str("name"), c.body.str("redirectUri"), c.body.flag("active"), person{c.me.id, c.me.username})
	return fields{"application": a.object()}, nil
}

func (c *call) oauthAppInBody(method string) (*oauthApp, error) {
	i := slices.IndexFunc(c.oauthApps, func(a *oauthApp) bool { return a.id == c.body.str("appId") })
	if i < 0 {
		return nil, coded("error-application-not-found", "Application not found", fields{"method": method})
	}
	return c.oauthApps[i], nil
}

// updateOAuthApp is oauth-apps.update, whose answer is the app itself.
func (c *call) updateOAuthApp() (any, error) {
	const method = "updateOAuthApp"
	if err := c.checkOAuthApp(method); err != nil {
		return nil, err
	}
	a, err := c.oauthAppInBody(method)
	if err != nil {
		return nil, err
	}
	a.name, a.active, a.redirectURIs, a.updated = c.body.str("name"), c.body.flag("active"), uriList(c.body.str("redirectUri")), c.now()
	return a.object(), nil
}

// deleteOAuthApp is oauth-apps.delete: codes and tokens of the app go with it. The answer is true, without an envelope.
func (c *call) deleteOAuthApp() (any, error) {
	a, err := c.oauthAppInBody("deleteOAuthApp")
	if err != nil {
		return nil, err
	}
	c.oauthApps = slices.DeleteFunc(c.oauthApps, func(o *oauthApp) bool { return o == a })
	c.dropOAuth(func(app *oauthApp, _ *account) bool { return app == a })
	return true, nil
}

// page is an answer of the pages around OAuth, which are not part of the API.
func page(status int, body string) raw {
	return raw{status, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, []byte(body)}
}

func redirect(to string) raw {
	return raw{http.StatusFound, http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Location": {to}}, []byte("Found. Redirecting to " + to)}
}

// oauthJSON is an answer of the OAuth endpoints, which have no envelope.
func oauthJSON(status int, body any) (any, error) {
	b, err := json.Marshal(body)
	return raw{status, http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Cache-Control": {"no-store"}, "Pragma": {"no-cache"}}, b}, err
}

func oauthError(status int, name, description string) (any, error) {
	return oauthJSON(status, fields{"error": name, "error_description": description})
}

// oauthUserInfo is /oauth/userinfo.
func (c *call) oauthUserInfo() (any, error) {
	header := c.r.Header.Get("Authorization")
	if header == "" {
		return page(http.StatusUnauthorized, "No token"), nil
	}
	t := c.oauthToken(strings.TrimPrefix(header, "Bearer "))
	if t == nil {
		return page(http.StatusUnauthorized, "Invalid Token"), nil
	}
	info := fields{
		"sub": t.user.id, "name": t.user.name, "department": "", "birthdate": "", "preffered_username": t.user.username, // the server's spelling
		"updated_at": stamp{t.user.updatedAt}, "picture": c.avatarURL(t.user),
	}
	if len(t.user.emails) > 0 {
		info["email"], info["email_verified"] = t.user.emails[0].Address, t.user.emails[0].Verified
	}
	return oauthJSON(http.StatusOK, info)
}

// oauthParameter is a parameter of a request to the OAuth endpoints, from the body or the query.
func (c *call) oauthParameter(name string) string {
	if value := c.body.str(name); value != "" {
		return value
	}
	return c.query.str(name)
}

// oauthConsentPage is GET /oauth/authorize: the page on which a user allows access. A real server shows it in the browser.
func (c *call) oauthConsentPage() (any, error) {
	app := c.oauthClient(c.query.str("client_id"))
	switch uri := c.query.str("redirect_uri"); {
	case app == nil:
		return redirect("/oauth/error/404"), nil
	case uri != "" && !slices.Contains(app.redirectURIs, uri):
		return redirect("/oauth/error/invalid_redirect_uri"), nil
	}
	return page(http.StatusOK, "<!DOCTYPE html><title>Authorize</title>"), nil
}

// oauthConsent is POST /oauth/authorize: the user allows access and is sent back to the app with a code.
func (c *call) oauthConsent() (any, error) {
	if c.body.str("allow") != "yes" {
		return oauthError(http.StatusUnauthorized, "access_denied", "The user denied access to your application")
	}
	login := c.body.str("access_token")
	if login == "" {
		login = c.body.str("token")
	}
	if login == "" {
		return page(http.StatusUnauthorized, "No token"), nil
	}
	t := c.byToken[login]
	if t == nil {
		return page(http.StatusUnauthorized, "Invalid token"), nil
	}
	app, uri := c.oauthClient(c.oauthParameter("client_id")), c.oauthParameter("redirect_uri")
	switch {
	case app == nil:
		return oauthError(http.StatusServiceUnavailable, "server_error", "Invalid clientId")
	case uri != "" && !slices.Contains(app.redirectURIs, uri):
		return oauthError(http.StatusBadRequest, "invalid_client", "Invalid client: `redirect_uri` does not match client value")
	case c.oauthParameter("response_type") != "code":
		return oauthError(http.StatusBadRequest, "unsupported_response_type", "Unsupported response type: `response_type` is not supported")
	}
	code := random("0123456789abcdef", 40)
	c.oauthCodes[code] = &oauthCode{app, t.user, uri, c.now().Add(oauthCodeLife)}
	if uri == "" {
		uri = app.redirectURIs[0]
	}
	to, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	query := to.Query()
	query.Set("code", code)
	if state := c.oauthParameter("state"); state != "" {
		query.Set("state", state)
	}
	to.RawQuery = query.Encode()
	return redirect(to.String()), nil
}

// oauthExchange is /oauth/token: a code or a refresh token for an access token.
func (c *call) oauthExchange() (any, error) {
	id, secret, basic := c.r.BasicAuth()
	if !basic {
		id, secret = c.oauthParameter("client_id"), c.oauthParameter("client_secret")
	}
	app := c.oauthClient(id)
	switch {
	case id == "" || secret == "":
		return oauthError(http.StatusBadRequest, "invalid_client", "Invalid client: cannot retrieve client credentials")
	case app == nil || app.secret != secret:
		return oauthError(http.StatusServiceUnavailable, "server_error", "Invalid clientId")
	}
	switch c.oauthParameter("grant_type") {
	case "authorization_code":
		return c.exchangeCode(app)
	case "refresh_token":
		return c.exchangeRefresh(app)
	case "":
		return oauthError(http.StatusBadRequest, "invalid_request", "Missing parameter: `grant_type`")
	default:
		return oauthError(http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant type: `grant_type` is invalid")
	}
}

func (c *call) exchangeCode(app *oauthApp) (any, error) {
	code := c.oauthParameter("code")
	found := c.oauthCodes[code]
	switch {
	case code == "":
		return oauthError(http.StatusBadRequest, "invalid_request", "Missing parameter: `code`")
	case found == nil:
		return oauthError(http.StatusServiceUnavailable, "server_error", "Invalid authCode")
	case found.app != app:
		return oauthError(http.StatusBadRequest, "invalid_grant", "Invalid grant: authorization code is invalid")
	case c.now().After(found.expires):
		return oauthError(http.StatusBadRequest, "invalid_grant", "Invalid grant: authorization code has expired")
	case found.redirectURI != "" && c.oauthParameter("redirect_uri") != found.redirectURI:
		return oauthError(http.StatusBadRequest, "invalid_request", "Invalid request: `redirect_uri` is invalid")
	}
	delete(c.oauthCodes, code)
	return c.grantOAuth(app, found.user)
}

func (c *call) exchangeRefresh(app *oauthApp) (any, error) {
	refresh := c.oauthParameter("refresh_token")
	i := slices.IndexFunc(c.oauthTokens, func(t *oauthToken) bool { return t.refresh == refresh })
	switch {
	case refresh == "":
		return oauthError(http.StatusBadRequest, "invalid_request", "Missing parameter: `refresh_token`")
	case i < 0:
		return oauthError(http.StatusServiceUnavailable, "server_error", "Invalid token")
	case c.oauthTokens[i].app != app:
		return oauthError(http.StatusBadRequest, "invalid_grant", "Invalid grant: refresh token was issued to another client")
	case c.now().After(c.oauthTokens[i].refreshExpires):
		return oauthError(http.StatusBadRequest, "invalid_grant", "Invalid grant: refresh token has expired")
	}
	u := c.oauthTokens[i].user
	c.oauthTokens = slices.Delete(c.oauthTokens, i, i+1)
	return c.grantOAuth(app, u)
}

func (c *call) grantOAuth(app *oauthApp, u *account) (any, error) {
	t := c.addOAuthToken(app, u)
	return oauthJSON(http.StatusOK, fields{
		"access_token": t.access, "token_type": "Bearer", "expires_in": int(oauthTokenLife.Seconds()), "refresh_token": t.refresh,
	})
}
