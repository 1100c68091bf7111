package benchmarks

import (
	"fmt"
	"strconv"
)

// The users on the server of the benchmarks.
const (
	ManyUsers = 5_000   // on one page, for those who ask for everything
	AllUsers  = 100_000 // that there are to page through
)

// listedUser is the i-th user as users.list shows one to an administrator: 650 bytes.
func listedUser(b []byte, i int) []byte {
	n := strconv.Itoa(100_000 + i)
	return fmt.Appendf(b, `{"_id":"%s","username":"person.%s","emails":[{"address":"person.%s@example.org","verified":true}],`+
		`"type":"user","status":"online","statusConnection":"online","statusText":"In a meeting until four o'clock","active":true,`+
		`"roles":["user","livechat-agent","team-lead"],"name":"Person Number %s","utcOffset":1,"lastLogin":"2026-01-01T08:00:00.123Z",`+
		`"_updatedAt":"2026-01-02T09:30:00.456Z","nickname":"p%s","bio":"Looks after the machines in the cellar, and after the people who look after them.",`+
		`"avatarETag":"ZAHMxLQ6bW426Knwm","language":"en","customFields":{"department":"Support","building":"North 4"},"nameInsensitive":"person number %s"}`,
		"h7WgZbN4cEx"+n, n, n, n, n, n)
}

// userList is an answer of users.list.
func userList(offset, count int) []byte {
	b := []byte(`{"users":[`)
	count = max(0, min(count, AllUsers-offset))
	for i := range count {
		if i > 0 {
			b = append(b, ',')
		}
		b = listedUser(b, offset+i)
	}
	return fmt.Appendf(b, `],"count":%d,"offset":%d,"total":%d,"success":true}`, count, offset, AllUsers)
}

// userInfo is an answer of users.info for an administrator who wants the rooms too:
// 1.5 KB.
func userInfo() []byte {
	b := []byte(`{"user":{"_id":"Qm3rT8sVxYz2LpKdA","createdAt":"2025-11-03T12:00:00.000Z","username":"bruno.costa",` +
		`"emails":[{"address":"bruno.costa@example.org","verified":true},{"address":"bruno@example.com","verified":false}],` +
		`"type":"user","status":"online","statusConnection":"online","statusDefault":"online","statusText":"In a meeting",` +
		`"statusSource":"manual","statusExpiresAt":"2026-01-01T18:00:00.000Z","active":true,"roles":["user","livechat-agent"],` +
		`"name":"Bruno Costa","utcOffset":-3,"lastLogin":"2026-01-01T08:00:00.000Z","_updatedAt":"2026-01-01T08:00:01.123Z",` +
		`"bio":"Support lead, on call every other week. Ask me about invoices.","nickname":"bru","avatarETag":"ZAHMxLQ6bW426Knwm",` +
		`"language":"pt-BR","requirePasswordChange":false,"customFields":{"department":"Support","building":"North 4","badge":4711},` +
		`"canViewAllInfo":true,"rooms":[`)
	for i, room := range []string{"general", "ops", "support", "invoices", "lunch", "bruno-and-alice"} {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"_id":"8fTq2LmXwRzKpVb%d","rid":"siyr2oWQJBjQjhLw%d","name":"%s","t":"c","roles":["owner"],"unread":%d}`, 10+i, 10+i, room, i)
	}
	return append(b, `]},"success":true}`...)
}

// userCreated is the answer of users.create.
func userCreated() []byte {
	return []byte(`{"user":{"_id":"S6DEAM5TnzrMKedfd","createdAt":"2026-11-23T12:14:36.715Z","username":"alice",` +
		`"emails":[{"address":"alice@example.org","verified":true}],"type":"user","roles":["user"],"status":"offline","active":true,` +
		`"name":"Alice Adams","_updatedAt":"2026-11-23T12:14:36.785Z","__rooms":["GENERAL"],"settings":{}},"success":true}`)
}
