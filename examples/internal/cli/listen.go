package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Listen opens an address, such as 127.0.0.1:8080, for a server. The name of the flag that
// it comes from is for messages.
func Listen(ctx context.Context, flag, address string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, Usage("--%s must be an address with a port, such as 127.0.0.1:8080, not %q", flag, address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err == nil {
		return listener, nil
	}
	return nil, fmt.Errorf("cannot listen on %s: %w", address, Cause(err))
}

// Cause is what is at the bottom of an error of a network or a file, without the names of
// the functions and files on the way.
func Cause(err error) error {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("the host %s was not found", lookup.Name)
	}
	return err
}
