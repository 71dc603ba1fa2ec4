package testkit

import (
	"strings"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authn/softkey"
	"github.com/countersign/countersign/internal/authority"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// Password is everybody's password.
const Password = "quiet-lantern-orchard-9"

// Person is somebody with a software passkey, who uses the API as a program would.
type Person struct {
	S     *Server
	ID    string
	Login string
	Key   *softkey.Key
	Token string // of the session, once signed in

	secret string // of the code generator
}

// residents are the people of the example organisation, by login.
var residents = map[string]struct {
	name   string
	groups []string
}{
	"samuel": {"Samuel Osei", []string{"administrators"}}, "claire": {"Claire Dubois", []string{"administrators", "controllers"}},
	"marta": {"Marta Silva", []string{"approvers", "finance"}}, "daniel": {"Daniel Novak", []string{"approvers", "finance"}},
	"ingrid": {"Ingrid Berg", []string{"approvers", "finance", "treasury"}}, "tomas": {"Tomas Horak", []string{"treasury"}}, "amara": {"Amara Obi", []string{"treasury"}},
	"elif": {"Elif Kaya", nil}, "priya": {"Priya Nair", nil}, "noor": {"Noor Haddad", []string{"auditors"}},
}

// Settle moves the two administrators in, so that the organisation is founding no
// longer, and registers everybody. Whoever is needed beyond them enrols when they are
// first asked for.
func (s *Server) Settle() {
	s.T.Helper()
	s.Register()
	s.Person("samuel")
	s.Person("claire")
}

// Register adds everybody to the register, without authenticators.
func (s *Server) Register() {
	s.T.Helper()
	for login := range residents {
		s.add(login)
	}
}

func (s *Server) add(login string) *Person {
	s.T.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.people[login]; p != nil {
		return p
	}
	r, ok := residents[login]
	if !ok {
		s.T.Fatalf("nobody here is called %q", login)
	}
	id, err := s.Authority.AddPersonOffline(s.T.Context(), authority.NewPerson{Login: login, Name: r.name, Email: login + "@example.com", Groups: r.groups})
	s.Must(err)
	p := &Person{S: s, ID: id, Login: login}
	s.people[login] = p
	return p
}

// Person is a resident, with a passkey and a session.
func (s *Server) Person(login string) *Person {
	s.T.Helper()
	p := s.add(login)
	if p.Key != nil {
		return p
	}
	if login != "samuel" {
		s.Person("samuel") // who confirms
	}
	p.EnrolPasskey()
	p.SignIn()
	return p
}

// EnrolPasskey enrols a software passkey by an operator's invitation, and has it
// confirmed where that is needed.
func (p *Person) EnrolPasskey() {
	s := p.S
	s.T.Helper()
	inv, err := s.Authority.InviteOffline(s.T.Context(), p.ID, p.Login == "samuel")
	s.Must(err)
	s.seen.add(inv.Token)
	var in authority.SignedIn
	s.Call("POST", "/v1/invitations/redeem", "", map[string]string{"token": inv.Token}, &in)
	key := softkey.New()
	e := p.enrol(in.Token, authn.KindPasskey, func(c *authority.Ceremony) map[string]any {
		response, err := key.Register(c.Options, s.URL)
		s.Must(err)
		return map[string]any{"passkey": raw(response)}
	})
	p.Key = key
	if e.NeedsConfirmation {
		by := s.people["samuel"]
		s.Call("POST", "/v1/authenticators/"+e.ID+"/confirm", by.Token, map[string]any{"compare": e.Compare, "step_up": by.StepUp("confirm:" + e.ID)}, nil)
	}
}

func (p *Person) enrol(token string, kind authn.Kind, answer func(*authority.Ceremony) map[string]any) authority.Enrolled {
	s := p.S
	s.T.Helper()
	var c authority.Ceremony
	s.Call("POST", "/v1/authenticators/challenge", token, map[string]any{"type": kind}, &c)
	body := answer(&c)
	body["challenge"], body["name"] = c.Challenge, "my "+string(kind)
	var e authority.Enrolled
	s.Call("POST", "/v1/authenticators", token, body, &e)
	return e
}

// EnrolCode adds a code generator and a password, on the strength of the passkey.
func (p *Person) EnrolCode() {
	s := p.S
	s.T.Helper()
	if p.secret != "" {
		return
	}
	var in authority.SignedIn
	s.Call("POST", "/v1/authenticators/grant", p.Token, map[string]any{"step_up": p.StepUp("enrol")}, &in)
	p.enrol(in.Token, authn.KindTOTP, func(c *authority.Ceremony) map[string]any {
		p.secret = strings.ReplaceAll(c.Secret, " ", "")
		s.seen.add(p.secret)
		s.seen.add(c.Secret)
		s.seen.add(Password)
		return map[string]any{"code": p.Code(-1), "password": Password}
	})
}

// Code is what the person's app shows, steps of 30 seconds away from now.
func (p *Person) Code(steps int64) string {
	step := p.S.Clock.Now().Unix()/30 + steps
	c, err := hotp.GenerateCodeCustom(p.secret, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	p.S.Must(err)
	return c
}

// SignIn opens a session with the passkey.
func (p *Person) SignIn() {
	s := p.S
	s.T.Helper()
	var c authority.Ceremony
	s.Call("POST", "/v1/session/challenge", "", nil, &c)
	response, err := p.Key.Assert(c.Options, s.URL)
	s.Must(err)
	var in authority.SignedIn
	s.Call("POST", "/v1/session", "", map[string]any{"challenge": c.Challenge, "binding": c.Binding, "passkey": raw(response)}, &in)
	p.Token = in.Token
}

// StepUp proves the person again for a subject, with the passkey.
func (p *Person) StepUp(subject string) map[string]any {
	s := p.S
	s.T.Helper()
	var c authority.Ceremony
	s.Call("POST", "/v1/step-up", p.Token, map[string]string{"subject": subject}, &c)
	response, err := p.Key.Assert(c.Options, s.URL)
	s.Must(err)
	return map[string]any{"challenge": c.Challenge, "passkey": raw(response)}
}

// Challenge asks for the person's challenge on a request as they see it.
func (p *Person) Challenge(request string, act countersign.Act, change ...func(*countersign.ChallengeBody)) (*countersign.ChallengeAnswer, *countersign.Problem) {
	s := p.S
	s.T.Helper()
	var seen countersign.Approval
	if problem := s.Try("GET", "/v1/requests/"+request, p.Token, nil, &seen); problem != nil {
		return nil, problem
	}
	b := countersign.ChallengeBody{Digest: seen.Digest, Act: act}
	if act == countersign.ActApprove {
		for _, q := range seen.Requirement.Attestations {
			q.Answer = "yes, on the number we had before"
			b.Attestations = append(b.Attestations, q)
		}
	}
	if seen.Requirement.Reason {
		b.Reason = "checked against the contract"
	}
	for _, c := range change {
		c(&b)
	}
	var out countersign.ChallengeAnswer
	if problem := s.Try("POST", "/v1/requests/"+request+"/challenges", p.Token, b, &out); problem != nil {
		return nil, problem
	}
	return &out, nil
}

// ByPasskey decides on a request with the passkey.
func (p *Person) ByPasskey(request string, act countersign.Act) (*countersign.Approval, *countersign.Problem) {
	p.S.T.Helper()
	c, problem := p.Challenge(request, act)
	if problem != nil {
		return nil, problem
	}
	response, err := p.Key.Assert(c.Passkey, p.S.URL)
	p.S.Must(err)
	return p.decide(request, map[string]any{"challenge": c.ID, "passkey": raw(response)})
}

// ByCode approves a request with password and code.
func (p *Person) ByCode(request, code string) (*countersign.Approval, *countersign.Problem) {
	p.S.T.Helper()
	c, problem := p.Challenge(request, countersign.ActApprove)
	if problem != nil {
		return nil, problem
	}
	return p.decide(request, map[string]any{"challenge": c.ID, "password": Password, "totp": code})
}

func (p *Person) decide(request string, body any) (*countersign.Approval, *countersign.Problem) {
	var out countersign.Approval
	if problem := p.S.Try("POST", "/v1/requests/"+request+"/decisions", p.Token, body, &out); problem != nil {
		return nil, problem
	}
	return &out, nil
}
