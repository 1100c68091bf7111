package rocketchat

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// TokenRotateOptions say how to rotate a token.
type TokenRotateOptions struct {
	// Keep stores the new token. It is called after the new token was found to work and
	// before the old one is revoked. If it fails, or the program ends in it, the old token
	// stays valid.
	Keep func(*RotatedToken) error
}

// RotatedToken is a personal access token that replaced another.
type RotatedToken struct {
	Name  string
	Token Secret
	// OldRevoked is set if the replaced token is no longer valid.
	OldRevoked bool
}

// Rotate replaces the personal access token called name. It creates a new token, tries it,
// stores it with Keep, and only then revokes the old one, so that one of the two is always
// valid. Names are unique, so the new token has another: "backup" is followed by "backup
// #2", that by "backup #3".
//
// If the new token does not work or cannot be stored, it is revoked again, even if ctx has
// ended meanwhile, and the old one stays valid. If only the old token cannot be revoked,
// the result is returned together with the error: the new token is valid. A client that
// makes its calls with the old token cannot be used afterwards; derive one with
// [Client.With] and [WithToken].
//
//   - POST /api/v1/users.generatePersonalAccessToken and
//     POST /api/v1/users.removePersonalAccessToken, after
//     GET /api/v1/users.getPersonalAccessTokens; GET /api/v1/me with the new token.
//   - Permission: create-personal-access-tokens.
//   - Second factor: asked for, twice.
//   - Not retried if the response is lost; see [TokensService.Generate].
//   - Errors: [ErrNotFound] if there is no token of that name; those of
//     [TokensService.Generate].
//   - Since server 0.69.0.
func (s *TokensService) Rotate(ctx context.Context, name string, opts TokenRotateOptions, callOpts ...CallOption) (*RotatedToken, error) {
	if name == "" {
		return nil, invalid("users.generatePersonalAccessToken", "tokenName", "must not be empty")
	}
	tokens, err := s.List(ctx, callOpts...)
	if err != nil {
		return nil, err
	}
	taken := make(map[string]bool, len(tokens))
	var old *PersonalAccessToken
	for i := range tokens {
		taken[tokens[i].Name] = true
		if tokens[i].Name == name {
			old = &tokens[i]
		}
	}
	if old == nil {
		return nil, &Error{Op: "users.getPersonalAccessTokens", Class: ErrNotFound, Field: "tokenName", Message: "is not the name of a token"}
	}
	fresh := &RotatedToken{Name: following(name, taken)}
	fresh.Token, err = s.Generate(ctx, fresh.Name, TokenGenerateOptions{BypassTwoFactor: old.BypassTwoFactor}, callOpts...)
	if err != nil {
		return nil, err
	}
	err = s.try(ctx, fresh.Token)
	if err == nil && opts.Keep != nil {
		err = opts.Keep(fresh)
	}
	if err != nil {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
		defer cancel()
		if undo := s.Revoke(after, fresh.Name, callOpts...); undo != nil {
			err = fmt.Errorf("%w; %w", err, undo)
		}
		return nil, err
	}
	if err := s.Revoke(ctx, name, callOpts...); err != nil {
		return fresh, err
	}
	fresh.OldRevoked = true
	return fresh, nil
}

// cleanUpTime bounds a call that undoes another one, whose context may have ended.
const cleanUpTime = 2 * time.Minute

// following returns the next free name after name.
func following(name string, taken map[string]bool) string {
	base, n := name, 1
	if i := strings.LastIndex(name, " #"); i > 0 {
		if number, err := strconv.Atoi(name[i+2:]); err == nil && number > 1 {
			base, n = name[:i], number
		}
	}
	for {
		n++
		if next := base + " #" + strconv.Itoa(n); !taken[next] {
			return next
		}
	}
}

// try makes a call with a new token of the caller.
func (s *TokensService) try(ctx context.Context, token Secret) error {
	present, err := s.client.Credentials(ctx)
	if err != nil {
		return err
	}
	derived, err := s.client.With(WithToken(present.UserID, token.Reveal()))
	if err != nil {
		return err
	}
	_, err = derived.Me.Get(ctx)
	return err
}
