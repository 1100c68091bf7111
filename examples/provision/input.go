package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
)

func parse(input io.Reader, format string) ([]rocketchat.DesiredUser, error) {
	switch format {
	case "", "csv":
		return parseCSV(input)
	case "json":
		return parseJSON(input)
	}
	return nil, cli.Usage("-format must be csv or json, not %q", format)
}

// column reads a cell, which is not blank, into a user.
type column func(u *rocketchat.DesiredUser, cell string) error

// columnOf is the column with the name that stands in the header.
func columnOf(name string) (column, error) {
	text := func(field func(*rocketchat.DesiredUser) *string) column {
		return func(u *rocketchat.DesiredUser, cell string) error {
			*field(u) = strings.TrimSpace(cell)
			return nil
		}
	}
	if field, custom := strings.CutPrefix(name, "field:"); custom && field != "" {
		return func(u *rocketchat.DesiredUser, cell string) error {
			if u.CustomFields == nil {
				u.CustomFields = make(map[string]any)
			}
			u.CustomFields[field] = strings.TrimSpace(cell)
			return nil
		}, nil
	}
	switch name {
	case "username":
		return text(func(u *rocketchat.DesiredUser) *string { return &u.Username }), nil
	case "name":
		return text(func(u *rocketchat.DesiredUser) *string { return &u.Name }), nil
	case "email":
		return text(func(u *rocketchat.DesiredUser) *string { return &u.Email }), nil
	case "bio":
		return text(func(u *rocketchat.DesiredUser) *string { u.Bio = new(""); return u.Bio }), nil
	case "nickname":
		return text(func(u *rocketchat.DesiredUser) *string { u.Nickname = new(""); return u.Nickname }), nil
	case "password":
		return func(u *rocketchat.DesiredUser, cell string) error {
			u.Password = rocketchat.NewSecret(cell)
			return nil
		}, nil
	case "roles":
		return func(u *rocketchat.DesiredUser, cell string) error {
			u.Roles = strings.Fields(cell)
			return nil
		}, nil
	case "active":
		return func(u *rocketchat.DesiredUser, cell string) (err error) {
			u.Active, err = isYes(cell)
			return err
		}, nil
	}
	return nil, fmt.Errorf("there is no column %q", name)
}

// isYes reads a yes or no.
func isYes(cell string) (*bool, error) {
	switch strings.ToLower(strings.TrimSpace(cell)) {
	case "yes", "true", "1", "y":
		return new(true), nil
	case "no", "false", "0", "n":
		return new(false), nil
	}
	return nil, errors.New("active must be yes or no")
}

const byteOrderMark = "\uFEFF" // which spreadsheets put first

func parseCSV(input io.Reader) ([]rocketchat.DesiredUser, error) {
	lines := csv.NewReader(input)
	header, err := lines.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, err
	}
	columns := make([]column, len(header))
	for i, name := range header {
		name = strings.TrimSpace(strings.TrimPrefix(name, byteOrderMark))
		if !strings.HasPrefix(name, "field:") {
			name = strings.ToLower(name)
		}
		if columns[i], err = columnOf(name); err != nil {
			return nil, err
		}
	}
	var desired []rocketchat.DesiredUser
	for {
		cells, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return desired, nil
		}
		if err != nil {
			return nil, err
		}
		var u rocketchat.DesiredUser
		for i, cell := range cells {
			if strings.TrimSpace(cell) == "" {
				continue
			}
			if err := columns[i](&u, cell); err != nil {
				line, _ := lines.FieldPos(i)
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
		}
		desired = append(desired, u)
	}
}

func parseJSON(input io.Reader) ([]rocketchat.DesiredUser, error) {
	var list []struct {
		Username string            `json:"username"`
		Name     string            `json:"name"`
		Email    string            `json:"email"`
		Roles    []string          `json:"roles"`
		Password rocketchat.Secret `json:"password"`
		Active   *bool             `json:"active"`
		Bio      *string           `json:"bio"`
		Nickname *string           `json:"nickname"`
		Fields   map[string]any    `json:"fields"`
	}
	decoder := json.NewDecoder(input)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&list); err != nil {
		return nil, err
	}
	desired := make([]rocketchat.DesiredUser, len(list))
	for i, u := range list {
		desired[i] = rocketchat.DesiredUser{
			Username: u.Username, Name: u.Name, Email: u.Email, Roles: u.Roles, Password: u.Password,
			Active: u.Active, Bio: u.Bio, Nickname: u.Nickname, CustomFields: u.Fields,
		}
	}
	return desired, nil
}
