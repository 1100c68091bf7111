package rocketchattest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func TestSettingsOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	w.ok("admin", "POST settings/Accounts_AllowUsernameChange", `{"value":false}`)
	assert.Equal(t, map[string]any{"_id": "Accounts_AllowUsernameChange", "value": false, "success": true},
		w.ok("admin", "GET settings/Accounts_AllowUsernameChange", ""))
	_, _, code := w.refused("alice.meyer", "POST users.updateOwnBasicInfo", `{"data":{"username":"al"}}`)
	assert.Equal(t, "error-action-not-allowed", code)
	value, known := w.Setting("Accounts_AllowUsernameChange")
	assert.Equal(t, []any{false, true}, []any{value, known})

	w.ok("admin", "POST settings/LDAP_Enable", `{"value":true}`)
	assert.Equal(t, true, w.ok("admin", "GET settings/LDAP_Enable", "")["value"], "one without an effect")
	for _, call := range []string{"GET settings/No_Such_Setting", "POST settings/No_Such_Setting"} {
		_, answer := w.call("admin", call, `{"value":1}`, nil)
		assert.Equal(t, map[string]any{"success": false}, answer)
	}
	status, _, _ := w.refused("alice.meyer", "POST settings/LDAP_Enable", `{"value":true}`)
	assert.Equal(t, http.StatusForbidden, status)

	w.Set("Accounts_TwoFactorAuthentication_Enabled", true)
	_, _, code = w.refused("admin", "POST settings/LDAP_Enable", `{"value":true}`)
	assert.Equal(t, "totp-required", code)
	w.ok("admin", "GET settings/LDAP_Enable", "")

	w.Set("Accounts_Default_User_Preferences_sendOnEnter", "alternative")
	me := w.ok("alice.meyer", "GET me", "")
	preferences := me["settings"].(map[string]any)["preferences"].(map[string]any)
	assert.Equal(t, "alternative", preferences["sendOnEnter"])
}
