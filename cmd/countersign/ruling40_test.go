package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// What opens the data itself. Everything else that changes something asks the running
// server, as a signed-in person or a system.
var (
	onTheData = []string{"audit export", "audit checkpoint", "audit keys", "audit rotate", "audit recover", "backup", "restore", "doctor", "init", "serve",
		"demo run", "move", "user reset-factors", "key create", "key confirm"} // the last two only with --offline
	opensData = []string{"audit_export.go", "audit_recover.go", "audit_rotate.go", "backup.go", "doctor.go", "init.go", "key.go", "move.go", "open.go",
		"serve.go", "user_reset.go"}
)

// TestRuling40CommandsSpeakToTheServer: no command of people, keys, requests and policies
// takes a data folder, and no file of theirs opens one.
func TestRuling40CommandsSpeakToTheServer(t *testing.T) {
	k, err := kong.New(&cli{}, kong.Name("countersign"))
	must(t, err)
	asks := 0
	for _, leaf := range k.Model.Leaves(true) {
		name := strings.TrimPrefix(leaf.FullPath(), "countersign ")
		server, data := embeds(leaf.Target.Type(), reflect.TypeFor[serverFlags]()), embeds(leaf.Target.Type(), reflect.TypeFor[onData]())
		if data && !slices.Contains(onTheData, name) {
			t.Errorf("%s takes a data folder", name)
		}
		group, _, _ := strings.Cut(name, " ")
		if slices.Contains([]string{"user", "key", "request", "delegation", "settings", "import"}, group) || name == "policy publish" {
			if asks++; !server && name != "user reset-factors" {
				t.Errorf("%s does not ask a server", name)
			}
		}
	}
	if asks < 25 {
		t.Errorf("only %d commands were looked at", asks)
	}
	files, err := filepath.Glob("*.go")
	must(t, err)
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") && opens(t, file) != slices.Contains(opensData, file) {
			t.Errorf("%s opens a data folder: %v", file, opens(t, file))
		}
	}
	var said heard
	code := run(t.Context(), []string{"key", "create", "erp", "--scope", "submit", "--config", "x.yaml"}, process{in: strings.NewReader(""), out: &said, err: &said})
	if code != exitUsage || !strings.Contains(said.String(), "--offline") {
		t.Errorf("a key on the data without --offline: %d %s", code, &said)
	}
}

// embeds reports whether a command has the flags of another type, at whatever depth.
func embeds(command, flags reflect.Type) bool {
	if command == flags {
		return true
	}
	if command.Kind() != reflect.Struct {
		return false
	}
	for i := range command.NumField() {
		if f := command.Field(i); f.Anonymous && embeds(f.Type, flags) {
			return true
		}
	}
	return false
}

// opens reports whether a file calls what opens databases.
func opens(t *testing.T, file string) bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	must(t, err)
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch fun := call.Fun.(type) {
		case *ast.Ident:
			found = found || slices.Contains([]string{"openInstallation", "openData", "openReader", "openGuard", "operate", "operateOn"}, fun.Name)
		case *ast.SelectorExpr:
			if x, ok := fun.X.(*ast.Ident); ok && x.Name == "store" && strings.HasPrefix(fun.Sel.Name, "Open") {
				found = true
			}
		}
		return true
	})
	return found
}
