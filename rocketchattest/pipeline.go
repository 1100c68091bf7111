package rocketchattest

import (
	"cmp"
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
	typed        version  // the first release whose schema is checked before the call is counted; 8.4 unless said
	public       span     // the releases that ask for no credentials, if any
	anonymous    bool     // no credentials needed where the setting Accounts_AllowAnonymousRead is on
	enterprise   bool     // for servers with a licence
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
	noJSON  bool    // the body is JSON, but no object
	counted bool    // the checks before the limit are over
	arrived int64   // when the call came, and when it was its turn, see account
	begun   int64
}

const bodyLimit = 64 << 20

// answer is the server's handler: it finds the route, runs the checks and the action, and
// writes the result.
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
		if strings.HasPrefix(name, "uid/") && since(v(7, 1)).holds(s.version) {
			path = "/avatar/uid/{userId}"
		}
	}
	methods := s.routes[path]
	if i := strings.LastIndexByte(path, '/') + 1; methods == nil && i < len(path) {
		methods = s.routes[s.patterns[path[:i]]]
	}
	if methods == nil {
		return nil, http.StatusNotFound
	}
	if rt := methods[r.Method]; rt != nil {
		return rt, 0
	}
	if strings.HasPrefix(path, "/avatar/") {
		return methods[http.MethodGet], 0 // whatever the method
	}
	return nil, http.StatusMethodNotAllowed
}

// unknown answers a request without a route: plain text since 7.4, before that JSON, or 405 for another method of a known route.
func (s *Server) unknown(r *http.Request, status int, h http.Header) raw {
	if r.Method == http.MethodOptions && status == http.StatusMethodNotAllowed && s.does(newRouter) {
		h.Del("Access-Control-Allow-Origin")
		return raw{http.StatusOK, http.Header{"Content-Type": {"text/plain;charset=UTF-8"}}, []byte("OK")}
	}
	if s.does(newRouter) {
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
	c.arrived = s.ticks.Add(1)
	err := c.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	c.begun = s.ticks.Add(1)
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
	if refused, ok := f.body.(failed); ok && c.testMode() {
		f.body = refused.withStack()
	}
	body, err := json.Marshal(f.body)
	if err != nil {
		return jsonAnswer(http.StatusInternalServerError, nil)
	}
	out := jsonAnswer(f.status, body)
	if !c.counted && c.does(quietRefusals) {
		out.header.Del("Cache-Control")
		out.header.Del("Pragma")
	}
	return out
}

// check runs the checks, then the action.
func (c *call) check() (any, error) {
	for _, ok := range c.checks() {
		if err := ok(); err != nil {
			return nil, err
		}
	}
	return c.route.run(c)
}

// checks are what comes before the action, in the order of the version and of the route's kind: typed routes look at their schema
// before they count the call, old ones after it.
func (c *call) checks() []func() error {
	switch body := c.route.body; {
	case c.typed():
		return []func() error{c.authenticate, c.hasLicence, c.permitted, c.validQuery, c.validBody, c.limited, c.secondFactor}
	case c.does(permissionFirst):
		return []func() error{c.authenticate, c.hasLicence, c.permitted, c.limited, c.validQuery, c.validBody, c.secondFactor}
	case body != nil && body.code != "":
		return []func() error{c.authenticate, c.limited, c.validQuery, c.permitted, c.secondFactor, c.validBody, c.hasLicence}
	}
	return []func() error{c.authenticate, c.limited, c.validQuery, c.validBody, c.permitted, c.secondFactor, c.hasLicence}
}

// typed reports whether the route is one of the new kind.
func (c *call) typed() bool {
	if c.route.typed == (version{}) {
		return c.does(typedRoutes)
	}
	return since(c.route.typed).holds(c.version)
}

// hasLicence refuses what needs a licence on a server without one.
func (c *call) hasLicence() error {
	if c.route.enterprise && !c.licensed {
		return coded("error-action-not-allowed", "This is an enterprise feature", nil)
	}
	return nil
}

// authenticate finds the caller by the two credential headers.
func (c *call) authenticate() error {
	if t := c.byToken[c.r.Header.Get("X-Auth-Token")]; t != nil && t.user.id == c.r.Header.Get("X-User-Id") && !c.swept(t) {
		c.me, c.token = t.user, t
	}
	if c.me == nil {
		c.me = c.bearer()
	}
	switch {
	case c.route.public != span{} && c.route.public.holds(c.version), c.route.anonymous && c.enabled("Accounts_AllowAnonymousRead"):
		return nil
	case c.me == nil:
		return c.unauthenticated()
	case c.me.username == "" && !c.route.noUsername:
		return &failure{http.StatusInternalServerError, text(http.StatusInternalServerError, "Internal Server Error")}
	}
	return nil
}

func (c *call) permitted() error {
	switch {
	case len(c.route.permissions) == 0 || slices.ContainsFunc(c.route.permissions, c.may):
		return nil
	case c.route.op == "users.delete" && c.does(plainUnauthorized):
		return c.forbidden()
	}
	return missingPermission()
}

func (c *call) validQuery() error {
	return c.validate(c.route.query, validator{c.version, true, c.does(singleItems)}, c.query, "error-invalid-params")
}

func (c *call) validBody() error {
	if c.noJSON && c.route.body != nil && c.route.body.holds(c.version) {
		return c.invalid([]string{"must be object"}, "invalid-params", "invalid-params")
	}
	return c.validate(c.route.body, validator{c.version, !c.does(strictBodies), false}, c.body, "invalid-params")
}

func (c *call) validate(s *schema, v validator, o object, code string) error {
	if s == nil || !s.holds(c.version) {
		return nil
	}
	messages := v.check(s, o)
	if len(messages) == 0 {
		return nil
	}
	return c.invalid(messages, cmp.Or(s.code, "invalid-params"), code)
}

// invalid refuses an object that does not match its schema: old routes repeat the code in the text, typed ones do not.
func (c *call) invalid(messages []string, old, typedCode string) error {
	text := strings.Join(messages, "\n ")
	if c.typed() {
		return typed(text, typedCode, nil)
	}
	return coded(old, text, nil)
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
		var value any
		if json.Unmarshal(b, &value) == nil {
			c.body, ok = value.(map[string]any)
			c.noJSON = !ok
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
