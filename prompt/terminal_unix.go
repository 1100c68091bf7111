//go:build unix

package prompt

import (
	"golang.org/x/sys/unix"
)

const inputName, outputName = "/dev/tty", "/dev/tty"

// interrupt does what Ctrl-C does on a terminal that is not raw: it sends SIGINT to the
// process group. Without a controlling terminal only this process gets it.
func interrupt(fd int) {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err == nil && group > 0 && unix.Kill(-group, unix.SIGINT) == nil {
		return
	}
	_ = unix.Kill(unix.Getpid(), unix.SIGINT)
}
