//! How long things took: counted by powers of two, so that a long run needs no more memory.

use std::fmt;
use std::time::Duration;

/// Powers of two of nanoseconds.
const POWERS: usize = 64;

pub struct Latencies {
    /// How many took less than each power, and not less than the one before.
    below: [u64; POWERS],
    count: u64,
    longest: Duration,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            below: [0; POWERS],
            count: 0,
            longest: Duration::ZERO,
        }
    }
}

impl Latencies {
    pub fn add(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        let power = nanos.ilog2() as usize + 1;
        self.below[power.min(POWERS - 1)] += 1;
        self.count += 1;
        self.longest = self.longest.max(took);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// A power of two that so many of a thousand stay below.
    fn share(&self, thousandths: u64) -> Duration {
        let wanted = (self.count * thousandths).div_ceil(1_000);
        let mut seen = 0;
        let power = self.below.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        power.map_or(self.longest, |power| Duration::from_nanos(1 << power))
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, thousandths) in [("p50", 500), ("p99", 990), ("p99.9", 999)] {
            write!(f, "{name} < {:?}, ", self.share(thousandths))?;
        }
        write!(f, "at most {:?} ({} reads)", self.longest, self.count)?;
        let filled = self
            .below
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        for (power, count) in filled {
            let below = Duration::from_nanos(1 << power);
            write!(f, "\n  < {below:>12?} {count:>9}")?;
        }
        Ok(())
    }
}
