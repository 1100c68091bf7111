// Command provision makes and updates accounts from a CSV or JSON file.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	return cli.Tool{
		Name: "provision",
		Summary: `Makes the accounts of a file that are missing, and updates those that differ. It prints the plan first, and deactivates nobody: offboard does that.

A CSV file has a header with the column username and any of name, email, roles, password, active, bio, nickname, and field:NAME for custom fields. Cells are separated by commas, semicolons or tabs. An empty cell leaves the account's value unchanged. Roles are IDs, separated by spaces. Everybody in the file is made active unless active says no. A password is used for new accounts only; without one, the account gets a random password, and its owner asks for another by mail.

A JSON file is a list of objects with the same names. Roles are a list, and custom fields an object "fields". An empty text clears the value.`,
		Permissions: "create-user, edit-other-user-info, assign-roles, edit-other-user-active-status, view-d-room, view-full-other-user-info",
		Examples:    []string{"", "--dry-run people.csv", "--out result.csv people.json", "--format json - <people.json"},
		Changes:     true,
		Results:     true,
		Demo: cli.Demo{Options: []rocketchattest.Option{
			rocketchattest.WithSetting("Accounts_CustomFields", `{"team":{"type":"text"}}`),
		}},
		Command: new(provision),
	}
}

type provision struct {
	*cli.Session `kong:"-"`

	File        string `arg:"" optional:"" help:"The file; - is standard input."`
	Format      string `placeholder:"csv|json" help:"Format of the file. By default it follows from the name, and is csv for other names."`
	Out         string `placeholder:"FILE" help:"Write what became of each account to this CSV file."`
	Verified    bool   `help:"Mark new addresses as verified. By default, servers then ask for a mailed code at the first log-in."`
	Concurrency int    `default:"4" help:"How many calls of one kind run at the same time. Default: 4."`

	list *list
}

// Run implements [cli.Command].
func (p *provision) Run(ctx context.Context, s *cli.Session) error {
	p.Session = s
	if err := p.check(); err != nil {
		return err
	}
	if err := p.read(ctx); err != nil {
		return err
	}
	var out *cli.OutFile
	if p.Out != "" {
		var err error
		if out, err = cli.Create(p.Out); err != nil {
			return err
		}
		defer out.Discard()
	}
	report, err := p.sync(ctx)
	if report == nil {
		return err
	}
	return errors.Join(err, p.write(out, report))
}

func (p *provision) check() error {
	switch {
	case p.Format != "" && p.Format != "csv" && p.Format != "json":
		return cli.Usage("--format must be csv or json, not %q", p.Format)
	case p.Concurrency < 1:
		return cli.Usage("--concurrency must be at least 1")
	case p.File == "" && p.Demo == nil:
		return cli.Usage("name a file, or - for standard input")
	}
	return nil
}

// read reads the file that was named.
func (p *provision) read(ctx context.Context) error {
	name, data := "people.csv", people
	if p.File == "" {
		p.Note("no file was named; using the sample that is built in")
	} else {
		var err error
		if name, data, err = cli.ReadUTF8(ctx, p.File); err != nil {
			return err
		}
	}
	format := p.Format
	if format == "" && strings.HasSuffix(strings.ToLower(name), ".json") {
		format = "json"
	}
	if p.list = parse(name, format, data); !p.list.problems.None() {
		return p.Refuse(&p.list.problems)
	}
	return nil
}

// sync synchronises the accounts with the list. The report of a dry run has a result for
// every planned step.
func (p *provision) sync(ctx context.Context) (*rocketchat.SyncReport, error) {
	var shown *cli.Progress
	plan, err := p.Client.Users.PlanSync(ctx, p.list.users, rocketchat.SyncOptions{
		MaxDeactivations: 1, // no deactivation stays in the plan
		Verified:         p.Verified,
		Concurrency:      p.Concurrency,
		Progress: func(at rocketchat.SyncProgress) {
			shown.Step(at.Last.Username, outcome(at.Last), at.Last.Err)
		},
	})
	if err != nil {
		return nil, err
	}
	keepActive(plan)
	p.show(plan)
	if p.DryRun {
		p.Note("--dry-run: nothing was changed")
		report := &rocketchat.SyncReport{Refusals: plan.Refusals}
		for _, step := range plan.Steps {
			report.Results = append(report.Results, rocketchat.SyncResult{SyncStep: step})
		}
		return report, refused(plan)
	}
	shown = p.Progress("accounts", len(plan.Steps))
	report, err := plan.Run(ctx)
	shown.Close()
	for _, result := range report.Results {
		if result.NotBegun {
			p.Note("%s: not begun", result.Username)
		}
	}
	p.Note("%d created, %d updated, %d activated, %d failed, %d not begun, %d refused", report.Count(rocketchat.SyncCreate),
		report.Count(rocketchat.SyncUpdate), report.Count(rocketchat.SyncActivate), report.Failed, report.NotBegun, len(report.Refusals))
	if err != nil {
		return report, cli.Reported(err)
	}
	return report, refused(plan)
}

// keepActive removes the deactivations from a plan.
func keepActive(plan *rocketchat.SyncPlan) {
	plan.Steps = slices.DeleteFunc(plan.Steps, func(step rocketchat.SyncStep) bool {
		if step.Action != rocketchat.SyncDeactivate {
			return false
		}
		plan.Refusals = append(plan.Refusals, rocketchat.SyncRefusal{Username: step.Username, Reason: "is active: deactivate with offboard"})
		return true
	})
}

// show prints a plan and, with the line of the file, what it refuses.
func (p *provision) show(plan *rocketchat.SyncPlan) {
	say := p.Print
	if p.JSON { // standard output is for the result alone
		say = p.Note
	}
	count := make(map[rocketchat.SyncAction]int)
	for _, step := range plan.Steps {
		count[step.Action]++
		say("%-10s %-20s %s", step.Action, step.Username, changes(step))
	}
	for _, refusal := range plan.Refusals {
		p.Note("%s: %s: %s", p.list.place(refusal.Username), refusal.Username, refusal.Reason)
	}
	say("%d to create, %d to update, %d to activate, %d refused, %d unchanged",
		count[rocketchat.SyncCreate], count[rocketchat.SyncUpdate], count[rocketchat.SyncActivate], len(plan.Refusals), plan.Unchanged)
}

func changes(step rocketchat.SyncStep) string {
	texts := make([]string, len(step.Changes))
	for i, change := range step.Changes {
		texts[i] = change.String()
		if step.Action == rocketchat.SyncCreate {
			texts[i] = change.Field + " " + change.To
		}
	}
	return strings.Join(texts, ", ")
}

func refused(plan *rocketchat.SyncPlan) error {
	if len(plan.Refusals) == 0 {
		return nil
	}
	return cli.Reported(nil)
}

// outcome describes the result of a step in a word or two.
func outcome(r rocketchat.SyncResult) string {
	switch {
	case r.NotBegun: // first, because its error is that of the step that stopped the run
		return "not begun"
	case errors.Is(r.Err, rocketchat.ErrOutcomeUnknown):
		return "unknown"
	case r.Err != nil:
		return "failed"
	case r.Adopted:
		return "was there already"
	case !r.Done:
		return "planned"
	}
	return string(r.Action) + "d"
}

// entry is the result for an account.
type entry struct {
	Line     int    `json:"line"`
	Username string `json:"username"`
	Action   string `json:"action,omitempty"`
	Result   string `json:"result"`
	ID       string `json:"id,omitempty"`
	Changes  string `json:"changes,omitempty"`
	Error    string `json:"error,omitempty"`
}

// write writes the report as JSON and to the file of --out, if requested.
func (p *provision) write(out *cli.OutFile, report *rocketchat.SyncReport) error {
	entries := []entry{}
	for _, r := range report.Results {
		e := entry{p.list.lines[cli.Fold(r.Username)], r.Username, string(r.Action), outcome(r), r.UserID, changes(r.SyncStep), ""}
		if r.Err != nil && !r.NotBegun {
			e.Error = cli.Explain(r.Err)
		}
		entries = append(entries, e)
	}
	for _, r := range report.Refusals {
		entries = append(entries, entry{Line: p.list.lines[cli.Fold(r.Username)], Username: r.Username, Result: "refused", Error: r.Reason})
	}
	if p.JSON {
		if err := p.WriteJSON(entries); err != nil {
			return err
		}
	}
	if out == nil {
		return nil
	}
	rows := [][]string{{"line", "username", "action", "result", "id", "changes", "error"}}
	for _, e := range entries {
		rows = append(rows, []string{strconv.Itoa(e.Line), e.Username, e.Action, e.Result, e.ID, e.Changes, e.Error})
	}
	if err := cli.WriteCSV(out, rows); err != nil {
		return fmt.Errorf("%s: %w", p.Out, cli.Cause(err))
	}
	return out.Keep()
}
