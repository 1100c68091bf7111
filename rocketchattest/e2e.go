package rocketchattest

// e2eKeys are a user's keys for end-to-end encryption; the private one is encrypted with a password that the server does not know.
type e2eKeys struct {
	Public  string `json:"public_key"`
	Private string `json:"private_key"`
}

func e2eRoutes() []route {
	return []route{
		{op: "e2e.fetchMyKeys", method: get, run: (*call).fetchKeys},
		{
			op: "e2e.setUserPublicAndPrivateKeys", method: post,
			body: closed(str("public_key").must(), str("private_key").must(), flag("force")), run: (*call).setKeys,
		},
	}
}

// fetchKeys is e2e.fetchMyKeys, which answers no keys for a user who has none.
func (c *call) fetchKeys() (any, error) {
	if c.me.keys == nil {
		return fields{}, nil
	}
	return c.me.keys, nil
}

// setKeys is e2e.setUserPublicAndPrivateKeys. Keys that are there stay, unless the request forces it.
func (c *call) setKeys() (any, error) {
	if c.me.keys != nil && !c.body.flag("force") {
		return nil, coded("error-keys-already-set", "Keys already set", fields{"method": "e2e.setUserPublicAndPrivateKeys"})
	}
	c.me.keys = &e2eKeys{c.body.str("public_key"), c.body.str("private_key")}
	return nil, nil
}
