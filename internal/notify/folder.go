package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Folder writes each mail into a file of its own, to try without a server. A mail that
// comes again takes the place of the first.
type Folder string

// Deliver writes the mail.
func (f Folder) Deliver(_ context.Context, m *Mail) (err error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return f.failed(err)
	}
	part, err := os.CreateTemp(string(f), ".part-*")
	if err != nil {
		return f.failed(err)
	}
	_, err = m.message().WriteTo(part)
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), filepath.Join(string(f), m.ID+".eml"))
	}
	if err != nil {
		return f.failed(errors.Join(err, os.Remove(part.Name())))
	}
	return nil
}

func (f Folder) failed(err error) error {
	return &DeliveryError{Unreachable: true, text: fmt.Sprintf("the folder of mails: %v", err)}
}
