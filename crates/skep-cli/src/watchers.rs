//! Shows what the store's watchers do while a replay runs: those furthest behind, and all
//! together.

use std::time::{Duration, Instant};

use skep::{Store, WatcherStats};

use crate::report::table::{grouped, titled};

/// How often they are shown.
const EVERY: Duration = Duration::from_secs(1);
/// Of how many the figures are shown each.
const SHOWN: usize = 8;

/// Shows watchers, if they are asked for.
pub struct Watchers {
    /// When they are due; None: never.
    next: Option<Instant>,
}

impl Watchers {
    /// Shows them from the first look on, or never.
    pub fn new(asked: bool) -> Self {
        Self {
            next: asked.then(Instant::now),
        }
    }

    /// The figures, if they are due.
    pub fn look(&mut self, store: &Store) -> Option<String> {
        let now = Instant::now();
        if self.next? > now {
            return None;
        }
        self.next = Some(now + EVERY);
        Some(figures(store))
    }
}

fn figures(store: &Store) -> String {
    let mut watchers = store.watchers();
    let total = |figure: fn(&WatcherStats) -> u64| {
        let figures = watchers.iter().map(figure);
        figures.fold(0, u64::saturating_add)
    };
    let (delivered, waiting) = (total(|it| it.delivered), total(|it| it.waiting));
    let (missed, bytes) = (total(|it| it.missed), total(|it| it.waiting_bytes));
    let queues = store.watch_queues();
    let behind = queues.iter().map(|queue| queue.behind).max().unwrap_or(0);
    let late = queues.iter().filter_map(|queue| queue.behind_for).max();
    let mut text = format!(
        "{} watchers, {} of them delivered to ({} commits, {} ms behind): {} events given, \
         {} waiting ({} bytes), {} commits missed\n",
        grouped(watchers.len() as u64),
        grouped(queues.iter().map(|queue| queue.watchers).sum()),
        grouped(behind),
        grouped(late.map_or(0, |late| late.as_millis() as u64)),
        grouped(delivered),
        grouped(waiting),
        grouped(bytes),
        grouped(missed),
    );
    // Those first that have lost something: of what that was the age need not be known.
    watchers.sort_by_key(|watcher| {
        let has_lost = watcher.untold > 0;
        std::cmp::Reverse((has_lost, watcher.behind_for, watcher.behind))
    });
    let mut table = titled([
        "watcher", "reads", "position", "behind", "ms", "waiting", "given", "missed",
    ]);
    for watcher in watchers.iter().take(SHOWN) {
        let millis = watcher.behind_for.map_or(0, |age| age.as_millis() as u64);
        table.add_row([
            watcher.number.to_string(),
            if watcher.mailbox { "mailbox" } else { "log" }.to_owned(),
            grouped(watcher.position.get()),
            grouped(watcher.behind),
            grouped(millis),
            grouped(watcher.waiting),
            grouped(watcher.delivered),
            grouped(watcher.missed),
        ]);
    }
    text.push_str(&table.to_string());
    text
}
