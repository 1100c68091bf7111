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

// state is kept from one run to the next.
type state struct {
	// Accounts maps the IDs of directory entries to those of accounts.
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
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(text, s) != nil {
		return nil, fmt.Errorf("%s: is not a state file of this program", file)
	}
	for _, id := range s.Accounts {
		s.owned[id] = true
	}
	return s, nil
}

// owns reports whether an account came from the directory.
func (s *state) owns(userID string) bool { return s.owned[userID] }

// learn records the accounts of the people. People who left the directory stay in the
// state, so that they get their old account if they come back. An account that was deleted is
// forgotten, so that the person gets a new one.
func (s *state) learn(people []person, report *rocketchat.SyncReport) {
	for i, p := range people {
		if id := report.UserIDs[i]; id != "" {
			s.Accounts[p.id] = id
		} else {
			delete(s.Accounts, p.id)
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
