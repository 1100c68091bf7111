package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rocketchat-go/rocketchat"
)

// tokenFile is a file that appears under its name when it is complete. It is opened
// before the token is made, so that a full or read-only disk is noticed in time.
type tokenFile struct {
	*os.File
	path string
}

func newFile(path string) (*tokenFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".token-*") // with mode 0600
	if err != nil {
		return nil, err
	}
	return &tokenFile{file, path}, nil
}

// keep writes the token and gives the file its name.
func (f *tokenFile) keep(token *rocketchat.RotatedToken) error {
	_, err := f.WriteString(token.Token.Reveal() + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("the new token could not be written: %w", err)
	}
	return nil
}

// discard removes a file that was not kept.
func (f *tokenFile) discard() {
	_ = f.Close()
	_ = os.Remove(f.Name())
}
