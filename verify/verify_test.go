package verify

import (
	goparser "go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestVerifierImports: the verifier is built from the standard library and the
// note and tree of golang.org/x/mod alone, and never reaches for the network.
func TestVerifierImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, name := range append(files, "../digest.go", "../strict.go", "../entry.go", "../decision.go", "../requirement.go", "../document.go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := goparser.ParseFile(token.NewFileSet(), name, nil, goparser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		read++
		for _, i := range f.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			first, _, _ := strings.Cut(path, "/")
			if strings.Contains(first, ".") && !slices.Contains([]string{"github.com/countersign/countersign", "github.com/countersign/countersign/internal/jcs", "golang.org/x/mod/sumdb/note", "golang.org/x/mod/sumdb/tlog"}, path) {
				t.Errorf("%s imports %s", name, path)
			}
			if slices.Contains([]string{"net", "net/http", "os", "os/exec", "unsafe", "plugin"}, path) {
				t.Errorf("%s imports %s: a verifier reads nothing but what it is given", name, path)
			}
		}
	}
	if read < 10 {
		t.Errorf("%d files read", read)
	}
}

// TestReceiptOnNothing: whatever is no receipt is refused at the encoding, with
// a step that says why.
func TestReceiptOnNothing(t *testing.T) {
	opts := Options{Keys: []string{"countersign.example/audit/1+20899caa+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"}}
	for _, bad := range []string{"", "{}", "null", "[]", `{"type":"countersign.receipt/v1"}`, strings.Repeat(" ", maxReceipt+1),
		`{"entries":[],"founding":false,"org":"","origin":"","request":"","status":"","summary":"","type":"countersign.receipt/v1"}`} {
		v, err := Receipt([]byte(bad), opts)
		if err == nil || v.Failed != StepEncoding || v.OK || len(v.Steps) != 1 {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
}
