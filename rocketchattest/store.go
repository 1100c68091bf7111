package rocketchattest

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// database is what the replicas of a server share. Every call holds its lock from the first check to the answer.
type database struct {
	mu       sync.Mutex
	ticks    atomic.Int64 // order what calls do that overlap
	version  version
	clock    func() time.Time
	started  time.Time
	settings map[string]any
	// otherSettings have no effect.
	otherSettings map[string]any
	environment   map[string]string
	permissions   map[string][]string
	// permissionChanges says when a permission was given to other roles.
	permissionChanges map[string]time.Time
	roles             []*role

	users      map[string]*account
	accounts   int                 // that there have ever been
	byUsername map[string]*account // lower-cased name
	byEmail    map[string]*account // lower-cased address
	byToken    map[string]*token
	sorted     []*account // by username, unless stale
	stale      bool

	rooms      map[string]*room
	teams      []*team
	statuses   []*customStatus
	mails      []Mail
	challenges map[string]*challenge
	loginCodes map[string]string // code to user id
	failures   map[string]*failedLogins

	invites     []*invite
	oauthApps   []*oauthApp
	oauthCodes  map[string]*oauthCode
	oauthTokens []*oauthToken

	hidden   bool
	licensed bool
	internet http.RoundTripper
}

// account is a stored user.
type account struct {
	number             int   // in the order in which they came
	begun, done        int64 // when the call that made it began and had done so
	id, username, name string
	blankName          bool // the name is stored although it is empty
	kind               string
	emails             []address
	roles              []string
	active             bool
	inactiveReason     string
	createdAt          time.Time
	updatedAt          time.Time
	lastLogin          time.Time

	status           string
	statusConnection string
	statusDefault    string
	statusText       *string
	statusSource     string
	statusExpires    time.Time
	agentStatus      string // whether an agent takes visitors

	bio, nickname, reason string
	customFields          map[string]any
	passwordChange        *bool
	passwordChangeReason  string
	utcOffset             *float64
	language              string
	extension             string
	importIDs             []string
	federated             bool
	picture               *picture

	hasSettings bool
	hasProfile  bool
	preferences map[string]any

	passwordHash string
	history      []string
	known        struct { // what permissions are decided by, see rolesOf
		roles []string
		at    time.Time
	}
	tokens       []*token
	totp         *totp
	emailFactor  time.Time // when codes by email were switched on
	emailCode    *emailCode
	verification []verification
	exports      map[bool]*export // by whether all was asked for

	rooms []string
	push  []*pushToken
	keys  *e2eKeys
}

type address struct {
	Address  string `json:"address"`
	Verified bool   `json:"verified"`
}

type verification struct{ token, address string }

func (db *database) now() time.Time { return db.clock() }

// alphabet has no look-alikes, like the alphabet of the server's IDs.
const (
	alphabet = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"
	base64s  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
)

func random(from string, length int) string {
	b := make([]byte, length)
	limit := big.NewInt(int64(len(from)))
	for i := range b {
		n, err := rand.Int(rand.Reader, limit)
		if err != nil {
			return strings.Repeat(from[:1], length)
		}
		b[i] = from[n.Int64()]
	}
	return string(b)
}

func newID() string { return random(alphabet, 17) }

// newDatabaseID is an id as the database makes it for rooms, teams and memberships.
func newDatabaseID() string { return random("0123456789abcdef", 24) }

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

var errTaken = errors.New("rocketchattest: the user ID, username or email address is taken")

// insert stores a user under its id, username and addresses.
func (db *database) insert(u *account) error {
	if u.id == "" {
		u.id = newID()
	}
	if db.users[u.id] != nil || u.username != "" && db.byUsername[strings.ToLower(u.username)] != nil {
		return errTaken
	}
	for _, e := range u.emails {
		if db.byEmail[strings.ToLower(e.Address)] != nil {
			return errTaken
		}
	}
	db.accounts++
	u.number = db.accounts
	db.users[u.id] = u
	db.index(u)
	db.sorted = append(db.sorted, u)
	db.stale = true
	return nil
}

func (db *database) index(u *account) {
	if u.username != "" {
		db.byUsername[strings.ToLower(u.username)] = u
	}
	for _, e := range u.emails {
		db.byEmail[strings.ToLower(e.Address)] = u
	}
}

func (db *database) unindex(u *account) {
	delete(db.byUsername, strings.ToLower(u.username))
	for _, e := range u.emails {
		delete(db.byEmail, strings.ToLower(e.Address))
	}
}

// reindex gives a user another name and addresses, and keeps the indexes.
func (db *database) reindex(u *account, change func()) {
	db.unindex(u)
	change()
	db.index(u)
	db.stale = true
}

// remove forgets a user.
func (db *database) remove(u *account) {
	db.unindex(u)
	db.dropTokens(u, func(*token) bool { return true })
	db.dropOAuth(func(_ *oauthApp, user *account) bool { return user == u })
	for _, id := range slices.Clone(u.rooms) {
		db.leave(db.rooms[id], u)
	}
	delete(db.users, u.id)
	if i := db.position(u); i >= 0 {
		db.sorted = slices.Delete(db.sorted, i, i+1)
	}
}

// position is where u stands among the sorted users.
func (db *database) position(u *account) int {
	if db.stale {
		return slices.Index(db.sorted, u)
	}
	first, _ := slices.BinarySearchFunc(db.sorted, u.username, func(o *account, name string) int { return cmp.Compare(o.username, name) })
	i := slices.Index(db.sorted[first:], u)
	if i < 0 {
		return i
	}
	return first + i
}

// inOrder are all users by username. The slice belongs to the database.
func (db *database) inOrder() []*account {
	if db.stale {
		slices.SortFunc(db.sorted, func(a, b *account) int { return cmp.Compare(a.username, b.username) })
		db.stale = false
	}
	return db.sorted
}

// touch records a change.
func (db *database) touch(u *account) { u.updatedAt = db.now() }

func (db *database) userByName(username string) *account {
	return db.byUsername[strings.ToLower(username)]
}

// named is the account with a username or ID, nil if there is none.
func (db *database) named(usernameOrID string) *account {
	return cmp.Or(db.userByName(usernameOrID), db.users[usernameOrID])
}

func (db *database) userByEmail(email string) *account {
	return db.byEmail[strings.ToLower(email)]
}

// count is the number of users a condition holds for.
func (db *database) count(holds func(*account) bool) int {
	n := 0
	for _, u := range db.users {
		if holds(u) {
			n++
		}
	}
	return n
}

func (db *database) lastActiveAdmin(u *account) bool {
	return slices.Contains(u.roles, "admin") && db.count(func(o *account) bool { return o.active && slices.Contains(o.roles, "admin") }) == 1
}

// validUsername reports whether a name has only the characters the server allows.
func (db *database) validUsername(username string) bool {
	return matchesWhole(db.text("UTF8_User_Names_Validation"), username)
}

// matchesWhole reports whether a pattern of the settings matches a name. Servers put it between ^ and $ without a group,
// and use the standard pattern if it is empty or invalid.
func matchesWhole(pattern, name string) bool {
	const standard = "[0-9a-zA-Z-_.]+"
	compiled, err := regexp.Compile("^" + cmp.Or(pattern, standard) + "$")
	if err != nil {
		compiled = regexp.MustCompile("^" + standard + "$")
	}
	return compiled.MatchString(name)
}

// blockedUsername reports whether a name is reserved.
func (db *database) blockedUsername(username string) bool {
	return slices.ContainsFunc(append([]string{"all", "here"}, db.csv("Accounts_BlockedUsernameList")...),
		func(blocked string) bool { return strings.EqualFold(blocked, username) })
}

// usernameTaken reports whether a user or a team has the name.
func (db *database) usernameTaken(username string) bool {
	return db.userByName(username) != nil ||
		slices.ContainsFunc(db.teams, func(t *team) bool { return strings.EqualFold(t.name, username) })
}

func blockedUsername(username string) error {
	return coded("error-blocked-username", escaped(username)+" is blocked and can't be used!", fields{"method": "checkUsernameAvailability", "field": username})
}

func validNameCharacters(name string) bool { return !strings.ContainsAny(name, `<>/\`) }

// checkEmail refuses addresses without exactly one @ between other characters, and those of
// domains that are blocked or not allowed.
func (db *database) checkEmail(email string) error {
	name, domain, _ := strings.Cut(email, "@")
	if name == "" || domain == "" || strings.Contains(domain, "@") {
		return coded("error-invalid-email", "Invalid email "+email, fields{"function": "RocketChat.validateEmailDomain", "email": email})
	}
	if allowed := db.csv("Accounts_AllowedDomainsList"); len(allowed) > 0 && !slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, domain) }) {
		return coded("error-invalid-domain", "The email domain is not in whitelist", fields{"function": "RocketChat.validateEmailDomain"})
	}
	if slices.ContainsFunc(db.csv("Accounts_BlockedDomainsList"), func(blocked string) bool { return strings.EqualFold(blocked, domain) }) {
		return coded("error-email-domain-blacklisted", "The email domain is blacklisted", fields{"function": "RocketChat.validateEmailDomain"})
	}
	return nil
}
