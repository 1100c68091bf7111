// Package dashboardtest holds the tests of the dashboard that need parts of Grafana and
// Prometheus. They check it against Grafana's schema. Then they go through the tour of the
// example quickstart for an hour of a test's clock, fetch the metrics every 15 seconds as
// Prometheus would, run the queries of the dashboard with Prometheus' own engine, and draw
// the picture of docs/observability.md from the results:
//
//	UPDATE_PICTURE=1 go test -run Dashboard ./examples/observability/dashboardtest
//
// It is a module of its own, so that the examples do not need all of Prometheus.
package dashboardtest
