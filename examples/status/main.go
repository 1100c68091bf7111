// Command status sets a user's status and message from a calendar.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

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
	return cli.Tool{
		Name: "status",
		Summary: `Sets your status from a calendar (.ics), including recurring events. The summary of the current event becomes the message. The status is busy if the event blocks time, away if it is marked out of office, and otherwise online. If events overlap, one that blocks time is preferred, then the one that began last. A private event is shown as "Busy".

Servers from 8.6 on end the status with the event. On older servers it stays until the program runs again, so run it often or use --watch, which changes the status at the right moments and reads the file again every few minutes. If no event is on, a message from the calendar is cleared, and any other is left unchanged.`,
		Permissions: "none for oneself; edit-other-user-info for --user",
		Examples:    []string{"", "--dry-run work.ics", "--watch work.ics", "--user room.berlin --watch room.ics", "--clear"},
		Changes:     true,
		Results:     true,
		Demo:        cli.Demo{Options: []rocketchattest.Option{rocketchattest.WithVersion("8.6.1")}},
		Command:     new(timekeeper),
	}
}

type timekeeper struct {
	*cli.Session `kong:"-"`

	Calendar string `arg:"" optional:"" help:"The calendar; - is standard input."`
	User     string `placeholder:"USERNAME" help:"Set the status of this user instead of your own."`
	Watch    bool   `help:"Keep running, and change the status at the right moments."`
	Clear    bool   `help:"Set the status to online without a message, and ignore the calendar."`
	At       string `placeholder:"TIME" help:"With --dry-run: show the status at this time, such as 2026-03-02T09:30:00+01:00."`

	ref     rocketchat.UserRef
	at      time.Time
	expires bool    // whether the server ends a status by itself
	last    *entry  // that was set
	begun   bool    // the status was set once, or did not need to be
	results []shown // for --json
}

// shown is a status that was set, or would be set.
type shown struct {
	From    time.Time             `json:"from,omitzero"`
	Status  rocketchat.UserStatus `json:"status"`
	Message string                `json:"message"`
	Until   time.Time             `json:"until,omitzero"`
}

// Run implements [cli.Command].
func (t *timekeeper) Run(ctx context.Context, s *cli.Session) error {
	t.Session, t.ref, t.results = s, rocketchat.Self(), []shown{}
	if err := t.check(); err != nil {
		return err
	}
	if t.User != "" {
		t.ref = rocketchat.ByUsername(t.User)
	}
	err := t.work(ctx)
	if s.JSON && err == nil {
		err = s.WriteJSON(t.results)
	}
	return err
}

func (t *timekeeper) work(ctx context.Context) error {
	if t.Clear {
		return t.set(ctx, nil)
	}
	if t.DryRun {
		return t.foretell(ctx)
	}
	info, err := t.Client.Server.Info(ctx)
	if err != nil {
		return err
	}
	t.expires = info.AtLeast(8, 6)
	if t.Watch {
		return t.keep(ctx)
	}
	return t.once(ctx)
}

func (t *timekeeper) check() (err error) {
	switch {
	case t.Clear && (t.Watch || t.Calendar != ""):
		return cli.Usage("--clear needs no calendar, and does not go with --watch")
	case t.Calendar == "" && !t.Clear && t.Demo == nil:
		return cli.Usage("name a calendar, or - for standard input")
	case t.Calendar == "-" && t.Watch:
		return cli.Usage("--watch reads the calendar repeatedly, and needs a file for that")
	case t.Watch && t.JSON:
		return cli.Usage("--watch does not go with --json")
	case t.At != "" && !t.DryRun:
		return cli.Usage("--at goes with --dry-run")
	case t.Calendar == "" && !t.Clear:
		t.Note("no calendar was named; using the sample that is built in")
	}
	if t.At == "" {
		return nil
	}
	if t.at, err = time.Parse(time.RFC3339, t.At); err != nil {
		return cli.Usage("--at must be a time such as 2026-03-02T09:30:00+01:00, not %q", t.At)
	}
	return nil
}

// read reads the calendar around a moment.
func (t *timekeeper) read(ctx context.Context, now time.Time) (*calendar, error) {
	if t.Calendar == "" {
		return readCalendar("sample.ics", sample, now)
	}
	name, data, err := cli.ReadInput(ctx, t.Calendar)
	if err != nil {
		return nil, err
	}
	return readCalendar(name, data, now)
}

// say writes a line about the work to the result, unless the result is JSON.
func (t *timekeeper) say(format string, args ...any) {
	if t.JSON {
		t.Note(format, args...)
		return
	}
	t.Print(format, args...)
}

// once sets the status for this moment.
func (t *timekeeper) once(ctx context.Context) error {
	now := time.Now()
	c, err := t.read(ctx, now)
	if err != nil {
		return err
	}
	t.doubt(c)
	holding := c.holding(now)
	if holding != nil && !t.expires {
		t.Note("this server does not end a status by itself: run this program again at that time, or use --watch")
	}
	return t.follow(ctx, c, holding)
}

// follow sets the status of the event that is on. If there is none, it clears a status
// that came from the calendar.
func (t *timekeeper) follow(ctx context.Context, c *calendar, holding *entry) error {
	if holding != nil {
		return t.set(ctx, holding)
	}
	present, err := t.message(ctx)
	if err != nil {
		return err
	}
	ours := c.knows(present) || t.last != nil && t.last.message == present // the event may have been removed from the file
	if present == "" || !ours {
		t.say("no event is on; the status is left unchanged")
		return nil
	}
	return t.set(ctx, nil)
}

const (
	reread = 5 * time.Minute // between readings of the calendar
	retry  = time.Minute     // after a failure
)

// keep sets the status whenever it changes, until the context ends.
func (t *timekeeper) keep(ctx context.Context) error {
	for {
		now := time.Now()
		wait := reread
		c, err := t.read(ctx, now)
		if err == nil {
			wait = min(wait, c.next(now).Sub(now))
			err = t.adjust(ctx, c, now)
		}
		switch {
		case ctx.Err() != nil:
			return t.leave(ctx)
		case errors.Is(err, rocketchat.ErrUnauthorized), errors.Is(err, rocketchat.ErrForbidden), errors.Is(err, rocketchat.ErrNotFound):
			return err
		case err != nil:
			t.Note("%s; the next try is in %s", cli.Explain(err), retry)
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

// adjust sets the status if it has changed, and the first time.
func (t *timekeeper) adjust(ctx context.Context, c *calendar, now time.Time) error {
	if !t.begun {
		t.doubt(c)
	}
	holding := c.holding(now)
	if t.begun && same(holding, t.last) {
		return nil
	}
	err := t.follow(ctx, c, holding)
	if err == nil {
		t.begun = true
	}
	if err == nil || ctx.Err() != nil && sent(err) { // what was sent may have been set
		t.last = holding
	}
	return err
}

// sent reports whether a request was sent before err.
func sent(err error) bool {
	e, ok := errors.AsType[*rocketchat.Error](err)
	return ok && e.Attempts > 0
}

func same(a, b *entry) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// leave ends --watch. A status that the server would keep for ever is cleared.
func (t *timekeeper) leave(ctx context.Context) error {
	t.Note("stopped: the status is no longer kept up to date")
	if t.last == nil || t.expires {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return t.set(ctx, nil)
}

// set sets the status of an entry; nil is online without a message.
func (t *timekeeper) set(ctx context.Context, e *entry) error {
	opts := rocketchat.StatusSetOptions{Status: rocketchat.StatusOnline, Message: new("")}
	done := "online, no message"
	result := shown{Status: opts.Status}
	if e != nil {
		opts.Status, opts.Message = e.status, &e.message
		done = fmt.Sprintf("%s: %s, until %s", e.status, e.message, e.end.Local().Format(timeForm))
		result = shown{Status: e.status, Message: e.message, Until: e.end}
		if t.expires {
			opts.ExpiresAt = e.end
		}
	}
	if t.DryRun {
		t.results = append(t.results, result)
		t.say("would set: %s", done)
		return nil
	}
	err := t.Client.Status.Set(ctx, t.ref, opts)
	if errors.Is(err, rocketchat.ErrNotFound) {
		return fmt.Errorf("there is no user %s: %w", t.User, err)
	}
	if err != nil {
		return err
	}
	result.From = time.Now()
	t.results = append(t.results, result)
	t.say("%s  %s", time.Now().Format(time.TimeOnly), done)
	return nil
}

const timeForm = "Mon 15:04"

// message is the present message.
func (t *timekeeper) message(ctx context.Context) (string, error) {
	if t.User == "" {
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

// foretell prints the statuses that would be set.
func (t *timekeeper) foretell(ctx context.Context) error {
	now := t.at
	if now.IsZero() {
		now = time.Now()
	}
	c, err := t.read(ctx, now)
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
		result := shown{From: at, Status: rocketchat.StatusOnline}
		if holding != nil {
			result = shown{From: at, Status: holding.status, Message: holding.message, Until: holding.end}
			row = []string{at.Format(timeForm), string(holding.status), holding.message, holding.end.In(at.Location()).Format(timeForm)}
		}
		rows, last = append(rows, row), holding
		t.results = append(t.results, result)
	}
	out := t.Stdout
	if t.JSON { // standard output is for the result alone
		out = t.Stderr
	}
	t.TableTo(out, []string{"from", "status", "message", "event ends"}, rows)
	t.Note("--dry-run: nothing was changed")
	return nil
}

func (t *timekeeper) doubt(c *calendar) {
	for _, doubt := range c.doubts {
		t.Note("%s", doubt)
	}
}
