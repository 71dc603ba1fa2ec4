package countersign

// State is the three-valued answer of a signal or a condition.
type State string

// The states. Unknown is not false: by default an unknown condition fires.
const (
	True    State = "true"
	False   State = "false"
	Unknown State = "unknown" // cannot say; the missing fields are named
)

// Finding is one signal's result: what it measured, what it was compared with and
// where the facts came from; or why it cannot say.
type Finding struct {
	Signal     string   `json:"signal"`
	State      State    `json:"state"`
	Value      string   `json:"value,omitempty"`      // what was measured, for a person: "0 paid invoices"
	Comparison string   `json:"comparison,omitempty"` // what it was held against: "fewer than 1"
	Source     string   `json:"source,omitempty"`     // where the facts came from, and as of when
	Missing    []string `json:"missing,omitempty"`    // fields without which it cannot say
}

// Reason says why one rule of the policy counted, as a sentence with the numbers.
type Reason struct {
	Rule     string   `json:"rule"`
	State    State    `json:"state"` // true, or unknown
	Sentence string   `json:"sentence"`
	Effect   Outcome  `json:"effect"`            // what the rule demands when it counts
	Missing  []string `json:"missing,omitempty"` // where unknown: the fields that were missing
	Line     int      `json:"line,omitempty"`    // of the rule in the policy's text
	// Silenced names the exception that kept the rule from counting; Recorded says
	// that its unknown condition was only recorded, as the rule itself asks.
	Silenced string `json:"silenced,omitempty"`
	Recorded bool   `json:"recorded,omitempty"`
}
