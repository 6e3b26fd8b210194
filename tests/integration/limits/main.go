// Command limits says what the runtime has made of its limits, "GOMAXPROCS NumCPU", and then waits, or burns all CPU time it gets, until its input ends.
package main

import (
	"io"
	"os"
	"runtime"
	"strconv"
)

func main() {
	os.Stdout.WriteString(strconv.Itoa(runtime.GOMAXPROCS(0)) + " " + strconv.Itoa(runtime.NumCPU()) + "\n")
	if len(os.Args) > 1 && os.Args[1] == "burn" {
		for i := 0; i < runtime.NumCPU(); i++ {
			go func() {
				for {
				}
			}()
		}
	}
	io.Copy(io.Discard, os.Stdin)
}
