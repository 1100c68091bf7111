package rocketchat

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// transport sends requests. It shields the caller's RoundTripper from the retry loop, which
// would close idle connections after every failed call.
type transport struct {
	http.RoundTripper
	own     *http.Transport // set if the client made it
	tells   bool            // it tells traces of every connection
	buffers sync.Pool       // of *bytes.Buffer, for answers
}

func newTransport() *transport {
	own := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		own = standard.Clone()
	}
	own.MaxIdleConnsPerHost = 64 // all calls go to one host, for which the default is 2
	// Servers and proxies close idle connections after 60 s. Calls that wait for the next
	// window come after 60 s, too, and must not be sent on a connection that is just being
	// closed.
	own.IdleConnTimeout = 45 * time.Second
	return &transport{RoundTripper: own, own: own, tells: true}
}

func (t *transport) closeIdle() {
	if t.own != nil {
		t.own.CloseIdleConnections()
	}
}

// keptBuffer bounds the size of the buffers that are reused.
const keptBuffer = 1 << 20

func (t *transport) buffer() *bytes.Buffer {
	if b, ok := t.buffers.Get().(*bytes.Buffer); ok {
		return b
	}
	return new(bytes.Buffer)
}

// net/http and its HTTP/2 client send a request again on their own when a reused connection
// closes or a stream is reset, if the body can be rewound or is empty. Writes must not be
// repeated unnoticed. Therefore their bodies cannot be rewound, and a write without a body
// is stopped when it is about to be sent again.

// forbidReplay keeps net/http from sending the request of a write again.
func forbidReplay(req *http.Request) {
	req.GetBody = nil
	if req.Body == nil && req.Method == http.MethodGet {
		req.Body = io.NopCloser(eof{}) // no bytes, but net/http does not know that
	}
}

// eof is an empty body.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// errReplay is the cause of an attempt that net/http was about to make again.
const errReplay = plainError("the connection was lost")

// sending watches how far the request of a write has got.
type sending struct {
	begun, connected, replayed atomic.Bool

	mu      sync.Mutex
	to      string   // the address of the connection asked for last
	written []string // the addresses to which headers were written
	one     [1]string
}

// watch calls stop if the transport is about to send the request again. A request to another
// address does not count, because transports can fetch tokens of their own.
func (s *sending) watch(ctx context.Context, stop context.CancelFunc) context.Context {
	s.written = s.one[:0] // most requests go to one
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(address string) {
			s.begun.Store(true)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.to = address
		},
		GotConn: func(httptrace.GotConnInfo) {
			s.connected.Store(true)
			s.mu.Lock()
			defer s.mu.Unlock()
			if slices.Contains(s.written, s.to) {
				s.replayed.Store(true)
				stop()
			}
		},
		WroteHeaders: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.written = append(s.written, s.to)
		},
	})
}

// seenIn adds to the error of an attempt what is known about its connections. Without one,
// nothing was sent; only some transports report them.
func (s *sending) seenIn(err error, tells bool) error {
	switch {
	case s.connected.Load():
		return &connectedError{err}
	case tells || s.begun.Load():
		return &noConnectionError{err}
	}
	return err
}

// noConnectionError is a failure before there was a connection.
type noConnectionError struct{ error }

func (e *noConnectionError) Unwrap() error { return e.error }

// connectedError is a failure after there was a connection. What it wraps can be the
// failure of a later one, of a transport that tries again.
type connectedError struct{ error }

func (e *connectedError) Unwrap() error { return e.error }
