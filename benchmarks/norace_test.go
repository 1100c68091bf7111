//go:build !race

package benchmarks

// raced tells that the race detector is on.
const raced = false
