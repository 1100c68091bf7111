package rocketchattest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func TestPushTokensAndKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	_, _, code := w.refused("alice.meyer", "POST push.token", `{"type":"sms","value":"v","appName":"app"}`)
	assert.Equal(t, "error-type-param-not-valid", code)
	set := func() {
		result := w.ok("alice.meyer", "POST push.token", `{"type":"gcm","value":"v","appName":"app"}`)["result"].(map[string]any)
		assert.Equal(t, map[string]any{"gcm": "v"}, result["token"])
	}
	set()
	w.ok("alice.meyer", "DELETE push.token", `{"token":"v"}`)
	set()
	w.ok("alice.meyer", "POST users.logout", `{}`)
	status, text, _ := w.refused("alice.meyer", "DELETE push.token", `{"token":"v"}`)
	assert.Equal(t, []any{http.StatusNotFound, "Resource not found"}, []any{status, text}, "logging out forgets the phone")

	keys := `{"public_key":"p","private_key":"q"}`
	w.ok("alice.meyer", "POST e2e.setUserPublicAndPrivateKeys", keys)
	_, _, code = w.refused("alice.meyer", "POST e2e.setUserPublicAndPrivateKeys", keys)
	assert.Equal(t, "error-keys-already-set", code)
	assert.Equal(t, "q", w.ok("alice.meyer", "GET e2e.fetchMyKeys", "")["private_key"])
	w.ok("alice.meyer", "POST users.resetE2EKey", `{}`)
	assert.NotContains(t, w.ok("alice.meyer", "GET e2e.fetchMyKeys", ""), "private_key")
}
