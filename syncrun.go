package rocketchat

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// SyncResult is what became of a step.
type SyncResult struct {
	SyncStep
	// Done tells that the account is now as the step wanted it, or, with Adopted, there.
	Done bool
	// Adopted tells that the account of a create step was found to be there after the
	// answer was lost, or had been made by somebody else meanwhile. What differs in it the
	// next sync changes.
	Adopted bool
	// Skipped tells that nothing was sent for the step, because the context had ended.
	Skipped bool
	// Err says why the step was not done.
	Err error
}

// SyncReport is what became of a plan.
type SyncReport struct {
	Results  []SyncResult // in the order of the plan's steps
	Refusals []SyncRefusal
	Failed   int
}

// Count is how many steps of an action were done.
func (r *SyncReport) Count(a SyncAction) (n int) {
	for _, result := range r.Results {
		if result.Done && result.Action == a {
			n++
		}
	}
	return n
}

// SyncProgress tells how far a run is.
type SyncProgress struct {
	Last      SyncResult // the step that ended just now
	Ended     int        // steps that were done or have failed
	Failed    int
	Total     int
	Remaining time.Duration // estimated, from the rate limits and the pace so far
}

// Run carries out the plan. Steps of one kind run side by side, as many as the options
// allow, and steps of different kinds too, since each endpoint has a limit of its own.
//
// One step that fails does not stop the others. The report holds what became of each;
// the error is nil if all were done, else it wraps the first failure. A run that was
// cut off, even by the end of the program, is finished by planning and running again:
// what was done then differs no more. Run may change email and name of a user only once
// in a minute, which is the server's limit.
func (p *SyncPlan) Run(ctx context.Context) (*SyncReport, error) {
	r := &syncRun{SyncPlan: p, report: &SyncReport{Results: make([]SyncResult, len(p.Steps)), Refusals: p.Refusals}, left: p.Calls(), start: time.Now()}
	kinds := make(map[SyncAction][]int)
	for i, step := range p.Steps {
		kinds[step.Action] = append(kinds[step.Action], i)
		r.report.Results[i].SyncStep = step
	}
	var all sync.WaitGroup
	for _, steps := range kinds {
		all.Go(func() {
			parallel(p.opts.Concurrency, len(steps), func(i int) { r.step(ctx, steps[i]) })
		})
	}
	all.Wait()
	return r.report, r.failure()
}

// parallel calls f for the numbers below n, so many at a time, in order.
func parallel(workers, n int, f func(int)) {
	next := make(chan int)
	var all sync.WaitGroup
	for range min(workers, n) {
		all.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// syncRun is a plan being carried out.
type syncRun struct {
	*SyncPlan
	start time.Time

	mu     sync.Mutex
	report *SyncReport
	ended  int
	left   map[string]int // calls, by endpoint
}

func (r *syncRun) step(ctx context.Context, i int) {
	result := SyncResult{SyncStep: r.Steps[i]}
	if ctx.Err() != nil {
		result.Err = ended(ctx)
	} else {
		result.UserID, result.Adopted, result.Err = r.do(ctx, result.SyncStep)
	}
	result.Done = result.Err == nil
	result.Skipped = ctx.Err() != nil && unsent(result.Err)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Results[i] = result
	r.ended++
	if !result.Done {
		r.report.Failed++
	}
	for _, op := range result.ops() {
		r.left[op]--
	}
	if r.opts.Progress != nil {
		r.opts.Progress(SyncProgress{Last: result, Ended: r.ended, Failed: r.report.Failed, Total: len(r.Steps), Remaining: r.remaining()})
	}
}

// unsent reports an error of a call that was never sent.
func unsent(err error) bool {
	e, called := errors.AsType[*Error](err)
	return err != nil && (!called || e.Attempts == 0)
}

// do carries out one step and tells which account it concerned.
func (r *syncRun) do(ctx context.Context, step SyncStep) (userID string, adopted bool, err error) {
	switch step.Action {
	case SyncCreate:
		created, err := r.users.createOnce(ctx, step.create, r.call)
		if err != nil {
			return "", false, err
		}
		return created.ID, created.Adopted || created.Existed, nil
	case SyncUpdate:
		_, err = r.users.Update(ctx, step.UserID, step.update, r.call...)
	case SyncActivate:
		err = r.users.Activate(ctx, step.UserID, r.call...)
	case SyncDeactivate:
		err = r.users.Deactivate(ctx, step.UserID, DeactivateOptions{ConfirmRelinquish: r.opts.ConfirmRelinquish}, r.call...)
	}
	return step.UserID, false, err
}

// remaining estimates from the endpoint that needs longest, and from the pace so far.
func (r *syncRun) remaining() time.Duration {
	pace := time.Since(r.start) / time.Duration(r.ended)
	longest := time.Duration(0)
	limited := false
	for op, calls := range r.left {
		known, ok := r.users.client.RateLimit(op)
		limited = limited || ok && !known.Exempt
		longest = max(longest, r.users.client.estimate(op, calls))
	}
	if limited {
		return longest
	}
	return pace * time.Duration(len(r.Steps)-r.ended)
}

func (r *syncRun) failure() error {
	if r.report.Failed == 0 {
		return nil
	}
	var first error
	for _, result := range r.report.Results {
		if result.Err != nil && (first == nil || errors.Is(first, context.Canceled) || errors.Is(first, context.DeadlineExceeded)) {
			first = result.Err
		}
	}
	return fmt.Errorf("rocketchat: %d of %d steps of the sync were not done: %w", r.report.Failed, len(r.Steps), first)
}
