// Package info is the file that a demo leaves for scripts and for the command line: the
// address, the API key and what each of its people proves themself with.
package info

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

// Name is the file's name in a demo's folder.
const Name = "demo.json"

// File is everything that it takes to be somebody in the demo. It holds secrets that
// protect nothing: they are made anew for every demo and open only that one.
type File struct {
	Demo         bool      `json:"demo"` // always true
	Organisation string    `json:"organisation"`
	Org          string    `json:"org"` // org_…
	URL          string    `json:"url"`
	Until        time.Time `json:"until"` // the day on which the year behind ends
	Key          string    `json:"key"`   // API key of the company's ERP, with every scope
	KeyID        string    `json:"key_id"`
	Verifiers    []string  `json:"verifiers"` // public keys of the log, for countersign audit verify
	Password     string    `json:"password"`  // everybody's
	People       []Person  `json:"people"`
}

// Person is one person of the demo with what they prove themselves with.
type Person struct {
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
func (f *File) Person(login string) *Person {
	for n := range f.People {
		if f.People[n].Login == login {
			return &f.People[n]
		}
	}

	return nil
}

// SoftwareKey returns the person's software passkey.
func (p *Person) SoftwareKey() (*softkey.Key, error) { return softkey.Load(p.Passkey) }

// Write writes the file, for its owner only.
func (f *File) Write(path string) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}

	out, err := os.CreateTemp(filepath.Dir(path), ".demo-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())

	_, err = out.Write(append(text, '\n'))
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}

	return os.Rename(out.Name(), path)
}

// Read reads what [File.Write] wrote. The error says how the file is made.
func Read(path string) (File, error) {
	f, err := Known(path)
	if err != nil {
		return f, fmt.Errorf("%w (hint: countersign demo --info FILE writes it)", err)
	}

	return f, nil
}

// Known reads the file of a demo that may not have been made yet.
func Known(path string) (f File, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}

	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || !f.Demo {
		return f, fmt.Errorf("%s is no file of a demo's people", path)
	}

	return f, nil
}
