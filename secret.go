package rocketchat

import (
	"fmt"
	"log/slog"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const redacted = "[redacted]"

// Secret is a password, token or code. It shows as [redacted] wherever it is
// printed, logged or encoded; only [Secret.Reveal] gives the text, and the requests
// of this package send it.
type Secret string

// Reveal returns the text of the secret.
func (s Secret) Reveal() string { return string(s) }

// String implements [fmt.Stringer].
func (s Secret) String() string { return redacted }

// Format implements [fmt.Formatter], so that no verb shows the text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], which encoding/json and slog use
// for secrets inside structs and maps.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// revealSecrets encodes secrets as they are: for request bodies alone.
func revealSecrets() *json.Marshalers {
	return json.MarshalToFunc(func(enc *jsontext.Encoder, s Secret) error {
		return enc.WriteToken(jsontext.String(string(s)))
	})
}
