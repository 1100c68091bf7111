package examples_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/creack/pty"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// dialog is a question and the typed answer.
type dialog struct {
	question string
	answer   func() string
}

// onTerminal runs a program on a terminal, and answers its questions as often as they are
// asked.
func (p program) onTerminal(t *testing.T, dialogs ...dialog) string {
	t.Helper()
	command := p.command(t)
	screen, tty, err := pty.Open()
	require.NoError(t, err)
	defer screen.Close()
	require.NoError(t, pty.Setsize(screen, &pty.Winsize{Rows: 24, Cols: cmp.Or(p.columns, 200)}))
	command.Stdin, command.Stdout, command.Stderr = tty, tty, tty
	if p.stdin != "" {
		command.Stdin = strings.NewReader(p.stdin)
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
	require.NoError(t, command.Start())
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		assert.True(t, echoes(t, tty), "the terminal is left as it was")
		_ = tty.Close()
		close(ended)
	}()
	var shown bytes.Buffer
	answered := make(map[string]int)
	part := make([]byte, 4096)
	for {
		n, err := screen.Read(part)
		shown.Write(part[:n])
		for _, d := range dialogs {
			if strings.Count(shown.String(), d.question) > answered[d.question] {
				answered[d.question]++
				_, err := io.WriteString(screen, d.answer())
				require.NoError(t, err)
			}
		}
		if err != nil { // the terminal is gone with the program
			break
		}
	}
	<-ended
	require.Equal(t, p.code, command.ProcessState.ExitCode(), shown.String())
	p.keepsSecrets(t, result{stdout: shown.String()})
	return shown.String()
}

// echoes reports whether a terminal shows what is typed, and knows Ctrl-C.
func echoes(t *testing.T, tty *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	return assert.NoError(t, err) && state.Lflag&unix.ECHO != 0 && state.Lflag&unix.ISIG != 0
}

func typing(text string) func() string { return func() string { return text } }

const passwordQuestion = "needs the password of the account: "

// What is not known is asked for.
func TestTerminalAsks(t *testing.T) {
	t.Parallel()
	const key = "JBSWY3DPEHPK3PXP"
	c := newChat(t)
	_, err := c.AddUser(rocketchattest.User{Username: "tess", Roles: []string{"admin"}, TOTPSecret: key})
	require.NoError(t, err)
	c.PersonalAccessToken("admin", "backup", false)
	c.PersonalAccessToken("tess", "backup", false)
	p := program{tool: "rotate-tokens", args: []string{"-dry-run", "backup"}, env: c.token("admin")}
	assert.NotContains(t, p.onTerminal(t), "needs", "nothing is asked for in vain")

	p.args[0] = "-print"
	wrong := "a wrong password"
	p.code = 1
	assert.NotContains(t, p.onTerminal(t, dialog{passwordQuestion, typing(wrong + "\r")}), wrong, "what is typed is not shown")
	p.code = 0
	shown := p.onTerminal(t, dialog{passwordQuestion, typing(rocketchattest.AdminPassword + "\r")})
	assert.Contains(t, shown, `replaced by "backup #2"`)
	assert.Equal(t, 1, strings.Count(shown, passwordQuestion), "it is asked once")

	p.args[1] = "backup"
	p.env = c.token("tess")
	code := func() string { return rocketchattest.TOTPCode(key, time.Now()) + "\r" }
	shown = p.onTerminal(t, dialog{"needs a code of the authenticator app: ", code})
	assert.Contains(t, shown, `replaced by "backup #2"`)
}

// A log-in asks for the password, too.
func TestTerminalLogin(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	p := program{tool: "roster", env: []string{"ROCKETCHAT_URL=" + c.address, "ROCKETCHAT_USER=admin"}}
	assert.Contains(t, p.onTerminal(t, dialog{"Password of admin: ", typing(rocketchattest.AdminPassword + "\r")}), "hugo.silva")
	p.code = 2
	assert.Contains(t, p.run(t).stderr, "ROCKETCHAT_PASSWORD must be set together with ROCKETCHAT_USER", "without a terminal nobody is asked")
}

// Ctrl-C ends a program at every question, and while it reads.
func TestTerminalInterrupt(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	for i := range 3 {
		c.PersonalAccessToken("admin", fmt.Sprint("token ", i), false)
	}
	interrupt := typing("half\x03")
	for name, tc := range map[string]struct {
		program  program
		question string
	}{
		"second factor": {program{tool: "rotate-tokens", args: []string{"token 0", "token 1", "token 2"}, env: c.token("admin")}, passwordQuestion},
		"log-in":        {program{tool: "roster", env: []string{"ROCKETCHAT_URL=" + c.address, "ROCKETCHAT_USER=admin"}}, "Password of admin: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.program.code = 1
			shown := tc.program.onTerminal(t, dialog{tc.question, interrupt})
			assert.Equal(t, 1, strings.Count(shown, tc.question), shown)
			assert.Contains(t, shown, tc.program.tool+": interrupted")
		})
	}
	for name, p := range map[string]program{
		"file":     {tool: "provision", args: []string{"-"}},
		"names":    {tool: "offboard", args: []string{"--file", "-"}},
		"calendar": {tool: "status", args: []string{"-"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.code = 1
			shown := p.onTerminal(t, dialog{"using a server in memory", typing("user\x03")})
			assert.Contains(t, shown, p.tool+": interrupted")
		})
	}
}

// Lines are broken between words, so that they fit the terminal.
func TestTerminalNarrow(t *testing.T) {
	t.Parallel()
	for line, code := range map[string]int{
		"avatars": 0, "offboard --dry-run": 0, "provision": 0, "roster": 0, "rotate-tokens --dry-run": 0, "status --dry-run": 0,
		"quickstart": 0, "quickstart --dry-run": 0, "roster --no-such-flag": 2, "roster --format none": 2, "roster --help": 0, "provision --help": 0,
	} {
		for _, columns := range []uint16{40, 80} {
			t.Run(fmt.Sprint(line, columns), func(t *testing.T) {
				t.Parallel()
				words := strings.Fields(line)
				p := program{tool: words[0], args: words[1:], columns: columns, code: code}
				for shown := range strings.Lines(p.onTerminal(t)) {
					shown = strings.TrimRight(shown, "\r\n")
					shown = strings.TrimSpace(shown[strings.LastIndex(shown, "\r")+1:]) // a bar is drawn over
					wide := text.StringWidth(shown)
					assert.True(t, wide <= int(columns) || !strings.Contains(shown, " "), "%d columns in %q", wide, shown)
				}
			})
		}
	}
	help := program{tool: "ldap-sync", args: []string{"--help"}, columns: 80}.onTerminal(t)
	assert.Contains(t, help, " \\\r\n    --state ldap-sync.json", "an example can be copied")
}

// A table is as wide as the terminal at most, and as wide as it needs elsewhere.
func TestTerminalWidth(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	_, err := c.AddUser(rocketchattest.User{Username: "zz." + strings.Repeat("long", 20), Name: strings.Repeat("名前", 30), Email: strings.Repeat("x", 60) + "@example.com"})
	require.NoError(t, err)
	for _, columns := range []uint16{40, 60, 80, 100, 120, 200, 400} {
		p := program{tool: "roster", env: c.login(), columns: columns}
		shown := p.onTerminal(t)
		assert.Contains(t, shown, "username", "on %d columns", columns)
		assert.Contains(t, shown, "chloe.ma", "on %d columns", columns)
		for line := range strings.Lines(shown) {
			line = strings.TrimRight(line, "\r\n")
			if strings.ContainsAny(line, "│─") {
				assert.LessOrEqual(t, text.StringWidth(line), int(columns), line)
			}
		}
		if columns == 80 {
			assert.Contains(t, shown, "not shown, because the terminal is too narrow: id, ")
		}
	}
	assert.Contains(t, program{tool: "roster", env: c.login()}.run(t).stdout, strings.Repeat("long", 20))
}

func TestTerminalBar(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	var people strings.Builder
	people.WriteString("username,email\n")
	for i := range 12 {
		fmt.Fprintf(&people, "new.%d,new.%d@example.com\n", i, i)
	}
	p := program{tool: "provision", args: []string{file(t, "people.csv", people.String())}, env: c.login()}
	shown := p.onTerminal(t)
	assert.Regexp(t, `accounts +\d+% \|█*`, shown, "a bar")
	assert.NotContains(t, shown, "new.11: created", "and no lines")
	assert.Contains(t, shown, "12 created")
	p.args[0] = file(t, "more.csv", strings.ReplaceAll(people.String(), "new.", "more."))
	assert.Contains(t, p.run(t).stderr, "12/12 ", "lines without a terminal")
}

// A failure is red, unless somebody wants no colors.
func TestTerminalColor(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	c.AddRoom("partner-contracts", "frank.ito")
	p := program{tool: "offboard", args: []string{"frank.ito"}, env: append(c.login(), "TERM=xterm"), code: 1}
	const red = "\x1b[31m"
	assert.Contains(t, p.onTerminal(t), red+"1/1 frank.ito: FAILED")
	assert.NotContains(t, p.run(t).all(), "\x1b", "without a terminal")
	p.env = append(p.env, "NO_COLOR=1")
	assert.NotContains(t, p.onTerminal(t), "\x1b[")
}

// Names can hold what a terminal obeys. None of it gets there.
func TestTerminalEscapes(t *testing.T) {
	t.Parallel()
	const hostile = "\x1b[2J\x1b]0;owned\x07\u009b31m\u202egro\x00\r\n\x7f"
	server := newChat(t)
	for _, user := range []rocketchattest.User{
		{Username: "mallory", Name: "Mallory" + hostile, LastLogin: time.Now().AddDate(-2, 0, 0)},
		{Username: "eve", Name: "=HYPERLINK(\"http://evil.example\")", Roles: []string{"admin"}, LastLogin: time.Now().AddDate(-2, 0, 0)},
	} {
		_, err := server.AddUser(user)
		require.NoError(t, err)
	}
	server.AddRoom("room"+hostile, "mallory")
	server.PersonalAccessToken("admin", "token"+hostile, false)
	people := file(t, "people"+"\x1b[2J.csv", "username,name,email\nmallory,\"x"+hostile+"\",m@example.com\n\"y\x1b[2J\",y,\n")
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "eve\x1b[2J.png"), []byte("GIF89a"), 0o600))
	calendar := file(t, "c.ics", event("Meet\x1b[2J\u009b31m", time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "\x1b[2J"))
	for _, p := range []program{
		{tool: "roster"},
		{tool: "roster", args: []string{"--format", "csv"}},
		{tool: "roster", args: []string{"--json"}},
		{tool: "offboard", args: []string{"--dry-run", "--idle-days", "400"}},
		{tool: "offboard", args: []string{"mallory", "nobody\x1b[2J"}, code: 1},
		{tool: "offboard", args: []string{"--json", "mallory"}, code: 1},
		{tool: "provision", args: []string{people}, code: 1},
		{tool: "provision", args: []string{"none\x1b[2J.csv"}, code: 1},
		{tool: "rotate-tokens", args: []string{"--dry-run", "--older-than", "0"}},
		{tool: "rotate-tokens", args: []string{"--print", "token" + strings.ReplaceAll(hostile, "\x00", "")}, code: 1},
		{tool: "avatars", args: []string{folder}, code: 1},
		{tool: "status", args: []string{"--dry-run", calendar}},
		{tool: "status", args: []string{calendar}},
		{tool: "status", args: []string{"\x1b[2J"}, code: 1},
		{tool: "roster", args: []string{"--\x1b[2J"}, code: 2},
	} {
		p.env = append(server.login(), "NO_COLOR=1")
		shown := strings.NewReplacer("\r\n", "\n").Replace(p.onTerminal(t))
		for _, r := range shown {
			if r != '\n' && !unicode.IsGraphic(r) {
				assert.Fail(t, "it reaches the terminal", "%q of %s %q in %q", r, p.tool, p.args, shown)
				break
			}
		}
	}
}
