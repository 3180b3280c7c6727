//! What time is.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Which time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Clock {
    /// The wall clock's.
    Wall,
    /// The time that each thread ran: rates a core-second, of use on a machine that others work on,
    /// too. It does not see waiting.
    Cpu,
}

impl Clock {
    /// Time since some moment.
    pub fn now(self) -> Duration {
        let clock = match self {
            Self::Wall => ClockId::Monotonic,
            Self::Cpu => ClockId::ThreadCPUTime,
        };
        let time = clock_gettime(clock);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}
