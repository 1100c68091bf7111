package rocketchat

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func ann() UserCreateOptions {
	return UserCreateOptions{Username: "ann", Name: "Ann", Email: "ann@example.com", Password: NewSecret("Ann-Passw0rd!")}
}

// losing loses the answers to the first n requests of a path: what is done before is
// what the server did with them.
func losing(srv *rocketchattest.Server, n int, path string, reached bool) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == path && n > 0 {
			n--
			if reached {
				if _, err := srv.RoundTrip(r); err != nil {
					return nil, err
				}
			}
			return nil, io.ErrUnexpectedEOF
		}
		return srv.RoundTrip(r)
	})
}

func TestEnsure(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	c := adminClient(t, srv)
	first, err := c.Users.Ensure(t.Context(), ann())
	require.NoError(t, err)
	assert.False(t, first.Existed)
	again, err := c.Users.Ensure(t.Context(), ann())
	require.NoError(t, err)
	assert.True(t, again.Existed)
	assert.Equal(t, first.ID, again.ID)
	assert.Equal(t, 1, srv.Count("users.create"))

	stranger := ann()
	stranger.Email = "other@example.com"
	_, err = c.Users.Ensure(t.Context(), stranger)
	require.ErrorIs(t, err, ErrTaken, "the username is somebody else's")
	assert.Equal(t, 1, srv.Count("users.create"))

	thief := ann()
	thief.Username = "bob"
	_, err = c.Users.Ensure(t.Context(), thief)
	require.ErrorIs(t, err, ErrTaken, "the address is somebody else's")

	nameless := ann()
	nameless.Email = ""
	_, err = c.Users.Ensure(t.Context(), nameless)
	require.ErrorIs(t, err, ErrInvalid)

	_, err = ordinaryClient(t, srv).Users.Ensure(t.Context(), ann())
	require.ErrorIs(t, err, ErrForbidden, "without seeing the address nobody can tell whose account it is")
}

func TestLostCreate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name             string
		lost             int
		reached          bool
		create, ensure   error // "" is success
		adopted, existed bool
		creates          int // that Ensure sends
	}{
		{"the server did it", 1, true, nil, nil, true, false, 1},
		{"it never arrived", 1, false, ErrOutcomeUnknown, nil, false, false, 1},
		{"it never arrives", 9, false, ErrOutcomeUnknown, ErrOutcomeUnknown, false, false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			srv := rocketchattest.New()
			c := adminClient(t, srv, WithTransport(losing(srv, tc.lost, "/api/v1/users.create", tc.reached)))
			created, err := c.Users.Create(t.Context(), ann())
			require.ErrorIs(t, err, tc.create)
			if err == nil {
				assert.Equal(t, tc.adopted, created.Adopted)
				assert.Equal(t, "ann", created.Username)
			}

			srv = rocketchattest.New()
			c = adminClient(t, srv, WithTransport(losing(srv, tc.lost, "/api/v1/users.create", tc.reached)))
			ensured, err := c.Users.Ensure(t.Context(), ann())
			require.ErrorIs(t, err, tc.ensure)
			if err == nil {
				assert.Equal(t, tc.adopted, ensured.Adopted)
				assert.Equal(t, tc.existed, ensured.Existed)
			}
			assert.Equal(t, tc.creates, srv.Count("users.create"), "that reached the server")
		})
	}
}

// TestLostCreateDoesNotAdoptAnotherAccount: the username was taken all along.
func TestLostCreateDoesNotAdoptAnotherAccount(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	_, err := srv.AddUser(rocketchattest.User{Username: "ann", Email: "another.ann@example.com"})
	require.NoError(t, err)
	c := adminClient(t, srv, WithTransport(losing(srv, 1, "/api/v1/users.create", true)))
	_, err = c.Users.Create(t.Context(), ann())
	require.ErrorIs(t, err, ErrOutcomeUnknown)
}

// TestCreatedButNotActivated: the server makes the account, then refuses "active".
func TestCreatedButNotActivated(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	srv.Grant("edit-other-user-active-status")
	c := adminClient(t, srv)
	in := ann()
	in.Active = new(true)
	_, err := c.Users.Create(t.Context(), in)
	require.ErrorIs(t, err, ErrForbidden)
	require.ErrorContains(t, err, "the account was created")
	_, there := srv.User("ann")
	assert.True(t, there)
}

func TestByUsernames(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]rocketchattest.Option{
		"everything at once": nil,
		"pages only":         {rocketchattest.WithSetting("API_Allow_Infinite_Count", false)},
		"newest version":     {rocketchattest.WithVersion("8.8.1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := rocketchattest.New(opts...)
			addPeople(t, srv, people(250))
			c := adminClient(t, srv)
			found, err := c.Users.ByUsernames(t.Context(), []string{"person0007", "nobody", "person0249", "person0007", "admin", "PERSON0001"})
			require.NoError(t, err)
			require.Len(t, found.Users, 3)
			assert.Equal(t, "person0007", found.Users[0].Username)
			assert.Equal(t, "person0249", found.Users[1].Username)
			assert.Equal(t, "admin", found.Users[2].Username)
			assert.Equal(t, []string{"nobody", "PERSON0001"}, found.Missing)
			if name != "pages only" {
				assert.Len(t, srv.Calls(), 1)
			}

			var many []string
			for _, p := range people(300) {
				many = append(many, p.Username)
			}
			before := len(srv.Calls())
			found, err = c.Users.ByUsernames(t.Context(), many)
			require.NoError(t, err)
			assert.Len(t, found.Users, 250)
			assert.Len(t, found.Missing, 50)
			assert.LessOrEqual(t, len(srv.Calls())-before, 4)
		})
	}
	srv := rocketchattest.New()
	c := adminClient(t, srv)
	_, err := c.Users.ByUsernames(t.Context(), []string{"admin", ""})
	require.ErrorIs(t, err, ErrInvalid)
	assert.Empty(t, srv.Calls())
	admin, _ := srv.User("admin")
	found, err := c.Users.ByUsernames(t.Context(), []string{admin.ID})
	require.NoError(t, err)
	assert.Equal(t, []string{admin.ID}, found.Missing, "an id is no username")
	found, err = c.Users.ByUsernames(t.Context(), nil)
	require.NoError(t, err)
	assert.Empty(t, found.Users)
}

func TestRotate(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	id, token := srv.PersonalAccessToken("admin", "backup", true)
	bot, err := New(srv.URL(), WithTransport(srv), WithToken(id, token))
	require.NoError(t, err)
	fresh, err := bot.Tokens.Rotate(t.Context(), "backup", TokenRotateOptions{})
	require.NoError(t, err)
	assert.Equal(t, "backup #2", fresh.Name)
	assert.True(t, fresh.OldRevoked)
	_, err = bot.Me.Get(t.Context())
	require.ErrorIs(t, err, ErrUnauthorized, "the old token is worth nothing")
	next, err := bot.With(WithToken(id, fresh.Token.Reveal()))
	require.NoError(t, err)
	tokens, err := next.Tokens.List(t.Context())
	require.NoError(t, err)
	require.Len(t, tokens, 1)
	assert.True(t, tokens[0].BypassTwoFactor)
	again, err := next.Tokens.Rotate(t.Context(), "backup #2", TokenRotateOptions{})
	require.NoError(t, err)
	assert.Equal(t, "backup #3", again.Name)
	_, err = adminClient(t, srv).Tokens.Rotate(t.Context(), "unknown", TokenRotateOptions{})
	require.ErrorIs(t, err, ErrNotFound)
	_, err = adminClient(t, srv).Tokens.Rotate(t.Context(), "", TokenRotateOptions{})
	require.ErrorIs(t, err, ErrInvalid)
}

// TestRotateAlwaysLeavesAValidToken: whatever fails, there is a token that is good and known.
func TestRotateAlwaysLeavesAValidToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, op := range []string{"/api/v1/users.generatePersonalAccessToken", "/api/v1/me", "/api/v1/users.removePersonalAccessToken"} {
			srv := rocketchattest.New()
			id, token := srv.PersonalAccessToken("admin", "backup", false)
			c := adminClient(t, srv, WithTransport(losing(srv, 9, op, false)))
			fresh, err := c.Tokens.Rotate(t.Context(), "backup", TokenRotateOptions{})
			require.Error(t, err, op)
			old, newErr := New(srv.URL(), WithTransport(srv), WithToken(id, token))
			require.NoError(t, newErr)
			_, err = old.Me.Get(t.Context())
			require.NoError(t, err, "the old token works when %s fails", op)
			if fresh != nil {
				assert.False(t, fresh.OldRevoked)
				replaced, newErr := New(srv.URL(), WithTransport(srv), WithToken(id, fresh.Token.Reveal()))
				require.NoError(t, newErr)
				_, err = replaced.Me.Get(t.Context())
				require.NoError(t, err, "the new token comes with the error")
				continue
			}
			tokens, err := old.Tokens.List(t.Context())
			require.NoError(t, err)
			assert.Len(t, tokens, 1, "no token is left behind after %s", op)
		}
	})
}

func TestRotateKeep(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	id, token := srv.PersonalAccessToken("admin", "backup", false)
	c := adminClient(t, srv)
	works := func(token Secret) bool {
		bot, err := New(srv.URL(), WithTransport(srv), WithToken(id, token.Reveal()))
		require.NoError(t, err)
		_, err = bot.Me.Get(t.Context())
		return err == nil
	}
	full := errors.New("the disk is full")
	var lost Secret
	_, err := c.Tokens.Rotate(t.Context(), "backup", TokenRotateOptions{Keep: func(fresh *RotatedToken) error {
		lost = fresh.Token
		assert.True(t, works(lost))
		assert.True(t, works(NewSecret(token)), "the old one is not gone yet")
		return full
	}})
	require.ErrorIs(t, err, full)
	assert.True(t, works(NewSecret(token)))
	assert.False(t, works(lost), "what nobody keeps is revoked")

	// The context ends after the new token was created. It must be revoked nevertheless.
	ctx, cancel := context.WithCancel(t.Context())
	hooked, err := c.With(WithTrace(Trace{AttemptDone: func(_ context.Context, a Attempt) {
		if a.Op == "users.generatePersonalAccessToken" {
			cancel()
		}
	}}))
	require.NoError(t, err)
	_, err = hooked.Tokens.Rotate(ctx, "backup", TokenRotateOptions{})
	require.ErrorIs(t, err, context.Canceled)
	tokens, err := c.Tokens.List(t.Context())
	require.NoError(t, err)
	assert.Len(t, tokens, 1)
}

func TestLastOwner(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	_, err := srv.AddUser(rocketchattest.User{Username: "ann"})
	require.NoError(t, err)
	srv.AddRoom("plans", "ann")
	user, _ := srv.User("ann")
	c := adminClient(t, srv)
	err = c.Users.Deactivate(t.Context(), ByID(user.ID), UserDeactivateOptions{})
	require.ErrorIs(t, err, ErrLastOwner)
	rooms, ok := errors.AsType[*LastOwnerError](err)
	require.True(t, ok)
	assert.Equal(t, []string{"plans"}, append(rooms.ShouldBeRemoved, rooms.ShouldChangeOwner...))
	require.NoError(t, c.Users.Deactivate(t.Context(), ByID(user.ID), UserDeactivateOptions{ConfirmRelinquish: true}))
	user, _ = srv.User("ann")
	assert.True(t, user.Inactive)
}

// TestEnsureOutcomeStaysUnknown: that the second users.create was refused says nothing of the
// first, whose answer was lost.
func TestEnsureOutcomeStaysUnknown(t *testing.T) {
	t.Parallel()
	creates := 0
	c := newTestClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		switch {
		case r.URL.Path == "/api/v1/users.info":
			return replyJSON(400, `{"success":false,"error":"User not found."}`), nil
		case creates == 0:
			creates++
			return reply(504, "text/html", "<html>"), nil
		}
		return replyJSON(400, `{"success":false,"error":"Not allowed [error-not-allowed]","errorType":"error-not-allowed"}`), nil
	}))
	_, err := c.Users.Ensure(t.Context(), UserCreateOptions{Username: "ann", Name: "Ann", Email: "ann@example.org", Password: NewSecret("the-password")})
	require.ErrorIs(t, err, ErrForbidden)
	require.ErrorIs(t, err, ErrOutcomeUnknown)
}
