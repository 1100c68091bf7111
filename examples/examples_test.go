// Package examples_test runs the examples as processes, against their embedded server and
// against a server on a real connection.
package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

var tools = []string{"quickstart", "provision", "offboard", "roster", "rotate-tokens", "avatars", "status", "fleet", "ldap-sync", "scim", "observability"}

// binaries is the folder of the programs.
var binaries string

func TestMain(m *testing.M) {
	os.Exit(build(m))
}

func build(m *testing.M) int {
	var err error
	if binaries, err = os.MkdirTemp("", "examples"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(binaries)
	args := append([]string{"build"}, buildFlags...)
	args = append(args, "-o", binaries+string(filepath.Separator))
	for _, tool := range tools {
		args = append(args, "./"+tool)
	}
	command := exec.Command("go", args...)
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "go build:", err)
		return 1
	}
	return m.Run()
}

// program is a call of a tool.
type program struct {
	tool  string
	args  []string
	env   []string // NAME=value, in place of the test's own environment
	stdin string
	code  int // that is expected

	columns uint16 // of the terminal, where it runs on one; 0 is not known
}

// result is what a program wrote.
type result struct {
	stdout, stderr string
}

func (r result) all() string { return r.stdout + r.stderr }

// longest is when a program counts as hung. It is long, because the machine may be slow.
const longest = 5 * time.Minute

// command is the process of a program, not yet started.
func (p program) command(t *testing.T) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	t.Cleanup(cancel)
	command := exec.CommandContext(ctx, filepath.Join(binaries, p.tool), p.args...)
	command.Env = append([]string{"TZ=UTC", "TMPDIR=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}, p.env...)
	command.Dir = t.TempDir()
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it must not find the terminal of the tests
	command.Stdin = strings.NewReader(p.stdin)
	return command
}

// run runs a program to its end, and checks that its output has no secrets.
func (p program) run(t *testing.T) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command := p.command(t)
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		require.NoError(t, err, "%s", exit)
	}
	r := result{stdout.String(), stderr.String()}
	require.Equal(t, p.code, command.ProcessState.ExitCode(), "%s %q wrote:\n%s", p.tool, p.args, r.all())
	p.keepsSecrets(t, r)
	return r
}

// forProgrammers matches names of Go and its packages, which do not belong in messages for
// operators.
var forProgrammers = regexp.MustCompile(`\bWith[A-Z]\w+|rocketchat\.[A-Z]|rocketchat: |json: |Go (struct|value)|strconv\.|kong|ical: |\bnil\b|%!|\*\w+\.\w+`)

func (p program) keepsSecrets(t *testing.T, r result) {
	t.Helper()
	if p.tool != "quickstart" && p.tool != "observability" { // whose tour is for programmers
		assert.Empty(t, forProgrammers.FindString(r.all()), "%s %q wrote:\n%s", p.tool, p.args, r.all())
	}
	assert.NotContains(t, r.all(), rocketchattest.AdminPassword)
	for _, setting := range p.env {
		name, value, _ := strings.Cut(setting, "=")
		if strings.HasSuffix(name, "TOKEN") || strings.HasSuffix(name, "PASSWORD") {
			assert.NotContains(t, r.all(), value, "the value of %s", name)
		}
	}
}

// chat is a server on a real connection, with the people of the embedded one. It has no
// rate limit, which even administrators meet when they log in.
type chat struct {
	*rocketchattest.Server
	address string
}

func newChat(t *testing.T, opts ...rocketchattest.Option) chat {
	t.Helper()
	server := rocketchattest.New(append([]rocketchattest.Option{
		rocketchattest.WithSecondFactor(), rocketchattest.WithLimit(0, 0),
		rocketchattest.WithSetting("Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In", false), // new users log in by password alone
	}, opts...)...)
	for _, person := range cli.Staff(time.Now()) {
		_, err := server.AddUser(person)
		require.NoError(t, err)
	}
	listening := httptest.NewServer(server)
	t.Cleanup(listening.Close)
	return chat{server, listening.URL}
}

// login is the environment of the administrator with a password.
func (c chat) login() []string {
	return []string{"ROCKETCHAT_URL=" + c.address, "ROCKETCHAT_USER=admin", "ROCKETCHAT_PASSWORD=" + rocketchattest.AdminPassword}
}

// token is the environment of a user with a token.
func (c chat) token(username string) []string {
	id, token := c.Login(username)
	return []string{"ROCKETCHAT_URL=" + c.address, "ROCKETCHAT_USER_ID=" + id, "ROCKETCHAT_TOKEN=" + token}
}

// client is a client that acts for a user.
func (c chat) client(t *testing.T, username string) *rocketchat.Client {
	t.Helper()
	id, token := c.Login(username)
	client, err := rocketchat.New(c.address, rocketchat.WithToken(id, token))
	require.NoError(t, err)
	return client
}

// user is the account with the name.
func (c chat) user(t *testing.T, username string) rocketchattest.User {
	t.Helper()
	user, ok := c.User(username)
	require.True(t, ok, "there is no %s", username)
	return user
}

// usernames are the names of everybody.
func (c chat) usernames() []string {
	var names []string
	for _, user := range c.Users() {
		names = append(names, user.Username)
	}
	return names
}

// writes are the operations that could have changed something.
func (c chat) writes() []string {
	var ops []string
	for _, call := range c.Calls() {
		if call.Method != http.MethodGet && call.Op != "login" && call.Op != "logout" {
			ops = append(ops, call.Op)
		}
	}
	return ops
}

// file makes a file with a text, and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, tool := range tools {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			r := program{tool: tool, args: []string{"-h"}}.run(t)
			assert.Equal(t, r, program{tool: tool, args: []string{"--help"}}.run(t))
			for _, part := range []string{tool + " ", "Usage: " + tool, "ROCKETCHAT_URL", "ROCKETCHAT_TOKEN", "Permissions:", "Examples:", "Exit code:"} {
				assert.Contains(t, r.stdout, part)
			}
			if tool != "roster" && tool != "scim" { // which only read, or do what the provider says
				assert.Contains(t, r.stdout, "--dry-run")
			}
			assert.Empty(t, r.stderr)
		})
	}
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	admin := c.login()
	bare := []string{"ROCKETCHAT_URL=" + c.address}
	var wrong []program
	for _, tool := range tools {
		wrong = append(wrong,
			program{tool: tool, args: []string{"-no-such-flag"}},
			program{tool: tool, env: bare},
			program{tool: tool, env: []string{"ROCKETCHAT_USER=admin", "ROCKETCHAT_PASSWORD=b-secret"}},
			program{tool: tool, env: []string{"ROCKETCHAT_URL=http://chat.example.org", "ROCKETCHAT_USER_ID=a", "ROCKETCHAT_TOKEN=b-secret"}},
			program{tool: tool, env: append(slices.Clone(admin), "ROCKETCHAT_PLAIN_HTTP=perhaps")},
		)
	}
	for _, line := range []string{
		"quickstart extra", "quickstart -calls many", "quickstart --calls=-1", "roster extra", "roster -format xml", "roster -active -inactive", "roster -idle-days -1",
		"roster -never-logged-in -idle-days 3", "provision", "provision a.csv b.csv", "provision -concurrency 0 a.csv", "provision -format xml -",
		"offboard", "offboard -idle-days -1", "offboard -idle-days 3 anna.weber", "offboard -scope user anna.weber",
		"rotate-tokens -older-than -1", "rotate-tokens -print -dir x", "rotate-tokens --print --json x", "avatars", "avatars a b", "avatars -concurrency 0 a",
		"status", "status a b", "status -clear -watch", "status -watch -", "status --watch --json a.ics", "status -at 2026-01-01T00:00:00Z a.ics", "status -at yesterday a.ics",
		"observability extra", "observability --once --for 1m", "observability --for=-1s", "observability --calls=-1", "fleet", "fleet a b", "fleet --processes 0 a.csv", "fleet --batch 0 a.csv",
	} {
		words := strings.Fields(line)
		wrong = append(wrong, program{tool: words[0], args: words[1:], env: admin})
	}
	for _, p := range wrong {
		p.code = 2
		r := p.run(t)
		assert.Contains(t, r.stderr, p.tool+" --help explains it", "%v", p.args)
		assert.Empty(t, r.stdout, "%v", p.args)
	}
	assert.Empty(t, c.Calls())
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	for tool, expected := range map[string]struct {
		code  int
		parts []string
	}{
		"quickstart":    {0, []string{"admin (Administrator)", "25 calls in ", "refused 0 times", "for the server's rate limit of users.info", "5 of 5 accounts deleted"}},
		"provision":     {0, []string{"create     ines.novak", "3 created, 2 updated, 0 activated, 0 failed, 0 not begun, 0 refused"}},
		"offboard":      {1, []string{"elif.kaya: deactivated", "would be deleted: partner-contracts", "deploy.bot: skipped", "1 done, 1 failed, 0 not begun"}},
		"roster":        {0, []string{"hugo.silva", "11 accounts"}},
		"rotate-tokens": {0, []string{`replaced by "backup #2"`, `replaced by "monitoring #3"`}},
		"avatars":       {0, []string{"3/3 ", "set for anna.weber", "3 done, 0 failed, 0 not begun"}},
		"status":        {0, []string{"busy: "}},
	} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			r := program{tool: tool, code: expected.code}.run(t)
			for _, part := range append(expected.parts, "ROCKETCHAT_URL is not set") {
				assert.Contains(t, r.all(), part)
			}
		})
	}
}

// TestReadme: README.md shows what the programs print on the embedded server, apart from
// dates, IDs and the order of steps.
func TestReadme(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("README.md")
	require.NoError(t, err)
	varies := regexp.MustCompile(`^\d/\d |\d{4}-\d\d-\d\d(T[\d:]+Z)?|,[A-Za-z0-9]{17}$`)
	lines := func(text string) []string {
		all := strings.Split(strings.TrimSpace(text), "\n")
		for i := range all {
			all[i] = varies.ReplaceAllString(all[i], "")
		}
		return all
	}
	for tool, code := range map[string]int{"provision": 0, "offboard": 1, "roster": 0} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			_, block, found := strings.Cut(string(page), "$ go run ./examples/"+tool+" ")
			require.True(t, found)
			block, _, _ = strings.Cut(block, "\n```")
			args, shown, _ := strings.Cut(block, "\n")
			got := program{tool: tool, args: strings.Fields(args), code: code}.run(t)
			assert.Subset(t, lines(got.all()), lines(shown), "README.md shows what is not printed")
			assert.Subset(t, lines(shown), lines(got.stdout), "README.md does not show all")
		})
	}
}

// A dry run says what it would do, and makes no call that could change anything.
func TestDryRun(t *testing.T) {
	t.Parallel()
	people := file(t, "people.csv", "username,email\nzoe.new,zoe@example.com\n")
	thousand := file(t, "thousand.csv", "username,email,name\nzoe.new,zoe@example.com,Zoe\nyan.new,yan@example.com,Yan\n")
	calendar := file(t, "busy.ics", event("Writing tests", time.Now().Add(-time.Hour), time.Now().Add(time.Hour)))
	for _, dry := range []struct {
		tool  string
		args  []string
		shows string
	}{
		{"quickstart", nil, "the five accounts are deleted"},
		{"observability", []string{"--once", "--listen", "127.0.0.1:0"}, "GET /api/v1/users.list"},
		{"provision", []string{people}, "create     zoe.new"},
		{"offboard", []string{"-idle-days", "180"}, "elif.kaya"},
		{"offboard", []string{"elif.kaya"}, "elif.kaya"},
		{"rotate-tokens", []string{"backup"}, "backup.token"},
		{"avatars", []string{"pictures"}, "anna.weber.png: would be set for anna.weber"},
		{"status", []string{calendar}, "Writing tests"},
		{"fleet", []string{"--processes", "2", thousand}, "2 of 2 people would be created or changed, by 2 processes"},
		{"status", []string{"-clear"}, "would set: online, no message"},
	} {
		t.Run(strings.Join(append([]string{dry.tool}, dry.args...), " "), func(t *testing.T) {
			t.Parallel()
			c := newChat(t)
			c.PersonalAccessToken("admin", "backup", false)
			p := program{tool: dry.tool, args: append([]string{"-dry-run"}, dry.args...), env: c.login()}
			if dry.tool == "avatars" {
				p.args[1] = samples(t)
			}
			assert.Contains(t, p.run(t).stdout, dry.shows)
			assert.Empty(t, c.writes())
			assert.Equal(t, c.Count("login"), c.Count("logout"), "the session that it opened is over")
		})
	}
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	c.PersonalAccessToken("admin", "backup", false)
	p := program{tool: "rotate-tokens", args: []string{"backup"}, env: c.token("admin"), code: 1}
	assert.Contains(t, p.run(t).stderr, "set ROCKETCHAT_PASSWORD")

	p.env, p.code = append(p.env, "ROCKETCHAT_PASSWORD="+rocketchattest.AdminPassword), 0
	assert.Contains(t, p.run(t).stderr, `replaced by "backup #2"`)
}

// A tool that has to wait says so.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	c := newChat(t, rocketchattest.WithLimit(1, time.Hour)) // which is not over, however slow the machine is
	p := program{tool: "roster", env: c.login()}
	assert.NotContains(t, p.run(t).stderr, "waiting")

	command := p.command(t)
	messages, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	lines := bufio.NewScanner(messages)
	require.True(t, lines.Scan())
	assert.Contains(t, lines.Text(), "for the server's rate limit of login")
	require.NoError(t, command.Process.Signal(os.Interrupt))
	require.True(t, lines.Scan())
	assert.Equal(t, "roster: interrupted", lines.Text())
	require.Error(t, command.Wait())
}

func TestHints(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	strange, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = strange.Close() })
	go func() {
		for {
			connection, err := strange.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(connection, "220 ready\r\n")
			_ = connection.Close()
		}
	}()
	for part, p := range map[string]program{
		"roster: login: unreachable: the transport failed\nroster: check ROCKETCHAT_URL": {tool: "roster", env: []string{"ROCKETCHAT_URL=http://" + strange.Addr().String(), "ROCKETCHAT_USER=a", "ROCKETCHAT_PASSWORD=b-secret"}},
		"check ROCKETCHAT_USER_ID": {tool: "roster", env: []string{"ROCKETCHAT_URL=" + c.address, "ROCKETCHAT_USER_ID=x", "ROCKETCHAT_TOKEN=not-a-token"}},
		"the account needs":        {tool: "status", args: []string{"-clear", "-user", "ben.okafor"}, env: c.token("anna.weber")},
	} {
		p.code = 1
		assert.Contains(t, p.run(t).stderr, part)
	}
}

// samples is a folder with the pictures of the example.
func samples(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("avatars", "pictures"))
	require.NoError(t, err)
	return folder
}

// event is a calendar with one event.
func event(summary string, from, to time.Time, more ...string) string {
	const form = "20060102T150405Z"
	lines := slices.Concat([]string{
		"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT", "UID:1@example", "DTSTAMP:20260101T000000Z",
		"DTSTART:" + from.UTC().Format(form), "DTEND:" + to.UTC().Format(form), "SUMMARY:" + summary,
	}, more, []string{"END:VEVENT", "END:VCALENDAR", ""})
	return strings.Join(lines, "\r\n")
}
