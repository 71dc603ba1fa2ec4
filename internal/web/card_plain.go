package web

import "strings"

// Text is the card without marks and folds, for mail in plain text and for terminals:
// every member of the document, in the same order.
func (c *CardView) Text() string {
	w := &plainWriter{}
	w.line(c.Kind.Label, valueText(c.Kind.Field))
	w.line("", valueText(&c.Title))
	w.items("", c.Identity)
	if c.Amount != nil {
		w.line("", moneyText(c.Amount))
	}
	w.b.WriteByte('\n')
	for _, r := range c.Rows {
		label := r.Label
		if r.Field != nil {
			label = strings.TrimSpace(label + " " + valueText(r.Field))
		}
		for _, e := range r.Entries {
			w.line(label+":", valueText(&e.Main))
			w.items("  ", e.Sub)
		}
	}
	if c.Lines != nil {
		w.line("\n"+c.Lines.Caption, "")
		for _, run := range c.Lines.Runs {
			for _, l := range run.Lines {
				w.line(valueText(&l.Number), strings.TrimSpace(valueText(&l.Main)+" "+moneyText(l.Amount)))
				w.items("  ", l.Items)
			}
		}
	}
	w.b.WriteByte('\n')
	w.line("", c.Compared)
	w.line(c.Signed, valueText(&c.Digest))
	return w.b.String()
}

type plainWriter struct{ b strings.Builder }

// line writes a label and a value; a line with neither is left out.
func (w *plainWriter) line(label, text string) {
	if label == "" && text == "" {
		return
	}
	w.b.WriteString(label)
	if label != "" && text != "" && !strings.HasPrefix(text, "\n") {
		w.b.WriteByte(' ')
	}
	w.b.WriteString(text + "\n")
}

func (w *plainWriter) items(indent string, items []Item) {
	for _, it := range items {
		w.line(indent+it.Label+":", valueText(&it.Value))
	}
}

func moneyText(m *Money) string {
	if m == nil {
		return ""
	}
	text := valueText(&m.Currency) + hardSpace + valueText(&m.Value)
	if len(m.Currency.Parts) == 0 && len(m.Value.Parts) == 0 && m.Currency.Empty == "" {
		text = ""
	}
	return text + wasText(m.Was)
}

func valueText(v *Value) string {
	if v == nil {
		return ""
	}
	if v.Diff != nil {
		return diffText(v.Diff)
	}
	text := partsText(v.Parts) + partsText(v.Rest)
	if text == "" {
		text = v.Empty
	} else if v.Unit != "" {
		text += " " + v.Unit
	}
	return strings.TrimPrefix(text+wasText(v.Was), " ")
}

func wasText(was []Was) string {
	var b strings.Builder
	for _, w := range was {
		b.WriteString(" (" + w.Word + " " + partsText(w.Parts) + ")")
	}
	return b.String()
}

func diffText(d *Diff) string {
	var b strings.Builder
	if d.Note != "" {
		b.WriteString(" " + d.Note)
	}
	for _, run := range d.Runs {
		for _, l := range run.Lines {
			sign := l.Sign
			if sign == "" {
				sign = " "
			}
			b.WriteString("\n" + sign + " " + partsText(l.Parts))
		}
	}
	return b.String()
}
