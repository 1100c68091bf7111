package rocketchat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// renamed are people who are there under another name.
func renamed(t *testing.T, srv *rocketchattest.Server, n int) []DesiredUser {
	t.Helper()
	desired := people(n)
	addPeople(t, srv, desired)
	for i := range desired {
		desired[i].Name += " changed"
	}
	return desired
}

// TestSyncStopsEarly: what stops every step is met once, or a few times, and the rest is
// untouched and named.
func TestSyncStopsEarly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server []rocketchattest.Option
		fail   func(calls int32, r *http.Request) (*http.Response, error) // nil, nil: the server answers
		target error
		failed int
		within time.Duration
	}{
		"no second factor": {
			server: []rocketchattest.Option{rocketchattest.WithSecondFactor()},
			target: ErrSecondFactorRequired, failed: 1, within: time.Second,
		},
		"the credentials end": {
			fail: func(calls int32, r *http.Request) (*http.Response, error) {
				if calls > 5 {
					r.Header.Set("X-Auth-Token", "ended")
				}
				return nil, nil //nolint:nilnil // the server answers
			},
			target: ErrUnauthorized, failed: 4, within: time.Minute + time.Second,
		},
		"the server is down": {
			fail: func(calls int32, _ *http.Request) (*http.Response, error) {
				if calls > 5 {
					return nil, errors.New("connection refused")
				}
				return nil, nil //nolint:nilnil // the server answers
			},
			target: ErrUnreachable, failed: 4, within: 2 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := rocketchattest.New(test.server...)
				desired := renamed(t, srv, 100)
				var updates atomic.Int32
				c := limitedAdmin(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
					if test.fail != nil && (r.URL.Path == "/api/v1/users.update" || r.URL.Path == "/api/info") {
						if res, err := test.fail(updates.Add(1), r); res != nil || err != nil {
							return res, err
						}
					}
					return srv.RoundTrip(r)
				})))
				start := time.Now()
				report, err := c.Users.Sync(t.Context(), desired, SyncOptions{})
				require.ErrorIs(t, err, test.target)
				assert.LessOrEqual(t, time.Since(start), test.within)
				assert.LessOrEqual(t, report.Failed, test.failed)
				assert.Positive(t, report.Failed)
				assert.Equal(t, 100, report.Failed+report.NotBegun+report.Count(SyncUpdate))
				changed := 0
				for _, result := range report.Results {
					user, _ := srv.User(result.Username)
					if strings.HasSuffix(user.Name, "changed") {
						changed++
					}
					if result.NotBegun {
						require.ErrorIs(t, result.Err, test.target)
						require.NotErrorIs(t, result.Err, ErrOutcomeUnknown)
						assert.NotContains(t, user.Name, "changed")
					}
				}
				assert.Equal(t, report.Count(SyncUpdate), changed)
			})
		})
	}
}

// TestSyncStopsWhatIsForbidden: without the permission to create accounts, the others are
// changed all the same.
func TestSyncStopsWhatIsForbidden(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	desired := append(renamed(t, srv, 10), people(60)[10:]...)
	srv.Grant("create-user")
	report, err := adminClient(t, srv).Users.Sync(t.Context(), desired, SyncOptions{})
	require.ErrorIs(t, err, ErrForbidden)
	assert.Equal(t, 10, report.Count(SyncUpdate))
	assert.LessOrEqual(t, srv.Count("users.create"), hopeless+defaultConcurrency)
	assert.Equal(t, 50, report.Failed+report.NotBegun)
	assert.Equal(t, srv.Count("users.create"), report.Failed)
}

// TestSyncStopsWhatWouldWait: steps that would have to wait longer than they may are not
// begun, one after the other.
func TestSyncStopsWhatWouldWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLatency(latency))
		c := limitedAdmin(t, srv, WithMaxWait(time.Second))
		start := time.Now()
		report, err := c.Users.Sync(t.Context(), people(50), SyncOptions{})
		require.ErrorIs(t, err, ErrRateLimited)
		assert.Equal(t, 10, report.Count(SyncCreate), "as many as go in a window")
		assert.Zero(t, report.Failed)
		assert.Equal(t, 40, report.NotBegun)
		assert.Less(t, time.Since(start), 5*time.Second)
	})
}

// TestSyncGoesOnAfterOneFailure: a server that fails for one account is not down.
func TestSyncGoesOnAfterOneFailure(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	desired := renamed(t, srv, 10)
	srv.AnswerNext("users.update", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	report, err := adminClient(t, srv).Users.Sync(t.Context(), desired, SyncOptions{})
	require.Error(t, err)
	assert.Equal(t, 1, report.Failed)
	assert.Zero(t, report.NotBegun)
	assert.Equal(t, 9, report.Count(SyncUpdate))
}

// TestSyncGoesOnAfterSomeFailures: a few people whom the server refuses in the same way, after
// others were changed, and many whom it refuses for different reasons, are not all.
func TestSyncGoesOnAfterSomeFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		refuses func(n int32) bool
		reason  func(n int32) string
	}{
		"few":               {func(n int32) bool { return n > 1 && n < manyEqual }, func(int32) string { return "no" }},
		"different reasons": {func(n int32) bool { return n < 3*manyEqual }, func(n int32) string { return fmt.Sprint("no ", n) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := rocketchattest.New(rocketchattest.WithLimit(0, 0))
			desired := renamed(t, srv, 4*manyEqual)
			var updates, refused atomic.Int32
			c := adminClient(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path != "/api/v1/users.update" {
					return srv.RoundTrip(r)
				}
				n := updates.Add(1)
				if !test.refuses(n) {
					return srv.RoundTrip(r)
				}
				refused.Add(1)
				return replyJSON(http.StatusForbidden, fmt.Sprintf(`{"success":false,"error":%q}`, test.reason(n))), nil
			})))
			report, err := c.Users.Sync(t.Context(), desired, SyncOptions{Concurrency: 1})
			require.ErrorIs(t, err, ErrForbidden)
			assert.Zero(t, report.NotBegun)
			assert.Equal(t, int(refused.Load()), report.Failed)
		})
	}
}

// TestSyncFinishesWhatWasSent: when the context ends, requests under way are finished, and
// nothing else begins, not even what waits for the rate limit.
func TestSyncFinishesWhatWasSent(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{2500 * time.Millisecond, 30 * time.Second} { // under way; waiting for the limit
		synctest.Test(t, func(t *testing.T) {
			srv := rocketchattest.New(rocketchattest.WithLatency(time.Second))
			c := limitedAdmin(t, srv)
			plan, err := c.Users.PlanSync(t.Context(), people(50), SyncOptions{})
			require.NoError(t, err)
			ctx, cancel := context.WithCancelCause(t.Context())
			begin := time.Now()
			time.AfterFunc(after, func() { cancel(errors.New("the lights went out")) })
			report, err := plan.Run(ctx)
			took := time.Since(begin)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorContains(t, err, "the lights went out")
			assert.LessOrEqual(t, took, after+time.Second)
			assert.Zero(t, report.Failed)
			assert.Positive(t, report.NotBegun)
			assert.Equal(t, 50, report.NotBegun+report.Count(SyncCreate))
			assert.Equal(t, srv.Count("users.create"), report.Count(SyncCreate), "what was sent is done, and known to be")
			for _, result := range report.Results {
				_, exists := srv.User(result.Username)
				assert.Equal(t, result.Done, exists)
				if result.NotBegun {
					require.ErrorIs(t, result.Err, context.Canceled)
				}
			}
		})
	}
}

// TestSyncIsCancelledWhileTheServerFails: who cancels is told so, whatever the requests
// under way meet.
func TestSyncIsCancelledWhileTheServerFails(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError} {
		synctest.Test(t, func(t *testing.T) {
			srv := rocketchattest.New()
			desired := renamed(t, srv, 20)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var updates atomic.Int32
			c := adminClient(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path != "/api/v1/users.update" || updates.Add(1) < 6 {
					return srv.RoundTrip(r)
				}
				cancel()
				time.Sleep(time.Second)
				if status == 0 {
					return nil, errors.New("connection refused")
				}
				return replyJSON(status, `{"success":false,"error":"not now"}`), nil
			})))
			report, err := c.Users.Sync(ctx, desired, SyncOptions{})
			require.ErrorIs(t, err, context.Canceled, "status %d", status)
			assert.Equal(t, 20, report.Count(SyncUpdate)+report.Failed+report.NotBegun)
			assert.Positive(t, report.NotBegun)
			assert.LessOrEqual(t, updates.Load(), int32(5+defaultConcurrency), "status %d: nothing is repeated", status)
		})
	}
}

// TestSyncDoesNotWaitForever: a request that is never answered is given up some time after
// the context has ended.
func TestSyncDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := adminClient(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != "/api/v1/users.create" {
				return srv.RoundTrip(r)
			}
			cancel()
			<-r.Context().Done()
			return nil, r.Context().Err()
		})))
		start := time.Now()
		report, err := c.Users.Sync(ctx, people(1), SyncOptions{})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, ErrOutcomeUnknown)
		assert.Equal(t, 1, report.Failed)
		assert.Equal(t, finishTime, time.Since(start))
	})
}

// TestSyncIsDoneBeforeItIsCancelled: a context that ends after the last step is not the
// reason for anything.
func TestSyncIsDoneBeforeItIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	desired := append(people(1), DesiredUser{Ref: ByID("nobody")})
	_, err := adminClient(t, rocketchattest.New()).Users.Sync(ctx, desired, SyncOptions{Progress: func(SyncProgress) { cancel() }})
	require.ErrorIs(t, err, SyncNotFound)
	assert.NotErrorIs(t, err, context.Canceled)
}

// TestSyncCountsQuestions: a plan tells how many calls it takes, with the one that the
// server answers by asking for a second factor.
func TestSyncCountsQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithSecondFactor())
		desired := append(renamed(t, srv, 25), people(30)[25:]...)
		c := limitedAdmin(t, srv, WithTwoFactor(AnswerWithPassword(NewSecret(rocketchattest.AdminPassword))))
		plan, err := c.Users.PlanSync(t.Context(), desired, SyncOptions{})
		require.NoError(t, err)
		want := plan.Calls()
		assert.Equal(t, 26, want["users.update"])
		before := len(srv.Calls())
		var left []time.Duration
		start := time.Now()
		plan.opts.Progress = func(p SyncProgress) { left = append(left, time.Since(start)+p.Remaining) }
		_, err = plan.Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, callsAfter(srv, before))
		took := time.Since(start)
		for _, estimate := range left[10:] {
			assert.InDelta(t, took, estimate, float64(took)/3)
		}
		assert.Equal(t, took, left[len(left)-1], "nothing remains in the end")

		desired[0].Name = "Once more"
		plan, err = c.Users.PlanSync(t.Context(), desired, SyncOptions{})
		require.NoError(t, err)
		assert.Equal(t, 1, plan.Calls()["users.update"], "it is known by now that the server asks")
	})
}

// TestSyncEstimatesByItsPace: somebody else at the same address uses half of the limit, so
// the run takes twice as long as the limit says. The estimate follows.
func TestSyncEstimatesByItsPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithLatency(latency))
		c := limitedAdmin(t, srv)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		id, token := srv.Login("admin")
		call := func() { // it is refused, and counts
			r, _ := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL()+"/api/v1/users.create", strings.NewReader("{}"))
			r.Header.Set("X-User-Id", id)
			r.Header.Set("X-Auth-Token", token)
			if res, err := srv.RoundTrip(r); err == nil {
				_ = res.Body.Close()
			}
		}
		go func() {
			for ctx.Err() == nil { // five calls at the beginning of each window
				for range 5 {
					go call()
				}
				select {
				case <-time.After(time.Minute + time.Millisecond):
				case <-ctx.Done():
				}
			}
		}()
		start := time.Now()
		var estimates []time.Duration
		_, err := c.Users.Sync(t.Context(), people(80), SyncOptions{Progress: func(p SyncProgress) {
			estimates = append(estimates, time.Since(start)+p.Remaining)
		}})
		require.NoError(t, err)
		took := time.Since(start)
		assert.Greater(t, took, 10*time.Minute)
		for _, estimate := range estimates[30:] {
			assert.InEpsilon(t, took, estimate, 0.25)
		}
	})
}

// FuzzReadSyncJournal: what is no journal is an error, and never a panic.
func FuzzReadSyncJournal(f *testing.F) {
	f.Add("\n{\"event\":\"run\"}\n{\"event\":\"person\",\"ref\":\"username a\",\"userId\":\"x\"}\n{\"event\":\"begin\",\"id\":1,\"step\":{\"action\":\"update\"}}\n")
	f.Add("{\"event\":\"end\",\"id\":1,\"outcome\":\"unknown\"}\n{\"event\":\"finished\",\"outcome\":\"done\"}\n{\"ev")
	f.Add("null\n[]\n")
	f.Fuzz(func(t *testing.T, text string) {
		j, err := ReadSyncJournal(strings.NewReader(text))
		if (j == nil) != (err != nil) {
			t.Errorf("%v and %v", j, err)
		}
		if err == nil && j.Finished && len(j.people) > 0 && !strings.Contains(text, "userId") {
			t.Errorf("people out of nowhere: %v", j.people)
		}
	})
}

// failingWriter takes a number of lines.
type failingWriter struct{ lines int }

var errFull = errors.New("the disk is full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.lines--; w.lines < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestSyncJournal(t *testing.T) {
	t.Parallel()
	t.Run("a step whose line cannot be written does not begin", func(t *testing.T) {
		t.Parallel()
		for lines := range 8 {
			srv := rocketchattest.New()
			report, err := adminClient(t, srv).Users.Sync(t.Context(), people(20), SyncOptions{Journal: &failingWriter{lines: lines}, Concurrency: 1})
			require.ErrorIs(t, err, errFull)
			assert.Equal(t, lines/2, srv.Count("users.create"), "%d lines", lines)
			assert.Equal(t, lines/2, report.Count(SyncCreate))
			assert.Equal(t, 20-lines/2, report.NotBegun)
		}
	})
	t.Run("it tells whose the new accounts are", func(t *testing.T) {
		t.Parallel()
		srv := rocketchattest.New()
		addNamed(t, srv, "a")
		desired := []DesiredUser{{Ref: ByUsername("b"), Username: "c", Email: "c@example.com"}, moved("a", "b", "")}
		var log bytes.Buffer
		_, err := adminClient(t, srv).Users.Sync(t.Context(), desired, SyncOptions{Journal: &log})
		require.NoError(t, err)
		cut := log.Bytes()[:bytes.LastIndexByte(bytes.TrimRight(log.Bytes(), "\n"), '\n')+1] // without the end of the run
		resume, err := ReadSyncJournal(bytes.NewReader(cut))
		require.NoError(t, err)
		plan, err := adminClient(t, srv).Users.PlanSync(t.Context(), desired, SyncOptions{Resume: resume})
		require.NoError(t, err)
		assert.Empty(t, plan.Steps)
	})
	t.Run("it tells what was under way, and no secrets", func(t *testing.T) {
		t.Parallel()
		srv := rocketchattest.New()
		addNamed(t, srv, "a", "b")
		var log bytes.Buffer
		_, err := adminClient(t, srv).Users.Sync(t.Context(), []DesiredUser{
			{Ref: ByUsername("a"), Username: "b"},
			{Ref: ByUsername("b"), Username: "a"},
			{Username: "c", Email: "c@example.com", Password: NewSecret("Passw0rd-of-c")},
		}, SyncOptions{Journal: &log, Concurrency: 1})
		require.NoError(t, err)
		assert.NotContains(t, log.String(), "Passw0rd")
		text := strings.TrimPrefix(log.String(), "\n")
		lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
		for _, line := range lines {
			require.True(t, json.Valid([]byte(line)), line)
		}
		whole, err := ReadSyncJournal(strings.NewReader(text))
		require.NoError(t, err)
		assert.True(t, whole.Finished)
		assert.Empty(t, whole.people)
		for n := range lines {
			part, err := ReadSyncJournal(strings.NewReader(strings.Join(lines[:n], "") + `{"event":"beg`))
			require.NoError(t, err)
			assert.Equal(t, n == 0, part.Finished)
			under := strings.Count(strings.Join(lines[:n], ""), `"begin"`) - strings.Count(strings.Join(lines[:n], ""), `"end"`)
			assert.Len(t, part.UnderWay, under)
		}
		part, err := ReadSyncJournal(strings.NewReader(strings.Join(lines[:3], "")))
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"username a": "id.a", "username b": "id.b"}, part.people)

		// Another run goes on in the same file, after a line that was cut off.
		for n := range lines {
			both, err := ReadSyncJournal(strings.NewReader(strings.Join(lines[:n], "") + `{"event":"beg` + log.String()))
			require.NoError(t, err)
			assert.True(t, both.Finished)
			assert.Empty(t, both.UnderWay)
		}

		for _, other := range []string{"name,address\n", "name,address\n" + lines[1], "{}\n", "null\n", `{"level":"info"}` + "\n" + lines[1]} {
			_, err = ReadSyncJournal(strings.NewReader(other))
			require.EqualError(t, err, "rocketchat: line 1 of the journal is not a line of a sync's journal")
		}
	})
	t.Run("a run that was cut off before it told its people leaves those of the one before", func(t *testing.T) {
		t.Parallel()
		srv := rocketchattest.New()
		addNamed(t, srv, "a", "b", "c")
		desired := []DesiredUser{{Ref: ByUsername("a"), Username: "b"}, {Ref: ByUsername("b"), Username: "a"}, {Ref: ByUsername("c"), Username: "d"}}
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		c := adminClient(t, srv)
		_, err := c.Users.Sync(ctx, desired, SyncOptions{Journal: &log, Concurrency: 1, Progress: func(p SyncProgress) {
			if p.Last.Username == "b" {
				cancel() // who was a has a temporary name, and b is called a
			}
		}})
		require.ErrorIs(t, err, context.Canceled)
		first := log.Len()
		before, err := ReadSyncJournal(bytes.NewReader(log.Bytes()))
		require.NoError(t, err)
		plan, err := c.Users.PlanSync(t.Context(), desired, SyncOptions{Journal: &log, Resume: before})
		require.NoError(t, err)
		_, err = plan.Run(ctx)
		require.ErrorIs(t, err, context.Canceled)
		for n := first; n <= log.Len(); n++ {
			before, err := ReadSyncJournal(bytes.NewReader(log.Bytes()[:n]))
			require.NoError(t, err)
			require.Len(t, before.people, 3, "cut off at byte %d", n)
		}
	})
	t.Run("a step that may have taken effect stays under way", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := rocketchattest.New()
			desired := renamed(t, srv, 1)
			c := adminClient(t, srv, WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/api/v1/users.update" {
					return nil, errors.New("connection reset")
				}
				return srv.RoundTrip(r)
			})))
			var log bytes.Buffer
			_, err := c.Users.Sync(t.Context(), desired, SyncOptions{Journal: &log})
			require.ErrorIs(t, err, ErrOutcomeUnknown)
			j, err := ReadSyncJournal(&log)
			require.NoError(t, err)
			require.Len(t, j.UnderWay, 1)
			assert.Equal(t, SyncUpdate, j.UnderWay[0].Action)
			assert.Equal(t, []FieldChange{{"name", "Person person0000", "Person person0000 changed"}}, j.UnderWay[0].Changes)
		})
	})
}

// TestSyncErrorIsOneLine: an error with many refusals can be read.
func TestSyncErrorIsOneLine(t *testing.T) {
	t.Parallel()
	e := &SyncError{Steps: 40, Failed: 2, NotBegun: 3, Cause: &Error{Op: "users.update", Class: ErrForbidden}}
	for i := range 20 {
		e.Refusals = append(e.Refusals, SyncRefusal{Code: SyncTaken, Username: fmt.Sprint("u", i), Reason: "the name is taken"})
	}
	assert.Equal(t, "rocketchat: sync: 2 of 40 steps failed, 3 were not begun: users.update: forbidden; refused u0: the name is taken; "+
		"refused u1: the name is taken; refused u2: the name is taken; refused u3: the name is taken; refused u4: the name is taken; and 15 more", e.Error())
}
