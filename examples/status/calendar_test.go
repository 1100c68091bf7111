package main

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

// berlin has summer time.
func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	return zone
}

// read reads a calendar with these events, each of which is lines.
func read(t *testing.T, now time.Time, events ...string) *calendar {
	t.Helper()
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n")
	for _, lines := range events {
		b.WriteString("BEGIN:VEVENT\nDTSTAMP:20260101T000000Z\n" + lines + "\nEND:VEVENT\n")
	}
	b.WriteString("END:VCALENDAR\n")
	c, err := readCalendar("work.ics", []byte(strings.ReplaceAll(b.String(), "\n", "\r\n")), now)
	require.NoError(t, err)
	return c
}

// day is an hour of a day in March 2026, in which summer time begins on the 29th.
func day(t *testing.T, day, hour, minute int) time.Time {
	t.Helper()
	return time.Date(2026, time.March, day, hour, minute, 0, 0, berlin(t))
}

func message(e *entry) string {
	if e == nil {
		return ""
	}
	return e.message
}

const daily = "UID:1\nDTSTART;TZID=Europe/Berlin:20260301T090000\nDTEND;TZID=Europe/Berlin:20260301T100000\nRRULE:FREQ=DAILY\nSUMMARY:Daily"

func TestRecurrence(t *testing.T) {
	t.Parallel()
	now := day(t, 28, 12, 0)
	c := read(t, now,
		daily+"\nEXDATE;TZID=Europe/Berlin:20260326T090000,20260327T090000",
		"UID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20260325T090000\nDTSTART;TZID=Europe/Berlin:20260325T110000\nDURATION:PT30M\nSUMMARY:Moved",
		"UID:2\nDTSTART:20260310T070000Z\nDTEND:20260310T073000Z\nRDATE:20260312T070000Z\nSUMMARY:Twice",
	)
	assert.Empty(t, c.doubts)
	for at, expected := range map[time.Time]string{
		day(t, 24, 9, 0):     "Daily",
		day(t, 24, 10, 0):    "",
		day(t, 25, 9, 30):    "",
		day(t, 25, 11, 29):   "Moved",
		day(t, 25, 11, 30):   "",
		day(t, 26, 9, 30):    "",
		day(t, 27, 9, 30):    "",
		day(t, 28, 9, 30):    "Daily",
		day(t, 29, 9, 30):    "Daily", // in summer time
		day(t, 29, 8, 30):    "",
		day(t, 10, 8, 15):    "Twice",
		day(t, 11, 8, 15):    "",
		day(t, 12, 8, 15):    "Twice",
		now.AddDate(0, 2, 0): "",
	} {
		assert.Equal(t, expected, message(c.holding(at)), at.String())
	}
	assert.True(t, day(t, 29, 9, 0).Equal(c.next(now)), "the next begin")
	assert.True(t, day(t, 29, 10, 0).Equal(c.next(day(t, 29, 9, 0))), "the next end")
	assert.True(t, c.knows("Moved"))
	assert.False(t, c.knows("something else"))
}

func TestMeaning(t *testing.T) {
	t.Parallel()
	const when = "DTSTART:20260328T100000Z\nDTEND:20260328T120000Z\n"
	for lines, expected := range map[string]entry{
		"SUMMARY:Review\\, with  Ben":                               {status: rocketchat.StatusBusy, message: "Review, with Ben"},
		"SUMMARY:Lunch\nTRANSP:TRANSPARENT":                         {status: rocketchat.StatusOnline, message: "Lunch"},
		"SUMMARY:Holiday\nX-MICROSOFT-CDO-BUSYSTATUS:OOF":           {status: rocketchat.StatusAway, message: "Holiday"},
		"SUMMARY:Doctor\nCLASS:CONFIDENTIAL":                        {status: rocketchat.StatusBusy, message: "Busy"},
		"SUMMARY:Open\nCLASS:PUBLIC":                                {status: rocketchat.StatusBusy, message: "Open"},
		"LOCATION:Berlin":                                           {status: rocketchat.StatusBusy, message: "Busy"},
		"SUMMARY:" + strings.Repeat("ä", maxMessage) + " and so on": {status: rocketchat.StatusBusy, message: strings.Repeat("ä", maxMessage)},
	} {
		now := day(t, 28, 11, 30)
		c := read(t, now, "UID:1\n"+when+lines)
		holding := c.holding(now)
		require.NotNil(t, holding, lines)
		assert.Equal(t, expected.status, holding.status, lines)
		assert.Equal(t, expected.message, holding.message, lines)
	}
	now := day(t, 28, 11, 30)
	assert.Nil(t, read(t, now, "UID:1\n"+when+"SUMMARY:Off\nSTATUS:CANCELLED").holding(now))
}

func TestOverlap(t *testing.T) {
	t.Parallel()
	now := day(t, 28, 12, 0)
	c := read(t, now,
		"UID:1\nDTSTART;VALUE=DATE:20260328\nSUMMARY:Whole day\nTRANSP:TRANSPARENT",
		"UID:2\nDTSTART:20260328T080000Z\nDTEND:20260328T160000Z\nSUMMARY:Long",
		"UID:3\nDTSTART:20260328T100000Z\nDTEND:20260328T113000Z\nSUMMARY:Short",
	)
	for at, expected := range map[time.Time]string{
		day(t, 27, 23, 59): "",
		day(t, 28, 0, 0):   "Whole day",
		day(t, 28, 9, 0):   "Long",
		day(t, 28, 11, 0):  "Short",
		day(t, 28, 12, 30): "Long",
		day(t, 28, 17, 0):  "Whole day",
		day(t, 29, 0, 0):   "",
	} {
		assert.Equal(t, expected, message(c.holding(at)), at.String())
	}
}

func TestDoubts(t *testing.T) {
	t.Parallel()
	now := day(t, 28, 12, 0)
	c := read(t, now,
		"UID:1\nDTSTART;TZID=W. Europe Standard Time:20260328T113000\nDTEND;TZID=W. Europe Standard Time:20260328T123000\nSUMMARY:Outlook",
		"UID:2\nSUMMARY:Never",
		"UID:3\nDTSTART:20260328T113000Z\nRRULE:FREQ=SOMETIMES\nSUMMARY:Odd",
		"UID:4\nDTSTART:soon\nSUMMARY:Vague",
		"UID:5\nDTSTART:20260328T113000Z\nDTEND:20260328T103000Z\nSUMMARY:Backwards",
	)
	assert.Equal(t, "Outlook", message(c.holding(now)))
	require.Len(t, c.doubts, 5)
	for _, part := range []string{
		`work.ics:4: the time zone "W. Europe Standard Time" is not known`, `work.ics:11: "Never" is skipped: it has no start`, `work.ics:16: "Odd" is skipped`,
		`work.ics:23: "Vague" is skipped: "soon" is not a time`, `work.ics:29: "Backwards" is skipped: it ends before it begins`,
	} {
		assert.Contains(t, strings.Join(c.doubts, "\n"), part)
	}
}

// Lines that no calendar has are left out, and the rest is read.
func TestBadLines(t *testing.T) {
	t.Parallel()
	now := day(t, 28, 12, 0)
	const when = "DTSTART:20260328T100000Z\nDTEND:20260328T120000Z\nSUMMARY:There\n"
	for _, line := range []string{
		"0;0=", "0;0", "0;0=\"", "no line", ":", ";:", "A;B=\"c\"d:e", "A;B=,", "\x1b[2J", "A;B=" + strings.Repeat("x", maxParams) + ":", "X-LINE",
	} {
		c := read(t, now, when+line)
		assert.Equal(t, "There", message(c.holding(now)), "%q", line)
		assert.Equal(t, []string{"work.ics:9: skipped: it is not a line of a calendar"}, c.doubts, "%q", line)
	}
	folded := read(t, now, "DTSTART:20260328T100000Z\nDTEND:20260328T120000Z\nSUMM\n ARY:The\n\tre\n0;0=")
	assert.Equal(t, "There", message(folded.holding(now)))
	assert.Equal(t, []string{"work.ics:11: skipped: it is not a line of a calendar"}, folded.doubts)

	for text, fault := range map[string]string{
		"":                                   "c.ics: is not a calendar",
		"hello\r\n":                          "c.ics: is not a calendar",
		"BEGIN:VCALENDAR\n":                  "c.ics: ends too early",
		"BEGIN:VCARD\nEND:VCARD\n":           `c.ics: invalid toplevel component name: expected "VCALENDAR", got "VCARD"`,
		"BEGIN:VCALENDAR\nEND:VEVENT\n":      "c.ics: malformed component",
		strings.Repeat("BEGIN:VEVENT\n", 11): "c.ics:11: the parts of the calendar are nested too deep",
	} {
		_, err := readCalendar("c.ics", []byte(text), now)
		require.ErrorContains(t, err, fault, "%q", text)
	}
}

// No event keeps the program busy, or takes much memory: anybody can send an invitation.
func TestRestlessEvents(t *testing.T) {
	t.Parallel()
	now := day(t, 28, 12, 0)
	const often, conditions = "it repeats too often", "it repeats within a day under conditions"
	all := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ",%d", i)
		}
		return b.String()[1:]
	}
	for rule, doubt := range map[string]string{
		"FREQ=SECONDLY":                                         often,
		"FREQ=SECONDLY;INTERVAL=3600":                           often,
		"FREQ=MINUTELY":                                         "there are too many events",
		"FREQ=MINUTELY;COUNT=200000":                            often,
		"FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30":                 conditions,
		"FREQ=HOURLY;INTERVAL=2;BYHOUR=1":                       conditions,
		"FREQ=DAILY;BYHOUR=" + all(24) + ";BYMINUTE=" + all(60): often,
		"FREQ=YEARLY;BYYEARDAY=" + all(366)[2:] + ";BYHOUR=" + all(24) + ";BYMINUTE=1,2,3": often,
		"FREQ=DAILY;INTERVAL=1000000000": "it repeats with an interval of 1000000000",
	} {
		start := time.Now()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c := read(t, now, "DTSTART:19700101T000000Z\nDURATION:PT1S\nSUMMARY:Restless\nRRULE:"+rule,
			"DTSTART:20260328T100000Z\nDTEND:20260328T120000Z\nSUMMARY:There")
		runtime.ReadMemStats(&after)
		assert.Equal(t, "There", message(c.holding(now)), rule)
		assert.Equal(t, []string{`work.ics:4: "Restless" is skipped: ` + doubt}, c.doubts, rule)
		assert.Less(t, time.Since(start), patience, rule)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(256<<20), rule)
	}
	// A search for an impossible date ends.
	start := time.Now()
	c := read(t, now, "DTSTART:19700101T000000Z\nSUMMARY:Restless\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")
	assert.Empty(t, c.entries)
	assert.Less(t, time.Since(start), 2*patience)
	// Every hour is often, but valid.
	c = read(t, now, "DTSTART:19700101T000000Z\nDURATION:PT5M\nSUMMARY:Drink\nRRULE:FREQ=HOURLY;INTERVAL=2")
	assert.Equal(t, "Drink", message(c.holding(time.Date(2026, time.March, 28, 10, 4, 0, 0, time.UTC))))
	assert.Nil(t, c.holding(time.Date(2026, time.March, 28, 11, 4, 0, 0, time.UTC)))
	c = read(t, now, "DTSTART:20260327T000000Z\nDURATION:PT5M\nSUMMARY:Drink\nRRULE:FREQ=MINUTELY;INTERVAL=30;COUNT=4")
	assert.Len(t, c.entries, 4)
}

// An event that began long ago and is still on counts.
func TestLongEvent(t *testing.T) {
	t.Parallel()
	now := day(t, 28, 12, 0)
	c := read(t, now, "DTSTART;VALUE=DATE:20260101\nDTEND;VALUE=DATE:20260601\nSUMMARY:Sabbatical")
	assert.Equal(t, "Sabbatical", message(c.holding(now)))
}
