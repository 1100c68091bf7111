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

// resets are all reasons that HTTP/2 has for the end of a stream.
var resets = []http2.ErrCode{
	http2.ErrCodeNo, http2.ErrCodeProtocol, http2.ErrCodeInternal, http2.ErrCodeFlowControl, http2.ErrCodeSettingsTimeout,
	http2.ErrCodeStreamClosed, http2.ErrCodeFrameSize, http2.ErrCodeRefusedStream, http2.ErrCodeCancel, http2.ErrCodeCompression,
	http2.ErrCodeConnect, http2.ErrCodeEnhanceYourCalm, http2.ErrCodeInadequateSecurity, http2.ErrCodeHTTP11Required,
}

// ending is how a stream ends that its handler gives up.
type ending struct {
	code   http2.ErrCode
	goAway bool // the server says first that it takes no requests any more, and took none
}

// connKey is the key of the connection in the context of a request.
type connKey struct{}

// conn is a connection of HTTP/2 on which streams end as the handlers want. The server
// of net/http ends them all with INTERNAL_ERROR, which is replaced here.
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

// ends sets how the stream ends that is given up next. Streams that are given up at the
// same time may exchange their endings.
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

// follow is what is written in place of a part of the frames.
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

// resetStream gives a stream up, with any of the codes that there are.
func (x *exchange) resetStream() {
	x.connection().ends(ending{code: pick(x.rng, resets...)})
	panic(http.ErrAbortHandler)
}

// refuseLate has the server say that it took no request, which may not be true.
func (x *exchange) refuseLate() {
	x.connection().ends(ending{code: http2.ErrCodeRefusedStream, goAway: true})
	panic(http.ErrAbortHandler)
}

// resetMiddle gives a stream up in the middle of its answer.
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
