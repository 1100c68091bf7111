package rocketchat

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// transport sends requests. It shields the caller's RoundTripper from the retry loop, which
// would close idle connections after every failed call.
type transport struct {
	http.RoundTripper
	own     *http.Transport // set if the client made it
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
	return &transport{RoundTripper: own, own: own}
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
	begun, connected, written, replayed atomic.Bool
}

// watch calls stop if net/http is about to send the request again.
func (s *sending) watch(ctx context.Context, stop context.CancelFunc) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { s.begun.Store(true) },
		GotConn: func(httptrace.GotConnInfo) {
			s.connected.Store(true)
			if s.written.Load() {
				s.replayed.Store(true)
				stop()
			}
		},
		WroteHeaders: func() { s.written.Store(true) },
	})
}

// noConnection reports whether the transport, if it reports connections, had none, so that
// nothing was sent.
func (s *sending) noConnection() bool { return s.begun.Load() && !s.connected.Load() }

// noConnectionError is a failure before there was a connection.
type noConnectionError struct{ error }

func (e *noConnectionError) Unwrap() error { return e.error }
