package rocketchattest

import (
	"encoding/json"
	"errors"
	"net/http"
	"path"
)

// methodRoutes are the endpoints that call a method of the server's websocket interface.
func methodRoutes() []route {
	return []route{{
		op: "method.call", method: post, path: api + "method.call/{method}", unlimited: true,
		body: closed(str("message").must()), run: (*call).callMethod,
	}}
}

// methods are the ones that are served, by name.
func methods() map[string]func(*call, []any) (any, error) {
	return map[string]func(*call, []any) (any, error){
		"2fa:enable":            func(c *call, _ []any) (any, error) { return c.enableTOTP() },
		"2fa:validateTempToken": func(c *call, params []any) (any, error) { return c.confirmTOTP(firstText(params)) },
		"2fa:disable":           func(c *call, params []any) (any, error) { return c.dropTOTP(firstText(params)), nil },
		"2fa:regenerateCodes": func(c *call, params []any) (any, error) {
			if codes := c.renewTOTPCodes(firstText(params)); codes != nil {
				return fields{"codes": codes}, nil
			}
			return nil, nil // a wrong code has no result
		},
		"2fa:checkCodesRemaining": func(c *call, _ []any) (any, error) { return c.totpCodesRemaining() },
	}
}

// callMethod is method.call: the method and its parameters are in a message, and so are result and error.
func (c *call) callMethod() (any, error) {
	var message struct {
		ID     any    `json:"id"`
		Method string `json:"method"`
		Params []any  `json:"params"`
	}
	if json.Unmarshal([]byte(c.body.str("message")), &message) != nil {
		return nil, plain("Invalid message")
	}
	answer := methodAnswer{Message: "result", ID: message.ID}
	run, known := methods()[message.Method]
	var err error
	switch {
	case !known || message.Method != path.Base(c.r.URL.Path):
		answer.Error = methodError{
			ClientSafe: true, Code: http.StatusNotFound, Reason: "Method '" + message.Method + "' not found",
			Message: "Method '" + message.Method + "' not found [404]", Type: "Meteor.Error",
		}
	default:
		answer.Result, err = run(c, message.Params)
	}
	if f, ok := errors.AsType[*failure](err); ok {
		refused, _ := f.body.(failed)
		answer.Error = methodError{
			ClientSafe: true, Code: refused.ErrorType, Reason: refused.reason(), Details: refused.Details, Message: refused.Error, Type: "Meteor.Error",
		}
	} else if err != nil {
		return nil, err
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	if answer.Error != nil {
		return nil, &failure{http.StatusBadRequest, fields{"message": string(b), "success": false}}
	}
	return fields{"message": string(b)}, nil
}

type methodAnswer struct {
	Message string `json:"msg"`
	ID      any    `json:"id"`
	Error   any    `json:"error,omitempty"`
	Result  any    `json:"result,omitempty"`
}

type methodError struct {
	ClientSafe bool    `json:"isClientSafe"`
	Code       any     `json:"error"`
	Reason     string  `json:"reason,omitempty"`
	Details    details `json:"details,omitempty"`
	Message    string  `json:"message"`
	Type       string  `json:"errorType"`
}

func firstText(params []any) string {
	if len(params) == 0 {
		return ""
	}
	s, _ := params[0].(string)
	return s
}
