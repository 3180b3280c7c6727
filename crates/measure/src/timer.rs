//! A timer that knows what it takes itself.

use std::time::Instant;

use crate::times::no_times;

/// Times of nothing that are looked at to know that.
const CALIBRATIONS: u32 = 200_000;

/// Times single operations, less what the timing of nothing takes.
#[derive(Clone, Copy, Debug)]
pub struct Timer {
    own: u64,
}

fn nanos_of<R>(operation: impl FnOnce() -> R) -> u64 {
    let begun = Instant::now();
    let result = operation();
    let took = begun.elapsed();
    drop(result);
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

impl Timer {
    /// One that has found out: the median of many times of nothing, which is some milliseconds'
    /// work.
    #[must_use]
    pub fn calibrated() -> Self {
        let mut times = no_times();
        for _ in 0..CALIBRATIONS {
            times.saturating_record(nanos_of(|| ()));
        }
        let own = times.value_at_quantile(0.5);
        Self { own }
    }

    /// Nanoseconds that timing nothing takes.
    #[must_use]
    pub fn own(&self) -> u64 {
        self.own
    }

    /// Nanoseconds that an operation takes; its result is dropped after.
    pub fn time<R>(&self, operation: impl FnOnce() -> R) -> u64 {
        nanos_of(operation).saturating_sub(self.own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_sleeps_is_timed_without_the_timer() {
        let timer = Timer { own: 1_000_000 };
        let asleep = Duration::from_millis(3);
        let took = timer.time(|| std::thread::sleep(asleep));
        assert!(took >= 2_000_000, "{took}");
        assert_eq!(Timer { own: u64::MAX }.time(|| ()), 0);
    }
}
