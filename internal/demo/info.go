package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/countersign/countersign/internal/authn/softkey"
)

// Info is everything that it takes to be somebody in the demo. It holds secrets that
// protect nothing: they are made anew for every demo and open only that one.
type Info struct {
	Demo         bool         `json:"demo"` // always true
	Organisation string       `json:"organisation"`
	Org          string       `json:"org"` // org_…
	URL          string       `json:"url"`
	Until        time.Time    `json:"until"` // the day on which the year behind ends
	Key          string       `json:"key"`   // API key of the company's ERP, with every scope
	KeyID        string       `json:"key_id"`
	Verifiers    []string     `json:"verifiers"` // public keys of the log, for countersign audit verify
	Password     string       `json:"password"`  // everybody's
	People       []PersonInfo `json:"people"`
}

// PersonInfo is one person of the demo with what they prove themselves with.
type PersonInfo struct {
	Login      string          `json:"login"`
	ID         string          `json:"id"` // per_…
	Name       string          `json:"name"`
	Title      string          `json:"title"`
	Groups     []string        `json:"groups"`
	Manager    string          `json:"manager,omitempty"`
	Limit      string          `json:"limit,omitempty"` // "50000.00 EUR"
	Privileged bool            `json:"privileged,omitempty"`
	Password   string          `json:"password"`
	TOTPSecret string          `json:"totp_secret"` // base32, for an authenticator app
	TOTPURI    string          `json:"totp_uri"`
	EnrolLink  string          `json:"sign_in_link"`     // once, for a passkey of the visitor's own
	Passkey    json.RawMessage `json:"software_passkey"` // private key and all: what it signs is stamped simulated
}

// Person returns the person of a login name, or nil.
func (i *Info) Person(login string) *PersonInfo {
	for n := range i.People {
		if i.People[n].Login == login {
			return &i.People[n]
		}
	}
	return nil
}

// SoftwareKey returns the person's software passkey.
func (p *PersonInfo) SoftwareKey() (*softkey.Key, error) { return softkey.Load(p.Passkey) }

// Write writes the file, for its owner only.
func (i *Info) Write(path string) error {
	text, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".demo-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// ReadInfo reads what [Info.Write] wrote.
func ReadInfo(path string) (Info, error) {
	i, err := readInfo(path)
	if err != nil {
		return i, fmt.Errorf("%w (hint: countersign demo --info FILE writes it)", err)
	}
	return i, nil
}

func readInfo(path string) (i Info, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return i, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&i); err != nil || !i.Demo {
		return i, fmt.Errorf("%s is no file of a demo's people", path)
	}
	return i, nil
}
