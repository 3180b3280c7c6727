//! Progress: a watcher is told how far it is when nothing has matched for a while
//! ([`Filter::progress`](super::filter::Filter::progress)).

use std::time::{Duration, Instant};

use super::event::Event;
use crate::version::Version;

/// What a watcher was told of how far it is, and when.
#[derive(Debug)]
pub(super) struct Progress {
    interval: Duration,
    told_at: Instant,
    told: Version,
}

impl Progress {
    pub(super) fn new(interval: Duration, told: Version) -> Self {
        Self {
            interval,
            told_at: Instant::now(),
            told,
        }
    }

    /// It begins after this version.
    pub(super) fn start_at(&mut self, version: Version) {
        self.told = version;
    }

    /// Notes an event that is given; `markers`: one comes after the changes of each commit.
    #[inline]
    pub(super) fn note(&mut self, event: &Event, markers: bool) {
        match event {
            Event::Commit(version) => self.told = *version,
            // Its marker comes, and tells.
            Event::Change(_) if markers => return,
            Event::Change(_) => {}
        }
        self.told_at = Instant::now();
    }

    /// Whether it is to be told a position now: that is due, and news.
    pub(super) fn is_due(&self, position: Version) -> bool {
        position > self.told && self.told_at.elapsed() >= self.interval
    }

    /// How long until it may be due; a millisecond at least.
    pub(super) fn due_in(&self) -> Duration {
        let left = self.interval.saturating_sub(self.told_at.elapsed());
        left.max(Duration::from_millis(1))
    }
}
