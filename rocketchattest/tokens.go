package rocketchattest

import (
	"reflect"
	"slices"
	"time"
)

// token is a login token or a personal access token.
type token struct {
	value   string
	user    *account
	created time.Time
	name    any // personal access tokens only; a text, unless somebody sent something else
	bypass  bool
	// verified is when a second factor was last given with this token, and verifiedBy by
	// which client.
	verified   time.Time
	verifiedBy string
}

const loginTokenCap = 50

func (t *token) personal() bool { return t.name != nil }

// expiry is when a login token expires, after what the setting says now.
func (db *database) expiry(t *token) time.Time {
	return t.created.Add(time.Duration(db.number("Accounts_LoginExpiration") * float64(24*time.Hour)))
}

// expired reports whether a token has expired, so that it can no longer be used to log in.
func (db *database) expired(t *token) bool { return !t.personal() && db.now().After(db.expiry(t)) }

// sweepEvery is how often servers remove expired tokens. Until then these still work in
// headers.
const sweepEvery = 10 * time.Minute

// swept reports whether a token had expired when the server last removed tokens.
func (db *database) swept(t *token) bool {
	last := db.started.Add(db.now().Sub(db.started).Truncate(sweepEvery))
	return !t.personal() && last.After(db.expiry(t))
}

func (db *database) addToken(u *account, t *token) *token {
	t.value, t.user, t.created = random(base64s, 43), u, db.now()
	u.tokens = append(u.tokens, t)
	db.byToken[t.value] = t
	return t
}

// addLoginToken issues a login token; the oldest ones beyond the cap go.
func (db *database) addLoginToken(u *account) *token {
	t := db.addToken(u, &token{})
	surplus := -loginTokenCap
	for _, t := range u.tokens {
		if !t.personal() {
			surplus++
		}
	}
	db.dropTokens(u, func(t *token) bool {
		if t.personal() || surplus <= 0 {
			return false
		}
		surplus--
		return true
	})
	return t
}

func (db *database) dropTokens(u *account, drop func(*token) bool) {
	u.tokens = slices.DeleteFunc(u.tokens, func(t *token) bool {
		if !drop(t) {
			return false
		}
		delete(db.byToken, t.value)
		return true
	})
}

func (db *database) dropAllTokens(u *account) { db.dropTokens(u, func(*token) bool { return true }) }

func (u *account) personalToken(name any) *token {
	if i := slices.IndexFunc(u.tokens, func(t *token) bool { return t.personal() && reflect.DeepEqual(t.name, name) }); i >= 0 {
		return u.tokens[i]
	}
	return nil
}

// tokenName is the name a personal access token call is about, after the checks common to those calls.
func (c *call) tokenName(method string) (any, error) {
	name := c.body["tokenName"]
	if !truthy(name) {
		return nil, plain("The 'tokenName' param is required")
	}
	if !c.may("create-personal-access-tokens") {
		return nil, coded("not-authorized", "Not Authorized", fields{"method": "personalAccessTokens:" + method})
	}
	return name, nil
}

func unknownToken(method string) error {
	return coded("error-token-does-not-exists", "Token does not exist", fields{"method": "personalAccessTokens:" + method})
}

// generatePersonalToken is users.generatePersonalAccessToken.
func (c *call) generatePersonalToken() (any, error) {
	const method = "generateToken"
	name, err := c.tokenName(method)
	if err != nil {
		return nil, err
	}
	if c.me.personalToken(name) != nil {
		return nil, coded("error-token-already-exists", "A token with this name already exists", fields{"method": "personalAccessTokens:" + method})
	}
	return c.issuePersonalToken(name, truthy(c.body["bypassTwoFactor"])), nil
}

// regeneratePersonalToken is users.regeneratePersonalAccessToken.
func (c *call) regeneratePersonalToken() (any, error) {
	const method = "regenerateToken"
	name, err := c.tokenName(method)
	if err != nil {
		return nil, err
	}
	old := c.me.personalToken(name)
	if old == nil {
		return nil, unknownToken(method)
	}
	c.dropTokens(c.me, func(t *token) bool { return t == old })
	return c.issuePersonalToken(name, old.bypass), nil
}

func (c *call) issuePersonalToken(name any, bypass bool) fields {
	t := c.addToken(c.me, &token{name: name, bypass: bypass})
	c.touch(c.me)
	return fields{"token": t.value}
}

// removePersonalToken is users.removePersonalAccessToken.
func (c *call) removePersonalToken() (any, error) {
	const method = "removeToken"
	name, err := c.tokenName(method)
	if err != nil {
		return nil, err
	}
	old := c.me.personalToken(name)
	if old == nil {
		return nil, unknownToken(method)
	}
	c.dropTokens(c.me, func(t *token) bool { return t == old })
	return nil, nil
}

type personalToken struct {
	Name          any    `json:"name"`
	CreatedAt     stamp  `json:"createdAt"`
	LastTokenPart string `json:"lastTokenPart"`
	Bypass        bool   `json:"bypassTwoFactor"`
}

// personalTokens is users.getPersonalAccessTokens.
func (c *call) personalTokens() (any, error) {
	items := []personalToken{}
	for _, t := range c.me.tokens {
		if t.personal() {
			items = append(items, personalToken{t.name, stamp{t.created}, t.value[len(t.value)-6:], t.bypass})
		}
	}
	return fields{"tokens": items}, nil
}

// createToken is users.createToken. The user is looked up before anything else is checked.
func (c *call) createToken() (any, error) {
	u, err := c.chosen(c.body)
	switch {
	case err != nil:
		return nil, err
	case c.mayCreateToken(u):
		return fields{"data": fields{"userId": u.id, "authToken": c.addLoginToken(u).value}}, nil
	case c.does(tokensBySecret):
		return nil, coded("error-not-authorized", "Not authorized", nil)
	}
	return nil, coded("error-not-authorized", "Not authorized", fields{"method": "createToken"})
}

// mayCreateToken reports whether the caller may create a token for u: with the secret of the
// environment since 8.0, before that if a variable of the environment allows it.
func (c *call) mayCreateToken(u *account) bool {
	permitted := u == c.me || c.may("user-generate-access-token")
	if c.does(tokensBySecret) {
		secret := c.environment["CREATE_TOKENS_FOR_USERS_SECRET"]
		return secret != "" && c.body.str("secret") == secret && (permitted || !c.does(guardsTokens))
	}
	return permitted && c.environment["CREATE_TOKENS_FOR_USERS"] == "true"
}

// logoutUser is users.logout: every token of the user goes, and an id nobody has is answered the same way.
func (c *call) logoutUser() (any, error) {
	id := c.body.str("userId")
	if id == "" {
		id = c.me.id
	}
	if id != c.me.id && !c.may("logout-other-user") {
		return nil, c.forbidden()
	}
	if u := c.users[id]; u != nil {
		c.dropAllTokens(u)
		u.push = nil
	}
	return fields{"message": "User " + id + " has been logged out!"}, nil
}

// logoutOtherClients is users.logoutOtherClients: personal access tokens stay.
func (c *call) logoutOtherClients() (any, error) {
	if c.token == nil { // the caller came with an OAuth token
		return nil, coded("error-parameter-required", "x-auth-token is required", nil)
	}
	c.endOtherSessions()
	expires := any("")
	if !c.token.personal() {
		expires = stamp{c.expiry(c.token)}
	}
	return fields{"token": c.token.value, "tokenExpires": expires}, nil
}

// removeOtherTokens is users.removeOtherTokens: personal access tokens go too.
func (c *call) removeOtherTokens() (any, error) {
	before := len(c.me.tokens)
	c.dropTokens(c.me, func(t *token) bool { return t != c.token })
	if !c.does(tellsRemoval) {
		return nil, nil
	}
	return fields{
		"acknowledged": true, "modifiedCount": min(before-len(c.me.tokens), 1), "upsertedId": nil, "upsertedCount": 0, "matchedCount": 1,
	}, nil
}

// logout is logout: the token used goes. The empty answer since 7.4 is a defect of the server that clients have to bear.
func (c *call) logout() (any, error) {
	c.dropTokens(c.me, func(t *token) bool { return t == c.token })
	if c.does(newRouter) {
		return jsonAnswer(200, nil), nil
	}
	return jsonAnswer(200, []byte(`{"status":"success","data":{"message":"You've been logged out!"}}`)), nil
}
