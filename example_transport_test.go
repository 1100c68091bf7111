package rocketchat_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// tagged is a transport that adds a header to every request, such as one that a gateway
// expects.
type tagged struct {
	http.RoundTripper
	name, value string
}

func (t tagged) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context()) // a transport must not change the request it was given
	req.Header.Set(t.name, t.value)
	return t.RoundTripper.RoundTrip(req)
}

// Any http.RoundTripper can be the transport: one that uses a proxy, trusts another
// certificate, records or adds a header as here. In a program the inner transport is an
// http.Transport; here it is a server in memory.
func ExampleWithTransport() {
	server := rocketchattest.New(rocketchattest.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Println("the gateway saw", r.Header.Get("X-Gateway-Tenant"))
			next.ServeHTTP(w, r)
		})
	}))
	userID, token := server.Login("admin")

	client, err := rocketchat.New(server.URL(),
		rocketchat.WithTransport(tagged{server, "X-Gateway-Tenant", "staff"}),
		rocketchat.WithToken(userID, token))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Me.Get(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// the gateway saw staff
}
