package rocketchattest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// version is a server release: major, minor, patch.
type version [3]int

// oldest and newest bound the releases with known behaviour.
func oldest() version { return version{6} }

func newest() version { return version{8, 8} }

// parseVersion reads "8.3.0", "8.3" and "8.3.0-develop".
func parseVersion(s string) (version, error) {
	var v version
	number, _, _ := strings.Cut(s, "-")
	parts := strings.Split(number, ".")
	if len(parts) < 2 || len(parts) > len(v) {
		return v, fmt.Errorf("version %q: must look like 8.3.0", s)
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return v, fmt.Errorf("version %q: must look like 8.3.0", s)
		}
		v[i] = int(n)
	}
	if !since(oldest()).holds(v) || v[0] > newest()[0] || v[1] > newest()[1] && v[0] == newest()[0] {
		return v, fmt.Errorf("version %q: only %s to %s.x are supported", s, oldest().minor(), newest().minor())
	}
	return v, nil
}

// atLeast reports whether v is the given release or a later one; parts that are left out count as zero.
func (v version) atLeast(parts ...int) bool { return slices.Compare(v[:len(parts)], parts) >= 0 }

func (v version) String() string {
	return strconv.Itoa(v[0]) + "." + strconv.Itoa(v[1]) + "." + strconv.Itoa(v[2])
}

// minor is the version for callers without view-statistics: 8.6 instead of 8.6.1.
func (v version) minor() string {
	return strconv.Itoa(v[0]) + "." + strconv.Itoa(v[1])
}

// span is a range of releases, without its end. Without an end it is open.
type span struct{ from, until version }

// v is a release; parts that are left out are zero.
func v(parts ...int) version {
	var release version
	copy(release[:], parts)
	return release
}

// always is every release.
func always() span { return since(oldest()) }

func since(v version) span { return span{from: v} }

func before(v version) span { return span{until: v} }

func between(from, until version) span { return span{from, until} }

func (s span) holds(v version) bool {
	return v.atLeast(s.from[:]...) && (s.until == version{} || !v.atLeast(s.until[:]...))
}
