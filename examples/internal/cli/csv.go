package cli

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Sheet is the content of a CSV file.
type Sheet struct {
	Columns  []string
	Rows     []Row
	Problems Problems
}

// Row is a line of a [Sheet], with a cell for each column.
type Row struct {
	Line  int
	Cells []string
}

// ReadCSV reads a CSV file with a header. The function known returns the name of a column
// as the program spells it, or false for a column that it does not know. Rows without a
// text are skipped. ReadCSV goes on after a problem as far as it can, so that all of them
// can be mended at once.
func ReadCSV(file string, data []byte, known func(column string) (name string, ok bool), required ...string) *Sheet {
	s := &Sheet{Problems: Problems{File: file}}
	lines := csv.NewReader(bytes.NewReader(data))
	lines.Comma = separator(data)
	lines.FieldsPerRecord = -1 // the number of cells is checked in row
	header, err := lines.Read()
	switch {
	case errors.Is(err, io.EOF):
		s.Problems.Add(0, "the file is empty")
		return s
	case err != nil:
		s.unreadable(err)
		return s
	}
	s.header(header, known, required)
	for len(s.Columns) > 0 {
		cells, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // the reader cannot tell where the next line begins
			s.unreadable(err)
			break
		}
		line, _ := lines.FieldPos(0)
		s.row(line, cells)
	}
	return s
}

// separator is the character between cells. Spreadsheets take a semicolon where the comma
// is the decimal separator.
func separator(data []byte) rune {
	header, _, _ := bytes.Cut(data, []byte("\n"))
	for _, r := range ",;\t" {
		if bytes.ContainsRune(header, r) {
			return r
		}
	}
	return ','
}

// unreadable is the problem of a line that is not CSV.
func (s *Sheet) unreadable(err error) {
	failure, ok := errors.AsType[*csv.ParseError](err)
	switch {
	case !ok:
		s.Problems.Add(0, "%v", err)
	case failure.Line > failure.StartLine && (errors.Is(err, csv.ErrQuote) || errors.Is(err, csv.ErrBareQuote)):
		s.Problems.Add(failure.StartLine, "a cell that begins here with a quotation mark has no proper end; one was looked for up to line %d", failure.Line)
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote):
		s.Problems.Add(failure.Line, "a quotation mark is out of place, column %d", failure.Column)
	default:
		s.Problems.Add(failure.Line, "%v", failure.Err)
	}
}

// header sets the columns, unless there is something wrong with them.
func (s *Sheet) header(header []string, known func(string) (string, bool), required []string) {
	var columns []string
	for _, cell := range header {
		name, ok := known(strings.TrimSpace(cell))
		switch {
		case !ok:
			s.Problems.Add(1, "the column %s is not known", quoted(cell))
		case slices.Contains(columns, name):
			s.Problems.Add(1, "there are two columns %s", quoted(name))
		}
		columns = append(columns, name)
	}
	for _, name := range required {
		if !slices.Contains(columns, name) {
			s.Problems.Add(1, "there is no column %s; the columns are %s", quoted(name), quoted(header...))
		}
	}
	if s.Problems.None() {
		s.Columns = columns
	}
}

func (s *Sheet) row(line int, cells []string) {
	switch {
	case strings.TrimSpace(strings.Join(cells, "")) == "":
	case len(cells) != len(s.Columns):
		s.Problems.Add(line, "has %s, but the header has %d", Count(len(cells), "cell", "cells"), len(s.Columns))
	default:
		s.Rows = append(s.Rows, Row{line, cells})
	}
}

const quotable = 60 // characters of a name that are worth showing

// quoted lists names in quotation marks.
func quoted(names ...string) string {
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = fmt.Sprintf("%q", snip(strings.TrimSpace(name), quotable))
	}
	return strings.Join(shown, ", ")
}

// Fold is a username without its case. Servers ignore the case of the ASCII letters only.
func Fold(username string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, username)
}

// WriteCSV writes rows for a spreadsheet, or for reading on a terminal.
func WriteCSV(to io.Writer, rows [][]string) error {
	safe := make([][]string, len(rows))
	for i, row := range rows {
		safe[i] = make([]string, len(row))
		for j, cell := range row {
			safe[i][j] = formula.ReplaceAllString(Plain(cell), "${1}'${2}")
		}
	}
	return csv.NewWriter(to).WriteAll(safe)
}

// formula matches what makes a spreadsheet compute a cell. Where cells are separated by
// semicolons, a cell can also begin after one.
var formula = regexp.MustCompile(`(^|;)(\s*[-=+@＝＋－＠])`)
