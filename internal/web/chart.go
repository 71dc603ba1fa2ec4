package web

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Chart is a drawing with the sentence that says what it shows and the same numbers
// as a table. The template "chart" writes it. Colours are the stylesheet's: marks
// bear classes only.
type Chart struct {
	Label string // one sentence, for those who cannot see the drawing
	SVG   template.HTML
	Head  []string
	Rows  [][]string
}

// Mark is one value of a chart: its name, its size, and both in words as the table
// and the mark's title show them.
type Mark struct {
	Name  string
	Value float64
	Text  string // the value as it is read
	Class string // of this mark, beside the chart's own; may be empty
}

// Series is one line of a [Trend].
type Series struct {
	Name  string
	Class string
	Marks []Mark
}

// Line stands upright across a chart at a mark: a threshold, a policy version.
type Line struct {
	At   int // index of the mark that it stands before
	Text string
}

const (
	chartWidth  = 560
	chartHeight = 180
	chartLeft   = 8
	chartFloor  = 152 // where the bars stand; names are beneath
	chartRoof   = 20
)

// drawing writes SVG. Everything that is not a number is escaped.
type drawing struct{ strings.Builder }

func (d *drawing) open(width, height int, class, label string) {
	fmt.Fprintf(d, `<svg class="chart %s" viewBox="0 0 %d %d" role="img" aria-label="%s">`, esc(class), width, height, esc(label))
}

func (d *drawing) close() template.HTML {
	d.WriteString("</svg>")
	return template.HTML(d.String())
}

func (d *drawing) text(x, y float64, class, anchor, s string) {
	fmt.Fprintf(d, `<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>`, esc(class), at(x), at(y), anchor, esc(s))
}

// rect draws a bar; its title is read when it is pointed at.
func (d *drawing) rect(x, y, w, h float64, class, title string) {
	fmt.Fprintf(d, `<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="2"><title>%s</title></rect>`, esc(class), at(x), at(y), at(w), at(h), esc(title))
}

func (d *drawing) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(d, `<path class="%s" d="M%s %sL%s %s"/>`, esc(class), at(x1), at(y1), at(x2), at(y2))
}

func esc(s string) string { return template.HTMLEscapeString(s) }

// at writes a coordinate with at most one decimal, so that drawings are the same
// everywhere.
func at(x float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
}

// share is a part of the largest value, from 0 to 1; what is no number is 0.
func share(v, most float64) float64 {
	if most <= 0 || math.IsNaN(v) || v <= 0 {
		return 0
	}
	return math.Min(v/most, 1)
}

func largest(marks []Mark) float64 {
	most := 0.0
	for _, m := range marks {
		if !math.IsNaN(m.Value) && !math.IsInf(m.Value, 0) {
			most = math.Max(most, m.Value)
		}
	}
	return most
}

func (m Mark) title() string { return strings.TrimSpace(m.Name + ": " + m.Text) }

func tableOf(marks []Mark) [][]string {
	rows := make([][]string, len(marks))
	for i, m := range marks {
		rows[i] = []string{m.Name, m.Text}
	}
	return rows
}

// Histogram draws how many there are of each, side by side. The first and the last
// are named beneath, and so are the lines across.
func Histogram(label string, head []string, marks []Mark, lines ...Line) Chart {
	var d drawing
	d.open(chartWidth, chartHeight, "histogram", label)
	step := float64(chartWidth-2*chartLeft) / float64(max(len(marks), 1))
	most := largest(marks)
	for i, m := range marks {
		h := share(m.Value, most) * (chartFloor - chartRoof)
		if m.Value > 0 {
			h = math.Max(h, 1) // one of many is still there
		}
		d.rect(chartLeft+float64(i)*step+step*.08, chartFloor-h, step*.84, h, strings.TrimSpace("bar "+m.Class), m.title())
	}
	d.line(chartLeft, chartFloor, chartWidth-chartLeft, chartFloor, "axis")
	ends(&d, marks)
	uprights(&d, lines, chartLeft, step)
	return Chart{Label: label, SVG: d.close(), Head: head, Rows: tableOf(marks)}
}

func ends(d *drawing, marks []Mark) {
	if n := len(marks); n > 0 {
		d.text(chartLeft, chartHeight-10, "tick", "start", marks[0].Name)
		if n > 1 {
			d.text(chartWidth-chartLeft, chartHeight-10, "tick", "end", marks[n-1].Name)
		}
	}
}

func uprights(d *drawing, lines []Line, left, step float64) {
	for _, l := range lines {
		x := left + float64(l.At)*step
		d.line(x, chartRoof-6, x, chartFloor, "mark")
		anchor := "start"
		if x > chartWidth/2 {
			anchor = "end"
		}
		d.text(x, chartRoof-9, "tick", anchor, l.Text)
	}
}

// Trend draws how values went, as one line for each series over the same names. A
// value that is no number leaves a gap.
func Trend(label string, head []string, series []Series, lines ...Line) Chart {
	var d drawing
	d.open(chartWidth, chartHeight, "trend", label)
	most, n := 0.0, 0
	for _, s := range series {
		most, n = math.Max(most, largest(s.Marks)), max(n, len(s.Marks))
	}
	step := float64(chartWidth-2*chartLeft) / float64(max(n-1, 1))
	for _, s := range series {
		var path strings.Builder
		pen := "M"
		for i, m := range s.Marks {
			if math.IsNaN(m.Value) {
				pen = "M"
				continue
			}
			fmt.Fprintf(&path, "%s%s %s", pen, at(chartLeft+float64(i)*step), at(chartFloor-share(m.Value, most)*(chartFloor-chartRoof)))
			pen = "L"
		}
		fmt.Fprintf(&d, `<path class="%s" d="%s"><title>%s</title></path>`, esc(strings.TrimSpace("line "+s.Class)), path.String(), esc(s.Name))
		for i, m := range s.Marks {
			if !math.IsNaN(m.Value) {
				fmt.Fprintf(&d, `<circle class="%s" cx="%s" cy="%s" r="3"><title>%s</title></circle>`, esc(strings.TrimSpace("point "+s.Class)),
					at(chartLeft+float64(i)*step), at(chartFloor-share(m.Value, most)*(chartFloor-chartRoof)), esc(s.Name+", "+m.title()))
			}
		}
	}
	d.line(chartLeft, chartFloor, chartWidth-chartLeft, chartFloor, "axis")
	if len(series) > 0 {
		ends(&d, series[0].Marks)
	}
	uprights(&d, lines, chartLeft, step)
	return Chart{Label: label, SVG: d.close(), Head: head, Rows: trendTable(series, n)}
}

func trendTable(series []Series, n int) [][]string {
	rows := make([][]string, n)
	for i := range rows {
		row := make([]string, 1+len(series))
		for j, s := range series {
			if i < len(s.Marks) {
				row[0], row[j+1] = s.Marks[i].Name, s.Marks[i].Text
			}
		}
		rows[i] = row
	}
	return rows
}

// Bars draws values one beneath the other, each with its name and its value in words.
func Bars(label string, head []string, marks []Mark) Chart {
	const row, bar, names = 30, 14, 190
	var d drawing
	d.open(chartWidth, max(len(marks), 1)*row, "bars", label)
	most := largest(marks)
	for i, m := range marks {
		y := float64(i * row)
		d.text(0, y+19, "name", "start", clipped(m.Name, 28))
		w := share(m.Value, most) * (chartWidth - names - 80)
		if m.Value > 0 {
			w = math.Max(w, 1) // one of many is still there
		}
		d.rect(names, y+8, w, bar, strings.TrimSpace("bar "+m.Class), m.title())
		d.text(chartWidth, y+19, "value", "end", m.Text)
	}
	return Chart{Label: label, SVG: d.close(), Head: head, Rows: tableOf(marks)}
}

// clipped shortens a name where the drawing has no room; the table has it whole.
func clipped(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
