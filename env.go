package rocketchat

import (
	"os"
	"slices"
	"strconv"
)

// FromEnv returns a client that is configured by the environment:
//
//	ROCKETCHAT_URL         address of the server; required
//	ROCKETCHAT_USER_ID     with ROCKETCHAT_TOKEN: see WithToken
//	ROCKETCHAT_TOKEN       a login token or a personal access token
//	ROCKETCHAT_USER        with ROCKETCHAT_PASSWORD: see WithLogin
//	ROCKETCHAT_PASSWORD    the password of the account
//	ROCKETCHAT_PLAIN_HTTP  true allows an http address; see WithPlainHTTP
//
// A token takes precedence over a password. The password also answers when the server
// asks for it as a second factor, even for calls with a token. The options are applied
// after the environment.
func FromEnv(opts ...Option) (*Client, error) {
	env, err := fromEnv(os.Getenv)
	if err != nil {
		return nil, err
	}
	return New(os.Getenv("ROCKETCHAT_URL"), slices.Concat(env, opts)...)
}

func fromEnv(get func(string) string) ([]Option, error) {
	userID, token := get("ROCKETCHAT_USER_ID"), get("ROCKETCHAT_TOKEN")
	user, password := get("ROCKETCHAT_USER"), get("ROCKETCHAT_PASSWORD")
	fault := func(name, text string) ([]Option, error) { return nil, invalid("", name, text) }
	var opts []Option
	if plain := get("ROCKETCHAT_PLAIN_HTTP"); plain != "" {
		allowed, err := strconv.ParseBool(plain)
		if err != nil {
			return fault("ROCKETCHAT_PLAIN_HTTP", "must be true or false")
		}
		if allowed {
			opts = append(opts, WithPlainHTTP())
		}
	}
	switch {
	case get("ROCKETCHAT_URL") == "":
		return fault("ROCKETCHAT_URL", "must be set to the address of the server")
	case userID != "" && token == "":
		return fault("ROCKETCHAT_TOKEN", "must be set together with ROCKETCHAT_USER_ID")
	case token != "" && userID == "":
		return fault("ROCKETCHAT_USER_ID", "must be set together with ROCKETCHAT_TOKEN")
	case user != "" && password == "" && token == "":
		return fault("ROCKETCHAT_PASSWORD", "must be set together with ROCKETCHAT_USER")
	case token != "":
		opts = append(opts, WithToken(userID, token))
	case user != "":
		opts = append(opts, WithLogin(user, password))
	}
	if password != "" {
		opts = append(opts, WithTwoFactor(AnswerWithPassword(NewSecret(password))))
	}
	return opts, nil
}
