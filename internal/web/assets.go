package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// asset is one file that pages load, with its compressed form made once.
type asset struct {
	media       string
	tag         string // of its content
	body, small []byte
}

// assets are all files that pages load. The stylesheet is written in parts and served
// as one.
type assets struct {
	files map[string]asset // by path under /static/
}

const stylesheet = "app.css"

func loadAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	var css bytes.Buffer
	err := fs.WalkDir(staticFiles, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := staticFiles.ReadFile(name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "static/")
		switch {
		case strings.HasPrefix(name, "css/"):
			css.Write(body) // in the order of their names
			return nil
		case strings.HasSuffix(name, ".md"), strings.HasSuffix(name, ".txt"):
			return nil
		}
		return a.add(name, body)
	})
	if err != nil {
		return nil, err
	}
	return a, a.add(stylesheet, css.Bytes())
}

func (a *assets) add(name string, body []byte) error {
	sum := sha256.Sum256(body)
	f := asset{media: mime.TypeByExtension(path.Ext(name)), tag: hex.EncodeToString(sum[:8]), body: body}
	if strings.HasSuffix(name, ".js") {
		f.media = "text/javascript; charset=utf-8"
	}
	if f.media == "" {
		return fmt.Errorf("static/%s: no media type is known for it", name)
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(body); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	if b.Len() < len(body) {
		f.small = b.Bytes()
	}
	a.files[name] = f
	return nil
}

// url is where a file is: its address changes with its content, so that browsers keep
// it for ever.
func (a *assets) url(name string) (string, error) {
	f, ok := a.files[name]
	if !ok {
		return "", fmt.Errorf("no file static/%s", name)
	}
	return "/static/" + name + "?v=" + f.tag, nil
}

// icon is one picture of the sprite, for show only: the words stand beside it.
func (a *assets) icon(name string) (template.HTML, error) {
	u, err := a.url("icons.svg")
	if err != nil {
		return "", err
	}
	if !bytes.Contains(a.files["icons.svg"].body, []byte(`id="`+name+`"`)) {
		return "", fmt.Errorf("no icon %q in static/icons.svg", name)
	}
	return template.HTML(`<svg class="icon" aria-hidden="true"><use href="` + template.HTMLEscapeString(u) + `#` + name + `"></use></svg>`), nil
}

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[strings.TrimPrefix(r.URL.Path, "/static/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("ETag", `"`+f.tag+`"`)
	h.Set("Vary", "Accept-Encoding")
	if r.URL.Query().Get("v") == f.tag {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	if strings.Contains(r.Header.Get("If-None-Match"), `"`+f.tag+`"`) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.body
	if f.small != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.small
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method != http.MethodHead {
		w.Write(body) // whoever hung up does not read it
	}
}
