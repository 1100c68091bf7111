// Package faulttest checks the client against faults of networks and servers. It contains
// only tests; the README describes them.
package faulttest
