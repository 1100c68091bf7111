// Package benchmarks compares the library with other ways to call a Rocket.Chat server.
//
// All clients talk to one server, which runs in a process of its own, see [Start].
// The first element of the path says how it answers: /plain with a Content-Length,
// /chunked without one, /counted with the headers of a limit that nobody reaches, and
// /limited/NAME with a window of its own for every NAME.
package benchmarks

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The rate limit of /limited: the default of a server, a hundred times as quick.
const (
	LimitCalls  = 10
	LimitWindow = 600 * time.Millisecond
)

// Server is the handler of the benchmarks.
type Server struct {
	info    []byte
	created []byte
	page    []byte // the first 100
	many    []byte

	mu      sync.Mutex
	windows map[string]*window
}

// window counts as servers do: from the first call on, all calls of a route.
type window struct {
	began   time.Time
	count   int
	served  int
	refused int
}

// NewServer returns a server that has made its answers already.
func NewServer() *Server {
	return &Server{
		info: userInfo(), created: userCreated(), page: userList(0, 100), many: userList(0, ManyUsers),
		windows: map[string]*window{},
	}
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mode, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["Cache-Control"] = []string{"no-store"}
	h["Access-Control-Allow-Origin"] = []string{"*"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	switch mode {
	case "counted":
		reset := time.Now().Add(30 * time.Second).Truncate(time.Minute).Add(time.Minute)
		limitHeaders(h, 1_000_000_000, 999_999_999, reset)
	case "limited":
		name, after, _ := strings.Cut(rest, "/")
		rest = after
		if rest == "counts" {
			s.counts(w, name)
			return
		}
		if !s.admit(h, name) {
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"success":false,"error":"Error, too many requests. Please slow down. You must wait 1 seconds before trying this endpoint again. [error-too-many-requests]"}`)
			return
		}
	}
	if r.Method == http.MethodPost {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	answer := s.answer(strings.TrimPrefix(rest, "api/v1/"), r)
	if answer == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if mode == "chunked" {
		_ = http.NewResponseController(w).Flush()
	} else {
		h["Content-Length"] = []string{strconv.Itoa(len(answer))}
	}
	_, _ = w.Write(answer)
}

func (s *Server) answer(op string, r *http.Request) []byte {
	switch op {
	case "users.info":
		return s.info
	case "users.create":
		return s.created
	case "users.list":
		q := r.URL.Query()
		offset, _ := strconv.Atoi(q.Get("offset"))
		switch count := q.Get("count"); {
		case offset > 0 || count != "100" && count != "0":
			n, _ := strconv.Atoi(count)
			return userList(offset, min(n, 100))
		case count == "0":
			return s.many
		}
		return s.page
	}
	return nil
}

func limitHeaders(h http.Header, limit, remaining int, reset time.Time) {
	h["X-Ratelimit-Limit"] = []string{strconv.Itoa(limit)}
	h["X-Ratelimit-Remaining"] = []string{strconv.Itoa(remaining)}
	h["X-Ratelimit-Reset"] = []string{strconv.FormatInt(reset.UnixMilli(), 10)}
}

// admit counts a call. A window is over when more than its length has passed, and a
// refused call counts but does not prolong it.
func (s *Server) admit(h http.Header, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	w, ok := s.windows[name]
	if !ok {
		w = &window{began: now}
		s.windows[name] = w
	}
	if now.Sub(w.began) > LimitWindow {
		w.began, w.count = now, 0
	}
	w.count++
	limitHeaders(h, LimitCalls, max(0, LimitCalls-w.count), w.began.Add(LimitWindow))
	if w.count > LimitCalls {
		w.refused++
		return false
	}
	w.served++
	return true
}

func (s *Server) counts(w io.Writer, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if win, ok := s.windows[name]; ok {
		_, _ = fmt.Fprint(w, win.served, win.refused)
		return
	}
	_, _ = fmt.Fprint(w, 0, 0)
}

// serverVariable makes a program that calls [ServeIfAsked] the server.
const serverVariable = "ROCKETCHAT_BENCHMARK_SERVER"

// ServeIfAsked is the first thing a program does that calls [Start]: the process that
// Start starts is the same program, and does not come back from here.
func ServeIfAsked() {
	if os.Getenv(serverVariable) == "" {
		return
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + listener.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the process that holds the other end
		os.Exit(0)
	}()
	server := &http.Server{Handler: NewServer(), ReadHeaderTimeout: time.Minute}
	panic(server.Serve(listener))
}

// Start starts the program again, as the server. It gives the address and how to stop it.
func Start() (address string, stop func(), err error) {
	program, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(context.Background(), program)
	cmd.Env = append(os.Environ(), serverVariable+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	stop = func() { _, _ = stdin.Close(), cmd.Wait() }
	if err != nil {
		stop()
		return "", nil, errors.Join(errors.New("the server did not start"), err)
	}
	return string(bytes.TrimSpace(line)), stop, nil
}
