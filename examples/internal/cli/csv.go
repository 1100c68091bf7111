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
	Problems []string // each with the file and the line
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
	s := new(Sheet)
	lines := csv.NewReader(bytes.NewReader(data))
	lines.Comma = separator(data)
	lines.FieldsPerRecord = -1 // the number of cells is checked in row
	header, err := lines.Read()
	switch {
	case errors.Is(err, io.EOF):
		s.Problems = append(s.Problems, file+": the file is empty")
		return s
	case err != nil:
		s.unreadable(file, err)
		return s
	}
	s.header(file, header, known, required)
	for len(s.Columns) > 0 {
		cells, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // the reader cannot tell where the next line begins
			s.unreadable(file, err)
			break
		}
		line, _ := lines.FieldPos(0)
		s.row(file, line, cells)
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

func (s *Sheet) problem(file string, line int, format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf("%s:%d: ", file, line)+fmt.Sprintf(format, args...))
}

// unreadable is the problem of a line that is not CSV.
func (s *Sheet) unreadable(file string, err error) {
	failure, ok := errors.AsType[*csv.ParseError](err)
	switch {
	case !ok:
		s.Problems = append(s.Problems, fmt.Sprintf("%s: %v", file, err))
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote):
		s.problem(file, failure.Line, "a quotation mark is out of place, column %d", failure.Column)
	default:
		s.problem(file, failure.Line, "%v", failure.Err)
	}
}

// header sets the columns, unless there is something wrong with them.
func (s *Sheet) header(file string, header []string, known func(string) (string, bool), required []string) {
	var columns []string
	for _, cell := range header {
		name, ok := known(strings.TrimSpace(cell))
		switch {
		case !ok:
			s.problem(file, 1, "the column %s is not known", quoted(cell))
		case slices.Contains(columns, name):
			s.problem(file, 1, "there are two columns %s", quoted(name))
		}
		columns = append(columns, name)
	}
	for _, name := range required {
		if !slices.Contains(columns, name) {
			s.problem(file, 1, "there is no column %s; the columns are %s", quoted(name), quoted(header...))
		}
	}
	if len(s.Problems) == 0 {
		s.Columns = columns
	}
}

func (s *Sheet) row(file string, line int, cells []string) {
	switch {
	case strings.TrimSpace(strings.Join(cells, "")) == "":
	case len(cells) != len(s.Columns):
		s.problem(file, line, "has %s, but the header has %d", Count(len(cells), "cell", "cells"), len(s.Columns))
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
