package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"github.com/rocketchat-go/rocketchat"
)

// Progress shows how far a piece of work is: a bar on a terminal, if there is much to do,
// else a line for each step. Step may be called by several at a time.
type Progress struct {
	s     *Session
	mu    sync.Mutex
	total int
	ended int
	bar   *progressbar.ProgressBar // may be nil
}

const much = 10 // steps, that are worth a bar

// Progress begins a piece of work of so many steps.
func (s *Session) Progress(title string, total int) *Progress {
	p := &Progress{s: s, total: total}
	if s.screen != nil && total >= much {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(s.screen),
			progressbar.OptionSetDescription(title),
			progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(50*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	return p
}

// Step counts a step that ended. A failure gets a line above the bar.
func (p *Progress) Step(name, outcome string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended++
	if err != nil {
		outcome = "FAILED: " + err.Error()
	}
	line := Plain(fmt.Sprintf("%d/%d %s: %s", p.ended, p.total, name, outcome))
	if p.bar == nil {
		p.s.Note("%s", line)
		return
	}
	if err != nil {
		_ = p.bar.Clear()
		p.s.Note("%s", line)
	}
	_ = p.bar.Add(1) // a bar that cannot be drawn is no reason to stop
}

// Tick counts a step that is not worth a line.
func (p *Progress) Tick() {
	if p.bar != nil {
		_ = p.bar.Add(1)
	}
}

// Close ends the work, finished or not.
func (p *Progress) Close() {
	if p.bar != nil {
		_ = p.bar.Exit()
		p.bar = nil
	}
}

// Each does f for every item, so many at a time, and shows how far it is. One that fails
// does not stop the others. After Ctrl-C no other is begun, and those are named. The
// error counts what failed and what was not done, and wraps the first failure.
func Each[T any](ctx context.Context, s *Session, title string, atOnce int, items []T, name func(T) string, f func(context.Context, T) (string, error)) error {
	var (
		work    errgroup.Group
		mu      sync.Mutex
		failure error
		bad     int
		left    []string
	)
	shown := s.Progress(title, len(items))
	work.SetLimit(atOnce)
	for _, item := range items {
		work.Go(func() error {
			outcome, err := "", ctx.Err()
			if err == nil {
				outcome, err = f(ctx, item)
			}
			mu.Lock()
			defer mu.Unlock()
			if !begun(err) {
				left = append(left, name(item))
				return nil
			}
			shown.Step(name(item), outcome, err)
			if err != nil {
				bad++
				failure = cmp.Or(failure, err)
			}
			return nil
		})
	}
	_ = work.Wait() // its functions return none
	shown.Close()
	if len(left) > 0 {
		slices.Sort(left)
		s.Note("not done: %s", strings.Join(left, ", "))
	}
	s.Note("%d of %d done", len(items)-bad-len(left), len(items))
	if failure = cmp.Or(failure, ctx.Err()); bad+len(left) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d failed, %d were not begun: %w", bad, len(items), len(left), failure)
}

// begun reports whether what ended with err was begun, and not kept from it by Ctrl-C.
func begun(err error) bool {
	failure, called := errors.AsType[*rocketchat.Error](err)
	return !errors.Is(err, context.Canceled) || called && failure.Attempts > 0
}

// Table prints rows under a header to the result.
func (s *Session) Table(header []string, rows [][]string) { Table(s.Stdout, header, rows) }

// Table prints rows under a header.
func Table(to io.Writer, header []string, rows [][]string) {
	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	w.Style().Format.Header = text.FormatDefault
	w.AppendHeader(cells(header))
	for _, row := range rows {
		w.AppendRow(cells(row))
	}
	fmt.Fprintln(to, w.Render())
}

func cells(texts []string) table.Row {
	row := make(table.Row, len(texts))
	for i, t := range texts {
		row[i] = Plain(t)
	}
	return row
}

// Plain makes a text of other people fit for a terminal: names and messages can hold
// characters that clear a screen or move the cursor.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, text)
}
