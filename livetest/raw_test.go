package livetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fields is a JSON object.
type fields map[string]any

// at is the value at a path, such as "user.emails.0.address". It is nil if there is none.
func (f fields) at(path string) any {
	var v any = map[string]any(f)
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (f fields) text(path string) string {
	s, _ := f.at(path).(string)
	return s
}

// column returns the values at a path in the objects of a list, in order.
func (f fields) column(list, path string) []string {
	items, _ := f.at(list).([]any)
	out := make([]string, 0, len(items))
	for _, item := range items {
		object, _ := item.(map[string]any)
		out = append(out, fields(object).text(path))
	}
	return out
}

// raw calls the server with net/http alone, so that the library is not tested by itself.
type raw struct {
	base, userID, token string
	password            string // the second factor of the account, if it is asked for
}

// get reads something that must exist. The parameters are alternating names and values.
func (r raw) get(t *testing.T, path string, query ...string) fields {
	t.Helper()
	status, answer := r.ask(t, path, query...)
	require.Equal(t, http.StatusOK, status, "GET %s: %v", path, answer)
	return answer
}

// ask reads something that may not exist.
func (r raw) ask(t *testing.T, path string, query ...string) (int, fields) {
	t.Helper()
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	if len(values) > 0 {
		path += "?" + values.Encode()
	}
	return r.call(t, http.MethodGet, path, nil)
}

// post prepares something. It must succeed.
func (r raw) post(t *testing.T, path string, body fields) fields {
	t.Helper()
	status, answer := r.call(t, http.MethodPost, path, body)
	require.Equal(t, http.StatusOK, status, "POST %s: %v", path, answer)
	return answer
}

func (r raw) call(t *testing.T, method, path string, body fields) (int, fields) {
	t.Helper()
	content, err := json.Marshal(body)
	require.NoError(t, err)
	if body == nil {
		content = nil
	}
	res, data := r.send(t, method, "/api/v1/"+path, content)
	var answer fields
	if len(data) > 0 {
		require.NoError(t, json.Unmarshal(data, &answer), "%s %s: %s", method, path, data)
	}
	return res.StatusCode, answer
}

// send sends a request, and again while the server refuses it for its rate limit.
func (r raw) send(t *testing.T, method, path string, content []byte) (*http.Response, []byte) {
	t.Helper()
	for {
		// Clean-up also makes calls, after the context of the test has ended.
		req, err := http.NewRequest(method, r.base+path, bytes.NewReader(content))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if r.token != "" {
			req.Header.Set("X-User-Id", r.userID)
			req.Header.Set("X-Auth-Token", r.token)
		}
		if r.password != "" {
			digest := sha256.Sum256([]byte(r.password))
			req.Header.Set("X-2fa-Method", "password")
			req.Header.Set("X-2fa-Code", hex.EncodeToString(digest[:]))
		}
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		data, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		if res.StatusCode != http.StatusTooManyRequests {
			return res, data
		}
		require.NoError(t, t.Context().Err(), "%s %s: refused for the rate limit", method, path)
		time.Sleep(refusedFor(res))
	}
}

// refusedFor is how long the server says that it will refuse calls.
func refusedFor(res *http.Response) time.Duration {
	reset, err := strconv.ParseInt(res.Header.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil {
		return 10 * time.Second
	}
	return max(time.Until(time.UnixMilli(reset)), time.Second)
}

// works reports whether the token is valid.
func (r raw) works(t *testing.T) bool {
	t.Helper()
	status, _ := r.ask(t, "me")
	return status == http.StatusOK
}

// method calls a method of the websocket interface over REST and returns its result.
func (r raw) method(t *testing.T, name string, params ...any) fields {
	t.Helper()
	if params == nil {
		params = []any{}
	}
	message, err := json.Marshal(fields{"msg": "method", "id": "1", "method": name, "params": params})
	require.NoError(t, err)
	answer := r.post(t, "method.call/"+name, fields{"message": string(message)})
	var inner struct {
		Result fields `json:"result"`
	}
	require.NoError(t, json.Unmarshal([]byte(answer.text("message")), &inner))
	return inner.Result
}
