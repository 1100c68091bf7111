package benchmarks

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
)

// manyUsers is a transport that answers users.list with n users. It makes the answer
// while it is read, and allocates next to nothing.
type manyUsers struct{ n, calls int }

func (m *manyUsers) RoundTrip(*http.Request) (*http.Response, error) {
	m.calls++
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: -1,
		Body: &userReader{n: m.n},
	}, nil
}

type userReader struct {
	n, next int
	buffer  []byte
	rest    []byte
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
		b = fmt.Appendf(b, `{"_id":"%017d","username":"user.number.%d","name":"User Number %d","emails":[{"address":"user.%d@example.org","verified":true}],`+
			`"type":"user","roles":["user"],"active":true,"status":"offline","statusText":"","utcOffset":1,"avatarETag":"abcdefghij","lastLogin":"2026-01-01T10:00:00.000Z"}`,
			r.next, r.next, r.next, r.next)
	default:
		b = fmt.Appendf(b, `],"count":%d,"offset":0,"total":%d,"success":true}`, r.n, r.n)
	}
	r.buffer = b
	return b
}

// byTokens reads the list as a program does that has net/http and encoding/json alone.
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

// TestListAtAnySize: a list of any length takes one call and little memory, and less
// time than it takes net/http and encoding/json.
func TestListAtAnySize(t *testing.T) { //nolint:paralleltest // it measures
	for _, n := range []int{100_000, 1_000_000} {
		if (testing.Short() || raced) && n > 100_000 {
			continue
		}
		server := &manyUsers{n: n}
		client, err := rocketchat.New("https://chat.example.org", rocketchat.WithTransport(server), rocketchat.WithToken("u", "t"))
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
		var first time.Duration
		seen := 0
		start := time.Now()
		heap, err := MeasureHeap(func() (any, error) {
			start = time.Now()
			return nil, read(func(*rocketchat.User) {
				if seen++; seen == 1 {
					first = time.Since(start)
				}
			})
		})
		require.NoError(t, err)
		took := time.Since(start)
		assert.Equal(t, n, seen)
		assert.Equal(t, 1, server.calls, "calls")

		// In turn, and the best of three each: the machine has other work.
		best := func(f func() error) time.Duration {
			least := time.Duration(1<<63 - 1)
			for range 3 {
				start := time.Now()
				require.NoError(t, f())
				least = min(least, time.Since(start))
			}
			return least
		}
		seen = 0
		baseline, err := MeasureHeap(func() (any, error) {
			return nil, byTokens(t.Context(), server, func(*rocketchat.User) { seen++ })
		})
		require.NoError(t, err)
		assert.Equal(t, n, seen)
		ours := best(func() error { return read(func(*rocketchat.User) {}) })
		theirs := best(func() error { return byTokens(t.Context(), server, func(*rocketchat.User) {}) })
		share := float64(ours) / float64(theirs)
		t.Logf("%d users: peak heap %.1f MiB (%.1f), %.2f x the time of net/http and encoding/json, first user after %.2f %% of the time",
			n, float64(heap.Peak)/(1<<20), float64(baseline.Peak)/(1<<20), share, 100*float64(first)/float64(took))
		if !raced {
			assert.LessOrEqual(t, share, 0.75, "time")
		}
		assert.Less(t, float64(first)/float64(took), 0.05, "the first user comes early")
	}
}
