// Command rotate-tokens replaces personal access tokens that are old.
package main

import (
	"context"
	"flag"
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
	var (
		r      rotation
		behind time.Duration // of the embedded server's clock
	)
	return cli.Tool{
		Name: "rotate-tokens",
		Summary: "rotate-tokens replaces personal access tokens of the account that it runs as: those that are\n" +
			"named, or those that are older than -older-than. Each gets a successor, which is tried before\n" +
			"the old one is revoked: \"backup\" is followed by \"backup #2\". The new token goes to a file that\n" +
			"only you can read, backup.token for all tokens of that line, or with -print to standard output.\n\n" +
			"The token that it runs with (ROCKETCHAT_TOKEN) comes last.",
		Args:        "[NAME ...]",
		Permissions: "create-personal-access-tokens",
		Examples:    []string{"-dry-run", "-older-than 30 -dir /etc/backup", "-print \"monitoring #2\""},
		Changes:     true,
		Flags: func(f *flag.FlagSet) {
			f.IntVar(&r.olderThan, "older-than", 90, "replace the tokens that are older than so many `days`, when none is named")
			f.StringVar(&r.dir, "dir", "", "`folder` for the files; it is made if it is missing (default the current one)")
			f.BoolVar(&r.print, "print", false, "write the new tokens to standard output, and to no file")
		},
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
		Run: r.run,
	}
}

type rotation struct {
	*cli.Session
	olderThan int
	dir       string
	print     bool
}

func (r *rotation) run(ctx context.Context, s *cli.Session) error {
	r.Session = s
	switch {
	case r.olderThan < 0:
		return cli.Usage("-older-than must not be negative")
	case r.print && r.dir != "":
		return cli.Usage("either -print or -dir, not both")
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
		s.Note("no token is older than %d days", r.olderThan)
		return nil
	}
	if err := r.show(chosen); err != nil {
		return err
	}
	if s.DryRun {
		s.Note("-dry-run: nothing was changed")
		return nil
	}
	if s.Demo != nil && r.dir == "" && !r.print {
		if r.dir, err = os.MkdirTemp("", "tokens"); err != nil {
			return err
		}
		s.Note("the files go to a folder that is removed at the end, since the server is gone then, too.")
		defer os.RemoveAll(r.dir)
	}
	name := func(t rocketchat.PersonalAccessToken) string { return t.Name }
	return cli.Each(ctx, s, "rotating", 1, chosen, name, r.rotate)
}

// choose is which tokens to rotate, in order.
func (r *rotation) choose(tokens []rocketchat.PersonalAccessToken) ([]rocketchat.PersonalAccessToken, error) {
	var chosen []rocketchat.PersonalAccessToken
	missing := slices.Clone(r.Args)
	before := time.Now().AddDate(0, 0, -r.olderThan)
	for _, token := range tokens {
		named := slices.Contains(r.Args, token.Name)
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == token.Name })
		if named || len(r.Args) == 0 && token.CreatedAt.Before(before) {
			chosen = append(chosen, token)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("there is no token named %q: nothing was changed", missing)
	}
	slices.SortFunc(chosen, func(a, b rocketchat.PersonalAccessToken) int {
		if r.own(a) != r.own(b) {
			return map[bool]int{true: 1, false: -1}[r.own(a)]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return chosen, nil
}

// own reports whether the program may be running with the token: servers tell no more
// than its end.
func (r *rotation) own(t rocketchat.PersonalAccessToken) bool {
	return t.LastTokenPart != "" && strings.HasSuffix(r.Token.Reveal(), t.LastTokenPart)
}

// show prints which tokens are rotated, and refuses those that would go to one file.
func (r *rotation) show(chosen []rocketchat.PersonalAccessToken) error {
	rows := make([][]string, len(chosen))
	files := make(map[string]string)
	for i, token := range chosen {
		file := fileOf(token.Name)
		if other, twice := files[file]; twice && !r.print {
			return fmt.Errorf("%q and %q would both go to %s: name one of them, or use -print", other, token.Name, file)
		}
		files[file] = token.Name
		if r.print {
			file = "standard output"
		}
		age := fmt.Sprintf("%d days", int(time.Since(token.CreatedAt.Time).Hours()/24))
		rows[i] = []string{token.Name, "…" + token.LastTokenPart, age, file}
	}
	out := r.Stdout
	if r.print { // which is for the tokens alone
		out = r.Stderr
	}
	cli.Table(out, []string{"to rotate", "ends in", "age", "goes to"}, rows)
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

// rotate replaces one token. The new one is noted before the old one is revoked.
func (r *rotation) rotate(ctx context.Context, old rocketchat.PersonalAccessToken) (string, error) {
	note, where := r.printed, "standard output"
	if !r.print {
		file, err := newFile(filepath.Join(r.dir, fileOf(old.Name)))
		if err != nil {
			return "", fmt.Errorf("not begun: %w", err)
		}
		defer file.discard()
		note, where = file.keep, file.path
	}
	fresh, err := r.Client.Tokens.Rotate(ctx, old.Name, rocketchat.RotateOptions{Keep: note})
	if fresh == nil {
		return "", err
	}
	if err != nil {
		err = fmt.Errorf("the new token %q is good and noted, but the old one is still valid: %w", fresh.Name, err)
	}
	return fmt.Sprintf("%q took its place, in %s", fresh.Name, where), err
}

func (r *rotation) printed(token *rocketchat.RotatedToken) error {
	_, err := fmt.Fprintf(r.Stdout, "%s\t%s\n", token.Name, token.Token.Reveal())
	return err
}
