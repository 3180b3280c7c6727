//! The memory of the process: looked at all the time, drawn as a line, and bounded.
//!
//! How much a round has allocated at once is chance: what a view keeps that parks for a second is
//! hundreds of thousands of versions. But what it has allocated it must give back, and what the
//! process holds of the system's memory must follow what is allocated.

use crate::books::fault::Fault;

/// What may be left once a round is over and its store is gone, beyond what the first round left.
const LEFT_MAX: u64 = 8 << 20;
/// Of what was allocated at most, so much may the process hold, in percent: allocators keep what
/// was given back, by size and by thread.
const HELD_MAX_PERCENT: u64 = 200;
/// And so many bytes more: the program itself, its threads' stacks, and what the allocator has for
/// each of its fifteen or more threads, a page of 64 KiB for each size that the thread asked for.
/// Of 14 MiB allocated it holds 76 to 98, after one round as after a hundred.
const SLACK: u64 = 128 << 20;
/// Columns of the line.
const COLUMNS: usize = 60;
/// Samples that are kept; an even number. When one more is to come, each two neighbours become
/// one: else a soak of a day would take what it notes of its memory for a leak.
const SAMPLES_MAX: usize = 64 * COLUMNS;
/// The heights that a column may have.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The process's memory, in bytes, as it was whenever it was looked at.
#[derive(Debug, Default)]
pub struct Memory {
    /// What it held of the system's: the most of every few looks.
    samples: Vec<u64>,
    /// How often it was looked at.
    looks: u64,
    /// A sample is of two looks to the power of this.
    doublings: u32,
    /// The most it held.
    held: u64,
    /// The most that was allocated at once, by any round.
    allocated: u64,
    /// What was allocated once the first round was over.
    left_first: Option<u64>,
    /// And at most after any later one.
    left: u64,
}

impl Memory {
    /// Looks, where the system tells.
    pub fn look(&mut self) {
        if let Some(stats) = memory_stats::memory_stats() {
            self.note(stats.physical_mem as u64, allocated());
        }
    }

    fn note(&mut self, held: u64, allocated: u64) {
        self.sample(held);
        self.held = self.held.max(held);
        self.allocated = self.allocated.max(allocated);
    }

    fn sample(&mut self, held: u64) {
        if self.looks >> self.doublings == SAMPLES_MAX as u64 {
            let pairs = self.samples.chunks(2);
            self.samples = pairs
                .filter_map(|pair| pair.iter().max().copied())
                .collect();
            self.doublings += 1;
        }
        let begun = !self.looks.is_multiple_of(1 << self.doublings);
        match self.samples.last_mut().filter(|_| begun) {
            Some(last) => *last = held.max(*last),
            None => self.samples.push(held),
        }
        self.looks += 1;
    }

    /// A round is over and its store is gone: what it broke.
    pub fn end_round(&mut self) -> Vec<String> {
        self.end_round_with(allocated())
    }

    fn end_round_with(&mut self, left: u64) -> Vec<String> {
        self.left = self.left.max(left);
        let left_max = *self.left_first.get_or_insert(left) + LEFT_MAX;
        let mut faults = Vec::new();
        if left > left_max {
            faults.push(Fault::MemoryLeft {
                mib: mib(left),
                mib_max: mib(left_max),
            });
        }
        if self.held > self.held_max() {
            faults.push(Fault::MemoryHeld {
                mib: mib(self.held),
                mib_max: mib(self.held_max()),
            });
        }
        faults.iter().map(ToString::to_string).collect()
    }

    /// The most that the process held of the system's memory.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// What it might hold at most.
    pub fn held_max(&self) -> u64 {
        self.allocated / 100 * HELD_MAX_PERCENT + SLACK
    }

    /// The most that was allocated at once.
    pub fn allocated(&self) -> u64 {
        self.allocated
    }

    /// The most that was still allocated after a round.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The samples as a line of bars, each the most of its share of the time.
    pub fn line(&self) -> String {
        let most = self.samples.iter().copied().max().unwrap_or(0).max(1);
        let columns = COLUMNS.min(self.samples.len());
        let bar = |column: usize| {
            let from = column * self.samples.len() / columns;
            let until = (column + 1) * self.samples.len() / columns;
            let share = self.samples[from..until].iter().max().copied().unwrap_or(0);
            let top = BARS.len() - 1;
            BARS[usize::try_from(share * top as u64 / most).unwrap_or(top)]
        };
        (0..columns).map(bar).collect()
    }
}

/// Bytes allocated now.
fn allocated() -> u64 {
    u64::try_from(skep_measure::memory::bytes()).unwrap_or(0)
}

/// Whole mebibytes.
pub fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn what_a_round_leaves_is_bounded() {
        let mut memory = Memory::default();
        memory.note(300 * MIB, 200 * MIB);
        assert_eq!(memory.end_round_with(MIB), [""; 0]);
        assert_eq!(memory.end_round_with(MIB + LEFT_MAX), [""; 0]);
        let faults = memory.end_round_with(2 * MIB + LEFT_MAX);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].contains("10 MiB") && faults[0].contains("9 MiB"),
            "{faults:?}"
        );
        assert_eq!(memory.left(), 2 * MIB + LEFT_MAX);
    }

    #[test]
    fn the_process_holds_in_proportion_to_what_is_allocated() {
        let mut memory = Memory::default();
        memory.note(160 * MIB, 10 * MIB);
        assert_eq!(memory.end_round_with(0).len(), 1);
        memory.note(160 * MIB, 50 * MIB);
        assert_eq!(memory.end_round_with(0), [""; 0]);
        memory.note(229 * MIB, 20 * MIB);
        let faults = memory.end_round_with(0);
        assert!(
            faults[0].contains("229 MiB") && faults[0].contains("228 MiB"),
            "{faults:?}"
        );
    }

    #[test]
    fn the_line_shows_the_most_of_each_share() {
        let mut memory = Memory::default();
        assert_eq!(memory.line(), "");
        (0..3).for_each(|at| memory.note(at * 7, 0));
        assert_eq!(memory.line(), "▁▄█");
        let mut memory = Memory::default();
        (0..6_000).for_each(|at| memory.note(if at == 3_000 { 100 } else { 1 }, 0));
        let line = memory.line();
        assert_eq!(line.chars().count(), COLUMNS);
        assert_eq!(line.chars().filter(|&bar| bar == '█').count(), 1);
    }

    #[test]
    fn a_long_soak_keeps_few_samples() {
        let mut memory = Memory::default();
        let looks = 100 * SAMPLES_MAX as u64 + 7;
        for at in 0..looks {
            memory.note(if at == looks / 2 { 100 } else { 1 }, 0);
            assert!(memory.samples.len() <= SAMPLES_MAX);
        }
        let line: Vec<char> = memory.line().chars().collect();
        assert_eq!(line.iter().filter(|&&bar| bar == '█').count(), 1);
        assert_eq!((line.len(), line[COLUMNS / 2]), (COLUMNS, '█'));
    }
}
