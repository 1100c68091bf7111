package rocketchattest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func TestTestMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithTestMode(), rocketchattest.WithLimit(1, time.Minute))
	for range 3 {
		res, _ := w.call("alice.meyer", "GET users.info?username=admin", "", nil)
		assert.Equal(t, http.StatusOK, res.StatusCode)
		assert.Empty(t, res.Header.Get("X-RateLimit-Limit"))
	}
	w.ok(rocketchattest.TestAdmin, "POST users.update", `{"userId":"alice","data":{"name":"Alice"}}`)
	w.ok("", "POST login", fmt.Sprintf(`{"user":%q,"password":%[1]q}`, rocketchattest.TestAdmin))
	w.add(rocketchattest.User{Username: "carla", Email: "carla@example.org", Password: "Carla-Passw0rd-1", EmailSecondFactor: true})
	w.ok("", "POST login", `{"user":"carla","password":"Carla-Passw0rd-1"}`)
	_, answer := w.call("alice.meyer", "GET users.info?username=nobody", "", nil)
	assert.Contains(t, answer, "stack")
	_, _, code := w.refused("alice.meyer", "POST users.updateOwnBasicInfo", `{"data":{"newPassword":"Other-Passw0rd-1"}}`)
	assert.Equal(t, "totp-required", code, "this call asks itself")
}
