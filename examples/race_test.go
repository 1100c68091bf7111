//go:build race

package examples_test

// buildFlags build the programs with the race detector, like the tests.
var buildFlags = []string{"-race"}
