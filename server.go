package rocketchat

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ServerService describes the server itself.
type ServerService service

// ServerInfo describes a server.
type ServerInfo struct {
	// Version is complete, such as "8.6.1", for callers who may see statistics. For
	// others it lacks the last part, such as "8.6".
	Version string `json:"version"`
	// Info is nil for callers who may not see statistics.
	Info                  *ServerBuild          `json:"info,omitzero"`
	MinimumClientVersions MinimumClientVersions `json:"minimumClientVersions"`
	SupportedVersions     *SupportedVersions    `json:"supportedVersions,omitzero"` // nil for a server that is not registered
	CloudWorkspaceID      string                `json:"cloudWorkspaceId"`           // "" for a server that is not registered
	WorkspaceURL          string                `json:"workspaceUrl,omitzero"`
	HashedWorkspaceURL    string                `json:"hashedWorkspaceUrl,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// AtLeast reports whether the server's version is major.minor or newer. A version that
// cannot be parsed counts as older.
func (i *ServerInfo) AtLeast(major, minor int) bool {
	parts := strings.SplitN(i.Version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	digits := strings.TrimRightFunc(parts[1], func(r rune) bool { return r < '0' || r > '9' })
	has, err := strconv.Atoi(parts[0])
	hasMinor, minorErr := strconv.Atoi(digits)
	if err != nil || minorErr != nil {
		return false
	}
	return has > major || has == major && hasMinor >= minor
}

// ServerBuild describes the build of a server.
type ServerBuild struct {
	Version               string        `json:"version"`
	MarketplaceAPIVersion string        `json:"marketplaceApiVersion,omitzero"`
	Build                 ServerMachine `json:"build"`
	Commit                ServerCommit  `json:"commit"`

	// Extra holds members that this version of the package does not know.
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

	// Extra holds members that this version of the package does not know.
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

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// MinimumClientVersions are the oldest clients that a server works with.
type MinimumClientVersions struct {
	Desktop string `json:"desktop,omitzero"`
	Mobile  string `json:"mobile,omitzero"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// SupportedVersions is the vendor's statement on which versions are supported.
type SupportedVersions struct {
	Signed string `json:"signed"` // a JSON web token

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// PasswordPolicy is the set of rules of a server for passwords.
type PasswordPolicy struct {
	Enabled bool           `json:"enabled"`
	Rules   []PasswordRule `json:"policy"`

	// Extra holds members that this version of the package does not know.
	Extra map[string]any `json:",embed,inline"`
}

// Rule returns the rule with the given key.
func (p *PasswordPolicy) Rule(key PasswordRuleKey) (rule PasswordRule, ok bool) {
	i := slices.IndexFunc(p.Rules, func(r PasswordRule) bool { return r.Key == key })
	if i < 0 {
		return PasswordRule{}, false
	}
	return p.Rules[i], true
}

// PasswordRuleKey identifies a rule.
type PasswordRuleKey string

// The rules for passwords. Those with a limit have a [PasswordRule.Limit].
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

// PasswordRule is a rule for passwords.
type PasswordRule struct {
	Key PasswordRuleKey
	// Params holds the numbers of the rule by name. Limit is the usual way to read them.
	Params map[string]any
}

// Limit returns the number of the rule, or 0 if it has none.
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
	if err := json.Unmarshal(data, &parts, decodeOptions); err != nil {
		return err
	}
	*r = PasswordRule{}
	for i, into := range []any{&r.Key, &r.Params}[:min(2, len(parts))] {
		if err := json.Unmarshal(parts[i], into, decodeOptions); err != nil {
			return err
		}
	}
	return nil
}

// Info returns the server's version and, for callers with view-statistics, more. A client
// that has credentials sends them. The call is not rate limited.
//
//   - GET /api/info.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrUnreachable].
//   - In all server versions.
func (s *ServerService) Info(ctx context.Context, callOpts ...CallOption) (*ServerInfo, error) {
	return do[*ServerInfo](ctx, s.client, get("info").at("/api/info").open(), callOpts)
}

// PasswordPolicy returns what the server requires of passwords. No credentials are sent.
//
//   - GET /api/v1/pw.getPolicy.
//   - Permission: none.
//   - Second factor: not asked for.
//   - Retried if the response is lost.
//   - Errors: [ErrRateLimited].
//   - In all server versions.
func (s *ServerService) PasswordPolicy(ctx context.Context, callOpts ...CallOption) (*PasswordPolicy, error) {
	return do[*PasswordPolicy](ctx, s.client, get("pw.getPolicy").public(), callOpts)
}
