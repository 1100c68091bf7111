package rocketchat_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// demo returns a client for the administrator of a server in memory, on which ann and
// bob have accounts.
func demo(opts ...rocketchattest.Option) (*rocketchat.Client, *rocketchattest.Server) {
	server := rocketchattest.New(opts...)
	for _, u := range []rocketchattest.User{
		{ID: "ann-id", Username: "ann", Name: "Ann Lee", Email: "ann@example.org", Password: "Ann-Passw0rd-1"},
		{ID: "bob-id", Username: "bob", Name: "Bob Ray", Email: "bob@example.org", Password: "Bob-Passw0rd-1"},
	} {
		if _, err := server.AddUser(u); err != nil {
			panic(err)
		}
	}
	return actFor("admin", server), server
}

// actFor returns a client that acts for one of the server's users.
func actFor(username string, server *rocketchattest.Server, opts ...rocketchat.Option) *rocketchat.Client {
	userID, token := server.Login(username)
	opts = append([]rocketchat.Option{
		rocketchat.WithTransport(server), // instead of the network
		rocketchat.WithToken(userID, token),
	}, opts...)
	client, err := rocketchat.New(server.URL(), opts...)
	if err != nil {
		panic(err)
	}
	return client
}

// withNewMember adds a member to answers of users.info that no server sends today.
func withNewMember(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		maps.Copy(w.Header(), answer.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.Code)
		_, _ = io.WriteString(w, strings.Replace(answer.Body.String(), `"_id":`, `"favouriteColour":"green","_id":`, 1))
	})
}
