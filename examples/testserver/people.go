package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// columns are what a file of people may say about somebody, by the name of the column.
func columns() map[string]func(*rocketchattest.User, string) error {
	return map[string]func(*rocketchattest.User, string) error{
		"id":       func(u *rocketchattest.User, s string) error { u.ID = s; return nil },
		"username": func(u *rocketchattest.User, s string) error { u.Username = s; return nil },
		"name":     func(u *rocketchattest.User, s string) error { u.Name = s; return nil },
		"email":    func(u *rocketchattest.User, s string) error { u.Email = s; return nil },
		"password": func(u *rocketchattest.User, s string) error { u.Password = s; return nil },
		"roles":    func(u *rocketchattest.User, s string) error { u.Roles = strings.Fields(s); return nil },
		"totp":     func(u *rocketchattest.User, s string) error { u.TOTPSecret = s; return nil },
		"active":   func(u *rocketchattest.User, s string) error { return unless(s, &u.Inactive) },
		"verified": func(u *rocketchattest.User, s string) error { return unless(s, &u.Unverified) },
	}
}

// unless sets the opposite of what a cell says; an empty cell says nothing.
func unless(s string, opposite *bool) error {
	if s == "" {
		return nil
	}
	value, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("must be true or false, not %q", s)
	}
	*opposite = !value
	return nil
}

// person is somebody of a file.
type person struct {
	rocketchattest.User
	line int
}

// readPeople reads a CSV file whose first line has the names of the columns. The error
// joins all problems, each with its line.
func readPeople(name string, data []byte) ([]person, error) {
	var (
		people   []person
		problems []error
	)
	problem := func(line int, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s:%d: "+format, append([]any{name, line}, args...)...))
	}
	reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\uFEFF"))))
	reader.FieldsPerRecord = -1 // it is checked here
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: there are no names of columns", name)
	}
	known := columns()
	for i, column := range header {
		switch {
		case known[column] == nil:
			problem(1, "the column %q is not known", column)
		case slices.Contains(header[:i], column):
			problem(1, "there are two columns %q", column)
		}
	}
	if !slices.Contains(header, "username") {
		problem(1, "there is no column \"username\"; the columns are %q", header)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return people, errors.Join(problems...)
		}
		if failure, ok := errors.AsType[*csv.ParseError](err); ok {
			problem(failure.Line, "a quotation mark is out of place, column %d", failure.Column)
			return nil, errors.Join(problems...)
		}
		line, _ := reader.FieldPos(0)
		if len(row) != len(header) {
			problem(line, "has %d cells, but the header has %d", len(row), len(header))
			continue
		}
		p := person{line: line}
		for i, cell := range row {
			if err := known[header[i]](&p.User, strings.TrimSpace(cell)); err != nil {
				problem(line, "%s %w", header[i], err)
			}
		}
		people = append(people, p)
	}
}
