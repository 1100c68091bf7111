package rocketchattest

import (
	"cmp"
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
	// Status is the status of the answer; zero when a fault broke the connection without one.
	Status int
	// UserID is the caller named in the request, whether or not the token was right.
	UserID string
	// At is the moment the request arrived, by the server's clock.
	At time.Time
}

// Calls are all requests this server has answered, in the order of the answers.
func (s *Server) Calls() []Call {
	s.log.Lock()
	defer s.log.Unlock()
	return slices.Clone(s.log.calls)
}

// Count is how often an operation was answered, whatever the answer.
func (s *Server) Count(op string) int {
	s.log.Lock()
	defer s.log.Unlock()
	return s.log.counts[op]
}

// AnswerNext makes h answer the next call of an operation instead of the server; several wait in line. The call has no effect and
// does not count against a limit, and h sets all headers but Date; when h panics with [http.ErrAbortHandler] the connection breaks.
func (s *Server) AnswerNext(op string, h http.HandlerFunc) {
	s.log.Lock()
	defer s.log.Unlock()
	s.log.faults[op] = append(s.log.faults[op], h)
}

// Ops are the names of all operations the package serves, in any version.
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
	s.log.calls = append(s.log.calls, c)
	s.log.counts[c.Op]++
}

// statusWriter remembers the status a handler answers with.
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
