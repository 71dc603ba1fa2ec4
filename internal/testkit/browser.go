package testkit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/countersign/countersign/internal/testkit/steady"
)

// Browser is a real Chromium with one page, driven by a test. It notes what a page
// must never do: violate its content security policy, throw, or ask another host.
type Browser struct {
	T   testing.TB
	Ctx context.Context

	mu       sync.Mutex
	origins  map[string]bool
	trouble  []string
	expected []string
}

// chromium finds the browser. Without one the test is skipped, but for where every
// part must be there.
func chromium(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("browsers are for the full tests")
	}
	for _, name := range []string{os.Getenv("COUNTERSIGN_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("COUNTERSIGN_REQUIRE_BROWSER") == "1" {
		t.Fatal("no Chromium on this machine: ./scripts/test installs it")
	}
	t.Skip("no Chromium on this machine: ./scripts/test installs it")
	return ""
}

// OpenBrowser starts a browser for a test. Close is part of the test's end, and so is
// the check of what the browser noted.
func OpenBrowser(t testing.TB) *Browser {
	t.Helper()
	path := chromium(t)
	parent, stop := context.WithCancel(context.Background()) // each step has its own limit
	t.Cleanup(stop)
	alloc, stopAlloc := chromedp.NewExecAllocator(parent, chromedp.ExecPath(path), chromedp.WSURLReadTimeout(steady.Limit), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true))
	t.Cleanup(stopAlloc)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	b := &Browser{T: t, Ctx: ctx, origins: map[string]bool{}}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 860)); err != nil { // starts it; its context must live as long
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	for _, enable := range []func() error{
		func() error { _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); return err },
		func() error { _, err := chromedp.Call(ctx, runtime.Enable, cdp.Empty{}); return err },
		func() error { _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); return err },
	} {
		if err := enable(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(b.check)
	return b
}

func (b *Browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil && u.Host != "" {
			b.origins[u.Scheme+"://"+u.Host] = true
		}
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, "a script threw: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Source == "security" {
			b.trouble = append(b.trouble, fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	}
}

// Expect says that trouble with this text is part of the test: an answer with an error
// status, say, which browsers write to their log.
func (b *Browser) Expect(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, text)
}

// Origins are those that the pages asked for anything.
func (b *Browser) Origins() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for o := range b.origins {
		all = append(all, o)
	}
	return all
}

func (b *Browser) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, s := range b.trouble {
		for _, e := range b.expected {
			if strings.Contains(s, e) {
				continue next
			}
		}
		b.T.Errorf("the browser says: %s", s)
	}
	for o := range b.origins {
		if u, err := url.Parse(o); err == nil && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" {
			b.T.Errorf("a page asked another host: %s", o)
		}
	}
}

// Do carries steps out, and fails the test where one cannot be.
func (b *Browser) Do(steps ...chromedp.Action[chromedp.Void]) {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.Ctx, steady.Limit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fail(err)
	}
}

func (b *Browser) fail(err error) {
	b.T.Helper()
	text, _ := chromedp.Run(b.Ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 1500)`))
	b.T.Fatalf("%v\nthe page: %s\nnoted: %v", err, text, b.trouble)
}

// Open goes to an address.
func (b *Browser) Open(address string) {
	b.T.Helper()
	b.Do(chromedp.Navigate(address))
}

// Click clicks what a CSS selector finds, once it can be seen.
func (b *Browser) Click(sel string) {
	b.T.Helper()
	b.Do(chromedp.WaitVisible(chromedp.CSS(sel)), chromedp.Click(chromedp.CSS(sel)))
}

// Type replaces what stands in a field.
func (b *Browser) Type(sel, text string) {
	b.T.Helper()
	quoted, _ := json.Marshal(sel)
	b.Do(chromedp.WaitVisible(chromedp.CSS(sel)))
	Eval[string](b, `document.querySelector(`+string(quoted)+`).value = ""`)
	b.Do(chromedp.SendKeys(chromedp.CSS(sel), text))
}

// Eval evaluates an expression, or waits for the promise that it gives.
func Eval[V any](b *Browser, expression string) V {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.Ctx, steady.Limit)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[V](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.fail(fmt.Errorf("%s: %w", expression, err))
	}
	return v
}

// Wait waits until an expression is true.
func (b *Browser) Wait(expression string) {
	b.T.Helper()
	deadline := time.Now().Add(steady.Limit)
	for {
		ctx, cancel := context.WithTimeout(b.Ctx, time.Minute)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!!(`+expression+`)`))
		cancel()
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			b.fail(fmt.Errorf("still not true: %s (%v)", expression, err)) //nolint:errorlint // only shown
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// WaitText waits until the page shows a text.
func (b *Browser) WaitText(text string) {
	b.T.Helper()
	quoted, _ := json.Marshal(text)
	b.Wait(`document.body && document.body.innerText.includes(` + string(quoted) + `)`)
}

// Text is what a person reads on the page.
func (b *Browser) Text() string {
	b.T.Helper()
	return Eval[string](b, `document.body.innerText`)
}

// Authenticator is a virtual authenticator in the browser.
type Authenticator struct {
	ID webauthn.AuthenticatorID
	b  *Browser
}

// AddAuthenticator gives the browser an authenticator of its own with user
// verification, as a phone's or laptop's.
func (b *Browser) AddAuthenticator() *Authenticator {
	b.T.Helper()
	if _, err := chromedp.Call(b.Ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		b.T.Fatal(err)
	}
	made, err := chromedp.Call(b.Ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: "ctap2", Ctap2version: "ctap2_1", Transport: "internal", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}})
	if err != nil {
		b.T.Fatal(err)
	}
	return &Authenticator{ID: made.AuthenticatorID, b: b}
}

// Size sets the window's size, as a phone's or a desktop's.
func (b *Browser) Size(width, height int64, phone bool) {
	b.T.Helper()
	_, err := chromedp.Call(b.Ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: phone})
	if err != nil {
		b.T.Fatal(err)
	}
}

// Dark asks for dark pages, or light ones, and for none that move: what is looked at
// stands still.
func (b *Browser) Dark(on bool) {
	b.T.Helper()
	value := "light"
	if on {
		value = "dark"
	}
	_, err := chromedp.Call(b.Ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	if err != nil {
		b.T.Fatal(err)
	}
}

// Scripts turns JavaScript on or off.
func (b *Browser) Scripts(on bool) {
	b.T.Helper()
	if _, err := chromedp.Call(b.Ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}); err != nil {
		b.T.Fatal(err)
	}
}

// Screenshot writes a picture of the whole page into the folder that
// COUNTERSIGN_SCREENSHOTS names; without one it takes none.
func (b *Browser) Screenshot(name string) {
	b.T.Helper()
	dir := os.Getenv("COUNTERSIGN_SCREENSHOTS")
	if dir == "" {
		return
	}
	shot, err := chromedp.Run(b.Ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.T.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.T.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o644); err != nil {
		b.T.Fatal(err)
	}
}

// SetCookie puts a cookie into the browser, as a sign-in does.
func (b *Browser) SetCookie(address, name, value string) {
	b.T.Helper()
	if _, err := chromedp.Call(b.Ctx, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: address, SameSite: "Lax"}); err != nil {
		b.T.Fatal(err)
	}
}

// Keys presses keys, one after the other, on whatever has the focus.
func (b *Browser) Keys(keys string) {
	b.T.Helper()
	b.Do(chromedp.KeyEvent(keys))
}
