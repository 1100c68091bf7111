package rocketchat

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// benchmarkedGates are gates that hold nobody back, and what the answers told them.
func benchmarkedGates() map[string]Sighting {
	return map[string]Sighting{
		"free":    {Kind: Free},
		"counted": {Kind: Counted, Limit: 1 << 30, Remaining: 1 << 30, Window: 1, Reset: time.Hour},
	}
}

func pass(ctx context.Context, gate Gate, seen Sighting) error {
	route := Route{Server: "chat.example.org", Method: "GET", Op: "users.info", Caller: "h7WgZbN4cExtFqRm9"}
	admitted, err := gate.Enter(ctx, route, 0)
	if err != nil {
		return err
	}
	gate.Leave(route, admitted, seen)
	return nil
}

func BenchmarkGate(b *testing.B) {
	for name, seen := range benchmarkedGates() {
		b.Run(name, func(b *testing.B) {
			gate := NewMemoryGate()
			b.ReportAllocs()
			for b.Loop() {
				if err := pass(b.Context(), gate, seen); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			gate := NewMemoryGate()
			if err := pass(b.Context(), gate, seen); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := pass(b.Context(), gate, seen); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// It measures allocations, which others who run at the same time would add to.
func TestGateAllocatesNothing(t *testing.T) { //nolint:paralleltest // see above
	for name, seen := range benchmarkedGates() {
		gate := NewMemoryGate()
		allocated := testing.AllocsPerRun(100, func() {
			if err := pass(t.Context(), gate, seen); err != nil {
				t.Error(err)
			}
		})
		require.Zero(t, allocated, name)
	}
}
