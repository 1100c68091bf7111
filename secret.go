package rocketchat

import (
	"fmt"
	"log/slog"
	"unique"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const redacted = "[redacted]"

// Secret is a password, token or code; make one with [NewSecret]. It prints, logs and
// encodes as [redacted]; in unexported fields fmt prints a pointer. Only [Secret.Reveal]
// and the requests of this package show the text. Secrets with the same text are equal; the
// zero Secret is the empty text.
type Secret struct{ text unique.Handle[string] }

// NewSecret makes a secret of a text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{unique.Make(text)}
}

// Reveal returns the text of the secret.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.text.Value()
}

// IsZero reports whether the secret is the empty text.
func (s Secret) IsZero() bool { return s == Secret{} }

// String implements [fmt.Stringer].
func (s Secret) String() string { return redacted }

// Format implements [fmt.Formatter], so that no verb shows the text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], which encoders of JSON and slog use
// for secrets inside structs and maps.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

// revealSecrets encodes the texts of secrets, for request bodies only.
func revealSecrets() *json.Marshalers {
	return json.MarshalToFunc(func(enc *jsontext.Encoder, s Secret) error {
		return enc.WriteToken(jsontext.String(s.Reveal()))
	})
}
