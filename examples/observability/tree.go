package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// tree shows spans as a tree, each with its duration and what is remarkable about it. Spans
// that follow each other and are alike are one line, with the sum of their durations.
func tree(spans []trace.ReadOnlySpan) []string {
	children := make(map[oteltrace.SpanID][]trace.ReadOnlySpan)
	known := make(map[oteltrace.SpanID]bool)
	for _, span := range spans {
		known[span.SpanContext().SpanID()] = true
	}
	for _, span := range spans {
		parent := span.Parent().SpanID()
		if !known[parent] {
			parent = oteltrace.SpanID{}
		}
		children[parent] = append(children[parent], span)
	}
	var p printer
	for _, root := range grow(children, oteltrace.SpanID{}) {
		p.print(root, "", "")
	}
	return p.aligned()
}

// node is a span, or several that are alike.
type node struct {
	kind     string // the same for all that are alike
	spans    []trace.ReadOnlySpan
	children []*node
}

// grow makes the nodes of the spans with a parent.
func grow(children map[oteltrace.SpanID][]trace.ReadOnlySpan, parent oteltrace.SpanID) (nodes []*node) {
	for _, span := range children[parent] {
		n := &node{spans: []trace.ReadOnlySpan{span}, children: grow(children, span.SpanContext().SpanID())}
		n.kind = fmt.Sprint(span.Name(), remarks(span))
		for _, child := range n.children {
			n.kind += fmt.Sprintf("(%d %s)", len(child.spans), child.kind)
		}
		if last := len(nodes) - 1; last >= 0 && nodes[last].kind == n.kind {
			nodes[last].merge(n)
			continue
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// merge adds a node of the same kind.
func (n *node) merge(other *node) {
	n.spans = append(n.spans, other.spans...)
	for i, child := range n.children {
		child.merge(other.children[i])
	}
}

// remarks are what a person wants to know of a span besides its name and its duration.
func remarks(span trace.ReadOnlySpan) (list []string) {
	of := attributes(span.Attributes())
	if status, ok := of["http.response.status_code"]; ok {
		list = append(list, fmt.Sprint(status))
	}
	for _, event := range span.Events() {
		reason := fmt.Sprint("waited: ", attributes(event.Attributes)["rocketchat.wait.reason"])
		if !slices.Contains(list, reason) {
			list = append(list, reason)
		}
	}
	if refused, ok := of["rocketchat.refused"]; ok {
		list = append(list, fmt.Sprint("refused: ", refused))
	}
	if span.Status().Code == codes.Error && span.Status().Description != "" {
		list = append(list, "failed: "+span.Status().Description)
	}
	return list
}

// printer collects the lines of a tree in columns.
type printer struct{ rows [][3]string }

// print adds a node whose line begins with first, and its children, whose lines begin with rest.
func (p *printer) print(n *node, first, rest string) {
	name := n.spans[0].Name()
	if len(n.spans) > 1 {
		name = fmt.Sprintf("%d × %s", len(n.spans), name)
	}
	var total time.Duration
	for _, span := range n.spans {
		total += took(span)
	}
	p.rows = append(p.rows, [3]string{first + name, length(total), strings.Join(remarks(n.spans[0]), "; ")})
	for i, child := range n.children {
		if i == len(n.children)-1 {
			p.print(child, rest+"└─ ", rest+"   ")
		} else {
			p.print(child, rest+"├─ ", rest+"│  ")
		}
	}
}

func (p *printer) aligned() []string {
	var widths [2]int
	for _, row := range p.rows {
		for i := range widths {
			widths[i] = max(widths[i], text.StringWidth(row[i]))
		}
	}
	lines := make([]string, len(p.rows))
	for i, row := range p.rows {
		line := text.Pad(row[0], widths[0], ' ') + "  " + text.AlignRight.Apply(row[1], widths[1]) + "  " + row[2]
		lines[i] = strings.TrimRight(line, " ")
	}
	return lines
}

// length is a duration as people read it.
func length(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
