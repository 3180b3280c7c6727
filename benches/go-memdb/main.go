// A store of a cluster's tasks in the way of SwarmKit's, on go-memdb: a stand-in to be measured
// beside Skep, by `cargo run --release -p skep-benches --bin memdb`. It has what its way costs -
// immutable radix trees, an index each, one writer at a time, deep copies of all that comes and
// goes - and leaves out what else SwarmKit's store does: proposing, publishing to watchers,
// metrics.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const help = `A store of 100,000 tasks on go-memdb, to be measured beside Skep.

It reads lines from standard input:

  measure NAME MILLIS   measures a workload for so long at least
  sizes                 says how large a task is

and answers each with a line on standard output:

  NAME NANOSECONDS_PER_OPERATION BYTES_ALLOCATED_PER_OPERATION NANOSECONDS_BETWEEN
  sizes BYTES_SERIALIZED BYTES_OF_HEAP_PER_TASK

The last figure is the time of an operation between two collections, the first that with the
collector's work. With two threads an operation is one of each. What goes wrong is said on standard error, and the
exit code is 1; for a wrong argument it is 2. Workloads:

`

func main() {
	if len(os.Args) > 1 {
		if len(os.Args) == 2 && (os.Args[1] == "--help" || os.Args[1] == "-h") {
			fmt.Print(help)
			for _, one := range workloads() {
				fmt.Println("  " + one.name)
			}
			return
		}
		fmt.Fprintln(os.Stderr, "error: it takes no arguments; --help says what it is")
		os.Exit(2)
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func serve(asked io.Reader, answers io.Writer) error {
	s := &server{times: map[string]uint64{}}
	lines := bufio.NewScanner(asked)
	for lines.Scan() {
		answer, err := s.answer(lines.Text())
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(answers, answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (s *server) answer(line string) (string, error) {
	if strings.TrimSpace(line) == "sizes" {
		return s.sizes()
	}
	var name string
	var millis int64
	if _, err := fmt.Sscanf(line, "measure %s %d", &name, &millis); err != nil || millis <= 0 {
		return "", fmt.Errorf("not understood: %q", line)
	}
	of, err := s.measure(name, time.Duration(millis)*time.Millisecond)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %.1f %.1f %.1f", name, of.nanoseconds, of.bytes, of.between), nil
}
