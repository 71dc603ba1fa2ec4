package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){"countersign": main})
}

// tidy takes the built program away when all tests have run.
type tidy struct{ m *testing.M }

func (t tidy) Run() int {
	defer func() { os.RemoveAll(programFolder) }()
	return t.m.Run()
}

// TestScripts plays the command line as a person or a script would, each in a fresh
// folder. `exits N countersign …` runs it and demands the exit code.
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs(filepath.Join("..", "..", "examples"))
	must(t, err)
	pack, err := filepath.Abs(filepath.Join("..", "..", "policies"))
	must(t, err)
	made := sync.OnceValue(func() map[string][]byte { return evidence(t) })
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") == "1",
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			env.Setenv("PACK", pack)
			if !strings.Contains(filepath.Base(env.WorkDir), "verify") {
				return nil
			}
			files := maps.Clone(made())
			env.Setenv("KEY", string(files["verifier"]))
			for name, data := range files {
				path := filepath.Join(env.WorkDir, filepath.FromSlash(name))
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE command [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// TestRunIsAValue: main's work needs nothing of the process itself, and a stopped
// context ends it.
func TestRunIsAValue(t *testing.T) {
	var out, errs bytes.Buffer
	p := process{in: strings.NewReader("doc,vendor,amount,currency,date\n1,Acme,900.00,EUR,2026-01-05\n"), out: &out, err: &errs}
	if code := run(t.Context(), []string{"policy", "try", "-", "--warm-up", "0"}, p); code != exitDone || !strings.Contains(out.String(), "1 request") || errs.Len() > 0 {
		t.Errorf("exit %d\n%s%s", code, &out, &errs)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	out.Reset()
	p.in = strings.NewReader("doc,vendor,amount,currency,date\n1,Acme,900.00,EUR,2026-01-05\n")
	if code := run(ctx, []string{"policy", "try", "-"}, p); code != exitFailed || !strings.Contains(errs.String(), "countersign: stopped") || out.Len() > 0 {
		t.Errorf("stopped: exit %d\n%s%s", code, &out, &errs)
	}
}

// TestExitNotYet: waiting in vain has an exit code of its own.
func TestExitNotYet(t *testing.T) {
	var errs bytes.Buffer
	p := process{err: &errs}
	if code := p.fail(withHint(errNotYet, "ask again")); code != exitNotYet || errs.String() != "countersign: not yet\nhint: ask again\n" {
		t.Errorf("exit %d: %q", code, &errs)
	}
}
