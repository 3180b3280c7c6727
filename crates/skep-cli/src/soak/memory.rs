//! The memory of the process: looked at all the time, drawn as a line, and bounded by what the
//! first round needed.

use crate::books::fault::Fault;

/// Of what the first round needed at most, so much may be needed later, in percent.
const GROWTH_MAX_PERCENT: u64 = 200;
/// And so many bytes more: what allocators keep.
const SLACK: u64 = 64 << 20;
/// Columns of the line.
const COLUMNS: usize = 60;
/// The heights that a column may have.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The process's memory, in bytes, as it was whenever it was looked at.
#[derive(Debug, Default)]
pub struct Memory {
    samples: Vec<u64>,
    /// The most of the round that is played.
    round: u64,
    /// The most of the first round, once that is over.
    first: Option<u64>,
    /// The most of all later rounds.
    later: u64,
}

impl Memory {
    /// Looks, where the system tells.
    pub fn look(&mut self) {
        if let Some(stats) = memory_stats::memory_stats() {
            self.note(stats.physical_mem as u64);
        }
    }

    fn note(&mut self, bytes: u64) {
        self.samples.push(bytes);
        self.round = self.round.max(bytes);
    }

    /// A round is over: a fault, if it needed more than it may.
    pub fn end_round(&mut self) -> Option<String> {
        let round = std::mem::take(&mut self.round);
        let Some(bound) = self.bound() else {
            self.first = Some(round);
            return None;
        };
        self.later = self.later.max(round);
        let fault = Fault::Memory {
            mib: mib(round),
            mib_max: mib(bound),
        };
        (round > bound).then(|| fault.to_string())
    }

    /// What a later round may need; none before the first is over, or where the system tells
    /// nothing.
    pub fn bound(&self) -> Option<u64> {
        let first = self.first.filter(|first| *first > 0)?;
        Some(first / 100 * GROWTH_MAX_PERCENT + SLACK)
    }

    /// The most of the first round, and of all later ones.
    pub fn peaks(&self) -> (u64, u64) {
        (self.first.unwrap_or(self.round), self.later)
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

/// Whole mebibytes.
pub fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(memory: &mut Memory, bytes: &[u64]) -> Option<String> {
        bytes.iter().for_each(|&bytes| memory.note(bytes));
        memory.end_round()
    }

    #[test]
    fn later_rounds_may_need_twice_as_much() {
        let mut memory = Memory::default();
        let first = 400 << 20;
        assert_eq!(memory.bound(), None);
        assert_eq!(round(&mut memory, &[first / 2, first, first / 4]), None);
        assert_eq!(memory.bound(), Some(2 * first + SLACK));
        assert_eq!(round(&mut memory, &[first * 3 / 2]), None);
        let fault = round(&mut memory, &[first * 3]).expect("too much");
        assert!(
            fault.contains("1200 MiB") && fault.contains("864 MiB"),
            "{fault}"
        );
        assert_eq!(memory.peaks(), (first, first * 3));
    }

    #[test]
    fn the_line_shows_the_most_of_each_share() {
        let mut memory = Memory::default();
        assert_eq!(memory.line(), "");
        round(&mut memory, &[0, 7, 14]);
        assert_eq!(memory.line(), "▁▄█");
        let mut memory = Memory::default();
        let mut samples = vec![1; 6_000];
        samples[3_000] = 100;
        round(&mut memory, &samples);
        let line = memory.line();
        assert_eq!(line.chars().count(), COLUMNS);
        assert_eq!(line.chars().filter(|&bar| bar == '█').count(), 1);
    }
}
