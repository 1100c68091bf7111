package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// longest is the size of an input that is read at once.
const longest = 64 << 20

// ReadInput reads a text file, or standard input if its name is "-". It also returns the
// name for messages, and stops waiting when the context ends. A byte order mark is removed.
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
	go func() { // reading a terminal or a pipe can take for ever
		data, err := readAll(file)
		read <- result{data, err}
	}()
	select {
	case r := <-read:
		if r.err != nil {
			return name, nil, r.err
		}
		if err := checkText(r.data); err != nil {
			return name, nil, fmt.Errorf("%s: %w", name, err)
		}
		return name, bytes.TrimPrefix(r.data, []byte("\uFEFF")), nil
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

// checkText says why data cannot be the text of a file. Wrong bytes further down are left
// to [ReadUTF8], because a calendar is read in spite of them.
func checkText(data []byte) error {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	switch {
	case len(data) > longest:
		return fmt.Errorf("is larger than %d MiB", longest>>20)
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return errors.New("is encoded in UTF-16; save it as UTF-8")
	case bytes.IndexByte(first, 0) >= 0:
		return errors.New("is not a text file")
	}
	return nil
}

// ReadUTF8 is [ReadInput] for files in which every line must be UTF-8.
func ReadUTF8(ctx context.Context, file string) (name string, data []byte, err error) {
	name, data, err = ReadInput(ctx, file)
	if err != nil || utf8.Valid(data) {
		return name, data, err
	}
	var number, first, wrong int
	for line := range bytes.Lines(data) {
		number++
		if utf8.Valid(line) {
			continue
		}
		wrong++
		if first == 0 {
			first = number
		}
	}
	err = fmt.Errorf("%s:%d: is not UTF-8; save the file as UTF-8", name, first)
	if wrong > 1 {
		err = fmt.Errorf("%w (%s like this)", err, Count(wrong, "line", "lines"))
	}
	return name, nil, err
}
