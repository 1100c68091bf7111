package rocketchattest

import (
	"maps"
	"time"
)

// failedLogins counts refused log-ins under a name or from an address.
type failedLogins struct {
	count int
	last  time.Time
}

// failuresKept is how long a failure is remembered. Servers never forget them, but no test
// lasts longer.
const failuresKept = 24 * time.Hour

// attempt names what a log-in counts for: the address, and the typed username, if any.
// Log-ins by email address are not counted by name.
type attempt struct{ address, username string }

func (a attempt) keys() []string {
	keys := []string{"from " + a.address}
	if a.username != "" {
		keys = append(keys, "as "+a.username)
	}
	return keys
}

const blockedLogins = "Block_Multiple_Failed_Logins_"

// blockedLogin refuses a log-in after too many failed ones from the address or under the name, with the right password too.
func (c *call) blockedLogin(a attempt) error {
	where := fields{"function": "Accounts.validateLoginAttempt"}
	switch {
	case !c.enabled(blockedLogins + "Enabled"):
		return nil
	case c.blocked("from "+a.address, "By_Ip", "Attempts_Until_Block_By_Ip", "Time_To_Unblock_By_Ip_In_Minutes"):
		return c.refusedLogin("error-login-blocked-for-ip", "Login has been temporarily blocked For IP", where)
	case c.blocked("as "+a.username, "By_User", "Attempts_Until_Block_by_User", "Time_To_Unblock_By_User_In_Minutes"):
		return c.refusedLogin("error-login-blocked-for-user", "Login has been temporarily blocked For User", where)
	}
	return nil
}

// blocked reports whether there were too many failures, with a recent one.
func (c *call) blocked(key, by, attempts, minutes string) bool {
	f := c.failures[key]
	most := c.integer(blockedLogins + attempts)
	if f == nil || !c.enabled(blockedLogins+by) || most == 0 || f.count < most {
		return false
	}
	pause := time.Duration(c.number(blockedLogins+minutes) * float64(time.Minute))
	return c.now().Sub(f.last) <= pause
}

// failedLogin counts a refused log-in, and forgets old ones.
func (c *call) failedLogin(a attempt) {
	now := c.now()
	maps.DeleteFunc(c.failures, func(_ string, f *failedLogins) bool { return now.Sub(f.last) > failuresKept })
	for _, key := range a.keys() {
		if c.failures[key] == nil {
			c.failures[key] = &failedLogins{}
		}
		c.failures[key].count++
		c.failures[key].last = now
	}
}

// succeededLogin resets the count.
func (c *call) succeededLogin(a attempt, u *account) {
	a.username = u.username
	for _, key := range a.keys() {
		delete(c.failures, key)
	}
}
