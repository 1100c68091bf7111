package rocketchattest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// User is an account, for tests that prepare or inspect the server's state.
type User struct {
	// ID is set by [Server.AddUser] if it is empty.
	ID string
	// Username is the login name. Empty means an account that has not chosen one yet.
	Username string
	Name     string
	// Email is the address; it counts as verified unless Unverified is set.
	Email      string
	Unverified bool
	// Password is the password in plain text. It is never returned.
	Password string
	// Roles are role IDs; the default is "user".
	Roles []string
	// Inactive accounts are deactivated.
	Inactive bool
	// Type is "user" by default; others are "bot" and "app".
	Type string

	Bio, Nickname, StatusText string
	// Status is what others see, by default "offline". Any other status counts as a live connection.
	Status string
	// CustomFields are shown if the setting Accounts_CustomFields defines them.
	CustomFields map[string]any
	ImportIDs    []string
	Extension    string
	Federated    bool
	Language     string

	// TOTPSecret is the base32 secret of an authenticator app, see [TOTPCode].
	TOTPSecret string
	// EmailSecondFactor makes mailed codes the second factor of the user.
	EmailSecondFactor bool
	// RequirePasswordChange makes the user choose another password, for PasswordChangeReason.
	RequirePasswordChange bool
	PasswordChangeReason  string

	// CreatedAt is the present time by default.
	CreatedAt time.Time
	// LastLogin is zero for users who have never logged in.
	LastLogin time.Time
}

// Set changes a server setting; see [WithSetting]. It panics if there is no such setting.
func (s *Server) Set(name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	must(checkSetting(defaultSettings(s.version), name, value))
	s.settings[name] = value
}

// Setting returns the value of a server setting: a bool, a number or a string.
func (s *Server) Setting(name string) (value any, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, known = s.settings[name]
	return value, known
}

// Grant gives a permission to exactly these roles. It panics if there is no such
// permission.
func (s *Server) Grant(permission string, roles ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.permissions[permission]; !known {
		must(fmt.Errorf("permission %q: does not exist", permission))
	}
	s.grant(permission, roles)
}

// AddRole adds a custom role without permissions; see [Server.Grant].
func (s *Server) AddRole(id, name, description string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles = append(s.roles, &role{ID: id, Scope: "Users", Description: description, Name: name, UpdatedAt: stamp{s.now()}})
}

// AddUser adds an account without most checks of the API: only the ID, username and address
// must be free, and the roles must exist. It returns the account as stored.
func (s *Server) AddUser(u User) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.fromUser(u)
	if s.unknownRole(a.roles) {
		return User{}, fmt.Errorf("add user %q: not all of the roles %q exist; see Server.AddRole", u.Username, a.roles)
	}
	if err := s.insert(a); err != nil {
		return User{}, fmt.Errorf("add user %q: %w", u.Username, err)
	}
	s.joinDefaults(a)
	return a.toUser(), nil
}

func (db *database) fromUser(u User) *account {
	now := db.now()
	a := &account{
		id: u.ID, username: u.Username, name: u.Name, kind: u.Type, roles: slices.Clone(u.Roles), active: !u.Inactive,
		createdAt: u.CreatedAt, updatedAt: now, lastLogin: u.LastLogin, bio: u.Bio, nickname: u.Nickname, status: u.Status,
		customFields: maps.Clone(u.CustomFields), importIDs: slices.Clone(u.ImportIDs), extension: u.Extension, federated: u.Federated,
		language: u.Language, hasSettings: true,
	}
	if a.createdAt.IsZero() {
		a.createdAt = now
	}
	if a.kind == "" {
		a.kind = "user"
	}
	if len(a.roles) == 0 {
		a.roles = []string{"user"}
	}
	if a.status == "" {
		a.status = "offline"
	} else {
		a.statusConnection, a.statusDefault = "online", a.status
	}
	if u.Inactive {
		a.inactiveReason = "deactivated"
	}
	if u.Email != "" {
		a.emails = []address{{u.Email, !u.Unverified}}
	}
	if u.Password != "" {
		a.passwordHash = digest(u.Password)
	}
	if u.StatusText != "" {
		a.statusText = new(u.StatusText)
	}
	if u.TOTPSecret != "" {
		a.totp = &totp{secret: u.TOTPSecret, enabled: true, backup: newBackupCodes()}
	}
	if u.EmailSecondFactor {
		a.emailFactor = now
	}
	if u.RequirePasswordChange {
		a.passwordChange, a.passwordChangeReason = new(true), u.PasswordChangeReason
	}
	return a
}

func (u *account) toUser() User {
	out := User{
		ID: u.id, Username: u.username, Name: u.name, Roles: slices.Clone(u.roles), Inactive: !u.active, Type: u.kind,
		Bio: u.bio, Nickname: u.nickname, Status: u.status, CustomFields: maps.Clone(u.customFields), ImportIDs: slices.Clone(u.importIDs),
		Extension: u.extension, Federated: u.federated, Language: u.language, EmailSecondFactor: !u.emailFactor.IsZero(),
		RequirePasswordChange: u.passwordChange != nil && *u.passwordChange, PasswordChangeReason: u.passwordChangeReason, CreatedAt: u.createdAt, LastLogin: u.lastLogin,
	}
	if u.statusText != nil {
		out.StatusText = *u.statusText
	}
	if u.totp != nil {
		out.TOTPSecret = u.totp.secret
	}
	if len(u.emails) > 0 {
		out.Email, out.Unverified = u.emails[0].Address, !u.emails[0].Verified
	}
	return out
}

// User returns the account with the username, ignoring case.
func (s *Server) User(username string) (User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.userByName(username)
	if u == nil {
		return User{}, false
	}
	return u.toUser(), true
}

// Users returns all accounts, sorted by username.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]User, 0, len(s.users))
	for _, u := range s.inOrder() {
		all = append(all, u.toUser())
	}
	return all
}

// Login issues a login token without a call, for a username or ID. Both results are empty
// if there is no such user.
func (s *Server) Login(username string) (userID, token string) {
	return s.issue(username, s.addLoginToken)
}

// PersonalAccessToken issues a personal access token without a call, for a username or ID.
// It replaces a token of the same name. Both results are empty if there is no such user.
func (s *Server) PersonalAccessToken(username, name string, bypassTwoFactor bool) (userID, accessToken string) {
	return s.issue(username, func(u *account) *token {
		s.dropTokens(u, func(t *token) bool { return t.personal() && t.name == name })
		return s.addToken(u, &token{name: name, bypass: bypassTwoFactor})
	})
}

func (s *Server) issue(username string, add func(*account) *token) (userID, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.named(username)
	if u == nil {
		return "", ""
	}
	return u.id, add(u).value
}

// Challenge starts the second step of a log-in outside the API, for
// twoFactorChallenges.verifyChallenge, and returns its ID.
func (s *Server) Challenge(username string) (challengeID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.userByName(username)
	if u == nil {
		return ""
	}
	id := newID()
	s.challenges[id] = &challenge{u, s.now().Add(challengeExpires)}
	return id
}

// LoginCode issues a code for loginCode.redeem, which works once.
func (s *Server) LoginCode(username string) (code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.userByName(username)
	if u == nil {
		return ""
	}
	code = random(base64s, loginCodeLength)
	s.loginCodes[code] = u.id
	return code
}

const loginCodeLength = 64

// newDatabase is the state of a fresh server.
func newDatabase(c *config, v version) *database {
	db := &database{
		version: v, clock: c.clock, started: c.clock(), settings: defaultSettings(v), otherSettings: otherSettings(), environment: c.environment,
		users: map[string]*account{}, byUsername: map[string]*account{}, byEmail: map[string]*account{}, byToken: map[string]*token{},
		rooms: map[string]*room{}, challenges: map[string]*challenge{}, loginCodes: map[string]string{}, failures: map[string]*failedLogins{},
		hidden: c.hidden, licensed: c.licensed, internet: c.internet, permissionChanges: map[string]time.Time{}, oauthCodes: map[string]*oauthCode{},
	}
	maps.Copy(db.settings, c.settings)
	now := db.started
	db.roles = db.defaultRoles(stamp{now})
	db.permissions = db.defaultPermissions()
	db.addZapier()
	lobby := db.addRoom(general, strings.ToLower(general), channel)
	lobby.isDefault = true
	users := []*account{
		{id: "rocket.cat", username: "rocket.cat", name: "Rocket.Cat", kind: "bot", roles: []string{"bot"}, status: "online"},
		{
			username: "admin", name: "Administrator", kind: "user", roles: []string{"admin"}, emails: []address{{Address: "admin@example.com"}},
			status: "offline", passwordHash: digest(c.password),
		},
	}
	if db.testMode() {
		users = append(users, testAdmin())
	}
	for _, u := range users {
		u.active, u.createdAt, u.updatedAt, u.statusDefault, u.utcOffset = true, now, now, "online", new(0.0)
		if u.kind == "bot" || !db.does(bareStart) {
			u.picture = &picture{etag: newID(), origin: "rest", contentType: "image/png", stored: now}
		}
		if db.insert(u) == nil && (u.id == TestAdmin || !db.does(bareStart)) {
			db.join(lobby, u, 0)
		}
	}
	return db
}
