package rocketchat

import (
	stdjson "encoding/json"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 14, 36, 715_000_000, time.UTC)
	for text, want := range map[string]time.Time{
		`"2026-11-23T12:14:36.715Z"`:      at,
		`"2026-11-23T13:14:36.715+01:00"`: at,
		`"2026-11-23T12:14:36Z"`:          at.Truncate(time.Second),
		`"2026-11-23T12:14:36.715123Z"`:   at.Add(123 * time.Microsecond),
		`{"$date":1795436076715}`:         at,
		`1795436076715`:                   at,
		`null`:                            {},
		`""`:                              {},
	} {
		var v2, v1 Time
		require.NoError(t, json.Unmarshal([]byte(text), &v2), text)
		require.NoError(t, stdjson.Unmarshal([]byte(text), &v1), text)
		assert.True(t, want.Equal(v2.Time), "%s: %s", text, v2)
		assert.True(t, want.Equal(v1.Time), "%s: %s", text, v1)
	}
	for _, text := range []string{
		`"yesterday"`, `"2026-02-30T12:14:36.715Z"`, `"2026-13-01T12:14:36.715Z"`, `"2026-11-23T25:14:36.715Z"`, `"2026-11-23T12:61:36.715Z"`,
		`"2026-11-23 12:14:36.715Z"`, `{"$date":"x"}`, `{}`, `[]`, `true`, `1.5`, `"2026-1x-23T12:14:36.715Z"`,
	} {
		var v Time
		assert.Error(t, json.Unmarshal([]byte(text), &v), text)
	}
	out, err := json.Marshal(Time{at})
	require.NoError(t, err)
	assert.Equal(t, `"2026-11-23T12:14:36.715Z"`, string(out))
	out, err = json.Marshal(struct {
		A Time `json:"a,omitzero"`
		B Time `json:"b"`
	}{})
	require.NoError(t, err)
	assert.Equal(t, `{"b":null}`, string(out))
}
