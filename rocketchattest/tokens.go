package rocketchattest

import (
	"slices"
	"time"
)

// token is a login token or a personal access token.
type token struct {
	value   string
	user    *account
	created time.Time
	expires time.Time // login tokens only
	name    string    // personal access tokens only
	bypass  bool
	// verified is when a second factor was last given with this token.
	verified time.Time
}

const loginTokenCap = 50

func (t *token) personal() bool { return t.name != "" }

func (t *token) expired(now time.Time) bool { return !t.expires.IsZero() && now.After(t.expires) }

func (db *database) addToken(u *account, t *token) *token {
	t.value, t.user, t.created = random(base64s, 43), u, db.now()
	u.tokens = append(u.tokens, t)
	db.byToken[t.value] = t
	return t
}

// addLoginToken issues a login token; the oldest ones beyond the cap go.
func (db *database) addLoginToken(u *account) *token {
	days := db.integer("Accounts_LoginExpiration")
	t := db.addToken(u, &token{expires: db.now().AddDate(0, 0, days)})
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

func (u *account) personalToken(name string) *token {
	if i := slices.IndexFunc(u.tokens, func(t *token) bool { return t.personal() && t.name == name }); i >= 0 {
		return u.tokens[i]
	}
	return nil
}

// tokenName is the name a personal access token call is about, after the checks common to those calls.
func (c *call) tokenName(method string) (string, error) {
	name := c.body.str("tokenName")
	if name == "" {
		return "", plain("The 'tokenName' param is required")
	}
	if !c.may("create-personal-access-tokens") {
		return "", coded("not-authorized", "Not Authorized", fields{"method": "personalAccessTokens:" + method})
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
	return c.issuePersonalToken(name, c.body.flag("bypassTwoFactor")), nil
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

func (c *call) issuePersonalToken(name string, bypass bool) fields {
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
	Name          string `json:"name"`
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

// createToken is users.createToken: allowed by a secret since 8.0, before that by a switch in the environment.
func (c *call) createToken() (any, error) {
	if !c.version.atLeast(8) {
		refused := coded("error-not-authorized", "Not authorized", fields{"method": "createToken"})
		if c.environment["CREATE_TOKENS_FOR_USERS"] != "true" {
			return nil, refused
		}
		u, err := c.chosen(c.body)
		if err == nil && u != c.me && !c.may("user-generate-access-token") {
			err = refused
		}
		return c.tokenFor(u, err)
	}
	refused := coded("error-not-authorized", "Not authorized", nil)
	secret := c.environment["CREATE_TOKENS_FOR_USERS_SECRET"]
	if secret == "" || c.body.str("secret") != secret {
		return nil, refused
	}
	u, err := c.chosen(c.body)
	if err == nil && u != c.me && c.version.atLeast(8, 6, 1) && !c.may("user-generate-access-token") {
		err = refused
	}
	return c.tokenFor(u, err)
}

func (c *call) tokenFor(u *account, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return fields{"data": fields{"userId": u.id, "authToken": c.addLoginToken(u).value}}, nil
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
	}
	return fields{"message": "User " + id + " has been logged out!"}, nil
}

// logoutOtherClients is users.logoutOtherClients: personal access tokens stay.
func (c *call) logoutOtherClients() (any, error) {
	c.dropTokens(c.me, func(t *token) bool { return t != c.token && !t.personal() })
	expires := any("")
	if !c.token.personal() {
		expires = stamp{c.token.expires}
	}
	return fields{"token": c.token.value, "tokenExpires": expires}, nil
}

// removeOtherTokens is users.removeOtherTokens: personal access tokens go too.
func (c *call) removeOtherTokens() (any, error) {
	c.dropTokens(c.me, func(t *token) bool { return t != c.token })
	return nil, nil
}

// logout is logout: the token used goes. The empty answer since 7.4 is a defect of the server that clients have to bear.
func (c *call) logout() (any, error) {
	c.dropTokens(c.me, func(t *token) bool { return t == c.token })
	if c.version.atLeast(7, 4) {
		return jsonAnswer(200, nil), nil
	}
	return jsonAnswer(200, []byte(`{"status":"success","data":{"message":"You've been logged out!"}}`)), nil
}
