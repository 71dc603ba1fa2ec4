// Package policies holds the policies that ship with Countersign, with their
// tests. `countersign init` writes them; the demo runs on them.
package policies

import "embed"

// Files are the policies, their tests (NAME_test.yaml) and the JSON Schema of the
// policy file (policy.schema.json).
//
//go:embed *.yaml *.json
var Files embed.FS

// Procurement is the procurement pack: its file name in [Files].
const Procurement = "procurement.yaml"
