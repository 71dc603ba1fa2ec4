package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/authority"
	"github.com/countersign/countersign/internal/demo"
	"github.com/countersign/countersign/internal/demo/info"
	"github.com/countersign/countersign/internal/notify"
	"golang.org/x/term"
)

// demoCmd runs the sample company, or plays its cases.
type demoCmd struct {
	Run  demoRunCmd  `cmd:"" default:"withargs" help:"Run the sample company."`
	Code demoCodeCmd `cmd:"" help:"Print the code that a person's authenticator app shows now."`
}

type demoRunCmd struct {
	Listen string        `default:"localhost:8080" placeholder:"HOST:PORT" help:"Where it listens, on both loopback addresses (${default})."`
	Data   string        `placeholder:"DIR" help:"Folder that keeps the demo. Default: a fresh temporary one, removed at the end."`
	Info   string        `placeholder:"FILE" help:"Write the address, the API key and everybody's secrets as JSON, for scripts. Default with --data: DIR/demo.json."`
	CSV    string        `name:"csv" placeholder:"DIR" help:"Write the year as CSV files, to try import and policy try with."`
	Still  bool          `help:"Submit nothing: nothing arrives by itself."`
	Pace   time.Duration `default:"2s" placeholder:"TIME" help:"Pause between two cases that arrive (${default})."`
	Play   bool          `help:"Play the cases to their end on the terminal, and exit."`
	Log    bool          `help:"Write the server's log to the error output."`
}

// Run brings the company to life, serves it, and takes it away again.
func (c *demoRunCmd) Run(ctx context.Context, p *process) (err error) {
	dir, remove, err := c.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := demo.CheckListen(c.Listen); err != nil {
		return usageError{err: err}
	}
	ln, err := listenOn(c.Listen)
	if err != nil {
		return withHint(err, "another program uses that port: choose another one, as --listen localhost:8081")
	}
	_, port, _ := net.SplitHostPort(ln[0].Addr().String())
	log := slog.New(slog.DiscardHandler)
	if c.Log {
		log = slog.New(slog.NewTextHandler(p.err, nil))
	}
	began := time.Now()
	house, err := demo.Build(ctx, demo.Config{Dir: dir, URL: "http://localhost:" + port, Log: log})
	if err != nil {
		closeAll(ln)
		return err
	}
	defer func() { err = errors.Join(err, house.Close()) }()
	live, err := house.GoLive(ctx)
	if err != nil {
		closeAll(ln)
		return err
	}
	s, err := newServing(&installation{config: demoConfig(house, dir), db: house.DB(), authorities: []*authority.Authority{house.Authority}, demo: demoPages{house, live}}, log)
	if err != nil {
		closeAll(ln)
		return err
	}
	if err := c.write(house); err != nil {
		closeAll(ln)
		return err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.run(serving, ln) }()
	if c.Play {
		err := c.play(ctx, p, house)
		stop()
		return errors.Join(err, <-ended)
	}
	if !c.Still {
		go func() {
			if err := live.Run(serving, c.Pace); err != nil && serving.Err() == nil {
				log.Error("a case could not be submitted", "error", err)
			}
		}()
	}
	c.welcome(p, house, dir, time.Since(began))
	return <-ended
}

// folder is where the demo lives, and how it is taken away.
func (c *demoRunCmd) folder() (dir string, remove func() error, err error) {
	if c.Data != "" {
		return c.Data, func() error { return nil }, nil
	}
	parent, err := os.MkdirTemp("", "countersign-demo-")
	return filepath.Join(parent, "demo"), func() error { return os.RemoveAll(parent) }, err
}

// demoConfig has no bounds on calls: everything comes from this machine.
func demoConfig(h *demo.House, dir string) Config {
	return Config{Data: filepath.Join(dir, "data"), Listen: strings.TrimPrefix(h.Info.URL, "http://"), PublicURL: h.Info.URL, MaxBodyBytes: 4 << 20,
		MailFolder: mailFolder(dir), MailFrom: "Countersign <countersign@demo.example>", MailDetails: notify.DetailsSummary}
}

// mailFolder is where the demo's mails lie, each a file that mail programs open.
func mailFolder(dir string) string { return filepath.Join(dir, "mail") }

func (c *demoRunCmd) write(h *demo.House) error {
	if c.Info != "" {
		if err := h.Info.Write(c.Info); err != nil {
			return fmt.Errorf("--info: %w", err)
		}
	}
	if c.CSV != "" {
		if err := os.MkdirAll(c.CSV, 0o755); err != nil {
			return err
		}
		return h.Company.WriteCSV(func(name string) (io.WriteCloser, error) { return os.Create(filepath.Join(c.CSV, name)) })
	}
	return nil
}

func (c *demoRunCmd) play(ctx context.Context, p *process, h *demo.House) error {
	conn, err := dial(h.Info.URL)
	if err != nil {
		return err
	}
	f, ok := p.out.(*os.File)
	bold := ok && term.IsTerminal(int(f.Fd())) && p.getenv("NO_COLOR") == ""
	return demo.Play(ctx, h, conn, p.out, bold)
}

// welcome says what is there and what to try, in lines that work as they are printed.
func (c *demoRunCmd) welcome(p *process, h *demo.House, dir string, took time.Duration) {
	i := &h.Info
	p.printf("\n%s is open at %s\n", i.Organisation, i.URL)
	p.printf("a demo, ready after %.1f s: its software passkeys prove nothing, and new factors count at once\n\n", took.Seconds())
	p.printf("Open this in a browser. It leads you through the day, as whomever you like:\n\n  %s/demo\n\n", i.URL)
	for _, v := range i.People {
		p.printf("  %-10s %-18s %-30s %s\n", v.Login, v.Name, v.Title, strings.Join(v.Groups, ","))
	}
	file := c.info()
	p.printf("\nEverybody's password is %q. Mails to them go nowhere: each is a file, %s.\n", i.Password, filepath.Join(mailFolder(dir), "*.eml"))
	p.printf("\nOr try it on the command line, in another terminal:\n\n")
	p.printf("  export COUNTERSIGN_SERVER=%s\n  export COUNTERSIGN_API_KEY=%s\n\n", i.URL, i.Key)
	p.printf("  # an order of 900 passes at once, the same of 30,000 asks for a person\n")
	p.printf("  curl -s $COUNTERSIGN_SERVER/v1/requests -H \"Authorization: Bearer $COUNTERSIGN_API_KEY\" \\\n    -H 'Content-Type: application/json' -d '%s'\n\n", h.Example("small-order"))
	p.printf("  curl -s $COUNTERSIGN_SERVER/v1/requests -H \"Authorization: Bearer $COUNTERSIGN_API_KEY\" \\\n    -H 'Content-Type: application/json' -d '%s'\n\n", h.Example("large-order"))
	p.printf("  # list what waits, and decide as marta (with %s)\n", "her password and a code")
	p.printf("  countersign request list --status pending\n")
	if file == "" {
		p.printf("  countersign sign-in marta      # codes: put %s into an app,\n", i.Person("marta").TOTPSecret)
		p.printf("                                 # or start with --info FILE and use countersign demo code\n")
	} else {
		p.printf("  countersign demo code marta --info %s\n", file)
		p.printf("  countersign sign-in marta --demo %s   # or without --demo: password and code\n", file)
	}
	p.printf("  countersign request approve req_…\n\n")
	p.printf("  # prove it afterwards, offline\n")
	p.printf("  countersign request receipt req_… -o receipt.json\n")
	p.printf("  countersign audit verify receipt.json --key '%s'\n\n", i.Verifiers[len(i.Verifiers)-1])
	p.printf("  # all cases to their end, on the terminal\n  countersign demo --play --listen localhost:0\n\n")
	p.printf("Ctrl-C ends it.\n")
}

// info is the file with everybody's secrets, where there is one.
func (c *demoRunCmd) info() string {
	switch {
	case c.Info != "":
		return c.Info
	case c.Data != "":
		return filepath.Join(c.Data, info.Name)
	}
	return ""
}

type demoCodeCmd struct {
	Login string `arg:"" help:"The person's login name."`
	Info  string `required:"" placeholder:"FILE" help:"The demo's --info file."`
}

func (c *demoCodeCmd) Run(p *process) error {
	known, err := info.Read(c.Info)
	if err != nil {
		return err
	}
	who := known.Person(c.Login)
	if who == nil {
		return fmt.Errorf("nobody in the demo is called %q", c.Login)
	}
	code, err := demo.Code(who.TOTPSecret, time.Now())
	if err == nil {
		p.printf("%s\n", code)
	}
	return err
}
