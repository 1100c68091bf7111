package rocketchat

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// stream is the body of an answer that is read as it arrives.
//
// As long as the caller keeps up, Read reads from the network. If the caller is slower than
// the network, a goroutine reads ahead, so that the server can finish. The data that is kept
// takes at most half of [WithMaxAnswer], because the garbage collector lets the heap grow to
// twice what is in use.
type stream struct {
	body    io.ReadCloser
	cancel  context.CancelFunc // ends the attempt
	idle    *time.Timer        // ends it if no byte arrives
	watcher *time.Timer        // reads ahead when the caller is away
	timeout time.Duration
	limit   int64 // bounds the bytes of an item
	item    int64 // bytes read since the last item
	weight  int64 // of the bytes of a long item; see tooDense

	mu      sync.Mutex
	changed sync.Cond // of anything below
	reading bool      // Read waits for the network
	reads   int
	seen    int  // reads when the watcher looked last
	ahead   bool // a goroutine reads
	closed  bool
	err     error // why nothing more comes

	segments [][]byte // data that was read ahead; all are full but the last
	begin    int      // of the unread data in the first
	end      int      // of the data in the last
	spare    []byte   // a segment to reuse
}

const (
	segmentSize = 64 << 10
	// watchTime is how long the caller may take for the result of one Read before the stream
	// reads ahead.
	watchTime = 200 * time.Millisecond
)

func newStream(body io.ReadCloser, cancel context.CancelFunc, timeout time.Duration, limit int64) *stream {
	s := &stream{body: body, cancel: cancel, timeout: timeout, limit: limit}
	s.changed.L = &s.mu
	s.idle = time.AfterFunc(timeout, cancel)
	s.idle.Stop()
	s.watcher = time.AfterFunc(time.Hour, s.watch)
	s.watcher.Reset(watchTime)
	return s
}

// Read implements [io.Reader].
func (s *stream) Read(p []byte) (n int, err error) {
	switch {
	case s.item > s.limit:
		return 0, errTooLarge
	case s.weight > s.item:
		return 0, errTooDense
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if s.ahead {
		n, err = s.take(p)
	} else if err = s.err; err == nil {
		s.reading = true
		s.mu.Unlock()
		n, err = s.receive(p)
		s.mu.Lock()
		s.reading, s.err = false, err
	}
	if n > 0 {
		s.item += int64(n)
		if s.item > mayBeDense {
			s.weight += int64(weight(p[:n]))
		}
		err = nil
	}
	return n, err
}

// take waits for data that was read ahead, and copies it to p.
func (s *stream) take(p []byte) (int, error) {
	unread := s.unread()
	for ; len(unread) == 0; unread = s.unread() {
		if s.err != nil {
			return 0, s.err
		}
		s.changed.Wait()
	}
	n := copy(p, unread)
	if s.begin += n; s.begin == segmentSize {
		s.spare, s.segments[0] = s.segments[0], nil
		s.segments, s.begin = s.segments[1:], 0
		s.changed.Broadcast()
	}
	return n, nil
}

// unread returns the oldest data that was read ahead.
func (s *stream) unread() []byte {
	switch len(s.segments) {
	case 0:
		return nil
	case 1:
		return s.segments[0][s.begin:s.end]
	default:
		return s.segments[0][s.begin:]
	}
}

// receive reads from the network, within the time allowed.
func (s *stream) receive(p []byte) (int, error) {
	s.idle.Reset(s.timeout)
	defer s.idle.Stop()
	return io.ReadAtLeast(s.body, p, 1)
}

// watch reads ahead if the caller is slow, until the stream is closed.
func (s *stream) watch() {
	s.mu.Lock()
	away := s.reads == s.seen && !s.reading
	s.seen = s.reads
	over := s.ahead || s.closed
	s.mu.Unlock()
	if away {
		s.readAhead()
	}
	if !over { // the caller may have come back meanwhile
		s.watcher.Reset(watchTime)
	}
}

// readAhead starts a goroutine that reads, unless there is one.
func (s *stream) readAhead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ahead && !s.reading && !s.closed && s.err == nil {
		s.ahead = true
		go s.fill()
	}
}

// fill reads the body to its end.
func (s *stream) fill() {
	for {
		room := s.room()
		if room == nil {
			return // closed
		}
		n, err := s.receive(room)
		s.mu.Lock()
		s.end += n
		s.err = err
		s.changed.Broadcast()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// room waits until more data may be held, and returns where to put it, or nil if the stream
// was closed. Nothing else uses that part of a segment until end has moved past it.
func (s *stream) room() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) == 0 || s.end == segmentSize {
		for !s.closed && int64(len(s.segments)+1)*segmentSize > s.limit/2 && len(s.segments) > 0 {
			s.changed.Wait()
		}
		segment := s.spare
		if s.spare = nil; segment == nil {
			segment = make([]byte, segmentSize)
		}
		s.segments, s.end = append(s.segments, segment), 0
	}
	if s.closed {
		return nil
	}
	return s.segments[len(s.segments)-1][s.end:]
}

// broken is the network failure that ended the stream early, if any.
func (s *stream) broken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

// Close ends the stream, whether or not it was read.
func (s *stream) Close() error {
	s.mu.Lock()
	s.closed = true
	s.changed.Broadcast()
	s.mu.Unlock()
	s.watcher.Stop()
	s.cancel()
	return s.body.Close()
}

// streamed turns the answer to an attempt into a stream, if it is a success and not known
// to be short. Other answers are read at once.
func (c *call) streamed(res *http.Response, cancel context.CancelFunc) bool {
	if !c.streams || res.StatusCode != http.StatusOK || res.ContentLength >= 0 && res.ContentLength <= segmentSize {
		return false
	}
	config := &c.client.config
	c.answer.status, c.answer.header, c.answer.at = res.StatusCode, res.Header, time.Now()
	c.answer.stream = newStream(res.Body, cancel, config.attemptTimeout, config.maxAnswer)
	return true
}

// listReader reads a list, which is a member of an answer, item by item.
type listReader[T any] struct {
	call *call
	dec  *jsontext.Decoder
	head *bytes.Buffer // what came before the list; nil once it has begun
	rest struct {
		Success *bool `json:"success"`
		Total   int   `json:"total"`
	}
}

// openList makes a call whose answer has a list as the member that it yields. The caller
// ends the call.
func openList[T any](ctx context.Context, client *Client, e endpoint, callOpts []CallOption) (*listReader[T], context.Context, error) {
	e.streams = true
	c, ctx, err := send(ctx, client, e, callOpts)
	l := &listReader[T]{call: c}
	if err != nil {
		return l, ctx, err
	}
	if c.answer.stream == nil {
		l.dec = jsontext.NewDecoder(bytes.NewBuffer(c.answer.body), decodeOptions)
	} else {
		l.head = new(bytes.Buffer)
		l.dec = jsontext.NewDecoder(io.TeeReader(c.answer.stream, headOf[T]{l}), decodeOptions)
	}
	return l, ctx, l.begin()
}

// headOf keeps the text before the list.
type headOf[T any] struct{ list *listReader[T] }

func (h headOf[T]) Write(p []byte) (int, error) {
	if h.list.head == nil {
		return len(p), nil
	}
	return h.list.head.Write(p)
}

// begin reads up to the list. An answer without one is decoded like any other.
func (l *listReader[T]) begin() error {
	if other := l.call.answer.otherType(); other != "" {
		return badAnswer(l.call, "the answer is not JSON but "+other, nil)
	}
	if l.dec.PeekKind() == '{' {
		_, _ = l.dec.ReadToken()
	}
	found, err := l.members()
	if found {
		l.head = nil
		return nil
	}
	if broken := l.broken(err); broken != nil {
		return broken
	}
	if errors.Is(err, errTooLarge) {
		return badAnswer(l.call, "the answer cannot be read", errTooLarge)
	}
	if l.head != nil {
		l.call.answer.body = l.head.Bytes()
	}
	if _, failed := decode[jsontext.Value](l.call); failed != nil || err != nil {
		return cmp.Or[error](failed, badAnswer(l.call, "the answer cannot be read", withoutValues(err)))
	}
	return badAnswer(l.call, fmt.Sprintf("the answer has no %q", l.call.member), nil)
}

// members reads members up to the list, or to the end of the answer.
func (l *listReader[T]) members() (found bool, err error) {
	for l.dec.PeekKind() == '"' {
		name, err := l.dec.ReadValue()
		if err != nil {
			return false, err
		}
		switch string(name) {
		case `"` + l.call.member + `"`:
			if l.dec.PeekKind() == '[' {
				_, err = l.dec.ReadToken()
				return err == nil, err
			}
			err = l.dec.SkipValue()
		case `"success"`:
			err = json.UnmarshalDecode(l.dec, &l.rest.Success)
		case `"total"`:
			err = json.UnmarshalDecode(l.dec, &l.rest.Total)
		default:
			err = l.dec.SkipValue()
		}
		if err != nil {
			return false, err
		}
	}
	_, err = l.dec.ReadToken()
	return false, err
}

// next returns the next item, or nil after the last.
func (l *listReader[T]) next() (*T, error) {
	if l.dec.PeekKind() != ']' {
		item := new(T)
		if err := json.UnmarshalDecode(l.dec, item); err != nil {
			return nil, l.failed(err)
		}
		if l.call.answer.stream != nil {
			l.call.answer.stream.item, l.call.answer.stream.weight = 0, 0
		}
		return item, nil
	}
	if _, err := l.dec.ReadToken(); err != nil {
		return nil, l.failed(err)
	}
	if _, err := l.members(); err != nil {
		return nil, l.failed(err)
	}
	if l.rest.Success != nil && !*l.rest.Success {
		return nil, badAnswer(l.call, "the answer does not say that the call succeeded", nil)
	}
	return nil, nil
}

// failed is the error of an answer that could not be read to its end.
func (l *listReader[T]) failed(err error) error {
	if broken := l.broken(err); broken != nil {
		return broken
	}
	return badAnswer(l.call, "the answer cannot be read", withoutValues(err))
}

// broken returns the error of an answer that ended early, or nil if err has another cause.
func (l *listReader[T]) broken(err error) error {
	var failed error
	if s := l.call.answer.stream; s != nil {
		failed = s.broken()
	}
	switch {
	case errors.Is(failed, context.Canceled):
		failed = errAttemptTimeout
	case failed == nil && errors.Is(err, io.ErrUnexpectedEOF): // it was cut off, and looks like an end
		failed = io.ErrUnexpectedEOF
	case failed == nil:
		return nil
	}
	return &brokenError{noAnswer(l.call, failed)}
}

// brokenError is the error of an answer that ended early. The list can be requested again.
type brokenError struct{ err *Error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }
