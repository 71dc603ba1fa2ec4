package authority_test

import (
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign"
)

// BenchmarkApprovalsBesideUploads compares how long a silent approval takes alone and
// while files of the largest size are being stored, on the same machine in the same run.
func BenchmarkApprovalsBesideUploads(b *testing.B) {
	s := newBench(b)
	file := make([]byte, countersign.MaxAttachmentBytes)
	n := int64(0)
	median := func(count int) time.Duration {
		var took []time.Duration
		for range count {
			n++
			from := time.Now()
			if _, err := s.a.Submit(b.Context(), s.key, benchOrder(n)); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(from))
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	alone := median(500)
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		files := 0
		defer func() { done <- files }()
		for ; ; files++ {
			file[0] = byte(files)
			d := order("PO-FILE", "30000.00", func(d *countersign.Document) {
				d.ID, d.Category = time.Now().String(), "files"
				d.Attachments = []countersign.Attachment{{Name: "plan.pdf", Digest: countersign.SumBytes(file)}}
			})
			out, err := s.a.Submit(b.Context(), s.key, body(d, nil))
			if err == nil {
				_, _, err = s.a.UploadAttachment(b.Context(), s.key, out.Approval.ID, digits(file), file)
			}
			if err != nil {
				b.Error(err)
				return
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	beside := median(500)
	close(stop)
	b.ReportMetric(float64(beside)/float64(alone), "ratio")
	b.ReportMetric(float64(alone.Microseconds()), "µs-alone")
	b.ReportMetric(float64(<-done), "files")
}
