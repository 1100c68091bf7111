// Package rocketchattest is an in-memory Rocket.Chat server for everything around users.
//
// A [Server] is an [http.RoundTripper]: give it to an HTTP client as its transport and the client talks to a server that
// exists only inside the test, without a socket, a goroutine or a port. That makes it run inside testing/synctest too, where a
// minute of rate limit passes in no time. A Server is also an [http.Handler], for tests that want a real connection.
//
//	server := rocketchattest.New()
//	client := &http.Client{Transport: server}
//	res, err := client.Get(server.URL() + "/api/info")
//
// It starts as a fresh Rocket.Chat 7.7.1 does: one administrator "admin", the bot "rocket.cat" and the room GENERAL. It keeps
// users, tokens, roles, preferences, pictures and limits, checks permissions and parameters in the order of the version it plays,
// and answers with the texts and codes of that version, so that a program which works with it works with a server.
//
// Options choose the version and switch on what a real server does to its clients: [WithLimit], [WithHiddenLimit],
// [WithSecondFactor], [WithLatency]. State is prepared with [Server.AddUser], [Server.AddRoom], [Server.AddTeam] and read back
// with [Server.User], [Server.Room], [Server.Sessions], [Server.Calls] and [Server.Mails]. Faults come from [Server.AnswerNext] and
// [WithMiddleware].
//
// Programs that prepare their state over the API find what a server has around users: settings and permissions, channels, groups and
// teams, invites, push tokens, keys for end-to-end encryption, and OAuth apps whose access tokens work as credentials. [Ops] lists
// everything that is served.
package rocketchattest
