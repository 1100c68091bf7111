//go:build !unix

package prompt

const inputName, outputName = "CONIN$", "CONOUT$"

// interrupt does nothing: a process cannot send itself a signal here.
func interrupt(int) {}
