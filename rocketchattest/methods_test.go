package rocketchattest_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func TestMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	method := func(name string, params ...any) (int, map[string]any) {
		message, err := json.Marshal(map[string]any{"msg": "method", "id": "1", "method": name, "params": append([]any{}, params...)})
		require.NoError(t, err)
		body, err := json.Marshal(map[string]any{"message": string(message)})
		require.NoError(t, err)
		res, answer := w.call("alice.meyer", "POST method.call/"+name, string(body), nil)
		var inner map[string]any
		require.NoError(t, json.Unmarshal([]byte(answer.(map[string]any)["message"].(string)), &inner))
		return res.StatusCode, inner
	}
	_, enabled := method("2fa:enable")
	secret := enabled["result"].(map[string]any)["secret"].(string)
	status, wrong := method("2fa:validateTempToken", "000000")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "invalid-totp", wrong["error"].(map[string]any)["error"])
	_, right := method("2fa:validateTempToken", rocketchattest.TOTPCode(secret, w.clock.now))
	assert.Len(t, right["result"].(map[string]any)["codes"], 12)
	_, remaining := method("2fa:checkCodesRemaining")
	assert.EqualValues(t, 12, remaining["result"].(map[string]any)["remaining"])
	_, none := method("2fa:regenerateCodes", "000000")
	assert.NotContains(t, none, "result")
	_, off := method("2fa:disable", "000000")
	assert.Equal(t, false, off["result"])
	_, off = method("2fa:disable", rocketchattest.TOTPCode(secret, w.clock.now))
	assert.Equal(t, true, off["result"])
	status, unknown := method("noSuchMethod")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.EqualValues(t, http.StatusNotFound, unknown["error"].(map[string]any)["error"])
}
