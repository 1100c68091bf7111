package rocketchat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// isClean checks that a text may leave the library: it must be one line of printable
// characters and bounded length, without addresses and secrets.
func isClean(t *testing.T, text string, secrets ...string) {
	t.Helper()
	assert.False(t, strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }), "%q", text)
	assert.Less(t, len(text), 2000)
	assert.NotContains(t, text, "://")
	for _, secret := range secrets {
		assert.NotContains(t, text, secret)
	}
}

// TestEchoes: a server that repeats what it was sent, anywhere in its answer, does not
// make an error show a password, a token or a code.
func TestEchoes(t *testing.T) {
	t.Parallel()
	const password, token, code = "correct horse battery", "tok-abcdefgh", "123456"
	long := strings.Repeat("x", 1<<20)
	for name, body := range map[string]func(string) string{
		"text":    func(s string) string { return `{"success":false,"error":` + s + `}` },
		"code":    func(s string) string { return `{"success":false,"error":"no","errorType":` + s + `}` },
		"message": func(s string) string { return `{"status":"error","message":` + s + `}` },
		"policy": func(s string) string {
			return `{"success":false,"error":"weak","errorType":"error-password-policy-not-met","details":[{"error":"x","message":` + s + `}]}`
		},
		"brackets": func(s string) string {
			return `{"success":false,"error":` + strings.TrimSuffix(s, `"`) + ` [error-x]"}`
		},
		"details": func(s string) string { return `{"success":false,"error":"no","details":{"password":` + s + `}}` },
		"address": func(s string) string {
			return `{"success":false,"error":"see https://user:` + strings.Trim(s, `"`) + `@host/x?y"}`
		},
		"long code": func(s string) string {
			return `{"success":false,"error":"no","errorType":"` + long + strings.Trim(s, `"`) + `"}`
		},
		"escape code": func(s string) string {
			return `{"success":false,"error":"no","errorType":"\u001b[31m\n` + strings.Trim(s, `"`) + `\u0000"}`
		},
		"long text": func(s string) string { return `{"success":false,"error":"` + long + strings.Trim(s, `"`) + `"}` },
		"lines": func(s string) string {
			return `{"success":false,"error":"a\r\nb\u2028c\u202e` + strings.Trim(s, `"`) + `"}`
		},
	} {
		for _, secret := range []string{password, token, code} {
			quoted, _ := json.Marshal(secret)
			var log strings.Builder
			c, err := New("https://chat.example.org", WithToken("uid", token), WithTransport(serve(func(int, *http.Request) (*http.Response, error) {
				return replyJSON(400, body(string(quoted))), nil
			})), WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
			require.NoError(t, err)
			_, err = c.Users.Create(t.Context(), UserCreateOptions{Username: "ann", Email: "a@example.org", Password: NewSecret(password)},
				WithTwoFactorCode(TwoFactorTOTP, code))
			e, ok := errors.AsType[*Error](err)
			require.True(t, ok, name)
			isClean(t, err.Error(), secret)
			isClean(t, string(e.Code), secret)
			isClean(t, e.LogValue().String(), secret)
			assert.NotContains(t, fmt.Sprintf("%+v", *e), secret, name)
			assert.NotContains(t, string(e.Details), secret, name)
			assert.NotContains(t, log.String(), secret, name)
		}
	}
}

// TestLongDetails are left out: an error does not keep a server's megabyte.
func TestLongDetails(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) {
		return replyJSON(400, `{"success":false,"errorType":"error-invalid-user","details":{"x":"`+strings.Repeat("x", 1<<20)+`"}}`), nil
	}))
	_, err := c.Users.Get(t.Context(), ByID("a"))
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok)
	assert.Equal(t, ErrNotFound, e.Class)
	assert.Empty(t, e.Details)
}

// TestShortSecrets: a password of few letters does not tear words apart.
func TestShortSecrets(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "the password [redacted] is a bad one", sanitized("the password a1 is a bad one", maxText, []string{"a1"}))
	assert.Equal(t, "a [redacted]-day", sanitized("a b-day", maxText, []string{"b"}))
	assert.Equal(t, "banana", sanitized("banana", maxText, []string{"an"}))
}

// TestTransportErrors are described by what they are, since their texts hold addresses
// and pieces of what was received. They stay in the chain.
func TestTransportErrors(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 443}, Err: syscall.ECONNREFUSED}
	for want, err := range map[string]error{
		"connection refused":          refused,
		"the host was not found":      &net.DNSError{Err: "no such host", Name: "secret.example.org", Server: "10.0.0.1", IsNotFound: true},
		"the connection was closed":   fmt.Errorf("read tcp 10.1.2.3:443: %w", io.ErrUnexpectedEOF),
		"the transport failed":        errors.New("malformed MIME header: missing colon: \"X-Auth-Token the-token\\n\""),
		"(*errors.errorString)":       errors.New("net/http: HTTP/1.x transport connection broken"),
		"the connection timed out":    &net.OpError{Op: "read", Net: "tcp", Err: timeoutError{}},
		"context canceled":            fmt.Errorf("Get \"https://chat.example.org/x?token=the-token\": %w", context.Canceled),
		"the HTTP/2 stream was reset": streamError{StreamID: 5, Code: 1, Cause: errors.New("received from peer the-token")},
	} {
		c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) { return nil, err }), WithRetry(RetryPolicy{MaxAttempts: 1}))
		_, got := c.Users.Get(t.Context(), ByUsername("the-name"))
		require.ErrorContains(t, got, want)
		require.ErrorIs(t, got, err, "in the chain")
		isClean(t, got.Error(), "the-token", "the-name", "10.1.2.3", "example.org")
	}
}

type timeoutError struct{}

func (timeoutError) Error() string { return "i/o timeout to 10.1.2.3" }
func (timeoutError) Timeout() bool { return true }

// TestTextsOfTheCaller: errors of the caller's own functions are shown, on one line.
func TestTextsOfTheCaller(t *testing.T) {
	t.Parallel()
	broken := errors.New("the vault\nis \x1b[31mclosed: https://vault.example.org/x")
	_, c := secured(t, rocketchattest.User{}, WithTwoFactor(func(context.Context, TwoFactorChallenge) (Secret, error) { return Secret{}, broken }))
	err := generate(t.Context(), c)
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "the vault is")
	isClean(t, err.Error())

	c, err = New("https://chat.example.org", WithCredentials(failingProvider{broken}))
	require.NoError(t, err)
	_, err = c.Me.Get(t.Context())
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "the vault is")
	isClean(t, err.Error())

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the\nend"))
	_, err = newTestClient(t, serve(nil)).Me.Get(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "the end")
	isClean(t, err.Error())
}

type failingProvider struct{ err error }

func (p failingProvider) Credentials(context.Context, Credentials) (Credentials, error) {
	return Credentials{}, p.err
}

// TestTracesAreClean: what traces see of a failure is fit for a log, too.
func TestTracesAreClean(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seen := 0
		c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: "https://chat.example.org/?token=the-token", Err: errors.New("line\nthe-token")}
		}), WithTrace(Trace{
			AttemptDone: func(_ context.Context, a Attempt) { isClean(t, a.Err.Error(), "the-token"); seen++ },
			CallDone:    func(_ context.Context, r CallResult) { isClean(t, r.Err.Error(), "the-token"); seen++ },
		}))
		_, err := c.Users.Get(t.Context(), ByID("a"))
		require.Error(t, err)
		assert.Equal(t, 5, seen)
	})
}

// everyText is what a program can print of an error: the texts of all errors in it, and
// of what it says besides.
func everyText(err error) (texts []string) {
	for queue := []error{err}; len(queue) > 0; queue = queue[1:] {
		texts = append(texts, queue[0].Error())
		switch inner := queue[0].(type) { //nolint:errorlint // every layer is looked at
		case interface{ Unwrap() error }:
			if inner := inner.Unwrap(); inner != nil {
				queue = append(queue, inner)
			}
		case interface{ Unwrap() []error }:
			queue = append(queue, inner.Unwrap()...)
		}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		texts = append(texts, string(e.Details))
	}
	if e, ok := errors.AsType[*TwoFactorError](err); ok {
		texts = append(texts, e.Error(), fmt.Sprintf("%+v", e.Challenge))
	}
	if e, ok := errors.AsType[*LastOwnerError](err); ok {
		texts = append(texts, fmt.Sprintf("%+v", *e))
	}
	if e, ok := errors.AsType[*PasswordPolicyError](err); ok {
		texts = append(texts, e.Error(), fmt.Sprintf("%+v", e.Violations))
	}
	return texts
}

// TestEchoesInAnySpelling: a secret is found in whatever way a server quotes what it was
// sent, and wherever an error shows it.
func TestEchoesInAnySpelling(t *testing.T) {
	t.Parallel()
	const password = `pässwörd "x" <&>/+\`
	quote := func(s string) string { out, _ := json.Marshal(s); return string(out) }
	ascii := func(s string) string { return strings.ReplaceAll(strconv.QuoteToASCII(s), "/", `\/`) }
	for spelling, echo := range map[string]string{
		"plain":        quote(password),
		"ASCII":        ascii(password),
		"JSON":         quote(`{"password":` + quote(password) + `}`),
		"JSON in JSON": quote(quote(quote(password))),
		"ASCII JSON":   quote(ascii(password)),
		"query":        quote("?password=" + url.QueryEscape(password)),
		"lower query":  quote("?password=" + strings.ToLower(url.QueryEscape(password))),
		"path":         quote("/" + url.PathEscape(password)),
		"HTML":         quote(html.EscapeString(password)),
		"at the end":   quote(strings.Repeat(" ", 64*maxText-len(password)+3) + password),
		"further on":   quote(strings.Repeat(" ", 64*maxText-len(ascii(password))/2) + ascii(password)),
	} {
		for place, body := range map[string]string{
			"text":    `{"success":false,"error":%s}`,
			"code":    `{"success":false,"error":"no","errorType":%s}`,
			"details": `{"success":false,"error":"no","details":{%[1]s:[%[1]s]}}`,
			"policy":  `{"success":false,"error":"weak","errorType":"error-password-policy-not-met","details":[{"error":%[1]s,"message":%[1]s}]}`,
			"factor":  `{"success":false,"error":"totp-required","errorType":"totp-required","details":{"method":%[1]s,"emailOrUsername":%[1]s,"availableMethods":[%[1]s]}}`,
			"owner":   `{"success":false,"error":"owner","errorType":"user-last-owner","details":{"shouldBeRemoved":[%[1]s],"shouldChangeOwner":[%[1]s]}}`,
		} {
			c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) { return replyJSON(400, fmt.Sprintf(body, echo)), nil }))
			_, err := c.Users.Create(t.Context(), UserCreateOptions{Username: "ann", Email: "a@example.org", Password: NewSecret(password)})
			require.Error(t, err)
			for _, text := range everyText(err) {
				assert.NotContains(t, text, "wörd", "%s, %s", place, spelling)
				assert.NotContains(t, unquoted(unquoted(text)), "wörd", "%s, %s", place, spelling)
			}
		}
	}
}

// TestUnwrappedErrors: what prints an error layer by layer, as collectors of errors do,
// shows no more than the error itself.
func TestUnwrappedErrors(t *testing.T) {
	t.Parallel()
	raw := &net.OpError{Op: "read", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3)}, Err: errors.New("bad header\nX-Auth-Token the-token")}
	c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) { return nil, raw }), WithRetry(RetryPolicy{MaxAttempts: 1}))
	_, err := c.Me.Get(t.Context())
	for _, text := range everyText(err) {
		isClean(t, text, "the-token", "10.1.2.3")
	}
	op, ok := errors.AsType[*net.OpError](err)
	require.True(t, ok)
	assert.Same(t, raw, op)
}
