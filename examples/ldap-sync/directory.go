package main

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
)

// person is an entry of the directory.
type person struct {
	id, username, name, mail string
	fields                   map[string]any
	roles                    []string // nil if the directory does not determine roles
}

// desired is the account that a person should have.
func (p person) desired(known *state) rocketchat.DesiredUser {
	d := rocketchat.DesiredUser{
		Username: p.username, Name: p.name, Email: p.mail, CustomFields: p.fields, Roles: p.roles, Active: new(true),
	}
	if id := known.Accounts[p.id]; id != "" {
		d.Ref = rocketchat.ByID(id)
	}
	return d
}

const (
	pageSize = 500 // entries; directories refuse to give more than about 1,000 at once
	patience = 30 * time.Second
)

// readDirectory reads the people and their groups.
func (l *ldapSync) readDirectory(ctx context.Context) ([]person, error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	people, err := l.readPeople(conn)
	if err == nil && len(l.Role) > 0 {
		err = l.readGroups(conn, people)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var all []person
	for _, p := range people {
		all = append(all, p.person)
	}
	slices.SortFunc(all, func(a, b person) int { return strings.Compare(a.username, b.username) })
	return all, err
}

// connect connects and logs in. It does not wait for the directory after Ctrl-C.
func (l *ldapSync) connect(ctx context.Context) (*ldap.Conn, error) {
	type result struct {
		conn *ldap.Conn
		err  error
	}
	connected := make(chan result, 1)
	go func() {
		conn, err := l.dial()
		connected <- result{conn, err}
	}()
	select {
	case r := <-connected:
		if r.err != nil {
			return nil, fmt.Errorf("%s: %w", l.LDAP, explain(r.err))
		}
		return r.conn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *ldapSync) dial() (*ldap.Conn, error) {
	conn, err := ldap.DialURL(l.LDAP, ldap.DialWithDialer(&net.Dialer{Timeout: patience}))
	if err != nil {
		return nil, err
	}
	conn.SetTimeout(patience)
	if l.StartTLS {
		address, err := url.Parse(l.LDAP)
		if err != nil {
			return nil, err
		}
		if err := conn.StartTLS(&tls.Config{ServerName: address.Hostname(), MinVersion: tls.VersionTLS12}); err != nil {
			return nil, err
		}
	}
	if l.BindDN == "" {
		return conn, conn.UnauthenticatedBind("")
	}
	return conn, conn.Bind(l.BindDN, os.Getenv("LDAP_PASSWORD"))
}

// entry is a person and where they are in the directory.
type entry struct {
	person
	dn string
}

func (l *ldapSync) readPeople(conn *ldap.Conn) ([]entry, error) {
	attributes := []string{l.ID, l.Username, l.Name, l.Mail}
	for _, attribute := range l.Field {
		attributes = append(attributes, attribute)
	}
	found, err := search(conn, l.Base, l.Filter, attributes)
	if err != nil {
		return nil, err
	}
	var problems []error
	people := make([]entry, len(found))
	for i, e := range found {
		p := entry{dn: e.DN, person: person{
			id: identifier(e.GetRawAttributeValue(l.ID)), username: e.GetAttributeValue(l.Username),
			name: e.GetAttributeValue(l.Name), mail: e.GetAttributeValue(l.Mail),
		}}
		for _, needed := range []struct{ attribute, value string }{{l.ID, p.id}, {l.Username, p.username}} {
			if needed.value == "" {
				problems = append(problems, fmt.Errorf("%s: has no %s", e.DN, needed.attribute))
			}
		}
		for field, attribute := range l.Field {
			if p.fields == nil {
				p.fields = make(map[string]any)
			}
			p.fields[field] = e.GetAttributeValue(attribute)
		}
		people[i] = p
	}
	return people, errors.Join(problems...)
}

// identifier returns a value as text. IDs of Active Directory are 16 bytes.
func identifier(value []byte) string {
	if utf8.Valid(value) {
		return string(value)
	}
	return hex.EncodeToString(value)
}

// readGroups gives the people the roles of their groups.
func (l *ldapSync) readGroups(conn *ldap.Conn, people []entry) error {
	byDN := make(map[string]*entry, len(people))
	byName := make(map[string]*entry, len(people))
	for i := range people {
		people[i].roles = []string{"user"}
		byDN[normal(people[i].dn)], byName[strings.ToLower(people[i].username)] = &people[i], &people[i]
	}
	for _, role := range slices.Sorted(maps.Keys(l.Role)) {
		group := l.Role[role]
		found, err := search(conn, l.GroupBase, "(cn="+ldap.EscapeFilter(group)+")", []string{"member", "uniqueMember", "memberUid"})
		switch {
		case err != nil:
			return err
		case len(found) != 1: // without the group, everybody would lose the role
			return fmt.Errorf("%s: there are %d groups %s, not one", l.GroupBase, len(found), group)
		}
		dns, err := membersOf(conn, found[0])
		if err != nil {
			return err
		}
		var members []*entry
		for _, dn := range append(dns, found[0].GetAttributeValues("uniqueMember")...) {
			members = append(members, byDN[normal(dn)])
		}
		for _, name := range found[0].GetAttributeValues("memberUid") {
			members = append(members, byName[strings.ToLower(name)])
		}
		for _, member := range members {
			if member != nil && !slices.Contains(member.roles, role) { // a member who is nil is not among the people
				member.roles = append(member.roles, role)
			}
		}
	}
	return nil
}

// normal returns a DN in a form that can be compared.
func normal(dn string) string {
	if parsed, err := ldap.ParseDN(dn); err == nil {
		dn = parsed.String()
	}
	return strings.ToLower(dn)
}

// membersOf returns the values of the attribute member. Active Directory gives those of
// large groups in parts, such as member;range=0-1499, the last of which ends with *.
func membersOf(conn *ldap.Conn, group *ldap.Entry) ([]string, error) {
	members := group.GetAttributeValues("member")
	for {
		part, next := ranged(group)
		members = append(members, part...)
		if next == 0 {
			return members, nil
		}
		request := ldap.NewSearchRequest(group.DN, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)",
			[]string{fmt.Sprintf("member;range=%d-*", next)}, nil)
		answer, err := conn.Search(request)
		if err != nil {
			return nil, fmt.Errorf("members of %s: %w", group.DN, explain(err))
		}
		if len(answer.Entries) != 1 {
			return nil, fmt.Errorf("members of %s: %d entries", group.DN, len(answer.Entries))
		}
		group = answer.Entries[0]
	}
}

// ranged returns a part of the members of a group and the start of the next part, or 0.
func ranged(group *ldap.Entry) (part []string, next int) {
	for _, attribute := range group.Attributes {
		var first int
		var last string
		if _, err := fmt.Sscanf(strings.ToLower(attribute.Name), "member;range=%d-%s", &first, &last); err != nil {
			continue
		}
		if end, err := strconv.Atoi(last); err == nil {
			next = end + 1
		}
		return attribute.Values, next
	}
	return nil, 0
}

func search(conn *ldap.Conn, base, filter string, attributes []string) ([]*ldap.Entry, error) {
	request := ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, attributes, nil)
	answer, err := conn.SearchWithPaging(request, pageSize)
	if err != nil {
		return nil, fmt.Errorf("search below %s: %w", base, explain(err))
	}
	return answer.Entries, nil
}

// explain returns an error of package ldap without its result code.
func explain(err error) error {
	failure, ok := errors.AsType[*ldap.Error](err)
	switch {
	case !ok:
		return cli.Cause(err)
	case failure.ResultCode == ldap.ErrorNetwork:
		return cli.Cause(failure.Err)
	case failure.ResultCode == ldap.LDAPResultInvalidCredentials:
		return errors.New("wrong --bind-dn or LDAP_PASSWORD")
	}
	return errors.New(strings.ToLower(ldap.LDAPResultCodeMap[failure.ResultCode]))
}
