package main

import (
	"runtime"
	"runtime/debug"
)

// version is set when a release is built: -ldflags "-X main.version=1.2.3".
var version = ""

type versionCmd struct {
	JSON bool `name:"json" help:"Write JSON."`
}

// build is what is known about this program.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from files that differ from the commit
	Time     string `json:"time,omitempty"`     // of the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
	SQLite   string `json:"sqlite,omitempty"` // version of modernc.org/sqlite
}

func builtFrom(info *debug.BuildInfo) build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		info = &debug.BuildInfo{}
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "devel"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	for _, d := range info.Deps {
		if d.Path == "modernc.org/sqlite" {
			b.SQLite = d.Version
		}
	}
	return b
}

func (c *versionCmd) Run(p *process) error {
	info, _ := debug.ReadBuildInfo()
	b := builtFrom(info)
	if c.JSON {
		return p.json(b)
	}
	p.printf("countersign %s\n", b.Version)
	if b.Commit != "" {
		modified := ""
		if b.Modified {
			modified = ", with changes"
		}
		p.printf("commit %s of %s%s\n", b.Commit, b.Time, modified)
	}
	p.printf("%s %s\n", b.Go, b.Platform)
	if b.SQLite != "" {
		p.printf("modernc.org/sqlite %s\n", b.SQLite)
	}
	return nil
}
