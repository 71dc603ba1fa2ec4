package web_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/testkit"
	"github.com/countersign/countersign/internal/web"
)

// axe is the source of axe-core: where COUNTERSIGN_AXE says, or where scripts/test
// put it.
func axe(t *testing.T) string {
	t.Helper()
	for _, path := range []string{os.Getenv("COUNTERSIGN_AXE"), filepath.Join("..", "..", ".tools", "node_modules", "axe-core", "axe.min.js")} {
		if path == "" {
			continue
		}
		if b, err := os.ReadFile(path); err == nil {
			return string(b)
		}
	}
	if os.Getenv("COUNTERSIGN_REQUIRE_BROWSER") == "1" {
		t.Fatal("no axe-core on this machine: ./scripts/test installs it")
	}
	t.Skip("no axe-core on this machine: ./scripts/test installs it")
	return ""
}

// serveGallery serves every page in every state, and says where.
func serveGallery(t *testing.T) (base string, paths []string) {
	t.Helper()
	site, paths, err := web.Gallery()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: site}
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return "http://localhost:" + port, paths
}

// judge is what axe and a glance say of the page that is open: what is wrong, in words.
const judge = `(async () => {
	const out = [];
	if (document.documentElement.scrollWidth > innerWidth) {
		const wide = [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.wide, .hidden, pre, nav'))[0];
		out.push('wider than the window: ' + (wide ? wide.outerHTML.slice(0, 160) : ''));
	}
	for (const e of document.querySelectorAll('main .list, main .card, main .note, main .btn, main .tag, main .rows-table')) {
		if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline') out.push('cut off: ' + e.outerHTML.slice(0, 160));
	}
	const r = await axe.run(document, {resultTypes: ['violations'], preload: false, runOnly: RULES});
	for (const v of r.violations) out.push(v.id + ': ' + v.help + ' at ' + v.nodes.slice(0, 3).map(n => n.target.join(' ') + ' (' + (n.any[0]?.message ?? n.failureSummary ?? '').slice(0, 160) + ')').join('; '));
	return out.join('\n');
})()`

// TestGalleryIsAccessible holds every page in every state to axe-core, on a phone and
// on a desktop, light and dark. On the way it takes pictures, where a folder for them
// is named.
func TestGalleryIsAccessible(t *testing.T) {
	source := axe(t)
	base, paths := serveGallery(t)
	if len(paths) < 100 {
		t.Fatalf("only %d states in the gallery", len(paths))
	}
	for half := range 2 { // two browsers, half of the states each
		t.Run(fmt.Sprintf("half %d", half+1), func(t *testing.T) {
			t.Parallel()
			b := testkit.OpenBrowser(t)
			b.Expect("Failed to load resource: the server responded with a status of") // error pages have their statuses
			for i, path := range paths {
				if i%2 == half {
					judgeState(t, b, source, base, path)
				}
			}
		})
	}
}

// judgeState holds one state to axe, at both sizes of window, light and dark. Only
// contrast depends on the colours.
func judgeState(t *testing.T, b *testkit.Browser, source, base, path string) {
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"desktop", 1280, 860}, {"phone", 390, 844}} {
		b.Size(size.width, size.height, size.name == "phone")
		if size.name == "desktop" {
			b.Open(base + path)
			testkit.Eval[bool](b, source+"; true")
		}
		for _, scheme := range []string{"light", "dark"} {
			b.Dark(scheme == "dark")
			rules := `{type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}`
			if scheme == "dark" {
				rules = `{type: 'rule', values: ['color-contrast']}`
			}
			if found := testkit.Eval[string](b, strings.Replace(judge, "RULES", rules, 1)); found != "" {
				t.Errorf("%s, %s, %s:\n%s", path, size.name, scheme, found)
			}
			b.Screenshot(fmt.Sprintf("%s-%s-%s", strings.ReplaceAll(strings.TrimPrefix(path, "/gallery/"), "/", "-"), size.name, scheme))
		}
	}
}
