package dashboardtest

import (
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checkPicture checks that the picture of the guide shows the panels and lines that the
// dashboard has. It draws the picture anew if the environment says so.
func checkPicture(t *testing.T, h *hour, d dashboard) {
	t.Helper()
	path := filepath.Join("..", "..", "..", "docs", "observability.svg")
	drawn := draw(h, d)
	if os.Getenv("UPDATE_PICTURE") != "" {
		require.NoError(t, os.WriteFile(path, []byte(drawn), 0o644))
	}
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, texts(drawn, "title"), texts(string(kept), "title"), update)
	// Which operations had to wait for a moment differs from hour to hour, but each is in some panel.
	assert.Equal(t, sorted(texts(drawn, "name")), sorted(texts(string(kept), "name")), update)
}

const update = "UPDATE_PICTURE=1 draws the picture anew, see the comment of the package"

// texts are the texts of a class in a picture.
func texts(picture, class string) (list []string) {
	for _, found := range regexp.MustCompile(`<text class="`+class+`"[^>]*>([^<]*)`).FindAllStringSubmatch(picture, -1) {
		list = append(list, found[1])
	}
	return list
}

// sorted returns a list in order, without those that occur again.
func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// The measures of the picture, in pixels.
const (
	column = 50 // of the dashboard's 24
	row    = 29
	gap    = 8
	head   = 44
)

// palette has the colors of lines.
var palette = []string{
	"#73BF69", "#F2CC0C", "#5794F2", "#FF780A", "#F2495C", "#B877D9", "#8AB8FF", "#FADE2A",
	"#96D98D", "#FFB357", "#CA95E5", "#FF7383", "#3274D9", "#37872D", "#E0B400", "#A352CC",
}

var named = map[string]string{"green": "#73BF69", "orange": "#FF9830", "red": "#F2495C", "blue": "#5794F2"}

// canvas collects the elements of the picture.
type canvas struct{ strings.Builder }

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

func (c *canvas) text(class string, x, y float64, text string, more ...string) {
	c.add(`<text class="%s" x="%s" y="%s"%s>%s</text>`, class, px(x), px(y), strings.Join(more, ""), html.EscapeString(text))
}

// px is a length with the precision that is seen.
func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

const style = `
text { font-family: Inter, "Helvetica Neue", Helvetica, Arial, "DejaVu Sans", sans-serif; font-size: 11px; fill: #9fa0a8 }
.head { font-size: 16px; fill: #d8d9e0 }
.title { font-size: 13px; font-weight: 500; fill: #d8d9e0 }
.name { font-size: 11px; fill: #b6b7bf }
.value { font-size: 30px; font-weight: 500 }
.y { text-anchor: end }
.x { text-anchor: middle }
.grid { stroke: #2a2c31; stroke-width: 1 }
path { fill: none; stroke-linejoin: round }
`

// draw draws the dashboard.
func draw(h *hour, d dashboard) string {
	var c canvas
	height := 0.0
	for _, p := range d.Panels {
		height = max(height, head+(p.GridPos.Y+p.GridPos.H)*row)
	}
	width := 24*column + gap
	c.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %s" width="%d" height="%s" role="img" aria-label="%s: the panels of the dashboard">`,
		width, px(height+gap), width, px(height+gap), html.EscapeString(d.Title))
	c.add("<style>%s</style>", style)
	c.add(`<rect width="100%%" height="100%%" fill="#111217"/>`)
	c.text("head", gap+4, 28, d.Title)
	c.text("y", float64(width-gap-4), 28, "one hour, a value every 15 s")
	for _, p := range d.Panels {
		x, y := gap+p.GridPos.X*column, head+p.GridPos.Y*row
		w, ht := p.GridPos.W*column-gap, p.GridPos.H*row-gap
		c.add(`<rect x="%s" y="%s" width="%s" height="%s" rx="3" fill="#181b1f" stroke="#24262b"/>`, px(x), px(y), px(w), px(ht))
		c.text("title", x+10, y+20, p.Title)
		if p.Type == "stat" {
			c.stat(p, x, y, w, ht)
		} else {
			c.chart(h, p, x, y, w, ht)
		}
	}
	c.add("</svg>")
	return c.String()
}

// stat draws the last value of a panel above its course.
func (c *canvas) stat(p panel, x, y, w, h float64) {
	points := p.lines[0].points
	last := points[len(points)-1].F
	color := named["green"]
	for _, s := range p.FieldConfig.Defaults.Thresholds.Steps {
		if s.Value == nil || last >= *s.Value {
			color = named[s.Color]
		}
	}
	largest := 0.0
	for _, point := range points {
		if !math.IsNaN(point.F) {
			largest = max(largest, point.F)
		}
	}
	plot := area{x: x + 1, y: y + 66, w: w - 2, h: h - 67, top: largest * 1.1, from: points[0].T, to: points[len(points)-1].T}
	if largest > 0 {
		values := valuesOf(p.lines[0], plot)
		c.add(`<path d="%s" style="fill:%s;fill-opacity:.15"/>`, plot.band(values, make([]float64, len(values))), color)
		c.add(`<path d="%s" stroke="%s" stroke-width="1"/>`, plot.path(values), color)
	}
	c.text("value", x+w/2, y+58, inUnit(last, p.FieldConfig.Defaults.Unit, p.FieldConfig.Defaults.Decimals), ` text-anchor="middle"`, fmt.Sprintf(` style="fill:%s"`, color))
}

// area is where the lines of a panel are.
type area struct {
	x, y, w, h float64
	top        float64 // the value at the upper edge
	log        float64 // the value at the lower edge of a logarithmic scale; else 0
	from, to   int64
}

// valuesOf are the values of a line at each step, NaN where there is none.
func valuesOf(l line, a area) []float64 {
	values := make([]float64, (a.to-a.from)/step.Milliseconds()+1)
	for i := range values {
		values[i] = math.NaN()
	}
	for _, point := range l.points {
		values[(point.T-a.from)/step.Milliseconds()] = point.F
	}
	return values
}

func (a area) at(i, of int, value float64) string {
	return px(a.x+a.w*float64(i)/float64(of-1)) + " " + px(a.level(value))
}

// level is where a value is.
func (a area) level(value float64) float64 {
	share := value / a.top
	if a.log > 0 {
		share = math.Log(max(value, a.log)/a.log) / math.Log(a.top/a.log)
	}
	return a.y + a.h - a.h*share
}

// bridged fills gaps of up to some steps between the values of a line.
func bridged(values []float64, steps int) {
	last := -1
	for i, value := range values {
		if math.IsNaN(value) {
			continue
		}
		if gap := i - last; last >= 0 && gap > 1 && gap <= steps {
			for j := 1; j < gap; j++ {
				values[last+j] = values[last] + (value-values[last])*float64(j)/float64(gap)
			}
		}
		last = i
	}
}

// path is a line that has gaps where values are missing. Points on a level stretch are left out.
func (a area) path(values []float64) string {
	var b strings.Builder
	drawing := false
	for i, value := range values {
		if math.IsNaN(value) {
			drawing = false
			continue
		}
		if drawing && i+1 < len(values) && values[i-1] == value && values[i+1] == value {
			continue
		}
		if drawing {
			b.WriteByte('L')
		} else {
			b.WriteByte('M')
		}
		b.WriteString(a.at(i, len(values), value))
		drawing = true
	}
	return b.String()
}

// band is the area between two lines.
func (a area) band(upper, lower []float64) string {
	var b strings.Builder
	for i, value := range upper {
		if i > 0 && i+1 < len(upper) && upper[i-1] == value && upper[i+1] == value {
			continue
		}
		b.WriteByte("ML"[min(i, 1)])
		b.WriteString(a.at(i, len(upper), value))
	}
	for i, value := range slices.Backward(lower) {
		if i > 0 && i+1 < len(lower) && lower[i-1] == value && lower[i+1] == value {
			continue
		}
		b.WriteString("L" + a.at(i, len(lower), value))
	}
	return b.String() + "Z"
}

// chart draws the lines of a panel with axes and a legend.
func (c *canvas) chart(h *hour, p panel, x, y, w, ht float64) {
	defaults := p.FieldConfig.Defaults
	legend := c.legend(p, x+10, y+ht-8, w-20)
	a := area{x: x + 74, y: y + 34, w: w - 88, from: h.start.Add(4 * scrapeInterval).UnixMilli(), to: h.start.Add(length).UnixMilli()}
	a.h = y + ht - legend - 20 - a.y
	stacked := defaults.Custom.Stacking.Mode == "normal"
	values := make([][]float64, len(p.lines))
	largest := 0.0
	for i, l := range p.lines {
		values[i] = valuesOf(l, a)
		if span, ok := defaults.Custom.SpanNulls.(float64); ok {
			bridged(values[i], int(span)/int(step.Milliseconds()))
		}
		for j := range values[i] {
			if stacked {
				if math.IsNaN(values[i][j]) {
					values[i][j] = 0
				}
				if i > 0 {
					values[i][j] += values[i-1][j]
				}
			}
			if !math.IsNaN(values[i][j]) {
				largest = max(largest, values[i][j])
			}
		}
	}
	grid := scale(largest, defaults.Unit)
	a.top = max(largest*1.05, grid)
	if defaults.Max > 0 {
		a.top = defaults.Max
	}
	next := func(value float64) float64 { return value + grid }
	if defaults.Custom.ScaleDistribution.Type == "log" {
		a.log = 0.01
		next = func(value float64) float64 { return value * 10 }
	}
	for value := a.log; value <= a.top*1.001; value = next(value) {
		c.add(`<path class="grid" d="M%s %sh%s"/>`, px(a.x), px(a.level(value)), px(a.w))
		c.text("y", a.x-6, a.level(value)+4, inUnit(value, defaults.Unit, -1))
	}
	for minute := 10; minute <= 50; minute += 10 {
		at := a.x + a.w*float64(h.start.Add(time.Duration(minute)*time.Minute).UnixMilli()-a.from)/float64(a.to-a.from)
		c.text("x", at, a.y+a.h+15, fmt.Sprintf("0:%02d", minute))
	}
	below := make([]float64, len(valuesOf(line{}, a)))
	for i := range p.lines {
		color := palette[i%len(palette)]
		if stacked {
			c.add(`<path d="%s" style="fill:%s;fill-opacity:.3"/>`, a.band(values[i], below), color)
			below = values[i]
		}
		c.add(`<path d="%s" stroke="%s" stroke-width="1.5"/>`, a.path(values[i]), color)
	}
}

// legend draws the names of lines from the bottom up, and returns its height.
func (c *canvas) legend(p panel, x, bottom, w float64) (height float64) {
	const letter, line = 6.1, 16.0
	type entry struct{ at, row float64 }
	entries := make([]entry, len(p.lines))
	at, rows := 0.0, 0.0
	for i, l := range p.lines {
		size := 30 + letter*float64(len(l.name))
		if at > 0 && at+size > w {
			at, rows = 0, rows+1
		}
		entries[i] = entry{at, rows}
		at += size
	}
	for i, l := range p.lines {
		ex, ey := x+entries[i].at, bottom-(rows-entries[i].row)*line
		c.add(`<path d="M%s %sh14" stroke="%s" stroke-width="3"/>`, px(ex), px(ey-4), palette[i%len(palette)])
		name := l.name
		if name == "" {
			name = "none"
		}
		c.text("name", ex+19, ey, name)
	}
	return (rows + 1) * line
}

// scale is the distance of grid lines for values up to largest.
func scale(largest float64, unit string) float64 {
	if largest == 0 {
		return 1
	}
	if unit == "s" && largest > 60 {
		return 60 * scale(largest/60, "")
	}
	power := math.Pow(10, math.Floor(math.Log10(largest/4)))
	for _, factor := range []float64{1, 2, 2.5, 5, 10} {
		if largest/(power*factor) <= 5 {
			return power * factor
		}
	}
	return power * 10
}

// inUnit is a value as Grafana writes it. With fewer than 0 decimals it has those that it needs.
func inUnit(v float64, unit string, decimals int) string {
	suffix := ""
	switch {
	case unit == "ops":
		suffix = " ops/s"
	case unit == "reqps":
		suffix = " req/s"
	case unit == "percentunit":
		v, suffix = v*100, "%"
	case unit == "s" && v >= 60:
		v, suffix = math.Round(v/60*100)/100, " min"
	case unit == "s" && v > 0 && v < 1:
		v, suffix = v*1000, " ms"
		decimals = min(decimals, 0)
	case unit == "s":
		suffix = " s"
	}
	if decimals < 0 {
		return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64) + suffix
	}
	return strconv.FormatFloat(v, 'f', decimals, 64) + suffix
}
