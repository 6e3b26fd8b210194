// Command denied does what it is told, one thing after the other, and says how each ended: denied listen:9999 read:/etc/shadow …
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

const rcvbufforce = 33 // SO_RCVBUFFORCE

var verbs = map[string]func(string) error{
	"listen": func(port string) error {
		l, err := net.Listen("tcp", ":"+port)
		if err == nil {
			l.Close()
		}
		return err
	},
	"connect": func(port string) error {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err
	},
	"read": func(path string) error {
		_, err := os.ReadFile(path)
		return err
	},
	"write": func(path string) error { return os.WriteFile(path, nil, 0o600) },
	"run":   func(path string) error { return exec.Command(path).Run() },
	// Asks for more memory than the administrator allows, for which CAP_NET_ADMIN is needed.
	"buffer": func(string) error {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer syscall.Close(fd)
		return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, rcvbufforce, 1<<20)
	},
	"priority": func(string) error {
		_, _, errno := syscall.Syscall(syscall.SYS_SCHED_GET_PRIORITY_MAX, 1, 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	},
}

func main() {
	for _, wish := range os.Args[1:] {
		verb, object, _ := strings.Cut(wish, ":")
		fmt.Println(wish, verbs[verb](object))
	}
}
