package rocketchat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// TestEqualFold: letters that Unicode folds to ASCII ones are other letters to a server.
func TestEqualFold(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"Ann", "aNN", true},
		{"backoffice", "bac\u212aoffice", false},
		{"Straße", "STRASSE", false},
		{"ſ", "s", false},
		{"é", "É", false},
		{"a", "ab", false},
	} {
		assert.Equal(t, tc.same, equalFold(tc.a, tc.b), tc.a)
		assert.Equal(t, tc.same, foldKey(tc.a) == foldKey(tc.b), tc.a)
	}
}

// TestEnsureDoesNotAdoptAnotherAccount: an address with a letter that looks the same to Unicode is
// somebody else's.
func TestEnsureDoesNotAdoptAnotherAccount(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, roundTripper(func(*http.Request) (*http.Response, error) {
		return replyJSON(200, `{"success":true,"user":{"_id":"x","username":"backoffice","canViewAllInfo":true,"emails":[{"address":"bac\u212aoffice@x.test"}]}}`), nil
	}))
	_, err := c.Users.Ensure(t.Context(), UserCreateOptions{Username: "backoffice", Email: "backoffice@x.test", Name: "B", Password: NewSecret("p")})
	require.ErrorIs(t, err, ErrTaken)
}

// TestEnsureIgnoresCase: the server will not have both Ann and ann.
func TestEnsureIgnoresCase(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	c := adminClient(t, srv)
	in := UserCreateOptions{Username: "Ann", Email: "Ann@example.com", Name: "Ann", Password: NewSecret("Ann-Passw0rd!")}
	created, err := c.Users.Ensure(t.Context(), in)
	require.NoError(t, err)
	in.Username, in.Email = "ann", "ann@EXAMPLE.com"
	found, err := c.Users.Ensure(t.Context(), in)
	require.NoError(t, err)
	assert.True(t, found.Existed)
	assert.Equal(t, created.ID, found.ID)
	in.Email = "other@example.com"
	_, err = c.Users.Ensure(t.Context(), in)
	require.ErrorIs(t, err, ErrTaken)
}

// TestEnsureRace: a create that loses a race for the name is answered with texts of no
// code. Ensure adopts the account.
func TestEnsureRace(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"Something went wrong. Please check your credentials. [403]", "Username already exists. [403]"} {
		srv := rocketchattest.New()
		c := adminClient(t, srv)
		in := UserCreateOptions{Username: "ann", Email: "ann@example.com", Name: "Ann", Password: NewSecret("Ann-Passw0rd!")}
		srv.AnswerNext("users.create", func(w http.ResponseWriter, _ *http.Request) {
			_, err := srv.AddUser(rocketchattest.User{Username: "ann", Email: "ann@example.com"})
			assert.NoError(t, err)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"success":false,"error":%q}`, text)
		})
		found, err := c.Users.Ensure(t.Context(), in)
		require.NoError(t, err, text)
		assert.True(t, found.Existed)
		_, err = c.Users.Create(t.Context(), in)
		require.ErrorIs(t, err, ErrTaken)
	}
}

// TestLengthsAreChecked before anything is sent: servers refuse a long bio only after they
// have made the account.
func TestLengthsAreChecked(t *testing.T) {
	t.Parallel()
	create := func(in UserCreateOptions) func(context.Context, *Client) error {
		in.Username, in.Password = "a", NewSecret("p")
		return func(ctx context.Context, c *Client) error { _, err := c.Users.Create(ctx, in); return err }
	}
	update := func(in UserUpdateOptions) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { _, err := c.Users.Update(ctx, ByID("a"), in); return err }
	}
	long := func(n int) *string { return new(strings.Repeat("𝔞", n/2) + strings.Repeat("x", n%2)) } // two UTF-16 units each
	testRejected(t, []rejectedRow{
		{"bio", "Bio", create(UserCreateOptions{Bio: long(261)})},
		{"nickname", "Nickname", create(UserCreateOptions{Nickname: long(121)})},
		{"bio of an update", "Bio", update(UserUpdateOptions{Bio: long(261)})},
		{"nickname of an update", "Nickname", update(UserUpdateOptions{Nickname: long(121)})},
	})
	assert.True(t, fits(long(260), maxBio))
}

// TestAllDuringImports: users who are there throughout are listed, however many come
// while a client waits between two pages.
func TestAllDuringImports(t *testing.T) {
	t.Parallel()
	var list []string
	for i := range 1500 {
		list = append(list, fmt.Sprintf("%06d-stays", i*100))
	}
	calls, next := 0, 1
	fetch := func(_ context.Context, o pageOptions) (*Page[string], error) {
		if calls++; calls%10 == 0 { // a window is over: 150 more
			for range 150 {
				next = next * 7919 % 150001
				name := fmt.Sprintf("%06d-new", next)
				if at, there := slices.BinarySearch(list, name); !there {
					list = slices.Insert(list, at, name)
				}
			}
		}
		from := min(o.offset, len(list))
		count := 100
		return &Page[string]{Items: slices.Clone(list[from:min(from+count, len(list))]), Offset: o.offset, Total: len(list)}, nil
	}
	for _, sort := range [][]string{nil, {SortByID}} {
		seen := make(map[string]int)
		for item, err := range (listing[string]{op: "list", id: func(s *string) string { return *s }, page: fetch}).all(t.Context(), pageOptions{sort: sort}) {
			require.NoError(t, err)
			seen[*item]++
		}
		for i := range 1500 {
			assert.Equal(t, 1, seen[fmt.Sprintf("%06d-stays", i*100)])
		}
	}
}

// TestDenseAnswers: a short answer of very many values does not fill the memory.
func TestDenseAnswers(t *testing.T) { //nolint:paralleltest // it measures memory
	const size = 1 << 20
	nested := func(open, end string, depth int) string {
		one := strings.Repeat(open, depth) + "1" + strings.Repeat(end, depth) + ","
		return `{"success":true,"total":1,"users":[{"_id":"a","x":[` + strings.Repeat(one, size/len(one)) + `1]}]}`
	}
	for name, body := range map[string]string{
		"objects":         `{"success":true,"total":1,"users":[` + strings.Repeat("{},", size/3) + `{}]}`,
		"spaced objects":  `{"success":true,"total":1,"users":[` + strings.Repeat("{          },", size/13) + `{}]}`,
		"ids":             `{"success":true,"total":1,"users":[` + strings.Repeat(`{"_id":"a"},`, size/12) + `{"_id":"a"}]}`,
		"lists":           `{"success":true,"total":1,"users":[],"x":[` + strings.Repeat("[],", size/3) + `[]]}`,
		"deep objects":    nested(`{"":`, "}", 9000),
		"nested objects":  nested(`{"":`, "}", 10),
		"nested lists":    nested("[", "]", 1000),
		"unknown members": `{"success":true,"total":1,"users":[{"_id":"a","x":[` + strings.Repeat("{},", size/3) + `{}]}]}`,
	} {
		c := newTestClient(t, roundTripper(func(*http.Request) (*http.Response, error) { return replyJSON(200, body), nil }))
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		page, err := c.Users.List(t.Context(), UserListOptions{})
		runtime.ReadMemStats(&after)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(48*size), name)
		if err != nil {
			require.ErrorIs(t, err, ErrBadAnswer, name)
		}
		runtime.KeepAlive(page)

		if !strings.Contains(body, `"users":[{"_id":"a","x"`) { // many users, each for a moment
			continue
		}
		runtime.ReadMemStats(&before)
		for _, err := range c.Users.All(t.Context(), UserListOptions{}) {
			if err != nil {
				require.ErrorIs(t, err, ErrBadAnswer, name)
			}
		}
		runtime.ReadMemStats(&after)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(48*size), "%s, read while it arrives", name)
	}
}

// TestDenseTexts: what people write about themselves, whatever it is, can be read.
func TestDenseTexts(t *testing.T) {
	t.Parallel()
	bio := strings.Repeat(`,[{\"`, 1<<16)
	c := newTestClient(t, roundTripper(func(*http.Request) (*http.Response, error) {
		return replyJSON(200, `{"success":true,"user":{"_id":"a","username":"ann","bio":"`+bio+`"}}`), nil
	}))
	user, err := c.Users.Get(t.Context(), ByID("a"))
	require.NoError(t, err)
	assert.Len(t, user.Bio, 4<<16)
}

// TestWithKeepsTheAddress: a derived client talks to the same place.
func TestWithKeepsTheAddress(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"https://chat.example.org/api/api/v1", "https://chat.example.org/users/users", "https://chat.example.org/a/v1/v1"} {
		c, err := New(raw)
		require.NoError(t, err)
		other, err := c.With(WithUserAgent("x"))
		require.NoError(t, err)
		again, err := other.With()
		require.NoError(t, err)
		assert.Equal(t, c.BaseURL(), again.BaseURL(), raw)
	}
}

func TestNilOptions(t *testing.T) {
	t.Parallel()
	_, err := New("https://chat.example.org", nil)
	require.ErrorIs(t, err, ErrInvalid)
	c := newTestClient(t, serve(nil))
	_, err = c.With(nil)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.Me.Get(t.Context(), nil)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.Me.Get(t.Context(), WithRawAnswer(nil))
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.Me.Get(t.Context(), WithMaxWait(-1))
	require.ErrorIs(t, err, ErrInvalid)
}

func TestRetryDelays(t *testing.T) {
	t.Parallel()
	for _, p := range []RetryPolicy{{MaxAttempts: 6}, {MaxAttempts: math.MaxInt}, {MaxAttempts: 2, BaseDelay: time.Second, MaxDelay: time.Second}, {MaxAttempts: 2, BaseDelay: 1, MaxDelay: math.MaxInt64}, {MaxAttempts: 2, MaxDelay: time.Millisecond}, {MaxAttempts: 2, BaseDelay: time.Hour}} {
		var cfg config
		require.NoError(t, WithRetry(p).apply(&cfg))
		for failures := range 200 {
			delay := cfg.retry.delay(failures)
			assert.GreaterOrEqual(t, delay, cfg.retry.BaseDelay, "%+v", p)
			assert.LessOrEqual(t, delay, cfg.retry.MaxDelay, "%+v", p)
		}
	}
}

// TestManyAttempts: a policy without delays waits between its attempts all the same.
func TestManyAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) { return reply(502, "text/html", ""), nil }),
			WithRetry(RetryPolicy{MaxAttempts: 6}))
		start := time.Now()
		_, err := c.Me.Get(t.Context())
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok)
		assert.Equal(t, 6, e.Attempts)
		assert.GreaterOrEqual(t, time.Since(start), 5*defaultBaseDelay)
	})
}

// TestRetryAfterOfAGateway: a 503 that says when to come again is kept to, or returned
// if that is too long.
func TestRetryAfterOfAGateway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, after := range []string{"120", "", "1"} {
			var opts []Option
			if after == "1" { // shorter than the policy
				opts = append(opts, WithRetry(RetryPolicy{MaxAttempts: 2, BaseDelay: 119 * time.Second, MaxDelay: 2 * time.Minute}))
			}
			if after == "" {
				after = time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat)
			}
			rt := serve(func(n int, _ *http.Request) (*http.Response, error) {
				if n > 1 {
					return replyJSON(200, `{"success":true,"_id":"a"}`), nil
				}
				res := reply(503, "text/html", "maintenance")
				res.Header.Set("Retry-After", after)
				return res, nil
			})
			start := time.Now()
			_, err := newTestClient(t, rt, opts...).Me.Get(t.Context())
			require.NoError(t, err)
			assert.GreaterOrEqual(t, time.Since(start), 119*time.Second)
		}
		c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) {
			res := reply(503, "text/html", "maintenance")
			res.Header.Set("Retry-After", "120")
			return res, nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := c.Me.Get(ctx)
		require.ErrorIs(t, err, ErrServer)
		e, _ := errors.AsType[*Error](err)
		assert.Equal(t, 2*time.Minute, e.RetryAfter)
		assert.Less(t, time.Since(start), time.Second)
	})
}

// TestNobody: an answer without a user is not taken for one.
func TestNobody(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"success":true}`, `{"success":true,"user":{}}`, `{"success":true,"user":{"username":"ann"}}`, `{"success":true,"user":null}`} {
		c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) { return replyJSON(200, body), nil }))
		_, err := c.Me.Get(t.Context())
		require.ErrorIs(t, err, ErrBadAnswer, body)
		_, err = c.Users.Get(t.Context(), ByID("a"))
		require.ErrorIs(t, err, ErrBadAnswer, body)
		_, err = c.Users.Update(t.Context(), ByID("a"), UserUpdateOptions{Name: new("A"), Overwrite: true})
		require.ErrorIs(t, err, ErrBadAnswer, body)
	}
}

// TestHiddenLimitIsSeen: the pause for the limit of a single user is logged, and traces
// see it.
func TestHiddenLimitIsSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var last Attempt
		var waits []WaitInfo
		var done CallResult
		c := newTestClient(t, serve(func(n int, _ *http.Request) (*http.Response, error) {
			if n > 1 {
				return replyJSON(200, `{"success":true}`), nil
			}
			return replyJSON(429, `{"success":false,"error":"Error, too many requests. Please slow down. You must wait 40 seconds before trying again. [error-too-many-requests]"}`), nil
		}), WithLogger(slog.New(slog.NewTextHandler(&log, nil))), WithTrace(Trace{
			AttemptDone: func(_ context.Context, a Attempt) { last = a },
			Waiting:     func(_ context.Context, w WaitInfo) { waits = append(waits, w) },
			CallDone:    func(_ context.Context, r CallResult) { done = r },
		}))
		require.NoError(t, c.Users.Activate(t.Context(), ByID("a")))
		assert.GreaterOrEqual(t, last.Pause, 40*time.Second)
		assert.Contains(t, log.String(), "waited before an attempt")
		require.Len(t, waits, 1)
		assert.Equal(t, WaitUserLimit, waits[0].Reason)
		assert.GreaterOrEqual(t, done.Paused, 40*time.Second)
		assert.Equal(t, 2, done.Attempts)
		assert.Equal(t, 1, done.Refusals)
	})
}

// TestTrace: the functions of a trace are called in order, and several traces add up.
func TestTrace(t *testing.T) {
	t.Parallel()
	type key struct{}
	var seen []string
	trace := func(name string) Trace {
		return Trace{
			CallStart: func(ctx context.Context, info CallInfo) context.Context {
				seen = append(seen, fmt.Sprint(name, " start ", info))
				return context.WithValue(ctx, key{}, name)
			},
			AttemptStart: func(ctx context.Context, info AttemptInfo) context.Context {
				info.Header.Set("Traceparent", name)
				info.Header.Set("X-Auth-Token", "stolen")
				seen = append(seen, fmt.Sprint(name, " attempt ", info.Number, " in ", ctx.Value(key{})))
				return ctx
			},
			AttemptDone: func(_ context.Context, a Attempt) { seen = append(seen, fmt.Sprint(name, " answered ", a.StatusCode)) },
			CallDone: func(_ context.Context, r CallResult) {
				seen = append(seen, fmt.Sprint(name, " done ", r.Class, r.Attempts))
			},
		}
	}
	c := newTestClient(t, serve(func(_ int, r *http.Request) (*http.Response, error) {
		assert.Equal(t, "b", r.Header.Get("Traceparent"))
		assert.Equal(t, "the-token", r.Header.Get("X-Auth-Token"))
		return replyJSON(400, `{"success":false,"errorType":"error-invalid-user"}`), nil
	}), WithTrace(trace("a")), WithTrace(trace("b")))
	_, err := c.Users.Get(t.Context(), ByUsername("ann"))
	require.ErrorIs(t, err, ErrNotFound)
	assert.Equal(t, []string{
		"a start {users.info GET /api/v1/users.info chat.example.org:443}", "b start {users.info GET /api/v1/users.info chat.example.org:443}",
		"a attempt 1 in b", "b attempt 1 in b", "a answered 400", "b answered 400", "a done not found1", "b done not found1",
	}, seen)
}

// TestTraceEndsAnyCall: every call that began is seen to end.
func TestTraceEndsAnyCall(t *testing.T) {
	t.Parallel()
	begun, ended := 0, 0
	var classes []Class
	c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) { return replyJSON(200, `nonsense`), nil }), WithTrace(Trace{
		CallStart: func(ctx context.Context, _ CallInfo) context.Context { begun++; return ctx },
		CallDone: func(_ context.Context, r CallResult) {
			ended++
			classes = append(classes, r.Class)
		},
	}))
	_, err := c.Me.Get(t.Context())
	require.Error(t, err)
	_, err = c.Avatars.URL(t.Context(), ByID("a"))
	require.Error(t, err)
	_, err = c.Avatars.Image(t.Context(), ByID("a"), AvatarImageOptions{})
	require.Error(t, err)
	_, err = c.Users.Get(t.Context(), ByUsername(""))
	require.Error(t, err)
	_, err = c.Me.Get(t.Context(), nil)
	require.Error(t, err)
	assert.Equal(t, 5, begun)
	assert.Equal(t, 5, ended)
	assert.Equal(t, []Class{ErrBadAnswer, ErrBadAnswer, ErrBadAnswer, ErrInvalid, ErrInvalid}, classes)
}

// TestTraceOfAPauseThatIsGivenUp: it counts with the time that it took.
func TestTraceOfAPauseThatIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var done CallResult
		c := newTestClient(t, serve(func(int, *http.Request) (*http.Response, error) {
			return nil, errors.New("no network")
		}), WithRetry(RetryPolicy{MaxAttempts: 2, BaseDelay: time.Minute, MaxDelay: time.Minute}),
			WithTrace(Trace{CallDone: func(_ context.Context, r CallResult) { done = r }}))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(7*time.Second, cancel)
		_, err := c.Me.Get(ctx)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 1, done.Attempts)
		assert.Equal(t, 7*time.Second, done.Paused)
		assert.Equal(t, map[WaitReason]time.Duration{WaitBackoff: 7 * time.Second}, done.Pauses)
	})
}

// TestTraceOfPauses: each is counted under its reason.
func TestTraceOfPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var done CallResult
		srv := rocketchattest.New(rocketchattest.WithLimit(10, time.Minute))
		c := ordinaryClient(t, srv, WithRetry(RetryPolicy{MaxAttempts: 2, BaseDelay: 5 * time.Second, MaxDelay: 5 * time.Second}),
			WithThrottle(rate.NewLimiter(rate.Every(2*time.Second), 10)),
			WithTrace(Trace{CallDone: func(_ context.Context, r CallResult) { done = r }}))
		for range 10 {
			_, err := c.Users.Get(t.Context(), ByUsername("admin"))
			require.NoError(t, err)
			assert.Nil(t, done.Pauses)
		}
		srv.AnswerNext("me", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		_, err := c.Me.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, map[WaitReason]time.Duration{WaitBackoff: 5 * time.Second, WaitThrottle: 2 * time.Second}, done.Pauses)
		_, err = c.Users.Get(t.Context(), ByUsername("admin"))
		require.NoError(t, err)
		assert.InDelta(t, 53, done.Pauses[WaitRouteLimit].Seconds(), 2)
		assert.Equal(t, done.Paused, done.Pauses[WaitRouteLimit]+done.Pauses[WaitThrottle])
	})
}

// TestTraceOfAPanic: a call that a panic ends is seen to end, once.
func TestTraceOfAPanic(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *Client){
		"second factor": func(ctx context.Context, c *Client) {
			_, _ = c.Tokens.Generate(ctx, "ci", TokenGenerateOptions{})
		},
		"body of a loop": func(ctx context.Context, c *Client) {
			for range c.Users.All(ctx, UserListOptions{}) {
				panic("no user was expected")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := 0
			var done []CallResult
			c := loginClient(t, rocketchattest.New(rocketchattest.WithSecondFactor()),
				WithTwoFactor(func(context.Context, TwoFactorChallenge) (Secret, error) { panic("no code") }),
				WithTrace(Trace{
					CallStart: func(ctx context.Context, _ CallInfo) context.Context { begun++; return ctx },
					CallDone:  func(_ context.Context, r CallResult) { done = append(done, r) },
				}))
			assert.Panics(t, func() { call(t.Context(), c) })
			assert.Len(t, done, begun)
			last := done[len(done)-1]
			assert.ErrorContains(t, last.Err, "panicked")
			assert.Equal(t, 1, last.Attempts)
		})
	}
}

// TestSecondFactorIsSentAlong: n updates cost n calls and one refusal, and an answer
// that was refused is not brought again.
func TestSecondFactorIsSentAlong(t *testing.T) {
	t.Parallel()
	const seed = "JBSWY3DPEHPK3PXP"
	for name, tc := range map[string]struct {
		user   rocketchattest.User
		answer TwoFactorFunc
	}{
		"password": {rocketchattest.User{}, AnswerWithPassword(NewSecret("Ann-Passw0rd!"))},
		"totp": {rocketchattest.User{TOTPSecret: seed}, func(context.Context, TwoFactorChallenge) (Secret, error) {
			return NewSecret(rocketchattest.TOTPCode(seed, time.Now())), nil
		}},
	} {
		srv, c := secured(t, tc.user, WithTwoFactor(tc.answer))
		for i := range 5 {
			_, err := c.Tokens.Generate(t.Context(), fmt.Sprint("bot", i), TokenGenerateOptions{})
			require.NoError(t, err, name)
		}
		assert.Equal(t, 6, srv.Count("users.generatePersonalAccessToken"), name)
		_, err := c.Tokens.Regenerate(t.Context(), "bot0")
		require.NoError(t, err)
		assert.Equal(t, 2, srv.Count("users.regeneratePersonalAccessToken"), "%s: an operation that has not asked yet", name)
		_, err = c.Me.Get(t.Context())
		require.NoError(t, err)
	}
}

// TestRefusedFactorIsNotSentAgain: when the password has changed, the answer that was
// brought along is refused. The call then asks anew, and the client forgets.
func TestRefusedFactorIsNotSentAgain(t *testing.T) {
	t.Parallel()
	var codes []string
	refuse := false
	c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		code := r.Header.Get("X-2fa-Code")
		codes = append(codes, code)
		switch {
		case code == "":
			return replyJSON(400, `{"success":false,"errorType":"totp-required","details":{"method":"totp"}}`), nil
		case refuse:
			return replyJSON(400, `{"success":false,"errorType":"totp-invalid"}`), nil
		}
		return replyJSON(200, `{"success":true,"token":"x"}`), nil
	}), WithTwoFactor(func(_ context.Context, ch TwoFactorChallenge) (Secret, error) {
		if ch.Ahead {
			return NewSecret("111111"), nil
		}
		return NewSecret("222222"), nil
	}))
	ctx := t.Context()
	generate := func() error { _, err := c.Tokens.Generate(ctx, "bot", TokenGenerateOptions{}); return err }
	require.NoError(t, generate())
	require.NoError(t, generate())
	refuse = true
	require.ErrorIs(t, generate(), ErrSecondFactorInvalid)
	refuse = false
	require.NoError(t, generate())
	assert.Equal(t, []string{"", "222222", "111111", "111111", "", "222222", "", "222222"}, codes)
}

// TestMailedCodesAreNotSentAlong, and neither is an answer that a person has to give.
func TestMailedCodesAreNotSentAlong(t *testing.T) {
	t.Parallel()
	asked := 0
	c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-2fa-Code") == "" {
			return replyJSON(400, `{"success":false,"errorType":"totp-required","details":{"method":"email"}}`), nil
		}
		return replyJSON(200, `{"success":true,"token":"x"}`), nil
	}), WithTwoFactor(func(_ context.Context, ch TwoFactorChallenge) (Secret, error) {
		assert.False(t, ch.Ahead)
		asked++
		return NewSecret("1"), nil
	}))
	for range 3 {
		_, err := c.Tokens.Generate(t.Context(), "bot", TokenGenerateOptions{})
		require.NoError(t, err)
	}
	assert.Equal(t, 3, asked)
	code, err := AskForCode(strings.NewReader("123456\n"), &strings.Builder{})(t.Context(), TwoFactorChallenge{Ahead: true})
	require.NoError(t, err)
	assert.True(t, code.IsZero())
}

// TestExpiresAtNeedsANewServer: an older one would take it and never end the status.
func TestExpiresAtNeedsANewServer(t *testing.T) {
	t.Parallel()
	for version, known := range map[string]bool{"7.7.1": false, "8.5.0": false, "8.6.0": true} {
		srv := rocketchattest.New(rocketchattest.WithVersion(version))
		c := adminClient(t, srv)
		err := c.Status.Set(t.Context(), Self(), StatusSetOptions{Status: StatusBusy, ExpiresAt: time.Now().Add(time.Hour)})
		if known {
			require.NoError(t, err, version)
			continue
		}
		require.ErrorIs(t, err, ErrEndpointUnknown, version)
		assert.Zero(t, srv.Count("users.setStatus"), version)
	}
}

// TestInactiveReasonListsInactiveUsers: servers list active users as well, unless the
// status is sent along.
func TestInactiveReasonListsInactiveUsers(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		assert.Equal(t, "deactivated", r.URL.Query().Get("status"))
		return replyJSON(200, `{"success":true,"users":[],"total":0}`), nil
	}))
	_, err := c.Users.ListByStatus(t.Context(), UserListByStatusOptions{InactiveReason: []InactiveReason{InactiveIdleTooLong}})
	require.NoError(t, err)
}

// TestAnyReference: every method takes every form of reference, and looks the user up
// where its endpoint wants another form.
func TestAnyReference(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New(rocketchattest.WithVersion("8.8.1"))
	_, err := srv.AddUser(rocketchattest.User{Username: "ann", Email: "ann@example.com", Roles: []string{"user"}})
	require.NoError(t, err)
	ann, _ := srv.User("ann")
	c := adminClient(t, srv)
	ctx := t.Context()
	for _, ref := range []UserRef{ByID(ann.ID), ByUsername("ann"), ByEmail("ann@example.com")} {
		user, err := c.Users.Update(ctx, ref, UserUpdateOptions{Name: new("Ann " + ref.key)})
		require.NoError(t, err, ref)
		assert.Equal(t, "Ann "+ref.key, user.Name)
		require.NoError(t, c.Users.Deactivate(ctx, ref, UserDeactivateOptions{}), ref)
		require.NoError(t, c.Users.Activate(ctx, ref), ref)
		require.NoError(t, c.Roles.Add(ctx, "bot", ref), ref)
		require.NoError(t, c.Roles.Remove(ctx, "bot", ref), ref)
		_, token := srv.Login("ann")
		require.NoError(t, c.Sessions.LogoutUser(ctx, ref), ref)
		gone, err := c.With(WithToken(ann.ID, token))
		require.NoError(t, err)
		_, err = gone.Me.Get(ctx)
		require.ErrorIs(t, err, ErrUnauthorized, "%s: the session is over", ref)
		_, err = c.Teams.OfUser(ctx, ref)
		require.NoError(t, err, ref)
		_, err = c.Preferences.SetFor(ctx, ref, Preferences{UseEmojis: new(false)})
		require.NoError(t, err, ref)
		require.NoError(t, c.Status.Set(ctx, ref, StatusSetOptions{Message: new("hi")}), ref)
		_, err = c.Avatars.Image(ctx, ref, AvatarImageOptions{})
		require.NoError(t, err, ref)
		list, err := c.Status.Presence(ctx, StatusPresenceOptions{Users: []UserRef{ref}})
		require.NoError(t, err, ref)
		assert.False(t, list.Full)
	}
	require.ErrorIs(t, c.Sessions.LogoutUser(ctx, ByUsername("nobody")), ErrNotFound)
	_, err = c.Teams.OfUser(ctx, ByUsername("nobody"))
	require.ErrorIs(t, err, ErrNotFound)
	user, err := c.Users.Get(ctx, Self())
	require.NoError(t, err)
	assert.Equal(t, "admin", user.Username)
	require.NoError(t, c.Avatars.Reset(ctx, Self()))
}

// TestVersionOneOfJSON: encoding/json shows no member named Extra, and keeps what is in
// it.
func TestVersionOneOfJSON(t *testing.T) {
	t.Parallel()
	var me Me
	require.NoError(t, json.Unmarshal([]byte(`{}`), &me))
	for _, value := range []any{
		User{ID: "a", Emails: []Email{{Address: "x"}}, Services: &Services{Password: &PasswordService{Exists: true}}, Settings: &UserSettings{Preferences: &Preferences{}}},
		&User{ID: "a"},
		[]User{{ID: "a"}},
		Me{User: User{ID: "a"}},
		&CreatedUser{User: User{ID: "a"}},
		map[string]any{"u": User{}},
		ServerInfo{},
		Session{},
		Role{},
	} {
		out, err := json.Marshal(value)
		require.NoError(t, err)
		assert.NotContains(t, string(out), "Extra")
	}
	out, err := json.Marshal(Me{User: User{ID: "a", Extra: map[string]any{"new": 1}, Emails: []Email{{Extra: map[string]any{"deep": 2}}}}, OwnDetails: OwnDetails{Email: "e"}})
	require.NoError(t, err)
	assert.Contains(t, string(out), `"new":1`)
	assert.Contains(t, string(out), `"deep":2`)
	assert.Contains(t, string(out), `"email":"e"`)
}

func TestFromEnv(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env   map[string]string
		field string
	}{
		"nothing":          {map[string]string{}, "ROCKETCHAT_URL"},
		"token":            {map[string]string{"ROCKETCHAT_URL": "https://a", "ROCKETCHAT_USER_ID": "u", "ROCKETCHAT_TOKEN": "t"}, ""},
		"half a token":     {map[string]string{"ROCKETCHAT_URL": "https://a", "ROCKETCHAT_USER_ID": "u"}, "ROCKETCHAT_TOKEN"},
		"other half":       {map[string]string{"ROCKETCHAT_URL": "https://a", "ROCKETCHAT_TOKEN": "t"}, "ROCKETCHAT_USER_ID"},
		"log-in":           {map[string]string{"ROCKETCHAT_URL": "https://a", "ROCKETCHAT_USER": "u", "ROCKETCHAT_PASSWORD": "p"}, ""},
		"no password":      {map[string]string{"ROCKETCHAT_URL": "https://a", "ROCKETCHAT_USER": "u"}, "ROCKETCHAT_PASSWORD"},
		"plain":            {map[string]string{"ROCKETCHAT_URL": "http://a", "ROCKETCHAT_PLAIN_HTTP": "true"}, ""},
		"not plain":        {map[string]string{"ROCKETCHAT_URL": "http://a", "ROCKETCHAT_PLAIN_HTTP": "false"}, "baseURL"},
		"plain or what":    {map[string]string{"ROCKETCHAT_URL": "http://a", "ROCKETCHAT_PLAIN_HTTP": "maybe"}, "ROCKETCHAT_PLAIN_HTTP"},
		"token with break": {map[string]string{"ROCKETCHAT_URL": "https://a", "ROCKETCHAT_USER_ID": "u", "ROCKETCHAT_TOKEN": "t\n"}, "token"},
	} {
		opts, err := fromEnv(func(key string) string { return tc.env[key] })
		if err == nil {
			_, err = New(tc.env["ROCKETCHAT_URL"], opts...)
		}
		if tc.field == "" {
			require.NoError(t, err, name)
			continue
		}
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok, name)
		assert.Equal(t, tc.field, e.Field, name)
	}
}

func TestSmallThings(t *testing.T) {
	t.Parallel()
	assert.Empty(t, (&User{}).PrimaryEmail())
	assert.Equal(t, "a@b", (&User{Emails: []Email{{Address: "a@b"}, {Address: "c@d"}}}).PrimaryEmail())
	assert.True(t, (&User{Roles: []string{"user", "admin"}}).HasRole("admin"))
	assert.False(t, (&User{}).HasRole("admin"))
	for version, want := range map[string]bool{"8.6.1": true, "8.6": true, "8.5.9": false, "9.0": true, "7.13": false, "": false, "8": false, "8.6-develop": true, "x.y": false, "10.0.0": true} {
		assert.Equal(t, want, (&ServerInfo{Version: version}).AtLeast(8, 6), version)
	}
}

// TestNamedProviders for one account share what the gate knows about it; others do not.
func TestNamedProviders(t *testing.T) {
	t.Parallel()
	caller := func(opt Option) string {
		c, err := New("https://Chat.Example.org:443", opt)
		require.NoError(t, err)
		assert.Equal(t, "chat.example.org:443", c.server)
		return c.config.caller
	}
	same := caller(WithCredentials(namedProvider{"bot@example.org"}))
	assert.Equal(t, same, caller(WithCredentials(namedProvider{"bot@example.org"})))
	assert.NotContains(t, same, "bot")
	one, other := caller(WithCredentials(staticCredentials{})), caller(WithCredentials(staticCredentials{}))
	assert.NotEqual(t, one, other, "whom they speak for is not known")
}

type namedProvider struct{ name string }

func (namedProvider) Credentials(context.Context, Credentials) (Credentials, error) {
	return Credentials{UserID: "u", Token: NewSecret("t")}, nil
}
func (p namedProvider) Account() string { return p.name }

// TestBearer: an OAuth access token goes into Authorization.
func TestBearer(t *testing.T) {
	t.Parallel()
	c, err := New("https://chat.example.org", WithBearer("oauth-token"), WithTransport(serve(func(_ int, r *http.Request) (*http.Response, error) {
		assert.Equal(t, "Bearer oauth-token", r.Header.Get("Authorization"))
		assert.Empty(t, r.Header.Get("X-Auth-Token"))
		return replyJSON(400, `{"success":false,"error":"oauth-token is bad"}`), nil
	})))
	require.NoError(t, err)
	_, err = c.Me.Get(t.Context())
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "oauth-token")
}

// TestBearerOfSelf: with an OAuth access token the client asks who it acts for.
func TestBearerOfSelf(t *testing.T) {
	t.Parallel()
	var paths []string
	c, err := New("https://chat.example.org", WithBearer("oauth-token"), WithTransport(serve(func(_ int, r *http.Request) (*http.Response, error) {
		paths = append(paths, r.URL.RequestURI())
		return replyJSON(200, `{"success":true,"_id":"own","user":{"_id":"own"}}`), nil
	})))
	require.NoError(t, err)
	_, err = c.Users.Get(t.Context(), Self())
	require.NoError(t, err)
	assert.Equal(t, []string{"/api/v1/me", "/api/v1/users.info?userId=own"}, paths)
}

// TestBearerAgainstAServer: the test server takes an OAuth access token as a server does.
func TestBearerAgainstAServer(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	_, err := srv.AddUser(rocketchattest.User{Username: "ann"})
	require.NoError(t, err)
	app, _ := srv.OAuthApp("bot", "https://bot.example.org/done")
	c, err := New(srv.URL(), WithTransport(srv), WithBearer(srv.OAuthToken(app, "ann")))
	require.NoError(t, err)
	user, err := c.Users.Get(t.Context(), Self())
	require.NoError(t, err)
	assert.Equal(t, "ann", user.Username)
	_, err = c.Sessions.LogoutOtherClients(t.Context())
	require.ErrorIs(t, err, CodeParameterRequired)
}
