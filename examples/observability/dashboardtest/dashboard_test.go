package dashboardtest

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	grafana "github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dashboard is what dashboard.json has of interest.
type dashboard struct {
	Title  string
	Panels []panel
}

type panel struct {
	Type, Title string
	GridPos     struct{ X, Y, W, H float64 }
	FieldConfig struct {
		Defaults struct {
			Unit     string
			Decimals int
			Max      float64
			Custom   struct {
				Stacking  struct{ Mode string }
				SpanNulls any // false, or a number of milliseconds

				ScaleDistribution struct{ Type string }
			}
			Thresholds struct {
				Steps []struct {
					Color string
					Value *float64
				}
			}
		}
	}
	Targets []struct{ Expr, LegendFormat string }

	lines []line
}

// line is the result of a query, one of its series.
type line struct {
	name   string
	points []promql.FPoint
}

// step is the distance of points on the dashboard.
const step = 2 * scrapeInterval

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "dashboard.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &d))
	return d
}

// variables are what Grafana replaces in a query.
var variables = strings.NewReplacer("$server", ".*", "$op", ".*", "$__rate_interval", (4 * scrapeInterval).String(), "$__range", length.String())

// run runs the queries of all panels.
func (d *dashboard) run(t *testing.T, h *hour) {
	t.Helper()
	for i := range d.Panels {
		p := &d.Panels[i]
		for _, target := range p.Targets {
			for _, series := range h.query(t, variables.Replace(target.Expr), step) {
				name := regexp.MustCompile(`\{\{(\w+)\}\}`).ReplaceAllStringFunc(target.LegendFormat, func(label string) string {
					return series.Metric.Get(strings.Trim(label, "{}"))
				})
				p.lines = append(p.lines, line{name, series.Floats})
			}
		}
		if len(p.Targets) == 1 {
			slices.SortFunc(p.lines, func(a, b line) int { return strings.Compare(a.name, b.name) })
		}
	}
}

func (d *dashboard) panel(t *testing.T, title string) panel {
	t.Helper()
	i := slices.IndexFunc(d.Panels, func(p panel) bool { return p.Title == title })
	require.GreaterOrEqual(t, i, 0, "there is no panel %q", title)
	return d.Panels[i]
}

func (p panel) line(t *testing.T, name string) line {
	t.Helper()
	i := slices.IndexFunc(p.lines, func(l line) bool { return l.name == name })
	require.GreaterOrEqual(t, i, 0, "%s has no line %q", p.Title, name)
	return p.lines[i]
}

func (p panel) names() (names []string) {
	for _, l := range p.lines {
		names = append(names, l.name)
	}
	return names
}

// between is the largest value in some minutes.
func (l line) between(h *hour, from, to int) (largest float64) {
	for _, point := range l.points {
		minute := time.UnixMilli(point.T).Sub(h.start).Minutes()
		if minute >= float64(from) && minute <= float64(to) && point.F > largest {
			largest = point.F
		}
	}
	return largest
}

var counter = regexp.MustCompile(`^sum by \((\w+)\) \(rate\((\w+)`)

// checkSum compares the sum of the rates that a line of a panel shows with how many there were.
// Rates do not know what a counter had when it was scraped for the first time.
func (h *hour) checkSum(t *testing.T, p panel, name string, were float64) {
	t.Helper()
	expr := p.Targets[0].Expr
	found := counter.FindStringSubmatch(expr)
	require.NotNil(t, found, expr)
	label, metric := found[1], found[2]
	for _, s := range h.series {
		if s.labels.Get(model.MetricNameLabel) == metric && s.labels.Get(label) == name {
			were -= s.samples[0].F()
		}
	}
	shown := 0.0
	for _, series := range h.query(t, variables.Replace(expr), scrapeInterval) { // steps in which every sample counts alike
		for _, point := range series.Floats {
			if series.Metric.Get(label) == name {
				shown += point.F * scrapeInterval.Seconds()
			}
		}
	}
	assert.InDelta(t, were, shown, 1+0.05*were, "%s: %s", p.Title, name)
}

// TestDashboard runs the queries of the dashboard over an hour, and compares the results with
// what the server saw.
func TestDashboard(t *testing.T) {
	t.Parallel()
	h := newHour(t)
	d := readDashboard(t)
	d.run(t, h)
	for _, p := range d.Panels {
		assert.NotEmpty(t, p.lines, "%s shows nothing", p.Title)
	}
	t.Run("values", func(t *testing.T) {
		t.Parallel()
		d.valuesAgree(t, h)
	})
	t.Run("picture", func(t *testing.T) {
		t.Parallel()
		checkPicture(t, h, d)
	})
}

func (d *dashboard) valuesAgree(t *testing.T, h *hour) {
	t.Helper()
	statuses := make(map[int]float64)
	lookups := 0.0
	for _, call := range h.calls {
		if call.At.After(h.start.Add(length)) {
			break
		}
		if call.Op == "users.info" && call.Status == http.StatusOK {
			lookups++
		}
		statuses[call.Status]++
	}
	require.Positive(t, statuses[http.StatusTooManyRequests], "the other program should be noticed")
	for _, status := range []int{200, 400, 401, 429, 502} {
		h.checkSum(t, d.panel(t, "Requests by status"), strconv.Itoa(status), statuses[status])
	}
	refused := d.panel(t, "Refused requests, by operation")
	h.checkSum(t, refused, "users.info", statuses[http.StatusTooManyRequests])
	refusals := refused.line(t, "users.info")
	assert.Zero(t, refusals.between(h, 0, 37), "nobody else uses the limit")
	assert.Positive(t, refusals.between(h, 38, 52))

	h.checkSum(t, d.panel(t, "Calls by operation"), "users.info", lookups)
	perCall := d.panel(t, "Requests per call, by operation")
	assert.InDelta(t, 2, perCall.line(t, "users.generatePersonalAccessToken").between(h, 0, 60), 0.01)
	assert.InDelta(t, 1, perCall.line(t, "users.create").between(h, 0, 60), 0.01)
	assert.Equal(t, []string{"already taken", "unauthorized"}, d.panel(t, "Failed calls, by class").names())

	waits := d.panel(t, "Time spent waiting, by reason")
	assert.Equal(t, []string{"backoff", "route limit"}, waits.names())
	assert.Positive(t, waits.line(t, "backoff").between(h, 8, 14))
	assert.Zero(t, waits.line(t, "backoff").between(h, 16, 60))
	share := d.panel(t, "Time spent waiting").lines[0]
	assert.InDelta(t, 0.9, share.between(h, 24, 31), 0.1)
	assert.Less(t, share.between(h, 16, 22), 0.05)
	durations := d.panel(t, "Call duration")
	assert.InDelta(t, 0.02, durations.line(t, "p50").between(h, 16, 22), 0.02)
	assert.Less(t, durations.line(t, "p99").between(h, 16, 22), 1.0)
	assert.Greater(t, durations.line(t, "p99").between(h, 24, 31), 50.0)
}

// TestSchema checks the dashboard against Grafana's own schema.
func TestSchema(t *testing.T) {
	t.Parallel()
	plugins.RegisterDefaultPlugins()
	data, err := os.ReadFile(filepath.Join("..", "dashboard.json"))
	require.NoError(t, err)
	var d grafana.Dashboard                             //nolint:staticcheck // the second version of the schema is not for import in Grafana 10
	if err := d.UnmarshalJSONStrict(data); err != nil { // it is no nil interface without faults either
		assert.Empty(t, err.Error())
	}
	require.NoError(t, d.Validate())
	assert.EqualValues(t, 39, d.SchemaVersion, "of Grafana 10.4, which later ones migrate")
}

// TestQueries checks that every query of the dashboard is one, also those of its variables.
func TestQueries(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	require.NotEmpty(t, d.Panels)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h").Replace(target.Expr)
			_, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
			assert.NoError(t, err, "%s: %s", p.Title, target.Expr)
		}
	}
}
