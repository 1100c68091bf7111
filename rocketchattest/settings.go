package rocketchattest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// defaultSettings are the server's own settings that change answers, with the values of a fresh server. A setting that is
// missing here is off, empty or zero.
func defaultSettings(v version) map[string]any {
	return map[string]any{
		"Accounts_AllowUserProfileChange":                                 true,
		"Accounts_AllowUsernameChange":                                    true,
		"Accounts_AllowRealNameChange":                                    true,
		"Accounts_AllowEmailChange":                                       true,
		"Accounts_AllowPasswordChange":                                    true,
		"Accounts_AllowUserStatusMessageChange":                           true,
		"Accounts_AllowUserAvatarChange":                                  true,
		"Accounts_AllowInvisibleStatusOption":                             true,
		"Accounts_AllowDeleteOwnAccount":                                  false,
		"Accounts_AvatarBlockUnauthenticatedAccess":                       false,
		"Accounts_BlockedDomainsList":                                     "",
		"Accounts_BlockedUsernameList":                                    "admin,administrator,system,user",
		"Accounts_CustomFields":                                           "",
		"Accounts_DefaultUsernamePrefixSuggestion":                        "user",
		"Accounts_EmailVerification":                                      false,
		"Accounts_LoginExpiration":                                        90,
		"Accounts_ManuallyApproveNewUsers":                                false,
		"Accounts_Password_Policy_Enabled":                                v.atLeast(8, 1),
		"Accounts_Password_Policy_MinLength":                              14,
		"Accounts_Password_Policy_ForbidRepeatingCharacters":              true,
		"Accounts_Password_Policy_ForbidRepeatingCharactersCount":         3,
		"Accounts_Password_Policy_AtLeastOneLowercase":                    true,
		"Accounts_Password_Policy_AtLeastOneUppercase":                    true,
		"Accounts_Password_Policy_AtLeastOneNumber":                       true,
		"Accounts_Password_Policy_AtLeastOneSpecialCharacter":             true,
		"Accounts_PasswordReset":                                          true,
		"Accounts_RegistrationForm":                                       "Public",
		"Accounts_RegistrationForm_SecretURL":                             "",
		"Accounts_RequireNameForSignUp":                                   true,
		"Accounts_SearchFields":                                           "username, name, bio, nickname",
		"Accounts_TwoFactorAuthentication_Enabled":                        false,
		"Accounts_TwoFactorAuthentication_By_Email_Enabled":               true,
		"Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In":           false,
		"Accounts_TwoFactorAuthentication_By_Email_Code_Expiration":       3600,
		"Accounts_TwoFactorAuthentication_Enforce_Password_Fallback":      true,
		"Accounts_TwoFactorAuthentication_Max_Invalid_Email_OTP_Attempts": 5,
		"Accounts_TwoFactorAuthentication_MaxDelta":                       1,
		"Accounts_TwoFactorAuthentication_RememberFor":                    0,
		"API_Allow_Infinite_Count":                                        true,
		"API_Apply_permission_view-outside-room_on_users-list":            false,
		"API_Default_Count":                                               50,
		"API_Upper_Count_Limit":                                           100,
		"API_Enable_Rate_Limiter":                                         true,
		"API_Enable_Rate_Limiter_Limit_Calls_Default":                     10,
		"API_Enable_Rate_Limiter_Limit_Time_Default":                      60000,
		"Rate_Limiter_Limit_RegisterUser":                                 1,
		"Block_Multiple_Failed_Logins_Enabled":                            true,
		"Block_Multiple_Failed_Logins_By_User":                            true,
		"Block_Multiple_Failed_Logins_Attempts_Until_Block_by_User":       10,
		"Block_Multiple_Failed_Logins_Time_To_Unblock_By_User_In_Minutes": 5,
		"Block_Multiple_Failed_Logins_By_Ip":                              true,
		"Block_Multiple_Failed_Logins_Attempts_Until_Block_By_Ip":         50,
		"Block_Multiple_Failed_Logins_Time_To_Unblock_By_Ip_In_Minutes":   5,
		"FileUpload_MaxFileSize":                                          104857600,
		"Presence_broadcast_disabled":                                     false,
		"Site_Url":                                                        "",
		"SMTP_Host":                                                       "",
		"UTF8_User_Names_Validation":                                      "[0-9a-zA-Z-_.]+",
		"VoIP_TeamCollab_Enabled":                                         false,
	}
}

func (db *database) enabled(setting string) bool { v, _ := db.settings[setting].(bool); return v }

func (db *database) text(setting string) string { v, _ := db.settings[setting].(string); return v }

func (db *database) integer(setting string) int {
	switch v := db.settings[setting].(type) {
	case int:
		return v
	case int64:
		return int(v)
	case float64:
		return int(v)
	case string:
		n, _ := strconv.Atoi(v)
		return n
	}
	return 0
}

// csv reads a setting that is a list of words.
func (db *database) csv(setting string) []string {
	var words []string
	for word := range strings.SplitSeq(db.text(setting), ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// customField is the definition of a custom user field.
type customField struct {
	Type      string   `json:"type"`
	Required  bool     `json:"required"`
	MinLength int      `json:"minLength"`
	MaxLength int      `json:"maxLength"`
	Options   []string `json:"options"`
	Public    bool     `json:"public"`
}

// customFields are the definitions of the setting Accounts_CustomFields, nil when there are none.
func (db *database) customFields() map[string]customField {
	source := strings.TrimSpace(db.text("Accounts_CustomFields"))
	if source == "" {
		return nil
	}
	var defined map[string]customField
	if json.Unmarshal([]byte(source), &defined) != nil {
		return nil
	}
	return defined
}

// checkCustomFields refuses values that break a definition; the fields are looked at in order of their names.
func (db *database) checkCustomFields(values map[string]any) error {
	const code = "error-user-registration-custom-field"
	where := fields{"method": "registerUser"}
	defined := db.customFields()
	for _, name := range slices.Sorted(maps.Keys(defined)) {
		def := defined[name]
		value, _ := values[name].(string)
		length := len([]rune(value))
		switch {
		case def.Required && values[name] == nil || def.Required && value == "":
			return coded(code, "Field "+name+" is required", where)
		case value == "":
		case def.Type == "select" && !slices.Contains(def.Options, value):
			return coded(code, "Value for field "+name+" is invalid", where)
		case def.MaxLength > 0 && length > def.MaxLength:
			return coded(code, "Max length of field "+name+" "+strconv.Itoa(def.MaxLength), where)
		case def.MinLength > 0 && length < def.MinLength:
			return coded(code, "Min length of field "+name+" "+strconv.Itoa(def.MinLength), where)
		}
	}
	return nil
}

// setCustomFields stores the defined fields of values. Servers before 7.9.1 replace what was stored, later ones merge.
func (db *database) setCustomFields(u *account, values map[string]any) {
	defined := db.customFields()
	if defined == nil {
		return
	}
	stored := map[string]any{}
	if db.version.atLeast(7, 9, 1) {
		maps.Copy(stored, u.customFields)
	}
	for name := range defined {
		value, sent := values[name]
		_, known := stored[name]
		if sent || !known {
			stored[name] = value
		}
	}
	u.customFields = stored
}

// visibleCustomFields are the stored values of the fields that are defined now; strangers see the public ones.
func (db *database) visibleCustomFields(u *account, stranger bool) map[string]any {
	visible := map[string]any{}
	for name, def := range db.customFields() {
		if value, ok := u.customFields[name]; ok && (def.Public || !stranger) {
			visible[name] = value
		}
	}
	return visible
}

// checkPassword applies the password policy.
func (db *database) checkPassword(password string) error {
	const policy = "Accounts_Password_Policy_"
	if !db.enabled(policy + "Enabled") {
		return nil
	}
	lower := func(r rune) bool { return r >= 'a' && r <= 'z' }
	upper := func(r rune) bool { return r >= 'A' && r <= 'Z' }
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	special := func(r rune) bool { return !lower(r) && !upper(r) && !digit(r) && r != ' ' }
	lacks := func(rule string, wanted func(rune) bool) bool {
		return db.enabled(policy+"AtLeastOne"+rule) && !strings.ContainsFunc(password, wanted)
	}
	var reasons []fields
	for _, rule := range []struct {
		broken        bool
		code, message string
	}{
		{utf8.RuneCountInString(password) < db.integer(policy+"MinLength"), "minLength", "does not meet the minimum length"},
		{
			db.enabled(policy+"ForbidRepeatingCharacters") && longestRun(password) > db.integer(policy+"ForbidRepeatingCharactersCount"),
			"repeatingCharacters", "contains repeating characters which is against the",
		},
		{lacks("Lowercase", lower), "oneLowercase", "does not contain at least one lowercase character which is against the"},
		{lacks("Uppercase", upper), "oneUppercase", "does not contain at least one uppercase character which is against the"},
		{lacks("Number", digit), "oneNumber", "does not contain at least one numerical character which is against the"},
		{lacks("SpecialCharacter", special), "oneSpecial", "does not contain at least one special character which is against the"},
	} {
		if rule.broken {
			reasons = append(reasons, fields{
				"error": "error-password-policy-not-met-" + rule.code, "message": "The password " + rule.message + " password policy.",
			})
		}
	}
	if reasons == nil {
		return nil
	}
	return typed("The password provided does not meet the server's password policy.", "error-password-policy-not-met", reasons)
}

func longestRun(s string) int {
	longest, run, last := 0, 0, rune(-1)
	for _, r := range s {
		if r != last {
			run, last = 0, r
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// passwordPolicy is pw.getPolicy.
func (c *call) passwordPolicy() (any, error) {
	const policy = "Accounts_Password_Policy_"
	if !c.enabled(policy + "Enabled") {
		return fields{"enabled": false, "policy": []any{}}, nil
	}
	rules := []any{[]any{"get-password-policy-minLength", fields{"minLength": c.integer(policy + "MinLength")}}}
	if c.enabled(policy + "ForbidRepeatingCharacters") {
		rules = append(rules, []any{"get-password-policy-forbidRepeatingCharacters"}, []any{
			"get-password-policy-forbidRepeatingCharactersCount",
			fields{"forbidRepeatingCharactersCount": c.integer(policy + "ForbidRepeatingCharactersCount")},
		})
	}
	for _, name := range []string{"Lowercase", "Uppercase", "Number", "SpecialCharacter"} {
		if c.enabled(policy + "AtLeastOne" + name) {
			rules = append(rules, []any{"get-password-policy-mustContainAtLeastOne" + name})
		}
	}
	return fields{"enabled": true, "policy": rules}, nil
}

// info is /api/info: the whole version only for those who may see statistics.
func (c *call) info() (any, error) {
	clients := fields{"desktop": "3.9.6", "mobile": "4.39.0"}
	if !c.may("view-statistics") {
		return fields{"version": c.version.minor(), "minimumClientVersions": clients, "cloudWorkspaceId": ""}, nil
	}
	full := c.version.String()
	return fields{
		"version": full,
		"info": fields{
			"version":               full,
			"build":                 fields{"date": stamp{c.started}, "nodeVersion": "v22.16.0", "arch": "x64", "platform": "linux", "osRelease": "6.1.0", "totalMemory": 16 << 30, "freeMemory": 4 << 30, "cpus": 2},
			"marketplaceApiVersion": "1.52.0",
			"commit":                fields{"hash": strings.Repeat("0", 40), "date": c.started.Format("Mon Jan 2 15:04:05 2006 -0700"), "author": "Release Bot", "subject": "Release " + full, "branch": "HEAD"},
		},
		"minimumClientVersions": clients,
		"cloudWorkspaceId":      "",
	}, nil
}
