package rocketchat

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// secured returns a server that asks for second factors, and a client of a user who has
// them.
func secured(t *testing.T, user rocketchattest.User, opts ...Option) (*rocketchattest.Server, *Client) {
	t.Helper()
	srv := rocketchattest.New(rocketchattest.WithSecondFactor())
	user.Username, user.Roles, user.Password = "ann", []string{"admin"}, "Ann-Passw0rd!"
	user.Email = "ann@example.com"
	_, err := srv.AddUser(user)
	require.NoError(t, err)
	id, token := srv.Login("ann")
	c, err := New(srv.URL(), append([]Option{WithTransport(srv), WithToken(id, token)}, opts...)...)
	require.NoError(t, err)
	return srv, c
}

func generate(ctx context.Context, c *Client, opts ...CallOption) error {
	_, err := do[Secret](ctx, c, post("users.generatePersonalAccessToken").yields("token").json(map[string]string{"tokenName": "t"}), opts)
	return err
}

func TestSecondFactorByPassword(t *testing.T) {
	t.Parallel()
	srv, c := secured(t, rocketchattest.User{}, WithTwoFactor(AnswerWithPassword(NewSecret("Ann-Passw0rd!"))))
	require.NoError(t, generate(t.Context(), c))
	assert.Equal(t, 2, srv.Count("users.generatePersonalAccessToken"), "the refusal and the call")
}

func TestSecondFactorWithoutFunction(t *testing.T) {
	t.Parallel()
	_, c := secured(t, rocketchattest.User{})
	err := generate(t.Context(), c)
	require.ErrorIs(t, err, ErrSecondFactorRequired)
	require.ErrorIs(t, err, Code("totp-required"))
	needed, ok := errors.AsType[*TwoFactorError](err)
	require.True(t, ok)
	assert.Equal(t, TwoFactorPassword, needed.Challenge.Method)
	assert.Equal(t, "users.generatePersonalAccessToken", needed.Challenge.Op)
	assert.Empty(t, needed.Challenge.AvailableMethods)
}

func TestSecondFactorIsAskedOnce(t *testing.T) {
	t.Parallel()
	asked := 0
	srv, c := secured(t, rocketchattest.User{}, WithTwoFactor(func(context.Context, TwoFactorChallenge) (Secret, error) {
		asked++
		return NewSecret("wrong-password"), nil
	}))
	err := generate(t.Context(), c)
	require.ErrorIs(t, err, ErrSecondFactorInvalid)
	assert.NotContains(t, err.Error(), "wrong-password")
	assert.Equal(t, 1, asked)
	assert.Equal(t, 2, srv.Count("users.generatePersonalAccessToken"))
}

func TestSecondFactorGivenBeforehand(t *testing.T) {
	t.Parallel()
	srv, c := secured(t, rocketchattest.User{}, WithTwoFactor(func(context.Context, TwoFactorChallenge) (Secret, error) {
		return Secret{}, errors.New("must not be asked")
	}))
	require.NoError(t, generate(t.Context(), c, WithTwoFactorCode(TwoFactorPassword, "Ann-Passw0rd!")))
	assert.Equal(t, 1, srv.Count("users.generatePersonalAccessToken"))
}

func TestSecondFactorWithoutAnswer(t *testing.T) {
	t.Parallel()
	_, c := secured(t, rocketchattest.User{}, WithTwoFactor(func(context.Context, TwoFactorChallenge) (Secret, error) {
		return Secret{}, io.EOF
	}))
	err := generate(t.Context(), c)
	require.ErrorIs(t, err, ErrSecondFactorRequired)
	require.ErrorIs(t, err, io.EOF)
	_, ok := errors.AsType[*TwoFactorError](err)
	assert.True(t, ok, "the challenge stays readable")
}

func TestSecondFactorByTOTP(t *testing.T) {
	t.Parallel()
	const seed = "JBSWY3DPEHPK3PXP"
	answer := func(_ context.Context, ch TwoFactorChallenge) (Secret, error) {
		assert.Equal(t, TwoFactorTOTP, ch.Method)
		code := rocketchattest.TOTPCode(seed, time.Now())
		return NewSecret(code[:3] + " " + code[3:]), nil
	}
	srv, c := secured(t, rocketchattest.User{TOTPSecret: seed}, WithTwoFactor(answer))
	require.NoError(t, generate(t.Context(), c))

	byPassword, err := c.With(WithTwoFactor(AnswerWithPassword(NewSecret("Ann-Passw0rd!"))))
	require.NoError(t, err)
	err = generate(t.Context(), byPassword)
	require.ErrorIs(t, err, ErrSecondFactorRequired, "a password is no answer to a request for a code")

	login, err := New(srv.URL(), WithTransport(srv), WithLogin("ann", "Ann-Passw0rd!"), WithTwoFactor(answer))
	require.NoError(t, err)
	_, err = login.Users.Get(t.Context(), ByUsername("ann"))
	require.NoError(t, err, "the 401 of the log-in is answered too")

	plain, err := New(srv.URL(), WithTransport(srv), WithLogin("ann", "Ann-Passw0rd!"))
	require.NoError(t, err)
	_, err = plain.Users.Get(t.Context(), ByUsername("ann"))
	require.ErrorIs(t, err, ErrSecondFactorRequired)
	derived, err := plain.With(WithTwoFactor(answer))
	require.NoError(t, err)
	_, err = derived.Users.Get(t.Context(), ByUsername("ann"))
	require.NoError(t, err, "who derives a client that can answer can log in")
}

// TestCodesAreFresh: the code of an authenticator app would be worth nothing after a
// wait for the rate limit.
func TestCodesAreFresh(t *testing.T) {
	t.Parallel()
	const seed = "JBSWY3DPEHPK3PXP"
	synctest.Test(t, func(t *testing.T) {
		srv := rocketchattest.New(rocketchattest.WithSecondFactor(), rocketchattest.WithLatency(latency))
		srv.Grant("api-bypass-rate-limit")
		_, err := srv.AddUser(rocketchattest.User{Username: "ann", Roles: []string{"admin"}, TOTPSecret: seed})
		require.NoError(t, err)
		addPeople(t, srv, people(20))
		id, token := srv.Login("ann")
		c, err := New(srv.URL(), WithTransport(srv), WithToken(id, token),
			WithTwoFactor(func(context.Context, TwoFactorChallenge) (Secret, error) {
				return NewSecret(rocketchattest.TOTPCode(seed, time.Now())), nil
			}))
		require.NoError(t, err)
		allAtOnce(t, 20, func(i int) error {
			user, _ := srv.User(people(20)[i].Username)
			_, err := c.Users.Update(t.Context(), ByID(user.ID), UserUpdateOptions{Name: new("New Name"), Bio: new(""), Nickname: new("")})
			return err
		})
		assert.Empty(t, refusals(srv))
	})
}

func TestSecondFactorByMail(t *testing.T) {
	t.Parallel()
	var srv *rocketchattest.Server
	srv, c := secured(t, rocketchattest.User{EmailSecondFactor: true}, WithTwoFactor(func(ctx context.Context, ch TwoFactorChallenge) (Secret, error) {
		assert.Equal(t, TwoFactorEmail, ch.Method)
		assert.NoError(t, ch.SendEmailCode(ctx))
		var code Secret
		for _, mail := range srv.Mails() {
			if mail.Kind == rocketchattest.MailSecondFactor {
				code = NewSecret(mail.Code) // the last one counts
			}
		}
		return code, nil
	}))
	require.NoError(t, generate(t.Context(), c))
}

func TestAskForCode(t *testing.T) {
	t.Parallel()
	var asked bytes.Buffer
	ask := AskForCode(strings.NewReader("123456\n\n"), &asked)
	ch := TwoFactorChallenge{Op: "users.update", Method: TwoFactorTOTP}
	code, err := ask(t.Context(), ch)
	require.NoError(t, err)
	assert.Equal(t, "123456", code.Reveal())
	assert.Contains(t, asked.String(), "users.update")
	_, err = ask(t.Context(), ch)
	require.Error(t, err, "an empty line is no code")
	_, err = ask(t.Context(), ch)
	require.ErrorIs(t, err, io.EOF)
}

func TestAskForCodeGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		typed, person := io.Pipe()
		ask := AskForCode(typed, io.Discard)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ch := TwoFactorChallenge{Op: "users.update", Method: TwoFactorTOTP}
		_, err := ask(ctx, ch)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		go func() { _, _ = io.WriteString(person, "123456\n") }()
		code, err := ask(t.Context(), ch)
		require.NoError(t, err)
		assert.Equal(t, "123456", code.Reveal(), "the next line answers the next question")
	})
}

// TestUserAgentStays: the server remembers a second factor for one User-Agent.
func TestUserAgentStays(t *testing.T) {
	t.Parallel()
	agents := map[string]bool{}
	c := newTestClient(t, serve(func(_ int, r *http.Request) (*http.Response, error) {
		agents[r.Header.Get("User-Agent")] = true
		return replyJSON(200, `{"success":true,"user":{"_id":"a"}}`), nil
	}))
	for range 3 {
		_, err := c.Users.Get(t.Context(), ByID("a"))
		require.NoError(t, err)
	}
	assert.Len(t, agents, 1)
}

// TestFactorFailsAfterLostAnswer: a write whose answer was lost stays unknown, also if the
// second code for its repeat cannot be had.
func TestFactorFailsAfterLostAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		codes := 0
		c := newTestClient(t, serve(func(n int, _ *http.Request) (*http.Response, error) {
			if n == 1 {
				return replyJSON(400, `{"success":false,"errorType":"totp-required","details":{"method":"totp"}}`), nil
			}
			return nil, io.ErrUnexpectedEOF
		}), WithRetry(RetryPolicy{MaxAttempts: 3, BaseDelay: time.Minute, MaxDelay: time.Minute}),
			WithTwoFactor(func(context.Context, TwoFactorChallenge) (Secret, error) {
				if codes++; codes > 1 {
					return Secret{}, errors.New("nobody is there")
				}
				return NewSecret("111111"), nil
			}))
		err := c.Users.Activate(t.Context(), ByID("u"))
		require.ErrorContains(t, err, "nobody is there")
		require.ErrorIs(t, err, ErrSecondFactorRequired)
		require.ErrorIs(t, err, ErrOutcomeUnknown)
		e, _ := errors.AsType[*Error](err)
		assert.Equal(t, 2, e.Attempts)
	})
}
