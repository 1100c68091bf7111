// Package rocketchattest is an in-memory Rocket.Chat server with everything that concerns
// users.
//
// A [Server] is an [http.RoundTripper]: give it to an HTTP client as its transport and the
// client talks to a server that exists only inside the test, without a socket, a goroutine
// or a port. It also works inside testing/synctest, where a minute of waiting for the rate
// limit takes no time. A Server is also an [http.Handler], for tests that want a real
// connection.
//
//	server := rocketchattest.New()
//	client := &http.Client{Transport: server}
//	res, err := client.Get(server.URL() + "/api/info")
//
// It starts like a fresh Rocket.Chat 7.7.1, with the administrator "admin", the bot
// "rocket.cat" and the room GENERAL. It keeps users, tokens, roles, preferences, pictures
// and limits, checks permissions and parameters in the order of the version it plays, and
// answers with the texts and codes of that version, so that programs get the answers that
// a real server would give.
//
// Options choose the version and turn on further behaviour of real servers: [WithLimit],
// [WithHiddenLimit], [WithSecondFactor], [WithLatency]. State is prepared with
// [Server.AddUser], [Server.AddRoom], [Server.AddTeam] and read back with [Server.User],
// [Server.Room], [Server.Sessions], [Server.Calls] and [Server.Mails]. Faults come from
// [Server.AnswerNext] and [WithMiddleware].
//
// Programs that prepare their state over the API find the other endpoints that they need:
// settings and permissions, channels, groups and teams, invites, push tokens, keys for
// end-to-end encryption, and OAuth apps whose access tokens work as credentials. [Ops]
// lists everything that is served.
package rocketchattest
