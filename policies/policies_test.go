package policies_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/countersign/countersign/internal/policy"
	"github.com/countersign/countersign/policies"
)

// TestProcurement runs the pack's own tests, and wants every rule shown both
// firing and silent.
func TestProcurement(t *testing.T) {
	text, err := policies.Files.ReadFile(policies.Procurement)
	if err != nil {
		t.Fatal(err)
	}
	v, err := policy.Load(policy.Source{File: policies.Procurement, Text: text})
	if err != nil {
		t.Fatal(err)
	}
	tests, err := policies.Files.ReadFile("procurement_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	suite, err := policy.ParseSuite("procurement_test.yaml", tests)
	if err != nil {
		t.Fatal(err)
	}
	result := suite.Run(v)
	uncovered := v.Uncovered(result)
	if result.Failed > 0 || len(uncovered) > 0 {
		var b bytes.Buffer
		if err := result.WriteText(&b, uncovered); err != nil {
			t.Fatal(err)
		}
		t.Error(b.String())
	}
	if len(result.Cases) < 40 {
		t.Errorf("%d cases: the pack lost some of its tests", len(result.Cases))
	}
}

// TestSchemaIsCurrent compares the schema that ships with the one that the loader
// makes. UPDATE_SCHEMA=1 writes it.
func TestSchemaIsCurrent(t *testing.T) {
	want := policy.Schema()
	if os.Getenv("UPDATE_SCHEMA") != "" {
		if err := os.WriteFile("policy.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("policy.schema.json")
	if err != nil || !bytes.Equal(have, want) {
		t.Errorf("policy.schema.json is not what policy.Schema makes (%v): run UPDATE_SCHEMA=1 go test ./policies", err)
	}
	if embedded, err := policies.Files.ReadFile("policy.schema.json"); err != nil || !bytes.Equal(embedded, have) {
		t.Errorf("the embedded schema differs: %v", err)
	}
}
