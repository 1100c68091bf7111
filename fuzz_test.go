package rocketchat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

// FuzzNewError: whatever the body, there is an error of one line that names the
// operation and the status.
func FuzzNewError(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.json")
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		var answer wireAnswer
		if json.Unmarshal(data, &answer) == nil && answer.Status >= 400 {
			f.Add(answer.Status, "application/json", []byte(answer.Body))
		}
	}
	f.Add(502, "text/html", []byte("<html>"))
	f.Add(400, "", []byte(`{"error":{"a":1},"errorType":[],"details":"x"}`))
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		c := answered("users.info", status, contentType, string(body))
		e := c.sanitize(newError(c))
		text := e.Error()
		if strings.ContainsAny(text, "\n\r") || !strings.HasPrefix(text, "rocketchat: users.info") {
			t.Fatalf("%q", text)
		}
		if e.StatusCode != status {
			t.Fatal("the status is lost")
		}
	})
}

// FuzzDecode: no answer panics, and one that decodes has a value.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"success":true,"user":{"_id":"a"}}`))
	f.Add([]byte(`{"user":null,"user":{},"success":false}`))
	f.Add([]byte("{\"user\":{\"name\":\"\xff\"}}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := answered("users.info", 200, "application/json", string(body))
		c.member = "user"
		if _, err := decode[*User](c); err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Fatalf("%q", err)
		}
	})
}

// FuzzLimitHeaders: whatever the headers of an answer are, nobody waits beyond reason.
func FuzzLimitHeaders(f *testing.F) {
	f.Add("1767225643000", "Mon, 23 Nov 2026 12:14:36 GMT", "10", "10", "9")
	f.Add("-1", "", "", "10.0", "10, 10;w=60")
	f.Add("9223372036854775807", "x", "99999999999999999999", "-1", "")
	f.Add("1767225643", "", "Mon, 23 Nov 2026 12:14:36 GMT", "10", "11")
	f.Fuzz(func(t *testing.T, reset, date, after, limit, remaining string) {
		h := http.Header{
			"X-Ratelimit-Reset": {reset}, "Date": {date}, "Retry-After": {after},
			"X-Ratelimit-Limit": {limit}, "X-Ratelimit-Remaining": {remaining},
		}
		now := time.Now()
		limits := parseLimits(h, now)
		if limits.limit < 0 || limits.remaining < 0 || limits.remaining > limits.limit || limits.window < 0 {
			t.Fatal(limits)
		}
		var clock serverClock
		for _, words := range []waitWords{{}, {found: true, wait: time.Minute}} {
			clock.observe(h, limits, words, now, now)
			if wait, _ := clock.until(limits, now); wait < 0 || wait > maxWindow {
				t.Fatal(wait)
			}
		}
		if wait := retryAfter(h, now); wait < 0 || wait > maxWindow {
			t.Fatal(wait)
		}
	})
}

// FuzzWaitText: the wait in a text is within reason.
func FuzzWaitText(f *testing.F) {
	f.Add([]byte("You must wait 43 seconds before trying this endpoint again."))
	f.Add([]byte("You must wait -1 seconds before trying again."))
	f.Fuzz(func(t *testing.T, text []byte) {
		if words := parseWait(text); words.wait < 0 || words.wait > maxWindow {
			t.Fatal(words.wait)
		}
	})
}

// FuzzBaseURL: an address is refused, or read the same way again.
func FuzzBaseURL(f *testing.F) {
	for _, seed := range []string{"https://chat.example.org", "https://chat.example.org/sub/api/v1/users/", "http://[::1]:3000", "https://a/api/api/v1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		base, err := parseBaseURL(raw, true)
		if err != nil {
			return
		}
		again, err := parseBaseURL(base.String(), true)
		if err != nil {
			t.Fatal(base, err)
		}
		if base.Host == "" || again.Host != base.Host || base.User != nil || base.RawQuery != "" {
			t.Fatal(base)
		}
	})
}

// FuzzErrorText: an error is one line of bounded length, without the secrets of the call.
func FuzzErrorText(f *testing.F) {
	f.Add(400, `{"success":false,"error":"your password hunter2-hunter2 is weak\nreally","errorType":"\u001b[31mhunter2-hunter2"}`, "hunter2-hunter2")
	f.Add(500, `{"error":"https://user:hunter2@host/?token=hunter2"}`, "hunter2")
	f.Fuzz(func(t *testing.T, status int, body, secret string) {
		if len(secret) < 6 || strings.Contains("rocketchat: users.create [redacted] [address]", secret) {
			return
		}
		c := answered("users.create", status%1000, "application/json", body)
		c.body = loginBody{Password: NewSecret(secret)}
		e := c.sanitize(newError(c))
		text := e.Error() + string(e.Code) + e.LogValue().String()
		if strings.ContainsFunc(text, unicode.IsControl) || len(text) > 4000 {
			t.Fatalf("%q", text)
		}
		if strings.Contains(e.Message+string(e.Code), secret) {
			t.Fatalf("%q shows the secret", text)
		}
	})
}

// FuzzTime: the fast way of reading a moment agrees with time.Parse.
func FuzzTime(f *testing.F) {
	f.Add(`"2026-11-23T12:14:36.715Z"`)
	f.Add(`"2026-02-29T24:00:60.000Z"`)
	f.Add(`{"$date":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		var got Time
		err := json.Unmarshal([]byte(text), &got)
		var plain string
		if json.Unmarshal([]byte(text), &plain) != nil || len(plain) != len(isoMillis) || text[1:len(text)-1] != plain {
			return
		}
		want, wantErr := time.Parse(isoMillis, plain)
		if (err == nil) != (wantErr == nil) || err == nil && !want.Equal(got.Time) {
			t.Fatalf("%s: %v %v, time.Parse: %v %v", text, got, err, want, wantErr)
		}
	})
}

// FuzzSecret: no verb shows any part of a secret.
func FuzzSecret(f *testing.F) {
	f.Add("hunter2-is-secret", "%v")
	f.Add("hunter2-is-secret", "%#v")
	f.Add("hunter2-is-secret", "%p")
	f.Fuzz(func(t *testing.T, secret, verb string) {
		// An address, which some verbs print, can look like a shorter text.
		if len(secret) < 16 || strings.Contains(redacted, secret) || strings.Contains(verb, secret) || strings.Contains(fmt.Sprintf(verb, redacted), secret) {
			return
		}
		out := fmt.Sprintf(verb, NewSecret(secret))
		if strings.Contains(out, secret) && !strings.Contains(fmt.Sprintf(verb, NewSecret("other text")), secret) {
			t.Fatalf("%q shows %q", verb, out)
		}
	})
}
