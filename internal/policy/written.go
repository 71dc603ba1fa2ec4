package policy

import (
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/countersign/countersign/internal/signal"
)

// written is a place of the policy file, as a signal reads its settings from it.
type written struct {
	l *loader
	n *yaml.Node // nil: nothing stands there
}

var _ signal.Written = written{}

func (w written) Member(name string) signal.Written { return written{w.l, member(w.n, name)} }

func (w written) Items() []signal.Written {
	if w.n == nil {
		return nil
	}

	out := make([]signal.Written, len(w.n.Content))
	for i, c := range w.n.Content {
		out[i] = written{w.l, c}
	}
	return out
}

func (w written) Text() string { return value(w.n) }

func (w written) Number(otherwise int) int { return number(w.n, otherwise) }

func (w written) Duration(otherwise time.Duration) time.Duration {
	if d, ok := parseDuration(value(w.n)); ok {
		return d
	}
	return otherwise
}

func (w written) Amount() (signal.Money, bool) { return w.l.amount(w.n) }

func (w written) Kinds() []string {
	w.l.kindsExist(w.n)
	return values(w.n)
}

func (w written) Fail(hint, format string, args ...any) { w.l.at(w.n, hint, format, args...) }
