package rocketchat

import (
	"errors"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Time is a point in time as servers write it: ISO 8601 text in UTC with milliseconds, or
// {"$date": milliseconds}. Absent, null and empty text are the zero time.
type Time struct{ time.Time }

const isoMillis = "2006-01-02T15:04:05.000Z"

var errNotATime = errors.New("not a time")

// MarshalJSON implements [encoding/json.Marshaler]: ISO 8601, or null for the zero time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().AppendFormat(make([]byte, 0, len(isoMillis)+2), `"`+isoMillis+`"`), nil
}

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (t *Time) UnmarshalJSON(data []byte) error {
	parsed, err := parseTime(data)
	if err != nil {
		return err
	}
	t.Time = parsed
	return nil
}

// UnmarshalJSONFrom implements [github.com/go-json-experiment/json.UnmarshalerFrom].
func (t *Time) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	return t.UnmarshalJSON(value)
}

func parseTime(data []byte) (time.Time, error) {
	switch jsontext.Value(data).Kind() {
	case 'n':
		return time.Time{}, nil
	case '"':
		if len(data) < 2 {
			return time.Time{}, errNotATime
		}
		return parseTimeText(data)
	case '{':
		var date struct {
			Millis *int64 `json:"$date"`
		}
		if err := json.Unmarshal(data, &date); err != nil || date.Millis == nil {
			return time.Time{}, errNotATime
		}
		return time.UnixMilli(*date.Millis).UTC(), nil
	case '0':
		millis, err := strconv.ParseInt(string(data), 10, 64)
		if err != nil {
			return time.Time{}, errNotATime
		}
		return time.UnixMilli(millis).UTC(), nil
	}
	return time.Time{}, errNotATime
}

// parseTimeText reads a quoted text. Nearly all have the form of isoMillis, which is parsed
// faster than with time.Parse.
func parseTimeText(quoted []byte) (time.Time, error) {
	text := quoted[1 : len(quoted)-1]
	if len(text) == 0 {
		return time.Time{}, nil
	}
	if t, ok := parseISOMillis(text); ok {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return time.Time{}, errNotATime
	}
	return t, nil
}

func parseISOMillis(b []byte) (time.Time, bool) {
	if len(b) != len(isoMillis) {
		return time.Time{}, false
	}
	var n [len(isoMillis)]int
	for i := range b {
		if want := isoMillis[i]; want < '0' || want > '9' {
			if b[i] != want {
				return time.Time{}, false
			}
			continue
		}
		if b[i] < '0' || b[i] > '9' {
			return time.Time{}, false
		}
		n[i] = int(b[i] - '0')
	}
	year := n[0]*1000 + n[1]*100 + n[2]*10 + n[3]
	month, day := n[5]*10+n[6], n[8]*10+n[9]
	hour, minute, second := n[11]*10+n[12], n[14]*10+n[15], n[17]*10+n[18]
	millis := n[20]*100 + n[21]*10 + n[22]
	t := time.Date(year, time.Month(month), day, hour, minute, second, millis*int(time.Millisecond), time.UTC)
	// time.Date normalizes values that are out of range; such texts are not valid.
	if t.Day() != day || t.Month() != time.Month(month) || t.Hour() != hour || t.Minute() != minute || t.Second() != second {
		return time.Time{}, false
	}
	return t, true
}
