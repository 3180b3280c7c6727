//! What goes on beside a reader.

use std::convert::Infallible;
use std::fmt;

use skep::{Store, UpdateError};

use crate::{TASKS, Task, id, pick};

/// Changes of a large batch.
pub const BATCH: u64 = 10_000;
/// Tasks that are written again and again where garbage is made.
const HOT: u64 = 100;
/// Changes between two rounds of collection.
const GARBAGE: u64 = 1_000;

/// What goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nothing else runs.
    Nothing,
    /// A writer: one task a commit; every tenth is deleted and put in again.
    Churn,
    /// Batches of 10,000 changes, 200 a commit.
    Batches,
    /// 10,000 changes in one commit, again and again.
    LargeCommits,
    /// A writer makes garbage of a few tasks, and another thread collects all there is.
    Collection,
    /// The churn, beside a snapshot that is held all the time.
    HeldSnapshot,
    /// The same; the reader reads in the held snapshot, below what has been written since.
    InHeldSnapshot,
}

/// Work that a thread does again and again; it gets how often it has.
pub type Work = fn(&Store, u64);

impl Beside {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Churn,
        Self::Batches,
        Self::LargeCommits,
        Self::Collection,
        Self::HeldSnapshot,
        Self::InHeldSnapshot,
    ];

    /// What each of its threads does.
    #[must_use]
    pub fn threads(self) -> &'static [Work] {
        match self {
            Self::Nothing => &[],
            Self::Churn | Self::HeldSnapshot | Self::InHeldSnapshot => &[churn],
            Self::Batches => &[batch],
            Self::LargeCommits => &[large_commit],
            Self::Collection => &[garbage, collect],
        }
    }

    /// Whether a snapshot is held all the time.
    #[must_use]
    pub fn holds(self) -> bool {
        matches!(self, Self::HeldSnapshot | Self::InHeldSnapshot)
    }

    /// Whether that is what is read.
    #[must_use]
    pub fn reads_the_held_one(self) -> bool {
        self == Self::InHeldSnapshot
    }
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Churn => "a writer",
            Self::Batches => "batches of 10,000",
            Self::LargeCommits => "commits of 10,000",
            Self::Collection => "garbage made and collected",
            Self::HeldSnapshot => "a writer and a held snapshot",
            Self::InHeldSnapshot => "the same, read in the snapshot",
        })
    }
}

fn update(store: &Store, numbers: impl Iterator<Item = u64> + Clone) {
    let updated = store.update(|tx| {
        for number in numbers.clone() {
            let modified = tx.modify::<Task>(&id(number), |task| task.count += 1);
            modified.expect("it is there");
        }
        Ok::<_, Infallible>(())
    });
    updated.expect("attempts are not limited");
}

fn churn(store: &Store, time: u64) {
    let number = pick(1, time);
    if time.is_multiple_of(10) {
        let deleted = store.update(|tx| tx.delete::<Task>(&id(number)));
        deleted.expect("it is there");
        let created = store.update(|tx| tx.create(Task::new(number)));
        created.expect("it was deleted");
    } else {
        update(store, std::iter::once(number));
    }
}

fn batch(store: &Store, time: u64) {
    let first = pick(1, time);
    let done = store.batch(|batch| {
        (first..first + BATCH).try_for_each(|number| {
            batch.step(move |tx| tx.modify::<Task>(&id(number % TASKS), |task| task.count += 1))
        })?;
        Ok::<_, UpdateError<_>>(())
    });
    done.expect("the tasks are there");
}

fn large_commit(store: &Store, time: u64) {
    let first = pick(1, time);
    update(store, (first..first + BATCH).map(|number| number % TASKS));
}

fn garbage(store: &Store, time: u64) {
    let held = store.snapshot();
    for change in 0..GARBAGE {
        update(store, std::iter::once((time + change) % HOT));
    }
    drop(held);
}

fn collect(store: &Store, _: u64) {
    store.reclaim();
}
