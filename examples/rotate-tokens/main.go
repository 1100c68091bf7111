// Command rotate-tokens replaces old personal access tokens.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func main() { cli.Main(tool()) }

func tool() cli.Tool {
	var behind time.Duration // of the embedded server's clock
	return cli.Tool{
		Name: "rotate-tokens",
		Summary: `Replaces personal access tokens of the account that it runs as: those that are named, or those older than --older-than. Each new token is tried before the old one is revoked, and gets the next number: "backup" is followed by "backup #2". It is written to a file that only you can read, backup.token for every "backup", or with --print to standard output.

The token that the program runs with (ROCKETCHAT_TOKEN) is replaced last.`,
		Permissions: "create-personal-access-tokens",
		Examples:    []string{"--dry-run", "--older-than 30 --dir /etc/backup", `--print "monitoring #2"`},
		Changes:     true,
		Results:     true,
		Demo: cli.Demo{
			Options: []rocketchattest.Option{rocketchattest.WithClock(func() time.Time { return time.Now().Add(-behind) })},
			Prepare: func(server *rocketchattest.Server) {
				for name, days := range map[string]int{"backup": 120, "monitoring #2": 200, "ci": 3} {
					behind = time.Duration(days) * 24 * time.Hour
					server.PersonalAccessToken("admin", name, false)
				}
				behind = 0
			},
		},
		Command: new(rotation),
	}
}

type rotation struct {
	*cli.Session `kong:"-"`

	Names     []string `arg:"" optional:"" name:"name" help:"The tokens to replace."`
	OlderThan int      `default:"90" placeholder:"DAYS" help:"If no token is named, replace those older than this many days. Default: 90."`
	Dir       string   `placeholder:"FOLDER" help:"Folder for the files, created if it is missing. Default: the current one."`
	Show      bool     `name:"print" help:"Write the new tokens to standard output instead of files."`

	results []result
}

// result is the result for a token.
type result struct {
	Name   string `json:"name"`
	Result string `json:"result"`
	Next   string `json:"next,omitempty"` // the name of the new one
	File   string `json:"file,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Run implements [cli.Command].
func (r *rotation) Run(ctx context.Context, s *cli.Session) error {
	r.Session = s
	r.results = []result{}
	switch {
	case r.OlderThan < 0:
		return cli.Usage("--older-than must not be negative")
	case r.Show && r.Dir != "":
		return cli.Usage("either --print or --dir, not both")
	case r.Show && s.JSON: // tokens are written one by one, JSON at the end
		return cli.Usage("either --print or --json, not both")
	}
	tokens, err := s.Client.Tokens.List(ctx)
	if err != nil {
		return err
	}
	chosen, err := r.choose(tokens)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		s.Note("no token is older than %d days", r.OlderThan)
	} else if err := r.show(chosen); err != nil {
		return err
	}
	err = r.rotateAll(ctx, chosen)
	if s.JSON {
		err = errors.Join(err, s.WriteJSON(r.results))
	}
	return err
}

func (r *rotation) rotateAll(ctx context.Context, chosen []rocketchat.PersonalAccessToken) error {
	if len(chosen) == 0 {
		return nil
	}
	if r.DryRun {
		r.Note("--dry-run: nothing was changed")
		for _, token := range chosen {
			r.results = append(r.results, result{Name: token.Name, Result: "planned"})
		}
		return nil
	}
	if r.Demo != nil && r.Dir == "" && !r.Show {
		dir, err := os.MkdirTemp("", "tokens")
		if err != nil {
			return err
		}
		r.Note("the files go to a folder that is removed at the end, together with the server")
		defer os.RemoveAll(dir)
		r.Dir = dir
	}
	if r.Dir != "" {
		if err := os.MkdirAll(r.Dir, 0o700); err != nil {
			return err
		}
	}
	name := func(t rocketchat.PersonalAccessToken) string { return t.Name }
	outcomes, err := cli.Each(ctx, r.Session, "rotating", 1, chosen, name, r.rotate)
	for _, o := range outcomes[len(r.results):] { // the rest was not begun
		r.results = append(r.results, result{Name: o.Name, Result: o.Result})
	}
	return err
}

// choose returns the tokens to rotate, in order.
func (r *rotation) choose(tokens []rocketchat.PersonalAccessToken) ([]rocketchat.PersonalAccessToken, error) {
	var chosen []rocketchat.PersonalAccessToken
	missing := slices.Clone(r.Names)
	before := time.Now().AddDate(0, 0, -r.OlderThan)
	for _, token := range tokens {
		named := slices.Contains(r.Names, token.Name)
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == token.Name })
		if named || len(r.Names) == 0 && token.CreatedAt.Before(before) {
			chosen = append(chosen, token)
		}
	}
	if len(missing) > 0 {
		problems := make([]error, len(missing))
		for i, name := range missing {
			problems[i] = fmt.Errorf("there is no token named %q: nothing was changed", name)
		}
		return nil, errors.Join(problems...)
	}
	slices.SortFunc(chosen, func(a, b rocketchat.PersonalAccessToken) int {
		if r.own(a) != r.own(b) {
			return map[bool]int{true: 1, false: -1}[r.own(a)]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return chosen, nil
}

// own reports whether the program may be running with the token. Servers show only the
// last characters of a token.
func (r *rotation) own(t rocketchat.PersonalAccessToken) bool {
	return t.LastTokenPart != "" && strings.HasSuffix(os.Getenv("ROCKETCHAT_TOKEN"), t.LastTokenPart)
}

// show prints the tokens to rotate. It fails if two of them would go to the same file.
func (r *rotation) show(chosen []rocketchat.PersonalAccessToken) error {
	rows := make([][]string, len(chosen))
	files := make(map[string]string)
	for i, token := range chosen {
		file := fileOf(token.Name)
		if other, twice := files[file]; twice && !r.Show {
			return fmt.Errorf("%q and %q would both go to %s: name one of them, or use --print", other, token.Name, file)
		}
		files[file] = token.Name
		if r.Show {
			file = "standard output"
		}
		age := fmt.Sprintf("%d days", int(time.Since(token.CreatedAt.Time).Hours()/24))
		rows[i] = []string{token.Name, "…" + token.LastTokenPart, age, file}
	}
	out := r.Stdout
	if r.Show || r.JSON { // standard output is for the tokens alone
		out = r.Stderr
	}
	r.TableTo(out, []string{"to rotate", "ends in", "age", "goes to"}, rows, "ends in", "age")
	return nil
}

var (
	numbered = regexp.MustCompile(` #\d+$`)
	unfit    = regexp.MustCompile(`^\.|[^\pL\pN._-]`)
)

// fileOf is the name of the file for a token and its successors.
func fileOf(token string) string {
	return unfit.ReplaceAllString(numbered.ReplaceAllString(token, ""), "_") + ".token"
}

// rotate replaces one token and records the result.
func (r *rotation) rotate(ctx context.Context, old rocketchat.PersonalAccessToken) (string, error) {
	noted := result{Name: old.Name, Result: "done"}
	detail, err := r.replace(ctx, old, &noted)
	if err != nil {
		noted.Result, noted.Error = "failed", cli.Explain(err)
	}
	r.results = append(r.results, noted)
	return detail, err
}

// replace replaces one token. The new one is stored before the old one is revoked.
func (r *rotation) replace(ctx context.Context, old rocketchat.PersonalAccessToken, noted *result) (string, error) {
	keep, where := r.printed, "standard output"
	if !r.Show {
		file, err := cli.Create(filepath.Join(r.Dir, fileOf(old.Name))) // before the token is made
		if err != nil {
			return "", fmt.Errorf("not begun: %w", err)
		}
		defer file.Discard()
		where = filepath.Join(r.Dir, fileOf(old.Name))
		keep = func(token *rocketchat.RotatedToken) error { return kept(file, token) }
	}
	fresh, err := r.Client.Tokens.Rotate(ctx, old.Name, rocketchat.TokenRotateOptions{Keep: keep})
	if fresh == nil {
		return "", err
	}
	noted.Next, noted.File = fresh.Name, where
	if err != nil {
		err = fmt.Errorf("the new token %q works and was written, but the old one is still valid: %w", fresh.Name, err)
	}
	return fmt.Sprintf("replaced by %q, in %s", fresh.Name, where), err
}

// kept writes a token to its file.
func kept(file *cli.OutFile, token *rocketchat.RotatedToken) error {
	_, err := file.WriteString(token.Token.Reveal() + "\n")
	if err = errors.Join(err, file.Keep()); err != nil {
		return fmt.Errorf("the new token could not be written: %w", err)
	}
	return nil
}

// printed writes a token to standard output.
func (r *rotation) printed(token *rocketchat.RotatedToken) error {
	_, err := fmt.Fprintf(r.Stdout, "%s\t%s\n", cli.Plain(token.Name), token.Token.Reveal())
	return err
}
