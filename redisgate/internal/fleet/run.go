package fleet

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// Process is one of a fleet.
type Process struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
	errors bytes.Buffer
	killed bool
}

// Start starts a process and waits until it is ready.
func Start(ctx context.Context, c *Config) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.CommandContext(ctx, self)}
	p.cmd.Env = append(os.Environ(), variable+"=1")
	p.cmd.Stderr = &p.errors
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.output = bufio.NewReader(output)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(p.input).Encode(c); err != nil {
		return nil, err
	}
	if _, err := p.output.ReadString('\n'); err != nil {
		_ = p.cmd.Wait()
		return nil, fmt.Errorf("a process ended: %s", p.errors.String())
	}
	return p, nil
}

// Kill ends the process with SIGKILL.
func (p *Process) Kill() {
	p.killed = true
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *Process) work() error {
	_, err := io.WriteString(p.input, "go\n")
	return err
}

// wait returns what the process has to say.
func (p *Process) wait() (*Report, error) {
	var report Report
	err := json.NewDecoder(p.output).Decode(&report)
	if p.killed {
		return &report, nil
	}
	_ = p.cmd.Wait()
	if err != nil {
		return nil, fmt.Errorf("a process ended: %s", p.errors.String())
	}
	return &report, nil
}

// Case is a run of a fleet.
type Case struct {
	Processes  int
	Calls      int // each
	Goroutines int // each; zero: 8
	Limit      int // zero: 10
	Window     time.Duration
	Latency    time.Duration
	Redis      []string // none: a gate of its own for each process
	User       string   // of Redis
	Password   string
	Scope      string
	Skew       time.Duration // of the processes' clocks, ahead or behind in turn
	Neighbour  int           // calls of somebody else in a window
	During     func(began time.Time, all []*Process)
}

// Result is what a run met.
type Result struct {
	Refused  int
	Crowded  int // the most refusals in a window
	Failed   int
	Errors   []string
	Took     time.Duration
	Least    time.Duration // that the windows allow
	Commands float64       // scripts a call
	Jain     float64       // fairness between the processes in the first half
	Gap      time.Duration // the longest between two calls that passed
	LastNo   time.Time     // the last refusal
}

// Over is the share of time above the least.
func (r *Result) Over() float64 { return float64(r.Took)/float64(r.Least) - 1 }

func (r *Result) String() string {
	return fmt.Sprintf("%d refused, %d failed, %.1f %% over, %.1f commands a call, Jain %.2f",
		r.Refused, r.Failed, 100*r.Over(), r.Commands, r.Jain)
}

// Run runs a case.
func (c *Case) Run(ctx context.Context) (*Result, error) {
	srv, err := StartServer(cmp.Or(c.Limit, 10), c.Window, c.Latency)
	if err != nil {
		return nil, err
	}
	defer srv.Stop()
	all, err := c.start(ctx, srv)
	defer func() {
		for _, p := range all {
			p.Kill()
		}
	}()
	if err != nil {
		return nil, err
	}
	stop := make(chan struct{})
	var aside sync.WaitGroup
	defer aside.Wait()
	defer close(stop)
	if c.Neighbour > 0 {
		aside.Go(func() { c.disturb(srv, stop) })
	}
	began := time.Now()
	for _, p := range all {
		if err := p.work(); err != nil {
			return nil, err
		}
	}
	if c.During != nil {
		c.During(began, all)
	}
	result := &Result{}
	calls := c.Processes * c.Calls
	for _, p := range all {
		report, err := p.wait()
		if err != nil {
			return nil, err
		}
		result.Failed += report.Failed
		result.Errors = append(result.Errors, report.Errors...)
		result.Commands += float64(report.Commands) / float64(calls)
	}
	result.judge(srv, calls)
	return result, nil
}

func (c *Case) start(ctx context.Context, srv *Server) (all []*Process, err error) {
	for i := range c.Processes {
		config := &Config{
			URL: srv.URL, Redis: c.Redis, User: c.User, Password: c.Password, Scope: c.Scope,
			Calls: c.Calls, Goroutines: cmp.Or(c.Goroutines, 8), Skew: c.Skew,
		}
		if i%2 == 1 {
			config.Skew = -c.Skew
		}
		if config.UserID, config.Token, err = srv.login(); err != nil {
			return all, err
		}
		p, err := Start(ctx, config)
		if err != nil {
			return all, err
		}
		all = append(all, p)
	}
	return all, nil
}

// disturb makes calls past the gates.
func (c *Case) disturb(srv *Server, stop <-chan struct{}) {
	for {
		pause := time.Duration(rand.Int64N(2 * int64(c.Window) / int64(c.Neighbour)))
		select {
		case <-stop:
			return
		case <-time.After(pause):
			_ = srv.Neighbour()
		}
	}
}

// judge reads the server's record.
func (r *Result) judge(srv *Server, calls int) {
	var passed []rocketchattest.Call
	var begins time.Time
	crowd := 0
	for _, call := range srv.calls() {
		if call.At.Sub(begins) > srv.window {
			begins, crowd = call.At, 0
		}
		if call.Status == 429 {
			r.Refused++
			crowd++
			r.Crowded, r.LastNo = max(r.Crowded, crowd), call.At
			continue
		}
		if len(passed) > 0 {
			r.Gap = max(r.Gap, call.At.Sub(passed[len(passed)-1].At))
		}
		passed = append(passed, call)
	}
	if len(passed) == 0 {
		return
	}
	r.Took = passed[len(passed)-1].At.Sub(passed[0].At)
	r.Least = time.Duration((calls-1)/srv.limit) * srv.window
	shares := map[string]float64{}
	for _, call := range passed[:len(passed)/2] {
		shares[call.UserID]++
	}
	var sum, squares float64
	for _, n := range shares {
		sum += n
		squares += n * n
	}
	r.Jain = sum * sum / (float64(len(srv.users)) * squares)
}
