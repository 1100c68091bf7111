// Package gatetest tests implementations of [gate.Gate] on a simulated server, in the
// virtual time of testing/synctest.
package gatetest

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rocketchat-go/rocketchat/gate"
)

// Run tests a gate. It calls open in a bubble of testing/synctest for a gate that knows
// nothing. A gate with a method Close(context.Context) error is closed at the end.
func Run(t *testing.T, open func() gate.Gate) {
	t.Helper()
	for _, one := range []struct {
		name string
		test func(*testing.T, *subject)
	}{
		{"calls go in order of arrival", inOrderOfArrival},
		{"a refused call keeps its place", keepsItsPlace},
		{"one probe goes first", oneProbeFirst},
		{"a slow probe of a known limit holds nobody up", slowProbe},
		{"a silent server gets ten calls at most", silentServer},
		{"never more are under way than remain", underWay},
		{"calls that the server did not count are no loss", notCounted},
		{"a call that was not sent gives its pass back", unsent},
		{"lost passes are void after a while", lostPasses},
		{"a pass can be given back twice", leaveTwice},
		{"cancelled calls leave nothing behind", cancelled},
		{"the error of a context tells its cause", contextEnds},
		{"calls that would wait too long fail at once", waitTooLong},
		{"calls that come to wait too long fail", limitFalls},
		{"calls that come to wait too long in a window fail", limitFallsInWindow},
		{"who may be exempt is not sent away", mayBeExempt},
		{"strangers are not sent away", strangers},
		{"MaxWait bounds a wait of unknown length", maxWaitRunsOut},
		{"waits are announced", waits},
		{"waits are announced when somebody else uses the window", waitsForNeighbour},
		{"waits are announced in a process that knows nothing", waitsOfFreshGate},
		{"callers who are not limited need not wait", exempt},
		{"exemption is granted step by step", exemptStepByStep},
		{"no exemption against a known limit", notExempt},
		{"a refusal ends an exemption", exemptionEnds},
		{"callers are kept apart", callersApart},
		{"a closed route is closed for just that time", closedRoute},
		{"a proxy closes the route, and the window goes on", proxyInWindow},
		{"a wait in whole seconds is not taken too exactly", wholeSeconds},
		{"a refusal of a window that is over closes nothing", lateRefusal},
		{"calls past the gate tell of windows, too", reports},
		{"a count that never falls is not believed", stuckCount},
		{"somebody else in the last window is expected in the next", crowdedBefore},
		{"a call between two windows does not join them", answeredInTheNext},
		{"windows can become shorter", shorterWindows},
		{"what is known", known},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { one.test(t, newSubject(t, open)) })
		})
	}
	for _, one := range bursts() {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSubject(t, open)
				result := one.Run(t.Context(), s.Gate)
				assert.Zero(t, result.Failed, result)
				assert.LessOrEqual(t, result.Refused, one.refused, result)
				assert.LessOrEqual(t, result.Crowded, 1, result)
				assert.LessOrEqual(t, result.Over(), one.over, result)
			})
		})
	}
}

// burst is a simulation and what is allowed to happen in it.
type burst struct {
	Simulation

	name    string
	refused int
	over    float64
}

func bursts() []burst {
	all := []burst{
		{Simulation{Calls: 40}, "40 calls", 0, .01},
		{Simulation{Calls: 40, Clock: time.Hour}, "the server's clock is an hour ahead", 0, .01},
		{Simulation{Calls: 40, Clock: -time.Hour}, "the server's clock is an hour behind", 0, .01},
		{Simulation{Calls: 40, Jitter: 6}, "resets that differ by milliseconds", 0, .01},
		{Simulation{Calls: 80, Window: 600 * time.Millisecond, Latency: 2 * time.Millisecond, Jitter: 6}, "windows of 600 ms", 0, .03},
		{Simulation{Calls: 6, Limit: 1}, "a limit of 1", 0, .01},
		{Simulation{Calls: 22, Limit: 5}, "a limit of 5", 0, .01},
		{Simulation{Calls: 2500, Limit: 1000}, "a limit of 1,000", 0, .01},
		{Simulation{Calls: 10_000, Limit: 1000}, "10,000 calls", 0, .01},
		{Simulation{Calls: 100, Instances: 2}, "two instances in turn", 0, 0},
		{Simulation{Calls: 100, Instances: 2, Balance: AtRandom}, "two instances at random", 2, 0},
		{Simulation{Calls: 100, Instances: 2, Balance: Sticky}, "two instances, one after the other", 2, 0},
		{Simulation{Calls: 100, Instances: 10, Balance: AtRandom}, "ten instances at random", 2, 0},
	}
	for _, latency := range []time.Duration{time.Second, 3500 * time.Millisecond, 8 * time.Second, 11 * time.Second} {
		all = append(all, burst{Simulation{Calls: 40, Latency: latency, Uneven: true}, fmt.Sprint("answers take ", latency), 0, .25})
	}
	for _, lost := range []float64{.1, .5, 1} {
		for kind, name := range map[gate.Kind]string{gate.Nothing: "nothing", gate.Free: "free"} {
			all = append(all, burst{
				Simulation{Calls: 100, Lost: lost, LostAs: kind},
				fmt.Sprintf("%.0f %% of the answers without headers, taken for %s", 100*lost, name), 2, .02,
			})
		}
	}
	for seed := range uint64(8) {
		all = append(all, burst{Simulation{Calls: 40, Neighbour: 3, Seed: seed}, fmt.Sprint("a neighbour, seed ", seed), 4, .4})
	}
	return all
}
