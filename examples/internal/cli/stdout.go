package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// stdout is the standard output. When it cannot be written to, for example because
// the program that reads it has ended, the work is stopped: nobody would see the result.
type stdout struct {
	file *os.File
	stop context.CancelFunc

	mu  sync.Mutex
	err error // the first failure
}

// Write implements [io.Writer].
func (o *stdout) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.err == nil {
			o.err = err
			o.stop()
		}
	}
	return n, err
}

func (o *stdout) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// unread reports whether an error of standard output means that its reader has ended, as
// head does after its lines. That is no problem worth a message.
func unread(err error) bool { return errors.Is(err, syscall.EPIPE) }

// terminalOf returns the terminal that w writes to, or nil.
func terminalOf(w any) *os.File {
	file, ok := w.(*os.File)
	if o, wrapped := w.(*stdout); wrapped {
		file, ok = o.file, true
	}
	if !ok || !isTerminal(file) {
		return nil
	}
	return file
}

// width returns the number of columns of the terminal that w writes to; 0 if there is
// none.
func width(w any) int {
	file := terminalOf(w)
	if file == nil {
		return 0
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// wrap breaks a line at blanks so that no part is wider than limit; 0 is no limit. What
// follows is indented by two more blanks. Words are not broken, so that paths and commands
// can be copied.
func wrap(line string, limit int) string {
	if limit <= 0 || text.StringWidth(line) <= limit {
		return line
	}
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	var wrapped strings.Builder
	column := 0
	for word := range strings.SplitAfterSeq(strings.TrimPrefix(line, indent), " ") {
		wide := text.StringWidth(strings.TrimRight(word, " "))
		switch {
		case column == 0:
			wrapped.WriteString(indent)
			column = len(indent)
			indent += "  "
		case column+wide > limit && wide > 0:
			wrapped.WriteString("\n" + indent)
			column = len(indent)
		}
		wrapped.WriteString(word)
		column += text.StringWidth(word)
	}
	return trimLines(wrapped.String())
}

// trimLines removes blanks at the ends of lines.
func trimLines(lines string) string {
	parts := strings.Split(lines, "\n")
	for i, part := range parts {
		parts[i] = strings.TrimRight(part, " ")
	}
	return strings.Join(parts, "\n")
}
