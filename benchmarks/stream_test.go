package benchmarks

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

// manyUsers is a transport that answers users.list with n users. It makes the answer
// while it is read, and allocates next to nothing.
type manyUsers struct {
	n, calls int
	sent     atomic.Int64 // bytes
}

func (m *manyUsers) RoundTrip(*http.Request) (*http.Response, error) {
	m.calls++
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: -1,
		Body: &userReader{n: m.n, sent: &m.sent},
	}, nil
}

type userReader struct {
	n, next int
	buffer  []byte
	rest    []byte
	sent    *atomic.Int64
}

func (*userReader) Close() error { return nil }

func (r *userReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.next > r.n+1 {
			return 0, io.EOF
		}
		r.rest = r.piece()
		r.next++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	r.sent.Add(int64(n))
	return n, nil
}

// piece is the next part of the answer, one user long.
func (r *userReader) piece() []byte {
	b := r.buffer[:0]
	switch {
	case r.next == 0:
		b = append(b, `{"users":[`...)
	case r.next <= r.n:
		if r.next > 1 {
			b = append(b, ',')
		}
		// Without package fmt, whose time would count for both who read.
		n := strconv.AppendInt(nil, int64(r.next), 10)
		b = append(b, `{"_id":"`...)
		b = append(append(b, "00000000000000000"[len(n):]...), n...)
		b = append(append(b, `","username":"user.number.`...), n...)
		b = append(append(b, `","name":"User Number `...), n...)
		b = append(append(b, `","emails":[{"address":"user.`...), n...)
		b = append(b, `@example.org","verified":true}],"type":"user","roles":["user"],"active":true,"status":"offline","statusText":"","utcOffset":1,`+
			`"avatarETag":"abcdefghij","lastLogin":"2026-01-01T10:00:00.000Z"}`...)
	default:
		b = fmt.Appendf(b, `],"count":%d,"offset":0,"total":%d,"success":true}`, r.n, r.n)
	}
	r.buffer = b
	return b
}

// byTokens reads the list as a program does that uses only net/http and encoding/json.
func byTokens(ctx context.Context, transport http.RoundTripper, each func(*rocketchat.User)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://chat.example.org/api/v1/users.list?count=0", http.NoBody)
	if err != nil {
		return err
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	dec := json.NewDecoder(res.Body)
	for {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		if token == "users" {
			break
		}
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		var user rocketchat.User
		if err := dec.Decode(&user); err != nil {
			return err
		}
		each(&user)
	}
	return nil
}

// liveHeap is the heap without garbage.
func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	return heapNow([]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}})
}

// TestListAtAnySize: a list of any length takes one call and little memory, and less
// time than it takes net/http and encoding/json.
func TestListAtAnySize(t *testing.T) { //nolint:paralleltest // it measures
	const atMost, soon = 0.7, 0.05
	for _, n := range []int{100_000, 1_000_000} {
		if (testing.Short() || raced) && n > 100_000 {
			continue
		}
		server := &manyUsers{n: n}
		client, err := rocketchat.New("https://chat.example.org", rocketchat.WithTransport(server), rocketchat.WithToken("u", "t"),
			rocketchat.WithMaxAnswer(4<<20)) // on a busy machine this test can be the slow caller
		require.NoError(t, err)
		read := func(each func(*rocketchat.User)) error {
			for user, err := range client.Users.All(t.Context(), rocketchat.UserListOptions{}) {
				if err != nil {
					return err
				}
				each(user)
			}
			return nil
		}
		var live uint64
		seen := 0
		floor := liveHeap()
		heap, err := MeasureHeap(func() (any, error) {
			return nil, read(func(*rocketchat.User) { seen++ })
		})
		require.NoError(t, err)
		assert.Equal(t, n, seen)
		assert.Equal(t, 1, server.calls, "calls")

		seen = 0
		require.NoError(t, read(func(*rocketchat.User) {
			if seen++; seen%(n/5) == n/10 {
				live = max(live, max(liveHeap(), floor)-floor) // what others held can go
			}
		}))

		seen = 0
		baseline, err := MeasureHeap(func() (any, error) {
			return nil, byTokens(t.Context(), server, func(*rocketchat.User) { seen++ })
		})
		require.NoError(t, err)
		assert.Equal(t, n, seen)
		// A turn reads both lists, so that other work of the machine meets both.
		share, early := math.Inf(1), math.Inf(1) // of the best turns
		for turn := 0; turn < turns && (share > atMost && !raced || early > soon); turn++ {
			var first time.Duration
			start := time.Now()
			require.NoError(t, read(func(*rocketchat.User) { first = cmp.Or(first, time.Since(start)) }))
			between := time.Now()
			require.NoError(t, byTokens(t.Context(), server, func(*rocketchat.User) {}))
			ours, theirs := between.Sub(start), time.Since(between)
			share, early = min(share, float64(ours)/float64(theirs)), min(early, float64(first)/float64(ours))
		}
		t.Logf("%d users: live heap %.2f MiB, peak with garbage %.1f MiB (%.1f), %.2f x the time of net/http and encoding/json, first user after %.2f %% of the time",
			n, float64(live)/(1<<20), float64(heap.Peak)/(1<<20), float64(baseline.Peak)/(1<<20), share, 100*early)
		assert.Less(t, live, uint64(4<<20), "what the list holds while it is read")
		if !raced {
			assert.LessOrEqual(t, share, atMost, "time")
		}
		assert.LessOrEqual(t, early, soon, "the first user comes early")
	}
}

// TestListOfACallerWhoIsBusy: what comes while the caller does something else is held up
// to half of WithMaxAnswer; the rest stays with the server until they come back.
func TestListOfACallerWhoIsBusy(t *testing.T) { //nolint:paralleltest // it measures
	const maxAnswer = 8 << 20
	server := &manyUsers{n: 100_000}
	client, err := rocketchat.New("https://chat.example.org", rocketchat.WithTransport(server), rocketchat.WithToken("u", "t"),
		rocketchat.WithMaxAnswer(maxAnswer))
	require.NoError(t, err)
	seen := 0
	var early int64
	heap, err := MeasureHeap(func() (any, error) {
		for _, err := range client.Users.All(t.Context(), rocketchat.UserListOptions{}) {
			if err != nil {
				return nil, err
			}
			if seen++; seen == 10 {
				early = settledAt(&server.sent)
			}
		}
		return nil, nil
	})
	require.NoError(t, err)
	assert.Equal(t, server.n, seen)
	assert.Equal(t, 1, server.calls, "calls")
	t.Logf("while the caller was away %.1f MiB of %.1f came; peak heap %.1f MiB",
		float64(early)/(1<<20), float64(server.sent.Load())/(1<<20), float64(heap.Peak)/(1<<20))
	assert.InDelta(t, maxAnswer/2, early, 1<<20, "bytes read ahead")
	assert.Less(t, heap.Peak, uint64(server.sent.Load()), "the answer is never held as a whole")
}

// settledAt waits until n has not changed for a while.
func settledAt(n *atomic.Int64) int64 {
	last := n.Load()
	for quiet := 0; quiet < 100; quiet++ {
		time.Sleep(10 * time.Millisecond)
		if now := n.Load(); now != last {
			last, quiet = now, 0
		}
	}
	return last
}
