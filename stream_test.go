package rocketchat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// listServer answers users.list with as many users as it has, in order of their IDs.
type listServer struct {
	ids      []string
	calls    atomic.Int32
	offsets  []int
	cap      int                                  // users in one answer; 0: all
	onUser   func(call, n int, w io.Writer) error // called before each user is written
	finished atomic.Int32                         // complete answers
}

func numbered(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("%08d", i*10))
	}
	return ids
}

func (s *listServer) RoundTrip(r *http.Request) (*http.Response, error) {
	call := int(s.calls.Add(1))
	offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
	s.offsets = append(s.offsets, offset)
	ids := s.ids[min(offset, len(s.ids)):]
	if count, _ := strconv.Atoi(r.URL.Query().Get("count")); count > 0 {
		ids = ids[:min(count, len(ids))]
	}
	if s.cap > 0 {
		ids = ids[:min(s.cap, len(ids))]
	}
	total := len(s.ids)
	pipe, w := io.Pipe()
	stop := context.AfterFunc(r.Context(), func() { _ = w.CloseWithError(r.Context().Err()) })
	go func() {
		defer stop()
		err := s.write(w, call, ids, offset, total)
		if err == nil {
			s.finished.Add(1)
		}
		_ = w.CloseWithError(err)
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: -1, Body: pipe}, nil
}

func (s *listServer) write(w io.Writer, call int, ids []string, offset, total int) error {
	if _, err := io.WriteString(w, `{"count":1,"users":[`); err != nil {
		return err
	}
	for i, id := range ids {
		if s.onUser != nil {
			if err := s.onUser(call, i, w); err != nil {
				return err
			}
		}
		comma := ","
		if i == 0 {
			comma = ""
		}
		if _, err := fmt.Fprintf(w, `%s{"_id":%q,"username":"u%s","name":"A name of usual length","active":true}`, comma, id, id); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, `],"offset":%d,"total":%d,"success":true}`, offset, total)
	return err
}

// names are the IDs of the users that All yields.
func names(t *testing.T, c *Client, each func(n int)) (ids []string, err error) {
	for user, err := range c.Users.All(t.Context(), UserListOptions{}) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, user.ID)
		if each != nil {
			each(len(ids))
		}
	}
	return ids, nil
}

// TestAllStreams: the whole list comes in one call, and the first user is there before
// the last byte was sent.
func TestAllStreams(t *testing.T) {
	t.Parallel()
	srv := &listServer{ids: numbered(20000)}
	first := make(chan struct{})
	srv.onUser = func(_, n int, _ io.Writer) error {
		if n == 10000 {
			<-first
		}
		return nil
	}
	c := newTestClient(t, srv, WithMaxAnswer(1<<20)) // less than the list
	ids, err := names(t, c, func(n int) {
		if n == 1 {
			close(first)
		}
	})
	require.NoError(t, err)
	assert.Equal(t, srv.ids, ids)
	assert.EqualValues(t, 1, srv.calls.Load())
}

// TestStreamBreaks at any place: the next one goes on after the last user.
func TestStreamBreaks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := &listServer{ids: numbered(3000)}
		gone := 0
		srv.onUser = func(call, n int, _ io.Writer) error {
			if n != 400 || call > 5 {
				return nil
			}
			if call == 3 { // users before the place where it continues are deleted
				srv.ids = slices.Delete(slices.Clone(srv.ids), 100, 130)
				gone = 30
			}
			return io.ErrUnexpectedEOF
		}
		before := slices.Clone(srv.ids)
		ids, err := names(t, newTestClient(t, srv), nil)
		require.NoError(t, err)
		assert.Equal(t, before, ids, "each once, and none of those behind the gap is missed")
		assert.Equal(t, 30, gone)
		assert.Greater(t, srv.calls.Load(), int32(5))
	})
}

// TestStreamThatAlwaysBreaks ends with an error.
func TestStreamThatAlwaysBreaks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := &listServer{ids: numbered(3000)}
		srv.onUser = func(_, n int, _ io.Writer) error {
			if n == 1 {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		_, err := names(t, newTestClient(t, srv), nil)
		require.ErrorIs(t, err, ErrUnreachable)
		assert.LessOrEqual(t, srv.calls.Load(), int32(6))
	})
}

// TestStreamThatStalls is asked for again after the time for an attempt.
func TestStreamThatStalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := &listServer{ids: numbered(3000)}
		stalled := make(chan struct{})
		srv.onUser = func(call, n int, _ io.Writer) error {
			if call == 1 && n == 1500 {
				<-stalled
			}
			return nil
		}
		start := time.Now()
		defer close(stalled)
		c := newTestClient(t, srv, WithAttemptTimeout(10*time.Second))
		ids, err := names(t, c, nil)
		require.NoError(t, err)
		assert.Equal(t, srv.ids, ids)
		assert.Less(t, time.Since(start), 15*time.Second)

		srv.calls.Store(0)
		c, err = c.With(WithRetry(RetryPolicy{MaxAttempts: 1}))
		require.NoError(t, err)
		_, err = names(t, c, nil)
		require.ErrorIs(t, err, ErrUnreachable)
		require.ErrorIs(t, err, errAttemptTimeout)
		assert.NotErrorIs(t, err, context.Canceled, "the caller did not cancel it")
	})
}

// TestSlowCaller: what came and was not consumed is held up to half of WithMaxAnswer, and a
// stream may take longer than an attempt as long as the server sends.
func TestSlowCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 1 << 20
		var sent atomic.Int64
		srv := &listServer{ids: numbered(30000)} // about 2.6 MB
		srv.onUser = func(int, int, io.Writer) error { sent.Add(85); return nil }
		c := newTestClient(t, srv, WithMaxAnswer(limit), WithAttemptTimeout(time.Second))
		n := 0
		for _, err := range c.Users.All(t.Context(), UserListOptions{}) {
			require.NoError(t, err)
			switch n++; {
			case n <= 1000:
				time.Sleep(time.Millisecond)
			case n == 1001:
				synctest.Wait()
				assert.Greater(t, sent.Load(), int64(limit)*9/20, "the server is not held up by a slow caller")
				assert.Less(t, sent.Load(), int64(limit)*12/20+1000*85, "but for the memory that it may take")
			}
		}
		assert.Equal(t, 30000, n)
		assert.EqualValues(t, 1, srv.calls.Load())
	})
}

// TestSlowServer: a caller who was away once gets each user as soon as it comes.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := &listServer{ids: numbered(2000)}
		begun := time.Now()
		srv.onUser = func(_, n int, _ io.Writer) error {
			if n > 1000 {
				time.Sleep(time.Second)
			}
			return nil
		}
		_, err := names(t, newTestClient(t, srv), func(n int) {
			if n == 10 {
				time.Sleep(time.Minute)
			}
			if n > 1100 {
				assert.LessOrEqual(t, time.Since(begun), time.Duration(n-1000+1)*time.Second, "user %d", n)
			}
		})
		require.NoError(t, err)
	})
}

// TestCallerStopsReading: the answer is not read on, and nothing is left behind.
func TestCallerStopsReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // which fails if goroutines are left
		srv := &listServer{ids: numbered(20000)}
		ended := 0
		var attempt <-chan struct{}
		c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
			attempt = r.Context().Done()
			return srv.RoundTrip(r)
		}), WithTrace(Trace{CallDone: func(context.Context, CallResult) { ended++ }}))
		for user, err := range c.Users.All(t.Context(), UserListOptions{}) {
			require.NoError(t, err)
			if user.ID == srv.ids[100] {
				break
			}
		}
		synctest.Wait()
		assert.Zero(t, srv.finished.Load())
		assert.Equal(t, 1, ended)
		<-attempt // transports may tell the end only by it
	})
}

// TestCallerPanics: the panic closes the stream and ends the call.
func TestCallerPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // which fails if goroutines are left
		srv := &listServer{ids: numbered(20000)}
		var done []CallResult
		c := newTestClient(t, srv, WithTrace(Trace{CallDone: func(_ context.Context, r CallResult) { done = append(done, r) }}))
		assert.Panics(t, func() {
			for range c.Users.All(t.Context(), UserListOptions{}) {
				panic("a program has a bug")
			}
		})
		synctest.Wait()
		assert.Zero(t, srv.finished.Load())
		require.Len(t, done, 1)
		assert.ErrorIs(t, done[0].Err, errPanicked)
	})
}

// TestStreamIsCancelled with its context.
func TestStreamIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := &listServer{ids: numbered(20000)}
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		stop := errors.New("enough")
		n := 0
		var last error
		for _, err := range newTestClient(t, srv).Users.All(ctx, UserListOptions{}) {
			if last = err; err == nil {
				if n++; n == 100 {
					cancel(stop)
				}
			}
		}
		require.ErrorIs(t, last, stop)
		require.ErrorIs(t, last, context.Canceled)
		assert.EqualValues(t, 1, srv.calls.Load())
		isClean(t, last.Error())
	})
}

// TestStreamOfACappedServer goes on page by page.
func TestStreamOfACappedServer(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 2, 50, 100} {
		srv := &listServer{ids: numbered(250), cap: limit}
		if limit == 1 {
			srv.ids = srv.ids[:3]
		}
		ids, err := names(t, newTestClient(t, srv), nil)
		if limit == 1 { // a page of one cannot overlap
			require.NoError(t, err)
		}
		require.NoError(t, err, limit)
		assert.Equal(t, srv.ids, ids, limit)
	}
}

// TestBadStreams: what is not a list is the error that it would be if it came at once.
func TestBadStreams(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("x", 2<<20)
	for name, tc := range map[string]struct {
		body, contentType, text string
		class                   error
	}{
		"a failure":                     {`{"success":false,"error":"User does not exist [error-invalid-user]"}`, "application/json", "User does not exist", ErrNotFound},
		"no list":                       {`{"success":true,"total":3}`, "application/json", `no "users"`, ErrBadAnswer},
		"null for a list":               {`{"success":true,"users":null}`, "application/json", `no "users"`, ErrBadAnswer},
		"a page":                        {`<html>`, "text/html", "not JSON", ErrBadAnswer},
		"nonsense":                      {`nonsense`, "application/json", "cannot be read", ErrBadAnswer},
		"nonsense in it":                {`{"users":[{"_id":"a"},nonsense]}`, "application/json", "cannot be read", ErrBadAnswer},
		"another type":                  {`{"users":[1]}`, "application/json", "cannot be read", ErrBadAnswer},
		"a failure behind":              {`{"users":[{"_id":"a"}],"total":1,"success":false}`, "application/json", "succeeded", ErrBadAnswer},
		"nobody, though there are some": {`{"users":[],"total":5,"success":true}`, "application/json", "ends after 0 of 5", ErrBadAnswer},
		"a user without an ID":          {`{"users":[{"username":"a"}],"total":1,"success":true}`, "application/json", "without an ID", ErrBadAnswer},
		"null for a user":               {`{"users":[null],"total":1,"success":true}`, "application/json", "without an ID", ErrBadAnswer},
		"a huge user":                   {`{"users":[{"_id":"a","name":"` + huge + `"}],"total":1,"success":true}`, "application/json", "larger than", ErrBadAnswer},
		"a huge member":                 {`{"x":"` + huge + `","users":[]}`, "application/json", "larger than", ErrBadAnswer},
	} {
		c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) {
			res := reply(200, tc.contentType, tc.body)
			res.ContentLength = -1
			return res, nil
		}), WithMaxAnswer(1<<20))
		_, err := names(t, c, nil)
		require.ErrorIs(t, err, tc.class, name)
		require.ErrorContains(t, err, tc.text, name)
		isClean(t, err.Error())
	}
}

// cutBody is a body that ends at some place.
type cutBody struct {
	io.Reader
	err error
}

func (b *cutBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func (b *cutBody) Close() error { return nil }

// TestTruncatedStream: an answer that ends early, with or without an error of the network,
// is asked for again.
func TestTruncatedStream(t *testing.T) {
	t.Parallel()
	whole := `{"count":3,"users":[{"_id":"a"},{"_id":"b"},{"_id":"c"}],"total":3,"success":true}`
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, errors.New("connection reset")} {
		for at := 1; at < len(whole); at++ {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				c := newTestClient(t, serve(func(n int, r *http.Request) (*http.Response, error) {
					calls++
					body := whole
					if offset := r.URL.Query().Get("offset"); offset == "1" || offset == "2" {
						body = `{"users":[` + strings.Repeat(`{"_id":"b"},`, 2-int(offset[0]-'0')) + `{"_id":"c"}],"total":3,"success":true}`
					}
					res := reply(200, "application/json", body)
					res.ContentLength = -1
					if n == 1 {
						res.Body = &cutBody{strings.NewReader(body[:at]), end}
					}
					return res, nil
				}))
				ids, err := names(t, c, nil)
				require.NoError(t, err, "cut off after %s", whole[:at])
				assert.Equal(t, []string{"a", "b", "c"}, ids, "cut off after %s", whole[:at])
				assert.Equal(t, 2, calls)
			})
		}
	}
}

// restlessServer has a list that changes between two answers.
type restlessServer struct {
	listServer
	*rand.Rand
	stays map[string]bool // users who were there all the time
}

func (s *restlessServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.ids = slices.Clone(s.ids)
	for range s.IntN(20) {
		if at := s.IntN(len(s.ids)); s.IntN(2) == 0 && len(s.ids) > 1 {
			delete(s.stays, s.ids[at])
			s.ids = slices.Delete(s.ids, at, at+1)
			continue
		}
		s.ids = append(s.ids, fmt.Sprintf("%08d", 10*s.IntN(1000)+5))
	}
	slices.Sort(s.ids)
	s.ids = slices.Compact(s.ids)
	return s.listServer.RoundTrip(r)
}

// TestStreamWhileTheListChanges: users who are there all the time come once, however often
// the stream breaks.
func TestStreamWhileTheListChanges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		synctest.Test(t, func(t *testing.T) {
			srv := &restlessServer{Rand: rand.New(rand.NewPCG(seed, 1)), stays: make(map[string]bool)}
			srv.ids = numbered(1 + srv.IntN(300))
			for _, id := range srv.ids {
				srv.stays[id] = true
			}
			breaks := srv.IntN(4) // one answer in so many
			srv.onUser = func(call, n int, _ io.Writer) error {
				random := rand.New(rand.NewPCG(seed, uint64(call)))
				if breaks > 0 && random.IntN(breaks) == 0 && random.IntN(40) == n {
					return io.ErrUnexpectedEOF
				}
				return nil
			}
			if srv.IntN(3) == 0 {
				srv.cap = 2 + srv.IntN(100)
			}
			ids, err := names(t, newTestClient(t, srv), nil)
			if breaks > 0 && err != nil { // too often in a row
				require.ErrorIs(t, err, ErrUnreachable)
				return
			}
			require.NoError(t, err, "seed %d", seed)
			seen := make(map[string]bool)
			for _, id := range ids {
				assert.False(t, seen[id], "seed %d: %s", seed, id)
				seen[id] = true
			}
			for id := range srv.stays {
				assert.True(t, seen[id], "seed %d: %s", seed, id)
			}
		})
	}
}

// TestStreamOfRepeatedUsers, at a place where the order is relied on.
func TestStreamOfRepeatedUsers(t *testing.T) {
	t.Parallel()
	ids := numbered(2 * maxEarly)
	ids = slices.Insert(ids, 3*maxEarly/2, ids[3*maxEarly/2-1])
	got, err := names(t, newTestClient(t, &listServer{ids: ids}), nil)
	require.NoError(t, err)
	assert.Equal(t, numbered(2*maxEarly), got)
}

// TestStreamIsCancelledBetweenTries: who cancels is told so, not what broke.
func TestStreamIsCancelledBetweenTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := &listServer{ids: numbered(300)}
		srv.onUser = func(_, n int, _ io.Writer) error {
			if n == 100 {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		var last error
		for _, err := range newTestClient(t, srv).Users.All(ctx, UserListOptions{}) {
			last = err
		}
		require.ErrorIs(t, last, context.Canceled)
		assert.EqualValues(t, 1, srv.calls.Load())
	})
}

// TestPanicsEndTheStream: a loop that is left by a panic or by runtime.Goexit, and a trace
// that panics, leave no goroutine and no connection behind.
func TestPanicsEndTheStream(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*Client){
		"panic in the loop": func(c *Client) {
			defer func() { _ = recover() }()
			for range c.Users.All(t.Context(), UserListOptions{}) {
				panic("the loop")
			}
		},
		"Goexit in the loop": func(c *Client) {
			var loop sync.WaitGroup
			loop.Go(func() {
				for range c.Users.All(t.Context(), UserListOptions{}) {
					runtime.Goexit()
				}
			})
			loop.Wait()
		},
		"panic in a trace": func(c *Client) {
			defer func() { _ = recover() }()
			c, err := c.With(WithTrace(Trace{AttemptDone: func(context.Context, Attempt) { panic("the trace") }}))
			assert.NoError(t, err)
			for range c.Users.All(t.Context(), UserListOptions{}) {
				assert.Fail(t, "the trace panics first")
			}
		},
	} {
		body := newEndlessBody()
		leave(newTestClient(t, roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: -1, Body: body}, nil
		})))
		assert.True(t, body.closed.Load(), name)
	}
}

// endlessBody is a list of users without an end.
type endlessBody struct {
	users  int
	unread string
	closed atomic.Bool
}

func newEndlessBody() *endlessBody { return &endlessBody{unread: `{"success":true,"users":[`} }

func (b *endlessBody) Read(p []byte) (int, error) {
	for len(b.unread) < len(p) {
		b.users++
		b.unread += fmt.Sprintf(`{"_id":"%09d"},`, b.users)
	}
	n := copy(p, b.unread)
	b.unread = b.unread[n:]
	return n, nil
}

func (b *endlessBody) Close() error {
	b.closed.Store(true)
	return nil
}

// TestStreamGoesBack: when the items before the place where a stream broke have gone, the
// next one begins earlier, also after one that is empty or that breaks at once.
func TestStreamGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var list []string
		for i := range 12 {
			list = append(list, fmt.Sprintf(`{"_id":"%03d","pad":%q}`, i, strings.Repeat("x", segmentSize)))
		}
		c := newTestClient(t, serve(func(n int, r *http.Request) (*http.Response, error) {
			offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
			body := fmt.Sprintf(`{"success":true,"users":[%s],"total":%d}`, strings.Join(list[min(offset, len(list)):], ","), len(list))
			switch n {
			case 1: // breaks in the tenth item, and all before the ninth go
				body = body[:strings.Index(body, "009")]
				list = list[8:]
			case 3: // breaks at once
				body = body[:10]
			}
			return &http.Response{
				StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: -1,
				Body: io.NopCloser(io.MultiReader(strings.NewReader(body), errReader{})),
			}, nil
		}))
		var ids []string
		for user, err := range c.Users.All(t.Context(), UserListOptions{}) {
			require.NoError(t, err)
			ids = append(ids, user.ID)
		}
		assert.Equal(t, []string{"000", "001", "002", "003", "004", "005", "006", "007", "008", "009", "010", "011"}, ids)
	})
}

// errReader fails after a body that was cut.
type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
