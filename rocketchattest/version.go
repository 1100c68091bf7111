package rocketchattest

import (
	"slices"
	"strconv"
	"strings"
)

// version is a server release: major, minor, patch.
type version [3]int

func parseVersion(s string) version {
	var v version
	s, _, _ = strings.Cut(s, "-")
	for i, part := range strings.SplitN(s, ".", len(v)) {
		v[i], _ = strconv.Atoi(part)
	}
	return v
}

// atLeast tells whether v is the given release or a later one; parts that are left out count as zero.
func (v version) atLeast(parts ...int) bool {
	return slices.Compare(v[:len(parts)], parts) >= 0
}

func (v version) String() string {
	return strconv.Itoa(v[0]) + "." + strconv.Itoa(v[1]) + "." + strconv.Itoa(v[2])
}

// minor is what the server tells strangers: 8.6 instead of 8.6.1.
func (v version) minor() string {
	return strconv.Itoa(v[0]) + "." + strconv.Itoa(v[1])
}
