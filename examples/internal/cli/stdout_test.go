package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		line  string
		limit int
		want  string
	}{
		{"one two three", 0, "one two three"},
		{"one two three", 13, "one two three"},
		{"one two three", 12, "one two\n  three"},
		{"   > one two three", 12, "   > one two\n     three"},
		{"/a/path/that/is/too/long to break", 10, "/a/path/that/is/too/long\n  to break"},
		{"two  blanks   stay in", 17, "two  blanks\n  stay in"},
		{"名前 名前 名前", 10, "名前 名前\n  名前"},
		{"", 1, ""},
	} {
		assert.Equal(t, tc.want, wrap(tc.line, tc.limit))
	}
}
