//go:build linux

// The tests run a program on a pseudo-terminal. The program is the test binary itself.
package prompt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/rocketchat-go/rocketchat"
	"github.com/rocketchat-go/rocketchat/prompt"
	"github.com/rocketchat-go/rocketchat/rocketchattest"
)

const (
	programVariable = "PROMPT_TEST_PROGRAM"
	password        = rocketchattest.AdminPassword
	totpKey         = "JBSWY3DPEHPK3PXP"
)

// programs are the programs in the test binary.
var programs = map[string]func(context.Context){
	"ask": func(ctx context.Context) {
		got, err := prompt.Password(ctx, "Password: ")
		report(got, err)
	},
	"ask without a handler": func(context.Context) {
		got, err := prompt.Password(context.Background(), "Password: ")
		report(got, err)
	},
	"ask with a deadline": func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		got, err := prompt.Password(ctx, "Password: ")
		report(got, err)
		got, err = prompt.Password(context.Background(), "Again: ")
		report(got, err)
	},
	"ask two": func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				_, err := prompt.Password(ctx, "Password: ")
				fmt.Println(errors.Is(err, context.Canceled))
			})
		}
		both.Wait()
	},
	"ahead": func(ctx context.Context) {
		answer := prompt.SecondFactor(rocketchat.Secret{})
		ahead := rocketchat.TwoFactorChallenge{Op: "users.update", Method: rocketchat.TwoFactorPassword, Ahead: true}
		got, err := answer(ctx, ahead)
		fmt.Println("ahead:", got.IsZero(), err)
		asked := ahead
		asked.Ahead = false
		got, err = answer(ctx, asked)
		report(got, err)
		got, err = answer(ctx, ahead)
		report(got, err)
		ahead.Method = rocketchat.TwoFactorTOTP
		got, err = answer(ctx, ahead)
		fmt.Println("ahead:", got.IsZero(), err)
	},
	"tokens": func(ctx context.Context) {
		server := rocketchattest.New(rocketchattest.WithSecondFactor(), rocketchattest.WithLimit(0, 0))
		_, err := server.AddUser(rocketchattest.User{Username: "tess", TOTPSecret: totpKey})
		if err != nil {
			fmt.Println(err)
			return
		}
		id, token := server.Login(os.Getenv("PROMPT_TEST_USER"))
		client, err := rocketchat.New(server.URL(), rocketchat.WithTransport(server), rocketchat.WithToken(id, token),
			rocketchat.WithTwoFactor(prompt.SecondFactor(rocketchat.NewSecret(os.Getenv("PROMPT_TEST_PASSWORD")))))
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, name := range []string{"one", "two"} {
			_, err := client.Tokens.Generate(ctx, name, rocketchat.TokenGenerateOptions{})
			fmt.Println("token:", err, errors.Is(err, rocketchat.ErrSecondFactorRequired), errors.Is(err, prompt.ErrNoTerminal))
		}
	},
}

func report(got rocketchat.Secret, err error) {
	fmt.Printf("right: %t, error: %v\n", got.Reveal() == password, err)
	fmt.Println("interrupted:", errors.Is(err, prompt.ErrInterrupted) && errors.Is(err, context.Canceled))
}

func TestMain(m *testing.M) {
	name := os.Getenv(programVariable)
	run, ok := programs[name]
	if !ok {
		os.Exit(m.Run())
	}
	ctx := context.Background()
	if name != "ask without a handler" {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
	}
	run(ctx)
	fmt.Println("context:", ctx.Err())
}

// longest is when a program counts as hung. It is long, because the machine may be slow.
const longest = 2 * time.Minute

func program(t *testing.T, name string, env ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	t.Cleanup(cancel)
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(ctx, self)
	command.Env = append(os.Environ(), append(env, programVariable+"="+name, "GORACE=atexit_sleep_ms=0")...)
	return command
}

// screen is a pseudo-terminal with a program on it.
type screen struct {
	t       *testing.T
	command *exec.Cmd
	pty     *os.File
	tty     *os.File    // open until the end of the program, so that its state can be read then
	echo    bool        // before the program
	shown   chan []byte // closed by end
	text    bytes.Buffer
}

func start(t *testing.T, name string, env ...string) *screen {
	t.Helper()
	controller, tty, err := pty.Open()
	require.NoError(t, err)
	s := &screen{t: t, command: program(t, name, env...), pty: controller, tty: tty, shown: make(chan []byte, 100)}
	s.echo = s.echoes()
	s.command.Stdin, s.command.Stdout, s.command.Stderr = tty, tty, tty
	s.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, s.command.Start())
	t.Cleanup(func() {
		_ = controller.Close()
		_ = tty.Close()
	})
	go func() {
		defer close(s.shown)
		for {
			part := make([]byte, 1024)
			n, err := controller.Read(part)
			if err != nil {
				return
			}
			s.shown <- part[:n]
		}
	}()
	return s
}

// echoes reports whether the terminal shows what is typed.
func (s *screen) echoes() bool {
	state, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	require.NoError(s.t, err)
	return state.Lflag&unix.ECHO != 0 && state.Lflag&unix.ICANON != 0 && state.Lflag&unix.ISIG != 0
}

// await waits until a text was shown n times.
func (s *screen) await(text string, times int) {
	s.t.Helper()
	patience := time.After(longest)
	for strings.Count(s.text.String(), text) < times {
		select {
		case part := <-s.shown:
			s.text.Write(part)
		case <-patience:
			require.FailNow(s.t, "not shown", "%q is not in %q", text, s.text.String())
		}
	}
}

func (s *screen) press(keys string) {
	s.t.Helper()
	_, err := io.WriteString(s.pty, keys)
	require.NoError(s.t, err)
}

// end waits for the end of the program, after which the terminal is as it was.
func (s *screen) end() (*os.ProcessState, string) {
	s.t.Helper()
	_ = s.command.Wait()
	assert.True(s.t, s.echo, "a terminal shows what is typed")
	assert.True(s.t, s.echoes(), "the terminal is restored")
	require.NoError(s.t, s.tty.Close()) // ends the reading of what was shown
	for part := range s.shown {
		s.text.Write(part)
	}
	return s.command.ProcessState, s.text.String()
}

func TestPassword(t *testing.T) {
	t.Parallel()
	s := start(t, "ask")
	s.await("Password: ", 1)
	require.Eventually(t, func() bool { return !s.echoes() }, longest, time.Millisecond)
	s.press("wrong\x15" + password + "X\x7f\r") // Ctrl-U takes back the line, the last key a letter
	_, text := s.end()
	assert.Contains(t, text, "right: true, error: <nil>")
	assert.NotContains(t, text, password)
	assert.NotContains(t, text, "wrong")
}

func TestNothingTyped(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]string{"Ctrl-D": "\x04", "an empty line": "\r"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "ask")
			s.await("Password: ", 1)
			s.press(keys)
			_, text := s.end()
			assert.Contains(t, text, "prompt: nothing was typed")
			assert.Contains(t, text, "context: <nil>")
		})
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	s := start(t, "ask")
	s.await("Password: ", 1)
	s.press("half of it\x03")
	state, text := s.end()
	assert.Contains(t, text, "interrupted: true")
	assert.Contains(t, text, "context: context canceled")
	assert.True(t, state.Success(), "the handler decides how the process ends")
	assert.NotContains(t, text, "half")
}

func TestInterruptWithoutHandler(t *testing.T) {
	t.Parallel()
	s := start(t, "ask without a handler")
	s.await("Password: ", 1)
	s.press("\x03")
	state, text := s.end()
	status, ok := state.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	assert.True(t, status.Signaled(), text)
	assert.Equal(t, syscall.SIGINT, status.Signal())
}

func TestInterruptOfTwo(t *testing.T) {
	t.Parallel()
	s := start(t, "ask two")
	s.await("Password: ", 1)
	s.press("\x03")
	_, text := s.end()
	assert.Equal(t, 1, strings.Count(text, "Password: "), "the other question is not asked")
	assert.Equal(t, 2, strings.Count(text, "true"))
}

func TestSignal(t *testing.T) {
	t.Parallel()
	s := start(t, "ask")
	s.await("Password: ", 1)
	require.NoError(t, s.command.Process.Signal(os.Interrupt))
	_, text := s.end()
	assert.Contains(t, text, "right: false, error: context canceled")
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	s := start(t, "ask with a deadline")
	s.await("right: false, error: context deadline exceeded", 1)
	s.await("Again: ", 1)
	s.press(password + "\r")
	_, text := s.end()
	assert.Contains(t, text, "right: true", "a question that was dropped takes no answer")
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	s := start(t, "tokens", "PROMPT_TEST_USER=admin")
	const question = "users.generatePersonalAccessToken needs the password of the account: "
	s.await(question, 1)
	s.press(password + "\r")
	s.await("token: <nil>", 2)
	_, text := s.end()
	assert.Equal(t, 1, strings.Count(text, question), "what was typed is remembered")

	s = start(t, "tokens", "PROMPT_TEST_USER=tess")
	for n := range 2 {
		s.await("needs a code of the authenticator app: ", n+1)
		s.press(rocketchattest.TOTPCode(totpKey, time.Now()) + "\r")
	}
	s.await("token: <nil>", 2)
	s.end()

	s = start(t, "tokens", "PROMPT_TEST_USER=admin")
	s.await(question, 1)
	s.press("\r")
	s.await(question, 2)
	s.press("\x03")
	_, text = s.end()
	assert.Contains(t, text, "nothing was typed")
	assert.Contains(t, text, "context: context canceled")
}

func TestKnownPassword(t *testing.T) {
	t.Parallel()
	s := start(t, "tokens", "PROMPT_TEST_USER=admin", "PROMPT_TEST_PASSWORD="+password)
	s.await("token: <nil>", 2)
	_, text := s.end()
	assert.NotContains(t, text, "needs")
}

func TestAhead(t *testing.T) {
	t.Parallel()
	s := start(t, "ahead")
	s.await("ahead: true <nil>", 1)
	s.await("needs the password", 1)
	s.press(password + "\r")
	s.await("right: true", 2)
	s.await("ahead: true <nil>", 2)
	_, text := s.end()
	assert.Equal(t, 1, strings.Count(text, "needs"))
}

// Without a terminal nobody can be asked, and the call says what it lacks.
func TestNoTerminal(t *testing.T) {
	t.Parallel()
	command := program(t, "tokens", "PROMPT_TEST_USER=admin")
	text, err := command.CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(string(text), "there is no terminal"), "%s", text)
	assert.Equal(t, 2, strings.Count(string(text), "true true"), "%s", text)
}

// Questions reach the terminal although standard input and output are redirected.
func TestRedirected(t *testing.T) {
	t.Parallel()
	controller, tty, err := pty.Open()
	require.NoError(t, err)
	defer controller.Close()
	var stdout bytes.Buffer
	command := program(t, "ask")
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader("not the password\n"), &stdout, tty
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2}
	require.NoError(t, command.Start())
	require.NoError(t, tty.Close())
	shown := make([]byte, len("Password: "))
	_, err = io.ReadFull(controller, shown)
	require.NoError(t, err)
	assert.Equal(t, "Password: ", string(shown))
	_, err = io.WriteString(controller, password+"\r")
	require.NoError(t, err)
	require.NoError(t, command.Wait())
	assert.Contains(t, stdout.String(), "right: true")
}
