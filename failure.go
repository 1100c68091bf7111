package rocketchat

import (
	"cmp"
	stdjson "encoding/json"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// failure has the members of all forms in which servers report failures.
type failure struct {
	Error     jsontext.Value `json:"error"`     // a text, or a number in answers of login
	ErrorType jsontext.Value `json:"errorType"` // the code
	Message   jsontext.Value `json:"message"`   // in the envelopes of log-in and of old servers
	Reason    jsontext.Value `json:"reason"`    // in a serialised error object
	Details   jsontext.Value `json:"details"`
}

// codeAndText finds the code and the text in a failure.
func (f failure) codeAndText() (code, text string) {
	text, code = textOf(f.Error), textOf(f.ErrorType)
	message := textOf(f.Message)
	switch {
	case isName(text) && message != "" && message != text: // log-in, register: the code stands in "error"
		if code == "" || code == "Meteor.Error" {
			code = text
		}
		text = cmp.Or(textOf(f.Reason), message)
	case text == "":
		text = message
	case isName(text) && code != "" && !isName(code): // roles.addUserToRole has them the wrong way round
		text, code = code, text
	}
	text, suffix := cutSuffix(text)
	if code == "" {
		code = suffix
	}
	if code == "" && isName(text) && strings.Contains(text, "-") {
		code = text
	}
	return code, text
}

// newError reads the failure that an answer reports. If it cannot be read, the error says
// so.
func newError(c *call) *Error {
	e := &Error{
		Op: c.op, StatusCode: c.answer.status, Attempts: c.tally.attempts,
		OutcomeUnknown: c.tally.unknown, RetryAfter: c.pacing.refusedFor,
	}
	if c.answer.status == http.StatusServiceUnavailable {
		e.RetryAfter = retryAfter(c.answer.header, c.answer.at)
	}
	var f failure
	if c.answer.otherType() != "" || json.Unmarshal(c.answer.body, &f, decodeOptions) != nil {
		return e.withoutEnvelope(c)
	}
	code, text := f.codeAndText()
	e.Code, e.Message = Code(code), text
	e.Details = stdjson.RawMessage(f.Details.Clone())
	e.Class = classify(c, e)
	e.Err = c.typedDetails(e)
	return e
}

// withoutEnvelope completes the error for an answer that is not a JSON object: the
// server's plain 404, a proxy's page, nothing at all.
func (e *Error) withoutEnvelope(c *call) *Error {
	e.Class = classify(c, e)
	if e.Class == ErrEndpointUnknown {
		e.Err = c.typedDetails(e)
		return e
	}
	kind, _, _ := mime.ParseMediaType(c.answer.header.Get("Content-Type"))
	e.foreign = true
	e.Class = cmp.Or(e.Class, ErrBadAnswer)
	received := "not JSON"
	if kind != "" {
		received = kind + " instead of JSON"
	}
	e.Message = strings.TrimSpace(http.StatusText(c.answer.status) + " (" + received + ")")
	return e
}

// typedDetails is the cause with the details of an error.
func (c *call) typedDetails(e *Error) error {
	details := stdjson.RawMessage(nil)
	if !tooDense(e.Details) {
		details = e.Details
	}
	secrets := c.secrets()
	switch e.Class {
	case ErrSecondFactorRequired:
		ch := TwoFactorChallenge{Op: c.op, client: c.client}
		if json.Unmarshal(details, &ch, decodeOptions) == nil && ch.Method != "" {
			return &TwoFactorError{Challenge: ch.sanitized(secrets)}
		}
	case ErrLastOwner:
		rooms := new(LastOwnerError)
		_ = json.Unmarshal(details, rooms, decodeOptions) // without details the class is enough
		sanitizeEach(rooms.ShouldBeRemoved, secrets)
		sanitizeEach(rooms.ShouldChangeOwner, secrets)
		return rooms
	case ErrEndpointUnknown:
		if c.version != "" {
			return plainError(c.op + " needs server " + c.version + " or newer")
		}
	case ErrInvalid:
		policy := new(PasswordPolicyError)
		if e.Code == CodePasswordPolicyNotMet && json.Unmarshal(details, &policy.Violations, decodeOptions) == nil {
			for i := range policy.Violations {
				v := &policy.Violations[i]
				v.Code = Code(sanitized(string(v.Code), maxCode, secrets))
				v.Message = sanitized(v.Message, maxText, secrets)
			}
			return policy
		}
	}
	return nil
}

func (ch TwoFactorChallenge) sanitized(secrets []string) TwoFactorChallenge {
	ch.Method = TwoFactorMethod(sanitized(string(ch.Method), maxCode, secrets))
	ch.EmailOrUsername = sanitized(ch.EmailOrUsername, maxText, secrets)
	sanitizeEach(ch.AvailableMethods, secrets)
	return ch
}

func sanitizeEach[T ~string](texts []T, secrets []string) {
	for i, text := range texts {
		texts[i] = T(sanitized(string(text), maxText, secrets))
	}
}

// textOf is the text of a JSON string or number, and "" for other values.
func textOf(v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return ""
		}
		return string(text)
	case '0':
		return string(v)
	}
	return ""
}

// isName reports whether a text is a code rather than a sentence.
func isName(s string) bool {
	return s != "" && !strings.ContainsAny(s, " \t\n")
}

// cutSuffix removes the code from a text like "Invalid user [error-invalid-user]".
func cutSuffix(text string) (rest, code string) {
	text = strings.TrimSpace(text)
	open := strings.LastIndexByte(text, '[')
	if open < 0 || !strings.HasSuffix(text, "]") || !isName(text[open+1:len(text)-1]) {
		return text, ""
	}
	return strings.TrimSpace(text[:open]), text[open+1 : len(text)-1]
}
