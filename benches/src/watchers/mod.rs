//! Many watchers of one store, and of channels that take the same events: what the program
//! `watchers` and the bench `watch` share.

pub mod bus;
pub mod executor;
pub mod tables;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use bus::{Asked, Bus, Make};
use executor::Executor;

/// Events published in a row.
pub const BATCH: u64 = 64;

/// What the tasks of watchers note.
#[derive(Debug, Default)]
pub struct Notes {
    /// Events that watchers wanted.
    pub wanted: u64,
    /// Nanoseconds that they were on their way, if that is to be noted.
    pub ages: Option<Vec<u32>>,
}

/// Where they note it: all of them run on one thread.
pub type Shared = Rc<RefCell<Notes>>;

/// Nanoseconds of a clock that all threads share.
#[must_use]
pub fn now() -> u64 {
    use std::sync::LazyLock;
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed().as_nanos() as u64
}

/// Watchers of one bus, that sleep.
pub struct Swarm {
    /// What events are published to.
    pub bus: Box<dyn Bus>,
    /// Runs the watchers' tasks, on this thread.
    pub executor: Executor,
    /// What they note.
    pub notes: Shared,
    asked: Asked,
    published: u64,
}

impl Swarm {
    /// So many watchers that ask for something.
    #[must_use]
    pub fn new(make: Make, asked: Asked, watchers: usize) -> Self {
        let bus = make(asked);
        let notes = Shared::default();
        let mut executor = Executor::default();
        for watcher in 0..watchers as u64 {
            executor.spawn(bus.watch(watcher, asked, Rc::clone(&notes)));
        }
        executor.run_ready();
        Self {
            bus,
            executor,
            notes,
            asked,
            published: 0,
        }
    }

    /// Publishes events in a row, while nobody runs.
    pub fn publish(&mut self, events: u64) {
        for _ in 0..events {
            self.bus.publish(self.asked.node(self.published), now());
            self.published += 1;
        }
    }

    /// Publishes the last ones of its events to the watchers, if they are of another bus.
    pub fn publish_beside(&mut self, events: u64) {
        for event in self.published - events..self.published {
            self.bus.publish_beside(self.asked.node(event), now());
        }
    }

    /// How many events it has published.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.published
    }
}
