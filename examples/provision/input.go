package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
)

// list is the content of a file.
type list struct {
	users    []rocketchat.DesiredUser
	lines    map[string]int // by username, without its case
	problems cli.Problems
}

// parse reads a file. It goes on after a problem as far as it can, so that all of them can
// be mended at once.
func parse(file, format string, data []byte) *list {
	l := &list{lines: make(map[string]int), problems: cli.Problems{File: file}}
	if format == "json" {
		l.parseJSON(data)
	} else {
		l.parseCSV(data)
	}
	if len(l.users) == 0 && l.problems.None() {
		l.problems.Add(0, "the file lists nobody")
	}
	return l
}

// place is where in the file a user is.
func (l *list) place(username string) string {
	line, ok := l.lines[cli.Fold(username)]
	if !ok {
		return l.problems.File
	}
	return fmt.Sprintf("%s:%d", l.problems.File, line)
}

// add adds a user.
func (l *list) add(line int, u rocketchat.DesiredUser) {
	switch other, listed := l.lines[cli.Fold(u.Username)]; {
	case u.Username == "":
		l.problems.Add(line, "the username is empty")
		return
	case listed:
		l.problems.Add(line, "%s is already listed in line %d", u.Username, other)
		return
	}
	l.lines[cli.Fold(u.Username)] = line
	l.users = append(l.users, u)
}

// A field sets a column of a CSV file or a member of a JSON object. The value is a text, a
// list of texts, a bool or an object.
type field func(u *rocketchat.DesiredUser, value any) error

// text is a field that holds a text.
func text(set func(*rocketchat.DesiredUser, string)) field {
	return func(u *rocketchat.DesiredUser, value any) error {
		s, ok := value.(string)
		if !ok {
			return errors.New("must be a text")
		}
		set(u, s)
		return nil
	}
}

// fields are the fields that both formats have, by name.
func fields() map[string]field {
	return map[string]field{
		"username": text(func(u *rocketchat.DesiredUser, s string) { u.Username = s }),
		"name":     text(func(u *rocketchat.DesiredUser, s string) { u.Name = s }),
		"email":    text(func(u *rocketchat.DesiredUser, s string) { u.Email = s }),
		"password": text(func(u *rocketchat.DesiredUser, s string) { u.Password = rocketchat.NewSecret(s) }),
		"bio":      text(func(u *rocketchat.DesiredUser, s string) { u.Bio = &s }),
		"nickname": text(func(u *rocketchat.DesiredUser, s string) { u.Nickname = &s }),
		"roles":    roles,
		"active":   active,
	}
}

func roles(u *rocketchat.DesiredUser, value any) error {
	u.Roles = []string{}
	items, ok := value.([]any)
	for _, item := range items {
		role, isText := item.(string)
		ok = ok && isText
		u.Roles = append(u.Roles, role)
	}
	if !ok {
		return errors.New("must be a list of texts")
	}
	return nil
}

func active(u *rocketchat.DesiredUser, value any) error {
	is, ok := value.(bool)
	if !ok {
		return errors.New("must be true or false")
	}
	u.Active = &is
	return nil
}

func custom(u *rocketchat.DesiredUser, value any) error {
	object, ok := value.(map[string]any)
	if !ok {
		return errors.New("must be an object")
	}
	u.CustomFields = object
	return nil
}

// column reads a cell that is not blank into a user.
type column struct {
	name string
	set  func(u *rocketchat.DesiredUser, cell string) error
}

// columnOf is the column with a name of the header.
func columnOf(name string) (column, bool) {
	name = strings.TrimSpace(name)
	if field, ok := strings.CutPrefix(name, "field:"); ok && field != "" {
		return column{name, func(u *rocketchat.DesiredUser, cell string) error {
			if u.CustomFields == nil {
				u.CustomFields = make(map[string]any)
			}
			u.CustomFields[field] = strings.TrimSpace(cell)
			return nil
		}}, true
	}
	name = strings.ToLower(name)
	set, ok := fields()[name]
	return column{name, func(u *rocketchat.DesiredUser, cell string) error {
		switch name {
		case "password": // spaces may be part of it
			return set(u, cell)
		case "roles":
			u.Roles = strings.Fields(cell)
			return nil
		case "active":
			yes, err := isYes(cell)
			if err != nil {
				return err
			}
			return set(u, yes)
		}
		return set(u, strings.TrimSpace(cell))
	}}, ok
}

// isYes reads a yes or no.
func isYes(cell string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(cell)) {
	case "yes", "true", "1", "y":
		return true, nil
	case "no", "false", "0", "n":
		return false, nil
	}
	return false, fmt.Errorf("must be yes or no, not %q", cell)
}

func (l *list) parseCSV(data []byte) {
	sheet := cli.ReadCSV(l.problems.File, data, func(name string) (string, bool) {
		c, known := columnOf(name)
		return c.name, known
	}, "username")
	l.problems = sheet.Problems
	columns := make([]column, len(sheet.Columns))
	for i, name := range sheet.Columns {
		columns[i], _ = columnOf(name)
	}
	for _, row := range sheet.Rows {
		l.row(row.Line, columns, row.Cells)
	}
}

// row reads the cells of a line.
func (l *list) row(line int, columns []column, cells []string) {
	var u rocketchat.DesiredUser
	good := true
	for i, cell := range cells {
		if strings.TrimSpace(cell) == "" {
			continue
		}
		if err := columns[i].set(&u, cell); err != nil {
			l.problems.Add(line, "%s %v", columns[i].name, err)
			good = false
		}
	}
	if good {
		l.add(line, u)
	}
}

// reader reads the JSON of a list.
type reader struct {
	*json.Decoder
	data   []byte
	offset int // up to which lines were counted
	before int // lines
}

func newReader(data []byte) *reader {
	return &reader{Decoder: json.NewDecoder(bytes.NewReader(data)), data: data}
}

// line is the line of what comes next.
func (r *reader) line() int {
	offset := int(r.InputOffset())
	for offset < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[offset]) >= 0 {
		offset++
	}
	r.before += bytes.Count(r.data[r.offset:offset], []byte("\n"))
	r.offset = offset
	return 1 + r.before
}

func (l *list) parseJSON(data []byte) {
	if len(bytes.TrimSpace(data)) == 0 {
		l.problems.Add(0, "the file is empty")
		return
	}
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		l.notJSON(data, err)
		return
	}
	r := newReader(data)
	line := r.line()
	if opened, _ := r.Token(); opened != json.Delim('[') {
		l.problems.Add(line, "the file must hold a list, from [ to ]")
		return
	}
	for r.More() {
		l.object(r)
	}
}

// notJSON adds the problem of a file that is not a single JSON value.
func (l *list) notJSON(data []byte, err error) {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		l.problems.Add(0, "is not JSON")
		return
	}
	line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
	switch text := syntax.Error(); {
	case strings.HasSuffix(text, "after top-level value"):
		l.problems.Add(line, "there is something after the end of the list")
	case strings.HasPrefix(text, "unexpected end"):
		l.problems.Add(line, "the file ends too early")
	default:
		l.problems.Add(line, "is not JSON: %s", text)
	}
}

// object reads one user.
func (l *list) object(r *reader) {
	line := r.line()
	var raw json.RawMessage
	_ = r.Decode(&raw)
	if raw[0] != '{' {
		l.problems.Add(line, "must be an object, from { to }")
		return
	}
	members := newReader(raw)
	_, _ = members.Token() // the opening brace
	known := fields()
	known["fields"] = custom
	seen := make(map[string]bool)
	var u rocketchat.DesiredUser
	good := true
	for members.More() {
		at := line + members.line() - 1
		name, value := member(members)
		set, ok := known[name]
		var err error
		switch {
		case !ok:
			err = errors.New("is not known")
		case seen[name]:
			err = errors.New("is given twice")
		case value != nil: // null leaves the field unchanged
			err = set(&u, value)
		}
		if seen[name] = true; err != nil {
			l.problems.Add(at, "%q %v", name, err)
			good = false
		}
	}
	if good {
		l.add(line, u)
	}
}

// member reads a name and its value, which are JSON.
func member(r *reader) (name string, value any) {
	token, _ := r.Token()
	name, _ = token.(string)
	_ = r.Decode(&value)
	return name, value
}
