package benchmarks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/rocketchat-go/rocketchat"
)

// directoryOf answers what a plan asks for, with answers that were made before, so that
// only the client's work is measured.
type directoryOf struct {
	answers map[string][]byte
	calls   int
}

func (d *directoryOf) RoundTrip(r *http.Request) (*http.Response, error) {
	d.calls++
	body, status := d.answers[r.URL.Path], http.StatusOK
	if body == nil {
		body, status = []byte(`{"success":false,"error":"unauthorized"}`), http.StatusForbidden
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// newDirectoryOf has n accounts, and answers the list of them and their directory.
func newDirectoryOf(n int) *directoryOf {
	var list, directory bytes.Buffer
	list.WriteString(`{"users":[`)
	directory.WriteString(`{"result":[`)
	for i := range n {
		if i > 0 {
			list.WriteByte(',')
			directory.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"_id":"%017d","username":"person%06d","emails":[{"address":"person%06d@example.com","verified":true}],`+
			`"type":"user","status":"offline","active":true,"roles":["user"],"name":"Person %06d","lastLogin":"2026-01-02T03:04:05.678Z","nameInsensitive":"person %06d"}`, i, i, i, i, i)
		fmt.Fprintf(&directory, `{"_id":"%017d","username":"person%06d","name":"Person %06d","nickname":"nick %06d","bio":"Works here.","createdAt":"2026-01-02T03:04:05.678Z"}`, i, i, i, i)
	}
	fmt.Fprintf(&list, `],"count":%d,"offset":0,"total":%d,"success":true}`, n, n)
	fmt.Fprintf(&directory, `],"count":%d,"offset":0,"total":%d,"success":true}`, n, n)
	return &directoryOf{answers: map[string][]byte{
		"/api/v1/me":         []byte(`{"_id":"admin","username":"admin","roles":["admin"],"active":true,"success":true}`),
		"/api/v1/users.list": list.Bytes(),
		"/api/v1/directory":  directory.Bytes(),
		"/api/v1/roles.list": []byte(`{"roles":[{"_id":"user","name":"user"}],"success":true}`),
	}}
}

// staff are the people who should have these accounts. One in a hundred has another name.
func staff(n int, nicknames bool) []rocketchat.DesiredUser {
	desired := make([]rocketchat.DesiredUser, n)
	for i := range desired {
		desired[i] = rocketchat.DesiredUser{
			Username: fmt.Sprintf("person%06d", i), Email: fmt.Sprintf("person%06d@example.com", i),
			Name: fmt.Sprintf("Person %06d", i), Roles: []string{"user"},
		}
		if i%100 == 0 {
			desired[i].Name += " Changed"
		}
		if nicknames {
			desired[i].Nickname = new(fmt.Sprintf("nick %06d", i))
		}
	}
	return desired
}

// syncFigures is the cost of a plan for n people.
type syncFigures struct {
	calls          int
	cpu            time.Duration
	decoding       time.Duration // CPU that encoding/json needs for the same answers
	whileReading   float64       // bytes live for each user when the list has been read
	withThePlan    float64       // bytes live for each user while the plan is kept
	steps, planned int
}

func planOf(tb testing.TB, n int, nicknames bool) (f syncFigures) {
	tb.Helper()
	server := newDirectoryOf(n)
	client, err := rocketchat.New("https://chat.example.com", rocketchat.WithTransport(server),
		rocketchat.WithToken("admin", "token"), rocketchat.WithMaxAnswer(1<<30))
	if err != nil {
		tb.Fatal(err)
	}
	desired := staff(n, nicknames)
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	live := func() uint64 {
		runtime.GC()
		runtime.GC()
		return heapNow(sample)
	}
	floor := live()
	var watched time.Duration
	opts := rocketchat.SyncOptions{PlanProgress: func(r rocketchat.SyncReading) {
		if r.Op == "users.list" && r.Read == r.Total {
			begin := cpuTime()
			f.whileReading = (float64(live()) - float64(floor)) / float64(n)
			watched = cpuTime() - begin
		}
	}}
	begin := cpuTime()
	plan, err := client.Users.PlanSync(tb.Context(), desired, opts)
	f.cpu = cpuTime() - begin - watched
	if err != nil {
		tb.Fatal(err)
	}
	f.withThePlan = (float64(live()) - float64(floor)) / float64(n)
	f.calls, f.steps, f.planned = server.calls, len(plan.Steps), n/100
	runtime.KeepAlive(desired)
	runtime.KeepAlive(server)
	f.decoding = decodingOf(tb, server, nicknames)
	return f
}

// decodingOf is the CPU that encoding/json needs for what a plan reads.
func decodingOf(tb testing.TB, server *directoryOf, nicknames bool) time.Duration {
	tb.Helper()
	begin := cpuTime()
	for path, body := range server.answers {
		if path == "/api/v1/directory" && !nicknames {
			continue
		}
		var answer struct{ Users, Result []rocketchat.User }
		if err := json.Unmarshal(body, &answer); err != nil {
			tb.Fatal(err)
		}
	}
	return cpuTime() - begin
}

// TestSyncOfALargeServer plans a sync of 100,000 people with as many accounts, of whom one
// in a hundred changes.
func TestSyncOfALargeServer(t *testing.T) { //nolint:paralleltest // it measures memory and time
	const n = 100_000
	for _, nicknames := range []bool{false, true} {
		f := planOf(t, n, nicknames)
		t.Logf("nicknames %t: %d calls, %s of CPU, encoding/json %s, %.0f B live a user while reading, %.0f B with the plan", nicknames, f.calls, f.cpu, f.decoding, f.whileReading, f.withThePlan)
		if f.steps != f.planned {
			t.Errorf("%d steps instead of %d", f.steps, f.planned)
		}
		if want := map[bool]int{false: 2, true: 3}[nicknames]; f.calls != want {
			t.Errorf("%d calls instead of %d", f.calls, want)
		}
		if !raced && (f.whileReading > 400 || f.withThePlan > 400) {
			t.Errorf("%.0f and %.0f B live a user, where 400 is the limit", f.whileReading, f.withThePlan)
		}
		if most := 2 * f.decoding; !raced && f.cpu > most {
			t.Errorf("%s of CPU, where %s is the limit: twice what encoding/json needs for the answers", f.cpu, most)
		}
	}
}

func BenchmarkPlanSync(b *testing.B) {
	const n = 100_000
	server := newDirectoryOf(n)
	client, err := rocketchat.New("https://chat.example.com", rocketchat.WithTransport(server),
		rocketchat.WithToken("admin", "token"), rocketchat.WithMaxAnswer(1<<30))
	if err != nil {
		b.Fatal(err)
	}
	desired := staff(n, false)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Users.PlanSync(b.Context(), desired, rocketchat.SyncOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
