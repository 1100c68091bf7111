package rocketchat

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// resettingServer is a minimal HTTP/2 server. It counts requests and resets each stream
// after the request is complete, like a server or proxy that fails after it has acted.
type resettingServer struct {
	url    string
	client *http.Transport
	served atomic.Int32
}

func newResettingServer(t *testing.T, code uint32) *resettingServer {
	t.Helper()
	plain := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(plain.Close)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: plain.TLS.Certificates, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	s := &resettingServer{url: "https://" + listener.Addr().String()}
	pool, ok := plain.Client().Transport.(*http.Transport)
	require.True(t, ok)
	s.client = &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: pool.TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12, ServerName: "example.com"},
	}
	t.Cleanup(s.client.CloseIdleConnections)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn, code)
		}
	}()
	return s
}

// The types and flags of HTTP/2 frames that the server needs.
const (
	frameData, frameHeaders, frameReset, frameSettings = 0, 1, 3, 4
	flagEndStream, flagAck                             = 1, 1
)

func (s *resettingServer) serve(conn net.Conn, code uint32) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	if _, err := io.CopyN(io.Discard, in, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	frame := func(kind, flags byte, stream uint32, payload []byte) {
		out := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
		out = binary.BigEndian.AppendUint32(append(out, flags), stream)
		_, _ = conn.Write(append(out, payload...))
	}
	frame(frameSettings, 0, 0, nil)
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		length := int64(binary.BigEndian.Uint32(head) >> 8)
		if _, err := io.CopyN(io.Discard, in, length); err != nil {
			return
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		switch {
		case kind == frameSettings && flags&flagAck == 0:
			frame(frameSettings, flagAck, 0, nil)
		case (kind == frameHeaders || kind == frameData) && flags&flagEndStream != 0:
			s.served.Add(1)
			frame(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code))
		}
	}
}

// writesOnce are calls that must not be repeated: one with a body, one without, and a GET.
func writesOnce() map[string]func(context.Context, *Client) error {
	return map[string]func(context.Context, *Client) error{
		"users.generatePersonalAccessToken": func(ctx context.Context, c *Client) error {
			_, err := c.Tokens.Generate(ctx, "bot", TokenGenerateOptions{})
			return err
		},
		"users.delete": func(ctx context.Context, c *Client) error {
			_, err := c.Users.Delete(ctx, ByID("a"), UserDeleteOptions{})
			return err
		},
		"users.enableTotp": func(ctx context.Context, c *Client) error {
			_, err := c.TwoFactor.EnableTOTP(ctx)
			return err
		},
		"users.requestDataDownload": func(ctx context.Context, c *Client) error {
			_, err := c.Me.RequestDataDownload(ctx, false)
			return err
		},
	}
}

// TestStreamResets: a stream that is reset after the server acted, with any code, does
// not make net/http send a write again.
func TestStreamResets(t *testing.T) {
	t.Parallel()
	for code := range uint32(14) {
		srv := newResettingServer(t, code)
		for op, call := range writesOnce() {
			c, err := New(srv.url, WithTransport(srv.client), WithToken("u", "t"))
			require.NoError(t, err)
			before := srv.served.Load()
			err = call(t.Context(), c)
			require.ErrorIs(t, err, ErrOutcomeUnknown, "%s, code %d", op, code)
			e, _ := errors.AsType[*Error](err)
			assert.Equal(t, 1, e.Attempts, "%s, code %d", op, code)
			assert.EqualValues(t, 1, srv.served.Load()-before, "%s, code %d: requests", op, code)
		}
	}
}

// TestReplayOfIdempotentWrites: every request of an idempotent write is an attempt, too.
func TestReplayOfIdempotentWrites(t *testing.T) {
	t.Parallel()
	srv := newResettingServer(t, 1)
	for _, call := range []func(context.Context, *Client) error{
		func(ctx context.Context, c *Client) error { return c.Users.Activate(ctx, ByID("a")) },
		func(ctx context.Context, c *Client) error { return c.Sessions.RemoveOtherTokens(ctx) },
	} {
		c, err := New(srv.url, WithTransport(srv.client), WithToken("u", "t"), WithRetry(RetryPolicy{MaxAttempts: 3, BaseDelay: 1, MaxDelay: 1}))
		require.NoError(t, err)
		before := srv.served.Load()
		err = call(t.Context(), c)
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok)
		assert.EqualValues(t, e.Attempts, srv.served.Load()-before)
	}
}

// TestReusedConnection: a reused HTTP/1 connection that the server closes instead of an
// answer does not make net/http send a write again, not even a GET.
func TestReusedConnection(t *testing.T) {
	t.Parallel()
	for op, call := range writesOnce() {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			var served atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if r.URL.Path == "/api/info" {
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, `{"success":true,"version":"8.6"}`)
					return
				}
				served.Add(1)
				panic(http.ErrAbortHandler)
			}))
			t.Cleanup(srv.Close)
			c, err := New(srv.URL, WithToken("u", "t"))
			require.NoError(t, err)
			_, err = c.Server.Info(t.Context())
			require.NoError(t, err)
			err = call(t.Context(), c)
			require.ErrorIs(t, err, ErrOutcomeUnknown)
			assert.EqualValues(t, 1, served.Load())
		})
	}
}

// TestGetWithoutBody: the body that keeps a GET from being sent again is not seen.
func TestGetWithoutBody(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		assert.Empty(t, body)
		assert.Empty(t, r.TransferEncoding)
		assert.Zero(t, r.ContentLength)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"success":true,"requested":true,"exportOperation":{}}`)
	}))
	defer srv.Close()
	c, err := New(srv.URL, WithToken("u", "t"))
	require.NoError(t, err)
	_, err = c.Me.RequestDataDownload(t.Context(), false)
	require.NoError(t, err)
}

// TestRedirectedWrite: a write that was answered with a redirect may have taken effect.
func TestRedirectedWrite(t *testing.T) {
	t.Parallel()
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) {
			res := reply(status, "text/html", "")
			res.Header.Set("Location", "https://elsewhere.example.org/")
			return res, nil
		}))
		_, err := c.Users.Delete(t.Context(), ByID("a"), UserDeleteOptions{})
		require.ErrorIs(t, err, ErrRedirected, status)
		require.ErrorIs(t, err, ErrOutcomeUnknown, status)
		_, err = c.Users.Get(t.Context(), ByID("a"))
		require.ErrorIs(t, err, ErrRedirected, status)
		require.NotErrorIs(t, err, ErrOutcomeUnknown, status)
	}
}

// TestHeadersOfAnAttempt: net/http may still read the headers of an attempt after that
// has failed, so the next attempt has headers of its own. The race detector sees it, too.
func TestHeadersOfAnAttempt(t *testing.T) {
	t.Parallel()
	var late sync.WaitGroup
	var first http.Header
	c := newTestClient(t, serve(func(n int, r *http.Request) (*http.Response, error) {
		if n > 1 {
			r.Header.Set("X-Seen", "2")
			return replyJSON(200, `{"success":true,"user":{"_id":"a"}}`), nil
		}
		first = r.Header
		late.Go(func() {
			for range 1000 {
				for key := range first {
					_ = first[key]
				}
				time.Sleep(time.Microsecond)
			}
		})
		return nil, io.ErrUnexpectedEOF
	}), WithRetry(RetryPolicy{MaxAttempts: 2, BaseDelay: 1, MaxDelay: 1}))
	_, err := c.Users.Get(t.Context(), ByID("a"))
	require.NoError(t, err)
	late.Wait()
	assert.Empty(t, first.Get("X-Seen"))
}
