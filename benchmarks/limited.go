package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The parameters of the limited case.
const (
	LimitedCalls      = 60
	LimitedGoroutines = 8
)

// LimitedMinimum is the shortest time that the limited case can take: the first
// window opens with the first call.
const LimitedMinimum = (LimitedCalls/LimitCalls - 1) * LimitWindow

// Limited tells how a client fared against the limit.
type Limited struct {
	Client    string
	Succeeded int
	Requests  int // that the server saw
	Refused   int // of them
	Took      time.Duration
}

// OverMinimum is the time as a multiple of the shortest possible one.
func (l Limited) OverMinimum() float64 { return float64(l.Took) / float64(LimitedMinimum) }

// LimitedClients makes the clients of the limited case, each with a window of its own
// at the server.
func LimitedClients(address, run string) []Client {
	at := func(name string) string { return address + "/limited/" + run + name }
	unscaled := retryable(at("retry-unscaled"))
	unscaled.Name = "retryablehttp, default waits"
	return []Client{
		NewLibrary(at("library")),
		plain("net/http+Decoder", at("plain"), decoder),
		scaledRetryable("retryablehttp, waits scaled as the window", at("retry"), 10*time.Millisecond, 300*time.Millisecond),
		unscaled,
		sdk(at("sdk")),
	}
}

// LimitedPaths are the servers of LimitedClients, in the same order.
func LimitedPaths(address, run string) []string {
	var paths []string
	for _, name := range []string{"library", "plain", "retry", "retry-unscaled", "sdk"} {
		paths = append(paths, address+"/limited/"+run+name)
	}
	return paths
}

// RunLimited makes the calls, as many as there are however they end.
func RunLimited(ctx context.Context, client Client, path string) (Limited, error) {
	var (
		next, succeeded atomic.Int64
		group           sync.WaitGroup
	)
	start := time.Now()
	for range LimitedGoroutines {
		group.Go(func() {
			for next.Add(1) <= LimitedCalls {
				if client.Info(ctx) == nil {
					succeeded.Add(1)
				}
			}
		})
	}
	group.Wait()
	result := Limited{Client: client.Name, Succeeded: int(succeeded.Load()), Took: time.Since(start)}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, path+"/counts", nil)
	if err != nil {
		return result, err
	}
	res, err := (&http.Client{}).Do(req)
	if err != nil {
		return result, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	var served int
	_, scanErr := fmt.Sscan(string(body), &served, &result.Refused)
	result.Requests = served + result.Refused
	return result, errors.Join(err, scanErr)
}
