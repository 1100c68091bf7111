package main

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errKilled = errors.New("the process was killed")

// lifetime is a hook of a process that is killed after some commands.
type lifetime struct{ commands int }

func (*lifetime) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

func (l *lifetime) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		if l.commands--; l.commands < 0 {
			command.SetErr(errKilled)
			return errKilled
		}
		return next(ctx, command)
	}
}

func (*lifetime) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// Whenever a process is killed, each batch is done or left to the others.
func TestKilledBetweenCommands(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := func() *redis.Client {
		rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
		t.Cleanup(func() { _ = rdb.Close() })
		return rdb
	}
	lead := client()
	const who = "4711"
	for commands := range 8 {
		server.FlushAll()
		l := &list{lead, strconv.Itoa(commands)}
		require.NoError(t, l.fill(t.Context(), []person{{Username: "ann"}, {Username: "bob"}}, 1))
		mortal := client()
		mortal.AddHook(&lifetime{commands})
		process := &list{mortal, l.name}
		for {
			text, _, err := process.take(t.Context(), who)
			if err == nil && text != "" {
				err = process.done(t.Context(), who, text)
			}
			if err != nil {
				require.ErrorIs(t, err, errKilled)
				break
			}
			if text == "" {
				break
			}
		}
		_, err := l.release(t.Context(), who)
		require.NoError(t, err)
		waiting, err := lead.LLen(t.Context(), l.todo()).Result()
		require.NoError(t, err)
		left, err := l.remaining(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, waiting, left, "after %d commands", commands)
	}
}

// The last request of a killed process can come after its batches were released.
func TestTakeAfterDeath(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	l := &list{rdb, "x"}
	require.NoError(t, l.fill(t.Context(), []person{{Username: "ann"}}, 1))
	_, err := l.release(t.Context(), "4711")
	require.NoError(t, err)
	text, _, err := l.take(t.Context(), "4711")
	require.NoError(t, err)
	assert.Empty(t, text)
	_, people, err := l.take(t.Context(), "4712")
	require.NoError(t, err)
	assert.Equal(t, []person{{Username: "ann"}}, people)
}
