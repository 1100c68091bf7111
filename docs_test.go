package rocketchat_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// modulePath is the import path of the package.
const modulePath = "github.com/rocketchat-go/rocketchat"

// importsOfSnippets are the packages that a piece of code in a guide may use without
// importing them.
const importsOfSnippets = `
import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"` + modulePath + `"
	"` + modulePath + `/gate"
	"` + modulePath + `/otelrocketchat"
	"` + modulePath + `/prompt"
	"` + modulePath + `/redisgate"
	"` + modulePath + `/rocketchattest"
	"` + modulePath + `/totp"
)
`

// outerModules are the modules that guides use besides this one. Their dependencies are
// not compiled for the check.
var outerModules = []string{"otelrocketchat", "prompt", "redisgate", "totp"}

// TestGuides checks that the Go code in all pages parses and uses the names, fields and
// signatures of this module correctly. A piece need not be a whole file: unused variables,
// missing returns and undeclared names are not faults.
func TestGuides(t *testing.T) {
	t.Parallel()
	checker := newGuideChecker(t)
	pieces := 0
	for guide, text := range pages(t) {
		for _, b := range goBlocks(text) {
			pieces++
			for _, fault := range checker.check(b.code) {
				t.Errorf("%s: code that begins at line %d: %s", guide, b.line, fault)
			}
		}
		for _, name := range methodsNamed(text) {
			assert.True(t, checker.isMethod(name), "%s: there is no %s", guide, name)
		}
	}
	assert.Greater(t, pieces, 30, "few pieces of code were found")
}

// TestGuideChecker checks that the checker finds faults.
func TestGuideChecker(t *testing.T) {
	t.Parallel()
	checker := newGuideChecker(t)
	for code, fault := range map[string]string{
		`user, err := client.Users.Get(ctx, rocketchat.ByUsername("ann"))`:    "",
		`me, err := anotherName.Me.Get(ctx)`:                                  "",
		"func f(u *rocketchat.User) string { return u.Name }":                 "",
		"package main\n\nfunc main() {}":                                      "",
		`for _, u := range users { return fmt.Errorf("%s: %w", u, err) }`:     "",
		`err := client.Users.Vanish(ctx, userID)`:                             "client.Users.Vanish undefined",
		`err := errors.Is(err, rocketchat.ErrGone)`:                           "undefined: rocketchat.ErrGone",
		`in := rocketchat.UserCreateOptions{Login: "ann"}`:                    "unknown field Login",
		`client, err := rocketchat.New(server.URL(), rocketchat.WithToken())`: "not enough arguments",
		`user := client.Users.Get(ctx`:                                        "missing ','",
		`rocketchattest.WithNothing()`:                                        "undefined: rocketchattest.WithNothing",
		`totp.FromNothing("")`:                                                "undefined: totp.FromNothing",
		`var g gate.Gate = redisgate.New(rdb, "office")`:                      "",
		`redisgate.WithNothing()`:                                             "undefined: redisgate.WithNothing",
		"package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Nothing() }":     "undefined: fmt.Nothing",
	} {
		faults := strings.Join(checker.check(code), "\n")
		if fault == "" {
			assert.Empty(t, faults, code)
		} else {
			assert.Contains(t, faults, fault, code)
		}
	}
}

// TestGuideNames checks the search for methods in running text.
func TestGuideNames(t *testing.T) {
	t.Parallel()
	checker := newGuideChecker(t)
	names := methodsNamed("See `Users.Get(ctx, ref)`, `client.Users.Vanish`, `Server.Info` and `Server.AddUser`, not Users.Fail.")
	assert.Equal(t, []string{"Users.Get", "Users.Vanish", "Server.Info", "Server.AddUser"}, names)
	for name, there := range map[string]bool{names[0]: true, names[1]: false, names[2]: true, names[3]: true} {
		assert.Equal(t, there, checker.isMethod(name), name)
	}
}

// methodsNamed returns the methods of services that a guide names in its text.
func methodsNamed(text string) (names []string) {
	service := regexp.MustCompile(`\b(?:Me|Users|Preferences|Tokens|Roles|Status|Avatars|Sessions|TwoFactor|Teams|Server|Client)\.[A-Z]\w*`)
	for _, span := range regexp.MustCompile("`[^`\n]+`").FindAllString(text, -1) {
		names = append(names, service.FindAllString(span, -1)...)
	}
	return names
}

// isMethod reports whether a service of the client, the client itself or the test server
// has the method.
func (g *guideChecker) isMethod(name string) bool {
	for _, value := range []string{"client." + name, strings.Replace(name, "Client.", "client.", 1), strings.Replace(name, "Server.", "server.", 1)} {
		if value != name && len(g.check("_ = "+value)) == 0 {
			return true
		}
	}
	return false
}

// TestDependencies checks that README.md names the modules that programs get with the
// library.
func TestDependencies(t *testing.T) {
	t.Parallel()
	readme := pages(t)["README.md"]
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".", "./gate", "./rocketchattest")
	out, err := list.Output()
	require.NoError(t, err)
	names := map[string]string{
		modulePath:                              "library",
		"github.com/hashicorp/go-retryablehttp": "go-retryablehttp",
		"github.com/hashicorp/go-cleanhttp":     "go-cleanhttp",
		"golang.org/x/time":                     "x/time/rate",
		"github.com/go-json-experiment/json":    "go-json-experiment/json",
	}
	for module := range strings.FieldsSeq(string(out)) {
		name, known := names[module]
		assert.True(t, known && strings.Contains(readme, name), "README.md does not name %s", module)
	}
}

// goBlock is a piece of Go code in a guide.
type goBlock struct {
	code string
	line int
}

func goBlocks(text string) (blocks []goBlock) {
	var code []string
	from := 0
	for i, line := range strings.Split(text, "\n") {
		switch fence := strings.TrimSpace(line); {
		case from == 0 && (fence == "```go" || strings.HasPrefix(fence, "```go ")):
			from, code = i+2, nil
		case from > 0 && fence == "```":
			blocks = append(blocks, goBlock{strings.Join(code, "\n"), from})
			from = 0
		case from > 0:
			code = append(code, line)
		}
	}
	return blocks
}

// guideChecker checks code against the compiled packages.
type guideChecker struct {
	files    *token.FileSet
	importer types.Importer
}

func newGuideChecker(t *testing.T) *guideChecker {
	t.Helper()
	wanted := []string{"list", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}", ".", "./gate", "./rocketchattest"}
	for _, path := range regexp.MustCompile(`"([a-z][a-z/]*)"`).FindAllStringSubmatch(importsOfSnippets, -1) {
		wanted = append(wanted, path[1])
	}
	list := exec.CommandContext(t.Context(), "go", wanted...)
	var complaint bytes.Buffer
	list.Stderr = &complaint
	out, err := list.Output()
	require.NoError(t, err, complaint.String())
	exports := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			exports[path] = file
		}
	}
	files := token.NewFileSet()
	compiled := importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, errors.New("not part of this module's packages")
		}
		return os.Open(exports[path])
	})
	known := &guideImporter{Importer: compiled, outer: make(map[string]*types.Package)}
	for _, module := range outerModules {
		known.outer[modulePath+"/"+module] = readPackage(t, files, known, module)
	}
	return &guideChecker{files, known}
}

// guideImporter also knows packages of other modules.
type guideImporter struct {
	types.Importer
	outer map[string]*types.Package
}

func (i *guideImporter) Import(path string) (*types.Package, error) {
	if pkg := i.outer[path]; pkg != nil {
		return pkg, nil
	}
	return i.Importer.Import(path)
}

// readPackage reads the declarations of the package in dir. Types of modules that cannot
// be imported are left open.
func readPackage(t *testing.T, fset *token.FileSet, known types.Importer, dir string) *types.Package {
	t.Helper()
	names, err := filepath.Glob(dir + "/*.go")
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	config := types.Config{Importer: known, IgnoreFuncBodies: true, Error: func(error) {}}
	pkg, _ := config.Check(modulePath+"/"+dir, fset, files, nil)
	require.NotNil(t, pkg)
	return pkg
}

// check returns what is wrong with a piece of code.
func (g *guideChecker) check(code string) (faults []string) {
	file, err := g.parse(code)
	if err != nil {
		return []string{err.Error()}
	}
	config := types.Config{Importer: g.importer, GoVersion: "go1.26", Error: func(err error) {
		if fault, ok := errors.AsType[types.Error](err); ok && !fault.Soft && !excused(fault.Msg) {
			faults = append(faults, fault.Msg)
		}
	}}
	_, _ = config.Check("guide", g.files, []*ast.File{file}, nil) // the faults are collected
	return faults
}

// parse reads a piece of code, which is a file, declarations or statements.
func (g *guideChecker) parse(code string) (*ast.File, error) {
	if regexp.MustCompile(`(?m)^package \w+$`).MatchString(code) {
		return parser.ParseFile(g.files, "guide.go", code, parser.SkipObjectResolution)
	}
	head := "package guide\n" + importsOfSnippets
	if file, err := parser.ParseFile(g.files, "guide.go", head+code, parser.SkipObjectResolution); err == nil {
		return file, nil
	}
	return parser.ParseFile(g.files, "guide.go", fmt.Sprintf(`%s
func guide(t *testing.T, ctx context.Context, client *rocketchat.Client, server *rocketchattest.Server,
	userID, password, token string, secret rocketchat.Secret, err error) error {
	{
%s
	}
}`, head, code), parser.SkipObjectResolution)
}

// excused reports whether a fault comes from the context that a piece lacks: a name that is
// declared elsewhere, or a return that does not fit the function around it.
func excused(fault string) bool {
	name, undefined := strings.CutPrefix(fault, "undefined: ")
	return undefined && !strings.Contains(name, ".") || strings.Contains(fault, "missing return") ||
		strings.HasPrefix(fault, "too many return values") || strings.HasPrefix(fault, "not enough return values")
}
