package web

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
)

// Names as they come: very long, written from the right, and without a place to break.
const (
	specimenLongName  = "Maximiliane-Charlotte von Hohenlohe-Waldenburg-Schillingsfürst"
	specimenRightName = "محمد عبد الرحمن الشريف"
	specimenWordName  = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
)

// longName is the i-th of the names that strain a page, and then the first again.
func longName(i int) string {
	return []string{specimenLongName, specimenRightName, specimenWordName, "שירותי לוגיסטיקה וסחר בינלאומי בע״מ"}[i%4]
}

// longText is somebody who had much to say.
func longText(i int) string {
	return strings.Repeat([]string{"A reason that goes on and on, since somebody had much to say. ", "تم التحقق من الحساب عبر الهاتف. "}[i%2], 6)
}

// mostMoney has twelve digits before the point, the most that there can be.
var mostMoney = countersign.Amount{Value: "987654321098.76", Currency: "EUR"}

// longRows are requests of which everything is long.
func longRows() []authority.RequestRow {
	rows := sampleRows()
	for i := range rows {
		r := &rows[i]
		r.Object, r.Subject, r.Payee, r.Requester, r.Source = "INV-"+strings.Repeat("0123456789", 6), longText(i), longName(i+1), longName(i), strings.Repeat("a_system_", 7)+"of_old"
		r.Amount, r.Rules, r.Deciders = &mostMoney, nil, nil
		for n := range 4 {
			r.Rules = append(r.Rules, fmt.Sprintf("%slong-%d", strings.Repeat("very-", 10), n))
			r.Deciders = append(r.Deciders, countersign.Principal{ID: fmt.Sprintf("per_%d", n), Name: longName(n)})
		}
	}
	return rows
}

// longDecisions are decisions on them.
func longDecisions() []authority.DecisionRow {
	rows, all := longRows(), sampleDecisions()
	for i := range all {
		d := &all[i]
		d.Request, d.Person.Name, d.Reason, d.Void, d.Index = rows[i], longName(i), longText(i), longText(i+1), 87654321
		d.ActingFor, d.BreakGlass, d.Unexpected, d.Simulated = &countersign.Principal{ID: "per_1", Name: longName(i + 1)}, true, true, true
	}
	return all
}
