package rocketchat

import (
	"cmp"
	"crypto/rand"
	"slices"
	"strings"
)

// Usernames and addresses are unique, so whoever gets one that somebody else has now has
// to wait until the other has theirs. Where people wait for each other in a circle, one of
// them gets a temporary value first.

// holder returns who has the value that a field of c is to get, if somebody else has it.
func (p *syncPlanner) holder(c *syncChange, field string) (syncHolder, bool) {
	change, changes := c.find(field)
	if !changes {
		return syncHolder{}, false
	}
	held := p.heldName
	if field == fieldEmail {
		held = p.heldMail
	}
	h, ok := held[folded(change.To)]
	return h, ok
}

// frees returns the change of the person who has what c is to get in a field, or nil if
// c need not wait for anybody.
func (p *syncPlanner) frees(c *syncChange, field string) *syncChange {
	h, ok := p.holder(c, field)
	if !ok || h.desired < 0 {
		return nil
	}
	return p.byDesired[h.desired]
}

// pass refuses usernames and addresses that others keep, and breaks the circles of those
// who pass theirs on to each other.
func (p *syncPlanner) pass() {
	p.byDesired = make(map[int]*syncChange)
	for _, c := range p.changes {
		if !c.dropped {
			p.byDesired[c.desired] = c
		}
	}
	for _, field := range []string{fieldUsername, fieldEmail} {
		waiting := make(map[*syncChange][]*syncChange) // who waits for the value of whom
		for _, c := range p.changes {
			if other := p.frees(c, field); other != nil {
				waiting[other] = append(waiting[other], c)
			}
		}
		for _, c := range p.changes {
			p.refuseTaken(c, field, waiting)
		}
		done := make(map[*syncChange]bool)
		for _, c := range p.changes {
			p.breakCircle(c, field, done, waiting)
		}
	}
}

// refuseTaken refuses a value that its holder keeps, and what others were to get from c.
func (p *syncPlanner) refuseTaken(c *syncChange, field string, waiting map[*syncChange][]*syncChange) {
	for open := []*syncChange{c}; len(open) > 0; open = open[1:] {
		c := open[0]
		h, held := p.holder(c, field)
		if !held {
			continue
		}
		if other := p.frees(c, field); other != nil {
			if _, moves := other.find(field); moves {
				continue
			}
		}
		p.refuseOne(c, field, SyncTaken, h.who)
		open = append(open, waiting[c]...)
	}
}

// refuseOne refuses a username or an address because of somebody else.
func (p *syncPlanner) refuseOne(c *syncChange, field string, code SyncCode, other string) {
	change, _ := c.find(field)
	what := "the username "
	if field == fieldEmail {
		what = "the address "
	}
	reason := what + change.To + " belongs to " + other
	if code == SyncNoTemporary {
		reason += ", with whom it would be swapped, and the server's rules allow no temporary value"
	}
	p.refuse(c, field, code, other, reason)
}

// breakCircle gives the first of those who wait for each other a temporary value, if c is
// one of them.
func (p *syncPlanner) breakCircle(c *syncChange, field string, done map[*syncChange]bool, waiting map[*syncChange][]*syncChange) {
	var path []*syncChange
	for c != nil && !done[c] {
		done[c] = true
		path = append(path, c)
		c = p.frees(c, field)
	}
	start := slices.Index(path, c)
	if c == nil || start < 0 {
		return
	}
	first := slices.MinFunc(path[start:], func(a, b *syncChange) int { return cmp.Compare(a.desired, b.desired) })
	if value := p.temporary(first, field); value != "" {
		if first.temporary == nil {
			first.temporary = make(map[string]string)
		}
		first.temporary[field] = value
		return
	}
	h, _ := p.holder(first, field)
	p.refuseOne(first, field, SyncNoTemporary, h.who)
	for _, next := range waiting[first] {
		p.refuseTaken(next, field, waiting)
	}
}

// temporary returns a value that the server allows and nobody has, or "". The mails about
// a temporary address go to the mailbox of the present one, whose domain is allowed,
// because somebody else is to get that address.
func (p *syncPlanner) temporary(c *syncChange, field string) string {
	change, _ := c.find(field)
	letters, digits := randomMark('a', 26), randomMark('0', 10)
	if field == fieldEmail {
		local, domain, _ := strings.Cut(change.From, "@")
		return local + "+sync-" + letters + "@" + domain
	}
	for _, mark := range []string{letters, digits, letters[:4]} {
		for _, separator := range []string{"-", ".", "_", ""} {
			name := change.From + separator + mark
			if code, _ := p.rules.usernameFault(name); code == "" {
				return name
			}
		}
	}
	return ""
}

// randomMark is a text of 8 out of n characters.
func randomMark(first, n byte) string {
	mark := []byte(rand.Text()[:8])
	for i := range mark {
		mark[i] = first + mark[i]%n
	}
	return string(mark)
}

// The parts of a change. Each is a request of its own.
const (
	partTemporary = iota // temporary values
	partMain
	partEmail // the address alone, where username and address wait in different circles
	partCount
)

// syncNode is a part of a change, with the parts that it waits for.
type syncNode struct {
	change *syncChange
	part   int
	needs  []syncEdge
	depth  int // longest way to a part that waits for none
	step   int // ID
}

// syncEdge says that a part waits until somebody else has given up a value.
type syncEdge struct {
	node  *syncNode
	field string
}

// partOf returns the part of c that gives a field its final value.
func (c *syncChange) partOf(field string) int {
	if field == fieldEmail && c.split {
		return partEmail
	}
	return partMain
}

// freeing returns the part of c after which the old value of a field is free.
func (c *syncChange) freeing(field string) *syncNode {
	if c.temporary[field] != "" {
		return c.parts[partTemporary]
	}
	return c.parts[c.partOf(field)]
}

// nodes makes the parts of the changes.
func (p *syncPlanner) nodes() []*syncNode {
	var nodes []*syncNode
	for _, c := range p.changes {
		c.parts = [partCount]*syncNode{}
		for part := range partCount {
			if part == partTemporary && len(c.temporary) == 0 || part == partEmail && !c.split ||
				part == partMain && len(c.fields) == 0 && !c.activate {
				continue
			}
			c.parts[part] = &syncNode{change: c, part: part}
			nodes = append(nodes, c.parts[part])
		}
	}
	for _, c := range p.changes {
		for _, field := range []string{fieldUsername, fieldEmail} {
			part := c.parts[c.partOf(field)]
			if other := p.frees(c, field); other != nil {
				part.needs = append(part.needs, syncEdge{other.freeing(field), field})
			}
			if c.temporary[field] != "" {
				part.needs = append(part.needs, syncEdge{c.parts[partTemporary], field})
			}
		}
	}
	return nodes
}

// arrange puts the parts into an order in which each comes after those it waits for.
func (p *syncPlanner) arrange() []*syncNode {
	for {
		nodes := p.nodes()
		circular := order(nodes)
		if len(circular) == 0 {
			slices.SortStableFunc(nodes, func(a, b *syncNode) int {
				return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.change.desired, b.change.desired))
			})
			return nodes
		}
		// One waits for the username of somebody who waits for an address. Apart, neither
		// usernames nor addresses have a circle left.
		for _, circle := range components(withoutFollowers(circular)) {
			mixed := slices.DeleteFunc(circle, func(n *syncNode) bool { return !n.mixed() })
			for _, n := range mixed[:max(1, len(mixed)/16)] { // one, unless that would take long
				n.change.split = true
			}
		}
	}
}

// mixed reports a part that gives both a username and an address.
func (n *syncNode) mixed() bool {
	_, renamed := n.change.find(fieldUsername)
	_, moved := n.change.find(fieldEmail)
	return n.part == partMain && renamed && moved && !n.change.split
}

// components returns the nodes in groups that have nothing to do with each other.
func components(nodes []*syncNode) (groups [][]*syncNode) {
	beside := make(map[*syncNode][]*syncNode, len(nodes))
	for _, n := range nodes {
		beside[n] = nil
	}
	for _, n := range nodes {
		for _, edge := range n.needs {
			if _, among := beside[edge.node]; among {
				beside[n] = append(beside[n], edge.node)
				beside[edge.node] = append(beside[edge.node], n)
			}
		}
	}
	grouped := make(map[*syncNode]bool)
	for _, n := range nodes {
		if grouped[n] {
			continue
		}
		grouped[n] = true
		group := []*syncNode{n}
		for i := 0; i < len(group); i++ {
			for _, other := range beside[group[i]] {
				if !grouped[other] {
					grouped[other] = true
					group = append(group, other)
				}
			}
		}
		groups = append(groups, group)
	}
	return groups
}

// order sets the depths, and returns the nodes that wait for themselves.
func order(nodes []*syncNode) (circular []*syncNode) {
	dependents := make(map[*syncNode][]*syncNode)
	waits := make(map[*syncNode]int)
	var ready []*syncNode
	for _, n := range nodes {
		for _, edge := range n.needs {
			dependents[edge.node] = append(dependents[edge.node], n)
		}
		if waits[n] = len(n.needs); waits[n] == 0 {
			ready = append(ready, n)
		}
	}
	for len(ready) > 0 {
		n := ready[0]
		ready = ready[1:]
		for _, next := range dependents[n] {
			next.depth = max(next.depth, n.depth+1)
			if waits[next]--; waits[next] == 0 {
				ready = append(ready, next)
			}
		}
	}
	for _, n := range nodes {
		if waits[n] > 0 {
			circular = append(circular, n)
		}
	}
	return circular
}

// withoutFollowers leaves out the parts that wait for a circle without being in one.
func withoutFollowers(nodes []*syncNode) []*syncNode {
	followers := make(map[*syncNode]int)
	for _, n := range nodes {
		for _, edge := range n.needs {
			followers[edge.node]++
		}
	}
	var last []*syncNode // that nobody follows
	for _, n := range nodes {
		if followers[n] == 0 {
			last = append(last, n)
		}
	}
	for i := 0; i < len(last); i++ {
		for _, edge := range last[i].needs {
			if followers[edge.node]--; followers[edge.node] == 0 {
				last = append(last, edge.node)
			}
		}
	}
	return slices.DeleteFunc(nodes, func(n *syncNode) bool { return followers[n] == 0 })
}

// plannedStep is a step with its place in the plan.
type plannedStep struct {
	depth, desired int
	step           SyncStep
}

// emit turns the changes into steps.
func (p *syncPlanner) emit() {
	var steps []plannedStep
	id := 0
	main := make(map[*syncChange]*syncNode)
	for _, node := range p.arrange() {
		id++
		node.step = id
		if node.part == partMain {
			main[node.change] = node
		}
		step := p.stepOf(node)
		for _, edge := range node.needs {
			n := need{step: edge.node.step, field: edge.field}
			if edge.node.change != node.change {
				n.other = edge.node.change.who()
			}
			step.needs = append(step.needs, n)
		}
		step.follows = earlierPart(node)
		steps = append(steps, plannedStep{node.depth, node.change.desired, step})
	}
	off := func(userID, username string, desired int) SyncStep {
		id++
		return SyncStep{
			Action: SyncDeactivate, Username: username, UserID: userID, id: id, desired: desired,
			Changes: []FieldChange{{fieldActive, "true", "false"}},
		}
	}
	for _, c := range p.changes {
		if c.deactivate {
			step, depth := off(c.id, c.username, c.desired), 0
			if n := main[c]; n != nil {
				step.follows, depth = n.step, n.depth+1
			}
			steps = append(steps, plannedStep{depth, c.desired, step})
		}
		p.settled(c, main[c] != nil || c.deactivate)
	}
	for _, l := range p.leavers {
		steps = append(steps, plannedStep{0, len(p.desired), off(l.id, l.username, -1)})
	}
	slices.SortStableFunc(steps, func(a, b plannedStep) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.desired, b.desired))
	})
	p.customKnown = p.rules.knows
	for _, s := range steps {
		p.Steps = append(p.Steps, s.step)
	}
}

// earlierPart returns the ID of the step with the part of the same change that comes before
// n; 0 if n is the first. Two updates of one user at the same time could undo each other,
// since each of them sends along what the user had.
func earlierPart(n *syncNode) (step int) {
	for _, other := range n.change.parts {
		if other != nil && other.step < n.step { // 0 for a part that comes later
			step = max(step, other.step)
		}
	}
	return step
}

// settled notes a change that is planned, or turned out to be none.
func (p *syncPlanner) settled(c *syncChange, planned bool) {
	if !planned && !c.refused {
		p.Unchanged++
	}
	d := &p.desired[c.desired]
	switch ref := d.identity(); {
	case !planned, d.hasID(), !d.explicit():
	case c.isNew:
		p.newRefs[c.desired] = ref.String()
	default:
		p.people[ref.String()] = c.id
	}
}

// stepOf returns the step that carries out a part of a change.
func (p *syncPlanner) stepOf(n *syncNode) SyncStep {
	c := n.change
	d := p.want(c.desired)
	step := SyncStep{Username: c.username, UserID: c.id, id: n.step, desired: c.desired, verified: c.verified && c.id != p.me}
	switch {
	case c.isNew:
		step.Action = SyncCreate
		step.create, step.Changes = p.creation(c, &d)
		return step
	case n.part == partTemporary:
		step.Action, step.Temporary = SyncUpdate, true
		step.update, step.Changes = c.detour()
		return step
	}
	step.Action = SyncUpdate
	step.update = new(UserUpdateOptions)
	for _, f := range c.fields {
		if c.partOf(f.Field) != n.part {
			continue
		}
		p.setUpdate(step.update, f, &d)
		step.Changes = append(step.Changes, f)
		if c.temporary[f.Field] != "" {
			step.restore = cmp.Or(step.restore, new(UserUpdateOptions))
			setIdentity(step.restore, f.Field, f.From)
		}
	}
	if step.update.Email != nil && p.opts.Verified && c.id != p.me { // nobody may call their own address verified
		step.update.Verified = new(true)
	}
	if step.restore != nil && step.restore.Email != nil && step.verified {
		step.restore.Verified = new(true)
	}
	if c.activate && n.part == partMain {
		step.update.Active = new(true)
		if len(step.Changes) == 0 {
			step.Action, step.update = SyncActivate, nil
		}
		step.Changes = append(step.Changes, FieldChange{fieldActive, "false", "true"})
	}
	return step
}

// detour returns the update that gives temporary values.
func (c *syncChange) detour() (*UserUpdateOptions, []FieldChange) {
	update := new(UserUpdateOptions)
	var changes []FieldChange
	for _, field := range []string{fieldUsername, fieldEmail} {
		if value := c.temporary[field]; value != "" {
			from, _ := c.find(field)
			setIdentity(update, field, value)
			changes = append(changes, FieldChange{field, from.From, value})
		}
	}
	return update, changes
}

// setIdentity sets a username or an address.
func setIdentity(o *UserUpdateOptions, field, value string) {
	if field == fieldUsername {
		o.Username = &value
	} else {
		o.Email = &value
	}
}

// identity returns the part of an update that changes the username and the address.
func (s SyncStep) identity() *UserUpdateOptions {
	if s.update == nil {
		return nil
	}
	return &UserUpdateOptions{Username: s.update.Username, Email: s.update.Email, Verified: s.update.Verified}
}

// setUpdate adds a change to an update.
func (p *syncPlanner) setUpdate(o *UserUpdateOptions, f FieldChange, d *DesiredUser) {
	if name, custom := strings.CutPrefix(f.Field, customPrefix); custom {
		if o.CustomFields == nil {
			o.CustomFields = make(map[string]any)
		}
		o.CustomFields[name] = d.CustomFields[name]
		return
	}
	for i := range p.fields {
		if p.fields[i].name == f.Field {
			p.fields[i].update(o, d)
		}
	}
}

// creation returns the account to create, and what to show of it.
func (p *syncPlanner) creation(c *syncChange, d *DesiredUser) (*UserCreateOptions, []FieldChange) {
	d.Name = cmp.Or(d.Name, d.Username)
	options := &UserCreateOptions{Password: d.Password, CustomFields: d.CustomFields}
	if options.Password.IsZero() {
		options.Password = randomPassword()
	}
	var changes []FieldChange
	for i := range p.fields {
		field := &p.fields[i]
		if to, wanted := field.to(d); wanted {
			field.create(options, d)
			if field.name != fieldUsername {
				changes = append(changes, FieldChange{Field: field.name, To: to})
			}
		}
	}
	for _, f := range c.fields {
		if strings.HasPrefix(f.Field, customPrefix) {
			changes = append(changes, f)
		}
	}
	if d.Active != nil && !*d.Active {
		options.Active = d.Active
		changes = append(changes, FieldChange{fieldActive, "", "false"})
	}
	if p.opts.Verified {
		options.Verified = new(true)
	}
	return options, changes
}
