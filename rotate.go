package rocketchat

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// RotateOptions are further choices for [TokensService.Rotate].
type RotateOptions struct {
	// Keep is called with the new token, which is known to work, before the old one is
	// revoked: to store it where it will be looked for. When it fails, or the program
	// dies in it, the old token stays.
	Keep func(*RotatedToken) error
}

// RotatedToken is a personal access token that took the place of another.
type RotatedToken struct {
	Name  string
	Token Secret
	// OldRevoked tells that the token before it is worth nothing any more.
	OldRevoked bool
}

// Rotate puts a new personal access token in the place of the one called name: it makes
// the new one, makes a call with it, has it kept, and only then revokes the old one, so at
// every moment one of the two works. The new one has another name, since names are unique:
// "backup" is followed by "backup #2", that by "backup #3".
//
// When the new token cannot be used or kept it is revoked again, also when ctx has ended
// meanwhile, and the old one stays. When
// only the old one cannot be revoked the result is given with the error: the new token
// is good. A client that makes its calls with the old token cannot go on after this;
// derive one with [Client.With] and [WithToken].
//
// GET /api/v1/users.getPersonalAccessTokens, POST
// /api/v1/users.generatePersonalAccessToken, GET /api/v1/me with the new token, POST
// /api/v1/users.removePersonalAccessToken. A second factor may be asked for, twice.
// Errors: [ErrNotFound] when there is no token of the name, and those of
// [TokensService.Generate].
func (s *TokensService) Rotate(ctx context.Context, name string, in RotateOptions, opts ...CallOption) (*RotatedToken, error) {
	if name == "" {
		return nil, invalid("users.generatePersonalAccessToken", "tokenName", "must not be empty")
	}
	tokens, err := s.List(ctx, opts...)
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
		return nil, &Error{Op: "users.getPersonalAccessTokens", Class: ErrNotFound, Field: "tokenName", Message: "is no token of the caller"}
	}
	fresh := &RotatedToken{Name: following(name, taken)}
	fresh.Token, err = s.Generate(ctx, fresh.Name, TokenOptions{BypassTwoFactor: old.BypassTwoFactor}, opts...)
	if err != nil {
		return nil, err
	}
	err = s.try(ctx, fresh.Token)
	if err == nil && in.Keep != nil {
		err = in.Keep(fresh)
	}
	if err != nil {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
		defer cancel()
		return nil, errors.Join(err, s.Revoke(after, fresh.Name, opts...))
	}
	if err := s.Revoke(ctx, name, opts...); err != nil {
		return fresh, err
	}
	fresh.OldRevoked = true
	return fresh, nil
}

// cleanUpTime is for a call that undoes another one, whose context may have ended.
const cleanUpTime = 2 * time.Minute

// following is the name after name that is free.
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

// try makes a call with a token of the caller's.
func (s *TokensService) try(ctx context.Context, token Secret) error {
	present, err := s.client.config.credentials.Credentials(ctx, Credentials{})
	if err != nil {
		return err
	}
	derived, err := s.client.With(WithToken(present.UserID, token))
	if err != nil {
		return err
	}
	_, err = derived.Me.Get(ctx)
	return err
}
