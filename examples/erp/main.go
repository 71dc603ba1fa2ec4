// Command erp is what a purchasing system does with Countersign, in one page: before
// it executes a document it asks; when people must decide it waits; and at the moment
// of executing it asks once more, with the document as it stands then.
//
//	countersign demo                                   # in another terminal
//	export COUNTERSIGN_SERVER=… COUNTERSIGN_API_KEY=…  # as the demo prints them
//	go run ./examples/erp order.json marta
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/countersign/countersign"
)

func main() {
	wait := flag.Duration("wait", 10*time.Minute, "how long to wait for people")
	flag.Usage = func() { fmt.Fprintln(os.Stderr, "usage: erp [-wait 10m] DOCUMENT.json [APPROVER]"); os.Exit(2) }
	flag.Parse()
	if flag.NArg() < 1 {
		flag.Usage()
	}
	ctx, cancel := context.WithTimeout(context.Background(), *wait)
	defer cancel()
	client := &countersign.Client{BaseURL: os.Getenv("COUNTERSIGN_SERVER"), Key: os.Getenv("COUNTERSIGN_API_KEY")}
	if err := purchase(ctx, client, os.Stdout, flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "erp:", err)
		os.Exit(1)
	}
}

// purchase takes one document from the question to its execution.
func purchase(ctx context.Context, client *countersign.Client, out io.Writer, file, approver string) error {
	document, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	a, err := client.Submit(ctx, countersign.RequestBody{Document: document, Submission: &countersign.Submission{Approver: approver, Channel: "api"}})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is %s\n", a.ID, a.Status)
	for _, r := range a.Reasons {
		fmt.Fprintf(out, "  because %s\n", r.Sentence)
	}
	if a.Status == countersign.StatusPending {
		fmt.Fprintf(out, "  the approver goes to %s\n", a.StepUpURL)
		if a, err = client.Wait(ctx, a.ID); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s is %s\n", a.ID, a.Status)
	}
	if a.Status != countersign.StatusApproved && a.Status != countersign.StatusReleased {
		return fmt.Errorf("not approved: nothing is ordered")
	}
	return execute(ctx, client, out, a.ID, file)
}

// execute reads the document again: what is executed is what it says now, and only if
// that is still what was approved. The execution id makes it once, however often it is
// tried.
func execute(ctx context.Context, client *countersign.Client, out io.Writer, request, file string) error {
	document, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	execution := "erp-" + request
	_, err = client.Release(ctx, countersign.ReleaseBody{Request: request, Document: document, Execution: execution})
	var p *countersign.Problem
	if errors.As(err, &p) {
		for _, d := range p.Differences {
			fmt.Fprintf(out, "  %s was %s and is now %s\n", d.Pointer, d.Stored, d.Sent)
		}
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ordered") // here the order goes out
	_, err = client.Confirm(ctx, request, execution)
	return err
}
