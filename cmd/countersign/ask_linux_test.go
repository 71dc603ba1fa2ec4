package main

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/countersign/countersign/internal/testkit/steady"
)

// pseudo opens a pseudo terminal: what a person types goes into one end.
func pseudo(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminal here: ", err)
	}
	t.Cleanup(func() { person.Close() })
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	must(t, err)
	must(t, unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0))
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { program.Close() })
	return person, program
}

// What is typed for a secret is not shown; what is typed for a line is.
func TestSecretsAreNotShown(t *testing.T) {
	person, program := pseudo(t)
	var prompts bytes.Buffer
	ask := (&process{in: program, out: &prompts, err: &prompts}).asker()
	if ask.tty == nil {
		t.Fatal("the terminal is not taken for one")
	}
	type answered struct {
		text string
		err  error
	}
	answer := make(chan answered, 1)
	shows := func() bool {
		state, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		must(t, err)
		return state.Lflag&unix.ECHO != 0
	}
	go func() { text, err := ask.secret("Password"); answer <- answered{text, err} }()
	for deadline := time.Now().Add(steady.Limit); shows(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the terminal goes on showing what is typed")
		}
	}
	fmt.Fprintln(person, "hush, a secret")
	if a := <-answer; a.text != "hush, a secret" || a.err != nil {
		t.Errorf("%q, %v", a.text, a.err)
	}
	if !shows() {
		t.Error("the terminal is left without showing what is typed")
	}
	go func() { text, err := ask.line("Name"); answer <- answered{text, err} }()
	fmt.Fprintln(person, "marta")
	if a := <-answer; a.text != "marta" || a.err != nil {
		t.Errorf("%q, %v", a.text, a.err)
	}
	must(t, person.SetReadDeadline(time.Now().Add(steady.Limit)))
	var shown []byte
	for part := make([]byte, 1000); !bytes.Contains(shown, []byte("marta")); {
		n, err := person.Read(part)
		must(t, err)
		shown = append(shown, part[:n]...)
	}
	if bytes.Contains(shown, []byte("hush")) {
		t.Errorf("the terminal shows %q", shown)
	}
}
