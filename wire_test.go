package rocketchat

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wireRow is one call of an endpoint. Its request and answer are in
// testdata/<op>/<name>.wire.json; call makes the call, and check checks the decoded result.
type wireRow struct {
	op, name string
	call     func(ctx context.Context, c *Client) (any, error)
	check    func(t *testing.T, got any)
}

// wireRows collects the rows of all services.
func wireRows() []wireRow {
	return slices.Concat(
		sessionsWire(), meRows(), usersWire(), searchWire(), teamsWire(),
		preferencesWire(), tokensWire(), rolesWire(), statusWire(), avatarsWire(), twoFactorWire(), serverWire(),
	)
}

// wireExchange is one request and the answer to it.
type wireExchange struct {
	Request wireRequest `json:"request"`
	// Answer names a file beside the .wire.json, without its ending, or in the folder
	// of another op: "users.info/ok".
	Answer string `json:"answer"`
}

type wireRequest struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Query   map[string]any    `json:"query,omitempty"` // texts, or lists of texts for repeated keys
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
	Form    *wireForm         `json:"form,omitempty"`
}

// wireForm is a multipart body; the file's data is base64.
type wireForm struct {
	Fields map[string]string `json:"fields"`
	File   wireFile          `json:"file"`
}

type wireFile struct {
	Name     string `json:"name"`
	Filename string `json:"filename"`
	Type     string `json:"type"`
	Data     string `json:"data"`
}

// wireAnswer is an answer of a server.
type wireAnswer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"` // none for an empty body
}

func TestWire(t *testing.T) {
	t.Parallel()
	for _, row := range wireRows() {
		t.Run(row.op+"/"+row.name, func(t *testing.T) {
			t.Parallel()
			var exchanges []wireExchange
			readTestdata(t, filepath.Join(row.op, row.name+".wire.json"), &exchanges)
			require.NotEmpty(t, exchanges)
			served := 0
			mock := httpmock.NewMockTransport()
			mock.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
				require.Less(t, served, len(exchanges), "one request too many: %s %s", r.Method, r.URL)
				x := exchanges[served]
				served++
				x.Request.assertSame(t, r)
				return readAnswer(t, row.op, x.Answer).response(), nil
			})
			client, err := New("https://chat.example.org/sub", WithTransport(mock),
				WithToken("wire-user", "wire-token"), WithRetry(RetryPolicy{MaxAttempts: 1}))
			require.NoError(t, err)
			got, err := row.call(t.Context(), client)
			require.NoError(t, err)
			assert.Equal(t, len(exchanges), served, "requests sent")
			if row.check != nil {
				row.check(t, got)
			}
		})
	}
}

// assertSame checks method, path, query, headers and body of a request that was sent.
func (want wireRequest) assertSame(t *testing.T, r *http.Request) {
	t.Helper()
	assert.Equal(t, want.Method+" /sub"+want.Path, r.Method+" "+r.URL.Path)
	query := make(map[string]any)
	for key, values := range r.URL.Query() {
		if query[key] = any(values[0]); len(values) > 1 {
			list := make([]any, len(values))
			for i, v := range values {
				list[i] = v
			}
			query[key] = list
		}
	}
	if want.Query == nil {
		want.Query = map[string]any{}
	}
	assert.Equal(t, want.Query, query, "query")

	headers := map[string]string{
		"Accept": "application/json", "User-Agent": "rocketchat-go/" + Version,
		"X-User-Id": "wire-user", "X-Auth-Token": "wire-token",
	}
	if want.Body != nil {
		headers["Content-Type"] = "application/json"
	}
	for key, value := range want.Headers { // "" means that it must not be sent
		if headers[key] = value; value == "" {
			delete(headers, key)
		}
	}
	sent := make(map[string]string)
	for key := range r.Header {
		sent[key] = r.Header.Get(key)
	}
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		require.NoError(t, err)
	}
	switch {
	case want.Form != nil:
		want.Form.assertSame(t, r.Header.Get("Content-Type"), body)
		delete(sent, "Content-Type")
	case want.Body != nil:
		assert.JSONEq(t, string(want.Body), string(body), "body")
	default:
		assert.Empty(t, string(body), "body")
	}
	assert.Equal(t, headers, sent, "headers")
}

func (want wireForm) assertSame(t *testing.T, contentType string, body []byte) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(contentType)
	require.NoError(t, err)
	require.Equal(t, "multipart/form-data", kind)
	form := multipart.NewReader(strings.NewReader(string(body)), params["boundary"])
	got := wireForm{Fields: map[string]string{}}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		data, err := io.ReadAll(part)
		require.NoError(t, err)
		if part.FileName() == "" {
			require.Empty(t, got.File.Name, "fields come before the file")
			got.Fields[part.FormName()] = string(data)
			continue
		}
		got.File = wireFile{
			Name: part.FormName(), Filename: part.FileName(),
			Type: part.Header.Get("Content-Type"), Data: base64.StdEncoding.EncodeToString(data),
		}
	}
	assert.Equal(t, want, got)
}

func readTestdata(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, into), name)
}

func readAnswer(t *testing.T, op, name string) wireAnswer {
	t.Helper()
	if !strings.Contains(name, "/") {
		name = path.Join(op, name)
	}
	var answer wireAnswer
	readTestdata(t, filepath.FromSlash(name)+".json", &answer)
	return answer
}

func (a wireAnswer) response() *http.Response {
	body := string(a.Body)
	var plain struct {
		Text *string `json:"__text"` // a body that is not JSON
	}
	if body == "null" {
		body = ""
	} else if json.Unmarshal(a.Body, &plain) == nil && plain.Text != nil {
		body = *plain.Text
	}
	res := httpmock.NewStringResponse(a.Status, body)
	res.Header = http.Header{"Content-Type": {"application/json"}}
	for key, value := range a.Headers {
		res.Header.Set(key, value)
	}
	return res
}
