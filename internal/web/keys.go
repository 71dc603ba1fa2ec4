package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authn"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/checkpoint"
)

func keyRoutes() []route {
	return slices.Concat([]route{
		{pattern: "GET /admin/keys", who: signedIn, serve: register(showKeys)},
		{pattern: "GET /admin/keys/new", who: signedIn, serve: administrators(showMakeKey)},
		{pattern: "POST /admin/keys/new", who: signedIn, attempt: true, serve: administrators(makeKey)},
	}, askRoutes("/admin/keys/{key}/revoke", askRevokeKey), askRoutes("/admin/keys/{key}/confirm", askConfirmKey), askRoutes("/admin/rotate/{kind}", askRotate))
}

// keysView lists API keys, and the server's own.
type keysView struct {
	Tabs  []adminTab
	Said  string
	Keys  []keyRow // that work
	Over  []keyRow // that work no more
	May   bool
	Own   []ownKey
	Empty bool
}

type keyRow struct {
	ID, Name, Source string
	Scopes           []string // in words
	Returns          []string
	Made, Ends       Moment
	By               string
	State            string // "works", "waits", "soon", "expired", "revoked"
	Mine             bool   // the visitor made it: somebody else confirms it
}

// ownKey is one of the server's own keys.
type ownKey struct{ Kind, Name, Text string }

func showKeys(v *visit) error {
	all, err := v.org.KeysPage(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	w := keysView{Tabs: adminTabs(v.t, "keys"), May: v.member(authority.GroupAdministrators), Own: ownKeys(v.t)}
	switch said := v.query("said"); said {
	case "revoked", "confirmed", "rotated", "rotated-later", "resealed-most":
		w.Said = v.t("keys.said." + said)
	}
	known := nameBook(all.Names)
	for _, k := range slices.Backward(all.Items) {
		row := keyRow{Mine: k.CreatedBy == v.session.Person.ID, ID: k.ID, Name: k.Name, Source: k.Source, Scopes: scopeWords(v.t, k.Scopes), Returns: k.Returns, Made: v.moment(k.CreatedAt), Ends: v.moment(k.ExpiresAt),
			By: v.whoMade(known, k.CreatedBy), State: keyState(k, v.now())}
		if row.State == "revoked" {
			row.Ends = v.moment(k.RevokedAt)
		}
		if row.State == "works" || row.State == "waits" || row.State == "soon" {
			w.Keys = append(w.Keys, row)
		} else {
			w.Over = append(w.Over, row)
		}
	}
	w.Empty = len(w.Keys) == 0
	return v.render(view{name: "admin-keys", title: v.t("keys.heading"), area: "admin", data: w})
}

// whoMade is who did something: a person by name, the operator or the system in words.
func (v *visit) whoMade(known nameBook, id string) string {
	if key := "admin.actor." + id; v.site.texts.has(key) {
		return v.t(key)
	}
	return known.of(id)
}

// keyState says how a key stands.
func keyState(k authority.KeyView, now time.Time) string {
	switch ends, err := time.Parse(time.RFC3339, k.ExpiresAt); {
	case k.RevokedAt != "":
		return "revoked"
	case err == nil && !ends.After(now):
		return "expired"
	case k.Waits:
		return "waits"
	case err != nil:
		return "works" // without an end
	case ends.Before(now.Add(soon)):
		return "soon"
	}
	return "works"
}

func scopeWords(t func(string, ...any) string, scopes []string) (words []string) {
	for _, s := range scopes {
		words = append(words, t("keys.scope."+s))
	}
	return words
}

func ownKeys(t func(string, ...any) string) (all []ownKey) {
	for _, kind := range []string{checkpoint.KindLog, checkpoint.KindSeal, checkpoint.KindHMAC} {
		all = append(all, ownKey{kind, t("keys.own." + kind), t("keys.own." + kind + "_text")})
	}
	return all
}

// makeKeyView is the page by which a key is made, and the key itself as the answer.
type makeKeyView struct {
	Name, Source, Returns, Days string
	Scopes                      []scopeBox
	StepUp                      stepUpFields
	Problem                     *errorView
	Key, ID                     string // shown this once
	Ends                        Moment
	Words                       []string
	Waits                       bool // for a second administrator
}

type scopeBox struct {
	Scope, Text, More string
	Is                bool
}

// keyDays is how long a key lasts where nothing else is said.
const keyDays = "365"

func showMakeKey(v *visit) error { return v.makeKeyPage(http.StatusOK, nil) }

func (v *visit) makeKeyPage(status int, problem *errorView) error {
	means, err := v.org.AdministratorMeans(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	f := v.stepUpByBest(v.t("keys.make.verb"), means)
	f.OpenCode = v.form("with") == "code"
	w := makeKeyView{Name: v.form("name"), Source: v.form("source"), Returns: v.form("returns"), Days: v.form("days"), StepUp: f, Problem: problem,
		Scopes: scopeBoxes(v.t, v.r.PostForm["scope"], v.who.Founding)}
	if w.Days == "" {
		w.Days = keyDays
	}
	return v.render(view{name: "admin-key-make", title: v.t("keys.make.heading"), area: "admin", status: status, data: w})
}

// scopeBoxes are the scopes that a key can have. The one that appoints people is made
// on the data folder once the organisation is founded, and so is not offered here.
func scopeBoxes(t func(string, ...any) string, chosen []string, founding bool) (all []scopeBox) {
	for _, s := range authn.Scopes() {
		if s == authn.ScopeProvisioning && !founding {
			continue
		}
		all = append(all, scopeBox{string(s), t("keys.scope." + string(s)), t("keys.scope." + string(s) + "_more"), slices.Contains(chosen, string(s))})
	}
	return all
}

// newKey reads the form.
func (v *visit) newKey() (authority.NewKey, error) {
	n := authority.NewKey{Name: strings.TrimSpace(v.form("name")), Source: strings.TrimSpace(v.form("source")), Scopes: v.r.PostForm["scope"], Returns: strings.Fields(v.form("returns"))}
	days, err := strconv.Atoi(strings.TrimSpace(v.form("days")))
	if err != nil || days < 1 {
		return n, countersign.Invalid(countersign.FieldError{Pointer: "/expires_days", Detail: v.t("keys.make.days_wrong")})
	}
	n.Days = days
	return n, nil
}

func makeKey(v *visit) error {
	n, err := v.newKey()
	if err == nil {
		var proof authority.StepUpBody
		var done bool
		if proof, done, err = v.provenFor(authority.KeySubject(n.Source, n.Scopes)); done {
			return err
		}
		var made *authority.MadeKey
		if err == nil {
			made, err = v.org.CreateKey(v.ctx(), *v.session, n, proof)
		}
		if err == nil {
			w := makeKeyView{Name: n.Name, Source: made.Source, Key: made.Key, ID: made.ID, Ends: v.moment(made.ExpiresAt), Words: scopeWords(v.t, made.Scopes), Waits: made.Waits}
			return v.render(view{name: "admin-key-make", title: v.t("keys.made.heading"), area: "admin", data: w})
		}
	}
	if e, ok := v.shown(err); ok && !v.begins() {
		return v.makeKeyPage(e.Status, e)
	}
	return err
}

// apiKey reads the key that the address names, if it was not ended.
func (v *visit) apiKey() (*authority.KeyPage, error) {
	if err := v.administratorsOnly(); err != nil {
		return nil, err
	}
	k, err := v.org.KeyPage(v.ctx(), *v.session, v.path("key"))
	if hasCode(err, countersign.CodeNotFound) {
		return nil, nothingHere(v)
	}
	return k, err
}

// keyFacts are what is said of a key before something is done with it.
func (v *visit) keyFacts(k *authority.KeyPage) []askFact {
	return []askFact{{Label: v.t("keys.id"), Text: k.ID, Mono: true}, {Label: v.t("keys.may"), Text: strings.Join(scopeWords(v.t, k.Scopes), " · ")}}
}

// askConfirmKey lets a key work that waits for a second administrator.
func askConfirmKey(v *visit) (*asked, error) {
	k, err := v.apiKey()
	if err != nil {
		return nil, err
	}
	if !k.Waits || k.CreatedBy == v.session.Person.ID {
		return nil, nothingHere(v)
	}
	facts := append([]askFact{{Label: v.t("keys.source"), Text: k.Source}, {Label: v.t("keys.made_by"), Text: v.whoMade(nameBook(k.Names), k.CreatedBy)}}, v.keyFacts(k)...)
	q := &asked{means: &k.Means, verb: v.t("keys.confirm.verb"), subject: authority.ConfirmKeySubject(k.ID),
		view: askView{Heading: v.t("keys.confirm.heading", "name", named(k.Name)), Does: []string{v.t("keys.confirm.does", "source", k.Source), v.t("keys.confirm.ask", "source", k.Source)},
			Facts: facts, Decides: v.t("admin.decides.alone_proven"), Back: "/admin/keys"}}
	q.do = func(proof authority.StepUpBody) (string, error) {
		return "/admin/keys?said=confirmed", v.org.ConfirmKey(v.ctx(), *v.session, k.ID, proof)
	}
	return q, nil
}

// askRevokeKey ends a key.
func askRevokeKey(v *visit) (*asked, error) {
	k, err := v.apiKey()
	if err != nil {
		return nil, err
	}
	q := &asked{view: askView{Heading: v.t("keys.revoke.heading", "name", named(k.Name)), Does: []string{v.t("keys.revoke.does", "source", k.Source), v.t("keys.revoke.for_good")},
		Facts:   v.keyFacts(k),
		Decides: v.t("admin.decides.alone"), Verb: v.t("keys.revoke.verb"), Danger: true, Back: "/admin/keys"}}
	q.do = func(authority.StepUpBody) (string, error) {
		return "/admin/keys?said=revoked", v.org.RevokeKey(v.ctx(), *v.session, k.ID)
	}
	return q, nil
}

// askRotate puts a new key of the server's own into use.
func askRotate(v *visit) (*asked, error) {
	if err := v.administratorsOnly(); err != nil {
		return nil, err
	}
	kind := v.path("kind")
	if !slices.Contains([]string{checkpoint.KindLog, checkpoint.KindSeal, checkpoint.KindHMAC}, kind) {
		return nil, nothingHere(v)
	}
	means, err := v.org.AdministratorMeans(v.ctx(), *v.session)
	if err != nil {
		return nil, err
	}
	q := &asked{means: means, verb: v.t("keys.rotate.verb"), subject: "rotate:" + kind,
		view: askView{Heading: v.t("keys.rotate.heading", "name", v.t("keys.own."+kind)), Lead: v.t("keys.own." + kind + "_text"),
			Does: []string{v.t("keys.rotate.does." + kind), v.t("keys.rotate.old." + kind), v.t("keys.rotate.backup")}, Decides: v.t("admin.decides.alone_proven"), Back: "/admin/keys"}}
	q.do = func(proof authority.StepUpBody) (string, error) {
		r, err := v.org.RotateKey(v.ctx(), *v.session, kind, proof)
		switch {
		case err != nil:
			return "", err
		case r.Left > 0:
			return "/admin/keys?said=resealed-most", nil
		case !r.Published:
			return "/admin/keys?said=rotated-later", nil
		}
		return "/admin/keys?said=rotated", nil
	}
	return q, nil
}
