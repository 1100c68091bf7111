package rocketchattest

import (
	"regexp"
	"slices"
	"strings"
)

// filterRule says which fields and operators a filter may name.
type filterRule struct {
	fields    map[string]func(*account) any
	anyField  bool // other fields may be named, but no user has them
	operators []string
}

// unsafeRule is the rule for the parameter query of lists.
func unsafeRule() *filterRule {
	return &filterRule{fields: userFields(), operators: []string{"$and", "$or", "$eq", "$ne", "$exists", "$in", "$nin", "$regex"}}
}

// userFields are the fields that users are sorted and filtered by.
func userFields() map[string]func(*account) any {
	return map[string]func(*account) any{
		"_id":             func(u *account) any { return u.id },
		"username":        func(u *account) any { return u.username },
		"name":            func(u *account) any { return u.name },
		"nameInsensitive": func(u *account) any { return strings.ToLower(u.name) },
		"status":          func(u *account) any { return u.status },
		"active":          func(u *account) any { return u.active },
		"type":            func(u *account) any { return u.kind },
		"bio":             func(u *account) any { return u.bio },
		"nickname":        func(u *account) any { return u.nickname },
		"createdAt":       func(u *account) any { return u.createdAt.UTC().Format(stampFormat) },
		"_updatedAt":      func(u *account) any { return u.updatedAt.UTC().Format(stampFormat) },
		"lastLogin":       func(u *account) any { return optionalDate(u) },
		"emails":          func(u *account) any { return firstEmail(u) },
		"emails.address":  func(u *account) any { return firstEmail(u) },
		"roles":           func(u *account) any { return u.roles },
	}
}

func invalidQuery(text string) error {
	return coded("error-invalid-query", text, nil)
}

// compile turns a filter of the database's kind into a condition.
func (rule *filterRule) compile(filter map[string]any) (func(*account) bool, error) {
	var conditions []func(*account) bool
	for key, wanted := range filter {
		condition, err := rule.condition(key, wanted)
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, condition)
	}
	return func(u *account) bool {
		for _, holds := range conditions {
			if !holds(u) {
				return false
			}
		}
		return true
	}, nil
}

func (rule *filterRule) condition(key string, wanted any) (func(*account) bool, error) {
	value, ok := rule.fields[key]
	switch {
	case strings.HasPrefix(key, "$") && !slices.Contains(rule.operators, key):
		return nil, invalidQuery("Invalid operation: " + key)
	case key == "$and" || key == "$or":
		return rule.combined(key, wanted)
	case !ok && rule.anyField:
		value = func(*account) any { return "" }
	case !ok:
		return nil, invalidQuery("Invalid attribute: " + key)
	}
	operators, ok := wanted.(map[string]any)
	if !ok {
		return func(u *account) bool { return equals(value(u), wanted) }, nil
	}
	var conditions []func(any) bool
	for name, operand := range operators {
		condition := operator(name, operand)
		if condition == nil || !slices.Contains(rule.operators, name) {
			return nil, invalidQuery("Invalid operation: " + name)
		}
		conditions = append(conditions, condition)
	}
	return func(u *account) bool {
		v := value(u)
		return !slices.ContainsFunc(conditions, func(holds func(any) bool) bool { return !holds(v) })
	}, nil
}

func (rule *filterRule) combined(key string, wanted any) (func(*account) bool, error) {
	parts, _ := wanted.([]any)
	var conditions []func(*account) bool
	for _, part := range parts {
		filter, _ := part.(map[string]any)
		condition, err := rule.compile(filter)
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, condition)
	}
	return func(u *account) bool {
		n := 0
		for _, holds := range conditions {
			if holds(u) {
				n++
			}
		}
		return n == len(conditions) || key == "$or" && n > 0
	}, nil
}

// operator is a comparison by its name, nil for one the server does not allow.
func operator(name string, operand any) func(any) bool {
	switch name {
	case "$eq":
		return func(v any) bool { return equals(v, operand) }
	case "$ne":
		return func(v any) bool { return !equals(v, operand) }
	case "$exists":
		return func(v any) bool { return (v != "") == (operand == true) }
	case "$in", "$nin":
		items, _ := operand.([]any)
		return func(v any) bool {
			return slices.ContainsFunc(items, func(item any) bool { return equals(v, item) }) == (name == "$in")
		}
	case "$regex":
		source, _ := operand.(string)
		pattern, err := regexp.Compile(source)
		if err != nil {
			return nil
		}
		return func(v any) bool { s, _ := v.(string); return pattern.MatchString(s) }
	}
	return nil
}

func equals(stored, wanted any) bool {
	if all, ok := stored.([]string); ok {
		s, isString := wanted.(string)
		return isString && slices.Contains(all, s)
	}
	switch wanted.(type) {
	case string, bool, float64:
		return stored == wanted
	}
	return wanted == nil && stored == ""
}
