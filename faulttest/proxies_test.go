package faulttest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// proxies are the indirect routes to the server. Changing the weather replaces a proxy,
// which breaks its connections and refuses new ones for a moment. So toxiproxy never has to
// change the toxics of a live connection.
type proxies struct {
	server   *toxiproxy.ApiServer
	upstream string

	mu     sync.Mutex
	all    []*toxiproxy.Proxy
	counts map[string]int
}

func startProxies(t *testing.T, n int, upstream string) *proxies {
	t.Helper()
	p := &proxies{
		server:   toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
		upstream: upstream, counts: map[string]int{},
	}
	for i := range n {
		proxy := toxiproxy.NewProxy(p.server, fmt.Sprintf("way-%d", i), "127.0.0.1:0", upstream)
		require.NoError(t, proxy.Start())
		p.all = append(p.all, proxy)
	}
	return p
}

// toxics are the kinds of weather; "" is fine weather. The toxics that would stop
// everything have a toxicity: the share of connections that they meet.
var toxics = []string{
	``, ``,
	`{"type":"latency","attributes":{"latency":15,"jitter":10}}`,
	`{"type":"latency","stream":"upstream","attributes":{"latency":15,"jitter":10}}`,
	`{"type":"reset_peer","toxicity":0.3,"attributes":{"timeout":5}}`,
	`{"type":"reset_peer","stream":"upstream","toxicity":0.3,"attributes":{"timeout":0}}`,
	`{"type":"slicer","attributes":{"average_size":64,"size_variation":32,"delay":200}}`,
	`{"type":"slicer","stream":"upstream","attributes":{"average_size":64,"size_variation":32,"delay":200}}`,
	`{"type":"limit_data","attributes":{"bytes":%d}}`,
	`{"type":"limit_data","stream":"upstream","attributes":{"bytes":%d}}`,
	`{"type":"timeout","toxicity":0.2,"attributes":{"timeout":80}}`,
	`{"type":"timeout","stream":"upstream","toxicity":0.2,"attributes":{"timeout":80}}`,
	`{"type":"bandwidth","attributes":{"rate":60}}`,
	`{"type":"bandwidth","stream":"upstream","attributes":{"rate":60}}`,
	`{"type":"slow_close","attributes":{"delay":30}}`,
}

// change changes the weather of proxy i.
func (p *proxies) change(i int, rng *rand.Rand) error {
	toxic := toxics[rng.IntN(len(toxics))]
	if strings.Contains(toxic, "%d") {
		toxic = fmt.Sprintf(toxic, 1500+rng.IntN(12000))
	}
	return p.replace(i, toxic)
}

func (p *proxies) replace(i int, toxic string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.all[i]
	old.Stop()
	fresh := toxiproxy.NewProxy(p.server, old.Name, old.Listen, p.upstream)
	p.counts["proxy restarted"]++
	if toxic != "" {
		wrapper, err := fresh.Toxics.AddToxicJson(strings.NewReader(toxic))
		if err != nil {
			return fmt.Errorf("toxic %s: %w", toxic, err)
		}
		p.counts["toxic "+wrapper.Type+" "+wrapper.Stream]++
	}
	p.all[i] = fresh
	return fresh.Start()
}

// clear sets fine weather.
func (p *proxies) clear() error {
	for i := range p.all {
		if err := p.replace(i, ""); err != nil {
			return err
		}
	}
	return nil
}

func (p *proxies) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, proxy := range p.all {
		proxy.Stop()
	}
}

func (p *proxies) addTo(counts map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.Copy(counts, p.counts)
}
