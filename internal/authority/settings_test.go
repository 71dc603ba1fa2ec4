package authority_test

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/store"
)

func (h *house) setting(name string) authority.SettingView {
	h.t.Helper()
	all, err := h.a.Settings(h.ctx, h.who["samuel"].session)
	h.must(err)
	for _, s := range all.Items {
		if s.Name == name {
			return s
		}
	}
	h.t.Fatalf("there is no setting %q", name)
	return authority.SettingView{}
}

// change proposes one change as Samuel and decides it as Claire.
func (h *house) change(name, to string) (*countersign.Approval, error) {
	s := h.setting(name)
	a, err := h.who["samuel"].propose(countersign.KindSettingsChange, "settings", countersign.Change{Field: name, From: s.Value, To: to})
	if err != nil {
		return nil, err
	}
	return h.who["claire"].byPasskey(a.ID, countersign.ActApprove)
}

// Every setting that is stored can be seen and changed, comes back as it was written,
// and its bounds are where they are said to be.
func TestEverySettingCanBeChanged(t *testing.T) {
	each(t, func(h *house) {
		all, err := h.a.Settings(h.ctx, h.who["rosa"].session)
		h.must(err)
		typ := reflect.TypeFor[authority.Settings]()
		if len(all.Items) != typ.NumField() {
			t.Errorf("%d settings are shown, %d are stored", len(all.Items), typ.NumField())
		}
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			s := h.setting(name)
			if s.Most == 0 {
				continue
			}
			for _, n := range []int{s.Least - 1, s.Most + 1} {
				_, err := h.change(name, strconv.Itoa(n))
				h.refused(err, countersign.CodeInvalid)
			}
			other := s.Most
			if name == "session_idle_seconds" {
				other = s.Least // not longer than the whole session
			}
			_, err := h.change(name, strconv.Itoa(other))
			h.must(err)
			if have := h.setting(name); have.Value != strconv.Itoa(other) || have.Default != s.Default {
				t.Errorf("%s: %+v after %d", name, have, other)
			}
		}
		_, err = h.change("kinds", "contract,lease_agreement")
		h.must(err)
		_, err = h.change("break_glass_amount", "5000.00 EUR")
		h.must(err)
		_, err = h.change("break_glass_amount", "")
		h.must(err)
		if s := h.setting("break_glass_amount"); s.Value != "" {
			t.Errorf("%+v", s)
		}
	})
}

// TestRuling39SettingsChangeIsInTheLog: its entry names the request, whose document
// says from what to what; and while founding one administrator is enough, and it says so.
func TestRuling39SettingsChangeIsInTheLog(t *testing.T) {
	each(t, func(h *house) {
		a, err := h.change("lease_seconds", "60")
		h.must(err)
		leaves := h.leaves(h.db.Org())
		last := leaves[len(leaves)-1]
		if last.Type != countersign.EntrySettingsChanged || last.Facts["request"] != a.ID || last.Actor != h.who["claire"].id {
			t.Errorf("%+v", last)
		}
		var d countersign.Document
		h.must(json.Unmarshal(a.Document, &d))
		if len(d.Changes) != 1 || d.Changes[0] != (countersign.Change{Field: "lease_seconds", From: "900", To: "60"}) {
			t.Errorf("%+v", d.Changes)
		}
		h.founding()
		alone, err := h.who["samuel"].propose(countersign.KindSettingsChange, "settings", countersign.Change{Field: "lease_seconds", From: "60", To: "120"})
		h.must(err)
		if alone.Status != countersign.StatusApproved || !alone.Founding || h.setting("lease_seconds").Value != "120" {
			t.Errorf("%s, founding %v, lease %s", alone.Status, alone.Founding, h.setting("lease_seconds").Value)
		}
	})
}

// What moves in groups is written, whoever moves it, and nothing where nothing moved.
func TestGroupChangesAreInTheLog(t *testing.T) {
	each(t, func(h *house) {
		priya := h.who["priya"]
		moves := func() (out []string) {
			for _, l := range h.leaves(priya.id) {
				if l.Type != countersign.EntryGroupChanged {
					continue
				}
				h.read(func(tx *store.Tx) error {
					o, err := tx.Openings(l.ID)
					out = append(out, l.Actor[:4]+o[countersign.OpeningDetail].Value)
					return err
				})
			}
			return out
		}
		priya.state(func(p *countersign.PersonFact) { p.Groups = []string{"buyers"} })
		priya.state(func(p *countersign.PersonFact) { p.Groups, p.Name = []string{"buyers"}, "Priya N." })
		a, err := h.who["samuel"].propose(countersign.KindPeopleChange, priya.id, countersign.Change{Field: "group.add", To: "finance"},
			countersign.Change{Field: "group.remove", To: "buyers"})
		h.must(err)
		h.who["claire"].approve(a.ID)
		want := []string{`key_{"joined":["buyers"]}`, `per_{"joined":["finance"],"left":["buyers"]}`}
		if have := moves(); !reflect.DeepEqual(have, want) {
			t.Errorf("the log has %q, want %q", have, want)
		}
	})
}
