package countersign_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/countersign/countersign"

// room is what one package may import, and why. Standard library always; product
// packages and outside modules only as listed. Tests are not bound by it.
type room struct {
	product []string // packages of this module, without the module path; "" is the root
	outside []string // prefixes of import paths outside the standard library
	pure    bool     // values in, values out: no clock, no network, no database
	reason  string
}

var rooms = map[string]room{
	"internal/jcs": {pure: true, reason: "strict JSON and its canonical bytes: the lowest room, with errors of its own"},
	"": {product: []string{"internal/jcs"}, outside: []string{"golang.org/x/mod/sumdb/note"}, pure: true,
		reason: "the vocabulary and the client; client.go and middleware.go are the one exception to the network rule"},
	"verify": {product: []string{"", "internal/jcs"}, outside: []string{"golang.org/x/mod/sumdb/note", "golang.org/x/mod/sumdb/tlog"}, pure: true,
		reason: "the offline verifier: small enough to be read by somebody who trusts nobody"},
	"internal/shape":    {pure: true, reason: "what may stand in a policy file: the signals say it of their settings, the policy of the rest"},
	"internal/signal":   {product: []string{"", "internal/jcs", "internal/shape"}, pure: true, reason: "facts in, findings out"},
	"internal/policy":   {product: []string{"", "internal/jcs", "internal/shape", "internal/signal"}, outside: []string{"cel.dev/", "go.yaml.in/yaml/v3", "google.golang.org/"}, pure: true, reason: "findings in, requirement out"},
	"internal/approval": {product: []string{""}, pure: true, reason: "the state machine"},
	"internal/authn": {product: []string{"", "internal/jcs"}, pure: true, reason: "who it was, derived from facts",
		outside: []string{"github.com/go-webauthn/", "github.com/pquerna/otp", "golang.org/x/crypto", "golang.org/x/text"}},
	"internal/authn/softkey": {product: []string{"", "internal/authn"}, outside: []string{"github.com/go-webauthn/"}, pure: true, reason: "the demo's marked software authenticator"},
	"internal/audit":         {product: []string{"", "internal/jcs", "verify"}, outside: []string{"golang.org/x/mod/sumdb/"}, pure: true, reason: "the log's arithmetic and its verification: standard library and sumdb only"},
	"internal/connect":       {product: []string{""}, outside: []string{"golang.org/x/text"}, pure: true, reason: "files of other systems, read into facts"},
	"internal/backtest":      {product: []string{"", "internal/signal", "internal/policy", "internal/connect"}, pure: true, reason: "history through a policy"},
	"internal/store": {product: []string{"", "internal/signal", "internal/policy", "internal/authn", "internal/audit", "internal/approval"}, outside: []string{"modernc.org/", "github.com/jackc/pgx/v5", "github.com/pressly/goose/v3", "golang.org/x/mod/sumdb/tlog", "golang.org/x/sys", "golang.org/x/text"},
		reason: "the only SQL"},
	"internal/store/storetest": {product: []string{"", "internal/store"}, outside: []string{"github.com/jackc/pgx/v5"}, reason: "one suite, two databases"},
	"internal/checkpoint": {product: []string{"", "verify", "internal/authn", "internal/audit", "internal/store"}, outside: []string{"golang.org/x/mod/sumdb/"},
		reason: "the log is signed and published; it reports what it finds and raises nothing"},
	"internal/authority": {product: []string{"", "verify", "internal/checkpoint", "internal/jcs", "internal/signal", "internal/policy", "internal/approval", "internal/authn", "internal/audit", "internal/store", "internal/connect", "policies"},
		outside: []string{"golang.org/x/mod/sumdb/", "golang.org/x/text", "github.com/prometheus/client_golang", "golang.org/x/time/rate"}, reason: "the only code that changes anything"},
	"internal/notify": {product: []string{"", "internal/store"}, outside: []string{"github.com/wneessen/go-mail"},
		reason: "the outbox, told to people: beside the authority, whom it asks nothing"},
	"internal/api": {product: []string{"", "internal/jcs", "internal/authority", "internal/signal", "internal/policy", "internal/authn", "internal/approval", "internal/audit", "internal/connect"},
		outside: []string{"github.com/prometheus/client_golang", "golang.org/x/time/rate"}, reason: "HTTP in and out"},
	"internal/web": {product: []string{"", "verify", "internal/authority", "internal/checkpoint", "internal/signal", "internal/policy", "internal/authn", "internal/approval", "internal/audit"},
		outside: []string{"golang.org/x/time/rate", "github.com/boombuler/barcode", "golang.org/x/mod/sumdb/tlog", "znkr.io/diff"}, reason: "pages in and out"},
	"internal/terminal":  {product: []string{""}, pure: true, reason: "text on a terminal"},
	"internal/demo/info": {product: []string{"", "internal/authn/softkey"}, reason: "the file that a demo leaves, which client commands read"},
	"internal/demo":      {product: []string{"", "verify", "internal/checkpoint", "internal/authority", "internal/authn", "internal/authn/softkey", "internal/connect", "internal/demo/info", "internal/signal", "internal/policy", "internal/store", "internal/terminal", "policies"}, reason: "the sample company and its cases"},
	"internal/testkit": {product: []string{"", "verify", "internal/checkpoint", "internal/api", "internal/web", "internal/authn", "internal/authn/softkey", "internal/authority", "internal/policy", "internal/store", "internal/store/storetest", "internal/testkit/steady", "policies"},
		outside: []string{"golang.org/x/mod/sumdb/", "github.com/pquerna/otp", "github.com/santhosh-tekuri/jsonschema/v6", "github.com/chromedp/"}, reason: "a whole server for tests; in no other package's room, so that only tests import it"},
	"internal/testkit/steady": {reason: "patience and seeds for tests: below everything, so that every test can import it"},
	"examples/erp":            {product: []string{""}, reason: "what a calling system does, with the client alone"},
	"policies":                {reason: "the pack that ships, embedded"},
	"cmd/countersign": {product: []string{"", "verify", "internal/checkpoint", "internal/signal", "internal/policy", "internal/approval", "internal/authn", "internal/audit", "internal/connect", "internal/backtest", "internal/store", "internal/authority", "internal/api", "internal/web", "internal/notify", "internal/demo", "internal/demo/info", "internal/terminal", "policies"},
		outside: []string{"github.com/alecthomas/kong", "go.yaml.in/yaml/v3", "golang.org/x/term", "github.com/prometheus/client_golang", "golang.org/x/mod/sumdb/note"}, reason: "wiring"},
}

// only lists the files of a package that alone may import another, where the rest of the
// package may not although it is in the room.
var only = map[string]map[string][]string{
	"cmd/countersign": {"internal/demo": {"demo.go", "demo_pages.go"}},
}

type listed struct {
	ImportPath, Dir, Doc string
	GoFiles, Imports     []string
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Doc,GoFiles,Imports"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
}

// TestImports keeps the direction of imports: down the floors, never up.
func TestImports(t *testing.T) {
	for _, l := range list(t, "./...") {
		name := strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, module), "/")
		r, known := rooms[name]
		if !known {
			t.Errorf("%s: no room of that name; add it to the table with a reason, or put the code where it belongs", l.ImportPath)
			continue
		}
		if l.Doc == "" {
			t.Errorf("%s: no package comment", l.ImportPath)
		}
		for _, imp := range l.Imports {
			checkImport(t, name, r, imp)
		}
		if r.pure {
			checkPure(t, l)
		}
		for imp, files := range only[name] {
			checkOnly(t, l, imp, files)
		}
	}
}

// checkOnly keeps an import within the files that need it.
func checkOnly(t *testing.T, l listed, imp string, files []string) {
	t.Helper()
	for _, f := range l.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), l.Dir+"/"+f, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			if strings.Trim(i.Path.Value, `"`) == module+"/"+imp && !slices.Contains(files, f) {
				t.Errorf("%s/%s imports %s: only %s may", l.ImportPath, f, imp, strings.Join(files, " and "))
			}
		}
	}
}

func checkImport(t *testing.T, name string, r room, imp string) {
	t.Helper()
	if rest, ours := strings.CutPrefix(imp, module); ours {
		if p := strings.TrimPrefix(rest, "/"); !slices.Contains(r.product, p) {
			t.Errorf("%q imports %q: not in its room (%s)", name, p, r.reason)
		}
		return
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return // standard library
	}
	if !slices.ContainsFunc(r.outside, func(p string) bool { return strings.HasPrefix(imp, p) }) {
		t.Errorf("%q imports %q: not in its room (%s)", name, imp, r.reason)
	}
}

// checkPure keeps clocks, networks and databases out of the core: time is an
// argument there, so that a story can be replayed exactly.
func checkPure(t *testing.T, l listed) {
	t.Helper()
	for _, f := range l.GoFiles {
		if l.ImportPath == module && (f == "client.go" || f == "middleware.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, l.Dir+"/"+f, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range file.Imports {
			switch path := strings.Trim(imp.Path.Value, `"`); path {
			case "net/http", "database/sql", "os", "os/exec", "net":
				t.Errorf("%s/%s imports %s: this package is pure", l.ImportPath, f, path)
			}
		}
		for _, call := range clockCalls(file) {
			t.Errorf("%s: %s: time is an argument in this package", fset.Position(call.pos), call.name)
		}
	}
}

// TestVerifierImports keeps what an auditor must trust small: the verification of
// receipts, and that of exported logs above it, stand on the standard library, sumdb
// and the vocabulary alone.
func TestVerifierImports(t *testing.T) {
	ours := map[string][]string{"./verify": {"", "/internal/jcs", "/verify"}}
	ours["./internal/audit"] = append(slices.Clone(ours["./verify"]), "/internal/audit")

	for from, rooms := range ours {
		for _, l := range list(t, "-deps", from) {
			first, _, _ := strings.Cut(l.ImportPath, "/")
			own, isOwn := strings.CutPrefix(l.ImportPath, module)
			switch {
			case isOwn && slices.Contains(rooms, own), !strings.Contains(first, "."):
			case strings.HasPrefix(l.ImportPath, "golang.org/x/mod/"):
			default:
				t.Errorf("%s depends on %s", from, l.ImportPath)
			}
		}
	}
}
