package authority

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/countersign/countersign"
)

// TestEveryKindOfChangeIsWhole: each kind that people propose has its change, each change
// is a kind that people propose, and nothing of one is left out.
func TestEveryKindOfChangeIsWhole(t *testing.T) {
	want := slices.Sorted(slices.Values(countersign.ChangeKinds()))
	if got := slices.Sorted(maps.Keys(changes)); !slices.Equal(got, want) {
		t.Errorf("there are changes of the kinds\n%q\nand people propose\n%q", got, want)
	}

	for kind, c := range changes {
		for _, field := range unset(*c) {
			t.Errorf("%s says nothing of %s", kind, field)
		}
		for _, g := range c.groups {
			if g != GroupAdministrators && g != GroupControllers {
				t.Errorf("%s is decided by %s, which is a group of the organisation's own", kind, g)
			}
		}
	}
}

// unset names the fields of a change that say nothing.
func unset(c change) (names []string) {
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		if f := v.Field(i); f.IsZero() || f.Kind() == reflect.Slice && f.Len() == 0 {
			names = append(names, v.Type().Field(i).Name)
		}
	}
	return names
}
