package rocketchattest

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// invite is a link that lets people into a room. Its id is the token in the link.
type invite struct {
	id      string
	room    *room
	user    *account
	days    int
	maxUses int
	uses    int
	created time.Time
	expires time.Time // zero for one that never expires
}

func inviteRoutes() []route {
	return []route{
		{op: "findOrCreateInvite", method: post, body: closed(str("rid").must(), num("days"), num("maxUses")), run: (*call).findOrCreateInvite},
		{op: "listInvites", method: get, run: (*call).listInvites},
		{op: "removeInvite", method: http.MethodDelete, path: api + "removeInvite/{_id}", run: (*call).removeInvite},
		{op: "useInviteToken", method: post, body: closed(str("token").must()), run: (*call).useInvite},
		{op: "validateInviteToken", method: post, public: always(), body: closed(str("token").must()), run: (*call).validateInvite},
		{op: "sendInvitationEmail", method: post, body: closed(list("emails", str("")).must()), run: (*call).mailInvitation},
	}
}

type inviteObject struct {
	ID        string `json:"_id"`
	Days      int    `json:"days"`
	MaxUses   int    `json:"maxUses"`
	RID       string `json:"rid"`
	UserID    string `json:"userId"`
	CreatedAt stamp  `json:"createdAt"`
	Expires   *stamp `json:"expires"`
	URL       string `json:"url,omitempty"`
	Uses      int    `json:"uses"`
	UpdatedAt stamp  `json:"_updatedAt"`
}

func (i *invite) object() inviteObject {
	o := inviteObject{
		ID: i.id, Days: i.days, MaxUses: i.maxUses, RID: i.room.id, UserID: i.user.id, CreatedAt: stamp{i.created}, Uses: i.uses,
		UpdatedAt: stamp{i.created},
	}
	if !i.expires.IsZero() {
		o.Expires = &stamp{i.expires}
	}
	return o
}

// inviteURL is the link, by way of the project's own host unless the setting says otherwise.
func (c *call) inviteURL(i *invite) string {
	if c.text("Accounts_Registration_InviteUrlType") == "direct" {
		return c.siteURL() + "/invite/" + i.id
	}
	_, host, _ := strings.Cut(c.siteURL(), "://")
	return "https://go.rocket.chat/invite?" + url.Values{"host": {host}, "path": {"invite/" + i.id}}.Encode()
}

// notAuthorized is the refusal of invites, whose code has an underscore and no text.
func notAuthorized() error { return coded("not_authorized", "", nil) }

// findOrCreateInvite is findOrCreateInvite: the same request for the same room gets the same link until it expires.
func (c *call) findOrCreateInvite() (any, error) {
	where := fields{"method": "findOrCreateInvite", "field": "rid"}
	id := c.body.str("rid")
	if id == "" {
		return nil, coded("error-the-field-is-required", "The field rid is required", where)
	}
	r := c.rooms[id]
	days, uses := 1, 0
	if c.body.has("days") {
		days = int(c.body.number("days"))
	}
	if c.body.has("maxUses") {
		uses = int(c.body.number("maxUses"))
	}
	switch {
	case r == nil && !c.may("create-invite-links"), r != nil && !c.mayIn("create-invite-links", r):
		return nil, notAuthorized()
	case r == nil || r.members[c.me.id] == nil:
		return nil, coded("error-invalid-room", "The rid field is invalid", where)
	case r.kind == direct:
		return nil, coded("error-room-type-not-allowed", "Cannot create invite links for this room type", fields{"method": "findOrCreateInvite"})
	case !slices.Contains([]int{0, 1, 7, 15, 30}, days):
		return nil, coded("invalid-number-of-days", "Invite should expire in 1, 7, 15 or 30 days, or send 0 to never expire.", nil)
	case !slices.Contains([]int{0, 1, 5, 10, 25, 50, 100}, uses):
		return nil, coded("invalid-number-of-uses", "Invite should be valid for 1, 5, 10, 25, 50, 100 or infinite (0) uses.", nil)
	}
	for _, i := range c.invites {
		if i.room == r && i.user == c.me && i.days == days && i.maxUses == uses && (i.expires.IsZero() || i.expires.After(c.now())) {
			return c.withURL(i), nil
		}
	}
	i := &invite{id: random(alphabet, 6), room: r, user: c.me, days: days, maxUses: uses, created: c.now()}
	if days > 0 {
		i.expires = i.created.AddDate(0, 0, days)
	}
	c.invites = append(c.invites, i)
	return c.withURL(i), nil
}

func (c *call) withURL(i *invite) inviteObject {
	o := i.object()
	o.URL = c.inviteURL(i)
	return o
}

// listInvites is listInvites, whose answer is a list without an envelope.
func (c *call) listInvites() (any, error) {
	if !c.may("create-invite-links") {
		return nil, notAuthorized()
	}
	items := make([]inviteObject, 0, len(c.invites))
	for _, i := range c.invites {
		items = append(items, i.object())
	}
	return items, nil
}

// removeInvite is removeInvite, whose answer is true without an envelope.
func (c *call) removeInvite() (any, error) {
	if !c.may("create-invite-links") {
		return nil, notAuthorized()
	}
	id := path.Base(c.r.URL.Path)
	i := slices.IndexFunc(c.invites, func(i *invite) bool { return i.id == id })
	if i < 0 {
		return nil, coded("invalid-invitation-id", "Invalid Invitation _id", fields{"method": "removeInvite"})
	}
	c.invites = slices.Delete(c.invites, i, i+1)
	return true, nil
}

// goodInvite is the valid invite with a token.
func (c *call) goodInvite(token string) (*invite, error) {
	where := func(field string) fields { return fields{"method": "validateInviteToken", "field": field} }
	i := slices.IndexFunc(c.invites, func(i *invite) bool { return i.id == token })
	if i < 0 || token == "" {
		return nil, coded("error-invalid-token", "The invite token is invalid.", where("token"))
	}
	switch found := c.invites[i]; {
	case !found.expires.IsZero() && !found.expires.After(c.now()):
		return nil, coded("error-invite-expired", "The invite token has expired.", where("expires"))
	case found.maxUses > 0 && found.uses >= found.maxUses:
		return nil, coded("error-invite-expired", "The invite token has expired.", where("maxUses"))
	default:
		return found, nil
	}
}

// useInvite is useInviteToken: the caller joins the room. Using it again as a member does not count.
func (c *call) useInvite() (any, error) {
	if c.body.str("token") == "" {
		return nil, coded("error-invalid-token", "The invite token is invalid.", fields{"method": "useInviteToken", "field": "token"})
	}
	i, err := c.goodInvite(c.body.str("token"))
	if err != nil {
		return nil, err
	}
	if i.room.members[c.me.id] == nil {
		i.uses++
		c.join(i.room, c.me, 0)
	}
	return fields{"room": fields{"rid": i.room.id, "fname": i.room.name, "name": i.room.name, "t": i.room.kind}}, nil
}

// validateInvite is validateInviteToken.
func (c *call) validateInvite() (any, error) {
	_, err := c.goodInvite(c.body.str("token"))
	return fields{"valid": err == nil}, nil
}

// mailInvitation is sendInvitationEmail.
func (c *call) mailInvitation() (any, error) {
	switch {
	case !c.may("bulk-register-user"):
		return nil, plain("Not allowed [error-not-allowed]")
	case len(c.body.strings("emails")) == 0:
		return nil, plain("Invalid arguments [error-invalid-arguments]")
	case c.text("SMTP_Host") == "":
		return nil, plain("SMTP is not configured [error-email-send-failed]")
	}
	for _, to := range c.body.strings("emails") {
		c.mail(Mail{To: to, Kind: MailInvitation})
	}
	return nil, nil
}
