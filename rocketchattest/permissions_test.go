package rocketchattest_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func TestPermissionsOverTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	w.ok("admin", "POST permissions.update", `{"permissions":[{"_id":"create-user","roles":["admin","user"]}]}`)
	w.ok("alice.meyer", "POST users.create", `{"username":"new","name":"New","email":"new@example.org","password":"New-Passw0rd-123"}`)
	_, text, code := w.refused("admin", "POST permissions.update", `{"permissions":[{"_id":"create-user","roles":[]},{"_id":"no-such","roles":[]}]}`)
	assert.Equal(t, []any{"Invalid permission", "error-invalid-permission"}, []any{text, code})
	_, _, code = w.refused("admin", "POST permissions.update", `{"permissions":[{"_id":"create-user","roles":["no-such-role"]}]}`)
	assert.Equal(t, "error-invalid-role", code)
	w.ok("alice.meyer", "POST users.create", `{"username":"newer","name":"N","email":"newer@example.org","password":"New-Passw0rd-123"}`)
	_, _, code = w.refused("admin", "POST permissions.update", `{"permissions":"all"}`)
	assert.Equal(t, "error-invalid-body-params", code)
	status, _, _ := w.refused("alice.meyer", "POST permissions.update", `{"permissions":[]}`)
	assert.Equal(t, http.StatusForbidden, status)

	all := w.ok("alice.meyer", "GET permissions.listAll", "")["update"]
	assert.Contains(t, names(t, all, "_id"), "view-statistics")
	w.clock.now = w.clock.now.Add(time.Hour)
	since := url.QueryEscape(w.clock.now.Add(-time.Minute).Format(time.RFC3339))
	assert.Empty(t, w.ok("alice.meyer", "GET permissions.listAll?updatedSince="+since, "")["update"])
	w.Grant("view-statistics", "user")
	assert.Equal(t, []string{"view-statistics"}, names(t, w.ok("alice.meyer", "GET permissions.listAll?updatedSince="+since, "")["update"], "_id"))
	_, _, code = w.refused("alice.meyer", "GET permissions.listAll?updatedSince=never", "")
	assert.Equal(t, "error-roomId-param-invalid", code)
}
