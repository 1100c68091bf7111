package cli

import (
	"context"
	"fmt"
	"io"
	"os"
)

// longest is the size of an input that is read at once.
const longest = 64 << 20

// ReadInput reads a file, or standard input if its name is "-". It returns the name for
// messages, too, and ends early with the context.
func ReadInput(ctx context.Context, file string) (name string, data []byte, err error) {
	type result struct {
		data []byte
		err  error
	}
	name = file
	if file == "-" {
		name = "standard input"
	}
	read := make(chan result, 1)
	go func() { // somebody may be typing, or a pipe stay silent
		data, err := readAll(file)
		read <- result{data, err}
	}()
	select {
	case r := <-read:
		if r.err == nil && len(r.data) > longest {
			r.err = fmt.Errorf("%s: is larger than %d MiB", name, longest>>20)
		}
		return name, r.data, r.err
	case <-ctx.Done():
		return name, nil, ctx.Err()
	}
}

func readAll(file string) ([]byte, error) {
	input := os.Stdin
	if file != "-" {
		var err error
		if input, err = os.Open(file); err != nil {
			return nil, err
		}
		defer func() { _ = input.Close() }()
	}
	return io.ReadAll(io.LimitReader(input, longest+1))
}
