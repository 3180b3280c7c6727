//! Which cache lines move between cores, by a directory as a processor keeps one: a line is held by
//! one core to write, or by any number to read.
//!
//! Caches have no end here, so a line moves only because another core used it: what is counted is
//! the cost of sharing.

/// Cores at most.
pub const CORES_MAX: usize = 128;

/// Who has a line.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// A bit for each core; none has used it yet: it is its first user's.
    holders: u128,
    /// Whether the only one may write it without asking.
    exclusive: bool,
    /// Whom it comes from: who wrote it last, or had it first.
    source: usize,
}

/// What became of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The core had the line, or nobody.
    Hit,
    /// The line came from a core, to be read.
    Read(usize),
    /// The line came from a core to be written; whoever else had it has it no more.
    Written(usize),
}

/// All lines, by number.
#[derive(Clone, Debug)]
pub struct Directory {
    lines: Vec<Line>,
}

impl Directory {
    /// So many lines, of which nobody has any.
    #[must_use]
    pub fn new(lines: usize) -> Self {
        let unused = Line {
            holders: 0,
            exclusive: false,
            source: 0,
        };
        Self {
            lines: vec![unused; lines],
        }
    }

    /// A core reads a line, or writes it.
    ///
    /// # Panics
    /// If there are not so many cores, or lines.
    pub fn access(&mut self, core: usize, line: usize, writes: bool) -> Outcome {
        assert!(core < CORES_MAX, "{core} of {CORES_MAX} cores");
        let own = 1 << core;
        let alone = Line {
            holders: own,
            exclusive: true,
            source: core,
        };
        let line = &mut self.lines[line];
        let before = *line;
        if before.holders == 0 {
            *line = alone;
            Outcome::Hit
        } else if writes && !(before.exclusive && before.holders == own) {
            *line = alone;
            Outcome::Written(before.source)
        } else if !writes && before.holders & own == 0 {
            line.holders |= own;
            line.exclusive = false;
            Outcome::Read(before.source)
        } else {
            Outcome::Hit
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READS: bool = false;
    const WRITES: bool = true;

    /// How many lines move to be read, and to be written, when cores do this one after the other.
    fn moved(accesses: &[(usize, usize, bool)]) -> (usize, usize) {
        let mut directory = Directory::new(4);
        let outcomes = accesses.iter();
        let outcomes = outcomes.map(|(core, line, writes)| directory.access(*core, *line, *writes));
        let outcomes: Vec<_> = outcomes.collect();
        let read = outcomes.iter().filter(|it| matches!(it, Outcome::Read(_)));
        let written = outcomes
            .iter()
            .filter(|it| matches!(it, Outcome::Written(_)));
        (read.count(), written.count())
    }

    #[test]
    fn what_one_core_uses_stays() {
        let alone = [(0, 1, READS), (0, 1, WRITES), (0, 1, WRITES), (0, 1, READS)];
        assert_eq!(moved(&alone), (0, 0));
    }

    #[test]
    fn what_is_only_read_moves_once_to_each() {
        assert_eq!(moved(&[(0, 1, READS), (1, 1, READS)].repeat(5)), (1, 0));
    }

    #[test]
    fn a_line_that_two_write_moves_each_time() {
        assert_eq!(moved(&[(0, 1, WRITES), (1, 1, WRITES)].repeat(5)), (0, 9));
        assert_eq!(moved(&[(0, 1, WRITES), (1, 2, WRITES)].repeat(5)), (0, 0));
    }

    #[test]
    fn a_writer_takes_the_line_from_its_readers() {
        let published = [
            (0, 1, WRITES),
            (1, 1, READS),
            (2, 1, READS),
            (0, 1, WRITES),
            (1, 1, READS),
        ];
        assert_eq!(moved(&published), (3, 1));
        let mut directory = Directory::new(1);
        assert_eq!(directory.access(5, 0, WRITES), Outcome::Hit);
        assert_eq!(directory.access(6, 0, READS), Outcome::Read(5));
        assert_eq!(directory.access(6, 0, WRITES), Outcome::Written(5));
        assert_eq!(directory.access(5, 0, READS), Outcome::Read(6));
    }
}
