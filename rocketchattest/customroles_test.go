package rocketchattest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func TestCustomRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0), rocketchattest.WithVersion("8.6.0"), rocketchattest.WithLicense())
	_, _, code := w.refused("alice.meyer", "POST roles.create", `{"name":"captains"}`)
	assert.Equal(t, "error-action-not-allowed", code)
	_, _, code = w.refused("admin", "POST roles.create", `{"title":"captains"}`)
	assert.Equal(t, "error-invalid-role-properties", code)
	role := w.ok("admin", "POST roles.create", `{"name":"captains","description":"They steer."}`)["role"].(map[string]any)
	assert.Equal(t, "Users", role["scope"])
	_, _, code = w.refused("admin", "POST roles.create", `{"name":"captains"}`)
	assert.Equal(t, "error-duplicate-role-names-not-allowed", code)
	w.ok("admin", "POST roles.addUserToRole", fmt.Sprintf(`{"roleId":%q,"username":"alice.meyer"}`, role["_id"]))
	w.ok("admin", "POST roles.update", fmt.Sprintf(`{"roleId":%q,"name":"pilots"}`, role["_id"]))
	_, _, code = w.refused("admin", "POST roles.update", `{"roleId":"admin","name":"boss"}`)
	assert.Equal(t, "error-role-protected", code)
	assert.Contains(t, names(t, w.ok("admin", "GET roles.list", "")["roles"], "name"), "pilots")
}
