package main

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/demo"
	"github.com/countersign/countersign/internal/web"
)

// demoPages is what the pages offer in the demo: everybody's secrets are known to it,
// and protect nothing.
type demoPages struct{ house *demo.House }

func (d demoPages) People() []web.DemoPerson {
	var all []web.DemoPerson
	for _, p := range d.house.Info.People {
		all = append(all, web.DemoPerson{Login: p.Login, ID: p.ID, Name: p.Name, Title: p.Title, Groups: p.Groups, Limit: p.Limit, Password: p.Password})
	}
	return all
}

func (d demoPages) Become(ctx context.Context, login string) (*authority.SignedIn, error) {
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
