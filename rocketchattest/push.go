package rocketchattest

import (
	"net/http"
	"slices"
	"time"
)

// pushToken is where a phone receives notifications.
type pushToken struct {
	id, service, value, app string
	login                   string // the login token of the app
	created, updated        time.Time
}

func pushRoutes() []route {
	return []route{
		{op: "push.token", method: post, run: (*call).setPushToken},
		{op: "push.token.delete", method: http.MethodDelete, path: api + "push.token", run: (*call).deletePushToken},
		{op: "push.info", method: get, run: (*call).pushInfo},
	}
}

// setPushToken is push.token.
func (c *call) setPushToken() (any, error) {
	service, value, app := c.body.str("type"), c.body.str("value"), c.body.str("appName")
	id, isText := c.body["id"].(string)
	invalid := func(field, text string) error { return coded("error-"+field+"-param-not-valid", text, nil) }
	switch {
	case c.body.has("id") && !isText:
		return nil, invalid("id", `The required "id" body param is invalid.`)
	case service != "apn" && service != "gcm":
		return nil, invalid("type", `The required "type" body param is missing or invalid.`)
	case value == "":
		return nil, invalid("token", `The required "value" body param is missing or invalid.`)
	case app == "":
		return nil, invalid("appName", `The required "appName" body param is missing or invalid.`)
	}
	if id == "" {
		id = newID()
	}
	i := slices.IndexFunc(c.me.push, func(p *pushToken) bool { return p.id == id || p.service == service && p.value == value && p.app == app })
	if i < 0 {
		i = len(c.me.push)
		c.me.push = append(c.me.push, &pushToken{id: id, created: c.now()})
	}
	p := c.me.push[i]
	p.service, p.value, p.app, p.login, p.updated = service, value, app, c.r.Header.Get("X-Auth-Token"), c.now()
	return fields{"result": fields{
		"_id": p.id, "token": fields{p.service: p.value}, "appName": p.app, "userId": c.me.id, "enabled": true,
		"createdAt": stamp{p.created}, "_updatedAt": stamp{p.updated},
	}}, nil
}

// deletePushToken is DELETE push.token.
func (c *call) deletePushToken() (any, error) {
	value, _ := c.body["token"].(string)
	if value == "" {
		return nil, coded("error-token-param-not-valid", `The required "token" body param is missing or invalid.`, nil)
	}
	before := len(c.me.push)
	c.me.push = slices.DeleteFunc(c.me.push, func(p *pushToken) bool { return p.value == value })
	if len(c.me.push) == before {
		return nil, &failure{http.StatusNotFound, failed{Error: "Resource not found"}}
	}
	return nil, nil
}

// pushInfo is push.info.
func (c *call) pushInfo() (any, error) {
	return fields{"pushGatewayEnabled": c.enabled("Push_enable"), "defaultPushGateway": c.text("Push_gateway") == defaultPushGateway}, nil
}

const defaultPushGateway = "https://gateway.rocket.chat"
