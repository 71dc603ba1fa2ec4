package authority

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/store"
)

// Move is what comes of it when an organisation is reached under another address. Passkeys
// are bound to the host name under which they were made (Web Authentication §5.1.2): under
// another one no browser gives them.
type Move struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Passkeys is how many stop working, of how many people: none where the host name
	// stays.
	Passkeys int `json:"passkeys"`
	People   int `json:"people"`
	// Left are the people who then have nothing to sign in with, by name.
	Left []countersign.Principal `json:"left"`
	// Administrators is how many can still sign in.
	Administrators int `json:"administrators"`
	// Invitations are the links by which administrators among those who are left enrol
	// anew, once it is done.
	Invitations []MoveInvitation `json:"invitations,omitempty"`
}

// MoveInvitation is the link of one administrator. It is shown once.
type MoveInvitation struct {
	Person countersign.Principal `json:"person"`
	Invited
}

// CheckMove says what would come of a move, and changes nothing.
func (a *Authority) CheckMove(ctx context.Context, to string) (*Move, error) {
	var out *Move
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		m, err := a.moving(tx, to)
		if err == nil {
			out = &m.Move
		}
		return err
	})
	return out, fault(err)
}

// MoveOffline lets the organisation be reached under another address, on the data folder,
// stamped "operator". Passkeys of another host name are removed, with an entry each; all
// sessions end. What was decided stays, and every receipt verifies as before, since each
// enrolment says in the log for which host name it was made. The log keeps its origin: it
// is a name, and no address.
func (a *Authority) MoveOffline(ctx context.Context, to, reason string) (*Move, error) {
	if reason == "" || len(reason) > 2000 {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "/reason", Detail: "required, at most 2000 bytes"})
	}
	var out *Move
	_, err := a.db.Write(ctx, func(tx *store.Tx) error {
		m, err := a.moving(tx, to)
		if err != nil {
			return err
		}
		if err := m.mayGo(); err != nil {
			return err
		}
		if err := m.write(tx, reason); err != nil {
			return err
		}
		out = &m.Move
		return nil
	})
	return out, fault(err)
}

// moving is a move with what it takes.
type moving struct {
	Move
	a        *Authority
	org      store.Organisation // as it will be
	founding bool
	lost     []store.Authenticator // the passkeys that go
	invites  []countersign.Principal
	nobody   bool // nobody at all is left with anything
}

func (a *Authority) moving(tx *store.Tx, to string) (*moving, error) {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" {
		return nil, countersign.Invalid(countersign.FieldError{Pointer: "/public_url", Detail: "want an address as https://approve.example.com"})
	}
	org, err := tx.Organisation()
	if err != nil {
		return nil, err
	}
	if org.PublicURL == to {
		return nil, countersign.NewProblem(countersign.CodeState, "this organisation is at %s already", to)
	}
	m := &moving{Move: Move{From: org.PublicURL, To: to, Left: []countersign.Principal{}}, a: a, org: org, founding: org.Founding, nobody: true}
	m.org.PublicURL, m.org.Host, m.org.RPID = to, strings.ToLower(u.Host), u.Hostname()
	administrators := map[string]bool{}
	members, err := tx.Memberships()
	if err != nil {
		return nil, err
	}
	for _, member := range members {
		if member.Group == GroupAdministrators {
			administrators[member.Person] = true
		}
	}
	for after := ""; ; {
		const some = 500
		people, err := tx.People(after, some)
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			if err := m.look(tx, p, administrators[p.ID]); err != nil {
				return nil, err
			}
			after = p.ID
		}
		if len(people) < some {
			return m, nil
		}
	}
}

// look reckons what a person loses, and what is left to them.
func (m *moving) look(tx *store.Tx, p store.Person, administrator bool) error {
	factors, err := tx.Authenticators(p.ID)
	if err != nil {
		return err
	}
	var passkey, code, password bool
	loses := 0
	for _, f := range factors {
		var s authn.Standing
		if f.Type == store.FactorPasskey || f.Type == store.FactorTOTP {
			if err := json.Unmarshal([]byte(f.Standing), &s); err != nil {
				return err
			}
		}
		switch {
		case f.Type == store.FactorPasskey:
			var k authn.Passkey
			if err := json.Unmarshal([]byte(f.Record), &k); err != nil {
				return err
			}
			if k.RPID != m.org.RPID {
				m.lost = append(m.lost, f)
				loses++
				continue
			}
			passkey = passkey || s.SignsIn() == nil
		case f.Type == store.FactorTOTP:
			code = code || s.SignsIn() == nil
		case f.Type == store.FactorPassword:
			password = true
		}
		m.nobody = false
	}
	m.Passkeys += loses
	if loses > 0 {
		m.People++
	}
	in := passkey || code && password
	switch who := (countersign.Principal{ID: p.ID, Name: p.Name}); {
	case !p.Active:
	case in && administrator:
		m.Administrators++
	case !in && loses > 0:
		m.Left = append(m.Left, who)
		if administrator {
			m.invites = append(m.invites, who)
		}
	}
	return nil
}

// mayGo refuses to leave an organisation that nobody could administer any more. One that
// nobody but its founder has enrolled in begins anew: its set-up link is offered again.
func (m *moving) mayGo() error {
	if m.Passkeys == 0 || m.Administrators > 0 || m.founding && m.nobody {
		return nil
	}
	return countersign.NewProblem(countersign.CodeState, "no administrator could sign in at %s: all have passkeys of %s and nothing else", m.To, m.From).
		WithHint("serve it at %s once more, and let an administrator add a password and an authenticator app first", m.From)
}

func (m *moving) write(tx *store.Tx, reason string) error {
	before := m.a.org.RPID
	if err := tx.MoveOrganisation(m.From, m.org); err != nil {
		return err
	}
	detail, err := countersign.Canonical(map[string]string{"from": m.From, "to": m.To, "rp_id_from": before, "rp_id_to": m.org.RPID, "reason": reason})
	if err != nil {
		return err
	}
	if _, err := appendEntry(tx, entry{typ: countersign.EntryOrganisationMoved, subject: tx.Org(), actor: actorOperator,
		openings: map[string][]byte{countersign.OpeningDetail: detail}}); err != nil {
		return err
	}
	for _, f := range m.lost {
		if err := m.a.remove(tx, f, removal{actor: actorOperator, reason: reason}); err != nil {
			return err
		}
	}
	if err := tx.EndAllSessions(); err != nil {
		return err
	}
	if m.nobody {
		return nil // the next start offers the set-up link
	}
	for _, who := range m.invites {
		inv, err := m.a.invite(tx, authn.Invitation{Org: tx.Org(), Person: who.ID, InvitedBy: actorOperator}, nil)
		if err != nil {
			return err
		}
		inv.URL = m.To + "/enrol#" + inv.Token
		m.Invitations = append(m.Invitations, MoveInvitation{Person: who, Invited: *inv})
	}
	return nil
}
