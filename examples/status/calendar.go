package main

import (
	"cmp"
	"errors"
	"fmt"
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
	name    string // of the file
	entries []entry
	// doubts are problems with lines and events.
	doubts []string
}

// These limits bound the work for a calendar, because anybody can send an invitation.
const (
	horizon     = 31 * 24 * time.Hour // how far to look back and ahead
	maxMessage  = 120                 // characters, which servers cut at
	maxEntries  = 10_000              // in the time around now
	maxSteps    = 100_000             // from the first occurrence of an event to those around now
	maxTimes    = 48                  // a day, for one event
	maxInterval = 10_000
	patience    = 5 * time.Second // for the events of one file
)

// readCalendar reads the calendars of an .ics file, with the occurrences of recurring
// events around now. Times without a zone are in the zone of now. Events that cannot be
// understood are skipped, with a doubt that names the line.
func readCalendar(name string, data []byte, now time.Time) (*calendar, error) {
	c := &calendar{name: name}
	lines, err := c.scan(data)
	if err != nil {
		return nil, err
	}
	events, err := decode(lines)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	moved := make(map[string][]time.Time) // by event: occurrences that were moved to an event of their own
	for _, event := range events {
		if prop := event.Props.Get(ical.PropRecurrenceID); prop != nil {
			if at, err := c.moment(event, *prop, prop.Value, now.Location()); err == nil {
				moved[uid(event)] = append(moved[uid(event)], at)
			}
		}
	}
	for deadline := time.Now().Add(patience); len(events) > 0 && time.Now().Before(deadline); events = events[1:] {
		if err := c.add(events[0], moved[uid(events[0])], now); err != nil {
			c.doubts = append(c.doubts, fmt.Sprintf("%s: %q is skipped: %v", c.place(events[0]), text(events[0], ical.PropSummary), err))
		}
	}
	if len(events) > 0 {
		c.doubts = append(c.doubts, fmt.Sprintf("%s: this event and the %d after it are skipped: they take too long to compute", c.place(events[0]), len(events)-1))
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
		if begins, err = c.occurrences(event, start, now.Add(-horizon-length), now.Add(horizon)); err != nil {
			return err
		}
		begins = slices.DeleteFunc(begins, func(t time.Time) bool { return slices.ContainsFunc(moved, t.Equal) })
	}
	if len(c.entries)+len(begins) > maxEntries {
		return errors.New("there are too many events")
	}
	for _, begin := range begins {
		c.entries = append(c.entries, entry{start: begin, end: begin.Add(length), status: statusOf(event), message: messageOf(event)})
	}
	return nil
}

// times returns the first start of an event and its length.
func (c *calendar) times(event ical.Event, here *time.Location) (start time.Time, length time.Duration, err error) {
	first := event.Props.Get(ical.PropDateTimeStart)
	if first == nil {
		return start, 0, errors.New("it has no start")
	}
	if start, err = c.moment(event, *first, first.Value, here); err != nil {
		return start, 0, err
	}
	switch last, lasts := event.Props.Get(ical.PropDateTimeEnd), event.Props.Get(ical.PropDuration); {
	case last != nil:
		var end time.Time
		end, err = c.moment(event, *last, last.Value, here)
		length = end.Sub(start)
	case lasts != nil:
		length, err = lasts.Duration()
	case len(first.Value) == len("20060102"): // a whole day
		length = 24 * time.Hour
	}
	if err == nil && length < 0 {
		err = errors.New("it ends before it begins")
	}
	return start, length, err
}

// occurrences are the starts of an event in a span of time.
func (c *calendar) occurrences(event ical.Event, start, from, to time.Time) (begins []time.Time, err error) {
	defer func() {
		if recover() != nil { // package rrule can panic on invalid rules
			begins, err = nil, errors.New("its rule cannot be understood")
		}
	}()
	var set rrule.Set
	rule, err := event.Props.RecurrenceRule()
	if err != nil {
		return nil, err
	}
	if rule != nil {
		rule.Dtstart = start
		if err := checkRule(rule); err != nil {
			return nil, err
		}
		if sparse(rule) {
			skip(rule, from)
		}
		repeated, err := rrule.NewRRule(*rule)
		if err != nil {
			return nil, err
		}
		set.RRule(repeated)
		set.DTStart(rule.Dtstart)
	}
	if err := c.dates(event, &set, start.Location()); err != nil {
		return nil, err
	}
	if rule == nil {
		set.RDate(start)
	}
	next := set.Iterator()
	for range maxSteps {
		begin, more := next()
		if !more || begin.After(to) {
			return begins, nil
		}
		if !begin.Before(from) {
			begins = append(begins, begin)
		}
	}
	return nil, errTooOften
}

var errTooOften = errors.New("it repeats too often")

// checkRule rejects rules that would take long to compute.
func checkRule(rule *rrule.ROption) error {
	times := max(len(rule.Byhour), 1) * max(len(rule.Byminute), 1) * max(len(rule.Bysecond), 1)
	switch {
	case rule.Interval > maxInterval || rule.Interval < 0:
		return fmt.Errorf("it repeats with an interval of %d", rule.Interval)
	case rule.Freq == rrule.SECONDLY, times > maxTimes:
		return errTooOften
	case rule.Freq > rrule.DAILY && !sparse(rule):
		return errors.New("it repeats within a day under conditions")
	}
	return nil
}

// sparse reports whether a rule repeats within a day without conditions.
func sparse(rule *rrule.ROption) bool {
	conditions := len(rule.Bysetpos) + len(rule.Bymonth) + len(rule.Bymonthday) + len(rule.Byyearday) + len(rule.Byweekno) +
		len(rule.Byweekday) + len(rule.Byhour) + len(rule.Byminute) + len(rule.Bysecond) + len(rule.Byeaster)
	return rule.Freq > rrule.DAILY && conditions == 0
}

// skip moves the beginning of a sparse rule to the last occurrence before a moment.
func skip(rule *rrule.ROption, to time.Time) {
	step := time.Hour * time.Duration(max(rule.Interval, 1))
	if rule.Freq == rrule.MINUTELY {
		step = time.Minute * time.Duration(max(rule.Interval, 1))
	}
	if gap := to.Sub(rule.Dtstart); gap > 0 && rule.Count == 0 {
		rule.Dtstart = rule.Dtstart.Add(gap.Truncate(step))
	}
}

// dates adds the additional dates of an event and removes its exceptions.
func (c *calendar) dates(event ical.Event, set *rrule.Set, here *time.Location) error {
	for name, add := range map[string]func(time.Time){ical.PropExceptionDates: set.ExDate, ical.PropRecurrenceDates: set.RDate} {
		for _, prop := range event.Props.Values(name) {
			for part := range strings.SplitSeq(prop.Value, ",") {
				at, err := c.moment(event, prop, part, here)
				if err != nil {
					return err
				}
				add(at)
			}
		}
	}
	return nil
}

// moment reads a date or a time. An unknown zone, such as a Windows name, is replaced by
// the local one.
func (c *calendar) moment(event ical.Event, prop ical.Prop, value string, here *time.Location) (time.Time, error) {
	prop.Value = value
	if zone := prop.Params.Get(ical.ParamTimezoneID); zone != "" {
		if _, err := time.LoadLocation(zone); err != nil {
			c.doubts = append(c.doubts, fmt.Sprintf("%s: the time zone %q is not known; using the local one", c.place(event), zone))
			prop.Params = nil
		}
	}
	at, err := prop.DateTime(here)
	if err != nil {
		return at, fmt.Errorf("%q is not a time", value)
	}
	return at, nil
}

func uid(event ical.Event) string { return text(event, ical.PropUID) }

func text(event ical.Event, name string) string {
	value, err := event.Props.Text(name)
	if err != nil {
		return ""
	}
	return value
}

// statusOf returns online for events that do not block time, away for those out of office,
// and busy for the rest.
func statusOf(event ical.Event) rocketchat.UserStatus {
	switch {
	case strings.EqualFold(text(event, "X-MICROSOFT-CDO-BUSYSTATUS"), "OOF"): // out of office
		return rocketchat.StatusAway
	case strings.EqualFold(text(event, ical.PropTransparency), "TRANSPARENT"):
		return rocketchat.StatusOnline
	}
	return rocketchat.StatusBusy
}

// messageOf returns the summary of an event, unless the event is private.
func messageOf(event ical.Event) string {
	summary := strings.Join(strings.Fields(text(event, ical.PropSummary)), " ")
	if class := text(event, ical.PropClass); class != "" && !strings.EqualFold(class, "PUBLIC") || summary == "" {
		return "Busy"
	}
	runes := []rune(summary)
	return string(runes[:min(len(runes), maxMessage)])
}

// holding returns the entry that determines the status at the given time, or nil. If
// entries overlap, one that blocks time is preferred, then the one that began last.
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

// next returns when the next entry begins or ends.
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

// knows reports whether a message may come from the calendar.
func (c *calendar) knows(message string) bool {
	return slices.ContainsFunc(c.entries, func(e entry) bool { return e.message == message })
}
