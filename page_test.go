package rocketchat

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// TestAllTakesOneCall: a server gives 5,000 users at once, and is asked to.
func TestAllTakesOneCall(t *testing.T) {
	t.Parallel()
	srv := rocketchattest.New()
	addPeople(t, srv, people(5000))
	c := adminClient(t, srv)
	for range 2 { // an iterator can be ranged over again
		n := 0
		for user, err := range c.Users.All(t.Context(), UserListOptions{}) {
			require.NoError(t, err)
			require.NotEmpty(t, user.Username)
			n++
		}
		assert.Equal(t, 5002, n)
	}
	assert.Equal(t, 2, srv.Count("users.list"))
	for range c.Users.All(t.Context(), UserListOptions{}) {
		break
	}
	assert.Equal(t, 3, srv.Count("users.list"))
}

func TestAllGoesByPages(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		opts  []rocketchattest.Option
		count int
		calls int // at most
	}{
		{"where not everything is given", []rocketchattest.Option{rocketchattest.WithSetting("API_Allow_Infinite_Count", false)}, 0, 7},
		{"where pages are smaller", []rocketchattest.Option{
			rocketchattest.WithSetting("API_Allow_Infinite_Count", false), rocketchattest.WithSetting("API_Upper_Count_Limit", 30),
		}, 0, 20},
		{"where pages are tiny", []rocketchattest.Option{
			rocketchattest.WithSetting("API_Allow_Infinite_Count", false), rocketchattest.WithSetting("API_Upper_Count_Limit", 1),
			rocketchattest.WithSetting("API_Default_Count", 1),
		}, 0, 502},
		{"when the caller wants to", nil, 100, 6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			srv := rocketchattest.New(tc.opts...)
			addPeople(t, srv, people(500))
			c := adminClient(t, srv)
			var names []string
			for user, err := range c.Users.All(t.Context(), UserListOptions{Count: tc.count}) {
				require.NoError(t, err)
				names = append(names, user.Username)
			}
			assert.Len(t, names, 502)
			sort.Strings(names)
			assert.Len(t, slices.Compact(names), 502, "each once")
			assert.LessOrEqual(t, srv.Count("users.list"), tc.calls)
		})
	}
}

// TestWalkWhileTheListChanges adds and removes items between any two pages. Those that
// were there all the time come exactly once.
func TestWalkWhileTheListChanges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		var opts pageOptions
		if seed%2 == 0 {
			opts.sort = []string{SortByID} // the items are their ids
		}
		random := rand.New(rand.NewPCG(seed, 3))
		var list []string
		for i := range 300 {
			list = append(list, fmt.Sprintf("%05d-stays", i*100))
		}
		next := 1
		fetch := func(_ context.Context, o pageOptions) (*Page[string], error) {
			for range random.IntN(40) {
				if at := random.IntN(len(list)); random.IntN(2) == 0 && len(list[at]) == len("00000-new") {
					list = slices.Delete(list, at, at+1)
					continue
				}
				name := fmt.Sprintf("%05d-new", random.IntN(30000))
				if at, there := slices.BinarySearch(list, name); !there {
					list = slices.Insert(list, at, name)
				}
				next++
			}
			count := min(o.count, 50)
			if o.everything {
				count = 20
			}
			from := min(o.offset, len(list))
			return &Page[string]{Items: slices.Clone(list[from:min(from+count, len(list))]), Offset: o.offset, Total: len(list)}, nil
		}
		seen := map[string]int{}
		for item, err := range (listing[string]{op: "list", id: func(s *string) string { return *s }, page: fetch}).all(t.Context(), opts) {
			require.NoError(t, err)
			seen[*item]++
		}
		for i := range 300 {
			name := fmt.Sprintf("%05d-stays", i*100)
			require.Equal(t, 1, seen[name], "%s, seed %d", name, seed)
		}
		for name, n := range seen {
			require.Equal(t, 1, n, name)
		}
	}
}

func TestWalkEnds(t *testing.T) {
	t.Parallel()
	page := func(total int, items ...string) func(context.Context, pageOptions) (*Page[string], error) {
		return func(_ context.Context, o pageOptions) (*Page[string], error) {
			return &Page[string]{Items: items, Offset: o.offset, Total: total}, nil
		}
	}
	for name, tc := range map[string]struct {
		fetch func(context.Context, pageOptions) (*Page[string], error)
		items int
		class error
		opts  pageOptions
	}{
		"the same page for ever":   {page(1000, "a", "b", "c"), 3, ErrBadAnswer, pageOptions{}},
		"nothing, though there is": {page(1000), 0, ErrBadAnswer, pageOptions{}},
		"empty":                    {page(0), 0, nil, pageOptions{}},
		"count ignored":            {page(3, "a", "b", "c"), 3, nil, pageOptions{}},
		"total too small":          {page(1, "a", "b", "c"), 3, nil, pageOptions{}},
		"total too small, in pages": {func(_ context.Context, o pageOptions) (*Page[string], error) {
			all := []string{"a", "b", "c", "d", "e", "f", "g"}
			return &Page[string]{Items: all[o.offset:min(o.offset+3, len(all))], Offset: o.offset, Total: 2}, nil
		}, 7, nil, pageOptions{}},
		"offset ignored at the end": {page(5, "a", "b", "c"), 3, ErrBadAnswer, pageOptions{}},
		"another order, at first":   {page(3, "c", "a", "b"), 3, nil, pageOptions{sort: []string{SortByID}}},
		"another order, later on": {func(_ context.Context, o pageOptions) (*Page[string], error) {
			if o.everything {
				return &Page[string]{Items: []string{"a", "b"}, Total: 9}, nil
			}
			return &Page[string]{Items: []string{"b", "d", "c"}, Offset: o.offset, Total: 9}, nil
		}, 2, ErrBadAnswer, pageOptions{sort: []string{SortByID}}},
		"an error": {func(context.Context, pageOptions) (*Page[string], error) { return nil, ErrForbidden }, 0, ErrForbidden, pageOptions{}},
	} {
		n, calls := 0, 0
		counted := func(ctx context.Context, o pageOptions) (*Page[string], error) {
			calls++
			require.Less(t, calls, 10, name)
			return tc.fetch(ctx, o)
		}
		var last error
		for _, err := range (listing[string]{op: "list", id: func(s *string) string { return *s }, page: counted}).all(t.Context(), tc.opts) {
			if last = err; err == nil {
				n++
			}
		}
		require.ErrorIs(t, last, tc.class, name)
		assert.Equal(t, tc.items, n, name)
	}
}

func TestSort(t *testing.T) {
	t.Parallel()
	for want, keys := range map[string][]string{
		`{"name":1}`:                 {SortByName},
		`{"createdAt":-1}`:           {"-createdAt"},
		`{"active":-1,"username":1}`: {"-" + SortByActive, SortByUsername},
		`{"emails.address":1}`:       {SortByEmail},
		`{"a\"b":1}`:                 {`a"b`},
	} {
		assert.Equal(t, want, sortJSON(keys))
	}
}
