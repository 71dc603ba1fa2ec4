package countersign_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/countersign/countersign"
)

// exampleServer answers as a server would, so that the examples run.
func exampleServer(answers map[string]string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answers[r.URL.Path])
	}))
}

// A caller asks whether a purchase may be approved, waits for the people where that is
// needed, and asks once more before the money goes out.
func ExampleClient() {
	server := exampleServer(map[string]string{
		"/v1/requests": `{"id":"req_01m8677m3se2jscfznjmzgpnb6","status":"approved","outcome":"allow"}`,
		"/v1/release":  `{"request":"req_01m8677m3se2jscfznjmzgpnb6","status":"released","state":"open","execution":"run-7/PO-4711"}`,
		"/v1/requests/req_01m8677m3se2jscfznjmzgpnb6/confirm": `{"request":"req_01m8677m3se2jscfznjmzgpnb6","status":"released","state":"confirmed"}`,
	})
	defer server.Close()

	ctx := context.Background()
	client := &countersign.Client{BaseURL: server.URL, Key: "cs_…"}
	document := json.RawMessage(`{
		"kind": "purchase_order", "id": "PO-4711", "revision": "1",
		"amount": {"value": "900.00", "currency": "EUR"},
		"payee": {"id": "V-1", "name": "Nordwind Technik GmbH"},
		"requester": {"type": "person", "id": "elif"}
	}`)

	approval, err := client.Submit(ctx, countersign.RequestBody{Document: document})
	var problem *countersign.Problem
	switch {
	case errors.As(err, &problem):
		log.Fatalf("refused: %s %v", problem.Detail, problem.Errors)
	case err != nil:
		log.Fatal(err)
	}
	if approval.Status == countersign.StatusPending {
		fmt.Println("send the approver to", approval.StepUpURL)
		if approval, err = client.Wait(ctx, approval.ID); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(approval.Status)

	// Later, when the order goes out: the document as it stands then.
	lease, err := client.Release(ctx, countersign.ReleaseBody{Request: approval.ID, Document: document, Execution: "run-7/PO-4711"})
	if err != nil {
		log.Fatal(err) // nothing is sent
	}
	fmt.Println(lease.Status)
	done, err := client.Confirm(ctx, approval.ID, lease.Execution)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(done.State)
	// Output:
	// approved
	// released
	// confirmed
}

// A service guards the handler that pays: it runs once, and only for a document that
// is approved and released.
func ExampleGuard() {
	server := exampleServer(map[string]string{
		"/v1/requests": `{"id":"req_01m8677m3se2jscfznjmzgpnb6","status":"pending","missing":["one approval of the group approvers"],` +
			`"step_up_url":"https://approve.example.com/r/req_01m8677m3se2jscfznjmzgpnb6"}`,
	})
	defer server.Close()

	guard := &countersign.Guard{
		Client: &countersign.Client{BaseURL: server.URL, Key: "cs_…"},
		Describe: func(r *http.Request) (*countersign.RequestBody, error) {
			document, err := json.Marshal(countersign.Document{
				Kind: countersign.KindPurchaseOrder, ID: r.PathValue("order"), Revision: "1",
				Amount:    &countersign.Amount{Value: r.FormValue("amount"), Currency: "EUR"},
				Requester: &countersign.Party{Type: "person", ID: "elif"},
			})
			return &countersign.RequestBody{Document: document}, err
		},
	}
	mux := http.NewServeMux()
	mux.Handle("POST /orders/{order}/send", guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "sent")
	})))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("POST", "/orders/PO-4711/send?amount=30000.00", nil))
	var waiting countersign.Waiting
	if err := json.Unmarshal(w.Body.Bytes(), &waiting); err != nil {
		log.Fatal(err)
	}
	fmt.Println(w.Code, waiting.StepUpURL)
	// Output:
	// 202 https://approve.example.com/r/req_01m8677m3se2jscfznjmzgpnb6
}
