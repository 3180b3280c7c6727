//! What time is: the wall clock's, or, on a machine that others work on, too, the time that the
//! measuring threads ran. The latter does not see waiting, and what others do to caches it does not
//! hide.

use std::str::FromStr;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Which time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The wall clock's.
    Wall,
    /// The time that the calling thread ran.
    Cpu,
}

impl Clock {
    /// The one that `SKEP_CLOCK` asks for: `cpu`, or else the wall clock.
    #[must_use]
    pub fn asked() -> Self {
        let asked = std::env::var("SKEP_CLOCK").ok();
        asked.and_then(|it| it.parse().ok()).unwrap_or(Self::Wall)
    }

    /// Time since some moment. Of the wall clock some 20 ns; of the other a call of the system.
    #[must_use]
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

impl FromStr for Clock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "wall" => Ok(Self::Wall),
            "cpu" => Ok(Self::Cpu),
            _ => Err("a clock is wall or cpu".to_owned()),
        }
    }
}

/// What something took, by both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// The wall clock's time.
    pub wall: Duration,
    /// The time that the thread ran.
    pub cpu: Duration,
}

impl Spent {
    /// By one of the clocks.
    #[must_use]
    pub fn by(self, clock: Clock) -> Duration {
        match clock {
            Clock::Wall => self.wall,
            Clock::Cpu => self.cpu,
        }
    }
}

/// Both clocks, started.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Spent);

fn both() -> Spent {
    Spent {
        wall: Clock::Wall.now(),
        cpu: Clock::Cpu.now(),
    }
}

impl Stopwatch {
    /// Starts both.
    #[must_use]
    pub fn start() -> Self {
        Self(both())
    }

    /// What the calling thread has spent since; it is to be the one that started them.
    #[must_use]
    pub fn spent(self) -> Spent {
        let (now, then) = (both(), self.0);
        Spent {
            wall: now.wall.saturating_sub(then.wall),
            cpu: now.cpu.saturating_sub(then.cpu),
        }
    }

    /// The same by one clock, which is the cheaper look.
    #[must_use]
    pub fn spent_by(self, clock: Clock) -> Duration {
        clock.now().saturating_sub(self.0.by(clock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sleeps_spends_wall_time_only() {
        let watch = Stopwatch::start();
        let asleep = Duration::from_millis(20);
        std::thread::sleep(asleep);
        let spent = watch.spent();
        assert!(spent.by(Clock::Wall) >= asleep, "{spent:?}");
        assert!(spent.by(Clock::Cpu) < spent.by(Clock::Wall), "{spent:?}");
    }

    #[test]
    fn who_works_spends_time_of_both() {
        let watch = Stopwatch::start();
        while watch.spent_by(Clock::Cpu) < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        let spent = watch.spent();
        assert!(spent.cpu >= Duration::from_millis(2), "{spent:?}");
        assert!(spent.wall > Duration::ZERO, "{spent:?}");
    }

    #[test]
    fn a_clock_is_named() {
        assert_eq!("wall".parse(), Ok(Clock::Wall));
        assert_eq!("cpu".parse(), Ok(Clock::Cpu));
        assert!("sun".parse::<Clock>().is_err());
    }
}
