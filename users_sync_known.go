package rocketchat

import (
	"crypto/sha256"
	"encoding/base64"
)

// SyncKnown holds what a sync has learned about accounts, besides what lists of users
// contain. It can be stored as JSON. Its keys are user IDs.
type SyncKnown map[string]SyncKnownUser

// SyncKnownUser is what is known of one account.
type SyncKnownUser struct {
	Ref    string `json:"ref,omitzero"`    // an import ID or an extension that belongs to the account
	Fields string `json:"fields,omitzero"` // a fingerprint of the nickname, bio and custom fields
}

// fingerprint stands for the wanted nickname, bio and custom fields. The zero value means
// that none are wanted.
type fingerprint [12]byte

func (f fingerprint) String() string { return base64.RawURLEncoding.EncodeToString(f[:]) }

// fingerprint returns the fingerprint of the fields that lists do not contain.
func (d *DesiredUser) fingerprint() (f fingerprint) {
	if d.Nickname == nil && d.Bio == nil && len(d.CustomFields) == 0 {
		return f
	}
	fields := struct {
		Nickname, Bio *string
		CustomFields  map[string]any
	}{d.Nickname, d.Bio, d.CustomFields}
	sum := sha256.Sum256([]byte(asJSON(fields)))
	copy(f[:], sum[:])
	return f
}

// syncKnowledge is what a plan and its run learn for [SyncReport.Known]. The slices run
// parallel to the list of people.
type syncKnowledge struct {
	ids    []string // "" for accounts that do not exist yet
	prints []fingerprint
	sure   []certainty
	refs   map[int]string // of people who were looked up one by one
}

// certainty says whether an account has the wanted fields.
type certainty byte

const (
	notSure    certainty = iota
	sureOnDone           // if its steps are carried out
	isSure
)

// byRef returns the user IDs by the references that belong to the accounts. A reference
// that two accounts have is ignored.
func (k SyncKnown) byRef() map[string]string {
	ids := make(map[string]string)
	for id, user := range k {
		if _, twice := ids[user.Ref]; twice || user.Ref == "" {
			id = ""
		}
		ids[user.Ref] = id
	}
	return ids
}
