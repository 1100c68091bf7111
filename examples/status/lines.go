package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-ical"
)

const (
	maxDepth  = 10       // of components in each other
	maxParams = 4 << 10  // bytes before the value of a line
	lineProp  = "X-LINE" // says where in the file an event begins
)

// contentLine is a line of a calendar: a name, parameters, a value.
var contentLine = regexp.MustCompile(`^[0-9A-Za-z-]+(?:;[0-9A-Za-z-]+=(?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)*:`)

// scan reads the lines of a file. It drops lines that do not belong to a calendar, which
// package ical would reject, and notes in each event where it begins.
func (c *calendar) scan(data []byte) ([]byte, error) {
	var out bytes.Buffer
	depth, seen := 0, false
	for number, line := range unfolded(data) {
		head := contentLine.FindString(line)
		kind, value := strings.ToUpper(strings.TrimSuffix(head, ":")), line[len(head):]
		switch {
		case line == "" || kind == lineProp || strings.HasPrefix(kind, lineProp+";"):
			continue
		case !utf8.ValidString(line):
			c.doubts = append(c.doubts, fmt.Sprintf("%s:%d: skipped: it is not UTF-8", c.name, number))
			continue
		case head == "" || len(head) > maxParams:
			c.doubts = append(c.doubts, fmt.Sprintf("%s:%d: skipped: it is not a line of a calendar", c.name, number))
			continue
		case kind == "BEGIN":
			depth++
			seen = true
		case kind == "END":
			depth--
		case depth == 0:
			c.doubts = append(c.doubts, fmt.Sprintf("%s:%d: skipped: it is outside of the calendar", c.name, number))
			continue
		}
		if depth > maxDepth {
			return nil, fmt.Errorf("%s:%d: the parts of the calendar are nested too deep", c.name, number)
		}
		out.WriteString(line + "\r\n")
		if kind == "BEGIN" && strings.EqualFold(value, ical.CompEvent) {
			fmt.Fprintf(&out, "%s:%d\r\n", lineProp, number)
		}
	}
	switch {
	case !seen:
		return nil, fmt.Errorf("%s: is not a calendar", c.name)
	case depth > 0:
		return nil, fmt.Errorf("%s: ends too early", c.name)
	}
	return out.Bytes(), nil
}

// unfolded yields the lines of a file with their numbers. A line that begins with a blank
// continues the line before.
func unfolded(data []byte) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		var line strings.Builder
		first, number := 1, 0
		for part := range strings.SplitSeq(strings.TrimPrefix(string(data), "\uFEFF"), "\n") {
			number++
			part = strings.TrimRight(part, "\r")
			if number > 1 && part != "" && (part[0] == ' ' || part[0] == '\t') {
				line.WriteString(part[1:])
				continue
			}
			if number > 1 && !yield(first, line.String()) {
				return
			}
			line.Reset()
			line.WriteString(part)
			first = number
		}
		yield(first, line.String())
	}
}

// decode reads the events of all calendars.
func decode(lines []byte) (events []ical.Event, err error) {
	for decoder := ical.NewDecoder(bytes.NewReader(lines)); ; {
		part, err := decoder.Decode()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, errors.New(strings.TrimPrefix(err.Error(), "ical: "))
		}
		events = append(events, part.Events()...)
	}
}

// place is the file and the line of an event.
func (c *calendar) place(event ical.Event) string { return c.name + ":" + text(event, lineProp) }
