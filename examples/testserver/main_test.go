package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// parsed is what a command line says.
func parsed(args ...string) (*testserver, error) {
	command := new(testserver)
	parser, err := kong.New(command)
	if err == nil {
		_, err = parser.Parse(args)
	}
	return command, err
}

func TestOptions(t *testing.T) {
	t.Parallel()
	command, err := parsed("--setting", "API_Default_Count=7", "--setting", "Accounts_AllowUsernameChange=false", "--setting", "Site_Url=https://chat.example.org/?a=1,2", "--version", "8.3.0")
	require.NoError(t, err)
	options, err := command.options()
	require.NoError(t, err)
	server := rocketchattest.New(options...)
	for name, want := range map[string]any{"API_Default_Count": 7.0, "Accounts_AllowUsernameChange": false, "Site_Url": "https://chat.example.org/?a=1,2"} {
		value, _ := server.Setting(name)
		assert.Equal(t, want, value, name)
	}
	for _, args := range [][]string{{"--setting", "x"}, {"--env", "=1"}, {"--limit=-1"}, {"--window", "0s"}} {
		command, err := parsed(args...)
		require.NoError(t, err)
		_, err = command.options()
		assert.Error(t, err, "%v", args)
	}
}

func TestReadPeople(t *testing.T) {
	t.Parallel()
	people, problems := readPeople("p.csv", []byte("username,email,roles,active,verified\nann,ann@example.org,user guest,,\n\nbob,bob@example.org,,false,false\n"))
	assert.True(t, problems.None())
	assert.Equal(t, []person{
		{rocketchattest.User{Username: "ann", Email: "ann@example.org", Roles: []string{"user", "guest"}}, 2},
		{rocketchattest.User{Username: "bob", Email: "bob@example.org", Roles: []string{}, Inactive: true, Unverified: true}, 4},
	}, people)
	for text, want := range map[string][]string{
		"":                      {"p.csv: the file is empty"},
		"username,shoe\n":       {`p.csv:1: the column "shoe" is not known`},
		"username,name,name\n":  {`p.csv:1: there are two columns "name"`},
		"email\n":               {`p.csv:1: there is no column "username"; the columns are "email"`},
		"username\na\n\"b\"c\n": {"p.csv:3: a quotation mark is out of place, column 3"},
		"username;active\nann;perhaps\nbob\n": {
			"p.csv:2: active must be true or false, not \"perhaps\"", "p.csv:3: has 1 cell, but the header has 2",
		},
	} {
		_, problems := readPeople("p.csv", []byte(text))
		assert.Equal(t, want, problems.List())
	}
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "mails.jsonl"))
	require.NoError(t, err)
	defer file.Close()
	server := rocketchattest.New(rocketchattest.WithLimit(0, 0))
	box := &outbox{server: server, file: file}
	served := httptest.NewServer(box.wrap(server))
	defer served.Close()
	for range 2 {
		res, err := http.Post(served.URL+"/api/v1/users.forgotPassword", "application/json", strings.NewReader(`{"email":"admin@example.com"}`))
		require.NoError(t, err)
		res.Body.Close()
	}
	res, err := http.Get(served.URL + "/mails")
	require.NoError(t, err)
	defer res.Body.Close()
	overHTTP, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	inFile, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	assert.Equal(t, string(inFile), string(overHTTP))
	lines := strings.Split(strings.TrimSpace(string(inFile)), "\n")
	require.Len(t, lines, 2)
	var m mail
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &m))
	assert.Equal(t, "admin@example.com", m.To)
	assert.Regexp(t, `https?://\S+/reset-password/[\w-]{43}`, m.Text)
}

// TestRun starts the program with people from a file and logs in as one of them.
func TestRun(t *testing.T) {
	t.Parallel()
	people := filepath.Join(t.TempDir(), "people.csv")
	require.NoError(t, os.WriteFile(people, []byte("username,password\nann,Ann-Passw0rd-1\n"), 0o600))
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan error, 1)
	run := func(ctx context.Context, out io.Writer, args ...string) error {
		command, err := parsed(args...)
		require.NoError(t, err)
		return command.Run(ctx, &cli.Session{Stdout: out, Stderr: io.Discard})
	}
	go func() { done <- run(ctx, write, "--addr", "127.0.0.1:0", "--seed", people, "--test-mode") }()
	lines := bufio.NewScanner(read)
	require.True(t, lines.Scan())
	first := lines.Text()
	go func() { _, _ = io.Copy(io.Discard, read) }()
	base := first[strings.LastIndex(first, " ")+1:]
	res, err := http.Post(base+"/api/v1/login", "application/json", strings.NewReader(`{"user":"ann","password":"Ann-Passw0rd-1"}`))
	require.NoError(t, err)
	res.Body.Close()
	assert.Equal(t, http.StatusOK, res.StatusCode)
	stop()
	require.NoError(t, <-done)

	require.NoError(t, os.WriteFile(people, []byte("username,roles\nann,captains\n"), 0o600))
	require.ErrorContains(t, run(t.Context(), io.Discard, "--seed", people), people+`:2: `)
	require.Error(t, run(t.Context(), io.Discard, "--seed", people+".none"))
	require.ErrorContains(t, run(t.Context(), io.Discard, "--version", "abc"), `version "abc"`)
}

// TestGuideInOtherLanguages runs the programs of the guide on testing that are not in Go, where their languages are installed.
func TestGuideInOtherLanguages(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "testing.md"))
	require.NoError(t, err)
	folder := t.TempDir()
	output, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(folder, "testserver"), ".").CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, language := range []struct {
		name, file string
		command    []string
	}{
		{"python", "test_bot.py", []string{"python3", "-W", "error", "-m", "unittest"}},
		{"js", "bot.test.mjs", []string{"node", "--test"}},
	} {
		t.Run(language.name, func(t *testing.T) {
			t.Parallel()
			block := regexp.MustCompile("(?s)```" + language.name + "\n(.*?)```").FindSubmatch(guide)
			require.NotNil(t, block, "the guide has no such program")
			if _, err := exec.LookPath(language.command[0]); err != nil {
				t.Skip(err)
			}
			require.NoError(t, os.WriteFile(filepath.Join(folder, language.file), block[1], 0o600))
			command := exec.CommandContext(t.Context(), language.command[0], language.command[1:]...)
			command.Dir = folder
			output, err := command.CombinedOutput()
			require.NoError(t, err, "%s", output)
			t.Logf("%s", output)
		})
	}
}

// TestFlagsAreExplained: README.md explains the flags that there are.
func TestFlagsAreExplained(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## testserver\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var explained []string
	for _, row := range regexp.MustCompile(`(?m)^\| (.+?) \|`).FindAllStringSubmatch(section, -1) {
		for _, flag := range regexp.MustCompile("`--([a-z-]+)").FindAllStringSubmatch(row[1], -1) {
			explained = append(explained, flag[1])
		}
	}
	parser, err := kong.New(new(testserver))
	require.NoError(t, err)
	var flags []string
	for _, group := range parser.Model.AllFlags(false) {
		for _, flag := range group {
			if flag.Name != "help" {
				flags = append(flags, flag.Name)
			}
		}
	}
	assert.ElementsMatch(t, flags, explained)
}
