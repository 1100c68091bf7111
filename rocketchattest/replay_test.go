package rocketchattest_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// exchange is one step of a conversation recorded with a real server.
type exchange struct {
	Name    string            `json:"name"`
	Actor   *string           `json:"actor"`
	Method  string            `json:"method"`
	Op      string            `json:"op"`
	Query   map[string]string `json:"query"`
	Body    any               `json:"body"`
	Raw     *string           `json:"raw"`
	Form    *form             `json:"form"`
	Headers map[string]string `json:"headers"`
	Save    map[string]string `json:"save"`
	Wait    float64           `json:"wait"`

	Status        int               `json:"status"`
	AnswerHeaders map[string]string `json:"answer_headers"`
	Answer        any               `json:"answer"`
	Binds         map[string]string `json:"binds"`
}

type form struct {
	Fields map[string]string `json:"fields"`
	File   [4]string         `json:"file"` // field, file name, type, base64
}

// TestReplay holds the recorded conversations with the server and compares every answer.
func TestReplay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file    string
		options []rocketchattest.Option
		shapes  []string // answers that hold paths of the recorded machine: only their shape can be the same
	}{
		{
			"plain",
			[]rocketchattest.Option{rocketchattest.WithLimit(0, 0), rocketchattest.WithHiddenLimit()},
			[]string{"requestDataDownload", "requestDataDownload.again"},
		},
		{"second-factor", []rocketchattest.Option{rocketchattest.WithLimit(0, 0), rocketchattest.WithSecondFactor()}, nil},
		{"rate-limit", []rocketchattest.Option{rocketchattest.WithLimit(10, time.Minute)}, nil},
		{"hidden-limit", []rocketchattest.Option{rocketchattest.WithHiddenLimit()}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			steps := readExchanges(t, tt.file)
			synctest.Test(t, func(t *testing.T) {
				exact, shapes := replay(t, rocketchattest.New(tt.options...), steps)
				t.Logf("exact %d / same shape %d / of %d", exact, len(shapes), len(steps))
				assert.Equal(t, tt.shapes, shapes)
			})
		})
	}
}

func readExchanges(t *testing.T, name string) []exchange {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "testdata", "recorded", name+".jsonl"))
	require.NoError(t, err)
	defer file.Close()
	var steps []exchange
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var x exchange
		require.NoError(t, json.Unmarshal(lines.Bytes(), &x))
		steps = append(steps, x)
	}
	require.NoError(t, lines.Err())
	return steps
}

// replay returns how many answers are the same and the names of those that only have the same shape.
func replay(t *testing.T, server *rocketchattest.Server, steps []exchange) (exact int, shapes []string) {
	t.Helper()
	const digest = "46090b44216a13cd87f35c6053282653fdfb3a7c0e04a115b726a6224e6f625d"
	ours := map[string]string{"admin.password": rocketchattest.AdminPassword, "admin.password.sha256": digest}
	theirs := map[string]string{}
	for _, x := range steps {
		time.Sleep(time.Duration(x.Wait * float64(time.Second)))
		res, answer := x.send(t, server, ours)
		for name, path := range x.Save {
			if value, ok := dig(answer, path).(string); ok {
				ours[name] = value
			}
		}
		maps.Copy(theirs, x.Binds)

		if !assert.Equal(t, x.Status, res.StatusCode, "%s: status; answer %v", x.Name, answer) {
			continue
		}
		for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining"} {
			assert.Equal(t, x.AnswerHeaders[strings.ToLower(name)], res.Header.Get(name), "%s: %s", x.Name, name)
		}
		for _, name := range []string{"Content-Type", "Cache-Control", "X-Content-Type-Options", "Access-Control-Allow-Origin"} {
			assert.Equal(t, x.AnswerHeaders[strings.ToLower(name)], res.Header.Get(name), "%s: %s", x.Name, name)
		}
		assert.NotEmpty(t, res.Header.Get("Date"), x.Name)

		want, got := normal(x.Answer, theirs, ""), normal(answer, ours, "")
		if x.Query["sort"] == "" {
			want, got = unordered(want), unordered(got)
		}
		switch {
		case softAnswers[x.Name] || assert.ObjectsAreEqual(want, got):
			exact++
		case x.Status < http.StatusBadRequest && assert.ObjectsAreEqual(shape(want), shape(got)):
			shapes = append(shapes, x.Name)
		default:
			assert.Equal(t, want, got, x.Name)
		}
	}
	return exact, shapes
}

// softAnswers hold texts of the recorded server's database or language runtime, or a defect of that version: their status counts.
var softAnswers = map[string]bool{
	"users.list.count-not-a-number": true, "users.list.count-negative": true, "users.list.sort-seed-form": true,
	"users.list.sort-not-json": true, "users.autocomplete.seed-form": true, "info.admin": true, "info.anonymous": true,
	"users.create.not-json": true, "sendWelcomeEmail": true,
}

func (x *exchange) send(t *testing.T, server *rocketchattest.Server, names map[string]string) (reply, any) {
	t.Helper()
	path := "/api/v1/" + x.Op
	if rest, ok := strings.CutPrefix(x.Op, "../"); ok {
		path = "/api/" + rest
	}
	if len(x.Query) > 0 {
		query := url.Values{}
		for key, value := range x.Query {
			query.Set(key, fill(value, names))
		}
		path += "?" + query.Encode()
	}
	body, contentType := x.payload(t, names)
	req, err := http.NewRequestWithContext(t.Context(), x.Method, server.URL()+path, body)
	require.NoError(t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if x.Actor != nil {
		req.Header.Set("X-User-Id", names[*x.Actor+".id"])
		req.Header.Set("X-Auth-Token", names[*x.Actor+".token"])
	}
	for name, value := range x.Headers {
		req.Header.Set(name, fill(value, names))
	}
	return roundTrip(t, server, req)
}

func (x *exchange) payload(t *testing.T, names map[string]string) (io.Reader, string) {
	t.Helper()
	switch {
	case x.Raw != nil:
		return strings.NewReader(*x.Raw), "application/json"
	case x.Form != nil:
		return x.Form.encode(t, names)
	case x.Body != nil:
		b, err := json.Marshal(x.Body)
		require.NoError(t, err)
		return strings.NewReader(fill(string(b), names)), "application/json"
	}
	return nil, ""
}

func (f *form) encode(t *testing.T, names map[string]string) (io.Reader, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range f.Fields {
		require.NoError(t, w.WriteField(name, fill(value, names)))
	}
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename=%q`, f.File[0], f.File[1])},
		"Content-Type":        {f.File[2]},
	})
	require.NoError(t, err)
	data, err := base64.StdEncoding.DecodeString(f.File[3])
	require.NoError(t, err)
	_, err = part.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return &b, w.FormDataContentType()
}

// roundTrip sends a request and decodes the answer; what is no JSON comes back as the recording has it.
func roundTrip(t *testing.T, server http.RoundTripper, req *http.Request) (reply, any) {
	t.Helper()
	res, err := server.RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var answer any
	if json.Unmarshal(b, &answer) != nil {
		answer = map[string]any{"__text": string(b)}
	}
	return reply{res.StatusCode, res.Header}, answer
}

// reply is an answer whose body was read.
type reply struct {
	StatusCode int
	Header     http.Header
}

var placeholder = regexp.MustCompile(`\$\{([^}]+)\}`)

// fill replaces ${name} by the value bound to the name.
func fill(s string, names map[string]string) string {
	return placeholder.ReplaceAllStringFunc(s, func(m string) string {
		if value, ok := names[m[2:len(m)-1]]; ok {
			return value
		}
		return m
	})
}

func dig(value any, path string) any {
	for part := range strings.SplitSeq(path, ".") {
		o, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = o[part]
	}
	return value
}

var (
	// late values are stored half a second after the call that sets them.
	late     = []string{"avatarETag", "avatarOrigin"}
	volatile = []string{
		"nodeVersion", "build", "marketplaceApiVersion", "commit", "supportedVersions", "cloudWorkspaceId", "minimumClientVersions",
		"_updatedAt", "sidebarSectionsOrder", "bcrypt", "loginTokens", "lastLogin", "services",
	}
	replacements = []struct {
		keys    []string // none means every key
		pattern *regexp.Regexp
		text    string
	}{
		{nil, regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`), "<date>"},
		{nil, regexp.MustCompile(`https?://[^/"]+`), "<base>"},
		{nil, regexp.MustCompile(`\b\d+ seconds`), "<n> seconds"},
		{[]string{"_id", "userId", "rid"}, regexp.MustCompile(`^(?:[0-9A-Za-z]{17}|[0-9a-f]{24})$`), "<id>"},
		{[]string{"authToken", "token"}, regexp.MustCompile(`^[\w-]{43}$`), "<token>"},
		{[]string{"lastTokenPart"}, regexp.MustCompile(`^.*$`), "<opaque>"},
	}
)

const firstMoment = 1e12 // numbers beyond it are moments in milliseconds

// normal replaces what may differ between two servers: ids, tokens, moments and addresses.
func normal(value any, names map[string]string, key string) any {
	if slices.Contains(volatile, key) {
		return "<volatile>"
	}
	switch v := value.(type) {
	case map[string]any:
		o := map[string]any{}
		for k, inner := range v {
			if !slices.Contains(late, k) {
				o[k] = normal(inner, names, k)
			}
		}
		return o
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = normal(v[i], names, "")
		}
		return items
	case string:
		return normalText(v, names, key)
	case float64:
		if v > firstMoment {
			return "<ms>"
		}
	}
	return value
}

func normalText(s string, names map[string]string, key string) string {
	const shortest = 8
	longestFirst := slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(len(names[b])-len(names[a]), strings.Compare(a, b))
	})
	for _, name := range longestFirst {
		if len(names[name]) > shortest {
			s = strings.ReplaceAll(s, names[name], "${"+name+"}")
		}
	}
	for _, r := range replacements {
		if r.keys == nil || slices.Contains(r.keys, key) {
			s = r.pattern.ReplaceAllString(s, r.text)
		}
	}
	return s
}

// unordered sorts lists: their order matters only where the request asked for one.
func unordered(value any) any {
	switch v := value.(type) {
	case map[string]any:
		o := map[string]any{}
		for k, inner := range v {
			o[k] = unordered(inner)
		}
		return o
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = unordered(v[i])
		}
		slices.SortFunc(items, func(a, b any) int { return strings.Compare(encoded(a), encoded(b)) })
		return items
	}
	return value
}

func encoded(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(b)
}

func shape(value any) any {
	switch v := value.(type) {
	case map[string]any:
		o := map[string]any{}
		for k, inner := range v {
			o[k] = shape(inner)
		}
		return o
	case []any:
		if len(v) == 0 {
			return []any{}
		}
		return []any{shape(v[0])}
	}
	return fmt.Sprintf("%T", value)
}
