package rocketchattest

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// defaultSettings are the server's own settings that change answers, with the values of a fresh server. A setting that is
// missing here is off, empty or zero.
func defaultSettings(played version) map[string]any {
	minLength, guarded := 7, since(v(8, 1)).holds(played)
	if guarded {
		minLength = 14
	}
	settings := map[string]any{
		"Accounts_AllowUserProfileChange":                                  true,
		"Accounts_AllowUsernameChange":                                     true,
		"Accounts_AllowRealNameChange":                                     true,
		"Accounts_AllowEmailChange":                                        true,
		"Accounts_AllowPasswordChange":                                     true,
		"Accounts_AllowUserStatusMessageChange":                            true,
		"Accounts_AllowUserAvatarChange":                                   true,
		"Accounts_AllowInvisibleStatusOption":                              true,
		"Accounts_AllowAnonymousRead":                                      false,
		"Accounts_AllowDeleteOwnAccount":                                   false,
		"Accounts_AvatarBlockUnauthenticatedAccess":                        guarded,
		"Accounts_AvatarCacheTime":                                         3600,
		"Accounts_AvatarResize":                                            true,
		"UI_Use_Name_Avatar":                                               false,
		"Accounts_AllowedDomainsList":                                      "",
		"Accounts_BlockedDomainsList":                                      "",
		"Accounts_Registration_Users_Default_Roles":                        "user",
		"Accounts_BlockedUsernameList":                                     "admin,administrator,system,user",
		"Accounts_CustomFields":                                            "",
		"Accounts_DefaultUsernamePrefixSuggestion":                         "user",
		"Accounts_EmailVerification":                                       false,
		"Accounts_LoginExpiration":                                         90,
		"Accounts_ManuallyApproveNewUsers":                                 false,
		"Accounts_Password_Policy_Enabled":                                 guarded,
		"Accounts_Password_Policy_MinLength":                               minLength,
		"Accounts_Password_Policy_MaxLength":                               -1,
		"Accounts_Password_Policy_ForbidRepeatingCharacters":               true,
		"Accounts_Password_Policy_ForbidRepeatingCharactersCount":          3,
		"Accounts_Password_Policy_AtLeastOneLowercase":                     true,
		"Accounts_Password_Policy_AtLeastOneUppercase":                     true,
		"Accounts_Password_Policy_AtLeastOneNumber":                        true,
		"Accounts_Password_Policy_AtLeastOneSpecialCharacter":              true,
		"Accounts_Password_History_Enabled":                                false,
		"Accounts_Password_History_Amount":                                 5,
		"Accounts_PasswordReset":                                           true,
		"Accounts_RegistrationForm":                                        "Public",
		"Accounts_RegistrationForm_SecretURL":                              "",
		"Accounts_RequireNameForSignUp":                                    true,
		"Accounts_SearchFields":                                            "username, name, bio, nickname",
		"Accounts_TwoFactorAuthentication_Enabled":                         false,
		"Accounts_TwoFactorAuthentication_By_Email_Enabled":                true,
		"Accounts_TwoFactorAuthentication_By_Email_Auto_Opt_In":            true,
		"Accounts_TwoFactorAuthentication_By_TOTP_Enabled":                 true,
		"Accounts_TwoFactorAuthentication_By_Email_Code_Expiration":        3600,
		"Accounts_TwoFactorAuthentication_Enforce_Password_Fallback":       true,
		"Accounts_TwoFactorAuthentication_Max_Invalid_Email_Code_Attempts": 5,
		"Accounts_TwoFactorAuthentication_MaxDelta":                        1,
		"Accounts_TwoFactorAuthentication_RememberFor":                     0,
		"API_Allow_Infinite_Count":                                         true,
		"API_Apply_permission_view-outside-room_on_users-list":             false,
		"API_Default_Count":                                                50,
		"API_Upper_Count_Limit":                                            100,
		"API_Enable_Rate_Limiter":                                          true,
		"API_Enable_Rate_Limiter_Limit_Calls_Default":                      10,
		"API_Enable_Rate_Limiter_Limit_Time_Default":                       60000,
		"Rate_Limiter_Limit_RegisterUser":                                  1,
		"Block_Multiple_Failed_Logins_Enabled":                             true,
		"Block_Multiple_Failed_Logins_By_User":                             true,
		"Block_Multiple_Failed_Logins_Attempts_Until_Block_by_User":        10,
		"Block_Multiple_Failed_Logins_Time_To_Unblock_By_User_In_Minutes":  5,
		"Block_Multiple_Failed_Logins_By_Ip":                               true,
		"Block_Multiple_Failed_Logins_Attempts_Until_Block_By_Ip":          50,
		"Block_Multiple_Failed_Logins_Time_To_Unblock_By_Ip_In_Minutes":    5,
		"FileUpload_MaxFileSize":                                           104857600,
		"Presence_broadcast_disabled":                                      false,
		"Site_Url":                                                         "",
		"SMTP_Host":                                                        "",
		"UTF8_User_Names_Validation":                                       "[0-9a-zA-Z-_.]+",
		"VoIP_TeamCollab_Enabled":                                          false,
		"VoIP_TeamCollab_SIP_Integration_Enabled":                          false,
		"Accounts_Registration_InviteUrlType":                              "proxy",
		"Push_enable":                                                      true,
		"Push_gateway":                                                     defaultPushGateway,
		"UTF8_Channel_Names_Validation":                                    "[0-9a-zA-Z-_.]+",
	}
	for name, value := range defaultPreferences(played) {
		settings[defaultPreference+name] = value
	}
	return settings
}

func (db *database) enabled(setting string) bool { v, _ := db.settings[setting].(bool); return v }

func (db *database) text(setting string) string { v, _ := db.settings[setting].(string); return v }

func (db *database) integer(setting string) int { return int(db.number(setting)) }

func (db *database) number(setting string) float64 {
	switch v := db.settings[setting].(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case float64:
		return v
	case string:
		n, _ := strconv.ParseFloat(v, 64)
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
	name      string
	Type      string   `json:"type"`
	Required  bool     `json:"required"`
	MinLength int      `json:"minLength"`
	MaxLength int      `json:"maxLength"`
	Options   []string `json:"options"`
	Public    bool     `json:"public"`
}

// customFields are the definitions of the setting Accounts_CustomFields in its order, nil when there are none.
func (db *database) customFields() []customField {
	decoder := json.NewDecoder(strings.NewReader(db.text("Accounts_CustomFields")))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	defined := []customField{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil
		}
		var field customField
		if decoder.Decode(&field) != nil {
			return nil
		}
		field.name, _ = name.(string)
		defined = append(defined, field)
	}
	return defined
}

// checkCustomFields refuses values that break a definition. A choice must be made even where the field is not required.
func (db *database) checkCustomFields(values map[string]any) error {
	const code = "error-user-registration-custom-field"
	where := fields{"method": "registerUser"}
	for _, def := range db.customFields() {
		value, _ := values[def.name].(string)
		length := len([]rune(value))
		switch {
		case def.Required && (values[def.name] == nil || values[def.name] == ""):
			return coded(code, "Field "+def.name+" is required", where)
		case def.Type == "select" && !slices.Contains(def.Options, value):
			return coded(code, "Value for field "+def.name+" is invalid", where)
		case def.MaxLength > 0 && length > def.MaxLength:
			return coded(code, "Max length of field "+def.name+" "+strconv.Itoa(def.MaxLength), where)
		case def.MinLength > 0 && length > 0 && length < def.MinLength:
			return coded(code, "Min length of field "+def.name+" "+strconv.Itoa(def.MinLength), where)
		}
	}
	return nil
}

// setCustomFields stores the defined fields of values and tells whether there were any. Old servers replace what was stored, with
// null for what is missing; later ones merge.
func (db *database) setCustomFields(u *account, values map[string]any) (changed bool) {
	defined := db.customFields()
	if defined == nil {
		return true
	}
	merge := db.does(mergesCustomFields)
	stored := map[string]any{}
	if merge {
		maps.Copy(stored, u.customFields)
	}
	for _, def := range defined {
		value, sent := values[def.name]
		if sent || !merge {
			stored[def.name] = value
		}
		changed = changed || sent || !merge
	}
	u.customFields = stored
	return changed
}

// saveCustomFields is setCustomFields where nothing else is saved with them: then values without a definition are an error.
func (db *database) saveCustomFields(u *account, values map[string]any) error {
	if !db.setCustomFields(u, values) {
		return plain("No changes to update")
	}
	return nil
}

// visibleCustomFields are the stored values of the fields that are defined now; strangers see the public ones.
func (db *database) visibleCustomFields(u *account, stranger bool) map[string]any {
	visible := map[string]any{}
	for _, def := range db.customFields() {
		if value, ok := u.customFields[def.name]; ok && (def.Public || !stranger) {
			visible[def.name] = value
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
	const text, code = "The password provided does not meet the server's password policy.", "error-password-policy-not-met"
	if strings.TrimSpace(password) == "" {
		return typed(text, code, nil)
	}
	lower := func(r rune) bool { return r >= 'a' && r <= 'z' }
	upper := func(r rune) bool { return r >= 'A' && r <= 'Z' }
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	special := func(r rune) bool { return !lower(r) && !upper(r) && !digit(r) && r != ' ' }
	lacks := func(rule string, wanted func(rune) bool) bool {
		return db.enabled(policy+"AtLeastOne"+rule) && !strings.ContainsFunc(password, wanted)
	}
	longest := db.integer(policy + "MaxLength")
	var reasons []fields
	for _, rule := range []struct {
		broken        bool
		code, message string
	}{
		{utf8.RuneCountInString(password) < db.integer(policy+"MinLength"), "minLength", "does not meet the minimum length"},
		{longest > 0 && utf8.RuneCountInString(password) > longest, "maxLength", "does not meet the maximum length"},
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
	return typed(text, code, reasons)
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
	if longest := c.integer(policy + "MaxLength"); longest > 0 {
		rules = append(rules, []any{"get-password-policy-maxLength", fields{"maxLength": longest}})
	}
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

// getSetting is GET settings/{_id}.
func (c *call) getSetting() (any, error) {
	name := path.Base(c.r.URL.Path)
	in := c.settingsWith(name)
	if in == nil {
		return nil, plain("")
	}
	return fields{"_id": name, "value": in[name]}, nil
}

// setSetting is POST settings/{_id}.
func (c *call) setSetting() (any, error) {
	name := path.Base(c.r.URL.Path)
	value, given := c.body["value"]
	in := c.settingsWith(name)
	if in == nil || !given {
		return nil, plain("")
	}
	in[name] = value
	return nil, nil
}

// settingsWith returns the settings that contain a name: those that have an effect, or the
// others. It returns nil if the name is unknown.
func (db *database) settingsWith(name string) map[string]any {
	for _, settings := range []map[string]any{db.settings, db.otherSettings} {
		if _, known := settings[name]; known {
			return settings
		}
	}
	return nil
}
