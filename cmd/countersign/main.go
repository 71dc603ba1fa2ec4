// Command countersign asks people to prove who they are before the approvals that
// matter, and proves afterwards that they did.
//
// Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 not yet (something that
// was waited for did not come in time).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the same time zones where the machine has none

	"github.com/alecthomas/kong"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // refused or failed
	exitUsage  = 2
	exitNotYet = 3
)

// cli is the whole command line: one member for each command, whose type stands in
// the file of that name.
type cli struct {
	Serve      serveCmd       `cmd:"" help:"Run the server."`
	Init       initCmd        `cmd:"" help:"Write a configuration and the policy, and found the organisation."`
	Demo       demoCmd        `cmd:"" help:"Run a sample company with a year behind it, to try everything on."`
	Request    requestCmd     `cmd:"" help:"Submit, show, decide and release requests, on the running server."`
	SignIn     signInCmd      `cmd:"" help:"Sign in at a server."`
	SignOut    signOutCmd     `cmd:"" help:"Sign out."`
	Whoami     whoamiCmd      `cmd:"" help:"Say who is signed in."`
	User       userCmd        `cmd:"" help:"Enrol; and list, invite, confirm and deactivate people."`
	Delegation delegationCmd  `cmd:"" help:"Let others decide in your place, and see who does."`
	Settings   orgSettingsCmd `cmd:"" help:"Show and change the organisation's settings."`
	Key        keyCmd         `cmd:"" help:"Make, list and end API keys; rotate the server's own."`
	Import     importCmd      `cmd:"" help:"Bring in vendors, people, purchases and rates from CSV files."`
	Policy     policyCmd      `cmd:"" help:"Check, test, explain and try policies."`
	Audit      auditCmd       `cmd:"" help:"Verify what the log proves."`
	Backup     backupCmd      `cmd:"" help:"Copy the data into one file, also while the server runs."`
	Restore    restoreCmd     `cmd:"" help:"Put a backup in place of a database that is gone."`
	Move       moveCmd        `cmd:"" help:"Give an organisation another address. Says what is lost by it, and asks."`
	Doctor     doctorCmd      `cmd:"" help:"Look at an installation and say what is wrong with it, and what to do."`
	Mail       mailCmd        `cmd:"" help:"Try the mail settings."`
	Config     configCmd      `cmd:"" help:"Check the configuration of serve, or print a documented example."`
	Version    versionCmd     `cmd:"" help:"Print the version."`
}

// auditCmd holds the commands about the log; each stands in a file of its own.
type auditCmd struct {
	Verify     verifyCmd     `cmd:"" help:"Verify a receipt or an exported log, offline."`
	Export     exportCmd     `cmd:"" help:"Write the log into a folder for whoever verifies it, also while the server runs."`
	Checkpoint checkpointCmd `cmd:"" help:"Print the last published checkpoint: keep it, and a roll-back is found."`
	Keys       keysCmd       `cmd:"" help:"Print the public keys of the log."`
	Rotate     rotateCmd     `cmd:"" help:"Make a new key. The server must be stopped."`
	Recover    recoverCmd    `cmd:"" help:"Continue the log after the guard or the database was lost or put back."`
}

// process is what a command has from the outside, so that tests can give it.
type process struct {
	in       io.Reader
	out, err io.Writer
	env      []string // NAME=value
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], process{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Environ()})
	stop()
	os.Exit(code)
}

// ended carries the exit code that kong asks for, as after --help.
type ended int

// run parses the arguments, runs the command and returns the exit code.
func run(ctx context.Context, args []string, p process) (code int) {
	defer func() {
		if e := recover(); e != nil {
			end, ours := e.(ended)
			if !ours {
				panic(e)
			}
			code = int(end)
		}
	}()
	parser, err := kong.New(&cli{}, kong.Name("countersign"),
		kong.Description("Asks people to prove who they are before the approvals that matter, and proves afterwards that they did.\n\n"+
			"Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not yet."),
		kong.Writers(p.out, p.err), kong.Exit(func(code int) { panic(ended(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(&p))
	if err != nil {
		fmt.Fprintf(p.err, "countersign: %v\n", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		path := "countersign"
		var wrong *kong.ParseError
		if errors.As(err, &wrong) && wrong.Context.Selected() != nil {
			path = wrong.Context.Selected().FullPath()
		}
		return p.fail(usageError{err: err, hint: path + " --help"})
	}
	return p.fail(p.execute(ctx, command))
}
