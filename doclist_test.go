package rocketchat

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// docMethod is a method of a service that makes calls, with its comment and its source.
type docMethod struct {
	name  string // such as "UsersService.Get"
	items []string
	chain map[string]string // methods of the endpoint that it describes, with their first arguments; nil if it describes none
}

// docMethods reads the exported methods of all services.
func docMethods(t *testing.T) (all []docMethod) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	helpers := make(map[string]map[string]string) // endpoints that functions and unexported methods describe
	var methods []*ast.FuncDecl
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if receiver(f) != "" && f.Name.IsExported() {
				methods = append(methods, f)
			}
			if chain := endpointIn(f, nil); chain != nil {
				helpers[helperName(f)] = chain
			}
		}
	}
	for _, f := range methods {
		if !takesContext(f) {
			continue
		}
		m := docMethod{name: receiver(f) + "." + f.Name.Name, items: docItems(f.Doc.Text()), chain: endpointIn(f, helpers)}
		all = append(all, m)
	}
	return all
}

// receiver is the service that a function is a method of.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	pointer, ok := f.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return ""
	}
	name, ok := pointer.X.(*ast.Ident)
	if !ok || !strings.HasSuffix(name.Name, "Service") {
		return ""
	}
	return name.Name
}

func takesContext(f *ast.FuncDecl) bool {
	return len(f.Type.Params.List) > 0 && len(f.Type.Params.List[0].Names) > 0 && f.Type.Params.List[0].Names[0].Name == "ctx"
}

// docItems are the items of the list in a comment.
func docItems(doc string) (items []string) {
	for line := range strings.Lines(doc) {
		switch {
		case strings.HasPrefix(line, "  - "):
			items = append(items, strings.TrimSpace(line[4:]))
		case strings.HasPrefix(line, "    ") && len(items) > 0:
			items[len(items)-1] += " " + strings.TrimSpace(line)
		}
	}
	return items
}

// endpointIn finds the endpoint that a function describes: the calls of the methods of
// endpoint, from get or post on. helpers are the functions that describe one for others.
func endpointIn(f *ast.FuncDecl, helpers map[string]map[string]string) map[string]string {
	chain := make(map[string]string)
	ast.Inspect(f.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		argument := ""
		if len(call.Args) > 0 {
			if literal, ok := call.Args[0].(*ast.BasicLit); ok {
				argument, _ = strconv.Unquote(literal.Value)
			}
		}
		switch fun := call.Fun.(type) {
		case *ast.Ident:
			if (fun.Name == "get" || fun.Name == "post") && argument != "" && chain["op"] == "" {
				chain["method"], chain["op"] = strings.ToUpper(fun.Name), argument
			}
			maps.Copy(chain, helpers[fun.Name])
		case *ast.SelectorExpr:
			if slices.Contains([]string{"since", "retried", "secondFactor", "once", "at"}, fun.Sel.Name) {
				if _, seen := chain[fun.Sel.Name]; !seen {
					chain[fun.Sel.Name] = argument
				}
			}
			if on, ok := fun.X.(*ast.Ident); ok {
				maps.Copy(chain, helpers[typeOf(f, on.Name)+"."+fun.Sel.Name])
			}
		}
		return true
	})
	if chain["op"] == "" {
		return nil
	}
	return chain
}

// helperName is the name of a function that describes an endpoint. For a method it includes
// the type.
func helperName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	return nameOfType(f.Recv.List[0].Type) + "." + f.Name.Name
}

// typeOf is the type of a parameter or of the receiver.
func typeOf(f *ast.FuncDecl, name string) string {
	fields := f.Type.Params.List
	if f.Recv != nil {
		fields = append(slices.Clip(fields), f.Recv.List...)
	}
	for _, field := range fields {
		for _, ident := range field.Names {
			if ident.Name == name {
				return nameOfType(field.Type)
			}
		}
	}
	return ""
}

func nameOfType(e ast.Expr) string {
	if pointer, ok := e.(*ast.StarExpr); ok {
		e = pointer.X
	}
	if ident, ok := e.(*ast.Ident); ok {
		return ident.Name
	}
	return ""
}

// TestDocList: the comment of every method that makes calls has the same list, and it is
// true of the endpoint where it does not concern permissions.
func TestDocList(t *testing.T) {
	t.Parallel()
	methods := docMethods(t)
	assert.Greater(t, len(methods), 80)
	var contract []contractEndpoint
	readTestdata(t, "endpoints.json", &contract)
	forms := []*regexp.Regexp{
		regexp.MustCompile(`^(GET|POST) /[\w./{}]+`),
		regexp.MustCompile(`^Permissions?: `),
		regexp.MustCompile(`^Second factor: (not )?asked for`),
		regexp.MustCompile(`^(Retried|Not retried) if the response is lost`),
		regexp.MustCompile(`^Errors: `),
		regexp.MustCompile(`^(Since server \d+\.\d+|In all server versions)`),
	}
	for _, m := range methods {
		if !assert.Len(t, m.items, len(forms), "%s: items of its list", m.name) {
			continue
		}
		for i, form := range forms {
			assert.Regexp(t, form, m.items[i], m.name)
			assert.True(t, strings.HasSuffix(m.items[i], "."), "%s: %s", m.name, m.items[i])
		}
		if m.chain != nil {
			m.checkEndpoint(t, contract)
		}
	}
}

func (m docMethod) checkEndpoint(t *testing.T, contract []contractEndpoint) {
	t.Helper()
	path := m.chain["at"]
	if path == "" {
		path = "/api/v1/" + m.chain["op"]
	}
	if !strings.HasPrefix(m.chain["op"], "avatar.") {
		assert.Contains(t, m.items[0], m.chain["method"]+" "+path, m.name)
	}
	_, factor := m.chain["secondFactor"]
	assert.Equal(t, factor, strings.HasPrefix(m.items[2], "Second factor: asked for"), "%s: second factor", m.name)
	_, retried := m.chain["retried"]
	_, once := m.chain["once"]
	retried = retried || m.chain["method"] == "GET" && !once
	assert.Equal(t, retried, strings.HasPrefix(m.items[3], "Retried"), "%s: retried", m.name)
	if since, ok := m.chain["since"]; ok && since != "" && m.name != "UsersService.GetWithRooms" {
		parts := strings.SplitN(since, ".", 3)
		assert.Regexp(t, fmt.Sprintf(`Since server %s|since %s`, strings.Join(parts[:2], `\.`), strings.Join(parts[:2], `\.`)), m.items[5], m.name)
	}
	for _, e := range contract {
		if e.op() != m.chain["op"] || !e.Exists || strings.HasSuffix(e.Name, ".get") {
			continue
		}
		if e.TwoFactor {
			assert.True(t, factor, "%s: the contract says that %s asks for a second factor", m.name, e.Name)
		}
		// users.disableTotp is harmless when repeated, but then answers that the code is
		// wrong.
		if !strings.Contains(m.items[3], "unless") && m.chain["op"] != "login" && m.chain["op"] != "users.disableTotp" {
			assert.Equal(t, e.Idempotent, retried, "%s: the contract says whether %s is idempotent", m.name, e.Name)
		}
	}
}

// page is the name of the method in the guides, such as "Users.Get".
func (m docMethod) page() string { return strings.Replace(m.name, "Service", "", 1) }

// TestGuidesAgreeWithDocs: the guides name the same methods as retried, and as asked for a
// second factor, as the comments of the methods do.
func TestGuidesAgreeWithDocs(t *testing.T) {
	t.Parallel()
	errorsGuide, err := os.ReadFile("docs/errors.md")
	require.NoError(t, err)
	_, retried, found := strings.Cut(string(errorsGuide), "- **Retried**")
	require.True(t, found)
	retried, _, found = strings.Cut(retried, "- **Not retried**")
	require.True(t, found)
	factorGuide, err := os.ReadFile("docs/second-factor.md")
	require.NoError(t, err)
	_, asked, found := strings.Cut(string(factorGuide), "## When servers ask")
	require.True(t, found)
	asked, _, found = strings.Cut(asked, "They do not ask if")
	require.True(t, found)
	for _, m := range docMethods(t) {
		name := "`" + m.page() + "`"
		if strings.HasPrefix(m.items[0], "POST ") {
			assert.Equal(t, strings.HasPrefix(m.items[3], "Retried"), strings.Contains(retried, name), "docs/errors.md: %s is retried", name)
		} else {
			assert.NotContains(t, retried, name, "docs/errors.md: only writes are listed")
		}
		assert.Equal(t, strings.HasPrefix(m.items[2], "Second factor: asked for"), strings.Contains(asked, name), "docs/second-factor.md: %s is asked for one", name)
	}
}

// TestExamplesShowEveryMethod: every method is called in an example that the documentation
// shows.
func TestExamplesShowEveryMethod(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("example_*_test.go")
	require.NoError(t, err)
	shown := make(map[string]bool)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Example") {
				continue
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if method, ok := n.(*ast.SelectorExpr); ok {
					if service, ok := method.X.(*ast.SelectorExpr); ok {
						shown[service.Sel.Name+"."+method.Sel.Name] = true
					}
				}
				return true
			})
		}
	}
	for _, m := range docMethods(t) {
		assert.True(t, shown[m.page()], "no example calls %s", m.page())
	}
}

// TestDocLinks: no link in a doc comment leads nowhere. In code blocks, brackets are shown
// as they are.
func TestDocLinks(t *testing.T) {
	t.Parallel()
	unresolved := regexp.MustCompile(`\[\*?(?:[\w/]+\.)?[A-Z]\w*\]`)
	for _, dir := range []string{".", "gate", "gate/gatetest", "rocketchattest", "totp", "prompt", "otelrocketchat", "redisgate"} {
		pkg := docPackage(t, dir)
		if pkg == nil {
			continue
		}
		for name, text := range docTexts(pkg) {
			assert.Empty(t, unresolved.FindAllString(string(pkg.Text(text)), -1), "%s: %s", dir, name)
		}
	}
}

// docPackage reads the documentation of the package in dir. It returns nil if that is
// missing, as other modules are in the module cache.
func docPackage(t *testing.T, dir string) *doc.Package {
	t.Helper()
	names, err := filepath.Glob(dir + "/*.go")
	require.NoError(t, err)
	if len(names) == 0 {
		return nil
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(fset, files, "github.com/rocketchat-go/rocketchat/"+dir)
	require.NoError(t, err)
	return pkg
}

// docTexts returns the doc comments of a package by what they are about.
func docTexts(pkg *doc.Package) map[string]string {
	texts := map[string]string{"package": pkg.Doc}
	functions := func(of string, fs []*doc.Func) {
		for _, f := range fs {
			texts[of+f.Name] = f.Doc
		}
	}
	values := func(vs []*doc.Value) {
		for _, v := range vs {
			texts[v.Names[0]] = v.Doc
		}
	}
	functions("", pkg.Funcs)
	values(slices.Concat(pkg.Consts, pkg.Vars))
	for _, typ := range pkg.Types {
		texts[typ.Name] = typ.Doc
		functions("", typ.Funcs)
		functions(typ.Name+".", typ.Methods)
		values(slices.Concat(typ.Consts, typ.Vars))
	}
	return texts
}
