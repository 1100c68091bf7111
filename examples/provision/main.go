// Command provision makes and updates accounts from a CSV or JSON file.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

// people is the input for the embedded server.
//
//go:embed people.csv
var people []byte

func main() { cli.Main(tool()) }

func tool() cli.Tool {
	var p provision
	return cli.Tool{
		Name: "provision",
		Summary: "provision makes the accounts of a file that are missing, and updates those that differ. It\n" +
			"prints the plan first, and deactivates nobody: offboard does that.\n\n" +
			"A CSV file has a header with some of the columns username, name, email, roles, password, active,\n" +
			"bio, nickname, and field:NAME for custom fields. An empty cell leaves as it is what is there.\n" +
			"Roles are ids with blanks between them. Who is listed is made active, unless active says no. A\n" +
			"password is for new accounts; without one they get one that nobody knows, and their people ask\n" +
			"for another by mail. A JSON file is a list of objects with the same names, roles as a list and\n" +
			"custom fields as an object \"fields\"; there an empty text erases.",
		Args:        "FILE, or - for standard input",
		Permissions: "create-user, edit-other-user-info, assign-roles, edit-other-user-active-status, view-d-room, view-full-other-user-info",
		Examples:    []string{"", "-dry-run people.csv", "-out result.csv people.json", "-format json - <people.json"},
		Changes:     true,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&p.format, "format", "", "`format` of the file, csv or json (default by its name, else csv)")
			f.StringVar(&p.out, "out", "", "write what became of each account to this CSV `file`")
			f.BoolVar(&p.verified, "verified", false, "have new addresses count as verified")
			f.IntVar(&p.concurrency, "concurrency", 4, "`number` of calls of a kind at a time")
		},
		Demo: cli.Demo{Options: []rocketchattest.Option{
			rocketchattest.WithSetting("Accounts_CustomFields", `{"team":{"type":"text"}}`),
		}},
		Run: p.run,
	}
}

type provision struct {
	*cli.Session
	format      string
	out         string
	verified    bool
	concurrency int
}

func (p *provision) run(ctx context.Context, s *cli.Session) error {
	p.Session = s
	if p.concurrency < 1 {
		return cli.Usage("-concurrency must be at least 1")
	}
	desired, err := p.read()
	if err != nil {
		return err
	}
	var shown *cli.Progress
	var left []string
	plan, err := s.Client.Users.PlanSync(ctx, desired, rocketchat.SyncOptions{
		MaxDeactivations: 1, // none stays in the plan
		Verified:         p.verified,
		Concurrency:      p.concurrency,
		Progress: func(at rocketchat.SyncProgress) {
			if at.Last.Skipped {
				left = append(left, at.Last.Username)
				return
			}
			shown.Step(at.Last.Username, outcome(at.Last), at.Last.Err)
		},
	})
	if err != nil {
		return err
	}
	keepActive(plan)
	for line := range strings.Lines(plan.String()) {
		s.Print("%s", cli.Plain(strings.TrimRight(line, "\n")))
	}
	if s.DryRun {
		s.Note("-dry-run: nothing was changed")
		return refused(plan)
	}

	shown = s.Progress("accounts", len(plan.Steps))
	report, err := plan.Run(ctx)
	shown.Close()
	if len(left) > 0 {
		s.Note("not done: %s", strings.Join(left, ", "))
	}
	s.Print("%d created, %d updated, %d activated, %d not done", report.Count(rocketchat.SyncCreate),
		report.Count(rocketchat.SyncUpdate), report.Count(rocketchat.SyncActivate), report.Failed)
	return errors.Join(err, refused(plan), p.write(report))
}

// keepActive takes the deactivations out of a plan.
func keepActive(plan *rocketchat.SyncPlan) {
	plan.Steps = slices.DeleteFunc(plan.Steps, func(step rocketchat.SyncStep) bool {
		if step.Action != rocketchat.SyncDeactivate {
			return false
		}
		plan.Refusals = append(plan.Refusals, rocketchat.SyncRefusal{Username: step.Username, Reason: "is active: deactivate with offboard"})
		return true
	})
}

func refused(plan *rocketchat.SyncPlan) error {
	if len(plan.Refusals) == 0 {
		return nil
	}
	return fmt.Errorf("%d of what the file asks for cannot be done, see above", len(plan.Refusals))
}

// outcome says what became of a step, in a word or two.
func outcome(r rocketchat.SyncResult) string {
	switch {
	case errors.Is(r.Err, rocketchat.ErrOutcomeUnknown):
		return "unknown"
	case r.Skipped:
		return "not begun"
	case r.Err != nil:
		return "failed"
	case r.Adopted:
		return "was there already"
	}
	return string(r.Action) + "d"
}

// read reads the file that was named.
func (p *provision) read() ([]rocketchat.DesiredUser, error) {
	var input io.Reader
	name := "people.csv"
	switch {
	case len(p.Args) > 1:
		return nil, cli.Usage("one file at a time, please")
	case len(p.Args) == 0 && p.Demo == nil:
		return nil, cli.Usage("which file?")
	case len(p.Args) == 0:
		p.Note("no file was named: this is the sample that lies beside the program.")
		input = bytes.NewReader(people)
	case p.Args[0] == "-":
		name, input = "standard input", p.Stdin
	default:
		file, err := os.Open(p.Args[0])
		if err != nil {
			return nil, err
		}
		defer file.Close()
		name, input = p.Args[0], file
	}
	format := p.format
	if format == "" && strings.HasSuffix(name, ".json") {
		format = "json"
	}
	desired, err := parse(input, format)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return desired, nil
}

// write writes the report as CSV, if that is wanted.
func (p *provision) write(report *rocketchat.SyncReport) error {
	if p.out == "" {
		return nil
	}
	rows := [][]string{{"username", "action", "result", "id", "changes", "error"}}
	for _, r := range report.Results {
		changes := make([]string, len(r.Changes))
		for i, c := range r.Changes {
			changes[i] = c.String()
		}
		failure := ""
		if r.Err != nil {
			failure = r.Err.Error()
		}
		rows = append(rows, []string{r.Username, string(r.Action), outcome(r), r.UserID, strings.Join(changes, ", "), failure})
	}
	for _, r := range report.Refusals {
		rows = append(rows, []string{r.Username, "", "refused", "", "", r.Reason})
	}
	var text bytes.Buffer
	if err := csv.NewWriter(&text).WriteAll(rows); err != nil {
		return err
	}
	return os.WriteFile(p.out, text.Bytes(), 0o600) // who they are is nobody else's business
}
