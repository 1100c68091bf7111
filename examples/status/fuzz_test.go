package main

import (
	"strings"
	"testing"
	"time"
)

// Whatever a calendar holds, reading it ends soon.
func FuzzCalendar(f *testing.F) {
	f.Add(sample)
	f.Add([]byte("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n0;0=\r\nDTSTART:20260328T100000Z\r\nRRULE:FREQ=SECONDLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"))
	f.Add([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=Europe/Berlin:20260328T100000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU;WKST=SU;BYSETPOS=-1\n" +
		"EXDATE:20260330T100000\nEND:VEVENT\nEND:VCALENDAR\n"))
	now := time.Date(2026, time.March, 28, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		c, err := readCalendar("work.ics", data, now)
		if took := time.Since(start); took > 2*patience {
			t.Errorf("it took %s", took)
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), "work.ics:") {
				t.Error(err)
			}
			return
		}
		for _, e := range c.entries {
			if e.end.Before(e.start) {
				t.Errorf("from %s until %s", e.start, e.end)
			}
			if len([]rune(e.message)) > maxMessage || e.message == "" {
				t.Errorf("the message %q", e.message)
			}
		}
		if !c.next(now).After(now) {
			t.Error("the next switch is now")
		}
	})
}
