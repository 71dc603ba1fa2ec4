package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	countersign "github.com/countersign/countersign"
)

// serverFlags say where the running server is. Commands that change something speak
// to it over HTTP, as everybody else does; none of them opens its data.
type serverFlags struct {
	Server string `placeholder:"URL" help:"The server's address. Default: COUNTERSIGN_SERVER, else where you signed in last, else http://localhost:8080."`
}

// keyFlags add the API key of a system. A key is never an argument, which others on
// the machine can see.
type keyFlags struct {
	KeyFile string `placeholder:"FILE" help:"File with the API key to use. Default: COUNTERSIGN_API_KEY."`
}

const defaultServer = "http://localhost:8080"

// getenv reads an environment variable.
func (p *process) getenv(name string) string {
	for i := len(p.env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(p.env[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// connection speaks to one server with one credential.
type connection struct {
	base  string
	token string // of a person or a system; "" before a sign-in
	http  *http.Client
}

const (
	mostAnswer  = 32 << 20 // bytes of an answer that are read
	callTimeout = 60 * time.Second
)

// reach prepares the connection without a credential.
func (f serverFlags) reach(p *process) (*connection, error) {
	address := f.Server
	if address == "" {
		address = p.getenv("COUNTERSIGN_SERVER")
	}
	if address == "" {
		if s, err := p.sessions(); err == nil {
			address = s.Last
		}
	}
	if address == "" {
		address = defaultServer
	}
	return dial(address)
}

func dial(address string) (*connection, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, usage("server %q: want an address as https://approvals.example.com", address)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, usage("server %q: keys and passwords are sent over https only, but to this machine itself", address)
	}
	return &connection{base: u.Scheme + "://" + u.Host, http: &http.Client{Timeout: callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil // a credential goes nowhere else
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// asSystem connects with an API key.
func (f keyFlags) asSystem(p *process, s serverFlags) (*connection, error) {
	c, err := s.reach(p)
	if err != nil {
		return nil, err
	}
	if c.token, err = f.key(p); err == nil && c.token == "" {
		err = usageError{err: errors.New("this needs an API key"), hint: "set COUNTERSIGN_API_KEY, or name a file with --key-file; countersign key create makes one"}
	}
	return c, err
}

func (f keyFlags) key(p *process) (string, error) {
	if f.KeyFile == "" {
		return strings.TrimSpace(p.getenv("COUNTERSIGN_API_KEY")), nil
	}
	text, err := p.read(f.KeyFile, 4096)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(text)), nil
}

// asPerson connects with the session of whoever signed in.
func (f serverFlags) asPerson(p *process) (*connection, error) {
	c, err := f.reach(p)
	if err != nil {
		return nil, err
	}
	if c.token = p.getenv("COUNTERSIGN_TOKEN"); c.token == "" {
		if s, err := p.sessions(); err == nil {
			c.token = s.Servers[c.base].Token
		}
	}
	if c.token == "" {
		return nil, usageError{err: fmt.Errorf("you are not signed in at %s", c.base), hint: "countersign sign-in"}
	}
	return c, nil
}

// asEither connects as a system where a key is given, else as a person.
func (f keyFlags) asEither(p *process, s serverFlags) (*connection, error) {
	if key, err := f.key(p); err != nil || key != "" {
		if err != nil {
			return nil, err
		}
		return f.asSystem(p, s)
	}
	c, err := s.asPerson(p)
	var u usageError
	if errors.As(err, &u) && u.hint != "" {
		u.hint = "countersign sign-in, or set COUNTERSIGN_API_KEY"
		return nil, u
	}
	return c, err
}

// Call makes one call with a credential, which may be "". A *json.RawMessage takes the answer as it is.
func (c *connection) Call(ctx context.Context, token, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(in); err != nil {
			return err
		}
		body = &b
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set("User-Agent", "countersign-cli")
	answer, err := c.http.Do(r)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer+1))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if len(data) > mostAnswer {
		return fmt.Errorf("%s: the answer has more than %d bytes", c.base, mostAnswer)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return c.refusal(answer, data)
	}
	return c.take(data, out)
}

func (c *connection) take(data []byte, out any) error {
	if out == nil {
		return nil
	}
	if raw, ok := out.(*json.RawMessage); ok {
		*raw = data
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return withHint(fmt.Errorf("%s answers with something else than JSON", c.base), "is it a Countersign server, and of this version?")
	}
	return nil
}

// refusal reads the problem out of an answer.
func (c *connection) refusal(answer *http.Response, data []byte) error {
	var p countersign.Problem
	if json.Unmarshal(data, &p) != nil || p.Code == "" {
		return withHint(fmt.Errorf("%s answers %s", c.base, answer.Status), "is it a Countersign server?")
	}
	if p.Code == countersign.CodeUnauthenticated && p.Hint == "" {
		p.Hint = "countersign sign-in"
	}
	return &p
}

func (c *connection) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return withHint(fmt.Errorf("%s cannot be reached: %w", c.base, err), "start it with countersign serve, or name another address with --server")
}

// sessionFile holds where somebody is signed in, for this user only.
type sessionFile struct {
	Last    string                  `json:"last"` // the server signed in at last
	Servers map[string]savedSession `json:"servers"`
}

type savedSession struct {
	Token   string `json:"token"`
	Person  string `json:"person"`
	Name    string `json:"name"`
	Expires string `json:"expires_at"`
}

func (p *process) sessionPath() (string, error) {
	dir := p.getenv("COUNTERSIGN_CONFIG_DIR")
	if dir == "" {
		user, err := os.UserConfigDir()
		if err != nil {
			return "", fmt.Errorf("no place for your session's token: %w", err)
		}
		dir = filepath.Join(user, "countersign")
	}
	return filepath.Join(dir, "sessions.json"), nil
}

func (p *process) sessions() (sessionFile, error) {
	s := sessionFile{Servers: map[string]savedSession{}}
	path, err := p.sessionPath()
	if err != nil {
		return s, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Servers == nil {
		return sessionFile{Servers: map[string]savedSession{}}, withHint(fmt.Errorf("%s cannot be read", path), "remove it and sign in again")
	}
	return s, nil
}

// keepSession stores a session's token, or forgets the server's where it is empty.
func (p *process) keepSession(server string, saved savedSession) error {
	s, err := p.sessions()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if saved.Token == "" {
		delete(s.Servers, server)
	} else {
		s.Servers[server], s.Last = saved, server
	}
	path, err := p.sessionPath()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writePrivately(path, append(text, '\n'))
}

// writePrivately writes a file that only its owner can read, whole or not at all.
func writePrivately(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".countersign-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
