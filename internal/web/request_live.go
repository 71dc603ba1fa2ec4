package web

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign"
)

const (
	beat    = 20 * time.Second // between signs of life, well within what proxies wait
	writing = 10 * time.Second // for one message: whoever reads slower is gone
)

// changedView says that the request is no longer as it is shown.
type changedView struct{ Path, Text string }

// watchRequest tells an open page that its request has changed: once, and without
// touching what is being read. The stream ends after that, with the session, and when
// the server stops.
func watchRequest(v *visit) error {
	id := v.path("id")
	changes, err := v.org.Watch(v.ctx(), *v.session)
	if err != nil {
		return err
	}
	// Looked at after the watch began: what changed in between is seen by one or the other.
	now, err := v.org.Get(v.ctx(), v.caller(), id)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	v.status = http.StatusOK
	out := http.NewResponseController(v.w)
	if strconv.FormatInt(now.Version, 10) != v.query("version") {
		return v.tellChanged(out, id)
	}
	tick := time.NewTicker(beat)
	defer tick.Stop()
	if v.sent(out, ": open\n\n") != nil {
		return nil
	}
	for {
		select {
		case <-v.ctx().Done():
			return nil
		case <-v.site.stopped:
			return nil
		case <-tick.C:
			if v.sent(out, ": here\n\n") != nil {
				return nil
			}
		case c, open := <-changes:
			if !open {
				return nil // the session ended
			}
			if c.Request == id && c.Type != countersign.EntryAttachmentStored || c.Resync {
				return v.tellChanged(out, id)
			}
		}
	}
}

func (v *visit) tellChanged(out *http.ResponseController, id string) error {
	b, err := v.site.execute("request", "changed", changedView{Path: "/r/" + id, Text: v.t("request.changed")})
	if err != nil {
		return err
	}
	var m bytes.Buffer
	for line := range strings.Lines(b.String()) {
		fmt.Fprintf(&m, "data: %s\n", strings.TrimRight(line, "\r\n"))
	}
	m.WriteString("\nevent: done\ndata:\n\n") // the page need not ask again
	v.sent(out, m.String())                   // whoever hung up does not read it
	return nil
}

func (v *visit) sent(out *http.ResponseController, text string) error {
	if err := out.SetWriteDeadline(time.Now().Add(writing)); err != nil {
		return err
	}
	if _, err := v.w.Write([]byte(text)); err != nil {
		return err
	}
	return out.Flush()
}
