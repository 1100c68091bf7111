package redisgate_test

import (
	"context"
	"net"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/rocketchat-go/rocketchat/gate"
	"github.com/rocketchat-go/rocketchat/gate/gatetest"
	"github.com/rocketchat-go/rocketchat/redisgate"
)

// owner is a gate that closes its connection, too.
type owner struct {
	*redisgate.Gate

	rdb *redis.Client
}

func (o *owner) Close(ctx context.Context) error {
	err := o.Gate.Close(ctx)
	_ = o.rdb.Close()
	return err
}

// join returns a gate on a Redis in this process, which runs in virtual time.
func join(m *miniredis.Miniredis, opts ...redisgate.Option) *owner {
	rdb := redis.NewClient(&redis.Options{
		Addr:   "127.0.0.1:6379", // not used, but looked up
		Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() },
	})
	return &owner{redisgate.New(rdb, "test", opts...), rdb}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	gatetest.Run(t, func() gate.Gate {
		m := miniredis.NewMiniRedis()
		m.ClockTTL(true)
		return join(m)
	})
}
