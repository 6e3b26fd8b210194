// Command program says which release compiled it, and uses its one dependency.
package main

import (
	"fmt"
	"runtime"

	"github.com/google/uuid"
)

func main() {
	fmt.Println(runtime.Version(), uuid.NewSHA1(uuid.NameSpaceDNS, []byte("go.dev")))
}
