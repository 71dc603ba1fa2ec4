package verify_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/countersign/countersign/verify"
)

// An auditor has a receipt, the document that was paid, and the key of the log, which came
// another way than the receipt.
func ExampleReceipt() {
	receipt, key, document := read("receipt.json"), read("log.key"), read("order.json")

	result, err := verify.Receipt(receipt, verify.Options{
		Keys:     []string{strings.TrimSpace(string(key))},
		Document: document,
	})
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println(result.Status)
	for _, claim := range result.Claims {
		if strings.HasPrefix(claim.By, "person ") {
			act, _, _ := strings.Cut(claim.Text, " under ")
			fmt.Println(act)
		}
	}
	// Output:
	// approved
	// per_01m8627nm8b94j986a0n1gw1we: approve the document sha-256:76dfa0c4a1ea27dce7f2b55da2e532f3e854167e6e9c6ece6f41d39327996257
}

// A receipt in which somebody has changed a name afterwards does not verify, and the error
// names the step that found it.
func ExampleError() {
	receipt := bytes.Replace(read("receipt.json"), []byte("Ann"), []byte("Eve"), 1)

	_, err := verify.Receipt(receipt, verify.Options{Keys: []string{strings.TrimSpace(string(read("log.key")))}})
	var failed *verify.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.Step)
	}
	// Output:
	// commitment
}

// Two checkpoints of one log are compared: the one that was kept last month must be the
// beginning of today's.
func ExampleConsistency() {
	kept, err := verify.ParseCheckpoint("countersign.example/log/acme\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	if err != nil {
		log.Fatal(err)
	}
	today := kept
	today.Root[0] = 1

	fmt.Println(verify.Consistency(kept, today, nil))
	// Output:
	// fork: two different logs of 5 entries are signed
}

func read(name string) []byte {
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		log.Fatal(err)
	}
	return data
}
