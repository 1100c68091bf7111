package rocketchat

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Page is a part of a list.
type Page[T any] struct {
	Items  []T
	Offset int // of the first item in the whole list
	Total  int // items in the whole list
}

// PageOptions choose a part of a list.
type PageOptions struct {
	// Offset is how many items to skip.
	Offset int
	// Count is how many items to answer with: 0 leaves it to the server (50). A server
	// reduces a larger number than its setting API_Upper_Count_Limit (100) to that.
	Count int
	// Everything asks for all items from Offset on in one answer, instead of Count. A
	// server that does not allow it (API_Allow_Infinite_Count) answers with a page.
	Everything bool
	// Sort orders the list; by default the server's order for the endpoint.
	Sort []SortKey
}

// SortKey is the name of a field to sort by, ascending; with a leading "-" descending.
type SortKey string

// Sort keys of users.
const (
	SortByID        SortKey = "_id"
	SortByUsername  SortKey = "username"
	SortByName      SortKey = "name"
	SortByEmail     SortKey = "emails.address"
	SortByStatus    SortKey = "status"
	SortByActive    SortKey = "active"
	SortByCreatedAt SortKey = "createdAt"
	SortByLastLogin SortKey = "lastLogin"
)

// Desc returns the key in descending order.
func (k SortKey) Desc() SortKey { return "-" + SortKey(k.field()) }

func (k SortKey) field() string { return strings.TrimPrefix(string(k), "-") }

// check lets the endpoint refuse options that no server would take.
func (o PageOptions) check(e endpoint) endpoint {
	fields := make([]string, len(o.Sort))
	for i, key := range o.Sort {
		fields[i] = key.field()
	}
	slices.Sort(fields)
	return e.require(o.Offset >= 0, "Offset", "must not be negative").
		require(o.Count >= 0, "Count", "must not be negative").
		require(!o.Everything || o.Count == 0, "Count", "must not be set together with Everything").
		require(!slices.Contains(fields, ""), "Sort", "has an empty key").
		require(len(slices.Compact(fields)) == len(o.Sort), "Sort", "names a field twice")
}

// addTo adds the options to the parameters of a call.
func (o PageOptions) addTo(q url.Values) url.Values {
	if o.Offset > 0 {
		q.Set("offset", strconv.Itoa(o.Offset))
	}
	if o.Everything {
		q.Set("count", "0")
	} else if o.Count > 0 {
		q.Set("count", strconv.Itoa(o.Count))
	}
	if len(o.Sort) > 0 {
		q.Set("sort", sortJSON(o.Sort))
	}
	return q
}

// sortJSON is the server's form of a sort: a JSON object whose order counts.
func sortJSON(keys []SortKey) string {
	out := []byte{'{'}
	for i, key := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, key.field())
		if strings.HasPrefix(string(key), "-") {
			out = append(out, ":-1"...)
		} else {
			out = append(out, ":1"...)
		}
	}
	return string(append(out, '}'))
}

// cappedPage is the largest page that a server gives where it does not give all.
const cappedPage = 100

// maxBarren bounds the search for the place where a list goes on.
const maxBarren = 1000

// walk yields every item of a list once. It asks for everything at once; where the
// server does not give that, or when the caller set a page size, it goes page by page.
//
// Items may come and go between two pages. Each page therefore begins with the last
// item of the one before. When it begins with one that was not seen yet, others before
// it have gone, and walk steps back until it meets one that was seen. So nothing is
// missed that was there all the time, as long as the list is sorted by what does not
// change, and nothing is yielded twice.
func walk[T any](ctx context.Context, op string, opts PageOptions, id func(*T) string,
	fetch func(context.Context, PageOptions) (*Page[T], error),
) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		next := opts
		next.Everything = opts.Count == 0
		if opts.Count == 1 {
			next.Count = 2 // one of them overlaps
		}
		var seen *seenIDs
		barren := 0 // pages with nothing new, one after the other
		for overlap, step := 0, 0; ; {
			page, err := fetch(ctx, next)
			if next.Everything && errors.Is(err, errTooLarge) {
				next.Everything, next.Count = false, cappedPage
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			items := page.Items
			inOrder := slices.IsSortedFunc(items, func(a, b T) int { return strings.Compare(id(&a), id(&b)) })
			if seen == nil {
				seen = newSeenIDs(inOrder && slices.Equal(opts.Sort, []SortKey{SortByID}))
			}
			if seen.ordered && !inOrder {
				yield(nil, &Error{Op: op, Class: ErrBadAnswer, Message: "the list is not in the order that was asked for"})
				return
			}
			if overlap > 0 && next.Offset > opts.Offset && (len(items) == 0 || !seen.has(id(&items[0]))) {
				step = max(1, 2*step)
				next.Offset = max(next.Offset-step, opts.Offset)
				if barren++; barren < maxBarren {
					continue
				}
			}
			fresh := 0
			for i := range items {
				if key := id(&items[i]); !seen.has(key) {
					seen.add(key)
					fresh++
					if !yield(&items[i], nil) {
						return
					}
				}
			}
			end := next.Offset + len(items)
			if end >= page.Total {
				return
			}
			if barren++; fresh == 0 && step == 0 || len(items) == 0 || barren >= maxBarren {
				yield(nil, &Error{
					Op: op, Class: ErrBadAnswer,
					Message: fmt.Sprintf("the list does not go on after %d of %d items", seen.count, page.Total),
				})
				return
			}
			if fresh > 0 {
				step, barren = 0, 0
			}
			overlap = min(1, len(items)-1)
			next.Offset = end - overlap
			if next.Everything {
				next.Everything, next.Count = false, cappedPage
			}
		}
	}
}

// seenIDs are the items that walk has yielded. Of a list in the order of its ids the
// last one says it all.
type seenIDs struct {
	ordered bool
	last    string
	all     map[string]bool
	count   int
}

func newSeenIDs(ordered bool) *seenIDs {
	return &seenIDs{ordered: ordered, all: make(map[string]bool)}
}

func (s *seenIDs) has(id string) bool {
	if s.ordered {
		return s.count > 0 && id <= s.last
	}
	return s.all[id]
}

func (s *seenIDs) add(id string) {
	s.count++
	if s.ordered {
		s.last = id
		return
	}
	s.all[id] = true
}

// pageOf makes a page of the list that an answer has as member, if it does have it.
func pageOf[T any](e endpoint, member string, items []T, offset, total int) (*Page[T], error) {
	if items == nil {
		return nil, &Error{Op: e.op, Class: ErrBadAnswer, Message: fmt.Sprintf("the answer has no %q", member)}
	}
	return &Page[T]{Items: items, Offset: offset, Total: total}, nil
}

// jsonQuery is a query parameter that the server wants as JSON.
func jsonQuery(v any) string {
	out, _ := json.Marshal(v, json.Deterministic(true)) // of what was JSON, or is texts and lists
	return string(out)
}
