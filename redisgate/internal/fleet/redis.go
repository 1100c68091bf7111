package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrNoRedis tells that there is no redis-server on this machine.
var ErrNoRedis = errors.New("redis-server is not installed")

// Redis is a redis-server of its own.
type Redis struct {
	Addr string

	dir  string
	args []string
	cmd  *exec.Cmd
}

// StartRedis starts a redis-server on a free port of 127.0.0.1, with its files in dir.
func StartRedis(dir string, args ...string) (*Redis, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, ErrNoRedis
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r := &Redis{Addr: "127.0.0.1:" + strconv.Itoa(port), dir: filepath.Join(dir, strconv.Itoa(port)), args: args}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, err
	}
	return r, r.Start()
}

// Start starts it again after Kill, without what it knew.
func (r *Redis) Start() error {
	_, port, _ := net.SplitHostPort(r.Addr)
	args := append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", r.dir}, r.args...)
	r.cmd = exec.Command("redis-server", args...) //nolint:noctx // a test's own server, ended by Kill
	var output bytes.Buffer
	r.cmd.Stdout, r.cmd.Stderr = &output, &output
	if err := r.cmd.Start(); err != nil {
		return err
	}
	rdb := redis.NewClient(&redis.Options{Addr: r.Addr, MaxRetries: -1})
	defer func() { _ = rdb.Close() }()
	for range 200 {
		if rdb.Ping(context.Background()).Err() == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.Kill()
	return fmt.Errorf("redis-server does not answer: %s", output.String())
}

// Kill ends it at once.
func (r *Redis) Kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

// Cluster is a cluster of three.
type Cluster struct{ nodes []*Redis }

// StartCluster starts a cluster of three nodes.
func StartCluster(ctx context.Context, dir string) (*Cluster, error) {
	c := &Cluster{}
	for range 3 {
		// The bus needs a port of its own, which by default may be taken.
		bus, err := freePort()
		if err != nil {
			return nil, err
		}
		r, err := StartRedis(dir, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus))
		if err != nil {
			c.Kill()
			return nil, err
		}
		c.nodes = append(c.nodes, r)
	}
	args := append([]string{"--cluster", "create"}, c.Addrs()...)
	output, err := exec.CommandContext(ctx, "redis-cli", append(args, "--cluster-yes")...).CombinedOutput()
	if err != nil {
		c.Kill()
		return nil, fmt.Errorf("redis-cli: %w: %s", err, output)
	}
	return c, c.settle(ctx)
}

// settle waits until all nodes agree.
func (c *Cluster) settle(ctx context.Context) error {
	for range 200 {
		agree := true
		for _, r := range c.nodes {
			rdb := redis.NewClient(&redis.Options{Addr: r.Addr})
			text, _ := rdb.ClusterInfo(ctx).Result()
			_ = rdb.Close()
			agree = agree && strings.Contains(text, "cluster_state:ok") && strings.Contains(text, "cluster_known_nodes:3")
		}
		if agree {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.Kill()
	return errors.New("the nodes of the cluster do not agree")
}

// Addrs are the addresses of the nodes.
func (c *Cluster) Addrs() (all []string) {
	for _, r := range c.nodes {
		all = append(all, r.Addr)
	}
	return all
}

// Kill ends all nodes.
func (c *Cluster) Kill() {
	for _, r := range c.nodes {
		r.Kill()
	}
}

// Proxy makes a Redis slow.
type Proxy struct {
	Addr string

	listener net.Listener
}

// StartProxy passes bytes on after half of the given round trip, each way.
func StartProxy(addr string, trip time.Duration) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, err
	}
	p := &Proxy{Addr: listener.Addr().String(), listener: listener}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", addr) //nolint:noctx // a local one
			if err != nil {
				_ = client.Close()
				continue
			}
			go delay(client, server, trip/2)
			go delay(server, client, trip/2)
		}
	}()
	return p, nil
}

// Stop takes no more connections.
func (p *Proxy) Stop() { _ = p.listener.Close() }

// delay copies what it reads, each piece as much later.
func delay(from, to net.Conn, by time.Duration) {
	type piece struct {
		at   time.Time
		data []byte
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer func() { _ = to.Close() }()
		for p := range pieces {
			time.Sleep(time.Until(p.at))
			if _, err := to.Write(p.data); err != nil {
				return
			}
		}
	}()
	defer close(pieces)
	for {
		buffer := make([]byte, 32<<10)
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		pieces <- piece{time.Now().Add(by), buffer[:n]}
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil //nolint:forcetypeassert // of a TCP listener
}

// Signal sends it a signal, such as to stop for a while.
func (r *Redis) Signal(s os.Signal) { _ = r.cmd.Process.Signal(s) }
