package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Print writes a line of the result.
func (s *Session) Print(format string, args ...any) {
	_, _ = fmt.Fprintln(s.Stdout, wrap(Plain(fmt.Sprintf(format, args...)), width(s.Stdout)))
}

// Note writes a line about the work, which is not part of the result.
func (s *Session) Note(format string, args ...any) {
	line := wrap(Plain(fmt.Sprintf(format, args...)), width(s.Stderr))
	s.bar.above(func() { _, _ = fmt.Fprintln(s.Stderr, line) })
}

// Count is a number with its noun: "1 file", "3 files".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Plain replaces the characters of a text that a terminal would obey. Names and messages
// are written by other people, and could clear the screen, move the cursor or reverse the
// line.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) || r == '\u200c' || r == '\u200d' { // the joiners of scripts and emoji
			return r
		}
		return '·'
	}, text)
}

// WriteJSON writes the result as JSON, without characters that a terminal would obey.
func (s *Session) WriteJSON(result any) error {
	s.wrote = true
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if err := out.Encode(result); err != nil {
		return err
	}
	var escaped strings.Builder
	for _, r := range b.String() {
		if unicode.IsGraphic(r) || r == '\n' {
			escaped.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&escaped, `\u%04x`, unit)
		}
	}
	_, err := io.WriteString(s.Stdout, escaped.String())
	return err
}

// OutFile is a file that appears under its name when it is complete. It is opened before
// the work begins, so that a missing folder or a full disk is noticed in time.
type OutFile struct {
	*os.File
	path string // "" for what cannot be replaced, such as a device
}

// Create opens a file that only the user can read.
func Create(path string) (*OutFile, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, &fs.PathError{Op: "create", Path: path, Err: errors.New("is a folder")}
	case err == nil && !info.Mode().IsRegular():
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		return &OutFile{file, ""}, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with mode 0600
	if err != nil {
		if failure, ok := errors.AsType[*fs.PathError](err); ok {
			failure.Op, failure.Path = "create", path
		}
		return nil, err
	}
	return &OutFile{file, path}, nil
}

// Keep completes the file and gives it its name.
func (f *OutFile) Keep() error {
	if f.path == "" {
		return f.Close()
	}
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	return err
}

// Discard removes the file, unless it was kept.
func (f *OutFile) Discard() {
	_ = f.Close()
	if f.path != "" {
		_ = os.Remove(f.Name())
	}
}

// Table prints rows under a header to the result. On a terminal it fits its width: columns
// are left out, in the order of sparing, until the others have room, and then cut.
func (s *Session) Table(header []string, rows [][]string, sparing ...string) {
	s.TableTo(s.Stdout, header, rows, sparing...)
}

// TableTo prints rows under a header.
func (s *Session) TableTo(to io.Writer, header []string, rows [][]string, sparing ...string) {
	grid := newGrid(header, rows)
	var left []string
	if limit := width(to); limit > 0 {
		left = grid.fit(limit, sparing)
	}
	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	w.Style().Format.Header = text.FormatDefault
	configs := make([]table.ColumnConfig, len(grid.widths))
	for i, width := range grid.widths {
		configs[i] = table.ColumnConfig{Number: i + 1, WidthMax: width, WidthMaxEnforcer: snip}
	}
	w.SetColumnConfigs(configs)
	w.AppendHeader(grid.row(0))
	for i := range rows {
		w.AppendRow(grid.row(i + 1))
	}
	_, _ = fmt.Fprintln(to, w.Render())
	if len(left) > 0 {
		s.Note("not shown, because the terminal is too narrow: %s", strings.Join(left, ", "))
	}
}

func snip(cell string, width int) string { return text.Snip(cell, width, "…") }

// grid is the cells of a table, with the header as the first row.
type grid struct {
	cells  [][]string
	widths []int
}

func newGrid(header []string, rows [][]string) *grid {
	g := &grid{widths: make([]int, len(header))}
	for _, row := range append([][]string{header}, rows...) {
		plain := make([]string, len(row))
		for i, cell := range row {
			plain[i] = Plain(cell)
			g.widths[i] = max(g.widths[i], text.StringWidth(plain[i]))
		}
		g.cells = append(g.cells, plain)
	}
	return g
}

func (g *grid) row(i int) table.Row {
	row := make(table.Row, len(g.cells[i]))
	for j, cell := range g.cells[i] {
		row[j] = cell
	}
	return row
}

const (
	frame  = 3  // characters around a cell; the table has one more
	narrow = 10 // no column that is wider is cut below it while others can be left out
)

// fit makes the table fit a width, and returns the columns that it leaves out.
func (g *grid) fit(limit int, sparing []string) (left []string) {
	for _, name := range sparing {
		if g.needs(narrow) <= limit {
			break
		}
		if i := slices.Index(g.cells[0], name); i >= 0 {
			g.remove(i)
			left = append(left, name)
		}
	}
	for g.needs(limit) > limit {
		widest := 0
		for i, width := range g.widths {
			if width > g.widths[widest] {
				widest = i
			}
		}
		if g.widths[widest] == 1 {
			break
		}
		g.widths[widest]--
	}
	return left
}

// needs is the width of the table with no column wider than most.
func (g *grid) needs(most int) int {
	sum := 1
	for _, width := range g.widths {
		sum += frame + min(width, most)
	}
	return sum
}

func (g *grid) remove(column int) {
	for i, row := range g.cells {
		g.cells[i] = slices.Delete(row, column, column+1)
	}
	g.widths = slices.Delete(g.widths, column, column+1)
}
