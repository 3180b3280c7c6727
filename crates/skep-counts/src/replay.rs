//! What a [`Trace`] takes on a machine of the model: each core has a clock, and does its next
//! access when it is the one whose clock shows the least.
//!
//! A core waits for each line that it gets. A line that is written is on its way to one core at a
//! time, so cores that write one line queue for it; readers get it side by side. What an operation
//! takes on a core that is alone is added once. So it is a bound from above on what really comes
//! out: no race is lost, nobody waits for what another is about to do, the interconnect is never
//! full, and plain memory that changes hands is left out.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::coherence::{Directory, Outcome};
use crate::model::Machine;
use crate::tally::Place;
use crate::trace::{Note, Trace};

/// What moved at a place of the sources, for each operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moved {
    /// Lines that came from other cores to be read.
    pub read: f64,
    /// And to be written.
    pub written: f64,
    /// How long that took, waiting for others who write the line among it, in nanoseconds.
    pub nanos: f64,
}

/// What came of a replay.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Operations a second, of all cores.
    pub rate: f64,
    /// What moved, by place: what took longest first.
    pub places: Vec<(Place, Moved)>,
}

impl Replayed {
    /// What moved in all.
    #[must_use]
    pub fn moved(&self) -> Moved {
        let places = self.places.iter();
        places.fold(Moved::default(), |sum, (_, moved)| Moved {
            read: sum.read + moved.read,
            written: sum.written + moved.written,
            nanos: sum.nanos + moved.nanos,
        })
    }
}

/// A core, by what its clock shows.
#[derive(Clone, Copy, Debug)]
struct Turn {
    nanos: f64,
    core: usize,
}

impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Turn {}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Ordering {
        let nanos = self.nanos.total_cmp(&other.nanos);
        nanos.then(self.core.cmp(&other.core))
    }
}

/// Where a core is in its trace.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    next: usize,
    turns: usize,
    /// When it began to be measured.
    started: f64,
}

struct Replay<'t> {
    trace: &'t Trace,
    machine: Machine,
    directory: Directory,
    /// When each line was written last.
    lines: Vec<f64>,
    positions: Vec<Position>,
    places: Vec<Moved>,
}

impl Replay<'_> {
    /// A core's next access; gives the time after it. None: it has come to its end.
    fn step(&mut self, core: usize, now: f64) -> Option<f64> {
        let position = &mut self.positions[core];
        let note = *self.trace.cores[core].get(position.next)?;
        position.next += 1;
        match note {
            Note::Turn => {
                if position.turns == self.trace.warm_up {
                    position.started = now;
                }
                position.turns += 1;
                Some(now + self.trace.turn_nanos)
            }
            Note::Access {
                line,
                place,
                writes,
            } => {
                let measured = position.turns > self.trace.warm_up;
                let outcome = self.directory.access(core, line as usize, writes);
                let done = self.done(core, now, line as usize, outcome);
                if measured {
                    self.count(place as usize, outcome, done - now);
                }
                Some(done)
            }
        }
    }

    fn done(&mut self, core: usize, now: f64, line: usize, outcome: Outcome) -> f64 {
        match outcome {
            Outcome::Hit => now,
            Outcome::Read(source) => now + self.machine.between(source, core),
            Outcome::Written(source) => {
                let done = now.max(self.lines[line]) + self.machine.between(source, core);
                self.lines[line] = done;
                done
            }
        }
    }

    fn count(&mut self, place: usize, outcome: Outcome, nanos: f64) {
        let each = 1.0 / self.trace.operations();
        let moved = &mut self.places[place];
        match outcome {
            Outcome::Hit => return,
            Outcome::Read(_) => moved.read += each,
            Outcome::Written(_) => moved.written += each,
        }
        moved.nanos += nanos * each;
    }
}

/// Replays what cores did on a machine.
#[must_use]
pub fn replay(trace: &Trace, machine: Machine) -> Replayed {
    let cores = trace.cores.len();
    let mut replay = Replay {
        trace,
        machine,
        directory: Directory::new(trace.lines),
        lines: vec![0.0; trace.lines],
        positions: vec![Position::default(); cores],
        places: vec![Moved::default(); trace.places.len()],
    };
    let starts = (0..cores).map(|core| Reverse(Turn { nanos: 0.0, core }));
    let mut turns: BinaryHeap<_> = starts.collect();
    let mut rate = 0.0;
    while let Some(Reverse(Turn { nanos, core })) = turns.pop() {
        match replay.step(core, nanos) {
            Some(nanos) => turns.push(Reverse(Turn { nanos, core })),
            None => {
                let own = trace.operations() / cores as f64;
                rate += own / (nanos - replay.positions[core].started) * 1e9;
            }
        }
    }
    let places = trace.places.iter().copied().zip(replay.places);
    let mut places: Vec<_> = places
        .filter(|(_, moved)| moved.read + moved.written > 0.0)
        .collect();
    places.sort_by(|one, other| other.1.nanos.total_cmp(&one.1.nanos));
    Replayed { rate, places }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MESH;

    const TURNS: usize = 100;

    /// The rate of cores that each work for 10 ns and then use a line of their own choice.
    fn rate(cores: usize, writes: bool, line: impl Fn(usize) -> u32) -> f64 {
        let access = |core| Note::Access {
            line: line(core),
            place: 0,
            writes,
        };
        let trace = Trace {
            cores: (0..cores)
                .map(|core| [Note::Turn, access(core)].repeat(TURNS))
                .collect(),
            places: vec![Place {
                file: "a.rs",
                line: 1,
            }],
            lines: cores,
            warm_up: 0,
            turns: TURNS,
            turn_operations: 1,
            turn_nanos: 10.0,
        };
        replay(&trace, MESH).rate
    }

    fn is_about(rate: f64, nanos: f64) -> bool {
        (rate * nanos / 1e9 - 1.0).abs() < 0.02
    }

    #[test]
    fn who_writes_one_line_queues_for_it() {
        let alone = rate(1, true, |_| 0);
        assert!(is_about(alone, 10.0), "{alone}");
        let apart = rate(8, true, |core| core as u32);
        assert!(is_about(apart, 10.0 / 8.0), "{apart}");
        let together = rate(8, true, |_| 0);
        assert!(is_about(together, MESH.group_nanos), "{together}");
    }

    #[test]
    fn who_reads_one_line_waits_for_nobody() {
        // Each gets it once.
        let once = MESH.group_nanos / TURNS as f64;
        let reading = rate(8, false, |_| 0);
        assert!(is_about(reading, (10.0 + once) / 8.0), "{reading}");
    }
}
