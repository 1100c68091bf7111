package faulttest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

var (
	flagCalls   = flag.Int("calls", 10_000, "how many calls are made, half of them over each version of HTTP")
	flagWorkers = flag.Int("workers", 32, "how many goroutines make them")
	flagSeed    = flag.Uint64("seed", 1, "what decides about calls and faults; FAULTTEST_SEED sets it too")
)

const (
	attemptTimeout = 300 * time.Millisecond
	maxAnswer      = 1 << 20
	ways           = 8 // addresses of the server: two straight ones, the others through proxies
	straight       = 2
	accounts       = 8
	weatherEvery   = 40 // calls between two changes of a proxy
	dropEvery      = 60 // calls between two accounts that lose their sessions
	maxShown       = 40 // broken promises that are printed
)

// run is the test as a whole.
type run struct {
	protocol    int // the version of HTTP
	seed        uint64
	calls       int
	shared      int // names for which all workers call Ensure
	kinds       []kind
	kindWeights int
	chat        *rocketchattest.Server
	admin       *rocketchat.Client // straight to chat, without a network
	server      *faultyServer
	proxies     *proxies
	accounts    []account
	clients     []*rocketchat.Client
	transports  []*http.Transport
	book        book
	secrets     *secrets
	transcript  *transcript
	logger      *slog.Logger

	endedSessions atomic.Int64
	drops         atomic.Int64
}

// account is an account that calls are made for.
type account struct {
	name, id   string
	password   rocketchat.Secret
	totpSecret string
	factor     rocketchat.TwoFactorFunc
}

func (a account) credentials() []rocketchat.Option {
	return []rocketchat.Option{rocketchat.WithLogin(a.name, a.password.Reveal()), rocketchat.WithTwoFactor(a.factor)}
}

func (r *run) sharedName(i int) string { return fmt.Sprintf("shared-%03d", i) }

// TestFaults makes the calls and compares what the client says with what happened.
func TestFaults(t *testing.T) { //nolint:paralleltest // it counts the goroutines and the memory of the process
	for _, protocol := range []int{1, 2} {
		t.Run(fmt.Sprint("HTTP", protocol), func(t *testing.T) { testFaults(t, protocol) })
	}
}

func testFaults(t *testing.T, protocol int) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	r := newRun(t, protocol)
	t.Logf("seed %d, %d calls, %d goroutines; again with: go test -race -run %q -seed %[1]d -calls %[2]d -workers %[3]d",
		r.seed, *flagCalls, *flagWorkers, t.Name())

	memory := watchMemory(*flagWorkers)
	start := time.Now()
	r.work(t)
	took := time.Since(start)
	peak := memory.stop()

	r.settle(t)
	toxiproxyLeft, left := leftBehind(before)
	verdict := r.book.compare(r.server, r.states(t))
	erased := r.erasedNicknames()
	r.transcript.mu.Lock()
	seen := r.secrets.seen(r.transcript.buf.Bytes())
	r.transcript.mu.Unlock()

	r.print(report{
		took: took, verdict: verdict, left: left, toxiproxyLeft: toxiproxyLeft, seen: len(seen),
		erased: len(erased), peak: peak, bound: memory.bound,
	})
	for i, broken := range r.book.broken {
		if i == maxShown {
			t.Errorf("and %d more", len(r.book.broken)-i)
			break
		}
		t.Error(broken)
	}
	assert.Len(t, r.book.records, r.calls, "every call ends")
	assert.Zero(t, verdict.Falsehoods)
	assert.Zero(t, verdict.Twice)
	assert.Zero(t, verdict.UsersTwice)
	assert.Zero(t, verdict.Lost)
	assert.Empty(t, erased, "fields that nobody changed")
	assert.NoError(t, left)
	assert.Empty(t, seen, "secrets in logs and errors")
	assert.Less(t, peak, memory.bound, "bytes of heap")
	r.meetsEnough(t)
}

func newRun(t *testing.T, protocol int) *run {
	t.Helper()
	r := &run{
		protocol: protocol, seed: *flagSeed, calls: *flagCalls / 2, kinds: kinds(), secrets: newSecrets(), transcript: new(transcript),
	}
	if env := os.Getenv("FAULTTEST_SEED"); env != "" {
		seed, err := strconv.ParseUint(env, 10, 64)
		require.NoError(t, err, "FAULTTEST_SEED")
		r.seed = seed
	}
	if testing.Short() {
		r.calls /= 20
	}
	r.shared = max(r.calls/100, 5)
	for _, k := range r.kinds {
		r.kindWeights += k.weight
	}
	r.logger = slog.New(slog.NewTextHandler(r.transcript, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{} // its digits look like codes
			}
			return a
		},
	}))
	r.chat = rocketchattest.New(rocketchattest.WithLimit(0, 0), rocketchattest.WithSecondFactor())
	r.secrets.add(rocketchattest.AdminPassword)
	id, token := r.chat.Login("admin")
	r.secrets.add(token)
	r.admin = r.inMemory(t, id, token)
	r.server = startServer(t, r.chat, protocol, r.seed, attemptTimeout, r.secrets)
	r.proxies = startProxies(t, ways-straight, r.server.address)
	for i := range accounts {
		r.addAccount(t, i)
	}
	return r
}

// inMemory is a client that no fault reaches.
func (r *run) inMemory(t *testing.T, id, token string) *rocketchat.Client {
	t.Helper()
	client, err := rocketchat.New(r.chat.URL(), rocketchat.WithTransport(r.chat), rocketchat.WithToken(id, token))
	require.NoError(t, err)
	return client
}

// addAccount makes an account and a client for it. Of the accounts, half have their
// password alone, three an authenticator app, one gets codes by e-mail.
func (r *run) addAccount(t *testing.T, i int) {
	t.Helper()
	a := account{name: fmt.Sprintf("bot-%d", i), password: rocketchat.NewSecret(fmt.Sprintf("PassWordOfBot%d-%d", i, r.seed))}
	a.factor = rocketchat.AnswerWithPassword(a.password)
	r.secrets.add(a.password.Reveal())
	user := rocketchattest.User{
		Username: a.name, Name: a.name, Email: a.name + "@example.org", Password: a.password.Reveal(), Roles: []string{"admin", "user"},
	}
	switch {
	case i == accounts-1:
		user.EmailSecondFactor = true
		a.factor = func(context.Context, rocketchat.TwoFactorChallenge) (rocketchat.Secret, error) {
			for _, mail := range slices.Backward(r.chat.Mails()) {
				if mail.To == user.Email && mail.Kind == rocketchattest.MailSecondFactor {
					return rocketchat.NewSecret(mail.Code), nil
				}
			}
			return rocketchat.Secret{}, errors.New("no mail with a code")
		}
	case i >= accounts/2:
		a.totpSecret = "JBSWY3DPEHPK3PX" + string(rune('A'+i))
		user.TOTPSecret = a.totpSecret
		r.secrets.add(a.totpSecret)
		a.factor = func(context.Context, rocketchat.TwoFactorChallenge) (rocketchat.Secret, error) {
			return rocketchat.NewSecret(rocketchattest.TOTPCode(a.totpSecret, time.Now())), nil
		}
	}
	added, err := r.chat.AddUser(user)
	require.NoError(t, err)
	a.id = added.ID
	r.accounts = append(r.accounts, a)

	address := r.server.address
	if way := i % ways; way >= straight {
		address = r.proxies.all[way-straight].Listen
	}
	scheme, options := "http://", a.credentials()
	if r.server.client != nil {
		scheme, options = "https://", append(options, rocketchat.WithTransport(r.transport()))
	}
	client, err := rocketchat.New(scheme+address, append(options,
		rocketchat.WithRetry(rocketchat.RetryPolicy{MaxAttempts: 4, BaseDelay: 5 * time.Millisecond, MaxDelay: 40 * time.Millisecond}),
		rocketchat.WithAttemptTimeout(attemptTimeout),
		rocketchat.WithMaxAnswer(maxAnswer),
		rocketchat.WithLogger(r.logger),
		rocketchat.WithUserAgent(agent+"0"),
		rocketchat.WithTrace(rocketchat.Trace{AttemptDone: func(ctx context.Context, a rocketchat.Attempt) {
			if of, ok := ctx.Value(recordKey{}).(*record); ok && (of.op == a.Op || of.op == "") {
				of.attempts.Add(1)
			}
		}}),
	)...)
	require.NoError(t, err)
	r.clients = append(r.clients, client)
}

// transport is the transport of a client of HTTP/2.
func (r *run) transport() *http.Transport {
	t := r.server.client()
	r.transports = append(r.transports, t)
	return t
}

// work makes all calls.
func (r *run) work(t *testing.T) {
	t.Helper()
	workers := make([]*worker, *flagWorkers)
	for i := range workers {
		w := &worker{run: r, number: i, client: r.clients[i%len(r.clients)], account: r.accounts[i%len(r.accounts)]}
		for n := range 3 {
			name := fmt.Sprintf("w%02d-f%d", i, n)
			user, err := r.chat.AddUser(rocketchattest.User{Username: name, Name: name, Email: name + "@example.org", Nickname: "nick of " + name})
			require.NoError(t, err)
			w.people = append(w.people, person{user.ID, name})
		}
		workers[i] = w
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i, w := range workers {
		all.Go(func() {
			for id := i + 1; id <= r.calls; id += len(workers) {
				r.turn(ctx, id)
				w.work(ctx, id)
			}
		})
	}
	all.Wait()
}

// turn changes the weather and ends sessions when the time has come.
func (r *run) turn(ctx context.Context, id int) {
	if id%weatherEvery == 0 {
		way := id / weatherEvery % len(r.proxies.all)
		if err := r.proxies.change(way, planned(r.seed, "weather", id)); err != nil {
			r.book.breach("changing a proxy: %v", err)
		}
	}
	if id%dropEvery == 0 {
		r.dropSessions(ctx, r.accounts[id/dropEvery%len(r.accounts)])
	}
}

// dropSessions revokes all log-in tokens of an account.
func (r *run) dropSessions(ctx context.Context, a account) {
	id, token := r.chat.Login(a.name)
	r.secrets.add(token)
	client, err := r.admin.With(rocketchat.WithToken(id, token))
	if err == nil {
		_, err = client.Sessions.LogoutOtherClients(ctx)
	}
	if err != nil {
		r.book.breach("dropping sessions: %v", err)
	}
	r.drops.Add(1)
}

// valid reports whether a token of the account is valid.
func (w *worker) valid(ctx context.Context, token string) bool {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, w.chat.URL()+"/api/v1/me", nil)
	if err != nil {
		return true
	}
	req.Header.Set("X-User-Id", w.account.id)
	req.Header.Set("X-Auth-Token", token)
	res, err := w.chat.RoundTrip(req)
	if err != nil {
		return true
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// settle ends the faults, calls Ensure again for all shared accounts, and shuts everything
// down.
func (r *run) settle(t *testing.T) {
	t.Helper()
	r.server.calmDown()
	require.NoError(t, r.proxies.clear())
	for i := range r.shared {
		j := &job{record: new(record), w: &worker{run: r}, rng: planned(r.seed, "last", i)}
		name := r.sharedName(i)
		user, err := r.clients[i%len(r.clients)].Users.Ensure(t.Context(), j.newUser(name))
		if assert.NoError(t, err) {
			assert.Equal(t, name, user.Username)
		}
		same := 0
		for _, u := range r.chat.Users() {
			if u.Email == name+"@example.org" || strings.EqualFold(u.Username, name) {
				same++
			}
		}
		assert.Equal(t, 1, same, "accounts of %s", name)
	}
	for _, client := range r.clients {
		assert.NoError(t, client.Close())
	}
	for _, transport := range r.transports {
		transport.CloseIdleConnections()
	}
	r.server.close()
	r.proxies.close()
}

// states reads the final value of a field.
func (r *run) states(t *testing.T) func(field string) (string, bool) {
	t.Helper()
	things := map[string]bool{}
	for _, a := range r.accounts {
		id, token := r.chat.Login(a.name)
		tokens, err := r.inMemory(t, id, token).Tokens.List(t.Context())
		require.NoError(t, err)
		for _, listed := range tokens {
			things["token:"+a.name+"/"+listed.Name] = true
		}
	}
	for status, err := range r.admin.Status.AllCustom(t.Context(), rocketchat.CustomStatusListOptions{}) {
		require.NoError(t, err)
		things["status:"+status.Name] = true
	}
	presence := map[bool]string{true: "there", false: "gone"}
	return func(field string) (string, bool) {
		what, name, _ := strings.Cut(field, ":")
		user, there := r.chat.User(name)
		switch what {
		case "account":
			return presence[there], true
		case "token", "status":
			return presence[things[field]], true
		case "name":
			return user.Name, there
		case "bio":
			return user.Bio, there
		case "message":
			return user.StatusText, there
		case "active":
			return strconv.FormatBool(!user.Inactive), there
		case "role":
			return strconv.FormatBool(slices.Contains(user.Roles, "livechat-agent")), there
		}
		return "", false
	}
}

// erasedNicknames returns the accounts that lost a nickname that no call cleared.
func (r *run) erasedNicknames() (erased []string) {
	for _, u := range r.chat.Users() {
		ours := strings.HasPrefix(u.Username, "w") || strings.HasPrefix(u.Username, "shared-") || strings.HasPrefix(u.Username, "raced-")
		if ours && u.Nickname != "nick of "+u.Username {
			erased = append(erased, u.Username)
		}
	}
	return erased
}

// meetsEnough fails a full run that did not meet every fault and every outcome.
func (r *run) meetsEnough(t *testing.T) {
	t.Helper()
	if r.calls < 5000 {
		return
	}
	for _, f := range faults(r.protocol) {
		assert.NotZero(t, r.server.injected[f.name], f.name)
	}
	if r.protocol == 2 {
		assert.NotZero(t, r.server.injected["GOAWAY"])
		for _, code := range resets {
			assert.NotZero(t, r.server.injected["RST_STREAM "+code.String()], "streams reset with %s", code)
		}
	}
	seen := map[outcome]int{}
	for _, rec := range r.book.records {
		seen[rec.outcome]++
	}
	for _, o := range []outcome{done, adopted, existed, unknown, refused} {
		assert.NotZero(t, seen[o], string(o))
	}
	assert.NotZero(t, r.endedSessions.Load(), "sessions that were closed")
}

// leftBehind looks for remaining goroutines. Those of toxiproxy are counted separately,
// because its links never end if the client leaves while data is on the way.
func leftBehind(before goleak.Option) (toxiproxy int, left error) {
	left = goleak.Find(before,
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
	)
	stacks := make([]byte, 16<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "Shopify/toxiproxy") {
			toxiproxy++
		}
	}
	return toxiproxy, left
}

// memoryWatch finds the highest heap.
type memoryWatch struct {
	bound uint64
	quit  chan struct{}
	peak  chan uint64
}

// watchMemory begins to watch. The bound is the present size of the process, three times
// the largest answer for every goroutine (the answer, and the larger buffer to which it
// grows), and 64 MiB for the records of the test. The garbage collector keeps the heap
// below the bound, so that memory above it is in use.
func watchMemory(goroutines int) *memoryWatch {
	runtime.GC()
	now := heap()
	w := &memoryWatch{bound: now + uint64(goroutines)*3*maxAnswer + 64<<20, quit: make(chan struct{}), peak: make(chan uint64)}
	debug.SetMemoryLimit(int64(w.bound))
	go func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		peak := now
		for {
			select {
			case <-ticker.C:
				peak = max(peak, heap())
			case <-w.quit:
				w.peak <- peak
				return
			}
		}
	}()
	return w
}

func (w *memoryWatch) stop() uint64 {
	close(w.quit)
	return <-w.peak
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
