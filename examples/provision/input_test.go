package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

func TestCSV(t *testing.T) {
	t.Parallel()
	l := parse("people.csv", "csv", []byte("Username, NAME ,email,roles,password,active,bio,nickname,field:Team\r\n"+
		"ann, Ann Lee ,ann@example.com,user  guest, a b ,NO,\"Likes, commas\nand lines\",,sales\r\n"+
		"bob,,,,,,,,\r\n"))
	assert.True(t, l.problems.None())
	require.Equal(t, []rocketchat.DesiredUser{
		{
			Username: "ann", Name: "Ann Lee", Email: "ann@example.com", Roles: []string{"user", "guest"}, Password: rocketchat.NewSecret(" a b "),
			Active: new(false), Bio: new("Likes, commas\nand lines"), CustomFields: map[string]any{"Team": "sales"},
		},
		{Username: "bob"},
	}, l.users)
	assert.Equal(t, "people.csv:4", l.place("BOB"), "the cell before has two lines")
	assert.Equal(t, "people.csv", l.place("carl"))
}

func TestJSON(t *testing.T) {
	t.Parallel()
	l := parse("people.json", "json", []byte(`[
		{"username": "ann", "bio": "", "roles": [], "active": true, "fields": {"team": "sales"}},

		{"username": "bob",
		 "name": null}
	]
	`))
	assert.True(t, l.problems.None())
	assert.Equal(t, []rocketchat.DesiredUser{
		{Username: "ann", Bio: new(""), Roles: []string{}, Active: new(true), CustomFields: map[string]any{"team": "sales"}},
		{Username: "bob"},
	}, l.users)
	assert.Equal(t, "people.json:4", l.place("bob"))
}

// All problems are told, each with the file and the line.
func TestProblems(t *testing.T) {
	t.Parallel()
	for text, expected := range map[string][]string{
		"":                                       {"p.csv: the file is empty"},
		"\n\n":                                   {"p.csv: the file is empty"},
		"username\n":                             {"p.csv: the file lists nobody"},
		"user,name\nx,y\n":                       {`p.csv:1: the column "user" is not known`, `p.csv:1: there is no column "username"; the columns are "user", "name"`},
		"name\nx\n":                              {`p.csv:1: there is no column "username"; the columns are "name"`},
		"username,name,Name \nx,y,z\n":           {`p.csv:1: there are two columns "name"`},
		"username,field:a,field:a\nx,y,z\n":      {`p.csv:1: there are two columns "field:a"`},
		"username,name\nx\ny,1\nz,1,2\n":         {"p.csv:2: has 1 cell, but the header has 2", "p.csv:4: has 3 cells, but the header has 2"},
		"username,active\nx,perhaps\ny,yes\n,no": {`p.csv:2: active must be yes or no, not "perhaps"`, "p.csv:4: the username is empty"},
		"username\nanna\n\nAnna\n":               {"p.csv:4: Anna is already listed in line 2"},
		"username,name\nx,\"a\"b\ny,z\n":         {"p.csv:2: a quotation mark is out of place, column 5"},
		"username,name\nx\nA,\na,\n":             {"p.csv:2: has 1 cell, but the header has 2", "p.csv:4: a is already listed in line 3"},
		"username,name\nX,\nx,\ny\n":             {"p.csv:3: x is already listed in line 2", "p.csv:4: has 1 cell, but the header has 2"},
		"username,name\nx,\"a\ny,z\n":            {"p.csv:2: a cell that begins here with a quotation mark has no proper end; one was looked for up to line 3"},
		"username;name\nx;y;z\n":                 {"p.csv:2: has 3 cells, but the header has 2"},
		"username\tname\nx\n,\n\t\n":             {"p.csv:2: has 1 cell, but the header has 2", "p.csv:3: has 1 cell, but the header has 2"},
	} {
		assert.Equal(t, expected, parse("p.csv", "csv", []byte(text)).problems.List(), "%q", text)
	}
	for text, expected := range map[string][]string{
		"":                                 {"p.json: the file is empty"},
		"[]":                               {"p.json: the file lists nobody"},
		`{"username":"x"}`:                 {"p.json:1: the file must hold a list, from [ to ]"},
		`[{"username":"x"}] [{}]`:          {"p.json:1: there is something after the end of the list"},
		"[{\"username\":\"x\"}]\n\nnull":   {"p.json:3: there is something after the end of the list"},
		"[{\"username\":\"x\"}]\n]":        {"p.json:2: there is something after the end of the list"},
		"[\n{\"username\":\"x\"},\n{\"us":  {"p.json:3: the file ends too early"},
		"[\n{\"username\":\"x\"}":          {"p.json:2: the file ends too early"},
		"[\n{\"username\":\"x\"},\n{oops}": {"p.json:3: is not JSON: invalid character 'o' looking for beginning of object key string"},
		"[\n1,\n[],\n{\"username\":\"x\"}]": {
			"p.json:2: must be an object, from { to }", "p.json:3: must be an object, from { to }",
		},
		"[{\"user\":\"x\"},\n{\"username\":\"y\",\n\"name\":7},\n{\"username\":\"y\",\"roles\":\"user\"},\n{\"username\":\"y\",\"active\":\"yes\",\"active\":true}]": {
			`p.json:1: "user" is not known`, `p.json:3: "name" must be a text`, `p.json:4: "roles" must be a list of texts`,
			`p.json:5: "active" must be true or false`, `p.json:5: "active" is given twice`,
		},
		"[{\"username\":\"y\",\"roles\":[\"a\",1]},\n{\"username\":\"\"},{\"username\":\"x\",\"fields\":[]}]": {
			`p.json:1: "roles" must be a list of texts`, "p.json:2: the username is empty", `p.json:2: "fields" must be an object`,
		},
		"[{\"username\":\"anna\"},\n{\"username\":\"ANNA\"}]": {"p.json:2: ANNA is already listed in line 1"},
	} {
		assert.Equal(t, expected, parse("p.json", "json", []byte(text)).problems.List(), "%q", text)
	}
}
