package examples_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func TestQuickstart(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	before := c.usernames()
	r := program{tool: "quickstart", env: c.login()}.run(t)
	assert.Contains(t, r.stdout, `"Ada Quickstart" -> "Ada Lovelace", the bio is still "first programmer"`)
	assert.Contains(t, r.stdout, "printed: [redacted]")
	assert.Contains(t, r.stdout, `class "already taken"`)
	assert.Contains(t, r.stdout, "skipped, because it takes minutes", "a real server's limit is a minute long")
	assert.Equal(t, before, c.usernames())
}

// By default servers mail a code to people whose address is verified, before they can log
// in. Those of the tour can.
func TestQuickstartWithMailedCodes(t *testing.T) {
	t.Parallel()
	c := newChat(t, rocketchattest.WithSetting("Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In", true), rocketchattest.WithVersion("8.3.0"))
	r := program{tool: "quickstart", env: c.login()}.run(t)
	assert.Contains(t, r.stdout, "5 of 5 accounts deleted")
	for _, mail := range c.Mails() {
		assert.NotEqual(t, rocketchattest.MailSecondFactor, mail.Kind, "to %s", mail.To)
	}
}

// What quickstart made is removed after a failure, too.
func TestQuickstartFails(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	before := c.usernames()
	c.AnswerNext("users.update", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"success":false,"error":"unauthorized"}`))
	})
	r := program{tool: "quickstart", env: c.login(), code: 1}.run(t)
	assert.Contains(t, r.stdout, "5 of 5 accounts deleted")
	assert.Contains(t, r.stderr, "quickstart: users.update: 403")
	assert.Contains(t, r.stderr, "the account needs the permissions create-user")
	assert.Equal(t, before, c.usernames())
}

func TestProvision(t *testing.T) {
	t.Parallel()
	c := newChat(t, rocketchattest.WithSetting("Accounts_CustomFields", `{"team":{"type":"text"}}`))
	people := file(t, "people.csv", "\uFEFFUsername,name,email,roles,password,active,bio,nickname,field:team\n"+
		"Anna.Weber,Anna Weber-Li,,,,,,,support\n"+
		"zoe.new,Zoé New,zoe@example.com,user guest,zoe-secret-1,yes,\"Likes, commas\",Z,sales\n"+
		"kim.later,,kim@example.com,,,no,,,\n")
	out := filepath.Join(t.TempDir(), "result.csv")
	p := program{tool: "provision", args: []string{"-out", out, people}, env: c.login()}
	r := p.run(t)
	assert.Contains(t, r.stderr, "2 created, 1 updated, 0 activated, 0 failed, 0 not begun, 0 refused")
	assert.NotContains(t, r.all(), "zoe-secret-1")

	anna := c.user(t, "anna.weber")
	assert.Equal(t, "Anna Weber-Li", anna.Name)
	assert.Equal(t, "Support, Hamburg", anna.Bio, "an empty cell leaves it")
	assert.Equal(t, "support", anna.CustomFields["team"])
	zoe := c.user(t, "zoe.new")
	assert.ElementsMatch(t, []string{"user", "guest"}, zoe.Roles)
	assert.Equal(t, "Likes, commas", zoe.Bio)
	assert.True(t, c.user(t, "kim.later").Inactive)
	_, err := c.client(t, "zoe.new").Sessions.Login(t.Context(), "zoe.new", rocketchat.NewSecret("zoe-secret-1"))
	require.NoError(t, err, "the password is the one of the file")

	written, err := os.ReadFile(out)
	require.NoError(t, err)
	rows, err := csv.NewReader(strings.NewReader(string(written))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	assert.Equal(t, []string{"line", "username", "action", "result", "id", "changes", "error"}, rows[0])
	assert.Equal(t, []string{"3", "zoe.new", "create", "created", zoe.ID}, rows[2][:5])
	assert.NotContains(t, string(written), "zoe-secret-1")

	assert.Contains(t, p.run(t).stdout, "0 to create, 0 to update, 0 to activate, 0 refused, 3 unchanged")
}

func TestProvisionJSON(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	r := program{
		tool: "provision", args: []string{"-format", "json", "-"}, env: c.login(), code: 1,
		stdin: `[{"username":"anna.weber","bio":""},` + "\n" + `{"username":"ben.okafor","active":false},` + "\n" + `{"username":"no.address"}]`,
	}.run(t)
	assert.Contains(t, r.stderr, "standard input:2: ben.okafor: is active: deactivate with offboard")
	assert.Contains(t, r.stderr, "standard input:3: no.address: a new account needs an address")
	assert.Contains(t, r.stderr, "0 created, 1 updated, 0 activated, 0 failed, 0 not begun, 2 refused")
	assert.Empty(t, c.user(t, "anna.weber").Bio, "an empty text erases")
	assert.Equal(t, "Annie", c.user(t, "anna.weber").Nickname)
	assert.False(t, c.user(t, "ben.okafor").Inactive)
}

// Every problem of a file has a line, and nothing is done before all are mended.
func TestProvisionProblems(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	bad := file(t, "people.csv", "username,active\nzoe.new,perhaps\nann,yes\nAnn,no\n")
	r := program{tool: "provision", args: []string{bad}, env: c.login(), code: 1}.run(t)
	assert.Equal(t, bad+":2: active must be yes or no, not \"perhaps\"\n"+bad+":4: Ann is already listed in line 3\n"+
		"2 problems in "+bad+"; nothing was changed\n", r.stderr)
	assert.Empty(t, r.stdout)

	p := program{tool: "provision", args: []string{"--format", "json", "-"}, env: c.login(), code: 1, stdin: "[{\"username\":\"zoe.new\"}]\n[]"}
	assert.Contains(t, p.run(t).stderr, "standard input:2: there is something after the end of the list\n")
	missing := program{tool: "provision", args: []string{"none.csv"}, env: c.login(), code: 1}
	assert.Equal(t, "provision: open none.csv: no such file or directory\n", missing.run(t).stderr)
	assert.Empty(t, c.Calls(), "the server is not bothered")

	wrong := file(t, "wrong.csv", "username,email,roles\nzoe.new,zoe@example.com,\nanna.weber,ben.okafor@example.com,\n")
	r = program{tool: "provision", args: []string{wrong}, env: c.login(), code: 1}.run(t)
	assert.Contains(t, r.stderr, wrong+":3: anna.weber: ", "what cannot be done has a line, too")
	assert.NotContains(t, r.stderr, "provision: ", "all was said")
}

// The result is opened before the work.
func TestProvisionOut(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	people := file(t, "people.csv", "username,email\nzoe.new,zoe@example.com\n")
	folder := t.TempDir()
	for _, out := range []string{filepath.Join(folder, "none", "out.csv"), folder} {
		r := program{tool: "provision", args: []string{"--out", out, people}, env: c.login(), code: 1}.run(t)
		assert.Contains(t, r.stderr, "provision: create "+out+": ")
	}
	assert.Empty(t, c.writes())
	out := file(t, "out.csv", "of the last run")
	c.AnswerNext("users.list", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"success":false,"error":"unauthorized"}`))
	})
	program{tool: "provision", args: []string{"--out", out, people}, env: c.login(), code: 1}.run(t)
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Equal(t, "of the last run", string(text), "a run that came to nothing leaves it")
	entries, err := os.ReadDir(filepath.Dir(out))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "and nothing beside it")

	r := program{tool: "provision", args: []string{"--out", "/dev/full", people}, env: c.login(), code: 1}.run(t)
	assert.Contains(t, r.stderr, "provision: /dev/full: no space left on device\n")

	program{tool: "provision", args: []string{"--out", "/dev/null", people}, env: c.login()}.run(t)
	device, err := os.Stat("/dev/null")
	require.NoError(t, err)
	assert.False(t, device.Mode().IsRegular())
}

// When the server goes away, the result tells what was not begun from what may have
// happened.
func TestProvisionLosesTheServer(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	c := newChat(t, rocketchattest.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/users.create") {
				gone.Store(true)
			}
			if gone.Load() {
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}))
	p := program{tool: "provision", args: []string{"--json", "--concurrency", "1", people(t, 30)}, env: c.login(), code: 1}
	r := p.run(t)
	var results []struct{ Username, Result, Error string }
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &results), r.stdout)
	require.Len(t, results, 30)
	count := make(map[string]int)
	for _, result := range results {
		count[result.Result]++
		assert.Equal(t, result.Result == "not begun", result.Error == "", "%+v", result)
	}
	assert.Positive(t, count["unknown"])
	assert.Positive(t, count["not begun"])
	assert.Contains(t, r.stderr, fmt.Sprintf("0 created, 0 updated, 0 activated, %d failed, %d not begun, 0 refused", count["unknown"], count["not begun"]))
}

// What people call themselves is no formula of a spreadsheet.
func TestFormulas(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	names := []string{"=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "x;=1", "＝1", "a,=1", "\"=1", "plain - text"}
	var input [][]string
	for i, name := range names {
		_, err := c.AddUser(rocketchattest.User{Username: fmt.Sprintf("user.%02d", i), Name: name, Email: fmt.Sprintf("u%d@example.com", i)})
		require.NoError(t, err)
		input = append(input, []string{fmt.Sprintf("user.%02d", i), "new " + name, name})
	}
	safe := func(t *testing.T, text string) (rows [][]string) {
		t.Helper()
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		require.NoError(t, err)
		for _, row := range rows {
			for _, cell := range row {
				for part := range strings.SplitSeq(cell, ";") {
					part = strings.TrimSpace(part)
					assert.False(t, part != "" && strings.Contains("=+-@\t\r＝", string([]rune(part)[:1])), "%q", cell)
				}
			}
		}
		return rows
	}
	r := program{tool: "roster", args: []string{"-format", "csv", "-search", "user."}, env: c.login()}.run(t)
	rows := safe(t, r.stdout)
	require.Len(t, rows, len(names)+1)
	assert.Equal(t, "'=1+1", rows[1][1])
	assert.Equal(t, "plain - text", rows[len(names)][1])

	var text strings.Builder
	require.NoError(t, csv.NewWriter(&text).WriteAll(append([][]string{{"username", "name", "nickname"}}, input...)))
	out := filepath.Join(t.TempDir(), "out.csv")
	program{tool: "provision", args: []string{"-out", out, file(t, "people.csv", text.String())}, env: c.login()}.run(t)
	written, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Len(t, safe(t, string(written)), len(names)+1)
}

// With --json the result, and nothing else, is on standard output.
func TestJSONResults(t *testing.T) {
	t.Parallel()
	people := file(t, "people.csv", "username,email\nzoe.new,zoe@example.com\nno.address,\n")
	calendar := file(t, "busy.ics", event("Writing tests", time.Now().Add(-time.Hour), time.Now().Add(time.Hour)))
	for _, tc := range []struct {
		line string
		code int
		says string // of the first entry
	}{
		{"provision " + people, 1, `{"line":2,"username":"zoe.new","action":"create","result":"created"`},
		{"provision -dry-run " + people, 1, `{"line":2,"username":"zoe.new","action":"create","result":"planned"`},
		{"offboard elif.kaya nobody", 1, `{"name":"elif.kaya","result":"done"`},
		{"offboard -dry-run elif.kaya", 0, `{"name":"elif.kaya","result":"planned"`},
		{"offboard nobody", 1, ""},
		{"roster -search elif", 0, `{"username":"elif.kaya","name":"Elif Kaya"`},
		{"rotate-tokens backup", 0, `{"name":"backup","result":"done","next":"backup #2","file":"backup.token"}`},
		{"rotate-tokens -dry-run backup", 0, `{"name":"backup","result":"planned"}`},
		{"rotate-tokens", 0, ""},
		{"avatars " + samples(t), 0, `{"name":"anna.weber.png","result":"done","detail":"set for anna.weber"}`},
		{"avatars -dry-run " + samples(t), 0, `{"name":"anna.weber.png","result":"planned","detail":"for anna.weber"}`},
		{"status " + calendar, 0, `{"from":"`},
		{"status -dry-run " + calendar, 0, `{"from":"`},
		{"status -clear -dry-run", 0, `{"status":"online","message":""}`},
	} {
		t.Run(tc.line, func(t *testing.T) {
			t.Parallel()
			c := newChat(t)
			c.PersonalAccessToken("admin", "backup", false)
			words := strings.Fields(tc.line)
			r := program{tool: words[0], args: append(words[1:], "--json"), env: c.login(), code: tc.code}.run(t)
			list := []json.RawMessage{}
			require.NoError(t, json.Unmarshal([]byte(r.stdout), &list), r.stdout)
			require.NotNil(t, list, r.stdout)
			if tc.says == "" {
				assert.Empty(t, list)
				return
			}
			require.NotEmpty(t, list)
			var first bytes.Buffer
			require.NoError(t, json.Compact(&first, list[0]))
			assert.True(t, strings.HasPrefix(first.String(), tc.says), first.String())
		})
	}
}

func TestOffboard(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	id, session := c.Login("elif.kaya")
	_, token := c.PersonalAccessToken("elif.kaya", "reports", false)
	c.AddRoom("partner-contracts", "frank.ito")
	departed := file(t, "departed.txt", "# left in May\n@Elif.Kaya\n\nfrank.ito\nadmin\nhugo.silva\nnobody.here\n")
	r := program{tool: "offboard", args: []string{"-file", departed, "deploy.bot"}, env: c.login(), code: 1}.run(t)

	assert.True(t, c.user(t, "elif.kaya").Inactive)
	for _, gone := range []string{session, token} {
		client, err := rocketchat.New(c.address, rocketchat.WithToken(id, gone))
		require.NoError(t, err)
		_, err = client.Me.Get(t.Context())
		require.ErrorIs(t, err, rocketchat.ErrUnauthorized)
	}
	for _, name := range []string{"frank.ito", "admin", "deploy.bot", "anna.weber"} {
		assert.False(t, c.user(t, name).Inactive, name)
	}
	for _, part := range []string{
		"would be deleted: partner-contracts", "departed.txt:5: admin: skipped: it is the account that this program runs as", "departed.txt:6: hugo.silva: is already deactivated",
		"departed.txt:7: nobody.here: there is no such user", "deploy.bot: skipped", "3 of 6 accounts that were named cannot be deactivated", "1 done, 1 failed, 0 not begun",
	} {
		assert.Contains(t, r.stderr, part)
	}

	program{tool: "offboard", args: []string{"-relinquish", "-bots", "frank.ito", "deploy.bot"}, env: c.login()}.run(t)
	assert.True(t, c.user(t, "frank.ito").Inactive)
	assert.True(t, c.user(t, "deploy.bot").Inactive)
}

func TestOffboardIdle(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	_, err := c.AddUser(rocketchattest.User{Username: "old.admin", Roles: []string{"admin"}, LastLogin: time.Now().AddDate(-2, 0, 0)})
	require.NoError(t, err)
	r := program{tool: "offboard", args: []string{"-idle-days", "90", "-max", "2"}, env: c.login(), code: 1}.run(t)
	assert.Contains(t, r.stderr, "3 accounts would be deactivated, and --max allows 2: nothing was changed")
	assert.Empty(t, c.writes())

	program{tool: "offboard", args: []string{"-idle-days", "90", "-scope", "user"}, env: c.login()}.run(t)
	for name, inactive := range map[string]bool{
		"dev.patel": true, "elif.kaya": true, "frank.ito": false, "grace.lund": false, "chloe.martin": false, "old.admin": false, "deploy.bot": false,
	} {
		assert.Equal(t, inactive, c.user(t, name).Inactive, name)
	}
	program{tool: "offboard", args: []string{"-admins", "old.admin"}, env: c.login()}.run(t)
	assert.True(t, c.user(t, "old.admin").Inactive)
}

// Who may not see when others have logged in gets no wrong answer.
func TestPermissionMissing(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	for _, p := range []program{
		{tool: "offboard", args: []string{"-idle-days", "30"}},
		{tool: "roster", args: []string{"-never-logged-in"}},
	} {
		p.env, p.code = c.token("anna.weber"), 1
		assert.Contains(t, p.run(t).stderr, "the permission view-full-other-user-info is missing")
	}
	assert.Contains(t, program{tool: "roster", env: c.token("anna.weber")}.run(t).stdout, "ben.okafor")
}

func TestRoster(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	hostile := "Mallory\x1b[2J"
	_, err := c.AddUser(rocketchattest.User{Username: "mallory", Name: hostile, Inactive: true})
	require.NoError(t, err)
	for line, expected := range map[string][]string{
		"-role guest":                          {"frank.ito"},
		"-inactive":                            {"hugo.silva", "mallory"},
		"-never-logged-in -active":             {"grace.lund", "rocket.cat"},
		"-idle-days 100 -domain EXAMPLE.com":   {"elif.kaya", "hugo.silva"},
		"-search LUND":                         {"grace.lund"},
		"-domain partner.example":              {"frank.ito"},
		"-search nobody-has-that":              {},
		"-idle-days 5 -active -search example": {"chloe.martin", "dev.patel", "elif.kaya", "frank.ito"},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			p := program{tool: "roster", args: append([]string{"-format", "csv"}, strings.Fields(line)...), env: c.login()}
			rows, err := csv.NewReader(strings.NewReader(p.run(t).stdout)).ReadAll()
			require.NoError(t, err)
			names := []string{}
			for _, row := range rows[1:] {
				names = append(names, row[0])
			}
			assert.Equal(t, expected, names)

			p.args[1] = "json"
			var list []struct {
				Username string
				Roles    []string
				ID       string
			}
			require.NoError(t, json.Unmarshal([]byte(p.run(t).stdout), &list))
			require.NotNil(t, list)
			require.Len(t, list, len(expected))
			for i, entry := range list {
				assert.Equal(t, expected[i], entry.Username)
				assert.Equal(t, c.user(t, entry.Username).Roles, entry.Roles)
				assert.Equal(t, c.user(t, entry.Username).ID, entry.ID)
			}
		})
	}
	r := program{tool: "roster", env: c.login()}.run(t)
	assert.Contains(t, r.stdout, "Mallory·[2J")
	assert.NotContains(t, r.stdout, "\x1b")
}

func TestRotateTokens(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var age time.Duration
	now := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(-age)
	}
	c := newChat(t, rocketchattest.WithClock(now))
	issue := func(name string, days int) (id, token string) {
		mu.Lock()
		age = time.Duration(days) * 24 * time.Hour
		mu.Unlock()
		defer func() {
			mu.Lock()
			age = 0
			mu.Unlock()
		}()
		return c.PersonalAccessToken("admin", name, false)
	}
	id, own := issue("a own", 100)
	_, old := issue("backup #4", 91)
	_, fresh := issue("ci", 89)

	folder := filepath.Join(t.TempDir(), "made", "for", "it")
	r := program{tool: "rotate-tokens", args: []string{"-dir", folder}, env: []string{
		"ROCKETCHAT_URL=" + c.address, "ROCKETCHAT_USER_ID=" + id, "ROCKETCHAT_TOKEN=" + own, "ROCKETCHAT_PASSWORD=" + rocketchattest.AdminPassword,
	}}.run(t)
	assert.Contains(t, r.stderr, `1/2 backup #4: replaced by "backup #5"`)
	assert.Contains(t, r.stderr, `2/2 a own: replaced by "a own #2"`, "the token that it runs with comes last")

	works := func(token string) bool {
		client, err := rocketchat.New(c.address, rocketchat.WithToken(id, token))
		require.NoError(t, err)
		_, err = client.Me.Get(t.Context())
		return err == nil
	}
	assert.False(t, works(own))
	assert.False(t, works(old))
	assert.True(t, works(fresh), "it is not old yet")
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	for _, name := range []string{"a_own.token", "backup.token"} {
		path := filepath.Join(folder, name)
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		token := strings.TrimSpace(string(text))
		assert.True(t, works(token), name)
		assert.NotContains(t, r.all(), token)
	}

	r = program{tool: "rotate-tokens", args: []string{"-print", "ci"}, env: c.login()}.run(t)
	name, token, _ := strings.Cut(strings.TrimSpace(r.stdout), "\t")
	assert.Equal(t, "ci #2", name)
	assert.True(t, works(token))
	assert.NotContains(t, r.stderr, token)
	assert.False(t, works(fresh))
}

// A folder that cannot be written is noticed before a token is touched.
func TestRotateTokensRefuses(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	for _, name := range []string{"backup", "backup #2", "x/y"} {
		c.PersonalAccessToken("admin", name, false)
	}
	noFolder := file(t, "file", "")
	for part, args := range map[string][]string{
		"not a directory":                 {"-dir", noFolder, "backup"},
		`no token named "none"`:           {"backup", "none"},
		"would both go to backup.token":   {"backup", "backup #2"},
		"no token is older than 90 days":  nil,
		"no token is older than 400 days": {"-older-than", "400"},
	} {
		code := 1
		if strings.HasPrefix(part, "no token is") {
			code = 0
		}
		r := program{tool: "rotate-tokens", args: args, env: c.login(), code: code}.run(t)
		assert.Contains(t, r.stderr, part)
	}
	assert.Empty(t, c.writes())

	folder := t.TempDir()
	program{tool: "rotate-tokens", args: []string{"-dir", folder, "x/y"}, env: c.login()}.run(t)
	assert.FileExists(t, filepath.Join(folder, "x_y.token"))
}

func TestAvatars(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	picture, err := os.ReadFile(filepath.Join(samples(t), "anna.weber.png"))
	require.NoError(t, err)
	folder := t.TempDir()
	for name, data := range map[string]string{
		"Anna.Weber.PNG": string(picture), "nobody.here.png": string(picture), "ben.okafor.jpg": "no picture", ".hidden": "x",
		"dev.patel.png": string(picture), "dev.patel.gif": "GIF89a", "grace.lund.png": "",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(data), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(folder, "elif.kaya.png"), 0o700))

	r := program{tool: "avatars", args: []string{folder}, env: c.login(), code: 1}.run(t)
	for _, part := range []string{
		"Anna.Weber.PNG: set for anna.weber", "nobody.here.png: there is no such user", "ben.okafor.jpg: is not a picture",
		"dev.patel.png: is a second picture for the same user; the first is dev.patel.gif", "grace.lund.png: is not a picture", "4 files cannot be used",
	} {
		assert.Contains(t, r.stderr, part)
	}
	assert.NotContains(t, r.all(), ".hidden")
	assert.Equal(t, 2, c.Count("users.setAvatar"))

	client := c.client(t, "admin")
	image, err := client.Avatars.Image(t.Context(), rocketchat.ByUsername("anna.weber"), rocketchat.AvatarImageOptions{})
	require.NoError(t, err)
	assert.Equal(t, picture, image.Data)

	r = program{tool: "avatars", args: []string{filepath.Join(folder, "none")}, env: c.login(), code: 1}.run(t)
	assert.Contains(t, r.stderr, "no such file")
}
