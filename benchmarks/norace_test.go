//go:build !race

package benchmarks

// raced reports that the race detector is on.
const raced = false
