//go:build race

package benchmarks

// raced reports that the race detector is on. It makes pools drop items at random, so
// allocated bytes mean nothing.
const raced = true
