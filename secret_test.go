package rocketchat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const theSecret = "hunter2-is-secret"

func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	s := NewSecret(theSecret)
	inside := struct {
		Token  Secret
		Tokens []Secret
		ByName map[string]Secret
		Maybe  *Secret
	}{s, []Secret{s}, map[string]Secret{"a": s}, &s}
	hidden := struct{ token Secret }{s} // fmt calls no methods of unexported fields
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%U", "%10.3s", "%T", "%p", "%z", "%", "nothing"} {
		for _, value := range []any{s, inside, &inside, hidden, &hidden, []any{s}, fmt.Errorf("with %v", s)} {
			out := fmt.Sprintf(verb, value)
			assert.NotContains(t, out, theSecret, verb)
			assert.NotContains(t, out, fmt.Sprintf("%x", theSecret), verb)
			assert.NotContains(t, out, "hun", verb)
		}
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("m", slog.Any("s", s), slog.Any("inside", inside), slog.Any("map", map[string]any{"k": s}))
		assert.NotContains(t, b.String(), theSecret, name)
		assert.Contains(t, b.String(), redacted, name)
	}
	for name, encode := range map[string]func(any) ([]byte, error){
		"encoding/json": json.Marshal,
		"json v2":       func(v any) ([]byte, error) { return jsonv2.Marshal(v) },
	} {
		out, err := encode(inside)
		require.NoError(t, err, name)
		assert.NotContains(t, string(out), theSecret, name)
		var back struct{ Token Secret }
		require.NoError(t, json.Unmarshal([]byte(`{"Token":"x"}`), &back))
		assert.Equal(t, "x", back.Token.Reveal(), name)
	}
}

func TestClientIsPrintedWithoutSecrets(t *testing.T) {
	t.Parallel()
	c, err := New("https://chat.example.org", WithLogin("ann", theSecret))
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(verb, c), theSecret)
		assert.NotContains(t, fmt.Sprintf(verb, Credentials{UserID: "u", Token: NewSecret(theSecret)}), theSecret)
	}
	assert.Equal(t, "rocketchat.Client(chat.example.org)", c.String())
}

// TestSecretsReachNoOtherHost follows a client through a server that redirects, fails and
// echoes what it was sent: no secret reaches another host, a log or an error.
func TestSecretsReachNoOtherHost(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect was followed")
	}))
	defer elsewhere.Close()
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.URL.Query().Get("token"))
		switch r.URL.Query().Get("userId") {
		case "redirect":
			http.Redirect(w, r, elsewhere.URL+"/?t="+r.Header.Get("X-Auth-Token"), http.StatusTemporaryRedirect)
		case "echo":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"success":false,"error":"bad token %s for %s"}`, r.Header.Get("X-Auth-Token"), r.Host)
		case "html":
			w.WriteHeader(http.StatusBadGateway)
			_, _ = fmt.Fprintf(w, `<pre>%v</pre>`, r.Header)
		}
	}))
	defer home.Close()

	var log bytes.Buffer
	c, err := New(home.URL, WithToken("ann", theSecret), WithRetry(RetryPolicy{MaxAttempts: 1}),
		WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	for user, class := range map[string]Class{"redirect": ErrRedirected, "echo": "", "html": ErrServer} {
		_, err := c.Users.Get(t.Context(), ByID(user))
		require.Error(t, err)
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok)
		assert.Equal(t, class, e.Class, user)
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			assert.NotContains(t, text, theSecret, user)
		}
		slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", slog.Any("err", err))
	}
	assert.NotContains(t, log.String(), theSecret)
	assert.NotContains(t, log.String(), "userId")
	assert.Contains(t, log.String(), `"op":"users.info"`)
}
