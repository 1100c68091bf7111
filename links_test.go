package rocketchat_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pages returns all Markdown files of the repository, by path. It skips the test if the
// repository is not complete.
func pages(t *testing.T) map[string]string {
	t.Helper()
	if _, err := os.Stat("examples"); err != nil {
		t.Skip("the other modules of the repository are missing, as in the module cache")
	}
	found := make(map[string]string)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		found[path] = string(text)
		return err
	})
	require.NoError(t, err)
	return found
}

var (
	fencedCode = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```")
	inlineCode = regexp.MustCompile("`[^`\n]*`")
	linkTarget = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
)

// TestLinks checks that relative links lead to files, and fragments to headings.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := pages(t)
	links := 0
	for page, text := range all {
		text = fencedCode.ReplaceAllString(text, "")
		for _, match := range linkTarget.FindAllStringSubmatch(text, -1) {
			target, fragment, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, ":") { // another site
				continue
			}
			links++
			path := page
			if target != "" {
				path = filepath.Join(filepath.Dir(page), filepath.FromSlash(target))
			}
			_, err := os.Stat(path)
			if !assert.NoError(t, err, "%s: %s", page, match[1]) || fragment == "" {
				continue
			}
			assert.Contains(t, fragmentsOf(all[path]), fragment, "%s: %s", page, match[1])
		}
	}
	assert.Greater(t, links, 50, "few links were found")
}

// fragmentsOf returns the fragments of the headings of a page, as GitHub makes them.
func fragmentsOf(text string) (fragments []string) {
	for _, match := range heading.FindAllStringSubmatch(fencedCode.ReplaceAllString(text, ""), -1) {
		fragments = append(fragments, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsNumber(r):
				return unicode.ToLower(r)
			}
			return -1
		}, match[1]))
	}
	return fragments
}

// TestModulesAreExplained checks that the pages for newcomers mention every module, except
// for modules inside others.
func TestModulesAreExplained(t *testing.T) {
	t.Parallel()
	all := pages(t)
	work, err := os.ReadFile("go.work")
	require.NoError(t, err)
	modules := regexp.MustCompile(`(?m)^\t\./([^/\s]+)$`).FindAllStringSubmatch(string(work), -1)
	require.Greater(t, len(modules), 8)
	for _, page := range []string{"README.md", "CONTRIBUTING.md", filepath.Join("docs", "design.md")} {
		named := inlineCode.FindAllString(all[page], -1)
		for _, module := range append(modules, []string{"", "tools"}) { // which is not part of the workspace
			assert.True(t, slices.Contains(named, "`"+module[1]+"`"), "%s does not explain module %s", page, module[1])
		}
	}
}

// TestNamesInPages checks that the tests and the Go files that pages name exist.
func TestNamesInPages(t *testing.T) {
	t.Parallel()
	all := pages(t)
	tests, files := make(map[string]bool), make(map[string]bool)
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		files[filepath.Base(path)], files[filepath.ToSlash(path)] = true, true
		text, err := os.ReadFile(path)
		for _, match := range function.FindAllSubmatch(text, -1) {
			tests[string(match[1])] = true
		}
		return err
	})
	require.NoError(t, err)
	named := 0
	for page, text := range all {
		for _, span := range inlineCode.FindAllString(fencedCode.ReplaceAllString(text, ""), -1) {
			switch name := strings.Trim(span, "`"); {
			case regexp.MustCompile(`^Test[A-Z]\w*$`).MatchString(name):
				named++
				assert.True(t, tests[name], "%s: there is no %s", page, name)
			case regexp.MustCompile(`^[\w/]+\.go$`).MatchString(name):
				named++
				assert.True(t, files[name], "%s: there is no %s", page, name)
			}
		}
	}
	assert.Greater(t, named, 20)
}

// TestFigures checks that the guides give the figures of the pages on which measurements are
// written down.
func TestFigures(t *testing.T) {
	t.Parallel()
	all := pages(t)
	benchmarks, faults := all[filepath.Join("benchmarks", "README.md")], all[filepath.Join("faulttest", "README.md")]
	proof, why := all[filepath.Join("docs", "proof.md")], all[filepath.Join("docs", "why.md")]
	figures := func(page, row string) []string {
		found := regexp.MustCompile(row).FindStringSubmatch(page)
		require.NotNil(t, found, row)
		return found[1:]
	}
	library := func(name string) (time, bytes string) {
		row := figures(benchmarks, `\| `+name+` \| \*\*rocketchat\*\* \| (\S+) [^|]*\| \S+ \| (\S+) \|`)
		return row[0], row[1]
	}
	for benchmark, name := range map[string]string{"users.info": "`users.info`", "users.list of 100": "list of 100 users", "users.list of 5,000": "list of 5,000 users"} {
		time, bytes := library(benchmark)
		assert.Contains(t, proof, "| "+name+" | "+time+" | "+bytes+" |")
	}
	info, _ := library("users.info")
	list, _ := library("users.list of 100")
	assert.Contains(t, why, "`users.info` takes "+info+" of the time, a list of 100 users "+list+".")
	long := figures(benchmarks, `\| 1,000,000 \| 1 \| (\S+) \|`)
	assert.Contains(t, proof, "| list of 1,000,000 users, read as it arrives | "+long[0]+" |")

	limited := figures(benchmarks, `\| rocketchat \| (\d+) \| \d+ \| (\d+) \| \S+ \| (\S+) \|`)
	assert.Contains(t, proof, "| this library | "+strings.Join(limited, " | ")+" |")
	scaled := figures(benchmarks, `\| retryablehttp, waits scaled as the window \| (\d+) \| \d+ \| (\d+) \| `)
	assert.Contains(t, proof, "| go-retryablehttp, its waits scaled to the window | "+strings.Join(scaled, " | ")+" |")
	assert.Contains(t, why, "| go-retryablehttp, waits scaled to the window | "+strings.Join(scaled, " | ")+" |")

	unknown := 0
	for _, n := range figures(faults, `\| outcome unknown, so named \| (\d+) / (\d+) \|`) {
		half, err := strconv.Atoi(n)
		require.NoError(t, err)
		unknown += half
	}
	assert.Contains(t, proof, fmt.Sprintf("| outcomes unknown, each reported as such | %d |", unknown))
}
