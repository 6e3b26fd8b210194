// Command busy answers requests on all the threads that GOMAXPROCS allows, each one as soon as its last is done, for so many seconds, and says how long
// they took and how long the collector of garbage stopped everything. A request is CPU time and garbage, nothing else. Prints JSON, times in milliseconds.
package main

import (
	"encoding/json"
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"time"
)

const (
	keptDepth    = 18 // a tree of 8 MiB, which the collector walks in each cycle
	requestDepth = 11
	pauses       = "/sched/pauses/total/gc:seconds"
)

type node struct{ left, right *node }

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{tree(depth - 1), tree(depth - 1)}
}

func (n *node) count() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.count() + n.right.count()
}

func serve(end time.Time, answered chan<- []float64) {
	var took []float64
	for start := time.Now(); start.Before(end); {
		if tree(requestDepth).count() != 1<<(requestDepth+1)-1 {
			panic("a tree lost its leaves")
		}
		now := time.Now()
		took = append(took, milliseconds(now.Sub(start)))
		start = now
	}
	answered <- took
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// paused is the number of pauses, their median and the longest, as upper bounds of the histogram's buckets.
func paused() (count uint64, median, longest float64) {
	sample := []metrics.Sample{{Name: pauses}}
	metrics.Read(sample)
	found := sample[0].Value.Float64Histogram()
	for _, each := range found.Counts {
		count += each
	}
	var seen uint64
	for i, each := range found.Counts {
		bound := found.Buckets[i+1]
		if math.IsInf(bound, 1) {
			bound = found.Buckets[i]
		}
		if seen*2 < count {
			median = bound * 1000
		}
		if each > 0 {
			longest = bound * 1000
		}
		seen += each
	}
	return count, median, longest
}

func main() {
	seconds, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	kept := tree(keptDepth)
	answered := make(chan []float64)
	procs := runtime.GOMAXPROCS(0)
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for range procs {
		go serve(end, answered)
	}
	var took []float64
	for range procs {
		took = append(took, <-answered...)
	}
	slices.Sort(took)
	count, median, longest := paused()
	err = json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"procs": float64(procs), "rate": float64(len(took)) / float64(seconds),
		"p50": took[len(took)/2], "p99": took[len(took)*99/100], "max": took[len(took)-1],
		"pauses": float64(count), "pause_p50": median, "pause_max": longest,
	})
	if err != nil {
		panic(err)
	}
	runtime.KeepAlive(kept)
}
