package main

import (
	"strings"
	"testing"
)

// Reading ends for every file, and each user has a line.
func fuzz(f *testing.F, format string) {
	f.Helper()
	f.Fuzz(func(t *testing.T, data []byte) {
		l := parse("file", format, data)
		if len(l.users) == 0 && l.problems.None() {
			t.Error("nothing was read, and nothing is wrong")
		}
		if len(l.users) != len(l.lines) {
			t.Errorf("%d users, but %d lines", len(l.users), len(l.lines))
		}
		last := 1 + strings.Count(string(data), "\n")
		for name, line := range l.lines {
			if name == "" || line < 1 || line > last {
				t.Errorf("%q is in line %d of %d", name, line, last)
			}
		}
		for _, problem := range l.problems.List() {
			if !strings.HasPrefix(problem, "file:") {
				t.Error(problem)
			}
		}
	})
}

func FuzzCSV(f *testing.F) {
	f.Add(people)
	f.Add([]byte("username,active\nx,perhaps\n\"y\n"))
	f.Add([]byte("username;name\r\nx;y"))
	fuzz(f, "csv")
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`[{"username":"ann","roles":["user"],"fields":{"team":null}},` + "\n" + `{"username":"bob","active":true}]`))
	f.Add([]byte(`[{"username":"a","username":"b"}] []`))
	fuzz(f, "json")
}
