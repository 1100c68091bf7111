package gate_test

import (
	"testing"

	"github.com/rocketchat-go/rocketchat/gate"
	"github.com/rocketchat-go/rocketchat/gate/gatetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	gatetest.Run(t, func() gate.Gate { return gate.NewMemory() })
}
