package rocketchattest

import "strings"

// TestAdmin is the ID, the username and the password of the second administrator of a
// server in test mode; see [WithTestMode].
const TestAdmin = "rocketchat.internal.admin.test"

// WithTestMode starts the server with TEST_MODE=true in its environment, as the server project does for its own tests: there are no
// rate limits, failures carry a stack, and there is a second administrator, [TestAdmin]. The second factor is on, as on a fresh
// server, but only users.updateOwnBasicInfo asks for it.
func WithTestMode() Option {
	return func(c *config) {
		WithEnv(testModeVariable, "true")(c)
		WithSecondFactor()(c)
	}
}

const testModeVariable = "TEST_MODE"

func (db *database) testMode() bool { return db.environment[testModeVariable] == "true" }

// withStack is a failure as servers in test mode send it.
func (f failed) withStack() failed {
	f.Stack = "Error: " + f.Error + "\n    at rocketchattest"
	return f
}

func testAdmin() *account {
	return &account{
		id: TestAdmin, username: TestAdmin, name: "RocketChat Internal Admin Test", kind: "user", roles: []string{"admin"},
		emails: []address{{Address: TestAdmin + "@rocket.chat"}}, status: "offline", passwordHash: digest(TestAdmin),
	}
}

// reason is the text of a failure without its code.
func (f failed) reason() string {
	return strings.TrimSuffix(strings.TrimSuffix(f.Error, "["+f.ErrorType+"]"), " ")
}
