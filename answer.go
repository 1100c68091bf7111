package rocketchat

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// answer is the answer to the last attempt of a call.
type answer struct {
	status int
	header http.Header
	body   []byte
	buffer *bytes.Buffer // that body is in; no result may point into it
	stream *stream       // in place of body
	at     time.Time
}

func (a *answer) reset() { a.status, a.header, a.body = 0, nil, nil }

// read reads the whole answer, up to limit bytes.
func (a *answer) read(res *http.Response, transport *transport, limit int64) error {
	defer func() { _ = res.Body.Close() }()
	if res.ContentLength > limit {
		return errTooLarge
	}
	if a.buffer == nil {
		a.buffer = transport.buffer()
	}
	a.buffer.Reset()
	if res.ContentLength > 0 {
		a.buffer.Grow(int(res.ContentLength) + bytes.MinRead)
	}
	n, err := a.buffer.ReadFrom(io.LimitReader(res.Body, limit+1))
	switch {
	case err != nil:
		return err
	case n > limit:
		return errTooLarge
	case res.ContentLength > 0 && n < res.ContentLength:
		return io.ErrUnexpectedEOF
	}
	a.status, a.header, a.body, a.at = res.StatusCode, res.Header, a.buffer.Bytes(), time.Now()
	return nil
}

// release gives the buffer to other calls. The answer must have been decoded, which copies
// it.
func (a *answer) release(transport *transport) {
	if a.buffer != nil && a.buffer.Cap() <= keptBuffer {
		transport.buffers.Put(a.buffer)
	}
	a.buffer, a.body = nil, nil
	if a.stream != nil {
		_ = a.stream.Close()
		a.stream = nil
	}
}

// free reports whether the answer, if it has no limit headers, shows that the caller's
// calls are not limited.
func (a *answer) free(picture bool) bool {
	if a.status < 200 || a.status > 299 {
		return false
	}
	if picture {
		return true
	}
	return a.otherType() == "" && (a.stream != nil || bytes.Contains(a.body, []byte(`"success":true`)) || bytes.Contains(a.body, []byte(`"status":"success"`)))
}

// otherType returns the media type of an answer that is not JSON, such as a proxy's page,
// and "" for JSON. An answer without a content type is taken for JSON.
func (a *answer) otherType() string {
	given := a.header.Get("Content-Type")
	if given == "application/json" { // what servers send
		return ""
	}
	kind, _, _ := mime.ParseMediaType(given)
	if kind == "" || kind == "application/json" || strings.HasSuffix(kind, "+json") {
		return ""
	}
	return kind
}

// decodeOptions accept everything that JavaScript's encoder produces.
var decodeOptions = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)) //nolint:gochecknoglobals // it is never changed

// identified is a result that must have what identity returns.
type identified interface{ identity() string }

// decode reads the result from an answer with status 200, or the failure that it reports in
// spite of the status.
func decode[T any](c *call) (T, error) {
	var none T
	if len(c.answer.body) == 0 {
		if c.mayBeEmpty {
			return none, nil
		}
		return none, badAnswer(c, "the answer is empty", nil)
	}
	if other := c.answer.otherType(); other != "" {
		return none, badAnswer(c, "the answer is not JSON but "+other, nil)
	}
	if tooDense(c.answer.body) {
		return none, badAnswer(c, "the answer cannot be read", errTooDense)
	}
	value, said, err := decodeEnvelope[T](c)
	switch {
	case err != nil:
		return none, badAnswer(c, "the answer cannot be read", withoutValues(err))
	case said.failed:
		return none, newError(c)
	case c.member != "" && !said.found:
		return none, badAnswer(c, fmt.Sprintf("the answer has no %q", c.member), nil)
	case c.member == "" && !c.mayBeEmpty && !said.succeeded:
		// An empty object would look like a result, but no Rocket.Chat server sends one.
		return none, badAnswer(c, "the answer does not say that the call succeeded", nil)
	}
	if who, ok := any(value).(identified); ok && who.identity() == "" {
		return none, badAnswer(c, "the answer does not say whose it is", nil)
	}
	return value, nil
}

// said holds the members of an envelope besides the result.
type said struct{ found, failed, succeeded bool }

// decodeEnvelope reads an answer with status 200. There are three forms: only the
// success counts, the result is one member, or it is all members beside "success".
func decodeEnvelope[T any](c *call) (T, said, error) {
	var value T
	if c.member != "" {
		member := memberEnvelope[T]{member: c.member}
		err := json.Unmarshal(c.answer.body, &member, decodeOptions)
		return member.value, member.said, err
	}
	if _, only := any(value).(struct{}); only {
		var status struct {
			Success *bool `json:"success"`
		}
		err := json.Unmarshal(c.answer.body, &status, decodeOptions)
		return value, saidBy(status.Success), err
	}
	if _, own := any(value).(stdjson.Marshaler); own { // which cannot be embedded
		success, others, err := cutSuccess(c.answer.body)
		if err == nil {
			err = json.Unmarshal(others, &value, decodeOptions)
		}
		return value, saidBy(success), err
	}
	var flat struct {
		Success *bool `json:"success"`
		Value   T     `json:",embed,inline"`
	}
	err := json.Unmarshal(c.answer.body, &flat, decodeOptions)
	return flat.Value, saidBy(flat.Success), err
}

func saidBy(success *bool) said {
	return said{found: true, failed: success != nil && !*success, succeeded: success != nil && *success}
}

// cutSuccess takes the member "success" out of an object.
func cutSuccess(body []byte) (success *bool, others []byte, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), decodeOptions)
	if dec.PeekKind() != '{' {
		return nil, body, nil
	}
	_, _ = dec.ReadToken()
	for dec.PeekKind() == '"' {
		before := dec.InputOffset()
		name, err := dec.ReadValue()
		if err != nil {
			return nil, nil, err
		}
		if string(name) != `"success"` {
			if err := dec.SkipValue(); err != nil {
				return nil, nil, err
			}
			continue
		}
		if err := json.UnmarshalDecode(dec, &success); err != nil {
			return nil, nil, err
		}
		// Cut it with the comma before it, or after it if it is the first member.
		head, tail := body[:before], body[dec.InputOffset():]
		if bytes.HasSuffix(bytes.TrimRight(head, " \t\r\n"), []byte("{")) {
			tail = bytes.TrimPrefix(bytes.TrimLeft(tail, " \t\r\n"), []byte(","))
		}
		return success, slices.Concat(head, tail), nil
	}
	return nil, body, nil
}

// memberEnvelope is an answer whose result is one member.
type memberEnvelope[T any] struct {
	said
	member string
	value  T
}

// UnmarshalJSONFrom implements [github.com/go-json-experiment/json.UnmarshalerFrom].
func (e *memberEnvelope[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if kind := dec.PeekKind(); kind != '{' {
		return fmt.Errorf("expected an object, not %v", kind)
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
			err = json.UnmarshalDecode(dec, &e.succeeded)
			e.failed = !e.succeeded
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

// items is a list that may be long. It is read into a slice that rarely grows: the length
// of the first elements is used to estimate their number.
type items[T any] []T

// UnmarshalJSONFrom implements [github.com/go-json-experiment/json.UnmarshalerFrom].
func (l *items[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '[' {
		return json.UnmarshalDecode(dec, (*[]T)(l))
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	start := dec.InputOffset()
	size := int64(unsafe.Sizeof(*new(T))) //nolint:gosec // no type is that large
	list := make([]T, 0, 8)
	for dec.PeekKind() != ']' {
		if n := len(list); n == cap(list) {
			read, unread := dec.InputOffset()-start, int64(len(dec.UnreadBuffer()))
			if int64(n)*size > freelyDecoded+maxInflation*read {
				return errTooDense
			}
			more := unread*int64(n)/max(1, read) + 1
			// Add a little, because elements differ, and limit it, because answers can
			// mislead.
			most := (freelyDecoded + maxInflation*(read+unread)) / size
			list = slices.Grow(list, int(min(more+more/16, 64*int64(n), max(1, most-int64(n)))))
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

// A few bytes of JSON, such as "{},", can stand for a large struct. Beyond a free amount,
// decoded values may be this many times larger than the text.
const (
	freelyDecoded = 1 << 20
	maxInflation  = 24
)

const errTooDense = plainError("it has far more values than its size allows")

// tooDense reports whether a long text has more values than a server would send.
func tooDense(body []byte) bool {
	if len(body) <= mayBeDense || weight(body) <= len(body) {
		return false
	}
	outside := 0 // of strings, which can hold anything
	quoted := false
	for i := 0; i < len(body); i++ {
		switch b := body[i]; {
		case b == '"':
			quoted = !quoted
		case quoted && b == '\\':
			i++
		case !quoted:
			outside += weight(body[i : i+1])
		}
	}
	return outside > len(body)
}

// mayBeDense is the size up to which a text may have any number of values.
const mayBeDense = 64 << 10

// weight is the least size of a text with so many values. A comma stands before nearly
// every value, and servers send one in about 20 bytes and an object in about 50. A value
// of any type takes up to 100 bytes of memory, an object of any members 330.
func weight(text []byte) int {
	return 5*(bytes.Count(text, []byte(","))+bytes.Count(text, []byte("["))) + 11*bytes.Count(text, []byte("{"))
}

// withoutValues removes the quoted piece of the answer from a decoding error.
func withoutValues(err error) error {
	for _, own := range []error{errTooDense, errTooLarge} {
		if errors.Is(err, own) {
			return own
		}
	}
	if s, ok := err.(*json.SemanticError); ok { //nolint:errorlint // the outermost error is meant
		return plainError(fmt.Sprintf("unexpected JSON %v at %q", s.JSONKind, string(s.JSONPointer)))
	}
	if s, ok := err.(*jsontext.SyntacticError); ok { //nolint:errorlint // the outermost error is meant
		return plainError(fmt.Sprintf("malformed JSON after %d bytes", s.ByteOffset))
	}
	return err
}
