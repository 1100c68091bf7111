package rocketchattest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Mistakes in tests must not pass silently: a misspelled setting would have no effect, and
// the test would test nothing.

// check refuses an impossible configuration.
func (c *config) check() (version, error) {
	v, err := parseVersion(c.version)
	if err != nil {
		return v, err
	}
	var wrong []error
	known := defaultSettings(v)
	for name, value := range c.settings {
		wrong = append(wrong, checkSetting(known, name, value))
	}
	for name := range c.environment {
		if !slices.Contains(variables(), name) {
			wrong = append(wrong, fmt.Errorf("environment variable %q: has no effect on this server", name))
		}
	}
	if c.latency < 0 {
		wrong = append(wrong, fmt.Errorf("latency %v: must not be negative", c.latency))
	}
	if c.calls < 0 || c.calls > 0 && c.window <= 0 {
		wrong = append(wrong, fmt.Errorf("limit of %d calls in %v: both must be positive; with 0 calls there is no limit", c.calls, c.window))
	}
	slices.SortFunc(wrong, func(a, b error) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return v, errors.Join(wrong...)
}

// variables are the variables of the environment that have an effect here.
func variables() []string {
	return []string{"CREATE_TOKENS_FOR_USERS", "CREATE_TOKENS_FOR_USERS_SECRET", unsafeParameters, testModeVariable}
}

// checkSetting refuses a setting that is not among the known ones, and a value of another kind.
func checkSetting(known map[string]any, name string, value any) error {
	usual, ok := known[name]
	_, idle := otherSettings()[name]
	switch {
	case idle:
		return fmt.Errorf("setting %q: has no effect on this server", name)
	case !ok:
		return fmt.Errorf("setting %q: does not exist", name)
	case kindOfSetting(value) != kindOfSetting(usual):
		return fmt.Errorf("setting %q: %T, want %s", name, value, kindOfSetting(usual))
	}
	return nil
}

func kindOfSetting(value any) kind {
	switch value.(type) {
	case int, int64, float64:
		return kindNumber
	}
	return kindOfValue(value)
}

// must panics on a mistake in a test.
func must(err error) {
	if err != nil {
		panic("rocketchattest: " + err.Error())
	}
}
