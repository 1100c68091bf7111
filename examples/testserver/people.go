package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// columns are the columns that a file of people may have.
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

// unless sets the opposite of a cell; an empty cell changes nothing.
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

// person is a row of a file.
type person struct {
	rocketchattest.User
	line int
}

// readPeople reads a CSV file, and returns what is wrong with it.
func readPeople(name string, data []byte) (people []person, problems *cli.Problems) {
	known := columns()
	sheet := cli.ReadCSV(name, data, func(column string) (string, bool) {
		column = strings.ToLower(column)
		return column, known[column] != nil
	}, "username")
	for _, row := range sheet.Rows {
		p := person{line: row.Line}
		for i, cell := range row.Cells {
			if err := known[sheet.Columns[i]](&p.User, strings.TrimSpace(cell)); err != nil {
				sheet.Problems.Add(row.Line, "%s %v", sheet.Columns[i], err)
			}
		}
		people = append(people, p)
	}
	return people, &sheet.Problems
}
