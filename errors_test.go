package rocketchat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answered is a call that got an answer.
func answered(op string, status int, contentType, body string) *call {
	return &call{
		endpoint: endpoint{op: op}, client: &Client{}, tally: tally{attempts: 1},
		answer: answer{status: status, header: http.Header{"Content-Type": {contentType}}, body: []byte(body)},
	}
}

// TestErrorsOfServers decodes every failure of the contract and of the recorded
// server. testdata/errors.txt says what comes of each: its class and its code.
func TestErrorsOfServers(t *testing.T) {
	t.Parallel()
	got := make(map[string]bool)
	add := func(from, op string, status int, body []byte) {
		contentType := "application/json"
		if text, plain := bytes.CutPrefix(body, []byte(`{"__text":`)); plain {
			contentType = "text/plain; charset=UTF-8"
			body, _ = bytes.CutSuffix(text, []byte("}"))
		}
		c := answered(op, status, contentType, string(body))
		e := c.sanitize(newError(c))
		assert.Equal(t, op, e.Op, from)
		assert.Equal(t, status, e.StatusCode, from)
		assert.NotContains(t, e.Error(), "\n", from)
		var code string
		if e.Code != "" {
			code = " " + string(e.Code)
			assert.ErrorIs(t, e, e.Code, from)
		}
		if e.Class != "" {
			assert.ErrorIs(t, e, e.Class, from)
		}
		got[fmt.Sprintf("%s: %q%s", from, string(e.Class), code)] = true
	}
	files, err := filepath.Glob("testdata/*/*.json")
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, ".wire.json") {
			continue
		}
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var answer wireAnswer
		require.NoError(t, json.Unmarshal(data, &answer), file)
		if op := filepath.Base(filepath.Dir(file)); answer.Status >= 400 {
			add(op+" "+strings.TrimSuffix(filepath.Base(file), ".json"), op, answer.Status, answer.Body)
		}
	}
	recorded, err := filepath.Glob("testdata/recorded/*.jsonl")
	require.NoError(t, err)
	for _, file := range recorded {
		for _, x := range readRecorded(t, file) {
			if x.Status >= 400 {
				body, err := json.Marshal(x.Answer)
				require.NoError(t, err)
				add(strings.TrimSuffix(filepath.Base(file), ".jsonl")+" "+x.Name, x.Op, x.Status, body)
			}
		}
	}
	lines := make([]string, 0, len(got))
	for line := range got {
		lines = append(lines, line)
	}
	slices.Sort(lines)
	want, err := os.ReadFile("testdata/errors.txt")
	if os.Getenv("UPDATE_ERRORS") != "" {
		require.NoError(t, os.WriteFile("testdata/errors.txt", []byte(strings.Join(lines, "\n")+"\n"), 0o600))
		return
	}
	require.NoError(t, err)
	assert.Equal(t, strings.Split(strings.TrimSpace(string(want)), "\n"), lines)
}
