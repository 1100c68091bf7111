package rocketchattest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Call is one answered request.
type Call struct {
	// Op is the operation, for example "users.info"; empty for an unknown route.
	Op string
	// Method and Path are those of the request.
	Method, Path string
	// Status is the status of the answer; 0 if a fault broke the connection.
	Status int
	// UserID is the caller in the request, whether or not the token was valid.
	UserID string
	// At is when the request arrived, by the server's clock.
	At time.Time
}

// callsKept bounds the log of calls, so that a long-running server does not grow.
const callsKept = 10_000

// Calls returns the last 10,000 requests that the server has answered, in the order of the
// answers.
func (s *Server) Calls() []Call {
	s.log.Lock()
	defer s.log.Unlock()
	return slices.Concat(s.log.calls[s.log.oldest:], s.log.calls[:s.log.oldest])
}

// Count returns how often an operation was answered, with any status. The operation ""
// counts unknown routes. It panics if there is no such operation; see [Ops].
func (s *Server) Count(op string) int {
	if op != "" && !slices.Contains(Ops(), op) {
		must(fmt.Errorf("operation %q: does not exist", op))
	}
	s.log.Lock()
	defer s.log.Unlock()
	return s.log.counts[op]
}

// AnswerNext makes h answer the next call of an operation instead of the server. Several
// handlers are used in order. The call has no effect and does not count against a limit.
// All headers except Date are set by h. If h panics with [http.ErrAbortHandler], the
// connection breaks. The operation "" stands for unknown routes. AnswerNext panics if the
// server's version has no such operation.
func (s *Server) AnswerNext(op string, h http.HandlerFunc) {
	if op != "" && !s.serves(op) {
		must(fmt.Errorf("operation %q: does not exist in %s", op, s.version))
	}
	s.log.Lock()
	defer s.log.Unlock()
	s.log.faults[op] = append(s.log.faults[op], h)
}

// serves reports whether the version that is played has an operation.
func (s *Server) serves(op string) bool {
	for _, methods := range s.routes {
		for _, r := range methods {
			if r.op == op {
				return true
			}
		}
	}
	return false
}

// Ops returns the names of all operations that the package serves in any version.
func Ops() []string {
	all := routes()
	ops := make([]string, 0, len(all))
	for i := range all {
		ops = append(ops, all[i].op)
	}
	slices.Sort(ops)
	return slices.Compact(ops)
}

func (s *Server) nextFault(op string) http.HandlerFunc {
	s.log.Lock()
	defer s.log.Unlock()
	waiting := s.log.faults[op]
	if len(waiting) == 0 {
		return nil
	}
	s.log.faults[op] = waiting[1:]
	return waiting[0]
}

func (s *Server) note(c Call) {
	s.log.Lock()
	defer s.log.Unlock()
	s.log.counts[c.Op]++
	if len(s.log.calls) < callsKept {
		s.log.calls = append(s.log.calls, c)
		return
	}
	s.log.calls[s.log.oldest] = c
	s.log.oldest = (s.log.oldest + 1) % callsKept
}

// statusWriter records the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.status = cmp.Or(w.status, http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// Unwrap lets handlers reach the connection, for faults that break it.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
