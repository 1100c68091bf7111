package rocketchat

import (
	"bufio"
	stdjson "encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// losslessRow names the type of a member of an endpoint's answer. "*" stands for each item
// of a list, and "" for the whole answer except "success".
type losslessRow struct {
	op, member string
	value      func() any
}

// as makes the value function of a row.
func as[T any]() any { return new(T) }

func losslessRows() []losslessRow {
	return slices.Concat(
		sessionsLossless(), meLossless(), usersLossless(), searchLossless(), teamsLossless(),
		preferencesLossless(), tokensLossless(), rolesLossless(), statusLossless(), avatarsLossless(), twoFactorLossless(), serverLossless(),
	)
}

// TestLossless decodes every successful answer of the contract and of the recorded
// server, encodes the result, and finds every member again.
func TestLossless(t *testing.T) {
	t.Parallel()
	answers := successfulAnswers(t)
	for _, row := range losslessRows() {
		t.Run(row.op+" "+row.member, func(t *testing.T) {
			t.Parallel()
			require.NotEmpty(t, answers[row.op], "no answer to try")
			for name, answer := range answers[row.op] {
				for _, part := range dig(answer, row.member) {
					in, err := stdjson.Marshal(part)
					require.NoError(t, err)
					value := row.value()
					require.NoError(t, json.Unmarshal(in, value, decodeOptions), name)
					out, err := json.Marshal(value, json.WithMarshalers(revealSecrets()))
					require.NoError(t, err, name)
					assertKept(t, name, part, mustDecode(t, out))
				}
			}
		})
	}
}

// assertKept checks that got has every member of want. A list that a server sends as a
// string may have become a list.
func assertKept(t *testing.T, at string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !assert.True(t, ok, "%s is not an object any more", at) {
			return
		}
		for key, value := range want {
			if _, there := got[key]; !there && (value == nil || at == "" && key == "success") {
				continue
			}
			if assert.Contains(t, got, key, at) {
				assertKept(t, at+"."+key, value, got[key])
			}
		}
	case []any:
		got, ok := got.([]any)
		if assert.True(t, ok, "%s is not a list any more", at) && assert.Len(t, got, len(want), at) {
			for i := range want {
				assertKept(t, at+"[]", want[i], got[i])
			}
		}
	case string:
		if list, ok := got.([]any); ok {
			assertKept(t, at, mustDecode(t, []byte(want)), list)
			return
		}
		assert.Equal(t, want, got, at)
	default:
		assert.Equal(t, want, got, at)
	}
}

// dig finds the parts of an answer at a path such as "data.me" or "users.*".
func dig(value any, path string) []any {
	if path == "" {
		if object, ok := value.(map[string]any); ok {
			value = maps.Clone(object) // others read it, too
			delete(value.(map[string]any), "success")
		}
		return []any{value}
	}
	name, rest, _ := strings.Cut(path, ".")
	switch v := value.(type) {
	case map[string]any:
		if name == "*" {
			var found []any
			for _, item := range v {
				found = append(found, dig(item, rest)...)
			}
			return found
		}
		if inner, ok := v[name]; ok && inner != nil {
			return dig(inner, rest)
		}
	case []any:
		var found []any
		for _, item := range v {
			found = append(found, dig(item, rest)...)
		}
		return found
	}
	return nil
}

// successfulAnswers are the successful answers in testdata, by op and source.
func successfulAnswers(t *testing.T) map[string]map[string]any {
	t.Helper()
	found := make(map[string]map[string]any)
	add := func(op, name string, body any) {
		if found[op] == nil {
			found[op] = make(map[string]any)
		}
		found[op][name] = body
	}
	files, err := filepath.Glob("testdata/*/*.json")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, ".wire.json") {
			continue
		}
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var answer struct {
			Status int `json:"status"`
			Body   any `json:"body"`
		}
		require.NoError(t, stdjson.Unmarshal(data, &answer), file)
		if _, object := answer.Body.(map[string]any); object && answer.Status == 200 {
			add(filepath.Base(filepath.Dir(file)), file, answer.Body)
		}
	}
	recorded, err := filepath.Glob("testdata/recorded/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, recorded)
	for _, file := range recorded {
		for _, x := range readRecorded(t, file) {
			if _, object := x.Answer.(map[string]any); object && x.Status == 200 {
				add(strings.TrimPrefix(x.Op, "../"), file+": "+x.Name, x.Answer)
			}
		}
	}
	return found
}

// recordedExchange has the parts of a line of testdata/recorded that these tests need.
type recordedExchange struct {
	Name   string `json:"name"`
	Op     string `json:"op"`
	Status int    `json:"status"`
	Answer any    `json:"answer"`
}

func readRecorded(t *testing.T, file string) []recordedExchange {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	var all []recordedExchange
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var x recordedExchange
		require.NoError(t, stdjson.Unmarshal(lines.Bytes(), &x))
		all = append(all, x)
	}
	require.NoError(t, lines.Err())
	return all
}

func mustDecode(t *testing.T, data []byte) any {
	t.Helper()
	var value any
	require.NoError(t, stdjson.Unmarshal(data, &value))
	return value
}
