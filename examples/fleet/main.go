// Command fleet brings many people in step with several processes, which share the work
// and the server's rate limits through Redis.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

func main() { cli.Main(tool()) }

func tool() cli.Tool {
	return cli.Tool{
		Name: "fleet",
		Summary: `Brings the people of a CSV file in step with the server: accounts that are missing are created, and changed where they differ. Nobody is deactivated. The file has the columns username, email and name.

The work is done by several processes. They take batches of it from a list in Redis, and share the server's rate limits there, as programs on several machines would. If one of them dies, the others finish its batch. REDIS_URL is the address of the Redis server; without it, one in memory is used.`,
		Permissions: "create-user, edit-other-user-info, view-full-other-user-info",
		Examples:    []string{"", "--processes 8 people.csv", "--dry-run people.csv"},
		Changes:     true,
		Demo: cli.Demo{
			Options: []rocketchattest.Option{rocketchattest.WithLimit(100, time.Second)},
			Prepare: prepare,
		},
		Command: new(fleet),
	}
}

type fleet struct {
	*cli.Session `kong:"-"`

	File      string `arg:"" optional:"" placeholder:"FILE" help:"CSV file of the people; needed on a real server."`
	Processes int    `default:"4" placeholder:"N" help:"How many processes work at the same time. Default: 4."`
	Batch     int    `default:"25" placeholder:"PEOPLE" help:"How many people a process takes at once. Default: 25."`
	Scope     string `default:"fleet" placeholder:"NAME" help:"Name of this machine's outgoing address: processes with the same scope share the rate limits. Default: fleet."`
	Worker    string `hidden:"" help:"Work on the list of this name."`
}

// Run implements [cli.Command].
func (f *fleet) Run(ctx context.Context, s *cli.Session) error {
	f.Session = s
	if f.Worker != "" {
		return f.work(ctx)
	}
	if f.Processes < 1 || f.Batch < 1 {
		return cli.Usage("--processes and --batch must be at least 1")
	}
	people, err := f.people(ctx)
	if err != nil {
		return err
	}
	if f.DryRun {
		return f.plan(ctx, people)
	}
	environment, address, stop, err := f.surroundings(ctx)
	if err != nil {
		return err
	}
	defer stop()
	options, err := redis.ParseURL(address)
	if err != nil {
		return cli.Usage("REDIS_URL is not an address such as redis://127.0.0.1:6379/0")
	}
	logging.Disable() // failures are reported below
	rdb := redis.NewClient(options)
	defer func() { _ = rdb.Close() }()
	if err := rdb.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("the Redis server of REDIS_URL cannot be used: %w", cli.Cause(err))
	}
	return f.lead(ctx, rdb, append(environment, "REDIS_URL="+address), people)
}

// plan says what would be done.
func (f *fleet) plan(ctx context.Context, people []person) error {
	plan, err := f.Client.Users.PlanSync(ctx, desired(people), rocketchat.SyncOptions{})
	if err != nil {
		return err
	}
	f.Print("%d of %d people would be created or changed, by %d processes", len(plan.Steps), len(people), f.Processes)
	return nil
}

// person is a line of the file.
type person struct {
	Username string `json:"username"`
	Email    string `json:"email"`
	Name     string `json:"name"`
}

func desired(people []person) []rocketchat.DesiredUser {
	all := make([]rocketchat.DesiredUser, len(people))
	for i, p := range people {
		all[i] = rocketchat.DesiredUser{Username: p.Username, Email: p.Email, Name: p.Name}
	}
	return all
}

// people reads the file, or makes some for the embedded server.
func (f *fleet) people(ctx context.Context) ([]person, error) {
	if f.File == "" {
		if f.Demo == nil {
			return nil, cli.Usage("name a CSV file with the columns username, email and name")
		}
		return staff(), nil
	}
	name, data, err := cli.ReadUTF8(ctx, f.File)
	if err != nil {
		return nil, err
	}
	sheet := cli.ReadCSV(name, data, func(column string) (string, bool) { return strings.ToLower(column), true }, "username", "email", "name")
	people := make([]person, 0, len(sheet.Rows))
	lines := make(map[string]int) // by username, without its case
	for _, row := range sheet.Rows {
		cell := func(column string) string { return strings.TrimSpace(row.Cells[slices.Index(sheet.Columns, column)]) }
		p := person{cell("username"), cell("email"), cell("name")}
		other, listed := lines[cli.Fold(p.Username)]
		switch {
		case p.Username == "":
			sheet.Problems.Add(row.Line, "the username is empty")
		case listed:
			sheet.Problems.Add(row.Line, "%s is already listed in line %d", p.Username, other)
		}
		lines[cli.Fold(p.Username)] = row.Line
		people = append(people, p)
	}
	if len(people) == 0 && sheet.Problems.None() {
		sheet.Problems.Add(0, "the file lists nobody")
	}
	if !sheet.Problems.None() {
		return nil, f.Refuse(&sheet.Problems)
	}
	return people, nil
}

// The account of the processes on the embedded server. It is not exempt from the limits.
const (
	demoUser     = "fleet.manager"
	demoPassword = "steer the fleet"
)

// prepare adds that account, and people whose accounts differ.
func prepare(server *rocketchattest.Server) {
	server.AddRole("fleet-manager", "fleet-manager", "")
	for _, permission := range []string{"create-user", "edit-other-user-info", "view-full-other-user-info", "view-d-room", "view-outside-room"} {
		server.Grant(permission, "fleet-manager")
	}
	users := []rocketchattest.User{{Username: demoUser, Password: demoPassword, Roles: []string{"user", "fleet-manager"}}}
	for _, person := range staff()[:50] {
		users = append(users, rocketchattest.User{Username: person.Username, Email: person.Email, Name: "Somebody New"})
	}
	for _, user := range users {
		if _, err := server.AddUser(user); err != nil {
			panic(err) // cannot happen on the embedded server
		}
	}
}

// staff are a thousand people.
func staff() (people []person) {
	first := []string{"Ada", "Björn", "Chiara", "Deniz", "Emeka", "Fatma", "Goran", "Hana", "Ilse", "Jun"}
	last := []string{"Abel", "Berg", "Costa", "Dahl", "Erdem", "Fuchs", "Gallo", "Horvat", "Ivanova", "Jansen"}
	for i := range 1000 {
		username := fmt.Sprintf("person.%04d", i+1)
		people = append(people, person{username, username + "@example.com", first[i%10] + " " + last[i/10%10]})
	}
	return people
}

// surroundings returns the environment of the processes and the address of Redis. If the
// server and Redis are in memory, it makes them reachable for other processes.
func (f *fleet) surroundings(ctx context.Context) (environment []string, address string, stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, stop := range stops {
			stop()
		}
	}
	if address = os.Getenv("REDIS_URL"); address == "" {
		f.Note("REDIS_URL is not set; using a Redis server in memory")
		m := miniredis.NewMiniRedis()
		if err := m.Start(); err != nil {
			return nil, "", stop, err
		}
		stops = append(stops, m.Close)
		address = "redis://" + m.Addr()
	}
	if f.Demo == nil {
		return nil, address, stop, nil
	}
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		stop()
		return nil, "", func() {}, err
	}
	server := &http.Server{Handler: f.Demo, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	stops = append(stops, func() { _ = server.Close() })
	id, token := f.Demo.Login(demoUser)
	return []string{
		"ROCKETCHAT_URL=http://" + listener.Addr().String(), "ROCKETCHAT_USER_ID=" + id, "ROCKETCHAT_TOKEN=" + token,
		"ROCKETCHAT_PASSWORD=" + demoPassword, // for the second factor of changes
	}, address, stop, nil
}
