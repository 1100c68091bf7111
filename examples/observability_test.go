package examples_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// seen is what an operator sees of a run of observability.
type seen struct {
	result

	scrape  string
	metrics map[string]*dto.MetricFamily
	spans   []span
}

type span struct {
	Name       string
	SpanID     string
	ParentID   string
	Seconds    float64
	Attributes map[string]any
	Events     []struct{ Attributes map[string]any }
	Failed     bool
}

// observe runs the program against a server, fetches the metrics after the tour, and ends it.
func observe(t *testing.T, c chat) seen {
	t.Helper()
	p := program{tool: "observability", args: []string{"--json", "--listen", "127.0.0.1:0", "--calls", "25"}, env: c.login()}
	command := p.command(t)
	var stdout, stderr bytes.Buffer
	command.Stdout = &stdout
	messages, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	var s seen
	lines := bufio.NewScanner(io.TeeReader(messages, &stderr))
	for lines.Scan() {
		if rest, found := strings.CutSuffix(lines.Text(), " until Ctrl-C"); found {
			s.scrape = fetch(t, strings.TrimPrefix(rest, "metrics at "))
			require.NoError(t, command.Process.Signal(os.Interrupt))
		}
	}
	require.NoError(t, command.Wait(), stderr.String())
	s.result = result{stdout.String(), stderr.String()}
	require.NotEmpty(t, s.scrape, stderr.String())
	parser := expfmt.NewTextParser(model.LegacyValidation)
	s.metrics, err = parser.TextToMetricFamilies(strings.NewReader(s.scrape))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &s.spans), stdout.String())
	return s
}

func fetch(t *testing.T, address string) string {
	t.Helper()
	res, err := http.Get(address)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	return string(body)
}

// labels are those of a series.
func labels(m *dto.Metric) map[string]string {
	of := make(map[string]string)
	for _, label := range m.GetLabel() {
		of[label.GetName()] = label.GetValue()
	}
	return of
}

// sums adds up a metric by the values of some labels, which are separated by spaces.
// Of a histogram, what is added up is told by value.
func (s seen) sums(name string, value func(*dto.Metric) float64, by ...string) map[string]float64 {
	sums := make(map[string]float64)
	for _, m := range s.metrics[name].GetMetric() {
		of := labels(m)
		var key []string
		for _, label := range by {
			key = append(key, of[label])
		}
		sums[strings.Join(key, " ")] += value(m)
	}
	return sums
}

func counted(m *dto.Metric) float64 { return m.GetCounter().GetValue() }
func count(m *dto.Metric) float64   { return float64(m.GetHistogram().GetSampleCount()) }
func seconds(m *dto.Metric) float64 { return m.GetHistogram().GetSampleSum() }

// The metrics and spans of a tour agree with what the server saw, and name nobody.
func TestObservability(t *testing.T) {
	t.Parallel()
	c := newChat(t, rocketchattest.WithLimit(10, 2*time.Second))
	s := observe(t, c)

	byOp, byStatus := make(map[string]float64), make(map[string]float64)
	for _, call := range c.Calls() {
		byOp[call.Op]++
		byStatus[call.Op+" "+strconv.Itoa(call.Status)]++
	}
	const op, class, reason = "rocketchat_op", "error_type", "rocketchat_wait_reason"
	assert.Equal(t, byOp, s.sums("rocketchat_client_attempts_total", counted, op))
	assert.Equal(t, byStatus, s.sums("http_client_request_duration_seconds", count, op, "http_response_status_code"))

	calls := s.sums("rocketchat_client_call_duration_seconds", count, op)
	assert.Equal(t, slices.Sorted(maps.Keys(byOp)), slices.Sorted(maps.Keys(calls)))
	for name, n := range map[string]float64{
		"users.create": 6, "users.info": 28, "users.list": 2, "users.update": 1, "users.delete": 5, "login": 2, "logout": 2, "me": 3,
		"users.generatePersonalAccessToken": 1,
	} {
		assert.InDelta(t, n, calls[name], 0, name)
	}
	assert.InDelta(t, 2, byOp["users.generatePersonalAccessToken"], 0, "the call needs a second factor")
	failed := s.sums("rocketchat_client_call_duration_seconds", count, op, class)
	maps.DeleteFunc(failed, func(key string, _ float64) bool { return strings.HasSuffix(key, " ") })
	assert.Equal(t, map[string]float64{"users.create already taken": 1, "me unauthorized": 1}, failed)

	waits := s.sums("rocketchat_client_wait_duration_seconds", count, op, reason)
	assert.Equal(t, map[string]float64{"users.info route limit": 2}, waits)
	waited := s.sums("rocketchat_client_wait_duration_seconds", seconds, op)["users.info"]
	assert.Greater(t, waited, 2.0, "two windows of 2 s were used up")
	assert.Greater(t, s.sums("rocketchat_client_call_duration_seconds", seconds, op)["users.info"], waited)
	for name, refused := range s.sums("rocketchat_client_refused_total", counted, op) {
		assert.Zero(t, refused, name)
	}
	s.spansAgree(t, c, waited)
	s.namesNobody(t, c)
}

// spansAgree compares the spans with what the server saw and with the metric of pauses.
func (s seen) spansAgree(t *testing.T, c chat, waited float64) {
	t.Helper()
	byID := make(map[string]span)
	for _, sp := range s.spans {
		byID[sp.SpanID] = sp
	}
	requests, pauses := 0, 0.0
	for _, sp := range s.spans {
		parent, inner := byID[sp.ParentID]
		if sp.Attributes["http.request.method"] != nil {
			requests++
			require.True(t, inner, "%s has no call", sp.Name)
			assert.Equal(t, parent.Name, sp.Attributes["rocketchat.op"])
			assert.LessOrEqual(t, sp.Seconds, parent.Seconds)
		}
		if length, ok := sp.Attributes["rocketchat.wait.duration"].(float64); ok {
			pauses += length
			require.Len(t, sp.Events, 1)
			assert.Equal(t, "route limit", sp.Events[0].Attributes["rocketchat.wait.reason"])
		}
	}
	assert.Equal(t, len(c.Calls()), requests)
	assert.InDelta(t, waited, pauses, 0.05)
}

// namesNobody checks that neither metrics nor spans have users, IDs, addresses or secrets.
func (s seen) namesNobody(t *testing.T, c chat) {
	t.Helper()
	private := []string{"@", "qs-", "Quickstart", "Lovelace", rocketchattest.AdminPassword, "admin", "first programmer", "README"}
	for _, pattern := range []string{`has the id (\S+)`, `its last characters: (\S+)`} {
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(s.stderr, -1)
		require.NotEmpty(t, found, pattern)
		for _, match := range found {
			private = append(private, match[1])
		}
	}
	for _, user := range c.Users() {
		private = append(private, user.ID, user.Username, user.Name)
	}
	for _, text := range private {
		assert.NotContains(t, s.scrape, text)
		assert.NotContains(t, s.stdout, text)
	}
}

// dashboard is what dashboard.json has of interest.
type dashboard struct {
	SchemaVersion int
	UID           string
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []struct {
		ID          int
		Type, Title string
		Description string
		GridPos     struct{ X, Y, W, H int }
		FieldConfig struct{ Defaults struct{ Unit string } }
		Targets     []struct{ Expr, LegendFormat string }
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("observability", "dashboard.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &d))
	return d
}

// The dashboard shows metrics that the program serves, by labels that they have, and leaves
// none out.
func TestDashboard(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	s := observe(t, newChat(t, rocketchattest.WithLimit(10, 2*time.Second)))
	served := make(map[string]map[string]bool) // labels by the name of a series
	for name, family := range s.metrics {
		names := []string{name}
		if family.GetType() == dto.MetricType_HISTOGRAM {
			names = []string{name + "_bucket", name + "_sum", name + "_count"}
		}
		for _, name := range names {
			served[name] = map[string]bool{"le": strings.HasSuffix(name, "_bucket")}
			for _, m := range family.GetMetric() {
				for label := range labels(m) {
					served[name][label] = true
				}
			}
		}
	}
	shown := make(map[string]bool)
	check := func(where, expr string) {
		selectors := regexp.MustCompile(`\b((?:rocketchat|http)_\w+)(?:\{([^}]*)\}|,)`).FindAllStringSubmatch(expr, -1)
		require.NotEmpty(t, selectors, "%s: %s", where, expr)
		for _, selector := range selectors {
			name := selector[1]
			require.Contains(t, served, name, where)
			shown[regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")] = true
			wanted := regexp.MustCompile(`(\w+)[!=]=?~?"`).FindAllStringSubmatch(selector[2], -1)
			for _, by := range regexp.MustCompile(`\bby \(([^)]+)\)`).FindAllStringSubmatch(expr, -1) {
				for label := range strings.SplitSeq(by[1], ", ") {
					wanted = append(wanted, []string{"", label})
				}
			}
			for _, label := range wanted {
				assert.True(t, served[name][label[1]], "%s: %s has no label %s", where, name, label[1])
			}
		}
	}
	taken := make(map[[2]int]string)
	ids := make(map[int]bool)
	for _, panel := range d.Panels {
		require.NotEmpty(t, panel.Targets, panel.Title)
		assert.NotEmpty(t, panel.Description, panel.Title)
		assert.NotEmpty(t, panel.FieldConfig.Defaults.Unit, panel.Title)
		assert.False(t, ids[panel.ID], "%s: its id is used twice", panel.Title)
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			check(panel.Title, target.Expr)
			for _, label := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				assert.Regexp(t, `by \([^)]*\b`+label[1]+`\b`, target.Expr, "%s: the legend", panel.Title)
			}
		}
		at := panel.GridPos
		assert.LessOrEqual(t, at.X+at.W, 24, panel.Title)
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				assert.Empty(t, taken[[2]int{x, y}], "%s covers another panel", panel.Title)
				taken[[2]int{x, y}] = panel.Title
			}
		}
	}
	for _, variable := range d.Templating.List {
		if variable.Type == "query" {
			check(variable.Name, variable.Definition)
			label := regexp.MustCompile(`, (\w+)\)$`).FindStringSubmatch(variable.Definition)
			require.NotNil(t, label, variable.Definition)
			assert.True(t, served["rocketchat_client_call_duration_seconds_count"][label[1]], label[1])
		}
	}
	for name := range s.metrics {
		assert.True(t, shown[name], "%s is not shown", name)
	}
}

// A tour that is repeated ends by itself, and so does one that is done once.
func TestObservabilityEnds(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--once", "--calls", "2"}, {"--for", "300ms", "--calls", "2"}} {
		p := program{tool: "observability", args: append(args, "--listen", "127.0.0.1:0")}
		r := p.run(t)
		assert.Regexp(t, `(?m)^tour +[\d.]+ m?s$`, r.stdout)
		assert.Regexp(t, `(?m)^├─ 5 × users.create +[\d.]+ m?s\n│  └─ 5 × POST /api/v1/users.create +[\d.]+ m?s  200$`, r.stdout)
		assert.Contains(t, r.stdout, "failed: already taken [error-field-unavailable]")
		assert.Equal(t, 1, strings.Count(r.stderr, "11. Clean up"))
		assert.Equal(t, args[0] == "--for", strings.Contains(r.stderr, "tour 1 ended after "))
	}
}

// A port that is in use is noticed before anything is done.
func TestObservabilityPort(t *testing.T) {
	t.Parallel()
	c := newChat(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	r := program{tool: "observability", args: []string{"--listen", listener.Addr().String()}, env: c.login(), code: 1}.run(t)
	assert.Contains(t, r.stderr, "observability: metrics cannot be served, see --listen: ")
	assert.Contains(t, r.stderr, fmt.Sprint(listener.Addr()))
	assert.Empty(t, c.Calls())
}
