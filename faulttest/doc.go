// Package faulttest shows that the client stays right when the network and the server
// do not. It holds tests alone; the README says what they do and how to run them.
package faulttest
