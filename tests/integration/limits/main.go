// Command limits says what the runtime has made of its limits, "GOMAXPROCS NumCPU", and then waits until its input ends; or, as its first argument says,
// burns all CPU time it gets until then, or ends when it has made much garbage while so many MiB were alive: "hungry 64".
package main

import (
	"io"
	"os"
	"runtime"
	"strconv"
)

func main() {
	os.Stdout.WriteString(strconv.Itoa(runtime.GOMAXPROCS(0)) + " " + strconv.Itoa(runtime.NumCPU()) + "\n")
	switch {
	case len(os.Args) == 2 && os.Args[1] == "burn":
		for i := 0; i < runtime.NumCPU(); i++ {
			go func() {
				for {
				}
			}()
		}
	case len(os.Args) == 3 && os.Args[1] == "hungry":
		live, err := strconv.Atoi(os.Args[2])
		if err != nil {
			panic(err)
		}
		hungry(live)
		return
	}
	io.Copy(io.Discard, os.Stdin)
}

func hungry(live int) {
	const size = 2 << 10
	kept := make([][]byte, live<<20/size)
	for i := 0; i < 20*len(kept); i++ {
		piece := make([]byte, size)
		piece[0] = 1 // memory that nobody has touched is not there
		kept[i%len(kept)] = piece
	}
	runtime.KeepAlive(kept)
}
