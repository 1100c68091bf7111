//go:build race

package examples_test

// buildFlags have the programs watched for races, as the tests are.
var buildFlags = []string{"-race"}
