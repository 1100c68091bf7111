package rocketchat

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ServerService tells of the server itself.
type ServerService service

// ServerInfo is what a server tells of itself.
type ServerInfo struct {
	// Version is complete, such as "8.6.1", for callers who may see statistics, and else
	// without its last part, such as "8.6".
	Version string `json:"version"`
	// Info is nil for callers who may not see statistics.
	Info                  *ServerBuild          `json:"info,omitzero"`
	MinimumClientVersions MinimumClientVersions `json:"minimumClientVersions"`
	SupportedVersions     *SupportedVersions    `json:"supportedVersions,omitzero"` // nil for a server that is not registered
	CloudWorkspaceID      string                `json:"cloudWorkspaceId"`           // "" for a server that is not registered
	WorkspaceURL          string                `json:"workspaceUrl,omitzero"`
	HashedWorkspaceURL    string                `json:"hashedWorkspaceUrl,omitzero"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// ServerBuild describes the program that the server runs.
type ServerBuild struct {
	Version               string        `json:"version"`
	MarketplaceAPIVersion string        `json:"marketplaceApiVersion,omitzero"`
	Build                 ServerMachine `json:"build"`
	Commit                ServerCommit  `json:"commit"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// ServerMachine is the machine that a server's program was built on.
type ServerMachine struct {
	Date        Time   `json:"date"`
	NodeVersion string `json:"nodeVersion"`
	Arch        string `json:"arch"`
	Platform    string `json:"platform"`
	OSRelease   string `json:"osRelease"`
	TotalMemory int64  `json:"totalMemory"` // in bytes
	FreeMemory  int64  `json:"freeMemory"`  // in bytes
	CPUs        int    `json:"cpus"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// ServerCommit is the state of the source that a server was built from.
type ServerCommit struct {
	Hash    string `json:"hash,omitzero"`
	Date    string `json:"date,omitzero"` // as Git prints it, such as "Thu Jul 23 18:00:00 2026 +0000"
	Author  string `json:"author,omitzero"`
	Subject string `json:"subject,omitzero"`
	Tag     string `json:"tag,omitzero"`
	Branch  string `json:"branch,omitzero"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// MinimumClientVersions are the oldest clients that a server works with.
type MinimumClientVersions struct {
	Desktop string `json:"desktop,omitzero"`
	Mobile  string `json:"mobile,omitzero"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// SupportedVersions is the maker's word on which versions are supported.
type SupportedVersions struct {
	Signed string `json:"signed"` // a JSON web token

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// PasswordPolicy is what a server asks of passwords.
type PasswordPolicy struct {
	Enabled bool           `json:"enabled"`
	Rules   []PasswordRule `json:"policy"`

	// Extra holds what this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// Rule returns the rule of the policy with the key.
func (p *PasswordPolicy) Rule(key PasswordRuleKey) (rule PasswordRule, ok bool) {
	i := slices.IndexFunc(p.Rules, func(r PasswordRule) bool { return r.Key == key })
	if i < 0 {
		return PasswordRule{}, false
	}
	return p.Rules[i], true
}

// PasswordRuleKey says what a rule is about.
type PasswordRuleKey string

// The rules for passwords. Those that say so have a [PasswordRule.Limit].
const (
	PasswordMinLength       PasswordRuleKey = "get-password-policy-minLength"                      // with limit
	PasswordMaxLength       PasswordRuleKey = "get-password-policy-maxLength"                      // with limit
	PasswordNoRepeating     PasswordRuleKey = "get-password-policy-forbidRepeatingCharacters"      // see the next
	PasswordMaxRepeating    PasswordRuleKey = "get-password-policy-forbidRepeatingCharactersCount" // with limit
	PasswordNeedsLowercase  PasswordRuleKey = "get-password-policy-mustContainAtLeastOneLowercase" // a to z
	PasswordNeedsUppercase  PasswordRuleKey = "get-password-policy-mustContainAtLeastOneUppercase" // A to Z
	PasswordNeedsNumber     PasswordRuleKey = "get-password-policy-mustContainAtLeastOneNumber"    // 0 to 9
	PasswordNeedsSpecialOne PasswordRuleKey = "get-password-policy-mustContainAtLeastOneSpecialCharacter"
)

// PasswordRule is one rule for passwords.
type PasswordRule struct {
	Key PasswordRuleKey
	// Params are the numbers of the rule, by name; nil for a rule without. Limit is the
	// usual way to read them.
	Params map[string]any
}

// Limit is the number of the rule, or 0 for a rule without.
func (r PasswordRule) Limit() int {
	for _, param := range r.Params {
		if n, ok := param.(float64); ok {
			return int(n)
		}
	}
	return 0
}

// MarshalJSON implements [encoding/json.Marshaler]: [key] or [key, params].
func (r PasswordRule) MarshalJSON() ([]byte, error) {
	if r.Params == nil {
		return json.Marshal([]any{r.Key})
	}
	return json.Marshal([]any{r.Key, r.Params})
}

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (r *PasswordRule) UnmarshalJSON(data []byte) error {
	var parts []jsontext.Value
	if err := json.Unmarshal(data, &parts, decodeOptions()); err != nil {
		return err
	}
	*r = PasswordRule{}
	for i, into := range []any{&r.Key, &r.Params}[:min(2, len(parts))] {
		if err := json.Unmarshal(parts[i], into, decodeOptions()); err != nil {
			return err
		}
	}
	return nil
}

// Info tells of the server: its version above all.
//
// GET /api/info. No credentials are needed; a client that has some sends them, because
// callers with the permission view-statistics are told more. No rate limit.
func (s *ServerService) Info(ctx context.Context, opts ...CallOption) (*ServerInfo, error) {
	return do[*ServerInfo](ctx, s.client, get("info").at("/api/info").open(), nil, nil, opts)
}

// PasswordPolicy returns what the server asks of passwords.
//
// GET /api/v1/pw.getPolicy. No credentials are needed, and none are sent.
func (s *ServerService) PasswordPolicy(ctx context.Context, opts ...CallOption) (*PasswordPolicy, error) {
	return do[*PasswordPolicy](ctx, s.client, get("pw.getPolicy").public(), nil, nil, opts)
}
