// Command status sets a user's status and message from a calendar.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// sample is the calendar for the embedded server.
//
//go:embed sample.ics
var sample []byte

func main() { cli.Main(tool()) }

func tool() cli.Tool {
	var t timekeeper
	return cli.Tool{
		Name: "status",
		Summary: "status sets your status from a calendar (.ics), recurring events included: the summary of the\n" +
			"event that is on becomes the message; busy while it blocks time, away when it says out of office,\n" +
			"else online. Of events that overlap the one that blocks time counts, then the one that began\n" +
			"last. A private event shows as \"Busy\".\n\n" +
			"Servers from 8.6 on end the status with the event. On older ones it stays until status runs\n" +
			"again, so run it often, or with -watch, which switches at the right moments and reads the file\n" +
			"again every few minutes. When nothing is on it clears a message that is from the calendar, and\n" +
			"leaves alone any other.",
		Args:        "CALENDAR.ics, or - for standard input",
		Permissions: "none for oneself; edit-other-user-info for -user",
		Examples:    []string{"", "-dry-run work.ics", "-watch work.ics", "-user room.berlin -watch room.ics", "-clear"},
		Changes:     true,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&t.user, "user", "", "the `username` of somebody else")
			f.BoolVar(&t.watch, "watch", false, "keep running, and switch at the right moments")
			f.BoolVar(&t.clear, "clear", false, "be online without a message, whatever the calendar says, and do nothing else")
			f.Func("at", "with -dry-run: what would hold at this `time`, such as 2026-03-02T09:30:00+01:00", func(text string) (err error) {
				t.at, err = time.Parse(time.RFC3339, text)
				return err
			})
		},
		Demo: cli.Demo{Options: []rocketchattest.Option{rocketchattest.WithVersion("8.6.1")}},
		Run:  t.run,
	}
}

type timekeeper struct {
	*cli.Session
	user  string
	watch bool
	clear bool
	at    time.Time

	ref     rocketchat.UserRef // the zero value is oneself
	expires bool               // whether the server ends a status by itself
	last    *entry             // that was set
}

func (t *timekeeper) run(ctx context.Context, s *cli.Session) error {
	t.Session = s
	if err := t.check(); err != nil {
		return err
	}
	if t.user != "" {
		t.ref = rocketchat.ByUsername(t.user)
	}
	if t.clear {
		return t.set(ctx, nil)
	}
	info, err := s.Client.Server.Info(ctx)
	if err != nil {
		return err
	}
	t.expires = semver.Compare("v"+info.Version, "v8.6.0") >= 0
	switch {
	case s.DryRun:
		return t.foretell()
	case t.watch:
		return t.keep(ctx)
	}
	return t.once(ctx)
}

func (t *timekeeper) check() error {
	switch {
	case len(t.Args) > 1:
		return cli.Usage("one calendar at a time, please")
	case t.clear && (t.watch || len(t.Args) > 0):
		return cli.Usage("-clear needs no calendar, and does not go with -watch")
	case len(t.Args) == 0 && !t.clear && t.Demo == nil:
		return cli.Usage("which calendar?")
	case len(t.Args) == 1 && t.Args[0] == "-" && t.watch:
		return cli.Usage("-watch reads the calendar again and again, and needs a file for that")
	case !t.at.IsZero() && !t.DryRun:
		return cli.Usage("-at goes with -dry-run")
	case len(t.Args) == 0 && !t.clear:
		t.Note("no calendar was named: this is the sample that lies beside the program.")
	}
	return nil
}

// read reads the calendar around a moment.
func (t *timekeeper) read(now time.Time) (*calendar, error) {
	var input io.Reader = bytes.NewReader(sample)
	if len(t.Args) == 1 {
		file := t.Stdin
		if t.Args[0] != "-" {
			var err error
			if file, err = os.Open(t.Args[0]); err != nil {
				return nil, err
			}
			defer file.Close()
		}
		input = file
	}
	c, err := readCalendar(input, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(t.Args, ""), err)
	}
	return c, nil
}

// once sets what holds now.
func (t *timekeeper) once(ctx context.Context) error {
	now := time.Now()
	c, err := t.read(now)
	if err != nil {
		return err
	}
	t.doubt(c)
	holding := c.holding(now)
	if holding != nil && !t.expires {
		t.Note("this server does not end a status by itself: run it again then, or with -watch")
	}
	return t.follow(ctx, c, holding)
}

// follow sets what holds. When nothing does it clears what the calendar has set, if that
// is still there.
func (t *timekeeper) follow(ctx context.Context, c *calendar, holding *entry) error {
	if holding != nil {
		return t.set(ctx, holding)
	}
	present, err := t.message(ctx)
	if err != nil {
		return err
	}
	ours := c.knows(present) || t.last != nil && t.last.message == present // which the file may have lost
	if present == "" || !ours {
		t.Print("nothing is on; the status stays as it is")
		return nil
	}
	return t.set(ctx, nil)
}

const (
	reread = 5 * time.Minute // how old what was read of the calendar may get
	retry  = time.Minute     // after a failure
)

// keep sets what holds, whenever it changes, until the context ends.
func (t *timekeeper) keep(ctx context.Context) error {
	first := true
	for {
		now := time.Now()
		wait := reread
		c, err := t.read(now)
		if err == nil {
			if first {
				t.doubt(c)
			}
			wait = min(wait, c.next(now).Sub(now))
			if holding := c.holding(now); first || !same(holding, t.last) {
				if err = t.follow(ctx, c, holding); err == nil {
					first, t.last = false, holding
				}
			}
		}
		switch {
		case ctx.Err() != nil:
			return t.leave(ctx)
		case errors.Is(err, rocketchat.ErrUnauthorized), errors.Is(err, rocketchat.ErrForbidden), errors.Is(err, rocketchat.ErrNotFound):
			return err
		case err != nil:
			t.Note("status: %v; the next try is in %s", err, retry)
			wait = min(wait, retry)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return t.leave(ctx)
		}
	}
}

func same(a, b *entry) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// leave is the end of -watch: a status that would stay for ever is taken back.
func (t *timekeeper) leave(ctx context.Context) error {
	t.Note("stopped: the status is not kept up to date any more")
	if t.last == nil || t.expires {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return t.set(ctx, nil)
}

// set sets the status of an entry; nil is online without a message.
func (t *timekeeper) set(ctx context.Context, e *entry) error {
	update := rocketchat.StatusUpdate{Status: rocketchat.StatusOnline, Message: new(""), User: t.ref}
	done := "online, no message"
	if e != nil {
		update.Status, update.Message = e.status, &e.message
		done = fmt.Sprintf("%s: %s, until %s", e.status, cli.Plain(e.message), e.end.Local().Format(timeForm))
		if t.expires {
			update.ExpiresAt = e.end
		}
	}
	if t.DryRun {
		t.Print("would set: %s", done)
		return nil
	}
	if err := t.Client.Status.Set(ctx, update); err != nil {
		return err
	}
	t.Print("%s  %s", time.Now().Format(time.TimeOnly), done)
	return nil
}

const timeForm = "Mon 15:04"

// message is the present message.
func (t *timekeeper) message(ctx context.Context) (string, error) {
	if t.user == "" {
		me, err := t.Client.Me.Get(ctx)
		if err != nil {
			return "", err
		}
		return me.StatusText, nil
	}
	user, err := t.Client.Users.Get(ctx, t.ref)
	if err != nil {
		return "", err
	}
	return user.StatusText, nil
}

const foretold = 8 // switches

// foretell prints what would be set now and next.
func (t *timekeeper) foretell() error {
	now := t.at
	if now.IsZero() {
		now = time.Now()
	}
	c, err := t.read(now)
	if err != nil {
		return err
	}
	t.doubt(c)
	var rows [][]string
	last := &entry{message: "none yet"}
	for at := now; len(rows) < foretold && at.Before(now.Add(7*24*time.Hour)); at = c.next(at) {
		holding := c.holding(at)
		if same(holding, last) {
			continue
		}
		row := []string{at.Format(timeForm), "online", "", ""}
		if holding != nil {
			row = []string{at.Format(timeForm), string(holding.status), holding.message, holding.end.In(at.Location()).Format(timeForm)}
		}
		rows, last = append(rows, row), holding
	}
	t.Table([]string{"from", "status", "message", "event ends"}, rows)
	t.Note("-dry-run: nothing was changed")
	return nil
}

func (t *timekeeper) doubt(c *calendar) {
	for _, doubt := range c.doubts {
		t.Note("calendar: %s", cli.Plain(doubt))
	}
}
