package main

import (
	"errors"
	"fmt"
	stdruntime "runtime"
	"sync"
	"time"
)

const (
	// A row of operations takes at least so long, so that what is between rows does not count.
	rowTakes = 20 * time.Millisecond
	// How many times the asked time a measurement may take to end with a collection.
	longest = 4
)

// server keeps the cluster of the last workload, since to make one takes seconds.
type server struct {
	cluster *cluster
	// How many times of each workload there have been.
	times map[string]uint64
}

// figures are of one operation, of each thread.
type figures struct{ nanoseconds, bytes float64 }

func (s *server) measure(name string, atLeast time.Duration) (figures, error) {
	for _, one := range workloads() {
		if one.name == name {
			if err := s.prepare(one.services); err != nil {
				return figures{}, err
			}
			return s.time(one, atLeast)
		}
	}
	return figures{}, errors.New("there is no workload " + name)
}

func (s *server) prepare(services uint64) error {
	if s.cluster != nil && s.cluster.services == services {
		return nil
	}
	// The old one goes before the new one comes.
	s.cluster = nil
	stdruntime.GC()
	var err error
	s.cluster, err = newCluster(services)
	return err
}

// time runs rows of operations: from the end of a collection to the first end of one after the
// asked time, so that the collector's work is in it as it is in the long run. Some workloads
// allocate so little that none comes soon. Afterwards a collection is done, so that none goes on
// beside others.
func (s *server) time(of workload, atLeast time.Duration) (figures, error) {
	do := of.prepare(s.cluster)
	row := func(count uint64) error {
		first := s.times[of.name]
		s.times[of.name] += count
		return together(of.threads, first, count, do)
	}
	count, err := warm(row)
	if err != nil {
		return figures{}, err
	}
	defer stdruntime.GC()
	stdruntime.GC()
	var begun, now stdruntime.MemStats
	stdruntime.ReadMemStats(&begun)
	seen, rows, start := begun.NumGC, uint64(0), time.Now()
	for {
		if err := row(count); err != nil {
			return figures{}, err
		}
		rows++
		took := time.Since(start)
		stdruntime.ReadMemStats(&now)
		isCollected := now.NumGC != seen
		seen = now.NumGC
		if took >= atLeast && isCollected || took >= longest*atLeast {
			each := float64(rows * count * of.parts)
			allocated := float64(now.TotalAlloc-begun.TotalAlloc) / float64(of.threads)
			return figures{float64(took.Nanoseconds()) / each, allocated / each}, nil
		}
	}
}

// warm finds how many operations make a row.
func warm(row func(count uint64) error) (uint64, error) {
	for count := uint64(1); ; count *= 2 {
		start := time.Now()
		if err := row(count); err != nil {
			return 0, err
		}
		if time.Since(start) >= rowTakes {
			return count, nil
		}
	}
}

// together has each of some threads run an operation for a row of times.
func together(threads, first, count uint64, do operation) error {
	run := func(thread uint64) error {
		for time := first; time < first+count; time++ {
			if err := do(thread, time); err != nil {
				return err
			}
		}
		return nil
	}
	if threads == 1 {
		return run(0)
	}
	errs := make([]error, threads)
	var all sync.WaitGroup
	for thread := uint64(0); thread < threads; thread++ {
		all.Add(1)
		go func(thread uint64) {
			defer all.Done()
			errs[thread] = run(thread)
		}(thread)
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// sizes are of a task: in protobuf's encoding, and what the heap has for one, all indexes included.
func (s *server) sizes() (string, error) {
	if err := s.prepare(usualServices); err != nil {
		return "", err
	}
	stdruntime.GC()
	var now stdruntime.MemStats
	stdruntime.ReadMemStats(&now)
	one := s.cluster.task(tasks - 1)
	return fmt.Sprintf("sizes %d %d", one.size(), now.HeapAlloc/tasks), nil
}
