package gate

import (
	"container/list"
	"iter"
	"time"
)

// waiter is a call in the queue.
type waiter struct {
	caller   *caller
	place    uint64
	element  *list.Element // in the queue; nil when it has left
	hold     time.Duration
	deadline time.Time          // for letting it through; zero: none
	tell     bool               // the length of its wait has not been reported yet
	wait     chan time.Duration // receives the length, once
	ready    chan struct{}      // closed when pass or err is set
	pass     Pass
	err      error
}

// queue holds the waiters in order of their places.
type queue struct {
	list list.List
	last uint64 // place that was assigned
}

// place returns the place that a call asks to keep, or a new one at the end.
func (q *queue) place(asked uint64) uint64 {
	if asked > 0 && asked <= q.last {
		return asked
	}
	q.last++
	return q.last
}

// precedes reports whether no waiter comes before the place.
func (q *queue) precedes(place uint64) bool {
	front := q.list.Front()
	return front == nil || place < of(front).place
}

func (q *queue) add(w *waiter) {
	w.caller.waiting++
	if back := q.list.Back(); back == nil || of(back).place < w.place {
		w.element = q.list.PushBack(w)
		return
	}
	for e := q.list.Front(); ; e = e.Next() {
		if of(e).place >= w.place {
			w.element = q.list.InsertBefore(w, e)
			return
		}
	}
}

func (q *queue) front() *waiter {
	if e := q.list.Front(); e != nil {
		return of(e)
	}
	return nil
}

// all yields the waiters in order. The caller may remove the one that is yielded.
func (q *queue) all() iter.Seq[*waiter] {
	return func(yield func(*waiter) bool) {
		for e := q.list.Front(); e != nil; {
			next := e.Next()
			if !yield(of(e)) {
				return
			}
			e = next
		}
	}
}

func (q *queue) remove(w *waiter) {
	w.caller.waiting--
	q.list.Remove(w.element)
	w.element = nil
}

func of(e *list.Element) *waiter {
	return e.Value.(*waiter) //nolint:forcetypeassert // the list holds nothing else
}
