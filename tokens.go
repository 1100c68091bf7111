package rocketchat

import "context"

// TokensService manages the personal access tokens of the caller.
//
// All its calls need the permission create-personal-access-tokens.
type TokensService service

// PersonalAccessToken is what a server tells of a token: all but its text.
type PersonalAccessToken struct {
	Name            string `json:"name"`
	CreatedAt       Time   `json:"createdAt"`
	LastTokenPart   string `json:"lastTokenPart"`   // the last 6 characters
	BypassTwoFactor bool   `json:"bypassTwoFactor"` // calls with it are not asked for a second factor

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// TokenOptions are further choices for a new token.
type TokenOptions struct {
	// BypassTwoFactor makes a token whose calls are not asked for a second factor.
	// Servers before 8.6 ask it all the same.
	BypassTwoFactor bool
}

type tokenBody struct {
	Name            string `json:"tokenName"`
	BypassTwoFactor bool   `json:"bypassTwoFactor,omitzero"`
}

func (b tokenBody) check(e endpoint) endpoint {
	return e.require(b.Name != "", "tokenName", "must not be empty")
}

// List returns the caller's tokens. These are no sessions: servers have no call that
// lists those.
//
// GET /api/v1/users.getPersonalAccessTokens. Errors: [ErrForbidden].
func (s *TokensService) List(ctx context.Context, opts ...CallOption) ([]PersonalAccessToken, error) {
	return do[[]PersonalAccessToken](ctx, s.client, get("users.getPersonalAccessTokens").since("0.69.0").yields("tokens"), nil, nil, opts)
}

// Generate makes a token and returns its text, which the server shows this once.
//
// POST /api/v1/users.generatePersonalAccessToken. A second factor may be asked for. A
// lost answer is not repeated: ErrOutcomeUnknown means that a token of the name may
// exist, whose text nobody knows; [TokensService.Regenerate] gives it another. Errors:
// [ErrTaken] for the name, [ErrForbidden].
func (s *TokensService) Generate(ctx context.Context, name string, in TokenOptions, opts ...CallOption) (Secret, error) {
	body := tokenBody{Name: name, BypassTwoFactor: in.BypassTwoFactor}
	return do[Secret](ctx, s.client, body.check(post("users.generatePersonalAccessToken").since("0.69.0").yields("token")), nil, body, opts)
}

// Regenerate gives a token another text and returns it; the old one is worth nothing
// any more. Name and BypassTwoFactor stay.
//
// POST /api/v1/users.regeneratePersonalAccessToken. A second factor may be asked for. A
// lost answer is not repeated: ErrOutcomeUnknown means that the old text may not work
// any more. Errors: [ErrNotFound], [ErrForbidden].
func (s *TokensService) Regenerate(ctx context.Context, name string, opts ...CallOption) (Secret, error) {
	body := tokenBody{Name: name}
	return do[Secret](ctx, s.client, body.check(post("users.regeneratePersonalAccessToken").since("0.69.0").yields("token")), nil, body, opts)
}

// Revoke ends a token.
//
// POST /api/v1/users.removePersonalAccessToken; users.regeneratePersonalAccessToken,
// which some documentation calls revoking, makes another one that is valid. A second
// factor may be asked for. A lost answer is not repeated. Errors: [ErrNotFound],
// [ErrForbidden].
func (s *TokensService) Revoke(ctx context.Context, name string, opts ...CallOption) error {
	body := tokenBody{Name: name}
	return exec(ctx, s.client, body.check(post("users.removePersonalAccessToken").since("0.69.0")), body, opts)
}
