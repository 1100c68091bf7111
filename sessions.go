package rocketchat

import (
	"context"
	"errors"
)

// SessionsService opens and ends sessions.
type SessionsService service

// Session is a session that a log-in opened.
type Session struct {
	UserID    string `json:"userId"`
	AuthToken Secret `json:"authToken"`
	Me        *Me    `json:"me,omitzero"` // set only by Login and Resume

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

func (s *Session) identity() string {
	if s.AuthToken.IsZero() {
		return ""
	}
	return s.UserID
}

// Credentials returns the credentials of the session.
func (s *Session) Credentials() Credentials {
	return Credentials{UserID: s.UserID, Token: s.AuthToken}
}

// Login opens a session for user, a username or an email address. The client itself does
// not use the session; derive one that does with [Client.With] and [WithToken]. A client
// made with [WithLogin] logs in by itself.
//
//   - POST /api/v1/login.
//   - Permission: none. No credentials are sent.
//   - Second factor: asked for if the account has one.
//   - Not retried if the response is lost; [ErrOutcomeUnknown] means that a session may
//     be open.
//   - Errors: [ErrUnauthorized] for a wrong password and for an unknown or deactivated
//     user.
//   - In all server versions.
func (s *SessionsService) Login(ctx context.Context, user string, password Secret, callOpts ...CallOption) (*Session, error) {
	e := post("login").public().secondFactor().yields("data").json(loginBody{User: user, Password: password}).
		require(user != "", "user", "must not be empty").
		require(!password.IsZero(), "password", "must not be empty")
	return do[*Session](ctx, s.client, e, callOpts)
}

type loginBody struct {
	User     string `json:"user,omitzero"`
	Password Secret `json:"password,omitzero"`
	Resume   Secret `json:"resume,omitzero"`
}

// Resume checks a login token and returns its session.
//
//   - POST /api/v1/login.
//   - Permission: none. No credentials are sent.
//   - Second factor: not asked for.
//   - Not retried if the response is lost.
//   - Errors: [ErrUnauthorized] for a token that is not valid.
//   - In all server versions.
func (s *SessionsService) Resume(ctx context.Context, token Secret, callOpts ...CallOption) (*Session, error) {
	e := post("login").public().yields("data").json(loginBody{Resume: token}).require(!token.IsZero(), "token", "must not be empty")
	return do[*Session](ctx, s.client, e, callOpts)
}

// Logout ends the session whose token the client uses. It also revokes a personal access
// token that was given to [WithToken]; [Client.Close] ends only a session that the client
// opened itself. A client of [WithLogin] that is not logged in sends nothing.
//
//   - POST /api/v1/logout.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrUnauthorized] if the session has already ended.
//   - In all server versions.
func (s *SessionsService) Logout(ctx context.Context, callOpts ...CallOption) error {
	e := post("logout").retried()
	e.mayBeEmpty, e.final = true, true
	session, own := s.client.config.credentials.(*session)
	if !own {
		return exec(ctx, s.client, e, callOpts)
	}
	used := session.opened()
	if used == (Credentials{}) {
		return nil
	}
	err := exec(ctx, s.client, e, callOpts)
	if err == nil || errors.Is(err, ErrUnauthorized) {
		session.forget(used)
	}
	return err
}

// LogoutUser ends all sessions of a user, and revokes all their personal access tokens and
// push tokens. It succeeds for an ID that does not exist.
//
//   - POST /api/v1/users.logout.
//   - Permission: logout-other-user for other users.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrForbidden]; [ErrNotFound] if the user has to be looked up.
//   - In all server versions.
func (s *SessionsService) LogoutUser(ctx context.Context, ref UserRef, callOpts ...CallOption) error {
	return exec(ctx, s.client, post("users.logout").retried().of(ref, refID), callOpts)
}

// OtherClients is the token that remains after the other clients were logged out.
type OtherClients struct {
	Token        Secret `json:"token"`                 // the one that the call was made with
	TokenExpires Time   `json:"tokenExpires,omitzero"` // zero for a personal access token

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// LogoutOtherClients ends all sessions of the account except the one that the client uses.
// Personal access tokens stay valid.
//
//   - POST /api/v1/users.logoutOtherClients.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrInvalid] with [CodeParameterRequired] for a client of [WithBearer].
//   - In all server versions.
func (s *SessionsService) LogoutOtherClients(ctx context.Context, callOpts ...CallOption) (*OtherClients, error) {
	return do[*OtherClients](ctx, s.client, post("users.logoutOtherClients").retried(), callOpts)
}

// RemoveOtherTokens ends all sessions of the account and revokes its personal access
// tokens, except the one that the client uses.
//
//   - POST /api/v1/users.removeOtherTokens.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrUnauthorized].
//   - Since server 3.1.0.
func (s *SessionsService) RemoveOtherTokens(ctx context.Context, callOpts ...CallOption) error {
	return exec(ctx, s.client, post("users.removeOtherTokens").since("3.1.0").retried(), callOpts)
}

// SessionCreateTokenOptions say how to open a session for a user.
type SessionCreateTokenOptions struct {
	// Secret is the value of CREATE_TOKENS_FOR_USERS_SECRET in the server's environment.
	// Servers since 8.0 require it, and older ones refuse it.
	Secret Secret `json:"secret,omitzero"`
}

// CreateToken opens a session for a user without their password. The server's environment
// must allow it: CREATE_TOKENS_FOR_USERS_SECRET, before 8.0 CREATE_TOKENS_FOR_USERS=true.
//
//   - POST /api/v1/users.createToken.
//   - Permission: user-generate-access-token for other users; from 8.0 to 8.6.0 the secret
//     is enough.
//   - Second factor: not asked for.
//   - Not retried if the response is lost; [ErrOutcomeUnknown] means that a session may
//     be open.
//   - Errors: [ErrForbidden], [ErrNotFound]; [ErrInvalid] without the secret since 8.0.
//   - Since server 0.56.0.
func (s *SessionsService) CreateToken(ctx context.Context, ref UserRef, opts SessionCreateTokenOptions, callOpts ...CallOption) (*Session, error) {
	e := post("users.createToken").since("0.56.0").yields("data").of(ref, refID).json(opts)
	return do[*Session](ctx, s.client, e, callOpts)
}

// RedeemLoginCode opens a session with a code that was issued to a client that is logged
// in. Servers accept 10 calls in a minute.
//
//   - POST /api/v1/loginCode.redeem.
//   - Permission: none. No credentials are sent.
//   - Second factor: not asked for.
//   - Not retried if the response is lost: the code works once.
//   - Errors: [ErrSecondFactorInvalid] for a wrong code; [ErrEndpointUnknown].
//   - Since server 8.7.0.
func (s *SessionsService) RedeemLoginCode(ctx context.Context, code Secret, callOpts ...CallOption) (*Session, error) {
	e := post("loginCode.redeem").public().since("8.7.0").json(redeemBody{Code: code}).
		require(!code.IsZero(), "code", "must not be empty")
	return s.redeem(ctx, e, callOpts)
}

// SendChallengeCode mails the code for [SessionsService.VerifyChallenge]. Servers accept 5
// calls in a minute.
//
//   - POST /api/v1/twoFactorChallenges.sendEmailCode.
//   - Permission: none. No credentials are sent.
//   - Second factor: not asked for.
//   - Not retried if the response is lost: it would send a second mail.
//   - Errors: [ErrNotFound]; [ErrInvalid] for a challenge that has expired or is of
//     another method; [ErrEndpointUnknown].
//   - Since server 8.7.0.
func (s *SessionsService) SendChallengeCode(ctx context.Context, challengeID string, callOpts ...CallOption) error {
	e := post("twoFactorChallenges.sendEmailCode").public().since("8.7.0").json(redeemBody{ChallengeID: challengeID}).
		require(challengeID != "", "challengeId", "must not be empty")
	return exec(ctx, s.client, e, callOpts)
}

// VerifyChallenge opens a session with the code that answers a challenge. Servers accept 5
// calls in a minute.
//
//   - POST /api/v1/twoFactorChallenges.verifyChallenge.
//   - Permission: none. No credentials are sent.
//   - Second factor: not asked for.
//   - Not retried if the response is lost; [ErrOutcomeUnknown] means that a session may
//     be open.
//   - Errors: [ErrSecondFactorInvalid] for a wrong code; [ErrNotFound]; [ErrInvalid] for a
//     challenge that has expired; [ErrEndpointUnknown].
//   - Since server 8.7.0.
func (s *SessionsService) VerifyChallenge(ctx context.Context, challengeID string, code Secret, callOpts ...CallOption) (*Session, error) {
	e := post("twoFactorChallenges.verifyChallenge").public().since("8.7.0").
		json(redeemBody{ChallengeID: challengeID, Code: code}).
		require(challengeID != "", "challengeId", "must not be empty").
		require(!code.IsZero(), "code", "must not be empty")
	return s.redeem(ctx, e, callOpts)
}

type redeemBody struct {
	ChallengeID string `json:"challengeId,omitzero"`
	Code        Secret `json:"code,omitzero"`
}

// redeemed is a session under the names that the calls with a code use.
type redeemed struct {
	UserID     string `json:"userId"`
	LoginToken Secret `json:"loginToken"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

func (r redeemed) identity() string {
	if r.LoginToken.IsZero() {
		return ""
	}
	return r.UserID
}

func (s *SessionsService) redeem(ctx context.Context, e endpoint, callOpts []CallOption) (*Session, error) {
	answer, err := do[redeemed](ctx, s.client, e, callOpts)
	if err != nil {
		return nil, err
	}
	return &Session{UserID: answer.UserID, AuthToken: answer.LoginToken, Extra: answer.Extra}, nil
}
