package livetest

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// live is a server under test.
type live struct {
	admin     raw
	client    *rocketchat.Client // of the administrator
	version   [2]int
	run       string // marks what this run made
	made      int
	settle    time.Duration                               // until every part of the server knows a new setting
	mails     func(t *testing.T, address string) []string // the oldest first; nil if they cannot be read
	picture   string                                      // an address that the server can fetch a picture from
	secret    string                                      // of users.createToken; "" if the server has none
	loginCode func(username string) (code string)         // issues a login code; nil on real servers, see README
	challenge func(username string) (challengeID string)  // starts the second step of a log-in; nil on real servers
}

// TestLive calls every method against the server that the environment names. Without one
// it does so against servers in memory.
func TestLive(t *testing.T) {
	t.Parallel()
	if os.Getenv("ROCKETCHAT_URL") != "" {
		runChecks(t, realServer(t))
		return
	}
	// 7.7.1 and 8.3.0 are the versions whose answers were recorded; the first and the last
	// are the oldest and the newest that are played; the others are those of live.yml.
	for _, version := range []string{"6.13.0", "7.7.1", "7.13.0", "8.0.0", "8.3.0", "8.4.0", "8.8.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			runChecks(t, playedServer(t, version))
		})
	}
}

func runChecks(t *testing.T, l *live) {
	before := l.state(t)
	ok := t.Run("methods", func(t *testing.T) {
		l.set(t, "API_Enable_Rate_Limiter", false)
		// With it an account cannot log in by password alone once its address is verified.
		l.set(t, "Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In", false)
		for _, c := range checks() {
			t.Run(strings.ReplaceAll(c.methods, " ", "+"), func(t *testing.T) { c.run(t, l) })
		}
	})
	if ok {
		require.Equal(t, before, l.state(t), "the server is not as it was")
	}
}

func realServer(t *testing.T) *live {
	t.Helper()
	user, password := os.Getenv("ROCKETCHAT_USER"), os.Getenv("ROCKETCHAT_PASSWORD")
	require.NotEmpty(t, user, "ROCKETCHAT_USER must name an administrator")
	require.NotEmpty(t, password, "ROCKETCHAT_PASSWORD must be set")
	l := &live{
		settle:  time.Second,
		picture: cmp.Or(os.Getenv("ROCKETCHAT_PICTURE_URL"), "https://avatars.githubusercontent.com/u/12508788"),
		secret:  os.Getenv("CREATE_TOKENS_FOR_USERS_SECRET"),
	}
	if address := os.Getenv("ROCKETCHAT_MAILPIT_URL"); address != "" {
		l.mails = func(t *testing.T, to string) []string { return mailpit(t, address, to) }
	}
	l.open(t, strings.TrimSuffix(os.Getenv("ROCKETCHAT_URL"), "/"), user, password)
	return l
}

func playedServer(t *testing.T, version string) *live {
	t.Helper()
	const secret = "the-secret-of-the-test"
	server := rocketchattest.New(rocketchattest.WithVersion(version), rocketchattest.WithSecondFactor(), rocketchattest.WithLicense(), rocketchattest.WithSetting("SMTP_Host", "mail.example.com"),
		rocketchattest.WithEnv("CREATE_TOKENS_FOR_USERS", "true"), rocketchattest.WithEnv("CREATE_TOKENS_FOR_USERS_SECRET", secret))
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	l := &live{picture: "https://example.com/picture.png", secret: secret, loginCode: server.LoginCode, challenge: server.Challenge}
	l.mails = func(_ *testing.T, to string) []string {
		var texts []string
		for _, m := range server.Mails() {
			if m.To == to {
				texts = append(texts, m.Text)
			}
		}
		return texts
	}
	l.open(t, web.URL, "admin", rocketchattest.AdminPassword)
	return l
}

// open logs the administrator in.
func (l *live) open(t *testing.T, base, user, password string) {
	t.Helper()
	l.run = strings.ToLower(rand.Text()[:8])
	l.admin = login(t, base, user, password)
	t.Cleanup(func() { l.admin.post(t, "logout", fields{}) })
	_, info := l.admin.send(t, http.MethodGet, "/api/info", nil)
	var version struct {
		Version string `json:"version"`
	}
	require.NoError(t, json.Unmarshal(info, &version))
	l.version = release(t, version.Version)
	l.client = l.as(t, l.admin)
}

func release(t *testing.T, version string) [2]int {
	t.Helper()
	parts := strings.Split(version, ".")
	require.GreaterOrEqual(t, len(parts), 2, "the server's version is %q", version)
	major, err := strconv.Atoi(parts[0])
	require.NoError(t, err)
	minor, err := strconv.Atoi(parts[1])
	require.NoError(t, err)
	return [2]int{major, minor}
}

// login opens a session without the library.
func login(t *testing.T, base, user, password string) raw {
	t.Helper()
	answer := raw{base: base}.post(t, "login", fields{"user": user, "password": password})
	return raw{base: base, userID: answer.text("data.userId"), token: answer.text("data.authToken"), password: password}
}

// as is a client that acts with the token of r.
func (l *live) as(t *testing.T, r raw, opts ...rocketchat.Option) *rocketchat.Client {
	t.Helper()
	opts = append([]rocketchat.Option{
		rocketchat.WithPlainHTTP(), rocketchat.WithToken(r.userID, r.token),
		rocketchat.WithTwoFactor(rocketchat.AnswerWithPassword(rocketchat.NewSecret(r.password))),
	}, opts...)
	client, err := rocketchat.New(r.base, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// has reports whether the server is at least of a version.
func (l *live) has(version string) bool {
	major, minor, _ := strings.Cut(version, ".")
	a, _ := strconv.Atoi(major)
	b, _ := strconv.Atoi(minor)
	return slices.Compare(l.version[:], []int{a, b}) >= 0
}

// since reports whether a call of a method that came with a version has succeeded, which
// it must. On an older server it must fail as an unknown endpoint.
func (l *live) since(t *testing.T, version string, err error) bool {
	t.Helper()
	if l.has(version) {
		require.NoError(t, err)
		return true
	}
	require.ErrorIs(t, err, rocketchat.ErrEndpointUnknown)
	return false
}

// set changes a setting of the server until the test ends.
func (l *live) set(t *testing.T, name string, value any) {
	t.Helper()
	before := l.admin.get(t, "settings/"+name)
	if before["value"] == value {
		return
	}
	l.admin.post(t, "settings/"+name, fields{"value": value})
	time.Sleep(l.settle)
	t.Cleanup(func() {
		l.admin.post(t, "settings/"+name, fields{"value": before["value"]})
		time.Sleep(l.settle)
	})
}

// state is the state of the server that a run must restore.
func (l *live) state(t *testing.T) map[string]any {
	t.Helper()
	sorted := func(f fields, list, path string) []string { return slices.Sorted(slices.Values(f.column(list, path))) }
	users := l.admin.get(t, "users.list", "count", "0")
	me := l.admin.get(t, "me")
	s := map[string]any{
		"users":    sorted(users, "users", "username"),
		"names":    sorted(users, "users", "name"),
		"active":   activeUsers(users),
		"roles":    sorted(l.admin.get(t, "roles.list"), "roles", "name"),
		"statuses": sorted(l.admin.get(t, "custom-user-status.list", "count", "0"), "statuses", "name"),
		"rooms":    sorted(l.admin.get(t, "directory", "type", "channels", "count", "0"), "result", "name"),
		"teams":    sorted(l.admin.get(t, "users.listTeams", "userId", l.admin.userID), "teams", "name"),
		"tokens":   sorted(l.admin.get(t, "users.getPersonalAccessTokens"), "tokens", "name"),
		"me":       []any{me["name"], me["username"], me["emails"], me["bio"], me["nickname"], me["statusText"], me["roles"]},
	}
	for _, name := range []string{
		"API_Enable_Rate_Limiter", "Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In", "Accounts_AllowDeleteOwnAccount", "Presence_broadcast_disabled",
	} {
		s[name] = l.admin.get(t, "settings/"+name)["value"]
	}
	return s
}

func activeUsers(list fields) int {
	n := 0
	users, _ := list["users"].([]any)
	for i := range users {
		if list.at(fmt.Sprintf("users.%d.active", i)) == true {
			n++
		}
	}
	return n
}

// person is an account that a check has created for itself.
type person struct {
	raw

	username, name, email string
}

const password = "Livetest-1-Passw0rd!"

// name returns an unused name.
func (l *live) name() string {
	l.made++
	return fmt.Sprintf("livetest-%s-%d", l.run, l.made)
}

// person creates an account that has never logged in, until the check ends.
func (l *live) person(t *testing.T) *person {
	t.Helper()
	name := l.name()
	p := &person{username: name, name: "Person " + name, email: name + "@example.com"}
	answer := l.admin.post(t, "users.create", fields{
		"username": p.username, "name": p.name, "email": p.email, "password": password, "joinDefaultChannels": false,
	})
	p.raw = raw{base: l.admin.base, userID: answer.text("user._id"), password: password}
	t.Cleanup(func() { l.drop(t, p.userID) })
	return p
}

// member is a person with a session, and a client of theirs.
func (l *live) member(t *testing.T) (*person, *rocketchat.Client) {
	t.Helper()
	p := l.person(t)
	p.raw = login(t, p.base, p.username, password)
	return p, l.as(t, p.raw)
}

// drop deletes an account if it is still there.
func (l *live) drop(t *testing.T, userID string) {
	t.Helper()
	if status, _ := l.admin.ask(t, "users.info", "userId", userID); status == http.StatusOK {
		l.admin.post(t, "users.delete", fields{"userId": userID, "confirmRelinquish": true})
	}
}

// info returns a user as the administrator sees them.
func (l *live) info(t *testing.T, userID string) fields {
	t.Helper()
	user, _ := l.admin.get(t, "users.info", "userId", userID)["user"].(map[string]any)
	return user
}

// verify marks the address of a person as verified.
func (l *live) verify(t *testing.T, p *person) {
	t.Helper()
	l.admin.post(t, "users.update", fields{"userId": p.userID, "data": fields{"verified": true}})
}

// room creates a channel with a member until the check ends.
func (l *live) room(t *testing.T, member *person) (roomID, name string) {
	t.Helper()
	name = l.name()
	roomID = l.admin.post(t, "channels.create", fields{"name": name, "members": []string{member.username}}).text("channel._id")
	t.Cleanup(func() { l.admin.post(t, "channels.delete", fields{"roomId": roomID}) })
	return roomID, name
}

// mailed is the text of the mail that do makes the server send. It skips the test if
// mails cannot be read.
func (l *live) mailed(t *testing.T, to string, do func()) string {
	t.Helper()
	if l.mails == nil {
		t.Skip("mails cannot be read: ROCKETCHAT_MAILPIT_URL is not set")
	}
	before := len(l.mails(t, to))
	do()
	var all []string
	require.Eventually(t, func() bool {
		all = l.mails(t, to)
		return len(all) > before
	}, 30*time.Second, 50*time.Millisecond, "no mail came to %s", to)
	return all[len(all)-1]
}

var mailedCode = regexp.MustCompile(`\b(\d{3})-?(\d{3})\b`)

func codeIn(t *testing.T, mail string) string {
	t.Helper()
	m := mailedCode.FindStringSubmatch(mail)
	require.NotNil(t, m, "the mail has no code: %s", mail)
	return m[1] + m[2]
}

// mailpit reads the mails to an address from a Mailpit server.
func mailpit(t *testing.T, base, to string) []string {
	t.Helper()
	reader := raw{base: strings.TrimSuffix(base, "/")}
	found := reader.get(t, "search", "query", `to:"`+to+`"`)
	ids := found.column("messages", "ID")
	slices.Reverse(ids) // the newest comes first
	texts := make([]string, 0, len(ids))
	for _, id := range ids {
		texts = append(texts, reader.get(t, "message/"+url.PathEscape(id)).text("Text"))
	}
	return texts
}
