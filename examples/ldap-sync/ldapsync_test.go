package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/examples/internal/cli"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

const (
	suffix   = "dc=example,dc=org"
	manager  = "cn=manager," + suffix
	password = "manager's password"
	headline = "ou=people," + suffix
	teams    = "ou=groups," + suffix
)

// slapd starts OpenLDAP's server on a free port, with an empty directory.
func slapd(t *testing.T) (address string) {
	t.Helper()
	program, err := exec.LookPath("slapd")
	if err != nil {
		program = "/usr/sbin/slapd"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("slapd is not installed: apt-get install slapd")
	}
	root := filepath.Dir(filepath.Dir(filepath.Dir(program))) // where Debian's package was unpacked
	dir := t.TempDir()
	config := filepath.Join(dir, "slapd.conf")
	var b strings.Builder
	for _, schema := range []string{"core", "cosine", "inetorgperson", "nis"} {
		fmt.Fprintf(&b, "include %s\n", filepath.Join(root, "etc/ldap/schema", schema+".schema"))
	}
	fmt.Fprintf(&b, "modulepath %s\nmoduleload back_mdb\nsizelimit 600\n", filepath.Join(root, "usr/lib/ldap"))
	fmt.Fprintf(&b, "database mdb\nmaxsize 1073741824\ndirectory %s\nsuffix %q\nrootdn %q\nrootpw %q\nindex objectClass eq\n", dir, suffix, manager, password)
	fmt.Fprintf(&b, "limits * size.soft=600 size.hard=600 size.prtotal=unlimited\n")
	require.NoError(t, os.WriteFile(config, []byte(b.String()), 0o600))

	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address = "ldap://" + free.Addr().String()
	require.NoError(t, free.Close())
	var said bytes.Buffer
	server := exec.CommandContext(context.WithoutCancel(t.Context()), program, "-f", config, "-h", address, "-d", "0")
	server.Stdout, server.Stderr = &said, &said
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(address, "ldap://"))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, time.Minute, 20*time.Millisecond)
	return address
}

// directory fills the directory with people and a group, and returns a connection to it.
func directory(t *testing.T, address string, people int) *ldap.Conn {
	t.Helper()
	conn, err := ldap.DialURL(address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.Bind(manager, password))
	add := func(dn string, attributes map[string][]string) {
		request := ldap.NewAddRequest(dn, nil)
		for name, values := range attributes {
			request.Attribute(name, values)
		}
		require.NoError(t, conn.Add(request))
	}
	add(suffix, map[string][]string{"objectClass": {"dcObject", "organization"}, "dc": {"example"}, "o": {"Example"}})
	add(headline, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"people"}})
	add(teams, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"groups"}})
	for i := range people {
		add(dn(i), map[string][]string{
			"objectClass": {"inetOrgPerson"}, "uid": {fmt.Sprintf("person%04d", i)}, "cn": {fmt.Sprintf("Person %04d", i)}, "sn": {"Person"},
			"mail": {fmt.Sprintf("person%04d@example.org", i)}, "departmentNumber": {strconv.Itoa(i % 7)}, "employeeNumber": {strconv.Itoa(i)},
		})
	}
	add("cn=support,"+teams, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"support"}, "member": {dn(1), dn(2), dn(3), "uid=elsewhere," + suffix}})
	return conn
}

func dn(i int) string { return fmt.Sprintf("employeeNumber=%d,%s", i, headline) }

// TestLDAPSync keeps a server in step with a directory of 1,000 people over three nights.
func TestLDAPSync(t *testing.T) {
	const people = 1000
	address := slapd(t)
	conn := directory(t, address, people)
	server := rocketchattest.New(
		rocketchattest.WithLimit(0, 0), rocketchattest.WithSecondFactor(), // four times as many calls as people
		rocketchattest.WithSetting("Accounts_CustomFields", `{"department":{"type":"text"}}`),
	)
	server.AddRole("desk", "Service desk", "")
	_, err := server.AddUser(rocketchattest.User{Username: "person0007", Name: "An old account", Email: "old@example.org"})
	require.NoError(t, err)
	_, err = server.AddUser(rocketchattest.User{Username: "guest", Name: "Guest", Email: "guest@example.com"})
	require.NoError(t, err)
	client, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server), rocketchat.WithLogin("admin", rocketchattest.AdminPassword),
		rocketchat.WithTwoFactor(rocketchat.AnswerWithPassword(rocketchat.NewSecret(rocketchattest.AdminPassword))))
	require.NoError(t, err)
	t.Setenv("LDAP_PASSWORD", password)
	state := filepath.Join(t.TempDir(), "state.json")
	night := func(dryRun bool) (string, error) {
		var out bytes.Buffer
		tool := &ldapSync{
			LDAP: address, BindDN: manager, Base: headline, Filter: "(objectClass=inetOrgPerson)", ID: "entryUUID", Username: "uid", Name: "cn", Mail: "mail",
			Field: map[string]string{"department": "departmentNumber"}, Role: map[string]string{"desk": "support"}, GroupBase: teams,
			State: state, Max: 0.1,
		}
		err := tool.Run(t.Context(), &cli.Session{Client: client, DryRun: dryRun, Stdout: &out, Stderr: &out})
		return out.String(), err
	}

	out, err := night(true)
	require.NoError(t, err)
	assert.Contains(t, out, "999 to create, 1 to update, 0 to activate, 0 to deactivate, 0 refused, 0 unchanged")
	assert.Len(t, server.Users(), 4, "a dry run changes nothing")

	_, err = night(false)
	require.NoError(t, err)
	assert.Len(t, server.Users(), people+3)
	ids := make(map[string]string)
	for _, u := range server.Users() {
		ids[u.Username] = u.ID
	}
	one, _ := server.User("person0001")
	assert.Equal(t, []string{"user", "desk"}, one.Roles)
	assert.Equal(t, map[string]any{"department": "1"}, one.CustomFields)

	modify := func(i int, attribute string, values ...string) {
		request := ldap.NewModifyRequest(dn(i), nil)
		request.Replace(attribute, values)
		require.NoError(t, conn.Modify(request))
	}
	for i := range 10 { // marriages: 0 to 9 get other names and addresses
		modify(i, "uid", fmt.Sprintf("married%04d", i))
		modify(i, "mail", fmt.Sprintf("married%04d@example.org", i))
	}
	modify(20, "mail", "person0021@example.org") // two swap their addresses
	modify(21, "mail", "person0020@example.org")
	modify(30, "departmentNumber", "9")
	group := ldap.NewModifyRequest("cn=support,"+teams, nil)
	group.Delete("member", []string{dn(1)})
	group.Add("member", []string{dn(40)})
	require.NoError(t, conn.Modify(group))
	for i := 50; i < 60; i++ {
		require.NoError(t, conn.Del(ldap.NewDelRequest(dn(i), nil)))
	}
	before := server.Count("users.create")
	out, err = night(false)
	require.NoError(t, err, out)
	assert.Contains(t, out, "0 to create, 14 to update, 0 to activate, 10 to deactivate, 0 refused, 976 unchanged")
	assert.Equal(t, before, server.Count("users.create"))
	married, _ := server.User("married0001")
	assert.Equal(t, ids["person0001"], married.ID, "a rename is no new account")
	assert.Equal(t, []string{"user"}, married.Roles)
	swapped, _ := server.User("person0020")
	assert.Equal(t, "person0021@example.org", swapped.Email)
	gone, _ := server.User("person0055")
	assert.True(t, gone.Inactive)
	guest, _ := server.User("guest")
	assert.False(t, guest.Inactive, "accounts that did not come from the directory are left alone")

	reads := server.Count("users.info")
	out, err = night(false)
	require.NoError(t, err)
	assert.Contains(t, out, "0 to create, 0 to update, 0 to activate, 0 to deactivate, 0 refused, 990 unchanged")
	assert.Equal(t, reads, server.Count("users.info"), "custom fields are known")

	journal, err := os.ReadFile(state + ".journal")
	require.NoError(t, err)
	assert.Empty(t, journal)
}

// TestOddDirectory: names with commas and in another case, several addresses, accounts that
// administrators delete, and runs that fail or are killed.
func TestOddDirectory(t *testing.T) {
	address := slapd(t)
	conn := directory(t, address, 20)
	add := func(dn string, attributes map[string][]string) {
		request := ldap.NewAddRequest(dn, nil)
		for name, values := range attributes {
			request.Attribute(name, values)
		}
		require.NoError(t, conn.Add(request))
	}
	add(`cn=Ann\, M\C3\BCller+employeeNumber=77,`+headline, map[string][]string{
		"objectClass": {"inetOrgPerson"}, "cn": {"Ann, Müller"}, "employeeNumber": {"77"}, "sn": {"Müller"}, "uid": {"Ann"},
		"mail": {"ann@example.org", "a.mueller@example.org"},
	})
	add("cn=posix,"+teams, map[string][]string{"objectClass": {"posixGroup"}, "cn": {"posix"}, "gidNumber": {"7"}, "memberUid": {"PERSON0004", "ann", "nobody"}})
	support := ldap.NewModifyRequest("cn=support,"+teams, nil)
	support.Add("member", []string{`CN=ann\2C m\C3\BCller+employeeNumber=77, ` + headline})
	require.NoError(t, conn.Modify(support))

	server := rocketchattest.New(rocketchattest.WithLimit(0, 0))
	server.AddRole("desk", "Service desk", "")
	server.AddRole("posix", "Posix", "")
	id, token := server.Login("admin")
	client, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server), rocketchat.WithToken(id, token))
	require.NoError(t, err)
	t.Setenv("LDAP_PASSWORD", password)
	state := filepath.Join(t.TempDir(), "state.json")
	night := func(change func(*ldapSync)) (string, error) {
		var out bytes.Buffer
		tool := &ldapSync{
			LDAP: address, BindDN: manager, Base: headline, Filter: "(objectClass=inetOrgPerson)", ID: "entryUUID", Username: "uid", Name: "cn", Mail: "mail",
			Role: map[string]string{"desk": "support", "posix": "posix"}, GroupBase: teams, State: state, Max: 0.1,
		}
		if change != nil {
			change(tool)
		}
		err := tool.Run(t.Context(), &cli.Session{Client: client, Stdout: &out, Stderr: &out})
		return out.String(), err
	}

	out, err := night(nil)
	require.NoError(t, err, out)
	ann, _ := server.User("Ann")
	assert.Equal(t, []string{"user", "desk", "posix"}, ann.Roles)
	assert.Equal(t, "ann@example.org", ann.Email)
	four, _ := server.User("person0004")
	assert.Contains(t, four.Roles, "posix")

	for name, base := range map[string]string{"nobody there": teams, "few people there": `cn=Ann\, M\C3\BCller+employeeNumber=77,` + headline} {
		_, err = night(func(l *ldapSync) { l.Base = base })
		require.Error(t, err, name)
	}
	require.NoError(t, conn.Del(ldap.NewDelRequest(dn(19), nil)))
	_, err = night(func(l *ldapSync) { l.Max = 0 })
	_, ok := errors.AsType[*rocketchat.TooManyDeactivationsError](err)
	require.True(t, ok, "nobody may be deactivated: %v", err)
	last, _ := server.User("person0019")
	assert.False(t, last.Inactive)

	// An administrator deletes an account. Its person gets another one.
	_, err = client.Users.Delete(t.Context(), rocketchat.ByUsername("person0003"), rocketchat.UserDeleteOptions{})
	require.NoError(t, err)
	_, err = night(nil)
	require.ErrorIs(t, err, rocketchat.SyncNotFound)
	journal, err := os.ReadFile(state + ".journal")
	require.NoError(t, err)
	assert.Empty(t, journal, "a run that ended leaves nothing to continue")
	_, err = night(nil)
	require.NoError(t, err)
	_, ok = server.User("person0003")
	assert.True(t, ok)
	out, err = night(nil)
	require.NoError(t, err)
	assert.Contains(t, out, "0 to create, 0 to update, 0 to activate, 0 to deactivate, 0 refused, 20 unchanged")
}

// TestLargeGroups: Active Directory gives the members of large groups in parts.
func TestLargeGroups(t *testing.T) {
	t.Parallel()
	for name, expected := range map[string]int{"member;range=0-1499": 1500, "member;Range=1500-*": 0} {
		part, next := ranged(ldap.NewEntry("cn=all", map[string][]string{name: {"cn=a"}, "member": nil}))
		assert.Equal(t, []string{"cn=a"}, part, name)
		assert.Equal(t, expected, next, name)
	}
	part, next := ranged(ldap.NewEntry("cn=all", map[string][]string{"member": {"cn=a"}}))
	assert.Empty(t, part)
	assert.Zero(t, next)
	assert.Equal(t, normal("uid=Ann,ou=people,dc=example"), normal("UID=ann, ou=People, DC=example"))
}

// TestIncompleteDirectory: nothing is changed by a directory that is not complete.
func TestIncompleteDirectory(t *testing.T) {
	address := slapd(t)
	conn := directory(t, address, 3)
	t.Setenv("LDAP_PASSWORD", password)
	tool := ldapSync{LDAP: address, BindDN: manager, Base: headline, Filter: "(objectClass=inetOrgPerson)", ID: "entryUUID", Username: "uid", Name: "cn", Mail: "mail", GroupBase: teams}
	for name, test := range map[string]struct {
		change func(l *ldapSync)
		text   string
	}{
		"no such group":     {func(l *ldapSync) { l.Role = map[string]string{"admin": "bosses"} }, "there are 0 groups bosses, not one"},
		"no such attribute": {func(l *ldapSync) { l.Username = "sAMAccountName" }, "has no sAMAccountName"},
		"no such base":      {func(l *ldapSync) { l.Base = "ou=nowhere," + suffix }, "no such object"},
		"wrong password":    {func(*ldapSync) { t.Setenv("LDAP_PASSWORD", "wrong") }, "wrong --bind-dn or LDAP_PASSWORD"},
	} {
		broken := tool
		test.change(&broken)
		_, err := broken.readDirectory(t.Context())
		require.ErrorContains(t, err, test.text, name)
		t.Setenv("LDAP_PASSWORD", password)
	}
	require.NoError(t, conn.Close())
}
