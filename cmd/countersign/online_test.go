package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/countersign/countersign/internal/demo"
	"github.com/countersign/countersign/internal/demo/info"
	"github.com/countersign/countersign/internal/testkit/steady"
)

// TestOnlineScripts plays the commands that speak to a server against a real demo,
// each script its own, started as a visitor would on a free port.
//
//	visit                       waits for the demo that was started in the background
//	document CASE FILE [AMOUNT] writes a live case's document
//	factors LOGIN FILE [CODE]   writes the password and the code of now, a line each
//	let NAME FILE MEMBER        takes a member of a JSON object into a variable
//	first NAME FILE MEMBER      takes a member of a list's first object
//	soon NAME                   is a day in a week
func TestOnlineScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "online"),
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") == "1",
		Setup: func(env *testscript.Env) error {
			env.Setenv("COUNTERSIGN_CONFIG_DIR", filepath.Join(env.WorkDir, "config"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "visit": visit, "document": writeCase, "factors": writeFactors, "let": let, "first": first, "soon": soon,
		},
	})
}

func information(ts *testscript.TestScript) info.File {
	known, err := info.Read(ts.MkAbs("info.json"))
	ts.Check(err)
	return known
}

func visit(ts *testscript.TestScript, _ bool, _ []string) {
	deadline := time.Now().Add(steady.Limit)
	for {
		known, err := info.Read(ts.MkAbs("info.json"))
		if err == nil {
			var answer *http.Response
			if answer, err = http.Get(known.URL + "/healthz"); err == nil {
				answer.Body.Close()
				ts.Setenv("COUNTERSIGN_SERVER", known.URL)
				ts.Setenv("COUNTERSIGN_API_KEY", known.Key)
				ts.Setenv("VERIFIER", known.Verifiers[0])
				return
			}
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the demo does not answer: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func writeCase(ts *testscript.TestScript, _ bool, args []string) {
	known := information(ts)
	for _, c := range demo.LiveCases(demo.Sample(known.Until), known.Until) {
		if c.Name != args[0] {
			continue
		}
		if len(args) > 2 {
			c.Document.Amount.Value = args[2]
		}
		raw, err := json.Marshal(c.Document)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), raw, 0o600))
		return
	}
	ts.Fatalf("there is no case %q", args[0])
}

func writeFactors(ts *testscript.TestScript, _ bool, args []string) {
	known := information(ts)
	who := known.Person(args[0])
	code, err := demo.Code(who.TOTPSecret, time.Now())
	ts.Check(err)
	if len(args) > 2 {
		code = args[2]
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(who.Password+"\n"+code+"\n"), 0o600))
}

func let(ts *testscript.TestScript, _ bool, args []string) {
	var members map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &members))
	value, ok := members[args[2]]
	if !ok {
		ts.Fatalf("%s has no member %q", args[1], args[2])
	}
	ts.Setenv(args[0], strings.TrimSpace(fmt.Sprint(value)))
}

func first(ts *testscript.TestScript, _ bool, args []string) {
	var all []map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &all))
	ts.Setenv(args[0], fmt.Sprint(all[0][args[2]]))
}

func soon(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], time.Now().AddDate(0, 0, 7).UTC().Format(time.DateOnly))
}
