package policy

import "encoding/json"

// Schema returns the JSON Schema (draft 2020-12) of the policy file, for editors
// that complete and check YAML. It says less than [Check] does: names, kinds and
// conditions are checked when a policy is loaded.
func Schema() []byte {
	s := fileShape().Schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Countersign policy"
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil { // maps, slices, strings and numbers always marshal
		panic(err)
	}
	return append(b, '\n')
}
