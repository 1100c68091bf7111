package rocketchat

import "context"

// TokensService manages the personal access tokens of the caller.
type TokensService service

// PersonalAccessToken describes a personal access token without its text.
type PersonalAccessToken struct {
	Name            string `json:"name"`
	CreatedAt       Time   `json:"createdAt"`
	LastTokenPart   string `json:"lastTokenPart"`   // the last 6 characters
	BypassTwoFactor bool   `json:"bypassTwoFactor"` // calls with it are not asked for a second factor

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// TokenGenerateOptions describe a new token.
type TokenGenerateOptions struct {
	// BypassTwoFactor exempts calls with the token from second factors. It has an effect
	// on 7.7 and since server 8.6; server 8.3 asks regardless.
	BypassTwoFactor bool
}

type tokenBody struct {
	Name            string `json:"tokenName"`
	BypassTwoFactor bool   `json:"bypassTwoFactor,omitzero"`
}

// named adds the name of a token to a call.
func (e endpoint) named(body tokenBody) endpoint {
	return e.json(body).require(body.Name != "", "tokenName", "must not be empty")
}

// List returns the caller's tokens. Sessions are not listed: servers have no call that
// lists them.
//
//   - GET /api/v1/users.getPersonalAccessTokens.
//   - Permission: create-personal-access-tokens.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrForbidden].
//   - Since server 0.69.0.
func (s *TokensService) List(ctx context.Context, callOpts ...CallOption) ([]PersonalAccessToken, error) {
	e := get("users.getPersonalAccessTokens").since("0.69.0").yields("tokens")
	return do[items[PersonalAccessToken]](ctx, s.client, e, callOpts)
}

// Generate creates a token and returns its text, which the server shows only once.
//
//   - POST /api/v1/users.generatePersonalAccessToken.
//   - Permission: create-personal-access-tokens.
//   - Second factor: asked for.
//   - Not retried if the response is lost; [ErrOutcomeUnknown] means that a token with the
//     name may exist whose text is lost. [TokensService.Regenerate] gives it another text.
//   - Errors: [ErrTaken] for the name, [ErrForbidden].
//   - Since server 0.69.0.
func (s *TokensService) Generate(ctx context.Context, name string, opts TokenGenerateOptions, callOpts ...CallOption) (Secret, error) {
	e := post("users.generatePersonalAccessToken").since("0.69.0").secondFactor().yields("token").
		named(tokenBody{name, opts.BypassTwoFactor})
	return do[Secret](ctx, s.client, e, callOpts)
}

// Regenerate gives a token another text and returns it. The old text is no longer valid.
// Name and BypassTwoFactor stay.
//
//   - POST /api/v1/users.regeneratePersonalAccessToken.
//   - Permission: create-personal-access-tokens.
//   - Second factor: asked for.
//   - Not retried if the response is lost; [ErrOutcomeUnknown] means that the old text
//     may no longer be valid.
//   - Errors: [ErrNotFound], [ErrForbidden].
//   - Since server 0.69.0.
func (s *TokensService) Regenerate(ctx context.Context, name string, callOpts ...CallOption) (Secret, error) {
	e := post("users.regeneratePersonalAccessToken").since("0.69.0").secondFactor().yields("token").named(tokenBody{Name: name})
	return do[Secret](ctx, s.client, e, callOpts)
}

// Revoke deletes a token, which is then no longer valid. Some documentation says that
// users.regeneratePersonalAccessToken does this, but it creates a new valid text.
//
//   - POST /api/v1/users.removePersonalAccessToken.
//   - Permission: create-personal-access-tokens.
//   - Second factor: asked for.
//   - Not retried if the response is lost.
//   - Errors: [ErrNotFound], [ErrForbidden].
//   - Since server 0.69.0.
func (s *TokensService) Revoke(ctx context.Context, name string, callOpts ...CallOption) error {
	e := post("users.removePersonalAccessToken").since("0.69.0").secondFactor().named(tokenBody{Name: name})
	return exec(ctx, s.client, e, callOpts)
}
