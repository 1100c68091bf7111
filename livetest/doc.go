// Package livetest calls every method of the client on a running Rocket.Chat server, and
// reads the effect back without the client. It contains only tests; the README says how to
// run them.
package livetest
