// Package contracttest holds the requests of the wire table against the validators
// that Rocket.Chat servers run. It has tests only.
package contracttest
