package rocketchattest

import (
	"fmt"
	"time"
)

// Session is a login token or a personal access token of a user.
type Session struct {
	Token string
	// Name is the name of a personal access token; it is empty for a login token.
	Name string
	// CreatedAt is when it was issued. The setting Accounts_LoginExpiration is the number of days after which login tokens expire.
	CreatedAt time.Time
	// ExpiresAt is zero for personal access tokens.
	ExpiresAt       time.Time
	BypassTwoFactor bool
}

// Sessions returns the tokens of a user, the oldest first. The user is given by username or ID.
func (s *Server) Sessions(username string) []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.named(username)
	if u == nil {
		return nil
	}
	all := make([]Session, 0, len(u.tokens))
	for _, t := range u.tokens {
		session := Session{Token: t.value, CreatedAt: t.created, BypassTwoFactor: t.bypass}
		if t.personal() {
			session.Name = fmt.Sprint(t.name)
		} else {
			session.ExpiresAt = s.expiry(t)
		}
		all = append(all, session)
	}
	return all
}

// Backdate sets when a token was issued, and reports whether there is such a token. A login token that was issued longer ago than
// Accounts_LoginExpiration allows has expired.
func (s *Server) Backdate(token string, createdAt time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.byToken[token]
	if t != nil {
		t.created = createdAt
	}
	return t != nil
}
