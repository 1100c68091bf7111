package fleet

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// op is what the processes call.
const op = "users.info"

// Server is a test server on a real port.
type Server struct {
	*rocketchattest.Server

	URL    string
	window time.Duration
	limit  int
	http   *http.Server
	users  []string
}

// StartServer starts a server with a limit.
func StartServer(limit int, window, latency time.Duration) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, err
	}
	s := &Server{
		Server: rocketchattest.New(rocketchattest.WithLimit(limit, window), rocketchattest.WithLatency(latency)),
		URL:    "http://" + listener.Addr().String(), window: window, limit: limit,
	}
	s.http = &http.Server{Handler: s.Server, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.http.Serve(listener) }()
	return s, nil
}

// Stop ends the server.
func (s *Server) Stop() { _ = s.http.Close() }

// login makes an account for a process, and logs it in.
func (s *Server) login() (userID, token string, err error) {
	name := fmt.Sprint("process", len(s.users))
	if _, err := s.AddUser(rocketchattest.User{Username: name}); err != nil {
		return "", "", err
	}
	userID, token = s.Login(name)
	s.users = append(s.users, userID)
	return userID, token, nil
}

// Neighbour makes a call past every gate.
func (s *Server) Neighbour() error {
	if len(s.users) == 0 {
		return nil
	}
	if _, ok := s.User("neighbour"); !ok {
		if _, err := s.AddUser(rocketchattest.User{Username: "neighbour"}); err != nil {
			return err
		}
	}
	id, token := s.Login("neighbour")
	req, err := http.NewRequest(http.MethodGet, s.Server.URL()+"/api/v1/users.info?username=admin", http.NoBody) //nolint:noctx // it does not wait
	if err != nil {
		return err
	}
	req.Header.Set("X-User-Id", id)
	req.Header.Set("X-Auth-Token", token)
	req.RemoteAddr = "127.0.0.1:1"
	res, err := s.RoundTrip(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// calls are those of the processes, in order.
func (s *Server) calls() []rocketchattest.Call {
	all := slices.DeleteFunc(s.Calls(), func(c rocketchattest.Call) bool {
		return c.Op != op || !slices.Contains(s.users, c.UserID)
	})
	slices.SortStableFunc(all, func(x, y rocketchattest.Call) int { return x.At.Compare(y.At) })
	return all
}
