package rocketchattest

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// object is a decoded body or query.
type object map[string]any

func (o object) has(key string) bool { v, ok := o[key]; return ok && v != nil }

func (o object) str(key string) string {
	switch v := o[key].(type) {
	case string:
		return v
	case []any:
		if len(v) > 0 {
			s, _ := v[0].(string)
			return s
		}
	}
	return ""
}

// maybeText reports whether there is a text under a key, if anything is there.
func (o object) maybeText(key string) bool {
	value, sent := o[key]
	return !sent || kindOfValue(value) == kindString
}

func (o object) flag(key string) bool { v, _ := o[key].(bool); return v }

func (o object) number(key string) float64 { v, _ := o[key].(float64); return v }

func (o object) object(key string) object {
	switch v := o[key].(type) {
	case map[string]any:
		return v
	case object:
		return v
	}
	return nil
}

// strings reads an array of strings. A single string counts as an array.
func (o object) strings(key string) []string {
	switch v := o[key].(type) {
	case string:
		return []string{v}
	case []any:
		list := make([]string, 0, len(v))
		for _, item := range v {
			if s, ok := item.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// asText is a value as JavaScript makes a text of it, without the blanks around it, and whether there is one.
func (o object) asText(key string) (text string, sent bool) {
	value, sent := o[key]
	switch v := value.(type) {
	case string:
		text = strings.TrimSpace(v)
	case float64:
		text = formatNumber(v)
	case nil:
		text = "null"
	}
	return text, sent
}

// truthy reports whether JavaScript treats a value as true.
func truthy(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case float64:
		return v != 0
	case bool:
		return v
	}
	return true
}

type kind string

const (
	kindAny     kind = ""
	kindString  kind = "string"
	kindNumber  kind = "number"
	kindBoolean kind = "boolean"
	kindArray   kind = "array"
	kindObject  kind = "object"
	kindNull    kind = "null"
)

// field is one property of a schema.
type field struct {
	name     string
	kind     kind
	required bool
	nullable bool
	atLeast  int
	oneOf    []string
	format   string
	item     *field
	inner    *schema
	in       span
}

func str(name string) field              { return field{name: name, kind: kindString} }
func num(name string) field              { return field{name: name, kind: kindNumber} }
func flag(name string) field             { return field{name: name, kind: kindBoolean} }
func list(name string, item field) field { return field{name: name, kind: kindArray, item: &item} }

func obj(name string, inner *schema) field   { return field{name: name, kind: kindObject, inner: inner} }
func (f field) must() field                  { f.required = true; return f }
func (f field) null() field                  { f.nullable = true; return f }
func (f field) min(characters int) field     { f.atLeast = characters; return f }
func (f field) among(values ...string) field { f.oneOf = values; return f }
func (f field) email() field                 { f.format = "basic_email"; return f }
func (f field) before(parts ...int) field    { f.in.until = v(parts...); return f }
func (f field) from(parts ...int) field      { f.in.from = v(parts...); return f }

// schema is what a route accepts: its fields and nothing else, unless it is open. The server validates with ajv; the order of the
// checks and the words of the messages are ajv's.
type schema struct {
	fields []field
	open   bool
	anyOf  []*schema
	in     span
	code   string // of failures on old routes, where one has its own; such a schema is looked at inside the action
}

func (s *schema) holds(played version) bool { return s.in.holds(played) }

func closed(fields ...field) *schema { return &schema{fields: fields} }

func open(fields ...field) *schema { return &schema{fields: fields, open: true} }

func anyOf(alternatives ...*schema) *schema { return &schema{anyOf: alternatives} }

// from makes a schema that older servers do not check.
func (s *schema) from(parts ...int) *schema {
	newer := *s
	newer.in.from = v(parts...)
	return &newer
}

// coded gives failures on old routes another code.
func (s *schema) coded(code string) *schema {
	s.code = code
	return s
}

// selectors is a schema that wants exactly one of the names, with the extra fields besides.
func selectors(names []field, extra ...field) *schema {
	s := &schema{}
	for _, f := range names {
		s.anyOf = append(s.anyOf, &schema{fields: append([]field{f.must()}, extra...), in: f.in})
	}
	return s
}

// validator checks objects for one server version, with what its settings of ajv allow besides.
type validator struct {
	version version
	coerces bool // values of another kind are converted
	wraps   bool // one value counts as an array of one, and the other way round
}

// check coerces the values of o to the types of the schema, in place, and returns ajv's messages for the first failure.
func (v validator) check(s *schema, o object) []string {
	if len(s.anyOf) > 0 {
		return v.checkAny(s, o)
	}
	known := make([]field, 0, len(s.fields))
	for _, f := range s.fields {
		if f.in.holds(v.version) {
			known = append(known, f)
		}
	}
	for _, f := range known {
		if _, ok := o[f.name]; f.required && !ok {
			return []string{"must have required property '" + f.name + "'"}
		}
	}
	if !s.open {
		for key := range o {
			if !slices.ContainsFunc(known, func(f field) bool { return f.name == key }) {
				return []string{"must NOT have additional properties"}
			}
		}
	}
	for _, f := range known {
		value, ok := o[f.name]
		if !ok {
			continue
		}
		value, messages := v.value(f, value)
		if len(messages) > 0 {
			return messages
		}
		o[f.name] = value
	}
	return nil
}

func (v validator) checkAny(s *schema, o object) []string {
	var all []string
	for _, alternative := range s.anyOf {
		if !alternative.holds(v.version) {
			continue
		}
		messages := v.check(alternative, o)
		if len(messages) == 0 {
			return nil
		}
		all = append(all, messages...)
	}
	return append(all, "must match a schema in anyOf")
}

func (v validator) value(f field, value any) (any, []string) {
	if value == nil && f.nullable {
		return nil, nil
	}
	value, ok := v.coerce(f, value)
	if !ok {
		return nil, []string{"must be " + string(f.kind)}
	}
	switch typed := value.(type) {
	case string:
		return typed, f.checkString(typed)
	case []any:
		if f.item == nil {
			return typed, nil
		}
		for i := range typed {
			item, messages := v.value(*f.item, typed[i])
			if len(messages) > 0 {
				return nil, messages
			}
			typed[i] = item
		}
	case map[string]any:
		if f.inner != nil {
			return typed, v.check(f.inner, typed)
		}
	}
	return value, nil
}

func (f field) checkString(s string) []string {
	switch {
	case utf8.RuneCountInString(s) < f.atLeast:
		return []string{"must NOT have fewer than " + strconv.Itoa(f.atLeast) + " characters"}
	case f.format != "" && strings.Count(s, "@") != 1:
		return []string{`must match format "` + f.format + `"`}
	case len(f.oneOf) > 0 && !slices.Contains(f.oneOf, s):
		return []string{"must be equal to one of the allowed values"}
	}
	return nil
}

// coerce converts a value to the field's kind, as ajv does, and reports whether that
// worked.
func (v validator) coerce(f field, value any) (any, bool) {
	if f.kind.holds(value) || !v.coerces {
		return value, f.kind.holds(value)
	}
	if items, ok := value.([]any); ok && v.wraps && len(items) == 1 {
		value = items[0]
	}
	converted, ok := value, false
	switch f.kind {
	case kindString:
		converted, ok = coerceString(value)
	case kindNumber:
		converted, ok = coerceNumber(value)
	case kindBoolean:
		converted, ok = coerceBoolean(value)
	case kindArray:
		_, isObject := value.(map[string]any)
		converted, ok = []any{value}, v.wraps && !isObject
	case kindObject, kindNull, kindAny:
	}
	if !ok && f.nullable && (value == "" || value == 0.0 || value == false) {
		return nil, true
	}
	return converted, ok
}

// holds reports whether a value is of the kind.
func (k kind) holds(value any) bool { return k == kindAny || k == kindOfValue(value) }

// kindOfValue is the kind of a decoded value.
func kindOfValue(value any) kind {
	switch value.(type) {
	case string:
		return kindString
	case float64:
		return kindNumber
	case bool:
		return kindBoolean
	case []any:
		return kindArray
	case map[string]any:
		return kindObject
	}
	return kindNull
}

func coerceString(value any) (any, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case float64:
		return formatNumber(v), true
	case bool:
		return strconv.FormatBool(v), true
	case nil:
		return "", true
	}
	return nil, false
}

func coerceNumber(value any) (any, bool) {
	switch v := value.(type) {
	case float64:
		return v, true
	case string:
		n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return n, err == nil && !math.IsInf(n, 0) && !math.IsNaN(n)
	case bool:
		if v {
			return 1.0, true
		}
		return 0.0, true
	case nil:
		return 0.0, true
	}
	return nil, false
}

func coerceBoolean(value any) (any, bool) {
	switch value {
	case true, "true", 1.0:
		return true, true
	case false, "false", 0.0, nil:
		return false, true
	}
	return nil, false
}

func formatNumber(n float64) string {
	b, err := json.Marshal(n)
	if err != nil {
		return ""
	}
	return string(b)
}
