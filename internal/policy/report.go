package policy

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// WriteText writes the result for people: every case that failed with its reasons,
// then the rules that no case covers, then the count.
func (r SuiteResult) WriteText(w io.Writer, uncovered []string) error {
	var b strings.Builder
	for _, c := range r.Cases {
		if len(c.Failures) > 0 {
			fmt.Fprintf(&b, "%s:%d: %s\n", r.File, c.Line, c.Name)
			for _, f := range c.Failures {
				fmt.Fprintf(&b, "    %s\n", f)
			}
		}
	}
	for _, name := range uncovered {
		fmt.Fprintf(&b, "%s: no case shows the rule %q both firing and silent\n", r.File, name)
	}
	fmt.Fprintf(&b, "%d of %d cases passed\n", len(r.Cases)-r.Failed, len(r.Cases))
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes the result as one JSON object.
func (r SuiteResult) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// junitSuite is the form of JUnit's reports that build servers read.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	File      string        `xml:"file,attr"`
	Line      int           `xml:"line,attr"`
	Failure   *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the result as a JUnit report.
func (r SuiteResult) WriteJUnit(w io.Writer) error {
	s := junitSuite{Name: r.Policy, Tests: len(r.Cases), Failures: r.Failed}
	for _, c := range r.Cases {
		j := junitCase{Name: c.Name, ClassName: r.Policy, File: r.File, Line: c.Line}
		if len(c.Failures) > 0 {
			j.Failure = &junitFailure{Message: c.Failures[0], Text: strings.Join(c.Failures, "\n")}
		}
		s.Cases = append(s.Cases, j)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(s); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
