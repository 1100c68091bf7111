//go:build race

package benchmarks

// raced tells that the race detector is on. It has pools forget at random, so what calls
// take in bytes means nothing.
const raced = true
