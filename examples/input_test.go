package examples_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inUTF16 is a text as Windows programs save it, with a byte order mark.
func inUTF16(text string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune("\uFEFF" + text)) {
		b.WriteByte(byte(unit))
		b.WriteByte(byte(unit >> 8))
	}
	return b.String()
}

// Files that are not what a program expects are refused in one line for each problem, with
// the file and the line, and nothing is changed.
func TestBadInput(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	const good = "username,email,name\nzoe.new,zoe@example.com,Zoe\n"
	readers := []string{"provision", "fleet", "offboard --file"}
	tables := readers[:2]
	for _, tc := range []struct {
		content string
		tools   []string
		says    string // after the name of the file
	}{
		{inUTF16(good), readers, ": is encoded in UTF-16; save it as UTF-8\n"},
		{"PNG\x00\x01\n", readers, ": is not a text file\n"},
		{"username,email,name\nm,m@example.com,M\xfcller\n", readers, ":2: is not UTF-8; save the file as UTF-8\n"},
		{"username,email,name\na,b,\xe4\nc,d,\xf6\n", readers, ":2: is not UTF-8; save the file as UTF-8 (2 lines like this)\n"},
		{"", tables, ": the file is empty\n1 problem in "},
		{"username,email,name\n", tables, ": the file lists nobody\n1 problem in "},
		{"# nobody\n", readers[2:], ": the file lists nobody\n"},
		{"user;name\nx;y\n", tables, `:1: there is no column "username"; the columns are "user", "name"` + "\n"},
		{good + "ZOE.new,,\n", tables, ":3: ZOE.new is already listed in line 2\n1 problem in "},
		{good + ",x@example.com,\nshort\n\"open,,\n", tables, ":3: the username is empty\n"},
		{good + ",x@example.com,\nshort\n", tables, ":4: has 1 cell, but the header has 3\n"},
		{good + "\"open,,\n", tables, ":3: a quotation mark is out of place, column 9\n1 problem in "},
	} {
		path := file(t, "people.csv", tc.content)
		for _, tool := range tc.tools {
			words := strings.Fields(tool)
			r := program{tool: words[0], args: append(words[1:], path), env: c.login(), code: 1}.run(t)
			assert.Contains(t, r.stderr, path+tc.says, "%s of %q", tool, tc.content)
			assert.Empty(t, r.stdout)
		}
	}
	folder := t.TempDir()
	for _, tool := range append(readers, "status", "avatars --json", "ldap-sync --ldap ldap://127.0.0.1:1 --base x --state") {
		words := strings.Fields(tool)
		for path, says := range map[string]string{folder: "is a directory", filepath.Join(folder, "none"): "no such file or directory"} {
			if words[0] == "ldap-sync" && path != folder || words[0] == "avatars" && path == folder {
				continue // a state that is missing is empty, and a folder is what avatars reads
			}
			r := program{tool: words[0], args: append(words[1:], path), env: c.login(), code: 1}.run(t)
			assert.Contains(t, r.stderr, path+": "+says, tool)
		}
	}
	assert.Empty(t, c.writes())
}

// Files of spreadsheets are read whatever separates their cells and ends their lines.
func TestSpreadsheets(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	for _, text := range []string{
		"username,email,name\nzoe.new,zoe@example.com,Zoé\n",
		"\uFEFFusername;email;name\r\nzoe.new;zoe@example.com;Zoé\r\n;;\r\n",
		"Username\tEmail\tName\nzoe.new\tzoe@example.com\tZoé",
	} {
		path := file(t, "people.csv", text)
		r := program{tool: "provision", args: []string{"--dry-run", path}, env: c.login()}.run(t)
		assert.Contains(t, r.stdout, "create     zoe.new              email zoe@example.com, name Zoé", "%q", text)
		r = program{tool: "fleet", args: []string{"--dry-run", path}, env: c.login()}.run(t)
		assert.Contains(t, r.stdout, "1 of 1 people", "%q", text)
	}
}

// With --json a failure is JSON, too, with all problems. Wrong use is not, because the
// flags are what is wrong.
func TestJSONFailures(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	bad := file(t, "people.csv", "username,active\nzoe.new,perhaps\n,yes\n")
	for line, says := range map[string][]string{
		"provision " + bad:         {bad + `:2: active must be yes or no, not "perhaps"`, bad + ":3: the username is empty"},
		"provision none.csv":       {"open none.csv: no such file or directory"},
		"offboard --file none.txt": {"open none.txt: no such file or directory"},
		"avatars none":             {"open none: no such file or directory"},
		"status none.ics":          {"open none.ics: no such file or directory"},
		"rotate-tokens a b":        {`there is no token named "a": nothing was changed`, `there is no token named "b": nothing was changed`},
		"status --clear --user x":  {"there is no user x: users.setStatus: 400: "},
	} {
		words := strings.Fields(line)
		r := program{tool: words[0], args: append(words[1:], "--json"), env: c.login(), code: 1}.run(t)
		var failure struct{ Errors []string }
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &failure), r.stdout)
		require.Len(t, failure.Errors, len(says), line)
		for i, text := range says {
			assert.Contains(t, failure.Errors[i], text)
		}
	}
	for _, args := range [][]string{{"--json"}, {"--format", "json"}} {
		r := program{tool: "roster", args: args, env: []string{"ROCKETCHAT_URL=http://127.0.0.1:1", "ROCKETCHAT_USER=a", "ROCKETCHAT_PASSWORD=b-secret"}, code: 1}.run(t)
		assert.JSONEq(t, `{"errors": ["login: unreachable: connection refused"]}`, r.stdout)
		assert.Contains(t, r.stderr, "roster: check ROCKETCHAT_URL and the network")
	}
}

// A result that cannot be written is a failure. When its reader has ended there is nothing
// to say, but the session is closed and nothing is changed.
func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	people := file(t, "people.csv", "username,email\nzoe.new,zoe@example.com\n")
	for _, line := range []string{"roster", "roster --json", "roster --format csv", "roster --help", "provision " + people, "offboard elif.kaya", "quickstart"} {
		words := strings.Fields(line)
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		require.NoError(t, err)
		read, closed, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, read.Close())
		for output, says := range map[*os.File]string{full: ": cannot write to standard output: no space left on device\n", closed: ""} {
			var stderr strings.Builder
			command := program{tool: words[0], args: words[1:], env: c.login()}.command(t)
			command.Stdout, command.Stderr = output, &stderr
			_ = command.Run()
			assert.Equal(t, 1, command.ProcessState.ExitCode(), line)
			assert.Contains(t, stderr.String(), says, line)
			require.NoError(t, output.Close())
		}
	}
	assert.Empty(t, c.writes())
	assert.Equal(t, c.Count("login"), c.Count("logout"))
}

// Servers that are started name what is wrong with their flags before they say where they
// listen.
func TestServersThatCannotStart(t *testing.T) {
	t.Parallel()
	for line, says := range map[string]string{
		"scim --listen here":                                              "--listen must be an address with a port",
		"scim --public-url here":                                          "--public-url must begin with https:// or http://",
		"scim --listen 192.0.2.1:80":                                      "cannot listen on 192.0.2.1:80: ",
		"scim --cert none.pem --key none.pem":                             "the certificate cannot be used: open none.pem: no such file or directory",
		"fleet --dry-run none.csv":                                        "open none.csv",
		"ldap-sync --ldap x --base b --state s":                           "--ldap must begin with ldap:// or ldaps://",
		"ldap-sync --ldap ldap://127.0.0.1:1 --base b --state s":          "ldap://127.0.0.1:1: connection refused",
		"ldap-sync --ldap ldap://127.0.0.1:1 --base b --state s --max 7":  "--max must be a share between 0 and 1",
		"ldap-sync --ldap ldap://127.0.0.1:1 --base b --state s --role x": "--role must be NAME=VALUE",
		"avatars --concurrency many":                                      "--concurrency must be a whole number, not \"many\"",
	} {
		words := strings.Fields(line)
		command := program{tool: words[0], args: words[1:]}.command(t)
		output, err := command.Output()
		exit := new(exec.ExitError)
		require.ErrorAs(t, err, &exit, line)
		assert.Contains(t, string(exit.Stderr), words[0]+": "+says)
		assert.NotContains(t, string(output), "SCIM 2.0 at")
	}
}
