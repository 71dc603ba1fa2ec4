package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign/countersign"
	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/demo"
	"github.com/countersign/countersign/internal/web"
)

// demoPages is what the pages offer in the demo: everybody's secrets are known to it,
// and protect nothing.
type demoPages struct {
	house *demo.House
	live  *demo.Live
}

func (d demoPages) People() []web.DemoPerson {
	var all []web.DemoPerson
	for _, p := range d.house.Info.People {
		all = append(all, web.DemoPerson{Login: p.Login, ID: p.ID, Name: p.Name, Title: p.Title, Groups: p.Groups, Limit: p.Limit, Password: p.Password})
	}
	return all
}

func (d demoPages) Become(ctx context.Context, login string) (*authority.SignedIn, error) {
	if login == demo.LoginBuyer {
		d.live.See("silent")
	}
	return d.house.Become(ctx, login)
}

func (d demoPages) Code(login string, now time.Time) (string, time.Time, error) {
	p := d.house.Info.Person(login)
	if p == nil {
		return "", time.Time{}, fmt.Errorf("nobody in the demo is called %q", login)
	}
	code, err := demo.Code(p.TOTPSecret, now)
	return code, now.Truncate(30 * time.Second).Add(30 * time.Second), err
}

func (d demoPages) Sign(login string, options json.RawMessage) (json.RawMessage, error) {
	return d.house.Assert(login, options)
}

// Guide leads through the cases that show most, in an order that tells a story.
func (d demoPages) Guide(ctx context.Context) []web.DemoStep {
	path := func(name string) string {
		if id := d.live.Request(name); id != "" {
			return "/r/" + id
		}
		return ""
	}
	over := func(name string) bool {
		s, _ := d.live.Status(ctx, name)
		return s != "" && s != countersign.StatusPending
	}
	passkeys := web.DemoStep{Name: "passkeys", Login: demo.LoginController, Path: path("new-vendor-invoice"), Done: over("new-vendor-invoice")}
	if _, n := d.live.Status(ctx, "new-vendor-invoice"); n > 0 {
		passkeys.Name, passkeys.Login = "second", demo.LoginChiefFinance
	}
	return []web.DemoStep{
		{Name: "silent", Login: demo.LoginBuyer, Path: path("small-order"), Done: d.live.Seen("silent")},
		{Name: "code", Login: demo.LoginHeadOfProduction, Path: path("large-order"), Done: over("large-order")},
		passkeys,
		{Name: "fraud", Login: demo.LoginTreasurer, Path: path("bank-change"), Done: over("bank-change")},
		{Name: "tricks", Done: d.live.Seen("tricks")},
		{Name: "audit", Login: demo.LoginChiefFinance, Path: "/audit", Done: d.live.Seen("audit")},
	}
}

func (d demoPages) Looked(area string) { d.live.See(area) }

func (d demoPages) Trick(ctx context.Context, name string) (web.DemoTrick, error) {
	p, err := d.live.Play(ctx, name)
	if err != nil {
		return web.DemoTrick{}, err
	}
	d.live.See("tricks")
	t := web.DemoTrick{Name: name, Was: p.Was, Is: p.Is, Path: "/r/" + p.Request, Problem: p.Problem}
	if p.Replacement != "" {
		t.Replacement = "/r/" + p.Replacement
	}
	return t, nil
}

func (d demoPages) Anew(ctx context.Context) error { return d.live.Run(ctx, 0) }
