package rocketchat

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// endpoint describes a call. It is made with get or post and the methods below, and passed
// to do, exec or send.
type endpoint struct {
	method  string
	op      string // the server's name for the endpoint, such as "users.info"
	path    string // its path, if that is not /api/v1/ and op
	version string // the first server version that has it
	member  string // the member of the answer that is the result; "" for the whole answer

	query url.Values
	body  any // encoded as JSON, unless it is a readyBody; nil for none

	user     UserRef  // the user that the call is about, if any
	userKeys []string // the forms of references that the endpoint takes
	selfless bool     // without a user it means the caller

	idempotent bool // it is idempotent
	write      bool // it changes something
	asksFactor bool // servers ask for a second factor by default
	anonymous  bool // it is sent without credentials
	optional   bool // it is sent with credentials if the client has any
	picture    bool // outside the API: the answer is a picture, credentials are cookies
	final      bool // a 401 is an answer like any other
	mayBeEmpty bool // a success may have no body
	redirects  bool // a redirect is the answer
	streams    bool // a long answer is read as it arrives

	wrong *Error // the first invalid argument
}

// get describes a call that changes nothing.
func get(op string) endpoint {
	return endpoint{method: http.MethodGet, op: op, idempotent: true}
}

// post describes a call that changes something. It is not retried if the response is
// lost, unless it is idempotent.
func post(op string) endpoint {
	return endpoint{method: http.MethodPost, op: op, write: true}
}

// retried marks a write as idempotent.
func (e endpoint) retried() endpoint { e.idempotent = true; return e }

// once marks a GET that starts something.
func (e endpoint) once() endpoint { e.idempotent, e.write = false, true; return e }

// secondFactor marks an endpoint for which servers ask for a second factor by default.
func (e endpoint) secondFactor() endpoint { e.asksFactor = true; return e }

// yields names the member of the answer that is the result.
func (e endpoint) yields(member string) endpoint { e.member = member; return e }

// since names the first server version that has the endpoint.
func (e endpoint) since(version string) endpoint { e.version = version; return e }

// public marks an endpoint that is called without credentials.
func (e endpoint) public() endpoint { e.anonymous = true; return e }

// open marks an endpoint that anybody may call, but that returns more to some callers.
func (e endpoint) open() endpoint { e.optional = true; return e }

// at sets the path of an endpoint outside /api/v1.
func (e endpoint) at(path string) endpoint { e.path = path; return e }

// json sets the body.
func (e endpoint) json(body any) endpoint { e.body = body; return e }

// with adds a query parameter, unless value is empty.
func (e endpoint) with(key, value string) endpoint {
	if value == "" {
		return e
	}
	if e.query == nil {
		e.query = make(url.Values)
	}
	e.query.Set(key, value)
	return e
}

// withAll adds one query parameter for each of values.
func (e endpoint) withAll(key string, values []string) endpoint {
	if e.query == nil {
		e.query = make(url.Values)
	}
	for _, value := range values {
		e.query.Add(key, value)
	}
	return e
}

// withTime adds a time to the query, unless it is zero.
func (e endpoint) withTime(key string, moment time.Time) endpoint {
	if moment.IsZero() {
		return e
	}
	return e.with(key, moment.UTC().Format(isoMillis))
}

// page adds the parameters that select and order a part of a list.
func (e endpoint) page(p pageOptions) endpoint {
	fields := make([]string, len(p.sort))
	for i, key := range p.sort {
		fields[i] = sortField(key)
	}
	slices.Sort(fields)
	e = e.require(p.offset >= 0, "Offset", "must not be negative").
		require(p.count >= 0, "Count", "must not be negative").
		require(!p.everything || p.count == 0, "Count", "must not be set together with Everything").
		require(!slices.Contains(fields, ""), "Sort", "has an empty key").
		require(len(slices.Compact(fields)) == len(p.sort), "Sort", "names a field twice")
	if p.offset > 0 {
		e = e.with("offset", strconv.Itoa(p.offset))
	}
	if p.everything {
		e = e.with("count", "0")
	} else if p.count > 0 {
		e = e.with("count", strconv.Itoa(p.count))
	}
	if len(p.sort) > 0 {
		e = e.with("sort", sortJSON(p.sort))
	}
	return e
}

// of sets the user that the call is about. The endpoint takes the given forms of
// references, by default IDs and usernames. Other forms need a look-up with users.info.
func (e endpoint) of(ref UserRef, forms ...string) endpoint {
	e.user, e.userKeys = ref, forms
	if len(forms) == 0 {
		e.userKeys = []string{refID, refUsername}
	}
	if ref.key == refSelf {
		return e
	}
	return e.require(ref.key != "", "user", "must be set: use ByID, ByUsername or another reference").
		require(ref.value != "", cmp.Or(ref.key, "user"), "must not be empty")
}

// ofSelfOr is of for an endpoint that means the caller if there is no user.
func (e endpoint) ofSelfOr(ref UserRef, forms ...string) endpoint {
	e.selfless = true
	return e.of(ref, forms...)
}

// require rejects the call before anything is sent, unless ok.
func (e endpoint) require(ok bool, field, text string) endpoint {
	if !ok && e.wrong == nil {
		e.wrong = invalid(e.op, field, text)
	}
	return e
}

// do makes a call and returns its result.
func do[T any](ctx context.Context, client *Client, e endpoint, opts []CallOption) (T, error) {
	c, ctx, err := send(ctx, client, e, opts)
	var result T
	if err == nil {
		result, err = decode[T](c)
	}
	return result, c.end(ctx, err)
}

// exec makes a call without a result.
func exec(ctx context.Context, client *Client, e endpoint, opts []CallOption) error {
	_, err := do[struct{}](ctx, client, e, opts)
	return err
}
