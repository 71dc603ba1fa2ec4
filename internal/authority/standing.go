package authority

import (
	"sync"

	"github.com/countersign/countersign/internal/signal"
	"github.com/countersign/countersign/internal/store"
)

// standingAt is what is known of the organisation as of one generation of its facts:
// whether there is anything to look for at all, and the people that were met. Every
// change of what stands here raises the generation, in the transaction that makes it,
// so that what is kept is never stale. Time alone only ends things: whatever is there
// is read, and judged by the time of the transaction.
type standingAt struct {
	gen         int64
	alerts      bool // some alert is open
	freezes     bool // some freeze is in force
	bankChanges bool // some change of bank details is not ended
	unsettled   bool // some history does not count yet

	creators sync.Map // creator → person id, of vendors on record
	rates    sync.Map // rateKey → signal.Rate
	people   sync.Map // personKey → *signal.Person; only people on record, so that strangers cannot fill the memory
}

// standing returns what is known as of the transaction.
func (a *Authority) standing(tx *store.Tx, gen int64) (*standingAt, error) {
	if s := a.stands.Load(); s != nil && s.gen == gen {
		return s, nil
	}
	s := &standingAt{gen: gen}
	var err error
	if s.alerts, s.freezes, s.bankChanges, s.unsettled, err = tx.AnythingOpen(); err != nil {
		return nil, err
	}
	a.stands.Store(s)
	return s, nil
}

// personKey names who was looked up, and for which kind of document: limits differ.
type personKey struct{ source, id, kind string }

// creator is how a source names whoever created a vendor.
type creator struct{ source, subject string }

// createdBy returns a creator that was met before in this generation.
func (s *standingAt) createdBy(c creator) (person string, known bool) {
	v, known := s.creators.Load(c)
	if known {
		person = v.(string)
	}
	return person, known
}

// rateKey names the rate that counts on a day.
type rateKey struct{ base, currency, day string }

// knows reports whether a person was met before in this generation.
func (s *standingAt) knows(k personKey) bool {
	_, ok := s.people.Load(k)
	return ok
}

// known returns a person that was met before in this generation, as a copy.
func (s *standingAt) known(k personKey) *signal.Person {
	if s == nil {
		return nil
	}
	v, ok := s.people.Load(k)
	if !ok {
		return nil
	}
	p := *v.(*signal.Person)
	return &p
}

func (s *standingAt) keep(k personKey, p *signal.Person) {
	if s == nil || !p.Known() { // names that are nobody's are endless
		return
	}
	c := *p
	s.people.Store(k, &c)
}
