package faulttest

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"

	"golang.org/x/net/http2"
)

// resets are all error codes with which HTTP/2 ends a stream.
var resets = []http2.ErrCode{
	http2.ErrCodeNo, http2.ErrCodeProtocol, http2.ErrCodeInternal, http2.ErrCodeFlowControl, http2.ErrCodeSettingsTimeout,
	http2.ErrCodeStreamClosed, http2.ErrCodeFrameSize, http2.ErrCodeRefusedStream, http2.ErrCodeCancel, http2.ErrCodeCompression,
	http2.ErrCodeConnect, http2.ErrCodeEnhanceYourCalm, http2.ErrCodeInadequateSecurity, http2.ErrCodeHTTP11Required,
}

// ending says how to end a stream that its handler aborts.
type ending struct {
	code   http2.ErrCode
	goAway bool // the server says first that it takes no requests any more, and took none
}

// connKey is the key of the connection in the context of a request.
type connKey struct{}

// conn is an HTTP/2 connection on which handlers choose how streams end. The server of
// net/http ends them all with INTERNAL_ERROR, which is replaced here.
type conn struct {
	*tls.Conn

	mu      sync.Mutex
	endings []ending
	header  []byte // of the frame that is being written, as far as it is known
	rest    int    // bytes that its payload still has
	reset   bool   // it ends a stream
	code    []byte // of a frame that ends a stream
	written map[string]int
}

// ends sets the ending of the stream that is aborted next. Streams that are aborted at the
// same time may swap endings.
func (c *conn) ends(e ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endings = append(c.endings, e)
}

const (
	frameHeader = 9 // bytes
	resetStream = 0x3
	goAway      = 0x7
)

// Write implements [net.Conn]. It follows the frames, whose parts may come in any number
// of calls.
func (c *conn) Write(p []byte) (int, error) {
	if _, err := c.Conn.Write(c.follow(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// follow returns what to write instead of a part of the frames.
func (c *conn) follow(p []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]byte, 0, len(p))
	for rest := p; len(rest) > 0; {
		switch {
		case len(c.header) < frameHeader:
			n := min(frameHeader-len(c.header), len(rest))
			c.header = append(c.header, rest[:n]...)
			rest = rest[n:]
			if len(c.header) < frameHeader {
				continue
			}
			c.rest = int(c.header[0])<<16 | int(c.header[1])<<8 | int(c.header[2])
			c.reset = c.header[3] == resetStream
			if !c.reset {
				out = append(out, c.header...)
			}
		case c.reset:
			n := min(c.rest, len(rest))
			c.code = append(c.code, rest[:n]...)
			c.rest -= n
			rest = rest[n:]
			if c.rest == 0 {
				out = append(out, c.ended()...)
			}
		default:
			n := min(c.rest, len(rest))
			out = append(out, rest[:n]...)
			c.rest -= n
			rest = rest[n:]
		}
		if c.rest == 0 && len(c.header) == frameHeader {
			c.header, c.code = c.header[:0], c.code[:0]
		}
	}
	return out
}

// ended is the end of a stream, with the code that its handler wanted.
func (c *conn) ended() (frames []byte) {
	code := http2.ErrCode(binary.BigEndian.Uint32(c.code))
	if code == http2.ErrCodeInternal && len(c.endings) > 0 {
		e := c.endings[0]
		c.endings = c.endings[1:]
		code = e.code
		if e.goAway {
			frames = append(frames, 0, 0, 8, goAway, 0, 0, 0, 0, 0)
			frames = binary.BigEndian.AppendUint32(frames, 0) // the last stream that it took
			frames = binary.BigEndian.AppendUint32(frames, uint32(http2.ErrCodeNo))
			c.written["GOAWAY"]++
		}
	}
	c.written["RST_STREAM "+code.String()]++
	frames = append(frames, c.header...)
	return binary.BigEndian.AppendUint32(frames, uint32(code))
}

// listen2 starts a server of HTTP/2.
func (f *faultyServer) listen2() (close func()) {
	server := httptest.NewUnstartedServer(f)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	protocol := new(http2.Server) //nolint:staticcheck // the server of net/http takes no connection of ours
	server.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		http2.NextProtoTLS: func(config *http.Server, secured *tls.Conn, handler http.Handler) {
			c := &conn{Conn: secured, written: map[string]int{}}
			protocol.ServeConn(c, &http2.ServeConnOpts{ //nolint:staticcheck // see above
				Context: context.WithValue(context.Background(), connKey{}, c), BaseConfig: config, Handler: handler,
			})
			c.mu.Lock()
			defer c.mu.Unlock()
			f.mu.Lock()
			defer f.mu.Unlock()
			for what, times := range c.written {
				f.injected[what] += times
			}
		},
	}
	server.StartTLS()
	f.address = server.Listener.Addr().String()
	f.client = func() *http.Transport {
		trust := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		return &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: true, TLSHandshakeTimeout: attemptTimeout}
	}
	return server.Close
}

// connection is the connection of a request of HTTP/2, nil for one of HTTP/1.
func (x *exchange) connection() *conn {
	c, _ := x.r.Context().Value(connKey{}).(*conn)
	return c
}

// resetStream aborts a stream with one of the codes.
func (x *exchange) resetStream() {
	x.connection().ends(ending{code: pick(x.rng, resets...)})
	panic(http.ErrAbortHandler)
}

// refuseLate makes the server say, truly or not, that it did not process the request.
func (x *exchange) refuseLate() {
	x.connection().ends(ending{code: http2.ErrCodeRefusedStream, goAway: true})
	panic(http.ErrAbortHandler)
}

// resetMiddle aborts a stream in the middle of its answer.
func (x *exchange) resetMiddle() {
	rec := x.execute()
	x.start(rec)
	_, _ = x.w.Write(rec.Body.Bytes()[:x.rng.IntN(rec.Body.Len()+1)])
	_ = http.NewResponseController(x.w).Flush()
	x.resetStream()
}

// cut breaks the connection, with all its streams.
func (c *conn) cut() {
	if tcp, ok := c.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
}
