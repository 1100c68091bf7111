package rocketchat

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// SyncReading tells how far the reading for a plan is.
type SyncReading struct {
	Op        string        // what is being read, such as "users.list"
	Read      int           // users
	Total     int           // users to read with Op; 0 if it is not known
	Remaining time.Duration // estimated; 0 if Total is not known
}

// syncHolder is an account that has a username or an address that somebody else wants.
type syncHolder struct {
	desired int    // index of the person in the list; -1 if they are not in it
	who     string // the username, or the ID of an account without one
}

// syncLeaver is a departed user.
type syncLeaver struct {
	id, username string
	admin        bool
}

// syncPlanner makes a plan. It reads the list of users once and keeps of each user only
// what the plan needs.
type syncPlanner struct {
	*SyncPlan
	desired []DesiredUser
	me      string

	refs   map[UserRef]int // indexes in the list, of people with a Ref or a Key
	names  map[string]int  // by the wanted username
	emails map[string]int  // by the wanted address

	listed   int
	seesAll  bool
	admins   int // active administrators, without those who are to lose that
	inScope  int // active users that the sync is about
	changes  []*syncChange
	departed map[string]syncLeaver // by ID, while accounts are read
	leavers  []syncLeaver          // sorted by username
	heldName map[string]syncHolder // by username
	heldMail map[string]syncHolder // by address
	likely   map[int]*User         // accounts with the wanted username and address, of people with a Ref
	looked   map[string]*User      // by ID, users whose details came with a look-up
	recalled map[int]bool          // people whose account is known from an earlier sync
	*syncAttempts

	rules     syncRules
	fields    []syncField
	refusals  []placedRefusal
	byDesired map[int]*syncChange // by the index in the list
	progress  sync.Mutex
}

// syncAttempts is what one attempt to read the accounts leaves to the next.
type syncAttempts struct {
	outdated map[int]bool  // people whose account is not the one that is known from an earlier sync
	lookedUp map[int]*User // the accounts of people whose references lists do not show; nil for those who have none
}

func newSyncPlanner(s *UsersService, desired []DesiredUser, opts SyncOptions, callOpts []CallOption, attempts *syncAttempts) *syncPlanner {
	p := &syncPlanner{
		SyncPlan: &SyncPlan{users: s, opts: opts, callOpts: callOpts, people: make(map[string]string), newRefs: make(map[int]string)},
		desired:  desired,
		refs:     make(map[UserRef]int),
		names:    make(map[string]int, len(desired)), emails: make(map[string]int, len(desired)),
		heldName: make(map[string]syncHolder), heldMail: make(map[string]syncHolder),
		likely: make(map[int]*User), looked: make(map[string]*User), fields: syncFields(),
		recalled: make(map[int]bool), departed: make(map[string]syncLeaver), syncAttempts: attempts,
	}
	p.known = syncKnowledge{
		ids: make([]string, len(desired)), prints: make([]fingerprint, len(desired)), sure: make([]certainty, len(desired)),
		refs: make(map[int]string),
	}
	for i := range desired {
		if name := folded(desired[i].Username); name != "" {
			p.names[name] = i
		}
		if address := folded(desired[i].Email); address != "" {
			p.emails[address] = i
		}
		p.known.prints[i] = desired[i].fingerprint()
	}
	return p
}

// want returns what the person at index i should be like, as the server would store it.
func (p *syncPlanner) want(i int) DesiredUser {
	d := p.desired[i]
	d.Username, d.Email, d.Name = strings.TrimSpace(d.Username), strings.TrimSpace(d.Email), strings.TrimSpace(d.Name)
	if len(d.CustomFields) == 0 {
		d.CustomFields = nil
	}
	for _, text := range []**string{&d.Nickname, &d.Bio} {
		if *text != nil && strings.TrimSpace(**text) == "" {
			*text = new("")
		}
	}
	return d
}

// read reads the accounts and compares them with the list.
func (p *syncPlanner) read(ctx context.Context) error {
	me, err := p.users.client.Me.Get(ctx, p.callOpts...)
	if err != nil {
		return err
	}
	p.me = me.ID
	if err := p.resolve(ctx); err != nil {
		return err
	}
	for user, err := range p.users.All(ctx, UserListOptions{}, p.callOpts...) {
		if err != nil {
			return err
		}
		if err := p.add(user); err != nil {
			return err
		}
	}
	p.reading(SyncReading{Op: "users.list", Read: p.listed, Total: p.listed})
	if !p.seesAll {
		return &Error{Op: "users.list", Class: ErrForbidden, Message: "does not tell roles and addresses: the permission view-full-other-user-info is missing"}
	}
	return nil
}

// forget notes the people whose recalled account is gone or belongs to somebody else. It
// reports whether there are any. The accounts must then be read again, because these people
// may have others.
func (p *syncPlanner) forget() bool {
	before := len(p.outdated)
	for i := range p.recalled {
		if p.known.ids[i] == "" {
			p.outdated[i] = true
		}
	}
	return len(p.outdated) > before
}

// resolve fills refs. It looks up the people whose references lists do not show.
func (p *syncPlanner) resolve(ctx context.Context) error {
	known := p.opts.Known.byRef()
	var unknown []int
	for i := range p.desired {
		ref := p.desired[i].identity()
		unlisted := ref.key == refImportID || ref.key == refExtension
		if unlisted {
			p.known.refs[i] = ref.String()
		}
		id := ""
		if !p.outdated[i] {
			id = cmp.Or(p.opts.Resume.userID(ref), known[p.known.refs[i]])
		}
		var err error
		switch {
		case !p.desired[i].explicit():
		case ref.key == refSelf:
			err = p.bind(p.me, i)
		case ref.key == refID:
			err = p.bind(ref.value, i)
		case id != "":
			p.recalled[i] = true
			err = p.bind(id, i)
		case unlisted:
			unknown = append(unknown, i)
		default:
			p.refs[ref.folded()] = i
		}
		if err != nil {
			return err
		}
	}
	return p.resolveUnknown(ctx, unknown)
}

// resolveUnknown looks up the people of whom it is not known which account they have.
func (p *syncPlanner) resolveUnknown(ctx context.Context, unknown []int) error {
	unknown = slices.DeleteFunc(unknown, func(i int) bool {
		_, done := p.lookedUp[i]
		return done
	})
	if err := p.lookUp(ctx, unknown); err != nil {
		return err
	}
	for i, user := range p.lookedUp {
		if user == nil {
			continue
		}
		if err := p.bind(user.ID, i); err != nil {
			return err
		}
		if p.known.prints[i] != (fingerprint{}) {
			p.looked[user.ID] = &User{Nickname: user.Nickname, Bio: user.Bio, CustomFields: user.CustomFields}
		}
	}
	return nil
}

// bind makes the account with an ID that of the person at index i. If two people have the
// same one, the person for whom it is only recalled loses it.
func (p *syncPlanner) bind(id string, i int) error {
	other, twice := p.refs[ByID(id)]
	switch {
	case !twice, other == i, p.recalled[other]:
		p.refs[ByID(id)] = i
	case !p.recalled[i]:
		return p.sameAccount(ByID(id).String(), other, i)
	}
	return nil
}

// lookUp finds the accounts of people whose references lists do not show.
func (p *syncPlanner) lookUp(ctx context.Context, indexes []int) error {
	users := make([]*User, len(indexes))
	err := p.each(ctx, "users.info", len(indexes), func(n int) error {
		user, err := p.users.Get(ctx, p.desired[indexes[n]].Ref, p.callOpts...)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		users[n] = user
		return err
	})
	for n, user := range users {
		p.lookedUp[indexes[n]] = user
	}
	return err
}

func (p *syncPlanner) sameAccount(account string, a, b int) error {
	return invalid(opSync, p.fieldOf(b), "means the account of "+p.fieldOf(a)+", too: "+account)
}

// fieldOf names what says who the person at index i is.
func (p *syncPlanner) fieldOf(i int) string {
	field := "Username"
	switch d := &p.desired[i]; {
	case d.Ref != UserRef{}:
		field = "Ref"
	case d.Key != "":
		field = "Key"
	}
	return "desired[" + strconv.Itoa(i) + "]." + field
}

// add takes a user of the list.
func (p *syncPlanner) add(u *User) error {
	p.listed++
	if p.listed%1000 == 0 {
		p.reading(SyncReading{Op: "users.list", Read: p.listed})
	}
	p.seesAll = p.seesAll || len(u.Roles) > 0
	if u.Active && isAdmin(u) {
		p.admins++
	}
	if u.Active && p.opts.Departed == nil {
		p.inScope++
	}
	owner, err := p.owner(u)
	if err != nil {
		return err
	}
	p.hold(u, owner)
	if owner < 0 {
		p.stranger(u)
		return nil
	}
	return p.take(u, owner)
}

// take makes u the account of the person at index i, and compares the two.
func (p *syncPlanner) take(u *User, i int) error {
	if before := p.known.ids[i]; before != "" {
		return invalid(opSync, p.fieldOf(i), "matches two accounts: "+u.Username+", and the one with the ID "+before)
	}
	p.known.ids[i] = u.ID
	if u.Active && p.opts.Departed != nil {
		p.inScope++
	}
	p.compare(u, i)
	return nil
}

// owner returns the index of the person whose account u is, or -1. What says explicitly
// who is meant takes precedence over a username.
func (p *syncPlanner) owner(u *User) (int, error) {
	owner := -1
	claim := func(ref UserRef) error {
		i, ok := p.refs[ref]
		switch {
		case !ok || i == owner:
		case owner < 0, p.recalled[owner]:
			owner = i
		default: // i is not recalled, because an ID is claimed first
			return p.sameAccount(u.Username, owner, i)
		}
		return nil
	}
	if len(p.refs) > 0 {
		refs := []UserRef{ByID(u.ID), ByUsername(u.Username).folded()}
		for _, email := range u.Emails {
			refs = append(refs, ByEmail(email.Address).folded())
		}
		if p.opts.Match != nil {
			refs = append(refs, UserRef{refKey, p.opts.Match(u)})
		}
		for _, ref := range refs {
			if err := claim(ref); err != nil {
				return owner, err
			}
		}
	}
	if owner < 0 {
		if i, ok := p.names[folded(u.Username)]; ok && !p.desired[i].explicit() {
			owner = i
		}
	}
	return owner, nil
}

// hold remembers the values of u that somebody else wants.
func (p *syncPlanner) hold(u *User, owner int) {
	holder := syncHolder{owner, cmp.Or(u.Username, u.ID)}
	name := folded(u.Username)
	if i, wanted := p.names[name]; wanted && i != owner {
		p.heldName[name] = holder
	}
	for _, email := range u.Emails {
		address := folded(email.Address)
		if i, wanted := p.emails[address]; wanted && i != owner {
			p.heldMail[address] = holder
		}
	}
}

// stranger takes a user whom no reference matches.
func (p *syncPlanner) stranger(u *User) {
	if i, ok := p.names[folded(u.Username)]; ok && p.desired[i].Email != "" && u.hasEmail(strings.TrimSpace(p.desired[i].Email)) {
		p.likely[i] = u
	}
	if p.opts.Departed == nil || !u.Active || u.ID == p.me || isBot(u) || !p.opts.Departed(u) {
		return
	}
	p.inScope++
	p.departed[u.ID] = syncLeaver{u.ID, u.Username, isAdmin(u)}
}

// settle finds the accounts of people whom no reference matched: an account with both the
// wanted username and the wanted address is theirs. For the others an account is created.
func (p *syncPlanner) settle(ctx context.Context) error {
	for i := range p.desired {
		if p.known.ids[i] != "" {
			continue
		}
		u := p.likely[i]
		if u == nil || p.desired[i].hasID() {
			p.newcomer(i)
			continue
		}
		if err := p.adopt(u, i); err != nil {
			return err
		}
	}
	p.likely = nil
	p.leavers = slices.SortedFunc(maps.Values(p.departed), func(a, b syncLeaver) int {
		return cmp.Or(cmp.Compare(a.username, b.username), cmp.Compare(a.id, b.id))
	})
	p.departed = nil
	return p.details(ctx)
}

// explicit reports whether d says who is meant, beside what the account is to be called.
func (d *DesiredUser) explicit() bool { return d.Ref != UserRef{} || d.Key != "" }

// hasID reports whether d means one account and no other.
func (d *DesiredUser) hasID() bool { return d.Ref.key == refID || d.Ref.key == refSelf }

// adopt makes u, who was taken for a stranger, the account of the person at index i.
func (p *syncPlanner) adopt(u *User, i int) error {
	if _, departed := p.departed[u.ID]; departed {
		delete(p.departed, u.ID)
		p.inScope-- // take counts them
	}
	for _, email := range u.Emails {
		address := folded(email.Address)
		delete(p.heldMail, address)
		if other, wanted := p.emails[address]; wanted && other != i {
			p.heldMail[address] = syncHolder{i, cmp.Or(u.Username, u.ID)}
		}
	}
	return p.take(u, i)
}

// newcomer plans the account of the person at index i, who has none.
func (p *syncPlanner) newcomer(i int) {
	d := p.want(i)
	c := &syncChange{desired: i, username: d.Username, isNew: true}
	if d.hasID() {
		p.refuse(c, "id", SyncNotFound, "", "nobody has the ID "+d.Ref.value)
		return
	}
	for i := range p.fields {
		field := &p.fields[i]
		if to, wanted := field.to(&d); wanted {
			c.fields = append(c.fields, FieldChange{Field: field.name, To: to})
		}
	}
	for _, name := range d.customFieldNames() {
		c.fields = append(c.fields, FieldChange{Field: customPrefix + name, To: textOfField(d.CustomFields[name])})
	}
	if p.known.prints[i] != (fingerprint{}) {
		p.known.sure[i] = sureOnDone
	}
	p.changes = append(p.changes, c)
}

// details reads what lists do not tell, of the people for whom it is to be compared.
func (p *syncPlanner) details(ctx context.Context) error {
	if err := p.readCustomRules(ctx); err != nil {
		return err
	}
	var single []*syncChange
	listed := make(map[string]*syncChange)
	for _, c := range p.changes {
		switch {
		case !c.open:
		case p.looked[c.id] != nil:
			p.compareDetails(c, p.looked[c.id])
		case c.active && !p.comparesCustom(c):
			listed[c.id] = c
		default:
			single = append(single, c)
		}
	}
	p.looked = nil
	if err := p.fromDirectory(ctx, listed); err != nil {
		return err
	}
	for _, c := range p.changes { // in the order of the list
		if listed[c.id] == c {
			single = append(single, c)
		}
	}
	full := make([]*User, len(single))
	err := p.each(ctx, "users.info", len(single), func(i int) (err error) {
		full[i], err = p.users.Get(ctx, ByID(single[i].id), p.callOpts...)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	for i, c := range single {
		if full[i] == nil {
			p.vanished(c)
			continue
		}
		p.compareDetails(c, full[i])
	}
	return nil
}

// vanished drops the change of an account that was deleted after the list of users was read.
func (p *syncPlanner) vanished(c *syncChange) {
	c.fields, c.activate, c.deactivate = nil, false, false
	p.known.ids[c.desired] = ""
	p.refuse(c, "id", SyncNotFound, "", "was deleted while the plan was made")
}

// fromDirectory compares people with the directory, which tells nickname and bio. Those
// whom it does not contain stay in open.
func (p *syncPlanner) fromDirectory(ctx context.Context, open map[string]*syncChange) error {
	if len(open) <= fewNames {
		return nil
	}
	read := 0
	take := func(u *DirectoryUser) {
		if read++; read%1000 == 0 {
			p.reading(SyncReading{Op: "directory", Read: read, Total: p.listed})
		}
		if c := open[u.ID]; c != nil {
			p.compareDetails(c, &User{Nickname: u.Nickname, Bio: u.Bio})
			delete(open, u.ID)
		}
	}
	err := p.readDirectory(ctx, len(open), take)
	if errors.Is(err, ErrInvalid) || errors.Is(err, ErrForbidden) { // a permission is missing
		return nil
	}
	return err
}

// readDirectory reads the directory, unless the server gives it in pages and there are
// fewer people to look for than pages.
func (p *syncPlanner) readDirectory(ctx context.Context, wanted int, take func(*DirectoryUser)) error {
	if wanted < p.listed/cappedPage {
		page, err := p.users.Directory(ctx, UserDirectoryOptions{Everything: true}, p.callOpts...)
		if errors.Is(err, errTooLarge) || err == nil && len(page.Items) < page.Total {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range page.Items {
			take(&page.Items[i])
		}
		return nil
	}
	for user, err := range p.users.AllInDirectory(ctx, UserDirectoryOptions{}, p.callOpts...) {
		if err != nil {
			return err
		}
		take(user)
	}
	return nil
}

// each calls read for the numbers below n, several at a time, and reports the progress. A
// failure ends it.
func (p *syncPlanner) each(ctx context.Context, op string, n int, read func(int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	start, done := time.Now(), 0
	parallel(p.opts.Concurrency, n, func(i int) {
		if ctx.Err() != nil {
			return
		}
		if err := read(i); err != nil {
			stop(err)
			return
		}
		p.progress.Lock()
		defer p.progress.Unlock()
		done++
		left := max(p.users.client.estimate(op, n-done), time.Since(start)/time.Duration(done)*time.Duration(n-done))
		if p.opts.PlanProgress != nil {
			p.opts.PlanProgress(SyncReading{Op: op, Read: done, Total: n, Remaining: left})
		}
	})
	return context.Cause(ctx)
}

func (p *syncPlanner) reading(r SyncReading) {
	if p.opts.PlanProgress != nil {
		p.opts.PlanProgress(r)
	}
}
