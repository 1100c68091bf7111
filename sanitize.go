package rocketchat

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// All texts of errors pass sanitize before they leave the library. Texts of servers,
// transports and the caller's functions become one line of printable characters and bounded
// length, without addresses and the secrets of the call.

const (
	maxText    = 300 // characters
	maxCode    = 100
	maxDetails = 64 << 10 // bytes; longer ones are left out
)

// sanitize prepares the error of a call for leaving the library.
func (c *call) sanitize(e *Error) *Error {
	if e.clean {
		return e
	}
	e.clean = true
	secrets := c.secrets()
	e.Message = sanitized(e.Message, maxText, secrets)
	e.Code = Code(sanitized(string(e.Code), maxCode, secrets))
	e.Details = sanitizedJSON(e.Details, secrets)
	if e.Err != nil {
		e.Err = &cause{text: sanitized(describe(e.Err), maxText, secrets), err: e.Err}
	}
	return e
}

// sanitizedJSON is a value without secrets, which can be spelled in many ways.
func sanitizedJSON(value []byte, secrets []string) []byte {
	if len(value) == 0 || len(value) > maxDetails {
		return nil
	}
	var out bytes.Buffer
	dec, enc := jsontext.NewDecoder(bytes.NewReader(value), decodeOptions), jsontext.NewEncoder(&out, decodeOptions)
	for {
		token, err := dec.ReadToken()
		switch kind := token.Kind(); {
		case errors.Is(err, io.EOF):
			return bytes.TrimSpace(out.Bytes())
		case err != nil:
			return nil
		case kind == '"', kind == '0':
			if text := withoutSecrets(token.String(), secrets); text != token.String() {
				token = jsontext.String(text)
			}
		}
		if err := enc.WriteToken(token); err != nil {
			return nil
		}
	}
}

// cause is a cause whose text may leave the library. It can be told with [errors.Is] and
// [errors.As], but not unwrapped: the texts of what it stands for are not for the public.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string        { return c.text }
func (c *cause) Is(target error) bool { return errors.Is(c.err, target) }
func (c *cause) As(target any) bool   { return errors.As(c.err, target) }

// cause prepares the error of an attempt for leaving the library.
func (c *call) cause(err error) error {
	return &cause{text: sanitized(describe(err), maxText, c.secrets()), err: err}
}

// secrets are the texts that no error of the call may show, the longest first.
func (c *call) secrets() []string {
	known := []Secret{c.credentials.Token, c.proof.code, c.proof.typed, c.settings.factorCode, c.settings.factorTyped}
	if c.body != nil {
		collect := json.WithMarshalers(json.MarshalToFunc(func(enc *jsontext.Encoder, s Secret) error {
			known = append(known, s)
			return enc.WriteToken(jsontext.Null)
		}))
		_ = json.MarshalWrite(io.Discard, c.body, collect)
	}
	var texts []string
	for _, secret := range known {
		if !secret.IsZero() {
			texts = append(texts, secret.Reveal())
		}
	}
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(texts)
}

// sanitized returns a text that may leave the library.
func sanitized(text string, limit int, secrets []string) string {
	if text == "" {
		return ""
	}
	most := 64 * limit
	whole := len(text) <= most
	text = withoutSecrets(text[:min(len(text), most)], secrets)
	if !whole && len(secrets) > 0 { // a part of a secret can be at the end
		text = text[:max(0, len(text)-maxSpelling*len(secrets[0]))]
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, text)
	words := strings.Fields(text)
	for i, word := range words {
		words[i] = withoutAddress(word)
	}
	text = strings.Join(words, " ")
	for _, secret := range secrets { // escaped for one line
		text = withoutSecret(text, strings.Join(strings.Fields(secret), " "))
	}
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return text
}

// shortSecret is the length up to which a secret is removed only if it stands alone,
// because it may be a part of any word.
const shortSecret = 3

// withoutSecrets takes secrets out of a text, also where they are spelled as in a quoted
// body or address.
func withoutSecrets(text string, secrets []string) string {
	text = withoutEach(text, secrets)
	for plain, depth := text, 0; depth < maxQuoted && strings.ContainsAny(plain, `\%&+`); depth++ {
		plain = unquoted(plain)
		if clean := withoutEach(plain, secrets); clean != plain {
			text, plain = clean, clean
		}
	}
	return text
}

const (
	maxQuoted   = 3 // bodies in texts in bodies
	maxSpelling = 6 // bytes for one, as in \u0041
)

// quotation is how JSON and addresses spell characters.
var quotation = sync.OnceValue(func() *regexp.Regexp { //nolint:gochecknoglobals // it is never changed
	return regexp.MustCompile(`(?:\\u[0-9a-fA-F]{4})+|\\.|(?:%[0-9a-fA-F]{2})+`)
})

// unquoted is a text with what JSON, addresses and HTML quote as it was.
func unquoted(text string) string {
	return html.UnescapeString(quotation().ReplaceAllStringFunc(text, func(quoted string) string {
		if quoted[0] == '%' {
			plain, _ := url.PathUnescape(quoted)
			return plain
		}
		if plain, err := jsontext.AppendUnquote(nil, `"`+quoted+`"`); err == nil {
			return string(plain)
		}
		return quoted[1:]
	}))
}

func withoutEach(text string, secrets []string) string {
	for _, secret := range secrets {
		text = withoutSecret(text, secret)
		if strings.Contains(secret, " ") { // as forms send it
			text = withoutSecret(text, strings.ReplaceAll(secret, " ", "+"))
		}
	}
	return text
}

func withoutSecret(text, secret string) string {
	switch {
	case secret == "":
		return text
	case len(secret) > shortSecret:
		return strings.ReplaceAll(text, secret, redacted)
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, secret)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		last, _ := utf8.DecodeLastRuneInString(before)
		next, _ := utf8.DecodeRuneInString(after)
		if isWord(last) || isWord(next) {
			out.WriteString(secret)
		} else {
			out.WriteString(redacted)
		}
		text = after
	}
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// withoutAddress replaces a URL in a word.
func withoutAddress(word string) string {
	at := strings.Index(word, "://")
	if at <= 0 {
		return word
	}
	start := strings.LastIndexFunc(word[:at], func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '+' && r != '-' && r != '.'
	})
	return word[:start+1] + "[address]"
}

// describe is the text of a cause. Errors of transports are described by their type,
// because their texts hold addresses and received data.
func describe(err error) string {
	switch err := err.(type) { //nolint:errorlint // each layer is looked at
	case *cause:
		return err.text
	case *Error:
		return strings.TrimPrefix(err.Error(), "rocketchat: ")
	case *TwoFactorError, *LastOwnerError, *PasswordPolicyError:
		return err.Error()
	case *notSentError:
		return describe(err.error)
	case *noConnectionError:
		return describe(err.error)
	case *connectedError:
		return describe(err.error)
	case plainError, *callerError, *endedError:
		return err.Error()
	case interface{ Unwrap() []error }:
		texts := make([]string, 0, 2)
		for _, inner := range err.Unwrap() {
			texts = append(texts, describe(inner))
		}
		return strings.Join(texts, "; ")
	}
	if text := describeTransport(err); text != "" {
		return text
	}
	return fmt.Sprintf("the transport failed (%T)", err)
}

// plainError is an error of this package whose text may leave it as it is.
type plainError string

func (e plainError) Error() string { return string(e) }

// callerError is an error of a function of the caller, whose text is kept.
type callerError struct{ error }

func (e *callerError) Unwrap() error { return e.error }

// streamError has the form in which [errors.As] finds the unexported errors of the HTTP/2
// client of net/http.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (streamError) Error() string { return "stream error" }

// describeTransport describes the errors that come from the network.
func describeTransport(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return "the host was not found"
		}
		return "the name of the host could not be looked up"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the server's certificate is not trusted"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the server's certificate is not trusted"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not speak TLS"
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if stream, ok := errors.AsType[streamError](err); ok {
		return fmt.Sprintf("the HTTP/2 stream was reset (code %d)", stream.Code)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "the connection was closed"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "the connection timed out"
	}
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // the outermost error is meant
		return "the connection timed out"
	}
	return ""
}
