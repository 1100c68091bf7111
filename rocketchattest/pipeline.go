package rocketchattest

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// route is one endpoint: what is checked before its action, and the action.
type route struct {
	op           string
	method, path string
	since        version  // the first release that has it
	public       bool     // no credentials needed
	authSince    version  // no credentials needed before it
	authUntil    version  // no credentials needed from it on
	noUsername   bool     // open to a user that has not chosen a username yet
	permissions  []string // any of them, checked before the action
	unlimited    bool     // not rate limited
	own          limit    // instead of the default limit, from ownSince on
	ownSince     version
	factor       factorRule
	query        *schema
	body         *schema
	run          func(*call) (any, error) // the result goes in the envelope, unless it is raw
}

// factorRule says whether a route asks for a second factor.
type factorRule int

const (
	noFactor factorRule = iota
	factor
	factorEachTime // never remembered
)

// call is one request on its way through the server.
type call struct {
	*Server
	route   *route
	r       *http.Request
	header  http.Header
	address string
	base    string   // the server's address as the client knows it
	me      *account // the caller, nil without credentials
	token   *token
	query   object
	body    object
	file    *upload // the file of a multipart body
	fileErr error   // why there is none
}

const bodyLimit = 64 << 20

// answer is the server's handler: it finds the route, runs the checks and the action, and writes what comes of it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	rt, status := s.find(r)
	op := ""
	if rt != nil {
		op = rt.op
	}
	entry := Call{Op: op, Method: r.Method, Path: r.URL.Path, UserID: r.Header.Get("X-User-Id"), At: s.now()}
	h := w.Header()
	h.Set("Date", entry.At.UTC().Format(http.TimeFormat))
	if fault := s.nextFault(op); fault != nil {
		counted := &statusWriter{ResponseWriter: w}
		defer func() {
			entry.Status = counted.status
			s.note(entry)
		}()
		fault(counted, r)
		return
	}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
	var out raw
	if rt == nil {
		out = s.unknown(r, status, h)
	} else {
		out = s.perform(rt, r, h)
	}
	maps.Copy(h, out.header)
	entry.Status = out.status
	s.note(entry)
	w.WriteHeader(out.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(out.body)
	}
}

// find is the route of a request, or the status for a request that has none.
func (s *Server) find(r *http.Request) (*route, int) {
	path := r.URL.Path
	if name, ok := strings.CutPrefix(path, "/avatar/"); ok && name != "" {
		path = "/avatar/{username}"
		if strings.HasPrefix(name, "uid/") && s.version.atLeast(7, 1) {
			path = "/avatar/uid/{userId}"
		}
	}
	methods := s.routes[path]
	if methods == nil {
		return nil, http.StatusNotFound
	}
	if rt := methods[r.Method]; rt != nil {
		return rt, 0
	}
	return nil, http.StatusMethodNotAllowed
}

// unknown answers a request without a route: plain text since 7.4, before that JSON, or 405 for another method of a known route.
func (s *Server) unknown(r *http.Request, status int, h http.Header) raw {
	if s.version.atLeast(7, 4) {
		return text(http.StatusNotFound, "404 Not Found")
	}
	if status == http.StatusMethodNotAllowed {
		h.Set("Allow", strings.Join(slices.Sorted(maps.Keys(s.routes[r.URL.Path])), ", "))
	}
	return jsonAnswer(status, []byte(`{"status":"error","message":"API endpoint does not exist"}`))
}

func jsonAnswer(status int, body []byte) raw {
	return raw{status, http.Header{
		"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}, "Pragma": {"no-cache"},
	}, body}
}

// perform runs a call and turns its result into an answer.
func (s *Server) perform(rt *route, r *http.Request, h http.Header) raw {
	c := &call{Server: s, route: rt, r: r, header: h, address: clientAddress(r), base: baseURL(r)}
	err := c.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	var result any
	if err == nil {
		result, err = c.check()
	}
	if err != nil {
		return c.refuse(err)
	}
	if out, ok := result.(raw); ok {
		return out
	}
	body, err := succeed(result)
	if err != nil {
		return c.refuse(err)
	}
	return jsonAnswer(http.StatusOK, body)
}

func (c *call) refuse(err error) raw {
	var f *failure
	if !errors.As(err, &f) {
		return jsonAnswer(http.StatusInternalServerError, []byte(`{"success":false,"error":"Internal server error"}`))
	}
	if out, ok := f.body.(raw); ok {
		return out
	}
	body, err := json.Marshal(f.body)
	if err != nil {
		return jsonAnswer(http.StatusInternalServerError, nil)
	}
	return jsonAnswer(f.status, body)
}

// check runs the checks in the order of the version, then the action.
func (c *call) check() (any, error) {
	checks := []func() error{c.authenticate, c.permitted, c.validQuery, c.validBody, c.limited, c.secondFactor}
	if !c.version.atLeast(8, 4) {
		checks = []func() error{c.authenticate, c.limited, c.validQuery, c.validBody, c.permitted, c.secondFactor}
		if c.route.body != nil && c.route.body.code != "" && !c.version.atLeast(8) { // looked at inside the action
			checks = []func() error{c.authenticate, c.limited, c.validQuery, c.permitted, c.secondFactor, c.validBody}
		}
	}
	for _, ok := range checks {
		if err := ok(); err != nil {
			return nil, err
		}
	}
	return c.route.run(c)
}

// authenticate finds the caller by the two credential headers.
func (c *call) authenticate() error {
	if t := c.byToken[c.r.Header.Get("X-Auth-Token")]; t != nil && t.user.id == c.r.Header.Get("X-User-Id") && !t.expired(c.now()) {
		c.me, c.token = t.user, t
	}
	switch {
	case c.route.needsNoLogin(c.version):
		return nil
	case c.me == nil:
		return c.unauthenticated()
	case c.me.username == "" && !c.route.noUsername:
		return &failure{http.StatusInternalServerError, text(http.StatusInternalServerError, "Internal Server Error")}
	}
	return nil
}

func (r *route) needsNoLogin(v version) bool {
	if r.authSince != (version{}) {
		return !v.atLeast(r.authSince[:]...)
	}
	if r.authUntil != (version{}) {
		return v.atLeast(r.authUntil[:]...)
	}
	return r.public
}

func (c *call) permitted() error {
	switch {
	case len(c.route.permissions) == 0 || slices.ContainsFunc(c.route.permissions, c.may):
		return nil
	case c.route.op == "users.delete" && !c.version.atLeast(7):
		return c.forbidden()
	}
	return missingPermission()
}

func (c *call) validQuery() error { return c.validate(c.route.query, c.query, true) }

func (c *call) validBody() error { return c.validate(c.route.body, c.body, false) }

func (c *call) validate(s *schema, o object, query bool) error {
	if s == nil || !c.version.atLeast(s.since[:]...) {
		return nil
	}
	messages := validator{c.version, query}.check(s, o)
	if len(messages) == 0 {
		return nil
	}
	text, code := strings.Join(messages, "\n "), "invalid-params"
	if s.code != "" && !c.version.atLeast(8) {
		code = s.code
	}
	if !c.version.atLeast(8, 4) {
		return coded(code, text, nil)
	}
	if query {
		code = "error-invalid-params"
	}
	return typed(text, code, nil)
}

// read takes in query and body before the server's lock is taken.
func (c *call) read() error {
	query, ok := parseQuery(c.r.URL.Query())
	if !ok {
		return plain("Invalid query parameters")
	}
	c.query, c.body = query, object{}
	if c.r.Body == nil || c.r.Body == http.NoBody {
		return nil
	}
	media, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if media == "multipart/form-data" {
		c.file, c.fileErr = c.readUpload()
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(c.r.Body, bodyLimit))
	if err != nil {
		return err
	}
	switch media {
	case "application/json":
		if json.Unmarshal(b, &c.body) != nil || c.body == nil {
			c.body = object{}
		}
	case "application/x-www-form-urlencoded":
		if values, err := url.ParseQuery(string(b)); err == nil {
			c.body, _ = parseQuery(values)
		}
	}
	if c.body == nil {
		c.body = object{}
	}
	return nil
}

const arrayLimit = 500

// parseQuery reads keys in nested style: a repeated key or key[] is an array, a[b] a key of the object a.
func parseQuery(values url.Values) (object, bool) {
	o := object{}
	for key, all := range values {
		if len(all) > arrayLimit {
			return nil, false
		}
		name, isArray := strings.CutSuffix(key, "[]")
		target := map[string]any(o)
		if outer, inner, ok := strings.Cut(name, "["); ok && strings.HasSuffix(inner, "]") {
			nested, _ := o[outer].(map[string]any)
			if nested == nil {
				nested = map[string]any{}
				o[outer] = nested
			}
			target, name = nested, strings.TrimSuffix(inner, "]")
		}
		if len(all) == 1 && !isArray {
			target[name] = all[0]
			continue
		}
		items, _ := target[name].([]any)
		for _, v := range all {
			items = append(items, v)
		}
		target[name] = items
	}
	return o, true
}

// baseURL is the address the client used, for the absolute addresses in answers.
func baseURL(r *http.Request) string {
	host, scheme := r.Host, "http"
	if r.URL.Host != "" {
		host, scheme = r.URL.Host, r.URL.Scheme
	}
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + host
}
