package faulttest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/rocketchat-go/rocketchat"
)

// person is an account that only one worker changes.
type person struct{ id, username string }

// worker makes calls one after the other.
type worker struct {
	*run
	number   int
	client   *rocketchat.Client
	account  account
	people   []person
	tokens   []string
	statuses []rocketchat.CustomStatus
}

// job is a call in progress.
type job struct {
	*record
	w      *worker
	client *rocketchat.Client
	rng    *rand.Rand
	opts   []rocketchat.CallOption
}

type kind struct {
	name   string
	weight int
	run    func(context.Context, *job) error
}

const kindEnsure = "make sure that a user exists"

// kinds are the calls that are made, and how often.
func kinds() []kind {
	return []kind{
		{"read a user", 14, readUser},
		{"read oneself", 4, readMe},
		{"list users", 3, listUsers},
		{"list roles", 3, listRoles},
		{"read a status", 3, readStatus},
		{"read preferences", 2, readPreferences},
		{"search for users", 3, search},
		{"read about the server", 2, readInfo},
		{"create a user", 14, createUser},
		{"create a user that others create too", 3, createRaced},
		{kindEnsure, 6, ensureUser},
		{"change a name", 8, changeName},
		{"change a bio", 5, changeBio},
		{"set a status message", 10, setStatus},
		{"activate or deactivate", 5, setActive},
		{"give or take a role", 5, setRole},
		{"set preferences", 3, setPreferences},
		{"delete a user", 4, deleteUser},
		{"generate a token", 5, generateToken},
		{"regenerate a token", 2, regenerateToken},
		{"revoke a token", 2, revokeToken},
		{"create a custom status", 2, createCustomStatus},
		{"delete a custom status", 1, deleteCustomStatus},
		{"log in, look, close", 3, session},
	}
}

type recordKey struct{}

// stuckAfter is longer than any call may take. All retries and pauses take much less, so a
// longer call is stuck.
const stuckAfter = 30 * time.Second

var errStuck = errors.New("the call took too long")

// work makes call number id.
func (w *worker) work(ctx context.Context, id int) {
	j := &job{record: &record{id: id}, w: w, rng: planned(w.seed, "plan", id)}
	k := w.chooseKind(j.rng)
	j.kind = k.name
	client, err := w.client.With(rocketchat.WithUserAgent(fmt.Sprint(agent, id)))
	if err != nil {
		w.book.breach("call %d: %v", id, err)
		return
	}
	j.client = client
	ctx, cancel := context.WithTimeoutCause(context.WithValue(ctx, recordKey{}, j.record), stuckAfter, errStuck)
	defer cancel()
	switch j.rng.IntN(20) {
	case 0: // a caller in a hurry
		ctx, cancel = context.WithTimeout(ctx, time.Duration(1+j.rng.IntN(60))*time.Millisecond)
		defer cancel()
	case 1: // one that does not wait for the rate limit
		j.opts = append(j.opts, rocketchat.WithMaxWait(10*time.Millisecond))
	}
	err = k.run(ctx, j)
	if errors.Is(context.Cause(ctx), errStuck) {
		w.book.breach("call %d, %s: does not end: %v", id, k.name, err)
	}
	w.book.enter(j.record, j.judge(err))
	if err != nil {
		_, _ = fmt.Fprintf(w.transcript, "%v\n%+v\n%s\n", err, err, err)
		if !oneLine(err.Error()) {
			w.book.breach("call %d, %s: not one short line: %q", id, k.name, err)
		}
		if e := j.e; e != nil {
			_, _ = fmt.Fprintf(w.transcript, "%s %s %s\n", e.Code, e.Message, e.Details)
		}
		w.logger.LogAttrs(ctx, slog.LevelError, "call failed", slog.Any("error", err))
	}
}

// longestText bounds the text of an error, in bytes.
const longestText = 4 << 10

// oneLine reports whether a text is fit for a log.
func oneLine(text string) bool {
	return len(text) <= longestText && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func (w *worker) chooseKind(rng *rand.Rand) kind {
	n := rng.IntN(w.kindWeights)
	for _, k := range w.kinds {
		if n -= k.weight; n < 0 {
			return k
		}
	}
	return w.kinds[0]
}

// write declares what the call changes.
func (j *job) write(op string, repeatable bool, field, value string) {
	j.op, j.record.write, j.repeatable, j.field, j.value = op, true, repeatable, field, value
}

// secret is a new password.
func (j *job) secret() rocketchat.Secret {
	const letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	text := make([]byte, 20)
	for i := range text {
		text[i] = letters[j.rng.IntN(len(letters))]
	}
	j.w.secrets.add(string(text))
	return rocketchat.NewSecret(string(text))
}

// someone is one of the worker's people.
func (j *job) someone() person { return j.w.people[j.rng.IntN(len(j.w.people))] }

// show prints a result, which would show its secrets.
func (j *job) show(result any) {
	_, _ = fmt.Fprintf(j.w.transcript, "%v\n%+v\n", result, result)
}

// expect records an unexpected result.
func (j *job) expect(ok bool, what string, got any) {
	if !ok {
		j.w.book.breach("call %d, %s: %s: %v", j.id, j.kind, what, got)
	}
}

func readUser(ctx context.Context, j *job) error {
	j.op = "users.info"
	who := j.someone()
	user, err := j.client.Users.Get(ctx, rocketchat.ByUsername(who.username), j.opts...)
	if err == nil {
		j.expect(user.Username == who.username && user.ID == who.id, "another user", user.Username)
	}
	return err
}

func readMe(ctx context.Context, j *job) error {
	j.op = "me"
	me, err := j.client.Me.Get(ctx, j.opts...)
	if err == nil {
		j.expect(me.Username == j.w.account.name, "another account", me.Username)
	}
	return err
}

func listUsers(ctx context.Context, j *job) error {
	j.op = "users.list"
	page, err := j.client.Users.List(ctx, rocketchat.UserListOptions{Count: 10}, j.opts...)
	if err == nil {
		j.expect(len(page.Items) == 10 && page.Total > 10, "not 10 users", len(page.Items))
	}
	return err
}

func listRoles(ctx context.Context, j *job) error {
	j.op = "roles.list"
	roles, err := j.client.Roles.List(ctx, j.opts...)
	if err == nil {
		j.expect(slices.ContainsFunc(roles, func(r rocketchat.Role) bool { return r.ID == "admin" }), "no role admin", len(roles))
	}
	return err
}

func readStatus(ctx context.Context, j *job) error {
	j.op = "users.getStatus"
	who := j.someone()
	status, err := j.client.Status.Get(ctx, rocketchat.ByID(who.id), j.opts...)
	if err == nil {
		j.expect(status.Status != "", "no status", status)
	}
	return err
}

func readPreferences(ctx context.Context, j *job) error {
	j.op = "users.getPreferences"
	_, err := j.client.Preferences.Get(ctx, j.opts...)
	return err
}

func search(ctx context.Context, j *job) error {
	j.op = "users.autocomplete"
	_, err := j.client.Users.Autocomplete(ctx, "w0", rocketchat.UserAutocompleteOptions{}, j.opts...)
	return err
}

func readInfo(ctx context.Context, j *job) error {
	j.op = "pw.getPolicy"
	_, err := j.client.Server.PasswordPolicy(ctx, j.opts...)
	return err
}

func (j *job) newUser(username string) rocketchat.UserCreateOptions {
	return rocketchat.UserCreateOptions{
		Username: username, Name: "Made by the test", Email: username + "@example.org", Password: j.secret(),
		Nickname: new("nick of " + username), JoinDefaultChannels: new(false),
	}
}

// createdAs returns how an account was created.
func (j *job) createdAs(user *rocketchat.CreatedUser) {
	switch {
	case user.Adopted:
		j.outcome = adopted
	case user.Existed:
		j.outcome = existed
	}
}

func createUser(ctx context.Context, j *job) error {
	name := fmt.Sprintf("w%02d-c%05d", j.w.number, j.id)
	j.write("users.create", false, "account:"+name, "there")
	user, err := j.client.Users.Create(ctx, j.newUser(name), j.opts...)
	if err != nil {
		return err
	}
	j.show(user.Username)
	j.createdAs(user)
	j.expect(user.Username == name, "another user", user.Username)
	j.w.people = append(j.w.people, person{user.ID, name})
	return nil
}

func createRaced(ctx context.Context, j *job) error {
	name := fmt.Sprintf("raced-%03d", j.id/100)
	j.write("users.create", false, "", "")
	user, err := j.client.Users.Create(ctx, j.newUser(name), j.opts...)
	if err == nil {
		j.createdAs(user)
		j.expect(user.Username == name, "another user", user.Username)
	}
	return err
}

func ensureUser(ctx context.Context, j *job) error {
	name := j.w.sharedName(j.rng.IntN(j.w.shared))
	j.write("users.create", false, "", "")
	user, err := j.client.Users.Ensure(ctx, j.newUser(name), j.opts...)
	if err == nil {
		j.createdAs(user)
		j.expect(user.Username == name, "another user", user.Username)
	}
	return err
}

func changeName(ctx context.Context, j *job) error {
	who, name := j.someone(), fmt.Sprint("Name ", j.id)
	j.write("users.update", true, "name:"+who.username, name)
	user, err := j.client.Users.Update(ctx, rocketchat.ByID(who.id), rocketchat.UserUpdateOptions{Name: &name}, j.opts...)
	if err == nil {
		j.expect(user.ID == who.id, "another user", user.ID)
	}
	return err
}

func changeBio(ctx context.Context, j *job) error {
	who, bio := j.someone(), fmt.Sprint("Bio ", j.id)
	j.write("users.update", true, "bio:"+who.username, bio)
	_, err := j.client.Users.Update(ctx, rocketchat.ByID(who.id), rocketchat.UserUpdateOptions{Bio: &bio}, j.opts...)
	return err
}

func setStatus(ctx context.Context, j *job) error {
	who, message := j.someone(), fmt.Sprint("Status ", j.id)
	j.write("users.setStatus", true, "message:"+who.username, message)
	return j.client.Status.Set(ctx, rocketchat.ByID(who.id), rocketchat.StatusSetOptions{Message: &message}, j.opts...)
}

func setActive(ctx context.Context, j *job) error {
	who := j.someone()
	active := j.rng.IntN(2) == 0
	j.write("users.setActiveStatus", true, "active:"+who.username, strconv.FormatBool(active))
	if active {
		return j.client.Users.Activate(ctx, rocketchat.ByID(who.id), j.opts...)
	}
	return j.client.Users.Deactivate(ctx, rocketchat.ByID(who.id), rocketchat.UserDeactivateOptions{}, j.opts...)
}

func setRole(ctx context.Context, j *job) error {
	who := j.someone()
	j.state = true
	if j.rng.IntN(2) == 0 {
		j.write("roles.addUserToRole", true, "role:"+who.username, "true")
		return j.client.Roles.Add(ctx, "livechat-agent", rocketchat.ByUsername(who.username), j.opts...)
	}
	j.write("roles.removeUserFromRole", true, "role:"+who.username, "false")
	return j.client.Roles.Remove(ctx, "livechat-agent", rocketchat.ByUsername(who.username), j.opts...)
}

func setPreferences(ctx context.Context, j *job) error {
	who := j.someone()
	j.write("users.setPreferences", true, "", "")
	limit := 60 + j.id
	set, err := j.client.Preferences.SetFor(ctx, rocketchat.ByID(who.id), rocketchat.Preferences{IdleTimeLimit: &limit}, j.opts...)
	if err == nil {
		j.expect(set.IdleTimeLimit != nil && *set.IdleTimeLimit == limit, "another limit", set.IdleTimeLimit)
	}
	return err
}

func deleteUser(ctx context.Context, j *job) error {
	if len(j.w.people) < 4 {
		return createUser(ctx, j)
	}
	i := j.rng.IntN(len(j.w.people))
	who := j.w.people[i]
	j.write("users.delete", false, "account:"+who.username, "gone")
	_, err := j.client.Users.Delete(ctx, rocketchat.ByID(who.id), rocketchat.UserDeleteOptions{ConfirmRelinquish: true}, j.opts...)
	if err == nil || errors.Is(err, rocketchat.ErrOutcomeUnknown) || errors.Is(err, rocketchat.ErrNotFound) {
		j.w.people = slices.Delete(j.w.people, i, i+1)
	}
	return err
}

func generateToken(ctx context.Context, j *job) error {
	name := fmt.Sprintf("t%05d", j.id)
	j.write("users.generatePersonalAccessToken", false, "token:"+j.w.account.name+"/"+name, "there")
	token, err := j.client.Tokens.Generate(ctx, name, rocketchat.TokenGenerateOptions{}, j.opts...)
	if err == nil {
		j.show(token)
		j.w.tokens = append(j.w.tokens, name)
		j.checkIssued(token)
	}
	return err
}

// checkIssued compares a token with that which the server gave out for this call.
func (j *job) checkIssued(token rocketchat.Secret) {
	j.w.server.mu.Lock()
	defer j.w.server.mu.Unlock()
	j.expect(slices.Contains(j.w.server.issued[part{j.id, j.op}], token.Reveal()), "a token that the server did not give out", token)
}

func regenerateToken(ctx context.Context, j *job) error {
	if len(j.w.tokens) == 0 {
		return generateToken(ctx, j)
	}
	j.write("users.regeneratePersonalAccessToken", false, "", "")
	token, err := j.client.Tokens.Regenerate(ctx, j.w.tokens[j.rng.IntN(len(j.w.tokens))], j.opts...)
	if err == nil {
		j.show(token)
		j.checkIssued(token)
	}
	return err
}

func revokeToken(ctx context.Context, j *job) error {
	if len(j.w.tokens) == 0 {
		return generateToken(ctx, j)
	}
	i := j.rng.IntN(len(j.w.tokens))
	name := j.w.tokens[i]
	j.write("users.removePersonalAccessToken", false, "token:"+j.w.account.name+"/"+name, "gone")
	err := j.client.Tokens.Revoke(ctx, name, j.opts...)
	if err == nil || errors.Is(err, rocketchat.ErrOutcomeUnknown) {
		j.w.tokens = slices.Delete(j.w.tokens, i, i+1)
	}
	return err
}

func createCustomStatus(ctx context.Context, j *job) error {
	name := fmt.Sprint("status-", j.id)
	j.write("custom-user-status.create", false, "status:"+name, "there")
	status, err := j.client.Status.CustomCreate(ctx, rocketchat.CustomStatusCreateOptions{Name: name, StatusType: rocketchat.StatusBusy}, j.opts...)
	if err == nil {
		j.expect(status.Name == name, "another status", status.Name)
		j.w.statuses = append(j.w.statuses, *status)
	}
	return err
}

func deleteCustomStatus(ctx context.Context, j *job) error {
	if len(j.w.statuses) == 0 {
		return createCustomStatus(ctx, j)
	}
	status := j.w.statuses[0]
	j.write("custom-user-status.delete", false, "status:"+status.Name, "gone")
	err := j.client.Status.CustomDelete(ctx, status.ID, j.opts...)
	if err == nil || errors.Is(err, rocketchat.ErrOutcomeUnknown) {
		j.w.statuses = j.w.statuses[1:]
	}
	return err
}

// session opens a session of its own, uses it and closes it. When Close succeeds, no
// token that the client used is valid any more.
func session(ctx context.Context, j *job) error {
	j.record.write = true // ending a session can be of unknown outcome
	mine, err := j.client.With(j.w.account.credentials()...)
	if err != nil {
		return err
	}
	me, err := mine.Me.Get(ctx, j.opts...)
	if err == nil {
		j.expect(me.Username == j.w.account.name, "another account", me.Username)
	}
	closed := mine.Close()
	if closed == nil {
		j.w.server.mu.Lock()
		used := slices.Compact(slices.Sorted(slices.Values(j.w.server.used[j.id])))
		if j.w.server.disowned[j.id] {
			used = nil
		}
		j.w.server.mu.Unlock()
		for _, token := range used {
			j.w.endedSessions.Add(1)
			if j.w.valid(ctx, token) {
				j.w.book.breach("call %d, %s: a session is open after Close", j.id, j.kind)
			}
		}
	}
	if err == nil {
		err = closed
	} else if errors.Is(err, rocketchat.ErrOutcomeUnknown) {
		j.w.book.breach("call %d, %s: a read of unknown outcome: %v", j.id, j.kind, err)
	}
	return err
}
