package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"

	"github.com/rocketchat-go/rocketchat"
)

// entry is one occurrence of an event.
type entry struct {
	start, end time.Time
	status     rocketchat.UserStatus
	message    string
}

// calendar holds the entries around a moment, in order.
type calendar struct {
	entries []entry
	// doubts are about events that may not be as they were meant.
	doubts []string
}

const (
	horizon    = 31 * 24 * time.Hour // how far to look back and ahead
	maxMessage = 120                 // characters, which servers cut at
)

// readCalendar reads the calendars of an .ics file, recurring events with all their
// occurrences around now. Times without a zone are in that of now.
func readCalendar(input io.Reader, now time.Time) (*calendar, error) {
	var events []ical.Event
	for decoder := ical.NewDecoder(input); ; {
		part, err := decoder.Decode()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		events = append(events, part.Events()...)
	}
	c := new(calendar)
	moved := make(map[string][]time.Time) // by event: the occurrences that have an event of their own
	for _, event := range events {
		if prop := event.Props.Get(ical.PropRecurrenceID); prop != nil {
			if at, err := c.moment(*prop, prop.Value, now.Location()); err == nil {
				moved[uid(event)] = append(moved[uid(event)], at)
			}
		}
	}
	for _, event := range events {
		if err := c.add(event, moved[uid(event)], now); err != nil {
			c.doubts = append(c.doubts, fmt.Sprintf("%q is left out: %v", text(event, ical.PropSummary), err))
		}
	}
	slices.SortStableFunc(c.entries, func(a, b entry) int { return a.start.Compare(b.start) })
	slices.Sort(c.doubts)
	c.doubts = slices.Compact(c.doubts)
	return c, nil
}

// add adds the occurrences of an event.
func (c *calendar) add(event ical.Event, moved []time.Time, now time.Time) error {
	if strings.EqualFold(text(event, ical.PropStatus), string(ical.EventCancelled)) {
		return nil
	}
	start, length, err := c.times(event, now.Location())
	if err != nil {
		return err
	}
	begins := []time.Time{start}
	if event.Props.Get(ical.PropRecurrenceID) == nil {
		if begins, err = c.occurrences(event, start, now); err != nil {
			return err
		}
		begins = slices.DeleteFunc(begins, func(t time.Time) bool { return slices.ContainsFunc(moved, t.Equal) })
	}
	for _, begin := range begins {
		c.entries = append(c.entries, entry{start: begin, end: begin.Add(length), status: statusOf(event), message: messageOf(event)})
	}
	return nil
}

// times are when an event begins, for the first time, and how long it lasts.
func (c *calendar) times(event ical.Event, here *time.Location) (start time.Time, length time.Duration, err error) {
	first := event.Props.Get(ical.PropDateTimeStart)
	if first == nil {
		return start, 0, errors.New("it has no start")
	}
	if start, err = c.moment(*first, first.Value, here); err != nil {
		return start, 0, err
	}
	switch last, lasts := event.Props.Get(ical.PropDateTimeEnd), event.Props.Get(ical.PropDuration); {
	case last != nil:
		end, err := c.moment(*last, last.Value, here)
		return start, end.Sub(start), err
	case lasts != nil:
		length, err = lasts.Duration()
	case len(first.Value) == len("20060102"): // a whole day
		length = 24 * time.Hour
	}
	return start, length, err
}

// occurrences are the starts of an event around now.
func (c *calendar) occurrences(event ical.Event, start, now time.Time) ([]time.Time, error) {
	var set rrule.Set
	rule, err := event.Props.RecurrenceRule()
	if err != nil {
		return nil, err
	}
	if rule != nil {
		rule.Dtstart = start
		repeated, err := rrule.NewRRule(*rule)
		if err != nil {
			return nil, err
		}
		set.RRule(repeated)
	}
	set.DTStart(start)
	for name, add := range map[string]func(time.Time){ical.PropExceptionDates: set.ExDate, ical.PropRecurrenceDates: set.RDate} {
		for _, prop := range event.Props.Values(name) {
			for part := range strings.SplitSeq(prop.Value, ",") {
				at, err := c.moment(prop, part, now.Location())
				if err != nil {
					return nil, err
				}
				add(at)
			}
		}
	}
	if rule == nil {
		set.RDate(start)
	}
	return set.Between(now.Add(-horizon), now.Add(horizon), true), nil
}

// moment reads a date or a time. A zone that is not known, such as one by its Windows
// name, is taken for the local one.
func (c *calendar) moment(prop ical.Prop, value string, here *time.Location) (time.Time, error) {
	prop.Value = value
	if zone := prop.Params.Get(ical.ParamTimezoneID); zone != "" {
		if _, err := time.LoadLocation(zone); err != nil {
			c.doubts = append(c.doubts, fmt.Sprintf("the time zone %q is not known, and taken for the local one", zone))
			prop.Params = nil
		}
	}
	return prop.DateTime(here)
}

func uid(event ical.Event) string { return text(event, ical.PropUID) }

func text(event ical.Event, name string) string {
	value, err := event.Props.Text(name)
	if err != nil {
		return ""
	}
	return value
}

// statusOf is online for what does not block time, and busy for the rest.
func statusOf(event ical.Event) rocketchat.UserStatus {
	switch {
	case strings.EqualFold(text(event, "X-MICROSOFT-CDO-BUSYSTATUS"), "OOF"): // out of office
		return rocketchat.StatusAway
	case strings.EqualFold(text(event, ical.PropTransparency), "TRANSPARENT"):
		return rocketchat.StatusOnline
	}
	return rocketchat.StatusBusy
}

// messageOf is the summary, unless that is nobody else's business.
func messageOf(event ical.Event) string {
	summary := strings.Join(strings.Fields(text(event, ical.PropSummary)), " ")
	if class := text(event, ical.PropClass); class != "" && !strings.EqualFold(class, "PUBLIC") || summary == "" {
		return "Busy"
	}
	runes := []rune(summary)
	return string(runes[:min(len(runes), maxMessage)])
}

// holding is the entry that counts at a moment, nil if there is none: of those that
// overlap one that blocks time, and then the one that began last.
func (c *calendar) holding(now time.Time) *entry {
	var best *entry
	for i := range c.entries {
		e := &c.entries[i]
		if e.start.After(now) || !e.end.After(now) {
			continue
		}
		if best == nil || cmp.Or(rank(e)-rank(best), e.start.Compare(best.start)) >= 0 {
			best = e
		}
	}
	return best
}

func rank(e *entry) int {
	if e.status == rocketchat.StatusOnline {
		return 0
	}
	return 1
}

// next is when something begins or ends after a moment.
func (c *calendar) next(now time.Time) time.Time {
	soonest := now.Add(horizon)
	for _, e := range c.entries {
		for _, at := range []time.Time{e.start, e.end} {
			if at.After(now) && at.Before(soonest) {
				soonest = at
			}
		}
	}
	return soonest
}

// knows reports whether a message is one that the calendar can have set.
func (c *calendar) knows(message string) bool {
	return slices.ContainsFunc(c.entries, func(e entry) bool { return e.message == message })
}
