package contracttest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// request is one request of the wire table.
type request struct {
	Name     string          `json:"-"` // op/row, and #n from its second exchange on
	Endpoint string          `json:"endpoint"`
	Method   string          `json:"method"`
	Path     string          `json:"path"`
	Query    map[string]any  `json:"query,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
	Form     json.RawMessage `json:"form,omitempty"`
}

// verdicts is what verdicts.js answers; see there.
type verdicts struct {
	Versions  []string
	Available map[string][]string
	Verdicts  []map[string][]string
	Unset     map[string][]string
}

// The committed lists.
type (
	validated struct {
		Validators []string
		Versions   []string // that export them
		Elsewhere  string   // why others do not
	}
	unchecked struct {
		WithoutParameters []string          // nothing to check but that nothing is sent
		WithoutValidator  map[string]string // in any version: the reason
		Forms             map[string]string // endpoints with a multipart form: the reason
	}
	refusal struct {
		Endpoint string
		Problem  string
		Versions []string
		Reason   string
	}
	gaps map[string]map[string]string // endpoint, field: the reason
)

func TestContract(t *testing.T) {
	t.Parallel()
	prepare(t)
	var table map[string]validated
	var without unchecked
	var refusals []refusal
	var accepted gaps
	read(t, "validators.json", &table)
	read(t, "unchecked.json", &without)
	read(t, "refusals.json", &refusals)
	read(t, "gaps.json", &accepted)

	requests, forms := wireTable(t)
	got := judge(t, requests)

	t.Run("every endpoint has a validator or a reason", func(t *testing.T) {
		t.Parallel()
		checkEndpoints(t, requests, forms, got, table, without)
	})
	t.Run("requests are accepted, or refused as listed", func(t *testing.T) {
		t.Parallel()
		checkRefusals(t, requests, got, refusals)
	})
	t.Run("every field of the newest schema is sent by some request", func(t *testing.T) {
		t.Parallel()
		checkGaps(t, got, accepted)
	})
	report(t, requests, forms, got)
}

func checkEndpoints(t *testing.T, requests, forms []request, got verdicts, table map[string]validated, without unchecked) {
	t.Helper()
	listed := make(map[string]int)
	for endpoint := range table {
		listed[endpoint]++
	}
	for endpoint := range without.WithoutValidator {
		listed[endpoint]++
	}
	for _, endpoint := range without.WithoutParameters {
		listed[endpoint]++
	}
	seen := make(map[string]bool)
	for _, r := range requests {
		seen[r.Endpoint] = true
		if r.Method != http.MethodGet {
			assert.Empty(t, r.Query, "%s: a query besides the body", r.Name)
		} else {
			assert.Empty(t, r.Body, "%s: a GET with a body", r.Name)
		}
		if slices.Contains(without.WithoutParameters, r.Endpoint) {
			assert.Empty(t, r.Query, "%s: %s has no parameters", r.Name, r.Endpoint)
			assert.Empty(t, r.Body, "%s: %s has no parameters", r.Name, r.Endpoint)
		}
	}
	for endpoint := range seen {
		assert.Equal(t, 1, listed[endpoint], "list %s once, in validators.json or unchecked.json", endpoint)
	}
	for endpoint := range listed {
		assert.True(t, seen[endpoint], "no request goes to %s, which validators.json or unchecked.json lists", endpoint)
	}
	for endpoint, v := range table {
		assert.Equal(t, v.Versions, got.Available[endpoint], "versions that export the validators of %s", endpoint)
		if len(v.Versions) < len(got.Versions) {
			assert.NotEmpty(t, v.Elsewhere, "validators.json: say why not all versions have %s", endpoint)
		}
	}

	seen = make(map[string]bool)
	for _, r := range forms {
		seen[r.Endpoint] = true
		assert.NotEmpty(t, without.Forms[r.Endpoint], "%s: list its form in unchecked.json", r.Name)
	}
	for endpoint := range without.Forms {
		assert.True(t, seen[endpoint], "unchecked.json: no request sends a form to %s", endpoint)
	}
}

func checkRefusals(t *testing.T, requests []request, got verdicts, refusals []refusal) {
	t.Helper()
	type key struct{ endpoint, version, problem string }
	refused := make(map[key][]string)
	for i, r := range requests {
		for version, problems := range got.Verdicts[i] {
			for _, problem := range problems {
				k := key{r.Endpoint, version, problem}
				refused[k] = append(refused[k], r.Name)
			}
		}
	}
	listed := make(map[key]bool)
	for _, r := range refusals {
		assert.NotEmpty(t, r.Reason, "refusals.json: %s, %s: no reason", r.Endpoint, r.Problem)
		for _, version := range r.Versions {
			k := key{r.Endpoint, version, r.Problem}
			assert.False(t, listed[k], "refusals.json: %v stands there twice", k)
			listed[k] = true
			assert.NotEmpty(t, refused[k], "refusals.json: %s does not refuse %s any more: %s", version, r.Endpoint, r.Problem)
		}
	}
	for k, names := range refused {
		assert.True(t, listed[k], "%s refuses %s: %s (%s)", k.version, k.endpoint, k.problem, strings.Join(names, ", "))
	}
}

func checkGaps(t *testing.T, got verdicts, accepted gaps) {
	t.Helper()
	for endpoint, fields := range got.Unset {
		for _, field := range fields {
			assert.NotEmpty(t, accepted[endpoint][field], "no request to %s sets %s", endpoint, field)
		}
	}
	for endpoint, fields := range accepted {
		for field := range fields {
			assert.Contains(t, got.Unset[endpoint], field, "gaps.json: a request to %s sets it, or its schema lost it", endpoint)
		}
	}
}

func report(t *testing.T, requests, forms []request, got verdicts) {
	t.Helper()
	endpoints := make(map[string]bool)
	for _, r := range requests {
		endpoints[r.Endpoint] = true
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests to %d endpoints, and %d forms that are not checked\n\n", len(requests), len(endpoints), len(forms))
	fmt.Fprintf(&b, "%-8s %9s %9s %18s\n", "version", "accepted", "refused", "without validator")
	for _, version := range got.Versions {
		var accepted, refused int
		for i := range requests {
			problems, ok := got.Verdicts[i][version]
			switch {
			case ok && len(problems) == 0:
				accepted++
			case ok:
				refused++
			}
		}
		without := 0
		for endpoint := range endpoints {
			if !slices.Contains(got.Available[endpoint], version) {
				without++
			}
		}
		fmt.Fprintf(&b, "%-8s %9d %9d %4d (%d endpoints)\n", version, accepted, refused, len(requests)-accepted-refused, without)
	}
	t.Log(b.String())
}

// prepare installs the validators when they are missing.
func prepare(t *testing.T) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			require.NotEqual(t, "true", os.Getenv("CI"), "CI needs %s for this test", program)
			t.Skipf("%s is not installed: the requests are not checked against the server's validators", program)
		}
	}
	// npm writes this file last.
	if _, err := os.Stat(filepath.Join("node_modules", ".package-lock.json")); err == nil {
		return
	}
	run(t, nil, "npm", "ci", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund")
}

func judge(t *testing.T, requests []request) verdicts {
	t.Helper()
	input, err := json.Marshal(requests)
	require.NoError(t, err)
	var got verdicts
	require.NoError(t, json.Unmarshal(run(t, input, "node", "verdicts.js"), &got))
	require.Len(t, got.Verdicts, len(requests))
	return got
}

func run(t *testing.T, input []byte, program string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	require.NoError(t, err, "%s %s:\n%s", program, strings.Join(args, " "), &stderr)
	return output
}

// wireTable reads the requests of the wire table. Those with a multipart form stand apart.
func wireTable(t *testing.T) (requests, forms []request) {
	t.Helper()
	files, err := filepath.Glob(filepath.FromSlash("../testdata/*/*.wire.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		var exchanges []struct{ Request request }
		read(t, file, &exchanges)
		row := filepath.Base(filepath.Dir(file)) + "/" + strings.TrimSuffix(filepath.Base(file), ".wire.json")
		for i, x := range exchanges {
			r := x.Request
			if r.Name = row; i > 0 {
				r.Name = fmt.Sprintf("%s#%d", row, i+1)
			}
			r.Endpoint = endpoint(r.Path)
			if r.Form != nil {
				forms = append(forms, r)
			} else {
				requests = append(requests, r)
			}
		}
	}
	slices.SortFunc(requests, func(a, b request) int { return cmp.Compare(a.Name, b.Name) })
	return requests, forms
}

// endpoint names what a path leads to: users.info for /api/v1/users.info, avatar for all
// pictures.
func endpoint(path string) string {
	if strings.HasPrefix(path, "/avatar/") {
		return "avatar"
	}
	return strings.TrimPrefix(strings.TrimPrefix(path, "/api/"), "v1/")
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, into), name)
}
