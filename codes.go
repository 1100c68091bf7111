package rocketchat

import (
	"net/http"
	"strings"
	"sync"
)

// The codes of servers that the library knows. Servers send others, too.
const (
	CodeTOTPRequired           Code = "totp-required"
	CodeTOTPInvalid            Code = "totp-invalid"
	CodeTOTPMaxAttempts        Code = "totp-max-attempts"
	CodeTOTPUserNotFound       Code = "totp-user-not-found"
	CodeInvalidTOTP            Code = "invalid-totp"
	CodeInvalidCode            Code = "error-invalid-code"
	CodeTwoFactorNotEnabled    Code = "error-two-factor-not-enabled"
	CodeTwoFactorEnabled       Code = "error-2fa-already-enabled"
	CodeChallengeNotFound      Code = "error-challenge-not-found"
	CodeChallengeExpired       Code = "error-challenge-expired"
	CodeUserLastOwner          Code = "user-last-owner"
	CodeTooManyRequests        Code = "error-too-many-requests"
	CodeTooManyRequestsLegacy  Code = "too-many-requests"
	CodeLoginBlockedForUser    Code = "error-login-blocked-for-user"
	CodeLoginBlockedForIP      Code = "error-login-blocked-for-ip"
	CodeUserNotActivated       Code = "error-user-is-not-activated"
	CodeAppUserNotAllowed      Code = "error-app-user-is-not-allowed-to-login"
	CodeInvalidUser            Code = "error-invalid-user"
	CodeUserNotFound           Code = "error-user-not-found"
	CodeTokenNotFound          Code = "error-token-does-not-exists"
	CodeTokenExists            Code = "error-token-already-exists" //nolint:gosec // no credentials
	CodeRoleNotFound           Code = "error-role-not-found"
	CodeInvalidRoleID          Code = "error-invalid-roleId"
	CodeInvalidDesiredUser     Code = "error-invalid-desired-user"
	CodeUserNotInRole          Code = "error-user-not-in-role"
	CodeUserAlreadyInRole      Code = "error-user-already-in-role"
	CodeRoleInUse              Code = "error-role-in-use"
	CodeRoleProtected          Code = "error-role-protected"
	CodeDuplicateRoleNames     Code = "error-duplicate-role-names-not-allowed"
	CodeAdminRequired          Code = "error-admin-required"
	CodeCustomStatusInvalid    Code = "Custom_User_Status_Error_Invalid_User_Status"
	CodeCustomStatusNameTaken  Code = "Custom_User_Status_Error_Name_Already_In_Use"
	CodeInvalidRoom            Code = "error-invalid-room"
	CodeFieldUnavailable       Code = "error-field-unavailable"
	CodeCouldNotSaveIdentity   Code = "error-could-not-save-identity"
	CodeBlockedUsername        Code = "error-blocked-username"
	CodeExtensionNotAvailable  Code = "error-extension-not-available"
	CodeUnauthorized           Code = "error-unauthorized"
	CodeUnauthorizedLegacy     Code = "unauthorized"
	CodeForbidden              Code = "error-forbidden"
	CodeForbiddenLegacy        Code = "forbidden"
	CodeNotAuthorized          Code = "error-not-authorized"
	CodeNotAuthorizedLegacy    Code = "not-authorized"
	CodeNotAuthorizedSnake     Code = "not_authorized"
	CodeNotAllowed             Code = "error-not-allowed"
	CodeActionNotAllowed       Code = "error-action-not-allowed"
	CodeStatusNotAllowed       Code = "error-status-not-allowed"
	CodeRegistrationDisabled   Code = "error-user-registration-disabled"
	CodeRegistrationSecret     Code = "error-user-registration-secret"
	CodeRegistrationField      Code = "error-user-registration-custom-field"
	CodeUserFederated          Code = "error-user-is-federated"
	CodeEditFederatedUser      Code = "Edit_Federated_User_Not_Allowed"
	CodeInvalidParams          Code = "invalid-params"
	CodeErrorInvalidParams     Code = "error-invalid-params"
	CodeInvalidSort            Code = "error-invalid-sort"
	CodeInvalidDate            Code = "error-invalid-date"
	CodeInvalidDomain          Code = "error-invalid-domain"
	CodeInvalidIdleTimeLimit   Code = "invalid-idle-time-limit-value"
	CodeFieldRequired          Code = "error-the-field-is-required"
	CodeInvalidField           Code = "error-input-is-not-a-valid-field"
	CodeAvatarInvalidURL       Code = "error-avatar-invalid-url"
	CodeAvatarURLHandling      Code = "error-avatar-url-handling"
	CodeFileTooLarge           Code = "error-file-too-large"
	CodePasswordPolicyNotMet   Code = "error-password-policy-not-met"
	CodePasswordSameAsCurrent  Code = "error-password-same-as-current"
	CodePasswordInHistory      Code = "error-password-in-history"
	CodeBioTooLong             Code = "error-bio-size-exceeded"
	CodeNicknameTooLong        Code = "error-nickname-size-exceeded"
	CodeUserParamNotProvided   Code = "error-user-param-not-provided"
	CodeParamNotProvided       Code = "error-param-not-provided"
	CodeParameterRequired      Code = "error-parameter-required"
	CodeEmailSendFailed        Code = "error-email-send-failed"
	CodeEmailDomainBlacklisted Code = "error-email-domain-blacklisted"
)

// classOfCode maps codes to classes.
var classOfCode = sync.OnceValue(func() map[Code]Class { //nolint:gochecknoglobals // it is never changed
	byCode := make(map[Code]Class)
	for class, codes := range map[Class][]Code{
		ErrSecondFactorRequired: {CodeTOTPRequired},
		ErrSecondFactorInvalid:  {CodeTOTPInvalid, CodeTOTPMaxAttempts, CodeInvalidTOTP, CodeInvalidCode},
		ErrLastOwner:            {CodeUserLastOwner},
		ErrRateLimited:          {CodeTooManyRequests, CodeTooManyRequestsLegacy},
		ErrUnauthorized:         {CodeLoginBlockedForUser, CodeLoginBlockedForIP, CodeUserNotActivated, CodeAppUserNotAllowed},
		ErrNotFound: {
			CodeInvalidUser, CodeUserNotFound, CodeTOTPUserNotFound, CodeTokenNotFound, CodeRoleNotFound, CodeInvalidRoleID,
			CodeInvalidDesiredUser, CodeUserNotInRole, CodeCustomStatusInvalid, CodeChallengeNotFound, CodeInvalidRoom,
		},
		ErrTaken: {
			CodeFieldUnavailable, CodeCouldNotSaveIdentity, CodeTokenExists, CodeBlockedUsername, CodeUserAlreadyInRole,
			CodeExtensionNotAvailable, CodeCustomStatusNameTaken, CodeDuplicateRoleNames, CodeRoleInUse, CodeTwoFactorEnabled,
		},
		ErrForbidden: {
			CodeUnauthorized, CodeUnauthorizedLegacy, CodeForbidden, CodeForbiddenLegacy, CodeNotAuthorized, CodeNotAuthorizedLegacy,
			CodeNotAuthorizedSnake, CodeNotAllowed, CodeActionNotAllowed, CodeStatusNotAllowed, CodeRegistrationDisabled,
			CodeRegistrationSecret, CodeUserFederated, CodeEditFederatedUser, CodeRoleProtected, CodeAdminRequired,
		},
		ErrInvalid: {
			CodeInvalidParams, CodeFieldRequired, CodeInvalidField, CodeAvatarInvalidURL, CodeAvatarURLHandling, CodeFileTooLarge,
			CodePasswordPolicyNotMet, CodePasswordSameAsCurrent, CodePasswordInHistory, CodeBioTooLong, CodeNicknameTooLong,
			CodeRegistrationField, CodeUserParamNotProvided, CodeParamNotProvided, CodeParameterRequired, CodeTwoFactorNotEnabled,
			CodeChallengeExpired, CodeEmailDomainBlacklisted,
		},
	} {
		for _, code := range codes {
			byCode[code] = class
		}
	}
	return byCode
})

// classOf returns the class of a code, or "" if the code does not determine it.
func classOf(code Code) Class {
	if class, ok := classOfCode()[code]; ok {
		return class
	}
	if strings.HasPrefix(string(code), "error-invalid-") || strings.HasPrefix(string(code), "invalid-") {
		return ErrInvalid
	}
	return ""
}

// textRule gives the class of a failure by its text, where servers send no code, or one
// code for different things. The empty op and code match all.
type textRule struct {
	class Class
	op    string
	code  Code
	match func(text, pattern string) bool
	text  string
}

func equals(text, pattern string) bool { return text == pattern }

// textRules are tried in order.
var textRules = sync.OnceValue(func() []textRule { //nolint:gochecknoglobals // it is never changed
	return []textRule{
		{ErrInvalid, "", CodeActionNotAllowed, strings.Contains, "invalid role id"},
		{ErrInvalid, "", CodeInvalidUser, strings.Contains, "verify your emails"},
		{ErrTaken, "users.create", "", strings.HasPrefix, "Username already exists."},
		{ErrTaken, "users.create", "", strings.HasPrefix, "Email already exists."},
		{ErrTaken, "users.create", "", strings.HasPrefix, "Something went wrong. Please check your credentials."}, // another call created the name first
		{ErrNotFound, "", "", strings.HasPrefix, "User not found"},
		{ErrNotFound, "", "", strings.HasPrefix, "No custom user status found"},
		{ErrNotFound, "", "", equals, "No username suggestion found"},
		{ErrTaken, "", "", equals, "Username is already in use"},
		{ErrTaken, "", "", equals, "Email already exists"},
		{ErrInvalid, "", "", strings.HasPrefix, "Match error"},
		{ErrInvalid, "", "", equals, "Invalid search query."},
		{ErrInvalid, "", "", equals, "Name contains invalid characters"},
		{ErrInvalid, "", "", equals, "The username provided is not valid"},
		{ErrInvalid, "", "", equals, "error-invalid-role-properties"},
		{ErrInvalid, "", "", equals, "Please verify the parameters"},
		{ErrInvalid, "", "", equals, "Invalid query parameters"},
		{ErrInvalid, "", "", equals, "Verify email link expired"},
		{ErrInvalid, "", "", equals, "[No file uploaded]"},
		{ErrInvalid, "", "", strings.HasPrefix, "The 'tokenName' param"},
		{ErrInvalid, "", "", strings.HasPrefix, "The 'email' param"},
		{ErrInvalid, "", "", strings.HasSuffix, "is not valid JSON"},
		{ErrForbidden, "", "", equals, "Logged in users can not register again."},
		{ErrForbidden, "", "", equals, "Password reset is not enabled"},
	}
})

func (r textRule) matches(op string, e *Error) bool {
	return (r.op == "" || r.op == op) && (r.code == "" || r.code == e.Code) && r.match(e.Message, r.text)
}

// classify finds the class of an answer from its status, its text and its code.
func classify(c *call, e *Error) Class {
	switch status := c.answer.status; {
	case status == http.StatusTooManyRequests:
		return ErrRateLimited
	case status == http.StatusNotFound && c.picture:
		return ErrNotFound
	case c.op == "users.getPreferences" && e.Code == "" && status == http.StatusBadRequest: // none are set; the text is translated
		return ErrNotFound
	}
	for _, rule := range textRules() {
		if c.answer.status != http.StatusUnauthorized && rule.matches(c.op, e) {
			return rule.class
		}
	}
	class := classOf(e.Code)
	if c.answer.status == http.StatusUnauthorized && class != ErrSecondFactorRequired && class != ErrSecondFactorInvalid {
		return ErrUnauthorized
	}
	if class != "" {
		return class
	}
	switch status := c.answer.status; {
	case status == http.StatusForbidden:
		return ErrForbidden
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return ErrEndpointUnknown
	case status >= http.StatusInternalServerError:
		return ErrServer
	}
	return ""
}
