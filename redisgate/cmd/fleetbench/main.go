// Command fleetbench shows what one budget for many processes is worth: real processes
// call a test server, with a gate each and with a gate on Redis, one after the other.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"text/tabwriter"
	"time"

	"github.com/rocketchat-go/rocketchat/redisgate/internal/fleet"
)

func main() {
	fleet.Worker() // does not return in the processes of a fleet
	inVirtualTime()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fleetbench:", err)
		stop()
		os.Exit(1)
	}
}

// bench is what all rows need.
type bench struct {
	redis *fleet.Redis
	dir   string
}

// row is a line of the table.
type row struct {
	name string
	goal string
	// side by side with others that take long, since it hardly uses the processor
	patient bool
	run     func(ctx context.Context, b *bench) (memory, shared string, good bool, err error)
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("fleetbench", flag.ContinueOnError)
	only := flags.String("only", "", "run only rows whose name matches the `pattern`")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fleetbench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bench{dir: dir}
	if b.redis, err = fleet.StartRedis(dir); err != nil {
		return fmt.Errorf("fleetbench starts a redis-server of its own: %w", err)
	}
	defer b.redis.Kill()
	return b.table(ctx, pattern, out)
}

// outcome is what came of a row.
type outcome struct {
	memory, shared string
	good           bool
	err            error
}

// table runs the rows: those that only wait at the same time, the others one by one
// before.
func (b *bench) table(ctx context.Context, pattern *regexp.Regexp, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "case\tgoal\ta gate for each process\tone gate on Redis\t")
	began := time.Now()
	var chosen []*row
	for _, r := range rows() {
		if pattern.MatchString(r.name) {
			chosen = append(chosen, &r)
		}
	}
	outcomes := make([]chan outcome, len(chosen))
	try := func(i int) {
		var o outcome
		o.memory, o.shared, o.good, o.err = chosen[i].run(ctx, b)
		outcomes[i] <- o
	}
	for i, r := range chosen {
		outcomes[i] = make(chan outcome, 1)
		if !r.patient {
			try(i)
		}
	}
	for i, r := range chosen {
		if r.patient {
			go try(i)
		}
	}
	missed := 0
	for i, r := range chosen {
		o := <-outcomes[i]
		if o.err != nil {
			return fmt.Errorf("%s: %w", r.name, o.err)
		}
		mark := ""
		if !o.good {
			mark = "MISSED"
			missed++
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.name, r.goal, o.memory, o.shared, mark)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "\n%d rows in %s, %d missed\n", len(chosen), time.Since(began).Round(time.Second), missed)
	if missed > 0 {
		return errors.New("not all goals were reached")
	}
	return nil
}
