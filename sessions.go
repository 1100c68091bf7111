package rocketchat

import (
	"context"
	"errors"
)

// SessionsService opens and ends sessions.
type SessionsService service

// Session is what a log-in opened.
type Session struct {
	UserID    string `json:"userId"`
	AuthToken Secret `json:"authToken"`
	Me        *Me    `json:"me,omitzero"` // with Login and Resume alone

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// Credentials returns what to make calls with in the session.
func (s *Session) Credentials() Credentials {
	return Credentials{UserID: s.UserID, Token: s.AuthToken}
}

// Login opens a session for user, a username or an e-mail address. The client does
// not use it: make one with [WithLogin] to have that done, or derive one with
// [Client.With] and [WithToken].
//
// POST /api/v1/login. No credentials are needed. A second factor may be asked for. A
// lost answer is not repeated: ErrOutcomeUnknown means that a session may be open.
// Errors: [ErrUnauthorized] for a wrong password, an unknown or a deactivated user.
func (s *SessionsService) Login(ctx context.Context, user string, password Secret, opts ...CallOption) (*Session, error) {
	e := post("login").public().yields("data").
		require(user != "", "user", "must not be empty").
		require(!password.IsZero(), "password", "must not be empty")
	return do[*Session](ctx, s.client, e, nil, loginBody{User: user, Password: password}, opts)
}

type loginBody struct {
	User     string `json:"user,omitzero"`
	Password Secret `json:"password,omitzero"`
	Resume   Secret `json:"resume,omitzero"`
}

// Resume confirms that a login token is still valid and tells whose it is.
//
// POST /api/v1/login. No credentials are needed. Errors: [ErrUnauthorized] for a token
// that is not valid, or not any more.
func (s *SessionsService) Resume(ctx context.Context, token Secret, opts ...CallOption) (*Session, error) {
	e := post("login").public().yields("data").require(!token.IsZero(), "token", "must not be empty")
	return do[*Session](ctx, s.client, e, nil, loginBody{Resume: token}, opts)
}

// Logout ends the session whose token the client uses. Beware that a personal access
// token given to [WithToken] is revoked by it; [Client.Close] ends only a session that
// the client opened itself. A client of [WithLogin] that is not logged in sends nothing.
//
// POST /api/v1/logout. No permission, no second factor. A lost answer is repeated.
// Errors: [ErrUnauthorized] when the session was over already.
func (s *SessionsService) Logout(ctx context.Context, opts ...CallOption) error {
	e := post("logout").repeatable()
	e.mayBeEmpty, e.final = true, true
	session, own := s.client.config.credentials.(*session)
	if !own {
		return exec(ctx, s.client, e, nil, opts)
	}
	used := session.opened()
	if used == (Credentials{}) {
		return nil
	}
	err := exec(ctx, s.client, e, nil, opts)
	if err == nil || errors.Is(err, ErrUnauthorized) {
		session.forget(used)
	}
	return err
}

// LogoutUser ends all sessions of the user with the id, also one's own, and revokes
// all personal access tokens and push tokens. It succeeds for an id that does not exist.
//
// POST /api/v1/users.logout. Permission logout-other-user, but for oneself. A lost
// answer is repeated. Errors: [ErrForbidden].
func (s *SessionsService) LogoutUser(ctx context.Context, userID string, opts ...CallOption) error {
	e := post("users.logout").repeatable().require(userID != "", "userId", "must not be empty")
	return exec(ctx, s.client, e, userRefBody{UserID: userID}, opts)
}

// OtherClients is what is left after the others were logged out.
type OtherClients struct {
	Token        Secret `json:"token"`                 // the one that the call was made with
	TokenExpires Time   `json:"tokenExpires,omitzero"` // zero for a personal access token

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// LogoutOtherClients ends the sessions of the account but the one that the client
// uses. Personal access tokens stay valid.
//
// POST /api/v1/users.logoutOtherClients. No permission, no second factor. A lost
// answer is repeated.
func (s *SessionsService) LogoutOtherClients(ctx context.Context, opts ...CallOption) (*OtherClients, error) {
	return do[*OtherClients](ctx, s.client, post("users.logoutOtherClients").repeatable(), nil, nil, opts)
}

// RemoveOtherTokens ends the sessions of the account and revokes its personal access
// tokens, all but the one that the client uses.
//
// POST /api/v1/users.removeOtherTokens. No permission, no second factor. A lost answer
// is repeated.
func (s *SessionsService) RemoveOtherTokens(ctx context.Context, opts ...CallOption) error {
	return exec(ctx, s.client, post("users.removeOtherTokens").since("3.1.0").repeatable(), nil, opts)
}

// CreateTokenOptions say how to open a session for a user.
type CreateTokenOptions struct {
	// Secret is the value of CREATE_TOKENS_FOR_USERS_SECRET in the server's environment,
	// which servers from 8.0 on want, and older ones refuse.
	Secret Secret `json:"secret,omitzero"`
}

// CreateToken opens a session for the user with the id, without the user's password.
//
// POST /api/v1/users.createToken. Permission user-generate-access-token for another
// user. The server's environment must allow it: CREATE_TOKENS_FOR_USERS_SECRET, before
// 8.0 CREATE_TOKENS_FOR_USERS=true. A lost answer is not repeated: ErrOutcomeUnknown
// means that a session may be open. Errors: [ErrForbidden] for every refusal;
// [ErrNotFound].
func (s *SessionsService) CreateToken(ctx context.Context, userID string, in CreateTokenOptions, opts ...CallOption) (*Session, error) {
	e := post("users.createToken").since("0.56.0").yields("data").require(userID != "", "userId", "must not be empty")
	return do[*Session](ctx, s.client, e, nil, struct {
		UserID string `json:"userId"`
		CreateTokenOptions
	}{userID, in}, opts)
}

// RedeemLoginCode opens a session with a code that a client which is logged in has got.
//
// POST /api/v1/loginCode.redeem, on a server 8.7 or newer, which takes 10 calls in a
// minute. No credentials are needed. A lost answer is not repeated: the code works
// once. Errors: [ErrTOTPInvalid] for a wrong code; [ErrEndpointUnknown].
func (s *SessionsService) RedeemLoginCode(ctx context.Context, code Secret, opts ...CallOption) (*Session, error) {
	e := post("loginCode.redeem").public().since("8.7.0").require(!code.IsZero(), "code", "must not be empty")
	return s.redeem(ctx, e, redeemBody{Code: code}, opts)
}

// SendChallengeCode mails the code that [SessionsService.VerifyChallenge] wants.
//
// POST /api/v1/twoFactorChallenges.sendEmailCode, on a server 8.7 or newer, which takes
// 5 calls in a minute. No credentials are needed. A lost answer is not repeated:
// another mail would go out. Errors: [ErrNotFound]; [ErrInvalid] for a challenge that
// has expired or is of another method; [ErrEndpointUnknown].
func (s *SessionsService) SendChallengeCode(ctx context.Context, challengeID string, opts ...CallOption) error {
	e := post("twoFactorChallenges.sendEmailCode").public().since("8.7.0").
		require(challengeID != "", "challengeId", "must not be empty")
	return exec(ctx, s.client, e, redeemBody{ChallengeID: challengeID}, opts)
}

// VerifyChallenge opens a session with the code that answers a challenge.
//
// POST /api/v1/twoFactorChallenges.verifyChallenge, on a server 8.7 or newer, which
// takes 5 calls in a minute. No credentials are needed. A lost answer is not repeated:
// ErrOutcomeUnknown means that a session may be open. Errors: [ErrTOTPInvalid] for a
// wrong code; [ErrNotFound]; [ErrInvalid] for a challenge that has expired;
// [ErrEndpointUnknown].
func (s *SessionsService) VerifyChallenge(ctx context.Context, challengeID string, code Secret, opts ...CallOption) (*Session, error) {
	e := post("twoFactorChallenges.verifyChallenge").public().since("8.7.0").
		require(challengeID != "", "challengeId", "must not be empty").
		require(!code.IsZero(), "code", "must not be empty")
	return s.redeem(ctx, e, redeemBody{ChallengeID: challengeID, Code: code}, opts)
}

type redeemBody struct {
	ChallengeID string `json:"challengeId,omitzero"`
	Code        Secret `json:"code,omitzero"`
}

// redeemed is a session as the calls that redeem a code name its parts.
type redeemed struct {
	UserID     string `json:"userId"`
	LoginToken Secret `json:"loginToken"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

func (s *SessionsService) redeem(ctx context.Context, e endpoint, body redeemBody, opts []CallOption) (*Session, error) {
	answer, err := do[redeemed](ctx, s.client, e, nil, body, opts)
	if err != nil {
		return nil, err
	}
	return &Session{UserID: answer.UserID, AuthToken: answer.LoginToken, Extra: answer.Extra}, nil
}
