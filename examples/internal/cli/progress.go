package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"github.com/rocketchat-go/rocketchat"
)

// bar is the bar on the screen, if there is one.
type bar struct {
	mu    sync.Mutex
	drawn *progressbar.ProgressBar
}

// above calls write with the bar out of the way; the bar moves down.
func (b *bar) above(write func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn != nil {
		_ = b.drawn.Clear()
	}
	write()
}

func (b *bar) set(drawn *progressbar.ProgressBar) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn != nil {
		_ = b.drawn.Exit()
	}
	b.drawn = drawn
}

func (b *bar) add() (shown bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn != nil {
		_ = b.drawn.Add(1) // a bar that cannot be drawn is no reason to stop
	}
	return b.drawn != nil
}

// Progress shows how far a piece of work is: a bar on a terminal if there is much to do,
// otherwise a line for each step. Step may be called by several goroutines.
type Progress struct {
	s     *Session
	mu    sync.Mutex
	total int
	ended int
}

const much = 10 // steps that are worth a bar

// Progress begins a piece of work with total steps.
func (s *Session) Progress(title string, total int) *Progress {
	if s.screen != nil && total >= much {
		s.bar.set(progressbar.NewOptions(total,
			progressbar.OptionSetWriter(s.screen),
			progressbar.OptionSetDescription(title),
			progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(50*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		))
	}
	return &Progress{s: s, total: total}
}

// Step counts a step that ended. A failure gets a line even beside a bar.
func (p *Progress) Step(name, outcome string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended++
	shown := p.s.bar.add()
	switch {
	case err != nil:
		p.s.warn("%d/%d %s: FAILED: %s", p.ended, p.total, name, Explain(err))
	case !shown:
		p.s.Note("%d/%d %s: %s", p.ended, p.total, name, outcome)
	}
}

// Tick counts a step without writing a line.
func (p *Progress) Tick() { p.s.bar.add() }

// Close ends the work, finished or not.
func (p *Progress) Close() { p.s.bar.set(nil) }

// warn is [Session.Note] in red, where there are colors.
func (s *Session) warn(format string, args ...any) {
	if s.screen == nil || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		s.Note(format, args...)
		return
	}
	plain := wrap(Plain(fmt.Sprintf(format, args...)), width(s.Stderr))
	line := text.FgRed.EscapeSeq() + plain + text.Reset.EscapeSeq()
	s.bar.above(func() { _, _ = fmt.Fprintln(s.Stderr, line) })
}

// Outcome is the result for one item.
type Outcome struct {
	Name   string `json:"name"`
	Result string `json:"result"` // done, failed or not begun
	Detail string `json:"detail,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Each calls f for every item, atOnce of them at a time, and shows the progress. A failure
// does not stop the others. After Ctrl-C no further item is begun. The last line counts
// what was done, what failed and what was not begun.
func Each[T any](ctx context.Context, s *Session, title string, atOnce int, items []T, name func(T) string, f func(context.Context, T) (string, error)) ([]Outcome, error) {
	var (
		work    errgroup.Group
		mu      sync.Mutex
		failure error
		counts  = make(map[string]int)
	)
	outcomes := make([]Outcome, len(items))
	shown := s.Progress(title, len(items))
	work.SetLimit(atOnce)
	for i, item := range items {
		work.Go(func() error {
			detail, err := "", ctx.Err()
			if err == nil {
				detail, err = f(ctx, item)
			}
			mu.Lock()
			defer mu.Unlock()
			o := Outcome{Name: name(item), Detail: detail, Result: "done"}
			switch {
			case !begun(err):
				o.Result = "not begun"
				failure = cmp.Or(failure, err)
			case err != nil:
				o.Result, o.Error = "failed", Explain(err)
				failure = cmp.Or(failure, err)
			}
			if o.Result != "not begun" {
				shown.Step(o.Name, detail, err)
			}
			outcomes[i] = o
			counts[o.Result]++
			return nil
		})
	}
	_ = work.Wait() // the functions above return no error
	shown.Close()
	for _, o := range outcomes {
		if o.Result == "not begun" {
			s.Note("%s: not begun", o.Name)
		}
	}
	s.Note("%d done, %d failed, %d not begun", counts["done"], counts["failed"], counts["not begun"])
	if failure != nil {
		return outcomes, Reported(failure)
	}
	return outcomes, nil
}

// begun reports whether a step that ended with err had begun. It had not if Ctrl-C came
// before its first call was sent.
func begun(err error) bool {
	failure, called := errors.AsType[*rocketchat.Error](err)
	return !errors.Is(err, context.Canceled) || called && failure.Attempts > 0
}
