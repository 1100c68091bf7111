package rocketchattest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	_, token := w.Login("alice.meyer")
	_, access := w.PersonalAccessToken("alice.meyer", "nightly", true)
	sessions := w.Sessions("alice.meyer")
	require.Len(t, sessions, 2)
	assert.Equal(t, rocketchattest.Session{Token: token, CreatedAt: w.clock.now, ExpiresAt: w.clock.now.AddDate(0, 0, 90)}, sessions[0])
	assert.Equal(t, rocketchattest.Session{Token: access, Name: "nightly", CreatedAt: w.clock.now, BypassTwoFactor: true}, sessions[1])

	resume := fmt.Sprintf(`{"resume":%q}`, token)
	w.ok("", "POST login", resume)
	assert.True(t, w.Backdate(token, w.clock.now.AddDate(0, 0, -91)))
	status, _, _ := w.refused("", "POST login", resume)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.False(t, w.Backdate("no-such-token", w.clock.now))

	w.add(rocketchattest.User{Username: "forced", RequirePasswordChange: true, PasswordChangeReason: "leaked"})
	assert.Equal(t, "leaked", w.ok("forced", "GET me", "")["requirePasswordChangeReason"])
}
