package rocketchattest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// fields are the keys of an answer or of its details.
type fields map[string]any

// details are the details of a failure besides its text and code: an object, or an array
// for the password policy.
type details any

// raw is an answer outside the JSON envelope: a redirect, an image, an empty body.
type raw struct {
	status int
	header http.Header
	body   []byte
}

// failure is a refused call in the form in which the server sends it.
type failure struct {
	status int
	body   any
}

func (f *failure) Error() string { return fmt.Sprintf("rocketchattest: answer %d", f.status) }

// failed is the body of nearly every failure.
type failed struct {
	Success   bool    `json:"success"`
	Error     string  `json:"error,omitempty"`
	ErrorType string  `json:"errorType,omitempty"`
	Details   details `json:"details,omitempty"`
	Stack     string  `json:"stack,omitempty"`
}

// coded is a failure thrown with a code. The two codes that mean "no permission" turn into a 403 without type and details.
func coded(code, reason string, d details) error {
	text := "[" + code + "]"
	if reason != "" {
		text = reason + " " + text
	}
	if code == "unauthorized" || code == "error-unauthorized" {
		return &failure{http.StatusForbidden, failed{Error: text}}
	}
	return &failure{http.StatusBadRequest, failed{Error: text, ErrorType: code, Details: d}}
}

// plain is a failure with nothing but a text; an empty text leaves success:false alone.
func plain(text string) error {
	return &failure{http.StatusBadRequest, failed{Error: text}}
}

// noMatch is the text of the framework's check for a value of another kind.
func noMatch(want, got, field string) error {
	text := "Match error: Expected " + want + ", got " + got
	if field != "" {
		text += " in field " + field
	}
	return plain(text)
}

// escaped is a value in a text, escaped for HTML as servers do it.
func escaped(value string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(value)
}

// typed is a failure whose text does not repeat the code.
func typed(text, code string, d details) error {
	return &failure{http.StatusBadRequest, failed{Error: text, ErrorType: code, Details: d}}
}

// forbidden is the refusal inside an action.
func (c *call) forbidden() error {
	text := "unauthorized"
	if c.does(forbidden) {
		text = "forbidden"
	}
	return &failure{http.StatusForbidden, failed{Error: text}}
}

func missingPermission() error {
	return &failure{http.StatusForbidden, failed{Error: "User does not have the permissions required for this action [error-unauthorized]"}}
}

func (c *call) unauthenticated() error {
	const text = "You must be logged in to do this."
	body := fields{"status": "error", "message": text}
	if c.does(newRouter) {
		body["success"], body["error"] = false, text
	}
	return &failure{http.StatusUnauthorized, body}
}

func tooManyRequests(wait time.Duration, what string) error {
	seconds := (wait + time.Second - 1) / time.Second
	return &failure{http.StatusTooManyRequests, failed{Error: fmt.Sprintf(
		"Error, too many requests. Please slow down. You must wait %d seconds before trying %s. [error-too-many-requests]", seconds, what)}}
}

func text(status int, body string) raw {
	return raw{status, http.Header{"Content-Type": {"text/plain; charset=UTF-8"}}, []byte(body)}
}

// succeed puts a result in the envelope: its own keys plus success:true.
func succeed(result any) ([]byte, error) {
	if result == nil {
		return []byte(`{"success":true}`), nil
	}
	b, err := json.Marshal(result)
	if err != nil {
		return nil, err
	}
	if len(b) < 2 || b[0] != '{' {
		return b, nil
	}
	b = b[:len(b)-1]
	if len(b) > 1 {
		b = append(b, ',')
	}
	return append(b, `"success":true}`...), nil
}

// stamp is a time on the wire: ISO 8601 in UTC with milliseconds.
type stamp struct{ time.Time }

const stampFormat = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes the moment as JavaScript does.
func (s stamp) MarshalJSON() ([]byte, error) {
	return s.UTC().AppendFormat(nil, `"`+stampFormat+`"`), nil
}

// parseDate reads what the JavaScript date parser accepts, as far as programs send it.
func parseDate(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateTime, time.DateOnly, time.RFC1123, time.RFC1123Z} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
