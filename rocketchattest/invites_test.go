package rocketchattest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func TestInvites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rocketchattest.WithLimit(0, 0))
	room := w.AddRoom("club", "alice.meyer")
	create := fmt.Sprintf(`{"rid":%q,"days":1,"maxUses":1}`, room)
	_, text, code := w.refused("bruno.costa", "POST findOrCreateInvite", create)
	assert.Equal(t, []any{"[not_authorized]", "not_authorized"}, []any{text, code})
	link := w.ok("alice.meyer", "POST findOrCreateInvite", create)
	assert.Equal(t, link["_id"], w.ok("alice.meyer", "POST findOrCreateInvite", create)["_id"])
	assert.Equal(t, fmt.Sprintf("https://go.rocket.chat/invite?host=rocketchat.test&path=invite%%2F%s", link["_id"]), link["url"])
	token := fmt.Sprintf(`{"token":%q}`, link["_id"])

	assert.Equal(t, true, w.ok("", "POST validateInviteToken", token)["valid"])
	w.ok("bruno.costa", "POST useInviteToken", token)
	r, _ := w.Room(room)
	assert.Equal(t, []string{"alice.meyer", "bruno.costa"}, r.Members)
	_, _, code = w.refused("admin", "POST useInviteToken", token)
	assert.Equal(t, "error-invite-expired", code, "it was for one")
	assert.Equal(t, false, w.ok("", "POST validateInviteToken", `{"token":"x"}`)["valid"])

	w.clock.now = w.clock.now.Add(25 * time.Hour)
	other := w.ok("alice.meyer", "POST findOrCreateInvite", create)
	assert.NotEqual(t, link["_id"], other["_id"], "the first one has expired")
	res, answer := w.call("admin", "DELETE removeInvite/"+other["_id"].(string), "", nil)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, true, answer)
	_, list := w.call("admin", "GET listInvites", "", nil)
	assert.Len(t, list, 1)
}
