package main

import (
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
	c, err := readCalendar(strings.NewReader(strings.ReplaceAll(b.String(), "\n", "\r\n")), now)
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
		day(t, 29, 9, 30):    "Daily", // by the clock on the wall, in summer time
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
	)
	assert.Equal(t, "Outlook", message(c.holding(now)))
	require.Len(t, c.doubts, 4)
	assert.Contains(t, strings.Join(c.doubts, "\n"), `the time zone "W. Europe Standard Time" is not known`)
	assert.Contains(t, strings.Join(c.doubts, "\n"), `"Never" is left out: it has no start`)
	assert.Contains(t, strings.Join(c.doubts, "\n"), `"Odd" is left out`)
	assert.Contains(t, strings.Join(c.doubts, "\n"), `"Vague" is left out`)
}
