package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
)

// lead starts the processes, shows their progress, and returns the batches of those that
// die.
func (f *fleet) lead(ctx context.Context, rdb *redis.Client, environment []string, people []person) error {
	l := &list{rdb, strconv.FormatInt(time.Now().UnixNano(), 36)}
	if err := l.fill(ctx, people, f.Batch); err != nil {
		return err
	}
	defer l.remove(context.WithoutCancel(ctx))
	began := time.Now()
	b := newBoard(f, len(people))
	var all sync.WaitGroup
	for i := range f.Processes {
		all.Go(func() {
			if err := f.follow(ctx, i, l, environment, b); err != nil {
				b.problem("process %d: %s", i+1, cli.Explain(err))
			}
		})
	}
	all.Wait()
	b.close()
	left, err := l.remaining(context.WithoutCancel(ctx))
	f.Note("%d created, %d changed, %d unchanged, %d failed, in %s", b.sum.Created, b.sum.Changed, b.sum.As, b.sum.Failed,
		time.Since(began).Round(time.Second/10))
	notDone := cli.Count(left, "batch was not done", "batches were not done")
	switch {
	case err != nil:
		return errors.Join(ctx.Err(), err)
	case ctx.Err() != nil:
		f.Note("%s, or only in part", notDone)
		return ctx.Err()
	case left > 0:
		return fmt.Errorf("%s, since all processes have ended", notDone)
	case b.sum.Failed > 0:
		return cli.Reported(nil)
	}
	return nil
}

// follow runs a process to its end.
func (f *fleet) follow(ctx context.Context, i int, l *list, environment []string, b *board) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	process := exec.CommandContext(ctx, self, "--worker", l.name, "--scope", f.Scope)
	process.Cancel = func() error { return process.Process.Signal(os.Interrupt) } // it ends like this program
	process.WaitDelay = time.Minute                                               // its call in flight gets 10 s to end, then it logs out
	process.Env = append(os.Environ(), environment...)
	var complaints bytes.Buffer
	process.Stderr = &complaints
	output, err := process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := process.Start(); err != nil {
		return err
	}
	ended := b.read(i, output)
	failure := process.Wait()
	if ended || ctx.Err() != nil {
		return nil //nolint:nilerr // lead knows of Ctrl-C, and all else that counts was read
	}
	given, err := l.release(ctx, strconv.Itoa(process.Process.Pid))
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(complaints.String()), "\n")
	why := cmp.Or(lines[len(lines)-1], fmt.Sprint(failure))
	return fmt.Errorf("ended early (%s); %s left to the others", strings.TrimPrefix(why, "fleet: "), cli.Count(given, "batch is", "batches are"))
}

// board shows the progress: on a terminal a bar for each process and one for all, and
// otherwise a line after every tenth of the work.
type board struct {
	fleet *fleet
	bars  *mpb.Progress // nil without a terminal
	each  []*mpb.Bar
	total *mpb.Bar

	mu    sync.Mutex
	sum   news
	all   int
	shown int // tenths of the work
}

func newBoard(f *fleet, people int) *board {
	b := &board{fleet: f, all: people}
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return b
	}
	b.bars = mpb.New(mpb.WithOutput(os.Stderr), mpb.WithWidth(50))
	add := func(name string) *mpb.Bar {
		return b.bars.AddBar(int64(people), mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.CountersNoUnit("%d / %d")))
	}
	for i := range f.Processes {
		b.each = append(b.each, add(fmt.Sprintf("process %d", i+1)))
	}
	b.total = add("all")
	return b
}

// read reads the output of a process and reports whether it finished.
func (b *board) read(i int, from io.Reader) (ended bool) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var n news
		if json.Unmarshal(lines.Bytes(), &n) != nil {
			continue
		}
		ended = ended || n.Ended
		b.add(i, &n)
	}
	return ended && lines.Err() == nil
}

func (b *board) add(i int, n *news) {
	for _, problem := range n.Problems {
		b.problem("%s", problem)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sum.Created += n.Created
	b.sum.Changed += n.Changed
	b.sum.As += n.As
	b.sum.Failed += n.Failed
	if b.bars != nil {
		b.each[i].IncrBy(n.people())
		b.total.IncrBy(n.people())
		return
	}
	if tenths := 10 * b.sum.people() / max(b.all, 1); tenths > b.shown {
		b.shown = tenths
		b.fleet.Note("%d of %d", b.sum.people(), b.all)
	}
}

// problem writes a line, above the bars if there are any.
func (b *board) problem(format string, args ...any) {
	line := cli.Plain(fmt.Sprintf(format, args...))
	if b.bars == nil {
		b.fleet.Note("%s", line)
		return
	}
	_, _ = fmt.Fprintln(b.bars, line)
}

func (b *board) close() {
	if b.bars == nil {
		return
	}
	for _, bar := range append(b.each, b.total) {
		bar.Abort(false) // each process did only a part of the work
	}
	b.bars.Wait()
}
