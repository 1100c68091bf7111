package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
)

// state is what a run leaves for the next one.
type state struct {
	// Accounts are the IDs of the accounts, by those of the entries in the directory.
	Accounts map[string]string    `json:"accounts"`
	Known    rocketchat.SyncKnown `json:"known"`

	owned map[string]bool // IDs of accounts
}

func readState(file string) (*state, error) {
	s := &state{Accounts: make(map[string]string), owned: make(map[string]bool)}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, s)
	}
	if err != nil {
		return nil, fmt.Errorf("the state cannot be read: %w", err)
	}
	for _, id := range s.Accounts {
		s.owned[id] = true
	}
	return s, nil
}

// owns reports an account that came from the directory.
func (s *state) owns(userID string) bool { return s.owned[userID] }

// learn takes in which accounts people have. Whoever left the directory stays in it, so
// that a person who comes back gets the account that they had.
func (s *state) learn(people []person, report *rocketchat.SyncReport) {
	for i, p := range people {
		if id := report.UserIDs[i]; id != "" {
			s.Accounts[p.id] = id
		}
	}
	s.Known = report.Known()
}

func (s *state) write(file string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	out, err := cli.Create(file)
	if err != nil {
		return err
	}
	defer out.Discard()
	if _, err := out.Write(text); err != nil {
		return err
	}
	return out.Keep()
}
