package rocketchat

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Page is a part of a list.
type Page[T any] struct {
	Items  []T
	Offset int // of the first item in the whole list
	Total  int // items in the whole list
}

// Fields to sort users by. A leading "-" sorts in descending order.
const (
	SortByID        = "_id"
	SortByUsername  = "username"
	SortByName      = "name"
	SortByEmail     = "emails.address"
	SortByStatus    = "status"
	SortByActive    = "active"
	SortByCreatedAt = "createdAt"
	SortByLastLogin = "lastLogin"
)

// pageOptions select and order a part of a list.
type pageOptions struct {
	offset     int
	count      int
	everything bool
	sort       []string
}

// sortedBy returns the options, with a sort if they have none.
func (p pageOptions) sortedBy(field string) pageOptions {
	if len(p.sort) == 0 {
		p.sort = []string{field}
	}
	return p
}

func sortField(key string) string { return strings.TrimPrefix(key, "-") }

// sortJSON returns a sort as the server expects it, a JSON object with ordered members.
func sortJSON(keys []string) string {
	out := []byte{'{'}
	for i, key := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, sortField(key))
		if strings.HasPrefix(key, "-") {
			out = append(out, ":-1"...)
		} else {
			out = append(out, ":1"...)
		}
	}
	return string(append(out, '}'))
}

// pageOf makes a page of the list that is the given member of an answer, if there is one.
func pageOf[T any](e endpoint, member string, items []T, offset, total int) (*Page[T], error) {
	if items == nil {
		return nil, &Error{Op: e.op, Class: ErrBadAnswer, Message: fmt.Sprintf("the answer has no %q", member)}
	}
	return &Page[T]{Items: items, Offset: offset, Total: total}, nil
}

const (
	// cappedPage is the largest page of servers that do not return everything.
	cappedPage = 100
	// maxBarren bounds the number of consecutive pages without a new item.
	maxBarren = 1000
)

// listing is a list that can be read to its end.
type listing[T any] struct {
	op   string
	id   func(*T) string
	page func(context.Context, pageOptions) (*Page[T], error)
	// open, if set, reads everything from an offset on as it arrives.
	open  func(context.Context, pageOptions) (*listReader[T], context.Context, error)
	retry RetryPolicy // for what open reads
}

// all yields every item of a list once. It asks for everything in one answer. If the server
// does not allow that, or the caller set a page size, it reads pages.
//
// Items can be added and removed between two answers. Therefore each answer begins with the
// last item of the previous one. If it begins with an unseen item, earlier items were
// removed, and all steps back until it meets a seen one. If it has no new item, items were
// added, and all goes on. As long as the list is sorted by a field that does not change,
// items that exist throughout are never skipped, and none is yielded twice.
func (l listing[T]) all(ctx context.Context, opts pageOptions) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		w := newWalker(l, opts)
		for !w.done {
			next := w.pageItems
			if w.next.everything && w.byID && l.open != nil {
				next = w.streamItems
			}
			for item, err := range next(ctx) {
				if err == nil && ctx.Err() != nil { // ended by the body of the loop, say
					item, err = nil, l.cancelled(ctx)
				}
				if !yield(item, err) || err != nil {
					return
				}
			}
		}
	}
}

func (l listing[T]) cancelled(ctx context.Context) error {
	c := &call{endpoint: endpoint{op: l.op}}
	return c.sanitize(noAnswer(c, ended(ctx)))
}

// walker is a position in a list.
type walker[T any] struct {
	listing[T]
	byID  bool // the list is to be sorted by ID
	first int  // offset where the walk begins
	next  pageOptions
	done  bool

	seen    *seenIDs
	head    string // ID of the very first item
	overlap bool   // the next answer begins with an item that was seen
	step    int    // number of items that the last answer was stepped back; 0 for none
	barren  int
	broken  int // streams, one after the other, that ended early without a new item
}

func newWalker[T any](l listing[T], opts pageOptions) *walker[T] {
	w := &walker[T]{listing: l, first: opts.offset, next: opts, byID: slices.Equal(opts.sort, []string{SortByID})}
	w.next.everything = opts.count == 0
	if opts.count == 1 {
		w.next.count = 2 // one of them overlaps
	}
	return w
}

func (w *walker[T]) pageByPage() { w.next.everything, w.next.count = false, cappedPage }

// pageItems yields the new items of the next page.
func (w *walker[T]) pageItems(ctx context.Context) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		fresh, err := w.read(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, item := range fresh {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// read fetches the next page and returns its items that were not seen yet.
func (w *walker[T]) read(ctx context.Context) ([]*T, error) {
	page, err := w.page(ctx, w.next)
	switch {
	case w.next.everything && errors.Is(err, errTooLarge):
		w.pageByPage()
		return nil, nil
	case err != nil:
		return nil, err
	}
	return w.take(page)
}

// take returns the items of a page that were not seen yet, and sets the next page.
func (w *walker[T]) take(page *Page[T]) ([]*T, error) {
	items := page.Items
	if err := w.order(items); err != nil {
		return nil, err
	}
	head := ""
	if len(items) > 0 {
		head = w.id(&items[0])
	}
	if w.gap(head) {
		return nil, w.stepBack(page.Total)
	}
	var fresh []*T
	for i := range items {
		key := w.id(&items[i])
		if key == "" {
			return nil, w.nameless()
		}
		if w.seen.add(key) {
			fresh = append(fresh, &items[i])
		}
	}
	if len(fresh) > 0 {
		w.step, w.barren = 0, 0
	}
	return fresh, w.advance(head, len(items), len(fresh), page.Total)
}

// stepBack makes the next answer begin earlier.
func (w *walker[T]) stepBack(total int) error {
	w.step = max(1, 2*w.step)
	w.next.offset = max(w.next.offset-w.step, w.first)
	return w.stuck(total)
}

// order checks the order of a page if the walk relies on it.
func (w *walker[T]) order(items []T) error {
	sorted := w.byID && slices.IsSortedFunc(items, func(a, b T) int { return strings.Compare(w.id(&a), w.id(&b)) })
	if w.seen == nil {
		w.seen = &seenIDs{sorted: sorted, all: make(map[string]bool)}
		if len(items) > 0 {
			w.head = w.id(&items[0])
		}
	}
	if w.seen.sorted && !sorted {
		return w.disordered()
	}
	return nil
}

func (w *walker[T]) disordered() error {
	return &Error{Op: w.op, Class: ErrBadAnswer, Message: "the list is not in the requested order"}
}

func (w *walker[T]) nameless() error {
	return &Error{Op: w.op, Class: ErrBadAnswer, Message: "the list has an item without an ID"}
}

// gap reports whether items before an answer, which begins with head, were removed, so that
// others may have been skipped.
func (w *walker[T]) gap(head string) bool {
	return w.overlap && w.next.offset > w.first && (head == "" || !w.seen.has(head))
}

// advance moves the position after an answer with n items and the given number of new ones.
func (w *walker[T]) advance(head string, n, fresh, total int) error {
	end := w.next.offset + n
	switch again := n > 0 && fresh == 0 && w.next.offset > w.first && head == w.head; {
	case again && w.first+w.seen.count < total: // the server may ignore the offset
		if w.barren > 2 {
			return w.ends(total)
		}
	case again, end == total, end > total && n <= 1: // the total may be too small, so longer answers are followed by another
		w.done = true
		return nil
	case n == 0:
		return w.ends(total)
	}
	w.goOn(n)
	if w.next.everything {
		w.pageByPage()
	}
	if fresh == 0 {
		return w.stuck(total)
	}
	return nil
}

// goOn moves the offset by n items, but asks for the last one again.
func (w *walker[T]) goOn(n int) {
	w.overlap = n > 1
	w.next.offset += n
	if w.overlap {
		w.next.offset--
	}
}

// stuck counts answers without a new item.
func (w *walker[T]) stuck(total int) error {
	if w.barren++; w.barren >= maxBarren {
		return w.ends(total)
	}
	return nil
}

func (w *walker[T]) ends(total int) error {
	return &Error{
		Op: w.op, Class: ErrBadAnswer,
		Message: fmt.Sprintf("the list ends after %d of %d items", w.seen.count, total),
	}
}

// streamItems asks for everything and yields new items as they arrive. If the stream
// breaks, the next one continues after the last item.
func (w *walker[T]) streamItems(ctx context.Context) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		list, inner, err := w.open(ctx, w.next)
		over := false
		defer func() {
			if !over { // the body of the loop panicked
				_ = list.call.end(inner, errPanicked)
			}
		}()
		r := &streamRun[T]{walker: w, list: list, yield: yield}
		if err == nil {
			err = r.run()
		}
		over = true
		switch b, broken := err.(*brokenError); { //nolint:errorlint // made by the reader of the list
		case broken && ctx.Err() != nil:
			err = list.call.end(inner, noAnswer(list.call, ended(ctx)))
		case broken:
			_ = list.call.end(inner, b.err)
			err = w.resume(ctx, r, b.err)
		default:
			err = list.call.end(inner, err)
		}
		if err != nil && !r.stopped {
			yield(nil, err)
		}
	}
}

// resume requests the list again after a stream broke.
func (w *walker[T]) resume(ctx context.Context, r *streamRun[T], broken *Error) error {
	if r.fresh > cappedPage {
		w.broken = 0
	}
	if w.broken++; w.broken >= w.retry.MaxAttempts {
		return broken
	}
	if r.n > 0 { // without an item, the place is still the same
		w.overlap = true
		w.next.offset += r.n - 1
	}
	timer := time.NewTimer(w.retry.delay(w.broken))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return noAnswer(r.list.call, ended(ctx))
	}
}

// streamRun is one stream of a walk.
type streamRun[T any] struct {
	*walker[T]
	list    *listReader[T]
	yield   func(*T, error) bool
	stopped bool // by the caller

	n, fresh   int
	head, last string
	early      []string // the first IDs, in case the list is not sorted

	begun time.Time
	away  time.Duration // that the caller spent with the items
}

const (
	// sampled is the number of items between two looks at the clock.
	sampled = 32
	// maxEarly bounds the number of pages that may lack the requested order.
	maxEarly = 10 * cappedPage
)

func (r *streamRun[T]) run() error {
	r.begun = time.Now()
	for {
		item, err := r.list.next()
		switch {
		case err != nil:
			return err
		case item == nil && r.n == 0 && r.begins(""):
			return r.stepBack(r.list.rest.Total)
		case item == nil:
			return r.advance(r.head, r.n, r.fresh, r.list.rest.Total)
		}
		id := r.id(item)
		if id == "" {
			return r.nameless()
		}
		if r.n == 0 && r.begins(id) {
			return r.stepBack(r.seen.count)
		}
		isNew, err := r.add(id)
		if err != nil {
			return err
		}
		if isNew && !r.deliver(item) {
			r.stopped, r.done = true, true
			return nil
		}
	}
}

// begins records the first item, if there is one, and reports whether items before it were
// removed.
func (r *streamRun[T]) begins(id string) (gap bool) {
	r.head = id
	if r.seen == nil {
		r.seen, r.walker.head = &seenIDs{sorted: true, all: make(map[string]bool)}, id
	}
	return r.gap(id)
}

// add reports whether an item is new.
func (r *streamRun[T]) add(id string) (bool, error) {
	r.n++
	if r.seen.sorted && r.n > 1 && id < r.last {
		if len(r.early) != r.seen.count {
			return false, r.disordered()
		}
		r.seen.unsort(r.early)
	}
	r.last = id
	if !r.seen.add(id) {
		return false, nil
	}
	r.fresh++
	r.step, r.barren = 0, 0
	if len(r.early) < maxEarly && r.seen.count == len(r.early)+1 {
		r.early = append(r.early, id)
	}
	return true, nil
}

// deliver yields an item. From time to time it checks whether the caller keeps up.
func (r *streamRun[T]) deliver(item *T) bool {
	s := r.list.call.answer.stream
	if s == nil || r.fresh%sampled != 0 {
		return r.yield(item, nil)
	}
	start := time.Now()
	again := r.yield(item, nil)
	now := time.Now()
	r.away += sampled * now.Sub(start)
	if r.away > now.Sub(r.begun)/2 {
		s.readAhead()
	}
	return again
}

// seenIDs are the items that a walk has yielded. In a list sorted by ID, only the last ID
// is kept.
type seenIDs struct {
	sorted bool
	last   string
	all    map[string]bool
	count  int
}

func (s *seenIDs) has(id string) bool {
	if s.sorted {
		return s.count > 0 && id <= s.last
	}
	return s.all[id]
}

// unsort treats the list as unsorted. The IDs are those received so far.
func (s *seenIDs) unsort(ids []string) {
	s.sorted = false
	for _, id := range ids {
		s.all[id] = true
	}
}

// add reports whether the ID is new.
func (s *seenIDs) add(id string) bool {
	if s.has(id) {
		return false
	}
	s.count++
	if s.sorted {
		s.last = id
	} else {
		s.all[id] = true
	}
	return true
}
