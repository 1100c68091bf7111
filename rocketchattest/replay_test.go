package rocketchattest_test

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
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
	Query   map[string]any    `json:"query"` // a text, or a list of texts for a repeated key
	Body    any               `json:"body"`
	Raw     *string           `json:"raw"`
	Form    *form             `json:"form"`
	Headers map[string]string `json:"headers"`
	Save    map[string]string `json:"save"`
	Wait    float64           `json:"wait"`

	Status        int               `json:"status"`
	AnswerHeaders map[string]string `json:"answer_headers"`
	Answer        any               `json:"answer"`
	Binds         map[string]any    `json:"binds"`
}

type form struct {
	Fields map[string]string `json:"fields"`
	File   *[4]string        `json:"file"` // field, file name, type, base64
}

// TestReplay holds the recorded conversations with the server and compares every answer.
func TestReplay(t *testing.T) {
	t.Parallel()
	unlimited, factor := rocketchattest.WithLimit(0, 0), rocketchattest.WithSecondFactor()
	hidden := rocketchattest.WithHiddenLimit()
	noOptIn := rocketchattest.WithSetting("Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In", false)
	const v7, v8 = "7.7.1", "8.3.0"
	b, err := os.ReadFile("FIDELITY.md")
	require.NoError(t, err)
	fidelity := string(b) // tells the figures
	tests := []struct {
		version, file string
		options       []rocketchattest.Option
		skipped       int // steps whose answer depends on calls that are not in the recording
	}{
		{v7, "plain", []rocketchattest.Option{unlimited, hidden}, 1},
		{v7, "second-factor", []rocketchattest.Option{unlimited, factor, noOptIn}, 0},
		{v7, "rate-limit", nil, 0},
		{v7, "hidden-limit", []rocketchattest.Option{hidden}, 0},
		{v7, "jobs", []rocketchattest.Option{unlimited}, 0},
		{v8, "plain", []rocketchattest.Option{unlimited}, 0},
		{v8, "second-factor", []rocketchattest.Option{unlimited, factor, noOptIn}, 0},
		{v8, "totp", []rocketchattest.Option{unlimited, factor, noOptIn, rocketchattest.WithSetting("SMTP_Host", "mail.example.com")}, 0},
		{v8, "rate-limit", nil, 0},
		{v8, "hidden-limit", []rocketchattest.Option{hidden}, 0},
		{v8, "jobs", []rocketchattest.Option{unlimited}, 0},
		{v8, "settings", []rocketchattest.Option{unlimited}, 0},
		{v8, "token", []rocketchattest.Option{unlimited, rocketchattest.WithEnv("CREATE_TOKENS_FOR_USERS_SECRET", "the-secret-of-the-test")}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.version+"/"+tt.file, func(t *testing.T) {
			t.Parallel()
			steps := readExchanges(t, tt.version, tt.file)
			synctest.Test(t, func(t *testing.T) {
				now := clockFrom(t, steps[0].AnswerHeaders["date"])
				r := newReplay(now, append(tt.options, rocketchattest.WithVersion(tt.version))...)
				if tt.version == v7 && tt.file == "jobs" { // somebody had failed to log in as zoe before
					r.failLogins(t, "zoe")
				}
				for _, x := range steps {
					r.step(t, x)
				}
				t.Logf("exact %d / same shape %d / different %d / of %d", r.exact, len(r.shapes), len(r.different), len(steps)-r.skipped)
				assert.Empty(t, r.different)
				assert.Empty(t, r.shapes)
				assert.Equal(t, tt.skipped, r.skipped)
				assert.Contains(t, fidelity, fmt.Sprintf("| %s | %s | %d | %d | %d |\n", tt.version, tt.file, len(steps)-r.skipped, r.exact, r.soft))
			})
		})
	}
}

// readExchanges reads a recording: those of 7.7.1 are shared with the tests of the client.
func readExchanges(t *testing.T, version, name string) []exchange {
	t.Helper()
	path := filepath.Join("testdata", "recorded", version[:3], name+".jsonl.gz")
	if _, err := os.Stat(path); err != nil {
		path = filepath.Join("..", "testdata", "recorded", name+".jsonl")
	}
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	source := io.Reader(file)
	if strings.HasSuffix(path, ".gz") {
		source, err = gzip.NewReader(file)
		require.NoError(t, err)
	}
	var steps []exchange
	lines := bufio.NewScanner(source)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var x exchange
		require.NoError(t, json.Unmarshal(lines.Bytes(), &x))
		steps = append(steps, x)
	}
	require.NoError(t, lines.Err())
	return steps
}

// clockFrom is a clock that starts at the time of the recording, and advances with the
// bubble.
func clockFrom(t *testing.T, date string) func() time.Time {
	t.Helper()
	then, err := http.ParseTime(date)
	require.NoError(t, err)
	ahead := time.Until(then)
	return func() time.Time { return time.Now().Add(ahead) }
}

// replayed is a running conversation, with the values bound so far and the results of the
// comparisons.
type replayed struct {
	server       *rocketchattest.Server
	now          func() time.Time
	ours, theirs map[string]string

	exact, soft, skipped int
	shapes, different    []string
}

func newReplay(now func() time.Time, options ...rocketchattest.Option) *replayed {
	return &replayed{
		server: rocketchattest.New(append(options, rocketchattest.WithClock(now))...), now: now, theirs: map[string]string{},
		ours: map[string]string{
			"admin.password": rocketchattest.AdminPassword, "admin.password.sha256": digestOf(rocketchattest.AdminPassword),
		},
	}
}

// step repeats a recorded request and compares the answers.
func (r *replayed) step(t *testing.T, x exchange) {
	t.Helper()
	time.Sleep(time.Duration(x.Wait * float64(time.Second)))
	if then, err := http.ParseTime(x.AnswerHeaders["date"]); err == nil {
		time.Sleep(then.Sub(r.now())) // take the time that the recording took
	}
	res, answer := r.send(t, x)
	for name, path := range x.Save {
		if value := dig(answer, path); value != nil {
			r.ours[name] = fmt.Sprint(value)
		}
	}
	for name, value := range x.Binds {
		r.theirs[name] = fmt.Sprint(value)
	}
	assert.NotEmpty(t, res.Header.Get("Date"), x.Name)
	if strings.Contains(encoded(x.Answer), "before trying again") && res.StatusCode != x.Status {
		r.skipped++ // a limit per user and minute got in the way then: it depends on steps that are not in the recording
		return
	}
	why, sameShape := r.compare(x, res, answer)
	why = fmt.Sprintf("%s: %s %s: %s", x.Name, x.Method, x.Op, why)
	switch {
	case sameShape:
		r.shapes = append(r.shapes, why)
	case !strings.HasSuffix(why, ": "):
		r.different = append(r.different, why)
	default:
		r.exact++
	}
}

// failLogins fails to log in under a name, as often as servers allow.
func (r *replayed) failLogins(t *testing.T, username string) {
	t.Helper()
	const allowed = 10
	for range allowed {
		r.send(t, exchange{Method: http.MethodPost, Op: "login", Body: map[string]string{"user": username, "password": "wrong"}})
	}
}

// compare returns how an answer differs from the recorded one, or nothing.
func (r *replayed) compare(x exchange, res reply, answer any) (why string, sameShape bool) {
	if x.Status != res.StatusCode {
		return fmt.Sprintf("status %d, recorded %d; answer %s, recorded %s", res.StatusCode, x.Status, encoded(answer), encoded(x.Answer)), false
	}
	for _, name := range []string{
		"X-RateLimit-Limit", "X-RateLimit-Remaining", "Content-Type", "Cache-Control", "X-Content-Type-Options", "Access-Control-Allow-Origin",
	} {
		if got, want := res.Header.Get(name), x.AnswerHeaders[strings.ToLower(name)]; got != want {
			return fmt.Sprintf("%s %q, recorded %q", name, got, want), false
		}
	}
	want, got := normal(x.Answer, r.theirs, ""), normal(answer, r.ours, "")
	if x.Op == "users.autocomplete" {
		want = withoutJoin(want)
	}
	if !strings.Contains(encoded(x.Query), "sort") {
		want, got = unordered(want), unordered(got)
	}
	if assert.ObjectsAreEqual(want, got) {
		return "", false
	}
	if softAnswers[x.Name] {
		r.soft++
		return "", false
	}
	return strings.Join(differences("", got, want), "\n\t"), x.Status < http.StatusBadRequest && assert.ObjectsAreEqual(shape(want), shape(got))
}

// withoutJoin removes what the recorded server adds to people from rooms of the caller
// because of its database query: a score, and nulls for missing fields.
func withoutJoin(answer any) any {
	keys, _ := answer.(map[string]any)
	items, _ := keys["items"].([]any)
	for _, item := range items {
		if person, _ := item.(map[string]any); person["score"] != nil {
			maps.DeleteFunc(person, func(key string, value any) bool { return key == "score" || value == nil })
		}
	}
	return answer
}

// differences are the places where two answers differ, one per line.
func differences(path string, got, want any) []string {
	a, isObject := got.(map[string]any)
	b, wantsObject := want.(map[string]any)
	if !isObject || !wantsObject {
		return []string{fmt.Sprintf("%s is %s, recorded %s", path, encoded(got), encoded(want))}
	}
	var all []string
	keys := slices.Collect(maps.Keys(a))
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	for _, key := range slices.Sorted(slices.Values(keys)) {
		if !assert.ObjectsAreEqual(b[key], a[key]) {
			all = append(all, differences(path+"."+key, a[key], b[key])...)
		}
	}
	return all
}

// softAnswers hold texts of the recorded server's database or language runtime, or a defect of that version: their status counts.
var softAnswers = func() map[string]bool {
	soft := map[string]bool{}
	for _, name := range []string{
		"users.list.count-not-a-number", "users.list.count-negative", "users.list.sort-seed-form", "users.list.sort-not-json",
		"users.autocomplete.seed-form", "info.admin", "info.anonymous", "users.create.not-json", "sendWelcomeEmail",
		"users.list.offset-negative", "users.list.offset-word", "users.list.sort-list", "users.list.sort-number",
		"users.list.sort-empty-object", "users.autocomplete.null", "users.autocomplete.empty", "users.autocomplete.bad-json",
		"users.update.roles-null", "users.delete.number-id", "resetAvatar.number", "resetE2EKey.as-nils.number", "forgotPassword.number",
		"2fa.sendEmailCode.number", "users.list.sort-createdAt", "users.list.sort-last-login", "directory.sort-created", "directory.sort-bio",
		"directory.default-sort", "info.as-user", "info.bad-token", "as-user.../info", "unknown-field.../info", "wrong-method.../info",
		"setAvatar.form-text-as-png",
	} {
		soft[name] = true
	}
	return soft
}()

// send sends the request of a step with our values in it.
func (r *replayed) send(t *testing.T, x exchange) (reply, any) {
	t.Helper()
	address := url.URL{Path: "/api/v1/" + r.fill(x.Op)}
	if rest, ok := strings.CutPrefix(x.Op, "../"); ok {
		address.Path = "/api/" + rest
	} else if strings.HasPrefix(x.Op, "/") {
		address.Path = r.fill(x.Op)
	}
	query := url.Values{}
	for key, value := range x.Query {
		all, repeated := value.([]any)
		if !repeated {
			all = []any{value}
		}
		for _, one := range all {
			query.Add(key, r.fill(fmt.Sprint(one)))
		}
	}
	address.RawQuery = query.Encode()
	body, contentType := r.payload(t, x)
	req, err := http.NewRequestWithContext(t.Context(), x.Method, r.server.URL()+address.String(), body)
	require.NoError(t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if x.Actor != nil {
		req.Header.Set("X-User-Id", r.ours[*x.Actor+".id"])
		req.Header.Set("X-Auth-Token", r.ours[*x.Actor+".token"])
	}
	for name, value := range x.Headers {
		if req.Header.Set(name, r.fill(value)); value == "<none>" {
			req.Header.Del(name)
		}
	}
	return roundTrip(t, r.server, req)
}

func (r *replayed) payload(t *testing.T, x exchange) (io.Reader, string) {
	t.Helper()
	switch {
	case x.Raw != nil:
		return strings.NewReader(r.fill(*x.Raw)), "application/json"
	case x.Form != nil:
		return r.multipart(t, x.Form)
	case x.Body != nil:
		b, err := json.Marshal(x.Body)
		require.NoError(t, err)
		return strings.NewReader(r.fill(string(b))), "application/json"
	}
	return nil, ""
}

func (r *replayed) multipart(t *testing.T, f *form) (io.Reader, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range f.Fields {
		require.NoError(t, w.WriteField(name, r.fill(value)))
	}
	if f.File != nil {
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename=%q`, f.File[0], f.File[1])},
			"Content-Type":        {f.File[2]},
		})
		require.NoError(t, err)
		data, err := base64.StdEncoding.DecodeString(f.File[3])
		require.NoError(t, err)
		_, err = part.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return &b, w.FormDataContentType()
}

// fill replaces the placeholders in a recorded request with our values.
func (r *replayed) fill(s string) string {
	return placeholder.ReplaceAllStringFunc(s, func(m string) string { return r.value(m[2:len(m)-1], m) })
}

// value is what ${name} stands for: a moment from now, the digits of an authenticator or of a mail, or a value bound before.
func (r *replayed) value(name, otherwise string) string {
	if seconds, ok := strings.CutPrefix(name, "now"); ok {
		offset, err := time.ParseDuration(cmp.Or(seconds, "0") + "s")
		if err == nil {
			return r.now().UTC().Add(offset).Format("2006-01-02T15:04:05.000Z")
		}
	}
	switch kind, of, _ := strings.Cut(name, ":"); kind {
	case "totp":
		return cmp.Or(rocketchattest.TOTPCode(r.ours[of], r.now()), "000000")
	case "mail":
		for _, mail := range slices.Backward(r.server.Mails()) {
			if mail.To == of && sixDigits.MatchString(mail.Code) {
				return mail.Code
			}
		}
		return "000000"
	}
	if value, ok := r.ours[name]; ok {
		return value
	}
	return otherwise
}

var sixDigits = regexp.MustCompile(`^\d{6}$`)

// roundTrip sends a request and decodes the answer; an answer that is not JSON is returned in the form of the recordings.
func roundTrip(t *testing.T, server http.RoundTripper, req *http.Request) (reply, any) {
	t.Helper()
	res, err := server.RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var answer any
	if json.Unmarshal(b, &answer) == nil {
		return reply{res.StatusCode, res.Header}, answer
	}
	for kind, magic := range map[string]string{"png": "\x89PNG", "jpeg": "\xff\xd8\xff", "gif": "GIF8", "webp": "RIFF"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return reply{res.StatusCode, res.Header}, map[string]any{"__image": kind}
		}
	}
	return reply{res.StatusCode, res.Header}, map[string]any{"__text": string(b)}
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

// dig is the value at a path of keys, which may lead into a text that holds JSON.
func dig(value any, path string) any {
	for part := range strings.SplitSeq(path, ".") {
		if s, ok := value.(string); ok {
			value = nil
			_ = json.Unmarshal([]byte(s), &value)
		}
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
		"_updatedAt", "sidebarSectionsOrder", "exportPath", "assetsPath", "bcrypt", "loginTokens", "lastLogin", "services", "permissions",
	}
	replacements = []struct {
		keys    []string // none means every key
		pattern *regexp.Regexp
		text    string
	}{
		{nil, regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`), "<date>"},
		{nil, regexp.MustCompile(`https?://[^/"]+`), "<base>"},
		{nil, regexp.MustCompile(`\b\d+ seconds`), "<n> seconds"},
		{nil, regexp.MustCompile(`^[0-9a-f]{24}$`), "<id>"},
		{[]string{"_id", "userId", "rid"}, regexp.MustCompile(`^(?:[0-9A-Za-z]{17}|[0-9a-f]{24})$`), "<id>"},
		{[]string{"authToken", "token"}, regexp.MustCompile(`^[\w-]{43}$`), "<token>"},
		{[]string{"message"}, regexp.MustCompile(`secret=[A-Z2-7]+`), "secret="}, // of method.call, which answers with a text
		{[]string{"message"}, regexp.MustCompile(`"codes":\[[^]]*\]`), `"codes":[]`},
		{[]string{"lastTokenPart", "avatarETag"}, regexp.MustCompile(`^.*$`), "<opaque>"},
	}
)

var databaseID = regexp.MustCompile(`^[0-9a-f]{24}$`)

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
				o[databaseID.ReplaceAllString(k, "<id>")] = normal(inner, names, k)
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
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	return strings.TrimSpace(b.String())
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
