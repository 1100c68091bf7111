// Package livetest calls every method of the client against a running Rocket.Chat
// server and reads the effect back without the client. It holds tests alone; the README
// says how to run them.
package livetest
