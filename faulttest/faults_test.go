package faulttest

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// fault is a way in which an attempt fails.
type fault struct {
	name   string
	weight int // how often it is chosen, compared with the others
	run    func(*exchange)
}

// faults are the faults over a version of HTTP. "Before" and "after" say whether the call
// was executed.
func faults(protocol int) []fault {
	all := []fault{
		{"connection reset before the request was read", 6, func(x *exchange) { x.reset() }},
		{"connection reset, read and not executed", 6, func(x *exchange) { x.read(); x.reset() }},
		{"connection reset, executed", 8, func(x *exchange) { x.execute(); x.reset() }},
		{"slow body", 4, (*exchange).drip},
		{"cut body, shorter than announced", 6, (*exchange).short},
		{"cut body, chunked", 6, (*exchange).unfinished},
		{"no answer, not executed", 3, func(x *exchange) { x.read(); x.hang() }},
		{"no answer, executed", 4, func(x *exchange) { x.execute(); x.hang() }},
		{"executed after the client gave up", 2, (*exchange).late},
		{"502, 503, 504 before", 6, func(x *exchange) { x.read(); x.page(pick(x.rng, 502, 503, 504)) }},
		{"502, 503, 504 after", 6, func(x *exchange) { x.execute(); x.page(pick(x.rng, 502, 503, 504)) }},
		{"500 after", 2, func(x *exchange) { x.execute(); x.page(500) }},
		{"520, 522, 524 after", 3, func(x *exchange) { x.execute(); x.page(pick(x.rng, 520, 522, 524)) }},
		{"wrong JSON before", 6, func(x *exchange) { x.read(); x.nonsense() }},
		{"wrong JSON after", 5, (*exchange).spoilt},
		{"1 GiB announced", 1, func(x *exchange) { x.huge(true) }},
		{"1 GiB in chunks", 1, func(x *exchange) { x.huge(false) }},
		{"redirect to a log-in page, before", 1, func(x *exchange) { x.read(); x.redirect() }},
		{"redirect to a log-in page, after", 1, func(x *exchange) { x.execute(); x.redirect() }},
		{"401 of a proxy", 1, (*exchange).disown},
		{"answer that repeats secrets", 8, (*exchange).echo},
	}
	if protocol == 2 {
		return append(all, []fault{
			{"stream reset before the request was read", 10, (*exchange).resetStream},
			{"stream reset, read and not executed", 10, func(x *exchange) { x.read(); x.resetStream() }},
			{"stream reset, executed", 20, func(x *exchange) { x.execute(); x.resetStream() }},
			{"stream reset in the answer", 5, (*exchange).resetMiddle},
			{"connection given up, not executed", 1, func(x *exchange) { x.read(); x.refuseLate() }},
			{"connection given up, executed", 2, func(x *exchange) { x.execute(); x.refuseLate() }},
		}...)
	}
	return append(all, []fault{
		{"half-closed, not executed", 2, func(x *exchange) { x.read(); x.halfClose() }},
		{"half-closed, executed", 2, func(x *exchange) { x.execute(); x.halfClose() }},
		{"slow-loris", 1, (*exchange).loris},
		{"answered, then closed", 5, (*exchange).lastWord},
		{"headers that repeat secrets", 2, (*exchange).echoHeaders},
	}...)
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// reset breaks the connection so that the client sees a reset, not an end.
func (x *exchange) reset() {
	if c := x.connection(); c != nil {
		c.cut()
		panic(http.ErrAbortHandler)
	}
	if tcp := x.hijack(); tcp != nil {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
}

// drip sends a right answer slowly, but in time.
func (x *exchange) drip() {
	rec := x.execute()
	x.start(rec)
	body := rec.Body.Bytes()
	step := max(len(body)/6, 1)
	for len(body) > 0 {
		n := min(step, len(body))
		_, _ = x.w.Write(body[:n])
		body = body[n:]
		_ = http.NewResponseController(x.w).Flush()
		x.wait(x.attempt / 40)
	}
}

// short announces more than it sends.
func (x *exchange) short() {
	rec := x.execute()
	rec.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()+1+x.rng.IntN(100)))
	x.start(rec)
	_, _ = x.w.Write(rec.Body.Bytes()[:x.rng.IntN(rec.Body.Len()+1)])
}

// unfinished breaks off a chunked answer.
func (x *exchange) unfinished() {
	rec := x.execute()
	rec.Header().Del("Content-Length")
	x.start(rec)
	_, _ = x.w.Write(rec.Body.Bytes()[:x.rng.IntN(rec.Body.Len()+1)])
	_ = http.NewResponseController(x.w).Flush()
	panic(http.ErrAbortHandler)
}

// hang answers nothing until the client has gone.
func (x *exchange) hang() {
	x.wait(10 * x.attempt)
	panic(http.ErrAbortHandler)
}

// late executes the call after the client has stopped waiting, like a server with a queue.
func (x *exchange) late() {
	x.read()
	timer := time.NewTimer(x.attempt + x.attempt/4)
	defer timer.Stop()
	<-timer.C
	x.execute()
	panic(http.ErrAbortHandler)
}

// page answers as a proxy does.
func (x *exchange) page(status int) {
	x.answer(status, "text/html; charset=utf-8", fmt.Sprintf("<html><head><title>%d</title></head><body>sorry</body></html>", status))
}

// disown answers 401 although the token is good. The client cannot know that, so the
// session that it gives up stays open.
func (x *exchange) disown() {
	x.read()
	x.mu.Lock()
	x.disowned[x.part.call] = true
	x.mu.Unlock()
	x.page(http.StatusUnauthorized)
}

// nonsense is a success that no Rocket.Chat server sends. It never consists of a plain
// "success": true, which no client could recognise as wrong.
func (x *exchange) nonsense() {
	if x.part.op == "logout" { // the right answer to it is empty
		x.page(http.StatusOK)
		return
	}
	x.answer(http.StatusOK, pick(x.rng, "application/json", "application/json; charset=utf-8", ""), pick(x.rng,
		``, `{}`, `null`, `[]`, `"ok"`, `42`, `true`, `{"success":"yes"}`, `{"success":true`, `{"success":true,"user":{"_id":"abc"`, `{]`,
		`{"user":7,"data":[],"users":{},"roles":3,"token":{},"preferences":"no","tokens":{},"customUserStatus":1,"_id":[],"info":0,"status":{},"statuses":{},"items":1}`,
	))
}

// spoilt is the right answer in a broken form.
func (x *exchange) spoilt() {
	body := x.execute().Body.String()
	switch x.rng.IntN(4) {
	case 0:
		x.answer(http.StatusOK, "application/json", body[:len(body)/2])
	case 1:
		x.answer(http.StatusOK, "text/html", body)
	case 2:
		x.answer(http.StatusOK, "application/json", body+body)
	default:
		x.answer(http.StatusNoContent, "", "")
	}
}

// gibibyte is the length of the answers that are too long.
const gibibyte = 1 << 30

// zeros is the content of a huge answer.
var zeros [64 << 10]byte

// huge sends 1 GiB, or as much as the client reads.
func (x *exchange) huge(announced bool) {
	if x.rng.IntN(2) == 0 {
		x.execute()
	} else {
		x.read()
	}
	x.w.Header().Set("Content-Type", "application/json")
	if announced {
		x.w.Header().Set("Content-Length", strconv.Itoa(gibibyte))
	}
	for sent := 0; sent < gibibyte; sent += len(zeros) {
		if _, err := x.w.Write(zeros[:]); err != nil || x.r.Context().Err() != nil {
			break
		}
	}
	panic(http.ErrAbortHandler)
}

// halfClose ends the server's side of the connection and leaves the other one open.
func (x *exchange) halfClose() {
	tcp := x.hijack()
	if tcp == nil {
		return
	}
	defer func() { _ = tcp.Close() }()
	_ = tcp.CloseWrite()
	_ = tcp.SetReadDeadline(time.Now().Add(2 * x.attempt))
	_, _ = tcp.Read(make([]byte, 1))
}

// loris sends a header byte by byte, for longer than the client waits.
func (x *exchange) loris() {
	x.read()
	tcp := x.hijack()
	if tcp == nil {
		return
	}
	defer func() { _ = tcp.Close() }()
	end := time.Now().Add(2 * x.attempt)
	_, err := tcp.Write([]byte("HTTP/1.1 200 OK\r\nX-Slow: "))
	for err == nil && time.Now().Before(end) {
		x.pause(x.attempt / 20)
		_, err = tcp.Write([]byte{'z'})
	}
}

// redirect sends the client to another host, which must not get its credentials.
func (x *exchange) redirect() {
	x.w.Header().Set("Location", "http://127.0.0.1:1/portal?from=proxy")
	x.page(http.StatusFound)
}

// echo refuses the call and repeats its secrets in many forms and places.
func (x *exchange) echo() {
	x.read()
	text := x.repeated()
	if x.rng.IntN(8) == 0 {
		x.answer(pick(x.rng, 200, 400, 403, 500, 502), "text/html", "<html>"+text+"</html>")
		return
	}
	members := map[string]any{"success": false, "status": "error"}
	for _, place := range []string{"error", "errorType", "message", "code", "details", "data"} {
		if x.rng.IntN(2) == 0 {
			members[place] = text
		}
	}
	switch x.rng.IntN(4) {
	case 0:
		members["error"] = text + " [error-invalid-params]"
	case 1:
		members["details"] = map[string]any{"method": text, text: []string{text}}
	case 2:
		members["error"] = map[string]any{"error": text, "reason": text, "message": text, "errorType": text}
	default:
		members["errorType"], members["error"] = "error-invalid-params", text
	}
	body, _ := json.Marshal(members)
	x.answer(pick(x.rng, 200, 400, 403, 404, 500, 503), "application/json", string(body))
}

// repeated is a text with the secrets of the request in various forms.
func (x *exchange) repeated() string {
	var b strings.Builder
	for _, secret := range x.sent() {
		b.WriteString(pick(x.rng, "", "bad: ", "\x1b[31m", "\n", "\x1b[2J\r\n", "\u009b2J", "https://example.org/?token=", "\u202e", "\x00"))
		switch x.rng.IntN(6) {
		case 0: // what is dropped must not join the parts
			at := x.rng.IntN(min(len(secret), 16)) // Details keep what is between
			b.WriteString(secret[:at] + pick(x.rng, "\x1b", "\x00", "\u200b", "\u202e") + secret[at:])
		case 1:
			b.WriteString(strconv.Quote(secret))
		default:
			b.WriteString(secret)
		}
		b.WriteString(pick(x.rng, "", "\x1b[0m", "\n\tat Object.<anonymous> ", "\r", "; "))
	}
	switch x.rng.IntN(8) {
	case 0: // as long as an answer may be
		filler := pick(x.rng, "x", "\n", "\x1b", b.String()+" ")
		return strings.Repeat(filler, (maxAnswer-8<<10)/8/max(len(filler), 1)) + b.String()
	case 1: // about as long as what is looked at
		return strings.Repeat(pick(x.rng, "\x1b", "\n", "\x00"), x.rng.IntN(22_000)) + b.String()
	case 2: // about as long as what is shown
		return strings.Repeat("long ", 50+x.rng.IntN(14)) + b.String()
	}
	return b.String()
}

// echoHeaders repeats secrets in headers that are none, which net/http quotes.
func (x *exchange) echoHeaders() {
	x.read()
	tcp := x.hijack()
	if tcp == nil {
		return
	}
	defer func() { _ = tcp.Close() }()
	text := strings.Join(x.sent(), " ")
	_, _ = io.WriteString(tcp, pick(x.rng,
		"HTTP/1.1 200 OK\r\nX-Auth-Token "+text+"\r\n\r\n{}",
		"HTTP/1.1 "+text+"\r\n\r\n{}",
		text+"\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: "+text+"\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 302 Found\r\nLocation: http://example.org/?"+strings.ReplaceAll(text, " ", "&")+"\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 429 Slow down\r\nRetry-After: "+text+"\r\nX-RateLimit-Reset: "+text+"\r\nContent-Length: 0\r\n\r\n",
	))
}

// lastWord sends a good answer and closes the connection, which the client expects to
// reuse.
func (x *exchange) lastWord() {
	rec := x.execute()
	tcp := x.hijack()
	if tcp == nil {
		return
	}
	defer func() { _ = tcp.Close() }()
	res := rec.Result()
	res.ContentLength = int64(rec.Body.Len())
	res.Header.Set("Connection", "keep-alive")
	_ = res.Write(tcp)
}

// refuse answers 429 in one of several forms.
func (x *exchange) refuse() string {
	const text = `{"success":false,"error":"Error, too many requests. Please slow down. You must wait %d seconds before trying %s. [error-too-many-requests]"}`
	x.read()
	switch n := x.rng.IntN(40); { // the first ones are a second of waiting each
	case n == 0:
		x.answer(http.StatusTooManyRequests, "application/json", fmt.Sprintf(text, 1, "this endpoint again"))
		return "429 without headers"
	case n == 1:
		x.w.Header().Set("Retry-After", "1")
		x.answer(http.StatusTooManyRequests, "text/html", "<html>slow down</html>")
		return "429 of a proxy"
	case n < 4:
		x.answer(http.StatusTooManyRequests, "application/json", fmt.Sprintf(text, x.rng.IntN(2), "again"))
		return "429 of the hidden limiter"
	}
	x.w.Header().Set("X-RateLimit-Limit", "10")
	x.w.Header().Set("X-RateLimit-Remaining", "0")
	x.w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(20*time.Millisecond).UnixMilli(), 10))
	x.answer(http.StatusTooManyRequests, "application/json", fmt.Sprintf(text, 1, "this endpoint again"))
	return "429 with headers"
}

// hijack takes the connection from the HTTP server; nil if it is gone.
func (x *exchange) hijack() *net.TCPConn {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return nil
	}
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}
