package rocketchat

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// The events of a journal.
const (
	eventRun      = "run"      // a run begins
	eventPerson   = "person"   // an account belongs to a person in the list
	eventBegin    = "begin"    // a step begins
	eventEnd      = "end"      // a step has ended
	eventFinished = "finished" // the run has ended
)

// The outcomes of steps and runs in a journal.
const (
	outcomeDone     = "done"
	outcomeFailed   = "failed"
	outcomeUnknown  = "unknown"   // the step may or may not have taken effect
	outcomeNotBegun = "not begun" // nothing was sent
)

// journalLine is a line of a journal.
type journalLine struct {
	Event   string    `json:"event"`
	Time    time.Time `json:"time"`
	People  int       `json:"people,omitzero"` // in the line of a run, the number of people that follow
	ID      int       `json:"id,omitzero"`     // of the step
	Step    *SyncStep `json:"step,omitzero"`
	Ref     string    `json:"ref,omitzero"` // how the list refers to the person
	UserID  string    `json:"userId,omitzero"`
	Outcome string    `json:"outcome,omitzero"`
	Error   string    `json:"error,omitzero"`
}

// SyncJournal is the content of the journal of a run, for [SyncOptions.Resume].
type SyncJournal struct {
	// Finished is set if the run did everything. There is nothing to resume then.
	Finished bool
	// UnderWay lists the steps that may or may not have taken effect. The next plan compares
	// their accounts like all others.
	UnderWay []SyncStep

	people map[string]string // user IDs by reference
	// The people of the last run while some of its lines are missing. Until then, those of
	// the run before count.
	next    map[string]string
	missing int
}

// ReadSyncJournal reads what runs wrote to [SyncOptions.Journal]. If the journal has
// several runs, the last one counts. A last line that was cut off is ignored. An empty
// journal counts as finished.
func ReadSyncJournal(r io.Reader) (*SyncJournal, error) {
	j := &SyncJournal{Finished: true, people: make(map[string]string)}
	open := make(map[int]SyncStep)
	in := bufio.NewReader(r)
	cut := 0 // number of a line that may have been cut off
	for number := 1; ; number++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		var line journalLine
		bad := json.Unmarshal(text, &line) != nil || line.Event == ""
		if cut > 0 && (bad || line.Event != eventRun) {
			return nil, &journalError{line: cut}
		}
		if cut = 0; bad {
			cut = number
			continue
		}
		j.take(&line, open)
	}
	if cut > 0 && j.Finished {
		return nil, &journalError{line: cut}
	}
	for _, id := range slices.Sorted(maps.Keys(open)) {
		j.UnderWay = append(j.UnderWay, open[id])
	}
	return j, nil
}

// take applies a line.
func (j *SyncJournal) take(line *journalLine, open map[int]SyncStep) {
	switch line.Event {
	case eventRun:
		j.Finished = false
		j.next, j.missing = make(map[string]string), line.People
	case eventPerson:
		j.missing--
	case eventBegin:
		if line.Step != nil {
			open[line.ID] = *line.Step
		}
	case eventEnd:
		if line.Outcome != outcomeUnknown {
			delete(open, line.ID)
		}
	case eventFinished:
		if j.Finished = line.Outcome == outcomeDone; j.Finished {
			clear(j.people)
		}
	}
	people := j.people
	if j.next != nil {
		people = j.next
	}
	if line.Ref != "" && line.UserID != "" {
		people[line.Ref] = line.UserID
	}
	if j.next != nil && j.missing <= 0 {
		j.people, j.next = j.next, nil
		clear(open)
	}
}

// userID returns the account that the run was about to change for a person.
func (j *SyncJournal) userID(ref UserRef) string {
	if j == nil || len(j.people) == 0 {
		return ""
	}
	return j.people[ref.String()]
}

// journalError says which line of a journal is none.
type journalError struct{ line int }

func (e *journalError) Error() string {
	return "rocketchat: line " + strconv.Itoa(e.line) + " of the journal is not a line of a sync's journal"
}

// journal writes lines, each with one call of Write. The zero value writes nothing.
type journal struct {
	mu     sync.Mutex
	out    io.Writer
	failed error // of the first line that could not be written
}

func (j *journal) write(line *journalLine) error {
	if j.out == nil {
		return nil
	}
	line.Time = time.Now().UTC()
	text, err := json.Marshal(line)
	text = append(text, '\n')
	if line.Event == eventRun { // the line before may have been cut off
		text = append([]byte{'\n'}, text...)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil && j.failed == nil {
		var n int
		if n, err = j.out.Write(text); err == nil && n < len(text) {
			err = io.ErrShortWrite
		}
	}
	if err != nil && j.failed == nil {
		j.failed = &journalWriteError{err}
	}
	return j.failed
}

// journalWriteError is the reason for which a run stops that cannot keep its journal.
type journalWriteError struct{ err error }

func (e *journalWriteError) Error() string { return "the journal cannot be written: " + e.err.Error() }
func (e *journalWriteError) Unwrap() error { return e.err }
