// Package contracttest checks the requests of the wire table with the validators of
// Rocket.Chat servers. It contains only tests.
package contracttest
