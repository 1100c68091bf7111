// Command scim lets Okta, Entra ID or Keycloak manage the accounts of a server over SCIM 2.0.
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/elimity-com/scim/schema"

	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func main() {
	schema.SetAllowStringValues(true) // Entra sends "False" for false
	cli.Main(tool())
}

func tool() cli.Tool {
	return cli.Tool{
		Name: "scim",
		Summary: `Serves SCIM 2.0, so that an identity provider such as Okta, Entra ID or Keycloak can create, change, deactivate and find accounts. Its groups are roles.

The provider's bearer token is in SCIM_TOKEN. Without ROCKETCHAT_URL it may be missing: the program then generates one and prints it.

Usernames of Rocket.Chat cannot contain @. With --domain the provider's user names may be addresses of that domain. The provider's external ID is kept in the custom field named by --external-id, which the server must define in the setting Accounts_CustomFields.`,
		Permissions: "create-user, edit-other-user-info, edit-other-user-password, edit-other-user-active-status, assign-roles, access-permissions, view-d-room, view-full-other-user-info; delete-user with --delete",
		Examples:    []string{"", "--listen :8443 --cert cert.pem --key key.pem --public-url https://scim.example.org/scim/v2 --domain example.org"},
		Demo: cli.Demo{Options: []rocketchattest.Option{
			rocketchattest.WithSetting("Accounts_CustomFields", `{"externalId":{"type":"text"}}`),
		}},
		Command: new(serve),
	}
}

type serve struct {
	Listen    string `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address to listen on. Default: 127.0.0.1:8080."`
	PublicURL string `name:"public-url" placeholder:"URL" help:"Address that the provider uses, with the path, if it differs."`
	Cert      string `placeholder:"FILE" help:"TLS certificate, together with --key. Without it, put a proxy with TLS in front."`
	Key       string `placeholder:"FILE" help:"Key of the TLS certificate."`
	options
}

// options control the mapping between accounts and SCIM resources.
type options struct {
	Domain     string `placeholder:"DOMAIN" help:"Domain that the provider's user names end with."`
	ExternalID string `name:"external-id" default:"externalId" placeholder:"FIELD" help:"Custom field for the provider's external ID. Default: externalId."`
	Admins     bool   `help:"Let the provider give and take the role admin. By default it cannot see this role."`
	Delete     bool   `help:"Delete accounts that the provider deletes, with their messages. By default they are deactivated."`
	Relinquish bool   `help:"Deactivate and delete people even if rooms lose their last owner."`
	Verified   bool   `help:"Mark new addresses as verified."`
}

const (
	shortest  = 20 // characters of a token
	patience  = 5 * time.Second
	base      = "/scim"
	largest   = 1 << 20 // bytes of a request
	tokenName = "SCIM_TOKEN"
)

// Run implements [cli.Command].
func (c *serve) Run(ctx context.Context, s *cli.Session) error {
	if err := c.check(); err != nil {
		return err
	}
	token := os.Getenv(tokenName)
	switch {
	case token == "" && s.Demo != nil:
		token = rand.Text()
		s.Print("bearer token: %s", token)
	case len(token) < shortest:
		return cli.Usage("%s must have at least %d characters; openssl rand -hex 32 makes a good one", tokenName, shortest)
	}
	listener, err := cli.Listen(ctx, "listen", c.Listen)
	if err != nil {
		return err
	}
	scheme := "http://"
	if c.Cert != "" {
		scheme = "https://"
	}
	public := c.PublicURL
	if public == "" {
		public = scheme + listener.Addr().String() + base + "/v2"
	}
	handler, err := newHandler(s, c.options, token, public)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	s.Print("SCIM 2.0 at %s", public)
	return c.answer(ctx, listener, handler)
}

func (c *serve) check() error {
	switch {
	case (c.Cert == "") != (c.Key == ""):
		return cli.Usage("--cert and --key belong together")
	case c.PublicURL != "" && !strings.HasPrefix(c.PublicURL, "https://") && !strings.HasPrefix(c.PublicURL, "http://"):
		return cli.Usage("--public-url must begin with https:// or http://, not %q", c.PublicURL)
	case c.Cert == "":
		return nil
	}
	if _, err := tls.LoadX509KeyPair(c.Cert, c.Key); err != nil {
		return fmt.Errorf("the certificate cannot be used: %w", plain(err))
	}
	return nil
}

// plain returns an error of package tls without the name of the package.
func plain(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "tls: "))
}

// answer serves until the context ends, then lets running requests finish.
func (c *serve) answer(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() {
		if c.Cert != "" {
			failed <- server.ServeTLS(listener, c.Cert, c.Key)
			return
		}
		failed <- server.Serve(listener)
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return server.Shutdown(grace)
}

// guard answers only requests that bring the token, and logs each request without its
// query, which can hold names and addresses.
func guard(s *cli.Session, token string, next http.Handler) http.Handler {
	expected := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(given)) // of equal lengths, so that the comparison takes constant time
		if subtle.ConstantTimeCompare(got[:], expected[:]) != 1 || !strings.EqualFold(scheme, "Bearer") {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.Header().Set("Content-Type", "application/scim+json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"401","detail":"The bearer token is missing or wrong."}`))
			s.Note("%s %s 401", r.Method, r.URL.Path)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, largest)
		logged := &statusWriter{w, http.StatusOK}
		next.ServeHTTP(logged, r)
		s.Note("%s %s %d", r.Method, r.URL.Path, logged.status)
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
