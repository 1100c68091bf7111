package rocketchattest

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
)

// listQuery is what a list route reads from the query: where to start, how many, in which order, and the filter and the fields
// where the environment allows those.
type listQuery struct {
	offset, count int
	sort          []sortKey
	holds         func(*account) bool // nil holds for everybody
	only          []string
}

type sortKey struct {
	name      string
	direction int
}

func optionalDate(u *account) string {
	if u.lastLogin.IsZero() {
		return ""
	}
	return u.lastLogin.UTC().Format(stampFormat)
}

func firstEmail(u *account) string {
	if len(u.emails) == 0 {
		return ""
	}
	return u.emails[0].Address
}

const unsafeParameters = "ALLOW_UNSAFE_QUERY_AND_FIELDS_API_PARAMS"

// listQuery reads and checks the list parameters; a nil rule means that the route knows no filter.
func (c *call) listQuery(rule *filterRule) (listQuery, error) {
	q, err := c.pagination()
	if err != nil {
		return q, err
	}
	if q.sort, err = c.sortKeys(); err != nil {
		return q, err
	}
	if rule != nil && (c.environment[unsafeParameters] == "true" || c.does(unsafeQueries)) {
		err = c.unsafe(&q, rule)
	}
	return q, err
}

// pagination reads where to start and how many.
func (c *call) pagination() (q listQuery, err error) {
	standard, most := c.integer("API_Default_Count"), c.integer("API_Upper_Count_Limit")
	if q.offset, err = c.integerParameter("offset", 0); err != nil {
		return q, err
	}
	if q.count, err = c.integerParameter("count", standard); err != nil {
		return q, err
	}
	switch {
	case q.count > most:
		q.count = most
	case q.count == 0 && !c.enabled("API_Allow_Infinite_Count"):
		q.count = standard
	}
	return q, nil
}

// integerParameter reads a number from the query, whether or not a schema has turned it
// into one already. A real server passes invalid and negative numbers on to its database,
// whose refusal is returned as a 400.
func (c *call) integerParameter(name string, otherwise int) (int, error) {
	n := float64(otherwise)
	switch v := c.query[name].(type) {
	case float64:
		n = v
	case string:
		if v == "" {
			break
		}
		parsed, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return 0, plain("the parameter " + name + " is not a number")
		}
		n = parsed
	}
	if n < 0 || n > math.MaxInt32 {
		return 0, plain("the parameter " + name + " is out of range")
	}
	return int(n), nil
}

// sortKeys reads the sort parameter, a JSON object as text whose order of keys counts.
func (c *call) sortKeys() ([]sortKey, error) {
	if _, sent := c.query["sort"]; !sent {
		return nil, nil
	}
	source := c.query.str("sort")
	invalid := coded("error-invalid-sort", `Invalid sort parameter provided: "`+source+`"`, fields{"helperMethod": "parseJsonQuery"})
	decoder := json.NewDecoder(strings.NewReader(source))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return nil, invalid
	}
	var keys []sortKey
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, invalid
		}
		var direction float64
		if decoder.Decode(&direction) != nil || direction != 1 && direction != -1 {
			return nil, invalid
		}
		key, _ := name.(string)
		keys = append(keys, sortKey{key, int(direction)})
	}
	if _, err := decoder.Token(); err != nil {
		return nil, invalid
	}
	return keys, nil
}

// implied adds what the server sorts by besides: active with the status, the lower-cased name with the name.
func implied(key string, direction int) []sortKey {
	keys := []sortKey{{key, direction}}
	switch key {
	case "status":
		keys = append(keys, sortKey{"active", direction})
	case "name":
		keys = append(keys, sortKey{"nameInsensitive", direction})
	}
	return keys
}

// unsafe reads query and fields.
func (c *call) unsafe(q *listQuery, rule *filterRule) error {
	for _, name := range []string{"query", "fields"} {
		if c.query.has(name) {
			c.header.Set("X-Deprecation-Type", "deprecation")
			c.header.Set("X-Deprecation-Message", "The parameter \""+name+"\" is deprecated and will be removed on version 9.0.0")
			c.header.Set("X-Deprecation-Version", "9.0.0")
		}
	}
	if source := c.query.str("fields"); source != "" {
		var chosen map[string]any
		if json.Unmarshal([]byte(source), &chosen) != nil {
			return coded("error-invalid-fields", `Invalid fields parameter provided: "`+source+`"`, fields{"helperMethod": "parseJsonQuery"})
		}
		for key, value := range chosen {
			if value == 1.0 || value == true {
				q.only = append(q.only, key)
			}
		}
	}
	source := c.query.str("query")
	if source == "" {
		return nil
	}
	var filter map[string]any
	if json.Unmarshal([]byte(source), &filter) != nil {
		return coded("error-invalid-query", `Invalid query parameter provided: "`+source+`"`, fields{"helperMethod": "parseJsonQuery"})
	}
	holds, err := rule.compile(filter)
	if err != nil {
		return err
	}
	q.holds = holds
	return nil
}

// reduce leaves the fields asked for, where the environment allows to ask.
func (q *listQuery) reduce(p profile, u *account) any {
	if len(q.only) == 0 {
		return p
	}
	b, err := json.Marshal(p)
	var all map[string]any
	if err != nil || json.Unmarshal(b, &all) != nil {
		return p
	}
	chosen, known := fields{"_id": u.id}, userFields()
	for _, key := range q.only {
		if value, ok := all[key]; ok {
			chosen[key] = value
		} else if value, ok := known[key]; ok {
			chosen[key] = value(u)
		}
	}
	return chosen
}

// userPage is one page of users.
type userPage struct {
	users         []*account
	offset, total int
}

func (p *userPage) answer(key string, items []any) fields {
	return fields{key: items, "count": len(items), "offset": p.offset, "total": p.total}
}

// page is the asked part of the users the condition holds for, by username unless asked otherwise.
func (c *call) page(q listQuery, holds func(*account) bool) *userPage {
	found := c.inOrder()
	if holds != nil {
		found = slices.Collect(matching(found, holds))
	}
	if len(q.sort) > 0 && q.sort[0] != (sortKey{"username", 1}) {
		found = sortUsers(found, q.sort)
	}
	return &userPage{cut(found, q.offset, q.count), q.offset, len(found)}
}

func matching(users []*account, holds func(*account) bool) iter.Seq[*account] {
	return func(yield func(*account) bool) {
		for _, u := range users {
			if holds(u) && !yield(u) {
				return
			}
		}
	}
}

// sortUsers is a copy of users in another order; equal ones stay as they are.
func sortUsers(users []*account, keys []sortKey) []*account {
	type row struct {
		user *account
		keys []string
	}
	known := userFields()
	rows := make([]row, len(users))
	for i, u := range users {
		rows[i].user = u
		for _, key := range keys {
			text := fmt.Sprintf("%09d", u.number)
			if value, ok := known[key.name]; ok {
				text = fmt.Sprint(value(u))
			} else if key.name != "" {
				text = ""
			}
			rows[i].keys = append(rows[i].keys, text)
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		for i, key := range keys {
			if order := key.direction * strings.Compare(a.keys[i], b.keys[i]); order != 0 {
				return order
			}
		}
		return 0
	})
	sorted := make([]*account, len(rows))
	for i := range rows {
		sorted[i] = rows[i].user
	}
	return sorted
}

// cut is count items from offset on; zero means all.
func cut[T any](all []T, offset, count int) []T {
	offset = min(offset, len(all))
	end := len(all)
	if count > 0 {
		end = min(offset+count, end)
	}
	return all[offset:end:end]
}
