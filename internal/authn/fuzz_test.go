package authn_test

import (
	"encoding/json"
	"testing"

	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authn/softkey"
)

// fuzzed is a ceremony whose honest answer is known.
type fuzzed struct {
	rp     *authn.RelyingParty
	d      *device
	taken  authn.TakenChallenge
	answer []byte
}

func honestRegistration(t testing.TB) fuzzed {
	rp := relyingParty(t)
	d := &device{person: newPerson(), handle: authn.NewUserHandle(), key: softkey.New()}
	c := enrolChallenge(t, d.person)
	options, err := rp.CreationOptions(authn.User{Handle: d.handle, Name: "mara", DisplayName: "Mara"}, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.key.Register(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	return fuzzed{rp, d, take(t, c), answer}
}

func honestAssertion(t testing.TB) fuzzed {
	rp := relyingParty(t)
	d := mustEnrol(t, rp, softkey.Behaviour{})
	c := decisionChallenge(t, statement(d.person), d.record)
	options, err := rp.RequestOptions(c, []authn.Passkey{d.record})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.key.Assert(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	return fuzzed{rp, d, take(t, c), answer}
}

// splice puts a piece of bytes into the honest answer, so that the fuzzer need not
// find the form of one by itself: inside the JSON text, or inside one of the members
// after decoding.
func splice(answer []byte, member string, at uint16, piece []byte) []byte {
	put := func(b []byte) []byte {
		i := int(at) % (len(b) + 1)
		return append(append(append([]byte(nil), b[:i]...), piece...), b[min(len(b), i+len(piece)):]...)
	}
	var m map[string]any
	if json.Unmarshal(answer, &m) != nil {
		return answer
	}
	response := m["response"].(map[string]any)
	if text, ok := response[member].(string); ok {
		response[member] = base64Of(put(bytesOf(text)))
		out, _ := json.Marshal(m)
		return out
	}
	return put(answer)
}

var members = []string{"", "clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"}

func seeds(f *testing.F) {
	for i := range members {
		f.Add(uint8(i), uint16(0), []byte{})
		f.Add(uint8(i), uint16(32), []byte{0x00})
		f.Add(uint8(i), uint16(33), []byte{0xff, 0xff, 0xff, 0xff})
		f.Add(uint8(i), uint16(40), []byte(`","origin":"https://approvals.example.com"`))
		f.Add(uint8(i), uint16(1), []byte("{\"id\":null}"))
		f.Add(uint8(i), uint16(54), []byte{0xa5, 0x9f, 0x5f, 0xbf})
	}
}

// FuzzRegistration: no answer makes it panic, and one that is accepted has the client
// data of the honest one, on our site, with the user verified.
func FuzzRegistration(f *testing.F) {
	seeds(f)
	h := honestRegistration(f)
	f.Fuzz(func(t *testing.T, member uint8, at uint16, piece []byte) {
		answer := splice(h.answer, members[int(member)%len(members)], at, piece)
		p, err := h.rp.VerifyRegistration(authn.Registration{Challenge: h.taken, Handle: h.d.handle, Response: answer, Now: now})
		if err != nil {
			if p.CredentialID != nil || p.Person != "" {
				t.Fatal("a refusal gives a record")
			}
			return
		}
		if p.Person != h.d.person || p.Origin != origin || p.RPID != "approvals.example.com" || len(p.SPKI) == 0 || p.AttestedBy != "" {
			t.Fatalf("accepted %+v", p)
		}
	})
}

// FuzzAssertion: no answer makes it panic, and one that is accepted carries exactly
// the signed bytes of the honest one: whatever else was changed means nothing.
func FuzzAssertion(f *testing.F) {
	seeds(f)
	h := honestAssertion(f)
	first, err := h.rp.VerifyAssertion(authn.Assertion{Challenge: h.taken, Passkey: h.d.record, Handle: h.d.handle, Response: h.answer, Now: now})
	if err != nil {
		f.Fatal(err)
	}
	want := first.Facts().Evidence
	f.Fuzz(func(t *testing.T, member uint8, at uint16, piece []byte) {
		answer := splice(h.answer, members[int(member)%len(members)], at, piece)
		proof, err := h.rp.VerifyAssertion(authn.Assertion{Challenge: h.taken, Passkey: h.d.record, Handle: h.d.handle, Response: answer, Now: now})
		if err != nil {
			if proof.Facts().Person != "" || proof.Facts().UserVerified {
				t.Fatal("a refusal gives facts")
			}
			return
		}
		got := proof.Facts().Evidence
		got.UserHandle = want.UserHandle // may be left out
		if got != want {
			t.Fatalf("accepted %+v", got)
		}
	})
}
