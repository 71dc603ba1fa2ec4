package policy

import (
	"fmt"
	"strings"
)

// manyRules writes a policy of n rules of the usual forms.
func manyRules(n int) string {
	forms := []string{
		`amount >= %d && kind == "invoice"`,
		`signal.new_vendor && amount >= %d`,
		`approver.privileged && amount >= %d`,
		`vendor.country in ["KP", "IR"] || history.count < %d && amount >= large`,
		`alerts.exists(a, a.severity >= high && a.about == vendor.id) && amount > %d`,
		`requester.id == vendor.created_by && amount >= %d`,
	}
	var b strings.Builder
	b.WriteString("policy: many\ncurrency: EUR\nconstants: {large: 30000}\napprovers: {default: [approvers]}\nrules:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - name: rule-%d\n    when: '%s'\n    require: {assurance: mfa}\n    because: \"{kind} of {amount}\"\n", i, fmt.Sprintf(forms[i%len(forms)], 1000+i))
	}
	return b.String()
}
