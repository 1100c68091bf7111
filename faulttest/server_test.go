package faulttest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// agent is the beginning of the User-Agent of a call, before the number of the call.
const agent = "faulttest-"

// faultyServer is a real HTTP server in front of an embedded Rocket.Chat server. It
// knows by the User-Agent which call of the test a request belongs to, so what it did
// can be compared with what the client says about it.
type faultyServer struct {
	api     http.Handler
	seed    uint64
	attempt time.Duration // the client's attempt timeout
	menu    []fault
	weights int
	secrets *secrets
	address string
	stop    func()
	client  func() *http.Transport // of HTTP/2; nil for HTTP/1
	served  sync.WaitGroup         // requests under way

	mu       sync.Mutex
	calm     bool // no more faults
	arrivals map[part]int
	done     map[part][]int // executions, by their place in the order of all
	again    map[part]int   // requests that came after an execution of the same call
	created  map[string]int // executions of users.create, by username
	issued   map[part][]string
	used     map[int][]string // tokens, by call
	disowned map[int]bool     // calls whose good token was refused
	order    int
	injected map[string]int
	requests int
}

// part is one operation within a call of the test: a call can need a log-in, too.
type part struct {
	call int
	op   string
}

func startServer(t *testing.T, api http.Handler, protocol int, seed uint64, attempt time.Duration, s *secrets) *faultyServer {
	t.Helper()
	f := &faultyServer{
		api: api, seed: seed, attempt: attempt, menu: faults(protocol), secrets: s,
		arrivals: map[part]int{}, done: map[part][]int{}, again: map[part]int{}, created: map[string]int{},
		issued: map[part][]string{}, used: map[int][]string{}, disowned: map[int]bool{}, injected: map[string]int{},
	}
	for _, m := range f.menu {
		f.weights += m.weight
	}
	if protocol == 2 {
		f.stop = f.listen2()
		return f
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f.address = listener.Addr().String()
	server := &http.Server{Handler: f, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = server.Serve(listener)
	}()
	f.stop = func() {
		_ = server.Close()
		<-stopped
	}
	return f
}

// close stops the server after the last request has ended.
func (f *faultyServer) close() {
	f.served.Wait()
	f.stop()
}

// exchange is one request.
type exchange struct {
	*faultyServer
	w    http.ResponseWriter
	r    *http.Request
	part part
	rng  *rand.Rand
	body []byte
	got  bool // body was read
}

// ServeHTTP answers, or does what the seed says for this attempt of this call.
func (f *faultyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.served.Add(1)
	defer f.served.Done()
	call, _ := strconv.Atoi(strings.TrimPrefix(r.UserAgent(), agent))
	x := &exchange{faultyServer: f, w: w, r: r, part: part{call, strings.TrimPrefix(r.URL.Path, "/api/v1/")}}
	f.mu.Lock()
	f.arrivals[x.part]++
	f.requests++
	attempt, calm := f.arrivals[x.part], f.calm
	if token := r.Header.Get("X-Auth-Token"); token != "" {
		f.used[call] = append(f.used[call], token)
	}
	f.mu.Unlock()
	f.secrets.add(r.Header.Get("X-Auth-Token"), r.Header.Get("X-2fa-Code"))
	x.rng = planned(f.seed, x.part.op, x.part.call, attempt)
	switch {
	case calm || call == 0:
		x.serve()
	case storm(call) && x.rng.IntN(2) == 0:
		f.count(x.refuse())
	case x.rng.IntN(100) < faultPercent:
		chosen := x.choose()
		f.count(chosen.name)
		chosen.run(x)
	default:
		x.serve()
	}
}

// faultPercent is how many of 100 attempts get a fault, besides those of the proxies.
const faultPercent = 20

// storm reports whether a storm of 429s meets the call: 40 of each 500.
func storm(call int) bool { return call%500 >= 460 }

// planned is a source of random numbers for one purpose. It depends only on the seed, not
// on what happens at the same time.
func planned(seed uint64, what string, numbers ...int) *rand.Rand {
	h := seed
	for _, b := range []byte(what) {
		h = (h ^ uint64(b)) * 0x100000001b3
	}
	for _, n := range numbers {
		h = (h ^ uint64(n)) * 0x100000001b3
		h ^= h >> 29
	}
	return rand.New(rand.NewPCG(seed, h))
}

func (x *exchange) choose() fault {
	n := x.rng.IntN(x.weights)
	for _, m := range x.menu {
		if n -= m.weight; n < 0 {
			return m
		}
	}
	return x.menu[0]
}

func (f *faultyServer) count(kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.injected[kind]++
}

// serve answers as a server should.
func (x *exchange) serve() {
	rec := x.execute()
	x.start(rec)
	_, _ = x.w.Write(rec.Body.Bytes())
}

func (x *exchange) start(rec *httptest.ResponseRecorder) {
	maps.Copy(x.w.Header(), rec.Header())
	x.w.WriteHeader(rec.Code)
}

func (x *exchange) answer(status int, kind, body string) {
	x.w.Header()["Content-Type"] = []string{kind}
	if kind == "" {
		x.w.Header()["Content-Type"] = nil
	}
	x.w.WriteHeader(status)
	_, _ = io.WriteString(x.w, body)
}

// read reads the request. An incomplete request is not executed.
func (x *exchange) read() {
	if x.got {
		return
	}
	body, err := io.ReadAll(x.r.Body)
	if err != nil {
		x.count("request cut by a proxy")
		panic(http.ErrAbortHandler)
	}
	x.body, x.got = body, true
	x.secrets.add(x.sent()...)
}

var secretMember = regexp.MustCompile(`"(?:password|pass|code|newPassword|currentPassword|digest|resume)":"((?:[^"\\\\]|\\\\.)+)"`)

// sent are the secrets of the request, in its body and its headers.
func (x *exchange) sent() []string {
	texts := []string{x.r.Header.Get("X-Auth-Token"), x.r.Header.Get("X-2fa-Code")}
	for _, found := range secretMember.FindAllSubmatch(x.body, -1) {
		texts = append(texts, string(found[1]))
	}
	return slices.DeleteFunc(texts, func(text string) bool { return text == "" })
}

var tokenText = regexp.MustCompile(`"(?:authToken|token)":"([^"]+)"`)

// execute lets the embedded server execute the call, and records it.
func (x *exchange) execute() *httptest.ResponseRecorder {
	x.read()
	in := x.r.Clone(context.Background())
	in.Body = io.NopCloser(bytes.NewReader(x.body))
	rec := httptest.NewRecorder()
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.done[x.part]) > 0 {
		x.again[x.part]++
	}
	x.api.ServeHTTP(rec, in)
	var answer struct {
		Success bool `json:"success"`
	}
	_ = json.Unmarshal(rec.Body.Bytes(), &answer)
	for _, found := range tokenText.FindAllSubmatch(rec.Body.Bytes(), -1) {
		x.issued[x.part] = append(x.issued[x.part], string(found[1]))
		x.secrets.add(string(found[1]))
	}
	if rec.Code == http.StatusOK && (answer.Success || x.part.op == "logout") {
		x.order++
		x.done[x.part] = append(x.done[x.part], x.order)
		if x.part.op == "users.create" {
			var sent struct {
				Username string `json:"username"`
			}
			_ = json.Unmarshal(x.body, &sent)
			x.created[sent.Username]++
		}
	}
	return rec
}

// wait pauses until d is over or the client has gone.
func (x *exchange) wait(d time.Duration) {
	ctx, cancel := context.WithTimeout(x.r.Context(), d)
	defer cancel()
	<-ctx.Done()
}

// pause is wait for a connection that the HTTP server does not watch any more.
func (x *exchange) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// calmDown ends the faults.
func (f *faultyServer) calmDown() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calm = true
}
