package rocketchat

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// UserRef refers to a user; make one with [ByID], [ByUsername], [ByEmail], [ByImportID],
// [ByExtension] or [Self].
//
// Methods take all forms. If the endpoint needs another form, the method first looks the
// user up with a call of users.info.
type UserRef struct{ key, value string }

// The forms of references, under the names that the server has for them.
const (
	refID        = "userId"
	refUsername  = "username"
	refEmail     = "email"
	refImportID  = "importId"
	refExtension = "freeSwitchExtension"
	refSelf      = "self" // not sent
)

// ByID refers to a user by ID, which never changes.
func ByID(id string) UserRef { return UserRef{refID, id} }

// ByUsername refers to a user by username. users.info needs the exact spelling; other
// endpoints ignore case.
func ByUsername(name string) UserRef { return UserRef{refUsername, name} }

// ByEmail refers to a user by email address. The look-up needs server 8.4 and the
// permission view-full-other-user-info.
func ByEmail(address string) UserRef { return UserRef{refEmail, address} }

// ByImportID refers to a user by the ID they had in the system they were imported
// from. The look-up needs the permission view-full-other-user-info.
func ByImportID(id string) UserRef { return UserRef{refImportID, id} }

// ByExtension refers to a user by their extension for voice calls. The look-up needs
// server 8.5.
func ByExtension(number string) UserRef { return UserRef{refExtension, number} }

// Self refers to the account that the client acts for.
func Self() UserRef { return UserRef{refSelf, ""} }

// String names the form and the value, such as "username ann".
func (r UserRef) String() string { return strings.TrimSpace(r.key + " " + r.value) }

// resolveUser converts the reference of the call to a form that the endpoint takes.
func (c *call) resolveUser(ctx context.Context, opts []CallOption) error {
	switch {
	case c.userKeys == nil, c.takes(c.user.key):
		return nil
	case c.user.key == refSelf && c.selfless:
		c.user = UserRef{}
		return nil
	}
	opts = lookingUp(sharing(c.settings.waited, opts))
	if c.user.key == refSelf {
		id, err := c.ownID(ctx, opts)
		if err != nil {
			return err
		}
		if c.user = ByID(id); c.takes(refID) {
			return nil
		}
	}
	user, err := c.client.Users.Get(ctx, c.user, opts...)
	if err != nil {
		return err
	}
	if c.user = ByID(user.ID); !c.takes(refID) {
		c.user = ByUsername(user.Username)
	}
	return nil
}

// check returns an error if users.info answered with a user that r does not name: servers
// take an ID for a username and the other way round, and people choose their usernames.
func (r UserRef) check(user *User) error {
	if r.key == refID && user.ID != r.value || r.key == refUsername && !equalFold(user.Username, r.value) {
		return &Error{Op: "users.info", Class: ErrNotFound, Field: r.key, Message: "is unknown"}
	}
	return nil
}

// ownID returns the ID of the account that the client acts for.
func (c *call) ownID(ctx context.Context, opts []CallOption) (string, error) {
	if err := c.sign(ctx); err != nil {
		return "", noAnswer(c, err)
	}
	if c.credentials.UserID != "" {
		return c.credentials.UserID, nil
	}
	me, err := c.client.Me.Get(ctx, opts...) // an OAuth access token does not contain it
	if err != nil {
		return "", err
	}
	return me.ID, nil
}

// userID returns the ID of a user. It looks the user up if necessary.
func (c *Client) userID(ctx context.Context, op string, ref UserRef, opts []CallOption) (string, error) {
	asking := newCall(c, endpoint{op: op}.of(ref, refID))
	err := asking.configure(opts)
	if err == nil {
		err = asking.resolveUser(ctx, opts)
	}
	return asking.user.value, err
}

func (c *call) takes(form string) bool {
	return slices.Contains(c.userKeys, form)
}

// withUser adds the reference to a body, which is a JSON object.
func (r UserRef) withUser(body []byte) []byte {
	if r.value == "" {
		return body
	}
	out := append(make([]byte, 0, len(body)+len(r.key)+len(r.value)+8), '{')
	out, _ = jsontext.AppendQuote(out, r.key)
	out = append(out, ':')
	out, _ = jsontext.AppendQuote(out, r.value)
	if len(body) <= len("{}") {
		return append(out, '}')
	}
	return append(append(out, ','), body[1:]...)
}

// explained replaces the error of a server that does not know a form of reference by one
// that says so.
func (r UserRef) explained(err error) error {
	version := map[string]string{refEmail: "8.4", refExtension: "8.5"}[r.key]
	e, ok := errors.AsType[*Error](err)
	if !ok || version == "" || e.Class != ErrInvalid {
		return err
	}
	switch e.Code {
	case CodeInvalidParams, CodeErrorInvalidParams, CodeUserParamNotProvided:
		e.Class = ErrEndpointUnknown
		e.Err = plainError("referring to a user by " + r.key + " needs server " + version + " or newer")
	}
	return err
}

// equalFold compares texts without regard to the case of ASCII letters. Servers distinguish
// ASCII letters from other letters that Unicode folds to them.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// foldKey returns the same map key for texts that are equal by equalFold.
func foldKey(s string) string {
	key := []byte(s)
	for i, b := range key {
		key[i] = lower(b)
	}
	return string(key)
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}
