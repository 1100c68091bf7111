package rocketchat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Run carries out the plan. Steps of one action run side by side, as many as the options
// allow, and so do steps of different actions, since each endpoint has a limit of its
// own. A step that gives a user the username or address of another comes after the step
// that frees it.
//
// A failed step does not stop the others. The run stops early if no step can succeed: a
// second factor is missing, the credentials are no longer valid, the server does not
// answer, or the journal cannot be written. The remaining steps of one action are not
// begun if the steps before were all refused in the same way, or if they would have to
// wait longer than [WithMaxWait] allows. When the context ends, requests that were sent
// are finished, for up to 10 seconds, and nothing else begins. The report has the outcome
// of each step. The next sync completes one that was cut off, even if the program has
// ended in between.
//
//   - POST /api/v1/users.create, POST /api/v1/users.update after a read of users.info,
//     POST /api/v1/users.setActiveStatus, once for each step.
//   - Permission: create-user, edit-other-user-info, assign-roles and
//     edit-other-user-active-status, for what the plan contains.
//   - Second factor: asked for by users.update.
//   - Retried if the response is lost; accounts that were to be created are looked up.
//   - Errors: [*SyncError] if a step failed or was not begun, and for the refusals of the
//     plan; [ErrInvalid] without a report if a step was added or appears twice.
//   - Since server 0.75.0.
func (p *SyncPlan) Run(ctx context.Context) (*SyncReport, error) {
	if err := p.checkSteps(); err != nil {
		return nil, err
	}
	r := newSyncRun(p)
	ctx, r.cancel = context.WithCancel(ctx)
	defer r.cancel()
	r.open(ctx)
	kinds := make(map[SyncAction][]int)
	for i, step := range p.Steps {
		kinds[step.Action] = append(kinds[step.Action], i)
	}
	var all sync.WaitGroup
	for _, steps := range kinds {
		// Steps come after those that they wait for, also if the caller has sorted them.
		slices.SortFunc(steps, func(a, b int) int { return cmp.Compare(p.Steps[a].id, p.Steps[b].id) })
		all.Go(func() {
			// The first one goes alone: it learns whether a second factor is asked for,
			// and if it cannot be done, nothing else was tried.
			r.step(ctx, steps[0])
			parallel(p.opts.Concurrency, len(steps)-1, func(i int) { r.step(ctx, steps[i+1]) })
		})
	}
	all.Wait()
	r.unwind(ctx)
	err := r.failure(ctx)
	r.close(err)
	return r.report, err
}

// checkSteps rejects steps that are not the plan's own, and those that come twice.
func (p *SyncPlan) checkSteps() error {
	if p.users == nil {
		return invalid(opSync, "plan", "must be one that PlanSync returned")
	}
	seen := make(map[int]bool, len(p.Steps))
	for i, step := range p.Steps {
		if step.id == 0 || seen[step.id] {
			return invalid(opSync, fmt.Sprintf("Steps[%d]", i), "must be a step of the plan, and appear only once")
		}
		seen[step.id] = true
	}
	return nil
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
	cancel  context.CancelFunc
	journal journal
	ended   map[int]chan struct{} // by the ID of the step

	mu     sync.Mutex
	halted error // why the run stops early
	report *SyncReport
	states map[int]stepState // by the ID of the step
	refuse map[SyncAction]*repeatedFailure
	count  int // steps that were done or have failed
	stuck  []stuckUser
	pace   map[string]*opPace
}

// stuckUser is somebody whom a step left with a temporary value.
type stuckUser struct {
	result int   // index
	why    error // why they could not have their own value again
}

// stepState is what became of a step, for those that wait for it.
type stepState byte

const (
	stepNotDone stepState = iota
	stepUnknown           // it may or may not have taken effect
	stepDone
)

// opPace is how fast the calls of an endpoint go.
type opPace struct {
	left, done int
	questions  int // calls in left that the server answers by asking for a second factor
	start      time.Time
}

// repeatedFailure counts the failures of an action that are all the same.
type repeatedFailure struct {
	text      string
	count     int
	succeeded bool  // a step of the action was done
	err       error // why no other step of the action is tried
}

// The numbers of equal failures in a row after which the other steps of an action are not
// tried: if none has succeeded yet, and otherwise.
const (
	hopeless  = 3
	manyEqual = 10
)

func newSyncRun(p *SyncPlan) *syncRun {
	r := &syncRun{
		SyncPlan: p,
		journal:  journal{out: p.opts.Journal},
		ended:    make(map[int]chan struct{}),
		report:   &SyncReport{Results: make([]SyncResult, len(p.Steps)), Refusals: p.Refusals, known: p.known},
		states:   make(map[int]stepState),
		refuse:   make(map[SyncAction]*repeatedFailure),
		pace:     make(map[string]*opPace),
	}
	r.report.UserIDs = slices.Clone(p.known.ids)
	r.report.known.sure = slices.Clone(p.known.sure)
	for i, step := range p.Steps {
		r.report.Results[i].SyncStep = step
		r.ended[step.id] = make(chan struct{})
		r.refuse[step.Action] = new(repeatedFailure)
	}
	for op, calls := range p.Calls() {
		r.pace[op] = &opPace{left: calls, start: time.Now()}
		if op == opAsking && p.questioned() {
			r.pace[op].questions = 1
		}
	}
	return r
}

// open begins the journal: with whose accounts the plan is about.
func (r *syncRun) open(ctx context.Context) {
	people := make(map[string]string)
	if r.opts.Resume != nil {
		maps.Copy(people, r.opts.Resume.people)
	}
	maps.Copy(people, r.people)
	lines := []*journalLine{{Event: eventRun, People: len(people)}}
	for _, ref := range slices.Sorted(maps.Keys(people)) {
		lines = append(lines, &journalLine{Event: eventPerson, Ref: ref, UserID: people[ref]})
	}
	for _, line := range lines {
		if err := r.journal.write(line); err != nil {
			r.stop(ctx, err)
		}
	}
}

// close ends the journal.
func (r *syncRun) close(err error) {
	line := &journalLine{Event: eventFinished, Outcome: outcomeDone}
	if r.report.Failed+r.report.NotBegun > 0 {
		line.Outcome, line.Error = outcomeFailed, err.Error()
	}
	_ = r.journal.write(line) // a journal without it is resumed, which does no harm
}

// step carries out a step when those that it waits for have ended.
func (r *syncRun) step(ctx context.Context, i int) {
	step := r.Steps[i]
	defer close(r.ended[step.id])
	result := SyncResult{SyncStep: step}
	blocked := r.await(&step)
	var stuck error
	switch closed := r.closed(step.Action); {
	case ctx.Err() != nil:
		result.NotBegun, result.Err = true, r.stopped(ctx)
	case cmp.Or(closed, blocked) != nil:
		result.NotBegun, result.Err = true, cmp.Or(closed, blocked)
		stuck = r.endTemporary(ctx, &result, step.restore)
	default:
		if r.carryOut(ctx, &result); !saved(result.Err) && !result.NotBegun {
			stuck = r.endTemporary(ctx, &result, step.identity(), step.restore)
		}
	}
	result.Done = result.Err == nil
	r.note(i, result, stuck)
}

// stop ends the run early. If the caller has ended it, that is the reason.
func (r *syncRun) stop(ctx context.Context, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.halted == nil && ctx.Err() == nil {
		r.halted = why
	}
	r.cancel()
}

// stopped returns why the run ends early. It is the error of the steps that are not begun,
// whose outcome is certain even if that of the failed one is not.
func (r *syncRun) stopped(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.halted != nil {
		return aside(r.halted)
	}
	return ended(ctx)
}

// await waits for the steps that have to end before, and returns an error if one of them
// did not succeed that had to.
func (r *syncRun) await(step *SyncStep) error {
	if first := r.ended[step.follows]; first != nil {
		<-first
	}
	var blocked error
	for _, n := range step.needs {
		first := r.ended[n.step]
		if first == nil { // it was removed from the plan
			continue
		}
		<-first
		if r.state(n.step) == stepDone || blocked != nil {
			continue
		}
		e := &Error{Op: step.writeOp(), Class: ErrTaken, Field: n.field, Message: "is still that of " + n.other + ", whose step was not done"}
		if n.other == "" {
			e.Message = "cannot be given before the temporary value, which was not"
		}
		blocked = e
	}
	return blocked
}

func (r *syncRun) state(step int) stepState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.states[step]
}

// closed returns why steps of an action are not tried any more.
func (r *syncRun) closed(a SyncAction) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return aside(r.refuse[a].err)
}

const hasOwnAgain = "; they have their own value again"

// endTemporary replaces the temporary values of a user whose last step was not done. It
// tries the given values in turn until the server accepts one. It returns why the user is
// stuck with the temporary values, if they are.
func (r *syncRun) endTemporary(ctx context.Context, result *SyncResult, values ...*UserUpdateOptions) (stuck error) {
	step := &result.SyncStep
	hasTemporary := func(n need) bool { return n.other == "" && r.state(n.step) != stepNotDone }
	e, ok := errors.AsType[*Error](result.Err)
	if !ok || ctx.Err() != nil || !slices.ContainsFunc(step.needs, hasTemporary) {
		return nil //nolint:nilerr // nothing else begins
	}
	told := *e // other results may share e
	result.Err = &told
	for _, value := range values {
		attempt := SyncResult{SyncStep: *step}
		attempt.update, attempt.Changes = value, nil
		switch r.carryOut(ctx, &attempt); {
		case attempt.Err != nil:
			stuck = attempt.Err
			continue
		case value == step.restore:
			told.Message += hasOwnAgain
		default:
			told.Message += "; they have their new username or address all the same"
		}
		return nil
	}
	return stuck
}

// unwind gives users their own values back who are stuck with temporary ones, by taking
// them from those who got them.
func (r *syncRun) unwind(ctx context.Context) {
	for _, stuck := range r.stuck {
		result := &r.report.Results[stuck.result]
		back := SyncResult{SyncStep: result.SyncStep}
		back.update, back.Changes = result.restore, nil
		free := true
		for _, n := range result.needs {
			free = free && (n.other != "" || r.takeBack(ctx, result.UserID, n.step, n.field))
		}
		if free && ctx.Err() == nil {
			r.carryOut(ctx, &back)
			stuck.why = back.Err
		}
		e, _ := errors.AsType[*Error](result.Err)
		if stuck.why == nil {
			e.Message += hasOwnAgain
			continue
		}
		e.Message += "; they keep a temporary value, because their own cannot be given back"
		e.Err = cmp.Or(e.Err, stuck.why)
	}
}

// takeBack gives whoever got the value of a field that a step has freed their own value
// back, unless they are the owner, who is to have it in the end. It reports whether the value
// is free again. A step that failed can have got it, too, since servers save one field after
// the other.
func (r *syncRun) takeBack(ctx context.Context, owner string, step int, field string) bool {
	for i := range r.report.Results {
		result := &r.report.Results[i]
		got := func(n need) bool { return n.step == step && n.field == field && n.other != "" }
		if result.NotBegun || result.UserID == owner || !slices.ContainsFunc(result.needs, got) {
			continue
		}
		change := slices.IndexFunc(result.Changes, func(c FieldChange) bool { return c.Field == field })
		if result.update == nil || ctx.Err() != nil || !r.takeBack(ctx, owner, result.id, field) {
			return false
		}
		back := SyncResult{SyncStep: result.SyncStep}
		back.update, back.Changes = new(UserUpdateOptions), nil
		setIdentity(back.update, field, result.Changes[change].From)
		if field == fieldEmail && result.verified {
			back.update.Verified = new(true)
		}
		switch r.carryOut(ctx, &back); {
		case !saved(result.Err): // perhaps there was nothing to give back
			continue
		case back.Err != nil:
			return false
		}
		if result.Done {
			r.report.Failed++
		}
		result.Done, result.Err = false, &Error{
			Op: result.writeOp(), Class: ErrTaken, Field: field,
			Message: "was given back, because the user who had it could not get another one" + hasOwnAgain, Attempts: 1,
		}
	}
	return true
}

// carryOut begins a step and notes its end in the journal.
func (r *syncRun) carryOut(ctx context.Context, result *SyncResult) {
	step := &result.SyncStep
	if err := r.journal.write(&journalLine{Event: eventBegin, ID: step.id, Step: step}); err != nil {
		r.stop(ctx, err)
		result.NotBegun, result.Err = true, r.stopped(ctx)
		return
	}
	var (
		userID string
		sent   bool
	)
	userID, result.Adopted, sent, result.Err = r.send(ctx, step)
	result.UserID = userID
	switch {
	case sent || result.Err == nil:
	case ctx.Err() != nil:
		result.NotBegun, result.Err = true, r.stopped(ctx)
	case errors.Is(result.Err, ErrRateLimited): // it would have to wait longer than it may
		result.NotBegun = true
		if e, _ := errors.AsType[*Error](result.Err); e.Attempts == 0 { // not because of this user
			r.giveUp(step.Action, result.Err)
		}
	}
	line := &journalLine{Event: eventEnd, ID: step.id, UserID: userID, Outcome: outcomeDone}
	if step.Action == SyncCreate && step.desired >= 0 && userID != "" {
		line.Ref = r.newRefs[step.desired]
	}
	switch {
	case result.NotBegun:
		line.Outcome = outcomeNotBegun
	case errors.Is(result.Err, ErrOutcomeUnknown):
		line.Outcome = outcomeUnknown
	case result.Err != nil:
		line.Outcome = outcomeFailed
	}
	if result.Err != nil {
		line.Error = result.Err.Error()
	}
	err := r.journal.write(line)
	switch {
	case err != nil:
		r.stop(ctx, err)
	case result.Err != nil && !result.NotBegun && r.systemic(ctx, result.Err):
		r.stop(ctx, result.Err)
	}
}

// finishTime bounds how long a request that was sent is waited for after the context
// ended.
const finishTime = 10 * time.Second

// send makes the calls of a step. When ctx ends, an attempt to change something that is
// under way is finished; everything else ends with ctx.
func (r *syncRun) send(ctx context.Context, step *SyncStep) (userID string, adopted, sent bool, err error) {
	calls, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	f := flight{op: step.writeOp(), ctx: ctx, end: func() { end(context.Cause(ctx)) }}
	client, err := r.users.client.With(WithTrace(Trace{AttemptStart: f.start, AttemptDone: f.done}))
	if err != nil {
		return step.UserID, false, false, err
	}
	defer context.AfterFunc(ctx, func() {
		if !f.under.Load() {
			f.end()
			return
		}
		late := time.AfterFunc(finishTime, f.end)
		context.AfterFunc(calls, func() { late.Stop() })
	})()
	userID, adopted, err = r.call(calls, client.Users, step)
	return userID, adopted, f.begun.Load(), err
}

// flight watches the attempts of a call that changes something.
type flight struct {
	op    string
	ctx   context.Context //nolint:containedctx // of the run, not of the call
	end   func()
	begun atomic.Bool // the server may have acted
	under atomic.Bool // an attempt is under way
}

func (f *flight) start(ctx context.Context, info AttemptInfo) context.Context {
	if info.Op == f.op {
		f.under.Store(true)
	}
	return ctx
}

func (f *flight) done(_ context.Context, attempt Attempt) {
	if attempt.Op != f.op {
		return
	}
	f.under.Store(false)
	refused := attempt.StatusCode == http.StatusTooManyRequests // before the server acted
	if !refused {
		f.begun.Store(true)
	}
	if f.ctx.Err() != nil && (refused || attempt.Err != nil) { // it is not repeated
		f.end()
	}
}

// call makes the calls of a step and returns which account it concerned.
func (r *syncRun) call(ctx context.Context, users *UsersService, step *SyncStep) (userID string, adopted bool, err error) {
	switch step.Action {
	case SyncCreate:
		created, err := users.createOnce(ctx, *step.create, r.callOpts)
		if err != nil {
			return "", false, err
		}
		err = r.stored(&created.User, "users.create", step.create.CustomFields)
		return created.ID, created.Adopted || created.Existed, err
	case SyncUpdate:
		var user *User
		if user, err = users.Update(ctx, ByID(step.UserID), *step.update, r.callOpts...); err == nil {
			err = r.stored(user, "users.update", step.update.CustomFields)
		}
	case SyncActivate:
		err = users.Activate(ctx, ByID(step.UserID), r.callOpts...)
	case SyncDeactivate:
		err = users.Deactivate(ctx, ByID(step.UserID), UserDeactivateOptions{ConfirmRelinquish: r.opts.ConfirmRelinquish}, r.callOpts...)
	}
	return step.UserID, false, err
}

// stored reports custom fields that the server dropped without a word, if the plan could
// not read which ones it defines.
func (r *syncRun) stored(u *User, op string, fields map[string]any) error {
	if r.customKnown {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if _, kept := u.CustomFields[name]; !kept && fields[name] != nil {
			return unstoredError{&Error{
				Op: op, Class: ErrInvalid, Field: customPrefix + name,
				Message: "was not stored, because the server does not define it; everything else was", Attempts: 1,
			}}
		}
	}
	return nil
}

// unstoredError is the error of a step that the server saved without a custom field.
type unstoredError struct{ error }

// Unwrap returns the [*Error].
func (e unstoredError) Unwrap() error { return e.error }

// saved reports whether the server saved the username and the address of a step that ended
// with err.
func saved(err error) bool {
	_, unstored := errors.AsType[unstoredError](err)
	return err == nil || unstored
}

// systemic reports a failure that all other steps would meet, too.
func (r *syncRun) systemic(ctx context.Context, err error) bool {
	for _, class := range []Class{
		ErrSecondFactorRequired, ErrSecondFactorInvalid, ErrUnauthorized, ErrGateUnavailable, ErrEndpointUnknown, ErrRedirected,
	} {
		if errors.Is(err, class) {
			return true
		}
	}
	for _, class := range []Class{ErrUnreachable, ErrServer, ErrBadAnswer} {
		if errors.Is(err, class) { // perhaps for this account alone
			_, down := r.users.client.Server.Info(ctx)
			return errors.Is(down, ErrUnreachable) || errors.Is(down, ErrServer) || errors.Is(down, ErrBadAnswer)
		}
	}
	return false
}

// note takes the result of a step into the report, and tells of the progress.
func (r *syncRun) note(i int, result SyncResult, stuck error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Results[i] = result
	if stuck != nil {
		r.stuck = append(r.stuck, stuckUser{i, stuck})
	}
	switch {
	case saved(result.Err):
		r.states[result.id] = stepDone
	case errors.Is(result.Err, ErrOutcomeUnknown):
		r.states[result.id] = stepUnknown
	}
	if result.NotBegun {
		r.report.NotBegun++
		return
	}
	r.learn(&result)
	r.count++
	for _, op := range result.ops() {
		pace := r.pace[op]
		pace.left -= 1 + pace.questions
		pace.questions = 0
		pace.done++
	}
	if result.Err != nil {
		r.report.Failed++
	}
	r.refuse[result.Action].watch(result.Err)
	if r.opts.Progress != nil {
		r.opts.Progress(SyncProgress{Last: result, Ended: r.count, Failed: r.report.Failed, Total: len(r.Steps), Remaining: r.remaining()})
	}
}

// learn notes which account a person has, and whether it is as it should be.
func (r *syncRun) learn(result *SyncResult) {
	if result.desired < 0 {
		return
	}
	known := &r.report.known
	if result.UserID != "" {
		r.report.UserIDs[result.desired] = result.UserID
	}
	if result.Temporary || result.update == nil && result.create == nil || known.sure[result.desired] != sureOnDone {
		return
	}
	if known.sure[result.desired] = notSure; result.Done && !result.Adopted && result.details() {
		known.sure[result.desired] = isSure
	}
}

// details reports a step that sets what lists do not tell.
func (s SyncStep) details() bool {
	return s.create != nil || s.update.Nickname != nil || s.update.Bio != nil || s.update.CustomFields != nil
}

// giveUp has the other steps of an action not tried.
func (r *syncRun) giveUp(a SyncAction, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.refuse[a]; f.err == nil {
		f.err = why
	}
}

// watch gives up the steps of an action if the last ones were all refused in the same way,
// as they are without a permission.
func (f *repeatedFailure) watch(err error) {
	e, ok := errors.AsType[*Error](err)
	f.succeeded = f.succeeded || err == nil
	if !ok || !slices.Contains([]Class{ErrForbidden, ErrServer, ErrBadAnswer, ErrUnreachable, ErrRateLimited}, e.Class) {
		f.count = 0
		return
	}
	if text := string(e.Class) + string(e.Code) + e.Message; text != f.text {
		f.text, f.count = text, 0
	}
	f.count++
	if f.err == nil && (f.count >= hopeless && !f.succeeded || f.count >= manyEqual) {
		f.err = err
	}
}

// remaining estimates from the endpoint that needs longest, by its limit and by its pace.
func (r *syncRun) remaining() time.Duration {
	longest := time.Duration(0)
	for op, pace := range r.pace {
		if pace.left <= 0 {
			continue
		}
		longest = max(longest, r.users.client.estimate(op, pace.left))
		if pace.done > 0 {
			longest = max(longest, time.Since(pace.start)/time.Duration(pace.done)*time.Duration(pace.left))
		}
	}
	return longest
}

// estimate returns how long the calls still to make of an endpoint take under its limit.
func (c *Client) estimate(op string, calls int) time.Duration {
	known, ok := c.RateLimit(op)
	if !ok || known.Exempt || calls <= known.Remaining {
		return 0
	}
	windows := (calls - known.Remaining - 1) / max(known.Limit, 1)
	return known.Reset + time.Duration(windows)*known.Window
}

// failure is the error of the run, or nil if everything was done.
func (r *syncRun) failure(ctx context.Context) error {
	e := &SyncError{Steps: len(r.Steps), Failed: r.report.Failed, NotBegun: r.report.NotBegun, Refusals: r.Refusals}
	if e.Failed+e.NotBegun+len(e.Refusals) == 0 {
		return nil
	}
	if ctx.Err() != nil && e.Failed+e.NotBegun > 0 {
		e.Cause = r.stopped(ctx)
		e.errs = append(e.errs, e.Cause)
	}
	for _, result := range r.report.Results {
		if result.Err == nil || result.NotBegun && e.Cause != nil {
			continue
		}
		if e.Cause == nil {
			e.Cause = result.Err
		}
		e.errs = append(e.errs, result.Err)
	}
	for _, refusal := range e.Refusals {
		e.errs = append(e.errs, refusal)
	}
	return e
}
