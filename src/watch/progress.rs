//! Progress: a watcher is told how far it is when nothing has matched for a while
//! ([`Filter::progress`](super::filter::Filter::progress)).

use std::time::{Duration, Instant};

use super::event::Event;
use super::watcher::Watcher;
use crate::error::WatchError;
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

    /// It knows to be so far: it begins there, or has been told otherwise.
    pub(super) fn tell(&mut self, version: Version) {
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

    /// How long until it may be due; a millisecond at least. Where only the news are missing, it
    /// is as long again until they are looked for.
    pub(super) fn due_in(&self) -> Duration {
        let left = self.interval.checked_sub(self.told_at.elapsed());
        left.unwrap_or(self.interval).max(Duration::from_millis(1))
    }
}

impl Watcher {
    /// How far it is, if that is due, where there is nothing more now, or ever.
    pub(super) fn nothing_more(&mut self, closed: bool) -> Result<Option<Event>, WatchError> {
        let told = self.progress();
        if closed && told.is_none() {
            // What is due later is not told any more.
            let position = self.source_position();
            if let Some(progress) = self.progress_mut() {
                progress.tell(position);
            }
            return Err(WatchError::Closed);
        }
        Ok(told)
    }

    /// The marker of how far it is, if that is due, and news.
    fn progress(&mut self) -> Option<Event> {
        let position = self.source_position();
        if !self.progress_mut()?.is_due(position) {
            return None;
        }
        let event = Event::Commit(position);
        self.note(&event);
        Some(event)
    }

    fn source_position(&self) -> Version {
        Version::new(self.source.position())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// An idle store has no news: who waits for some looks now and then.
    #[test]
    fn what_is_due_and_no_news_is_not_looked_for_all_the_time() {
        let interval = Duration::from_millis(40);
        let progress = Progress::new(interval, Version::ZERO);
        assert!(progress.due_in() <= interval);
        std::thread::sleep(interval);
        assert!(progress.is_due(Version::new(1)) && !progress.is_due(Version::ZERO));
        assert_eq!(progress.due_in(), interval);
    }
}
