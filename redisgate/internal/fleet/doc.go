// Package fleet runs real processes against a test server, with a gate each or with one
// on Redis. Tests and cmd/fleetbench use it.
package fleet
