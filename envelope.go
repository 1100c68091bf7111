package rocketchat

import (
	"cmp"
	stdjson "encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decodeOptions take what JavaScript's encoder can produce.
func decodeOptions() json.Options {
	return json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}

// decode reads the result out of a successful answer, or the failure that it tells
// of although its status is a success.
func decode[T any](c *call) (T, error) {
	var none T
	if len(c.body) == 0 {
		if c.mayBeEmpty {
			return none, nil
		}
		return none, badAnswer(c, "the answer is empty", nil)
	}
	if err := c.isJSON(); err != nil {
		return none, err
	}
	answer := envelope[T]{member: c.member}
	if err := json.Unmarshal(c.body, &answer, decodeOptions()); err != nil {
		return none, badAnswer(c, "the answer cannot be read", withoutValues(err))
	}
	switch {
	case answer.failed:
		return none, newError(c)
	case !answer.found:
		return none, badAnswer(c, fmt.Sprintf("the answer has no %q", c.member), nil)
	case c.member == "" && !c.mayBeEmpty && !answer.succeeded:
		// In an answer that is taken as a whole, an empty object, which no Rocket.Chat server
		// sends, looks like a result.
		return none, badAnswer(c, "the answer does not say that the call succeeded", nil)
	}
	return answer.value, nil
}

// envelope is an answer with status 200: the result is one of its members, or, when
// member is empty, all of them beside "success".
type envelope[T any] struct {
	member    string
	value     T
	found     bool
	failed    bool
	succeeded bool
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (e *envelope[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if e.member == "" {
		var flat struct {
			Success *bool `json:"success"`
			Value   T     `json:",embed,inline"`
		}
		err := json.UnmarshalDecode(dec, &flat)
		e.value, e.found = flat.Value, true
		e.succeeded = flat.Success != nil && *flat.Success
		e.failed = flat.Success != nil && !*flat.Success
		return err
	}
	if kind := dec.PeekKind(); kind != '{' {
		return fmt.Errorf("an object is expected, not %v", kind)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		switch name := string(name[1 : len(name)-1]); name {
		case e.member:
			e.found = dec.PeekKind() != 'n'
			err = json.UnmarshalDecode(dec, &e.value)
		case "success":
			var success bool
			err = json.UnmarshalDecode(dec, &success)
			e.failed = !success
		default:
			err = dec.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// items is a list that may be long. It is read into a slice that hardly ever grows: its
// first elements tell about how many there are.
type items[T any] []T

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (l *items[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '[' {
		return json.UnmarshalDecode(dec, (*[]T)(l))
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	start := dec.InputOffset()
	list := make([]T, 0, 8)
	for dec.PeekKind() != ']' {
		if n := len(list); n == cap(list) {
			each := max(1, int(dec.InputOffset()-start)/n)
			more := len(dec.UnreadBuffer())/each + 1
			// A little more, since they differ; not beyond reason, since answers can mislead.
			list = slices.Grow(list, min(more+more/16, 64*n))
		}
		list = list[:len(list)+1]
		if err := json.UnmarshalDecode(dec, &list[len(list)-1]); err != nil {
			return err
		}
	}
	*l = list
	_, err := dec.ReadToken()
	return err
}

// isJSON reports an answer that does not claim to be JSON, such as a proxy's page.
// No content type at all is taken for JSON.
func (c *call) isJSON() error {
	given := c.header.Get("Content-Type")
	if given == "application/json" { // what servers send
		return nil
	}
	kind, _, _ := mime.ParseMediaType(given)
	if kind == "" || kind == "application/json" || strings.HasSuffix(kind, "+json") {
		return nil
	}
	return badAnswer(c, "the answer is not JSON but "+kind, nil)
}

// withoutValues drops from a decoding error the piece of the answer that it quotes.
func withoutValues(err error) error {
	if s, ok := err.(*json.SemanticError); ok { //nolint:errorlint // the outermost error is meant
		return fmt.Errorf("unexpected JSON %v at %q", s.JSONKind, string(s.JSONPointer))
	}
	if s, ok := err.(*jsontext.SyntacticError); ok { //nolint:errorlint // the outermost error is meant
		return fmt.Errorf("malformed JSON after %d bytes", s.ByteOffset)
	}
	return err
}

// failure is the union of all forms in which servers report one.
type failure struct {
	Error     jsontext.Value `json:"error"`     // a text, or in log-in a number
	ErrorType jsontext.Value `json:"errorType"` // the code
	Message   jsontext.Value `json:"message"`   // in the envelopes of log-in and of old servers
	Reason    jsontext.Value `json:"reason"`    // in a serialised error object
	Details   jsontext.Value `json:"details"`
}

// newError reads a failure. It never fails itself: what cannot be read gives an
// error that says so.
func newError(c *call) *Error {
	e := &Error{Op: c.op, StatusCode: c.status, Attempts: c.attempts, OutcomeUnknown: c.unknown, RetryAfter: c.refusedFor}
	var f failure
	if c.isJSON() != nil || json.Unmarshal(c.body, &f, decodeOptions()) != nil {
		return e.withoutEnvelope(c)
	}
	text, code := textOf(f.Error), textOf(f.ErrorType)
	switch {
	case isName(text) && textOf(f.Message) != "" && textOf(f.Message) != text: // log-in, register: the code stands in "error"
		if code == "" || code == "Meteor.Error" {
			code = text
		}
		text = cmp.Or(textOf(f.Reason), textOf(f.Message))
	case text == "":
		text = textOf(f.Message)
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
	e.Code = Code(code)
	e.Message = c.withoutSecrets(oneLine(text))
	e.Details = stdjson.RawMessage(f.Details.Clone())
	e.Class = classify(c, e)
	e.Err = c.typedDetails(e)
	return e
}

// withoutEnvelope completes the error for an answer that is no JSON object: the
// server's plain 404, a proxy's page, nothing at all.
func (e *Error) withoutEnvelope(c *call) *Error {
	e.Class = classify(c, e)
	if e.Class == ErrEndpointUnknown {
		e.Err = c.typedDetails(e)
		return e
	}
	kind, _, _ := mime.ParseMediaType(c.header.Get("Content-Type"))
	e.foreign = true
	e.Class = cmp.Or(e.Class, ErrBadAnswer)
	e.Message = strings.TrimSpace(http.StatusText(c.status) + " (no JSON: " + cmp.Or(kind, "no content type") + ")")
	return e
}

// typedDetails is the cause that a program can read off an error.
func (c *call) typedDetails(e *Error) error {
	switch e.Class {
	case ErrTOTPRequired:
		ch := TwoFactorChallenge{Op: c.op, client: c.client}
		if json.Unmarshal(e.Details, &ch, decodeOptions()) == nil && ch.Method != "" {
			return &TwoFactorError{Challenge: ch}
		}
	case ErrLastOwner:
		rooms := new(LastOwnerError)
		_ = json.Unmarshal(e.Details, rooms, decodeOptions()) // without details the class says it all
		return rooms
	case ErrEndpointUnknown:
		if c.version != "" {
			return fmt.Errorf("%s needs server %s or newer", c.op, c.version)
		}
	case ErrInvalid:
		policy := new(PasswordPolicyError)
		if e.Code == "error-password-policy-not-met" && json.Unmarshal(e.Details, &policy.Violations, decodeOptions()) == nil {
			return policy
		}
	}
	return nil
}

// textOf is the text in a JSON value; a number is its digits, anything else nothing.
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

// isName tells a code from a sentence.
func isName(s string) bool {
	return s != "" && !strings.ContainsAny(s, " \t\n")
}

// cutSuffix takes the code off a text like "Invalid user [error-invalid-user]".
func cutSuffix(text string) (rest, code string) {
	text = strings.TrimSpace(text)
	open := strings.LastIndexByte(text, '[')
	if open < 0 || !strings.HasSuffix(text, "]") || !isName(text[open+1:len(text)-1]) {
		return text, ""
	}
	return strings.TrimSpace(text[:open]), text[open+1 : len(text)-1]
}

// withoutSecrets guards against a server that repeats what it was sent.
func (c *call) withoutSecrets(text string) string {
	for _, s := range []Secret{c.credentials.Token, c.code} {
		if secret := s.Reveal(); len(secret) > 5 {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return text
}
