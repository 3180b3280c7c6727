package main

import (
	"errors"
	"fmt"
	stdruntime "runtime"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// A row of operations takes at least so long, so that what is between rows does not count.
	rowTakes = 20 * time.Millisecond
	// How many times the asked time a measurement waits for a collection.
	longest = 10
)

// server keeps the cluster of the last workload, since to make one takes seconds.
type server struct {
	cluster *cluster
	// How many times of each workload there have been.
	times map[string]uint64
}

// figures are of one operation, of each thread; between is its time while nothing is collected.
type figures struct{ nanoseconds, bytes, between float64 }

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

// time measures rows of operations twice. First from the end of a collection on, until one would be
// due: what an operation takes between collections. Then from the end of one to the first end of
// one after the asked time, so that the collector's work is in it as it is in the long run; unless
// so little is allocated that none is due within many times as long. Afterwards a collection is
// done, so that none goes on beside others.
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
	percent := debug.SetGCPercent(-1)
	between, err := rows(row, count, func(now passed) bool {
		return now.took >= atLeast/2 || now.bytes >= now.heap
	})
	debug.SetGCPercent(percent)
	if err != nil {
		return figures{}, err
	}
	all, err := rows(row, count, func(now passed) bool {
		isNoneDue := now.collections == 0 && now.bytes*longest < now.heap
		return now.took >= atLeast && (now.isCollected || isNoneDue)
	})
	if err != nil {
		return figures{}, err
	}
	operations := func(of passed) float64 { return float64(of.rows * count) }
	parts := float64(of.parts)
	return figures{
		nanoseconds: float64(all.took.Nanoseconds()) / operations(all) / parts,
		bytes:       float64(all.bytes) / operations(all) / parts / float64(of.threads),
		between:     float64(between.took.Nanoseconds()) / operations(between) / parts,
	}, nil
}

// passed is what there has been of a measurement.
type passed struct {
	rows uint64
	took time.Duration
	// What was allocated, and what was there before.
	bytes, heap uint64
	// Collections that have ended, and whether one did in the last row.
	collections uint32
	isCollected bool
}

// rows runs rows from the end of a collection on, until it is enough.
func rows(row func(uint64) error, count uint64, isEnough func(passed) bool) (passed, error) {
	stdruntime.GC()
	var begun, now stdruntime.MemStats
	stdruntime.ReadMemStats(&begun)
	start := time.Now()
	of := passed{heap: begun.HeapAlloc}
	for {
		if err := row(count); err != nil {
			return of, err
		}
		of.rows++
		of.took = time.Since(start)
		stdruntime.ReadMemStats(&now)
		of.bytes = now.TotalAlloc - begun.TotalAlloc
		collections := now.NumGC - begun.NumGC
		of.isCollected = collections != of.collections
		of.collections = collections
		if isEnough(of) {
			return of, nil
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
