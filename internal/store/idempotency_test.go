package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store"
	"github.com/countersign/countersign/internal/store/storetest"
)

func TestCallsAreCarriedOutOnce(t *testing.T) {
	key := store.CallKey{Caller: "key_1", Method: "POST", Path: "/v1/requests", Key: "k"}
	eachWithClock(t, func(t *testing.T, db *store.DB, clock *hands) {
		begin := func(k store.CallKey, fingerprint string) (state store.CallState, a store.Answer) {
			t.Helper()
			write(t, db, func(tx *store.Tx) (err error) {
				state, a, err = tx.BeginCall(k, []byte(fingerprint), tx.Now().Add(time.Minute))
				return err
			})
			return state, a
		}
		expect := func(what string, k store.CallKey, fingerprint string, want store.CallState) store.Answer {
			t.Helper()
			state, a := begin(k, fingerprint)
			if state != want {
				t.Errorf("%s: state %d, want %d", what, state, want)
			}
			return a
		}
		expect("first", key, "x", store.CallNew)
		expect("while it runs", key, "x", store.CallInProgress)
		expect("other payload", key, "y", store.CallDiffers)
		other := key
		other.Caller = "key_2"
		expect("other caller", other, "y", store.CallNew)
		clock.move(time.Minute)
		expect("its process died", key, "x", store.CallNew)
		finish := func(tx *store.Tx) error {
			return tx.FinishCall(key, store.Answer{Status: 201, Body: []byte("done")}, "req_1", tx.Now().Add(24*time.Hour))
		}
		write(t, db, finish)
		if a := expect("repeated", key, "x", store.CallDone); a.Status != 201 || string(a.Body) != "done" {
			t.Errorf("%+v", a)
		}
		expect("other payload afterwards", key, "y", store.CallDiffers)
		if _, err := db.Write(t.Context(), finish); !errors.Is(err, store.ErrConflict) {
			t.Errorf("finished twice: %v", err)
		}
		write(t, db, func(tx *store.Tx) error { return tx.ForgetCall(key) }) // only what is in progress
		expect("still", key, "x", store.CallDone)
		clock.move(25 * time.Hour)
		write(t, db, func(tx *store.Tx) error {
			if n, err := tx.PurgeCalls(1); err != nil || n != 1 {
				return fmt.Errorf("purged %d, %v", n, err)
			}
			if n, err := tx.PurgeCalls(10); err != nil || n != 1 {
				return fmt.Errorf("purged %d, %v", n, err)
			}
			return nil
		})
		expect("after it expired", key, "y", store.CallNew)
		write(t, db, func(tx *store.Tx) error { return tx.ForgetCall(key) })
		expect("after it was given up", key, "z", store.CallNew)
		write(t, db, func(tx *store.Tx) error {
			if err := tx.FinishCall(key, store.Answer{Status: 200}, "req_9", tx.Now().Add(time.Hour)); err != nil {
				return err
			}
			if n, err := tx.EraseCalls("req_9"); err != nil || n != 1 {
				return fmt.Errorf("erased %d, %v", n, err)
			}
			return nil
		})
	})
}

func TestConcurrentCallsHaveOneWinner(t *testing.T) {
	key := store.CallKey{Caller: "key_1", Method: "POST", Path: "/v1/requests", Key: "k"}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var carried, repeated atomic.Int64
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				var state store.CallState
				_, err := db.Write(t.Context(), func(tx *store.Tx) (err error) {
					if state, _, err = tx.BeginCall(key, []byte("x"), tx.Now().Add(time.Minute)); err != nil || state != store.CallNew {
						return err
					}
					return tx.FinishCall(key, store.Answer{Status: 200}, "", tx.Now().Add(time.Hour))
				})
				switch {
				case err != nil:
					t.Error(err)
				case state == store.CallNew:
					carried.Add(1)
				case state == store.CallDone:
					repeated.Add(1)
				}
			})
		}
		all.Wait()
		if carried.Load() != 1 || repeated.Load() != 39 {
			t.Errorf("%d carried out, %d repeated", carried.Load(), repeated.Load())
		}
	})
}
