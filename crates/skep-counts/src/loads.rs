//! The loads of many threads: what each does in its turns, and what an operation takes one that is
//! alone.

use std::iter::once;
use std::panic::Location;

use skep::counted::{Access, Kind};
use skep::{Filter, Store, Transaction, keys};

use crate::operations::{SERVICES, TASKS, Task, change, id, modify, receive_all};

/// Nanoseconds of operations on a thread that is alone. Of one run of the comparison, which
/// docs/scaling.md names: skep by one thread, on the EPYC. What that does not have is as many times
/// a view or a commit of it as the program `scaling` found, by one thread, on the EPYC: medians of
/// seven runs of `SKEP_CLOCK=cpu cargo run --release -p skep-benches --bin scaling -- 1`.
mod alone {
    /// Workload b, 6.24 M/s: a view, one read, its end.
    pub(super) const VIEW: f64 = 160.0;
    /// Workload d, 786.0 k/s: a scan of 100, with the view that it is made in.
    pub(super) const SCAN: f64 = 1_272.0;
    /// Workload e, 1.79 M/s: a transaction of 1.
    pub(super) const COMMIT: f64 = 559.0;
    /// Workload f, 144.3 k/s: of 10.
    pub(super) const COMMIT_OF_10: f64 = 6_929.0;
    /// Workload g, 7.9 k/s, of 200 updates each: an update of many.
    pub(super) const UPDATE_OF_MANY: f64 = 631.0;

    /// A get in a snapshot that is held: it finds its thread's line, and fences, for itself.
    pub(super) const GET_HELD: f64 = VIEW * 1.95;
    /// A snapshot, one read, its end.
    pub(super) const SNAPSHOT: f64 = VIEW * 2.29;
    /// A commit that creates or deletes a task of one index: half of both.
    pub(super) const COME_OR_GO: f64 = COMMIT * 1.24;
    /// A commit of 1 that the log gives to who made it: what it takes beyond the commit.
    pub(super) const RECV: f64 = COMMIT * (1.15 - 1.0);
    /// A commit of 1, delivered to a mailbox and received; of a few tasks, that stay in the cache.
    pub(super) const MAILED: f64 = COMMIT * 0.84;
    /// A watcher of everything and its end.
    pub(super) const WATCH: f64 = COMMIT * 0.31;
    /// A watcher of an index value and its end.
    pub(super) const WATCH_VALUE: f64 = COMMIT * 0.52;
    /// The same with a snapshot.
    pub(super) const SNAPSHOT_AND_WATCH: f64 = COMMIT * 0.52;
}

/// A line that all threads write and that goes by no door: a read-modify-write of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// The count of those who share the kernel (`Arc`).
    Kernel,
    /// The count of those who share what a store's handles do (`Arc`).
    Shared,
    /// The number of the next watcher of the process (`unique` in src/sync.rs).
    Number,
}

impl Unseen {
    /// As the door would note it, at an address where nothing is.
    #[must_use]
    pub fn access(self) -> Access {
        /// Far from one another, as the counts are: each alone on its lines.
        const APART: usize = 256;
        Access {
            kind: Kind::Modify,
            address: (self as usize + 1) * APART,
            place: Location::caller(),
        }
    }
}

/// What an owned snapshot shares, and its end lets go.
const OWNED: [&[Unseen]; 2] = [&[Unseen::Kernel, Unseen::Shared]; 2];
/// The same of a watcher that reads the log by a cursor.
const FROM_LOG: [&[Unseen]; 2] = [
    &[Unseen::Number, Unseen::Kernel, Unseen::Shared],
    &[Unseen::Kernel, Unseen::Shared],
];
/// Of one with a mailbox.
const FROM_MAILBOX: [&[Unseen]; 2] = [&[Unseen::Number, Unseen::Shared], &[Unseen::Shared]];
/// Of one with a mailbox, and a snapshot.
const WITH_SNAPSHOT: [&[Unseen]; 2] = [
    &[
        Unseen::Number,
        Unseen::Shared,
        Unseen::Kernel,
        Unseen::Shared,
    ],
    &[Unseen::Kernel, Unseen::Shared, Unseen::Shared],
];

/// What a thread does in its turns.
pub type Turn<'s> = Box<dyn FnMut(u64) + 's>;

/// A load of many threads.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// What it is called.
    pub name: &'static str,
    /// Operations in a turn.
    pub operations: u64,
    /// Nanoseconds of an operation on a thread that is alone.
    pub alone_nanos: f64,
    /// And of what one thread does for all of them in a round of turns.
    pub round_nanos: f64,
    /// What goes by no door, before what does in a turn, and after it.
    pub unseen: [&'static [Unseen]; 2],
    /// Makes what a thread does, from its number and how many there are.
    pub make: for<'s> fn(&'s Store, u64, u64) -> Turn<'s>,
}

impl Load {
    /// Of one operation in a turn, all of which goes by the door.
    const fn new(
        name: &'static str,
        alone_nanos: f64,
        make: for<'s> fn(&'s Store, u64, u64) -> Turn<'s>,
    ) -> Self {
        Self {
            name,
            operations: 1,
            alone_nanos,
            round_nanos: 0.0,
            unseen: [&[]; 2],
            make,
        }
    }

    const fn unseen(self, unseen: [&'static [Unseen]; 2]) -> Self {
        Self { unseen, ..self }
    }
}

/// All loads.
pub const LOADS: [Load; 15] = [
    Load::new("view, get, end", alone::VIEW, |store, thread, threads| {
        Box::new(move |time| {
            let picked = id(own(thread, threads, time));
            assert!(store.read().get::<Task>(&picked).is_some());
        })
    }),
    Load::new(
        "get in a snapshot",
        alone::GET_HELD,
        |store, thread, threads| {
            let snapshot = store.snapshot();
            Box::new(move |time| {
                let picked = id(own(thread, threads, time));
                assert!(snapshot.get::<Task>(&picked).is_some());
            })
        },
    ),
    Load::new(
        "snapshot, get, end",
        alone::SNAPSHOT,
        |store, thread, threads| {
            Box::new(move |time| {
                let picked = id(own(thread, threads, time));
                assert!(store.snapshot().get::<Task>(&picked).is_some());
            })
        },
    )
    .unseen(OWNED),
    Load::new("view, scan of 100, end", alone::SCAN, |store, _, _| {
        Box::new(|_| {
            let query = keys::<Task>().all().limit(100);
            assert_eq!(store.read().find(query).count(), 100);
        })
    }),
    Load::new(
        "commit of 1, one after the other",
        alone::COMMIT,
        |store, thread, threads| {
            Box::new(move |time| change(store, once(own(thread, threads, time))))
        },
    ),
    Load::new(
        "commit of 1, all open at once",
        alone::COMMIT,
        |store, thread, threads| updating(store, thread, threads, 1),
    ),
    Load::new(
        "commit of 10, all open at once",
        alone::COMMIT_OF_10,
        |store, thread, threads| updating(store, thread, threads, 10),
    ),
    Load {
        operations: 100,
        ..Load::new(
            "update in a commit of 100, all open at once",
            alone::UPDATE_OF_MANY,
            |store, thread, threads| updating(store, thread, threads, 100),
        )
    },
    Load::new(
        "commit of 1 create, all open at once",
        alone::COME_OR_GO,
        |store, thread, threads| {
            overlapping(store, move |tx, time| {
                let created = tx.create(Task::new(TASKS + time * threads + thread));
                created.expect("a new key");
            })
        },
    ),
    Load::new(
        "commit of 1 delete, all open at once",
        alone::COME_OR_GO,
        |store, thread, threads| {
            overlapping(store, move |tx, time| {
                let deleted = tx.delete::<Task>(&id(own(thread, threads, time)));
                deleted.expect("it is there");
            })
        },
    ),
    Load {
        round_nanos: alone::COMMIT,
        ..Load::new(
            "recv of 1 event, from the log",
            alone::RECV,
            |store, thread, threads| {
                let mut watcher = store.watch(Filter::all());
                Box::new(move |time| {
                    if time % threads == thread {
                        change(store, once(own(thread, threads, time)));
                    }
                    receive_all(&mut watcher);
                })
            },
        )
    },
    Load::new(
        "commit of 1, delivered to a mailbox, received",
        alone::MAILED,
        |store, thread, threads| {
            // What the next thread changes.
            let mut watcher = store.watch(of_service((thread + 1) % threads));
            Box::new(move |time| {
                change(store, once(thread + SERVICES * (time % (TASKS / SERVICES))));
                receive_all(&mut watcher);
            })
        },
    ),
    Load::new("watch of everything, end", alone::WATCH, |store, _, _| {
        Box::new(|_| drop(store.watch(Filter::all())))
    })
    .unseen(FROM_LOG),
    Load::new(
        "watch of an index value, end",
        alone::WATCH_VALUE,
        |store, thread, threads| {
            Box::new(move |time| drop(store.watch(of_service(time * threads + thread))))
        },
    )
    .unseen(FROM_MAILBOX),
    Load::new(
        "snapshot and watch of an index value, end",
        alone::SNAPSHOT_AND_WATCH,
        |store, thread, threads| {
            Box::new(move |time| {
                drop(store.snapshot_and_watch(of_service(time * threads + thread)));
            })
        },
    )
    .unseen(WITH_SNAPSHOT),
];

/// A task of a thread's own: none twice before all of them have been.
fn own(thread: u64, threads: u64, time: u64) -> u64 {
    let each = TASKS / threads;
    thread * each + time * 7 % each
}

/// Watches the tasks of a service, by whatever number.
fn of_service(number: u64) -> Filter {
    let service = id(number % SERVICES);
    Filter::of::<Task>().value(Task::BY_SERVICE, service).into()
}

/// [`overlapping`] updates.
fn updating(store: &Store, thread: u64, threads: u64, changes: u64) -> Turn<'_> {
    overlapping(store, move |tx, time| {
        let numbers = (0..changes).map(|at| own(thread, threads, time * changes + at));
        modify(tx, numbers).expect("they are there");
    })
}

/// Commits in its turn what it began in its last one, as all others do: so it has the commits of
/// all others to validate against.
fn overlapping<'s>(store: &'s Store, write: impl Fn(&mut Transaction<'s>, u64) + 's) -> Turn<'s> {
    let mut open: Option<Transaction<'s>> = None;
    Box::new(move |time| {
        if let Some(open) = open.take() {
            open.commit().expect("tasks of its own");
        }
        let mut next = store.begin();
        write(&mut next, time);
        open = Some(next);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MESH;
    use crate::replay::replay;
    use crate::trace::trace;

    /// Lines that move to be written, for each operation on eight cores.
    fn written(name: &str) -> f64 {
        let load = LOADS.into_iter().find(|load| load.name == name);
        let trace = trace(load.expect("a load of this name"), 8);
        replay(&trace, MESH).moved().written
    }

    #[test]
    fn an_owned_snapshot_takes_two_counts_up_and_down() {
        assert_eq!(written("get in a snapshot"), 0.0);
        let owned = written("snapshot, get, end");
        assert!((3.8..=4.1).contains(&owned), "{owned}");
    }

    #[test]
    fn watchers_write_lines_that_all_watchers_write() {
        // Both counts twice, the next number, and how many there are twice.
        let log = written("watch of everything, end");
        assert!(log >= 6.0, "{log}");
        // Of the counts one, and how many subscribers there are.
        let mailbox = written("watch of an index value, end");
        assert!(mailbox >= 6.0, "{mailbox}");
    }

    /// Who receives writes what is its own.
    #[test]
    fn the_log_is_only_read() {
        let received = written("recv of 1 event, from the log");
        assert!(received < 1.0, "{received}");
    }
}
