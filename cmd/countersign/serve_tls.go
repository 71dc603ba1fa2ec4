package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// certificates holds the certificate of the server, and reads it again when its files
// change or the process gets SIGHUP. Files that cannot be used change nothing.
type certificates struct {
	cert, key string
	log       *slog.Logger

	mu      sync.RWMutex
	current *tls.Certificate
	stamp   [2]time.Time
}

// certificatesEvery is how often the files are looked at.
const certificatesEvery = 10 * time.Second

func (c *certificates) load() error {
	stamp, err := c.stamps()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current, c.stamp = &pair, stamp
	return nil
}

func (c *certificates) stamps() (stamp [2]time.Time, err error) {
	for i, name := range [2]string{c.cert, c.key} {
		info, statErr := os.Stat(name)
		if statErr != nil {
			err = errors.Join(err, statErr)
			continue
		}
		stamp[i] = info.ModTime()
	}
	return stamp, err
}

func (c *certificates) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c.mu.RLock()
		defer c.mu.RUnlock()
		return c.current, nil
	}}
}

// watch reads the certificate again whenever that is due, until the context ends.
func (c *certificates) watch(ctx context.Context) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	defer signal.Stop(asked)
	tick := time.NewTicker(certificatesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
		case <-tick.C:
			stamp, err := c.stamps()
			c.mu.RLock()
			same := stamp == c.stamp
			c.mu.RUnlock()
			if err == nil && same {
				continue
			}
		}
		if err := c.load(); err != nil {
			c.log.Error("the certificate could not be read again; the one before stays", "error", err)
			continue
		}
		c.log.Info("the certificate was read again")
	}
}
