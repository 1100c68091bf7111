package rocketchat

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// contractEndpoint is an entry of testdata/endpoints.json.
type contractEndpoint struct {
	Name       string `json:"name"`
	Method     string `json:"method"`
	Path       string `json:"path"`
	Since      string `json:"since"`
	Auth       bool   `json:"auth"`
	Idempotent bool   `json:"idempotent"`
	TwoFactor  bool   `json:"twoFactor"`
	Exists     bool   `json:"exists"`
}

// op is the operation's name: GET logout is the deprecated twin of POST logout.
func (e contractEndpoint) op() string { return strings.TrimSuffix(e.Name, ".get") }

// TestEveryEndpoint: what the contract names has a method and a row in the wire table,
// a handler in the test server, and a line in docs/methods.md.
func TestEveryEndpoint(t *testing.T) {
	t.Parallel()
	var endpoints []contractEndpoint
	readTestdata(t, "endpoints.json", &endpoints)
	rows := make(map[string]bool)
	for _, row := range wireRows() {
		rows[row.op] = true
	}
	served := rocketchattest.Ops()
	methods, err := os.ReadFile("docs/methods.md")
	require.NoError(t, err)
	existing := 0
	for _, e := range endpoints {
		if !e.Exists {
			continue
		}
		existing++
		assert.True(t, rows[e.op()], "%s has no row in the wire table", e.Name)
		assert.True(t, slices.Contains(served, e.op()), "%s has no handler in rocketchattest", e.Name)
		assert.Contains(t, string(methods), "`"+e.op()+"`", "%s is not in docs/methods.md", e.Name)
	}
	assert.Equal(t, 76, existing)
	callable := existing - 1 // without GET logout
	assert.Contains(t, string(methods), fmt.Sprintf("The %d endpoints", callable), "docs/methods.md gives their number")
}

// TestWireAgreesWithContract: method and path of every request are the contract's.
func TestWireAgreesWithContract(t *testing.T) {
	t.Parallel()
	var endpoints []contractEndpoint
	readTestdata(t, "endpoints.json", &endpoints)
	known := make(map[string]string)
	for _, e := range endpoints {
		if e.Exists && e.Name != "logout.get" {
			known[e.Path] = e.Method
		}
	}
	for _, row := range wireRows() {
		var exchanges []wireExchange
		readTestdata(t, row.op+"/"+row.name+".wire.json", &exchanges)
		for _, x := range exchanges {
			if strings.HasPrefix(x.Request.Path, "/avatar/") {
				continue
			}
			assert.Equal(t, known[x.Request.Path], x.Request.Method, "%s %s", row.op, x.Request.Path)
		}
	}
}

// TestMissingEndpoint: a server that does not know the route is told from one
// that does not know the user, and the error says which version has the route.
func TestMissingEndpoint(t *testing.T) {
	t.Parallel()
	var endpoints []contractEndpoint
	readTestdata(t, "endpoints.json", &endpoints)
	since := make(map[string]string)
	for _, e := range endpoints {
		since[e.op()] = e.Since
	}
	for name, answer := range map[string]func() *http.Response{
		"today": func() *http.Response { return reply(http.StatusNotFound, "text/plain; charset=UTF-8", "404 Not Found") },
		"before 7.4": func() *http.Response {
			return replyJSON(http.StatusNotFound, `{"status":"error","message":"API endpoint does not exist"}`)
		},
		"another method": func() *http.Response {
			return replyJSON(http.StatusMethodNotAllowed, `{"status":"error","message":"Method Not Allowed"}`)
		},
	} {
		for _, row := range wireRows() {
			if strings.HasPrefix(row.op, "avatar.") {
				continue
			}
			op := ""
			c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
				op = strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/"), "v1/")
				return answer(), nil
			}))
			_, err := row.call(t.Context(), c)
			require.ErrorIs(t, err, ErrEndpointUnknown, "%s, %s", row.op, name)
			assert.NotErrorIs(t, err, ErrNotFound)
			if version := since[op]; version != "" {
				assert.ErrorContains(t, err, op+" needs server "+version, name)
			}
		}
	}
}
