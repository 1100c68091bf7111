package dashboardtest

import (
	"context"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/stretchr/testify/require"
)

// store keeps what was scraped. It is a [storage.Queryable].
type store struct {
	series map[string]*series // by their labels
}

type series struct {
	labels  labels.Labels
	samples []chunks.Sample
}

// sample is a [chunks.Sample] of a number.
type sample struct {
	t int64
	f float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.f }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// add adds the metrics of a scrape.
func (s *store) add(at time.Time, families []*dto.MetricFamily) {
	for _, family := range families {
		name := family.GetName()
		for _, m := range family.GetMetric() {
			if family.GetType() == dto.MetricType_COUNTER {
				s.put(at, m, name, m.GetCounter().GetValue())
				continue
			}
			h := m.GetHistogram()
			s.put(at, m, name+"_sum", h.GetSampleSum())
			s.put(at, m, name+"_count", float64(h.GetSampleCount()))
			for _, bucket := range h.GetBucket() {
				s.put(at, m, name+"_bucket", float64(bucket.GetCumulativeCount()), "le", strconv.FormatFloat(bucket.GetUpperBound(), 'g', -1, 64))
			}
			s.put(at, m, name+"_bucket", float64(h.GetSampleCount()), "le", "+Inf")
		}
	}
}

func (s *store) put(at time.Time, m *dto.Metric, name string, value float64, more ...string) {
	of := append([]string{model.MetricNameLabel, name}, more...)
	for _, label := range m.GetLabel() {
		of = append(of, label.GetName(), label.GetValue())
	}
	set := labels.FromStrings(of...)
	if s.series == nil {
		s.series = make(map[string]*series)
	}
	one, ok := s.series[set.String()]
	if !ok {
		one = &series{labels: set}
		s.series[set.String()] = one
	}
	one.samples = append(one.samples, sample{at.UnixMilli(), value})
}

// Querier implements [storage.Queryable].
func (s *store) Querier(int64, int64) (storage.Querier, error) { return querier{s}, nil }

type querier struct{ *store }

func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	found := &seriesSet{at: -1}
	for _, one := range q.series {
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(one.labels.Get(m.Name)) }) {
			found.series = append(found.series, one)
		}
	}
	slices.SortFunc(found.series, func(a, b *series) int { return labels.Compare(a.labels, b.labels) })
	return found
}

func (q querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	panic("no query needs it")
}

func (q querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	panic("no query needs it")
}

func (q querier) Close() error { return nil }

// seriesSet is a [storage.SeriesSet].
type seriesSet struct {
	series []*series
	at     int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }
func (s *seriesSet) At() storage.Series {
	return storage.NewListSeries(s.series[s.at].labels, s.series[s.at].samples)
}

// query runs a query at every step of the hour.
func (h *hour) query(t *testing.T, expr string, step time.Duration) promql.Matrix {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: math.MaxInt32, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	query, err := engine.NewRangeQuery(t.Context(), h, nil, expr, h.start.Add(step), h.start.Add(length), step)
	require.NoError(t, err, expr)
	matrix, err := query.Exec(t.Context()).Matrix()
	require.NoError(t, err, expr)
	return matrix
}
