package rocketchat

import (
	"net/http"
	"strings"
)

// classOf gives the class of the codes that servers send. What it does not list is
// of no class, unless its status or its form says enough; see classify.
func classOf(code Code) Class {
	switch code {
	case "totp-required":
		return ErrTOTPRequired
	case "totp-invalid", "totp-max-attempts", "invalid-totp", "error-invalid-code":
		return ErrTOTPInvalid
	case "user-last-owner":
		return ErrLastOwner
	case "error-too-many-requests", "too-many-requests":
		return ErrRateLimited
	case "error-login-blocked-for-user", "error-login-blocked-for-ip",
		"error-user-is-not-activated", "error-app-user-is-not-allowed-to-login":
		return ErrUnauthorized
	case "error-invalid-user", "error-user-not-found", "totp-user-not-found", "error-token-does-not-exists",
		"error-role-not-found", "error-invalid-roleId", "error-invalid-desired-user", "error-user-not-in-role",
		"Custom_User_Status_Error_Invalid_User_Status", "error-challenge-not-found", "error-invalid-room":
		return ErrNotFound
	case "error-field-unavailable", "error-could-not-save-identity", "error-token-already-exists", "error-blocked-username",
		"error-user-already-in-role", "error-extension-not-available", "Custom_User_Status_Error_Name_Already_In_Use",
		"error-duplicate-role-names-not-allowed", "error-role-in-use", "error-2fa-already-enabled":
		return ErrTaken
	case "unauthorized", "error-unauthorized", "forbidden", "error-forbidden", "not-authorized", "not_authorized",
		"error-not-authorized", "error-not-allowed", "error-action-not-allowed", "error-status-not-allowed",
		"error-user-registration-disabled", "error-user-registration-secret", "error-user-is-federated",
		"Edit_Federated_User_Not_Allowed", "error-role-protected", "error-admin-required":
		return ErrForbidden
	case "invalid-params", "error-the-field-is-required", "error-input-is-not-a-valid-field", "error-avatar-invalid-url",
		"error-avatar-url-handling", "error-password-policy-not-met", "error-password-same-as-current", "error-password-in-history",
		"error-bio-size-exceeded", "error-nickname-size-exceeded", "error-user-registration-custom-field", "error-user-param-not-provided", "error-param-not-provided",
		"error-file-too-large", "error-parameter-required", "error-two-factor-not-enabled", "error-challenge-expired":
		return ErrInvalid
	}
	if strings.HasPrefix(string(code), "error-invalid-") || strings.HasPrefix(string(code), "invalid-") {
		return ErrInvalid
	}
	return ""
}

// classify finds the class of an answer from its code, its text where servers send no
// code or one code for different things, and its status.
func classify(c *call, e *Error) Class {
	switch text := e.Message; {
	case c.status == http.StatusTooManyRequests:
		return ErrRateLimited
	case c.status == http.StatusNotFound && c.picture:
		return ErrNotFound
	case e.Code == "error-action-not-allowed" && strings.Contains(text, "invalid role id"),
		e.Code == "error-invalid-user" && strings.Contains(text, "verify your emails"):
		return ErrInvalid
	case strings.HasPrefix(text, "User not found"), strings.HasPrefix(text, "No custom user status found"),
		text == "No username suggestion found",
		c.op == "users.getPreferences" && e.Code == "" && c.status == http.StatusBadRequest: // none are set; the text is translated
		return ErrNotFound
	case text == "Username is already in use", text == "Email already exists":
		return ErrTaken
	case strings.HasPrefix(text, "Match error"), text == "Invalid search query.",
		text == "Name contains invalid characters", text == "The username provided is not valid",
		text == "error-invalid-role-properties", text == "Please verify the parameters",
		text == "Invalid query parameters", text == "Verify email link expired", text == "[No file uploaded]",
		strings.HasPrefix(text, "The 'tokenName' param"), strings.HasPrefix(text, "The 'email' param"),
		strings.HasSuffix(text, "is not valid JSON"):
		return ErrInvalid
	case text == "Logged in users can not register again.", text == "Password reset is not enabled":
		return ErrForbidden
	}
	class := classOf(e.Code)
	switch {
	case c.status == http.StatusUnauthorized && class != ErrTOTPRequired && class != ErrTOTPInvalid:
		return ErrUnauthorized
	case class != "":
		return class
	case c.status == http.StatusForbidden:
		return ErrForbidden
	case c.status == http.StatusNotFound, c.status == http.StatusMethodNotAllowed:
		return ErrEndpointUnknown
	case c.status >= http.StatusInternalServerError:
		return ErrServer
	}
	return ""
}
