package store_test
import ("testing";"fmt";"os";"strings";"syscall"
"github.com/countersign/countersign/internal/store/storetest")
func BenchmarkTmp(b *testing.B){
 db := storetest.Open(b, storetest.SQLite(b))
 io := func() (n float64){ d,_:=os.ReadFile("/proc/self/io"); for _,l:=range strings.Split(string(d),"\n"){ if strings.HasPrefix(l,"wchar"){fmt.Sscanf(l,"wchar: %g",&n)}}; return}
 cpu := func() float64 { var r syscall.Rusage; syscall.Getrusage(0,&r); return float64(r.Utime.Sec+r.Stime.Sec)*1e6+float64(r.Utime.Usec+r.Stime.Usec)}
 w0,c0:=io(),cpu()
 b.ResetTimer()
 r:=rate(b,64,b.N/64,func(id string) error { _,err:=db.Write(b.Context(), approvalRows(id,true)); return err})
 b.ReportMetric(r,"log/s"); b.ReportMetric((io()-w0)/float64(b.N)/1024,"KiB/txn"); b.ReportMetric((cpu()-c0)/float64(b.N),"cpu-us/txn")
 s:=db.Stats(); b.ReportMetric(float64(s.Jobs)/float64(s.Commits),"batch")
}
