package faulttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// secrets are all passwords, tokens and codes of the run.
type secrets struct {
	mu    sync.Mutex
	long  map[string]bool
	codes map[string]bool // six digits, which a text can hold by chance
}

func newSecrets() *secrets { return &secrets{long: map[string]bool{}, codes: map[string]bool{}} }

var sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)

// add records secrets, and the digests that are sent in their place.
func (s *secrets) add(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range texts {
		switch {
		case text == "" || s.long[text]:
		case len(text) == 6 && sixDigits.MatchString(text):
			s.codes[text] = true
		case len(text) >= prefix:
			sum := sha256.Sum256([]byte(text))
			s.long[text], s.long[hex.EncodeToString(sum[:])] = true, true
		}
	}
}

// prefix is how much of a secret is looked for first.
const prefix = 8

// seen returns the lines of a text that contain secrets. Of longer secrets it looks for the
// first 16 characters.
func (s *secrets) seen(text []byte) (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	starts := map[[prefix]byte][][]byte{}
	for secret := range s.long {
		secret := []byte(secret[:min(len(secret), 16)])
		starts[[prefix]byte(secret)] = append(starts[[prefix]byte(secret)], secret)
	}
	for i := 0; i+prefix <= len(text); i++ {
		for _, secret := range starts[[prefix]byte(text[i:])] {
			if bytes.HasPrefix(text[i:], secret) {
				lines = append(lines, lineAround(text, i))
			}
		}
	}
	for _, at := range sixDigits.FindAllIndex(text, -1) {
		if s.codes[string(text[at[0]:at[1]])] {
			lines = append(lines, lineAround(text, at[0]))
		}
	}
	return lines
}

// lineAround is the line in which a place of a text is.
func lineAround(text []byte, at int) string {
	start := bytes.LastIndexByte(text[:at], '\n') + 1
	line, _, _ := bytes.Cut(text[start:], []byte("\n"))
	return string(line)
}

// number is how many secrets there are.
func (s *secrets) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.long) + len(s.codes)
}

// transcript is everything that the client logged or returned.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(p)
}

// TestSecretsAreFound: a search that finds nothing shows something only if it can find.
func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	s := newSecrets()
	s.add("a-token-of-forty-three-characters-in-length", "passw0rd", "123456", "")
	for text, want := range map[string]int{
		"nothing here": 0,
		"token=a-token-of-forty-three-characters-in-length!":               1,
		"the first part, a-token-of-forty, is enough":                      1,
		"passw0rd and passw0rd":                                            2,
		"8f0e2f76e22b43e2855189877e7dc1e1e7d98c226c95db247cd1d547928334a9": 1, // the digest of passw0rd
		"code 123456.":             1,
		"took=1.123456s 123456789": 0,
		"passw0r":                  0,
	} {
		assert.Len(t, s.seen([]byte(text)), want, text)
	}
}
