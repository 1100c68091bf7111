package livetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

// check tries methods of the client. Their names are separated by spaces.
type check struct {
	methods string
	run     func(*testing.T, *live)
}

func checks() []check {
	return slices.Concat(accountChecks(), listChecks(), searchChecks(), syncChecks(), mailChecks(), ownChecks(), tokenChecks(), roleChecks(),
		statusChecks(), avatarChecks(), sessionChecks(), factorChecks(), serverChecks())
}

// TestEveryMethod fails for a method of a service that no check names, or whose check
// does not call it.
func TestEveryMethod(t *testing.T) {
	t.Parallel()
	bodies := functions(t)
	var tried []string
	for _, c := range checks() {
		body := bodies[functionName(c.run)]
		require.NotNil(t, body, "%s: the check must be a function with a name", c.methods)
		for name := range strings.FieldsSeq(c.methods) {
			assert.True(t, calls(body, name), "the check of %s does not call it", name)
			tried = append(tried, name)
		}
	}
	slices.Sort(tried)
	assert.Equal(t, exportedMethods(), tried)
}

// exportedMethods are the methods of all services, such as "Users.Get".
func exportedMethods() []string {
	var names []string
	for field := range reflect.TypeFor[rocketchat.Client]().Fields() {
		if !field.IsExported() {
			continue
		}
		for method := range field.Type.Methods() {
			names = append(names, field.Name+"."+method.Name)
		}
	}
	slices.Sort(names)
	return names
}

// functionName is the name of a function without its package.
func functionName(f func(*testing.T, *live)) string {
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	return name[strings.LastIndex(name, ".")+1:]
}

// functions are the bodies of this package's functions by name.
func functions(t *testing.T) map[string]*ast.BlockStmt {
	t.Helper()
	bodies := map[string]*ast.BlockStmt{}
	files := token.NewFileSet()
	names, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, name := range names {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				bodies[f.Name.Name] = f.Body
			}
		}
	}
	return bodies
}

// calls reports whether a function calls a method of a service.
func calls(body *ast.BlockStmt, name string) bool {
	service, method, _ := strings.Cut(name, ".")
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if m, ok := call.Fun.(*ast.SelectorExpr); ok && m.Sel.Name == method {
				s, ok := m.X.(*ast.SelectorExpr)
				found = found || ok && s.Sel.Name == service
			}
		}
		return !found
	})
	return found
}
