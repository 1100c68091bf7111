package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// outbox serves the mails of a server at /mails and writes them to a file, one JSON object
// per line.
type outbox struct {
	server *rocketchattest.Server

	mu      sync.Mutex
	file    *os.File // nil for none
	written int
}

type mail struct {
	To   string `json:"to"`
	Kind string `json:"kind"`
	Text string `json:"text"`
}

func writeMails(w io.Writer, mails []rocketchattest.Mail) error {
	lines := json.NewEncoder(w)
	for _, m := range mails {
		if err := lines.Encode(mail{m.To, string(m.Kind), m.Text}); err != nil {
			return err
		}
	}
	return nil
}

// wrap serves the mails. It writes new mails to the file before the answer to the call that
// sent them is complete.
func (b *outbox) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mails" {
			w.Header().Set("Content-Type", "application/x-ndjson")
			_ = writeMails(w, b.server.Mails())
			return
		}
		next.ServeHTTP(w, r)
		if b.file != nil {
			b.flush()
		}
	})
}

func (b *outbox) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	mails := b.server.Mails()
	if writeMails(b.file, mails[b.written:]) == nil {
		b.written = len(mails)
	}
}
