//! The workloads that are not one rate: a held snapshot (j), churn (k), memory (l), a stopped
//! thread (m), a transaction left open (n).

use std::time::Duration;

use skep_measure::clock::{Clock, Stopwatch};
use skep_measure::figures::Summary;
use skep_measure::memory;

use crate::asked::Bound::{AtLeast, AtMost, Times};
use crate::asked::{Bound, Check};
use crate::held::{
    HELD_KEYS, HELD_MORE, HELD_MORE_MAX, HELD_NONE, HELD_ONE, HELD_RATIO, HELD_RIGHT, held,
};
use crate::peers::{Kind, Peer, SURREALMX};
use crate::stops::{READERS, WRITERS, stops};
use crate::task::TASK_BYTES;

/// Tasks that are in at one time during churn.
const CHURN_ALIVE: u64 = 1000;
/// Commits beside the open transaction.
const OPEN_COMMITS: u32 = 70_000;
/// Commits beside another one, which is asked finally.
const OPEN_COMMITS_FINALLY: u32 = 1_000_000;
/// How long memory must stay the same to have settled.
const SETTLE_STEP: Duration = Duration::from_millis(300);
/// Steps waited for that at most.
const SETTLE_STEPS_MAX: u32 = 20;
/// Times that epochs are pushed on a step; each may free some hundreds of objects.
const SETTLE_FLUSHES: u32 = 1000;
/// Updates end after so long, however many were asked for: some stores slow down with every one
/// that a snapshot or a transaction is open beside.
const UPDATES_TIME_MAX: Duration = Duration::from_secs(30);

/// One store's figures: what each is, and the figure.
pub type Figures = Vec<(&'static str, f64)>;

/// Several rounds' figures of that name; `None`: there are none.
pub fn summary(rounds: &[Figures], name: &str) -> Option<Summary> {
    let figures = rounds.iter().flatten();
    Summary::of(figures.filter(|it| it.0 == name).map(|it| it.1))
}

/// How large the workloads are.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Tasks in each store.
    pub records: u32,
    /// Updates beside the held snapshot; tasks put in and taken out.
    pub operations: u32,
    /// How often a thread is stopped.
    pub stops: u32,
    /// Which time counts in rates.
    pub clock: Clock,
}

/// A workload that is several figures.
#[derive(Clone, Copy)]
pub struct Special {
    /// Its letter.
    pub letter: char,
    /// What it does.
    pub title: &'static str,
    /// Whether its figures are rates, and so differ from round to round.
    pub is_rate: bool,
    /// How it runs; `None`: the store cannot.
    pub run: fn(&Kind, &Scale) -> Option<Figures>,
    /// What is asked.
    pub checks: &'static [Check],
    /// Which of its figures a chart shows, side by side.
    pub charted: &'static [&'static str],
}

const CHURN_RATE: &str = "inserts and deletes/s";
const CHURN_RECLAIMED: &str = "% after reclaiming";
const MEMORY_BEYOND: &str = "bytes a record beyond the task";
const OPEN_COMMITS_IT: &str = "commits at once after 70,000";
const OPEN_COMMITS_IT_FINALLY: &str = "after 1 M";

const fn check(figure: &'static str, first: Option<Bound>, finally: Bound) -> Check {
    Check {
        figure,
        first,
        finally,
    }
}

const fn always(figure: &'static str, bound: Bound) -> Check {
    check(figure, Some(bound), bound)
}

/// j to n.
pub const SPECIAL: &[Special] = &[
    Special {
        letter: 'j',
        title: "updates of 1,000 keys beside one held snapshot",
        is_rate: true,
        run: held,
        checks: &[
            always(HELD_RATIO, AtLeast(0.9)),
            always(HELD_MORE, AtMost(HELD_MORE_MAX)),
            always(HELD_RIGHT, AtLeast(1.0)),
        ],
        charted: &[HELD_NONE, HELD_ONE],
    },
    Special {
        letter: 'k',
        title: "tasks put in and taken out",
        is_rate: true,
        run: churn,
        checks: &[
            check(
                CHURN_RATE,
                Some(Times(SURREALMX, 3.0)),
                Times(SURREALMX, 5.0),
            ),
            always(CHURN_RECLAIMED, AtMost(5.0)),
        ],
        charted: &[CHURN_RATE],
    },
    Special {
        letter: 'l',
        title: "memory, less is better",
        is_rate: false,
        run: memory,
        checks: &[check(MEMORY_BEYOND, Some(AtMost(240.0)), AtMost(160.0))],
        charted: &[MEMORY_BEYOND],
    },
    Special {
        letter: 'm',
        title: "a thread stopped at random instants, how often others stop with it",
        is_rate: false,
        run: stops,
        checks: &[always(WRITERS, AtMost(0.0)), always(READERS, AtMost(0.0))],
        charted: &[],
    },
    Special {
        letter: 'n',
        title: "a transaction left open beside 70,000 commits; who commits, also beside a million",
        is_rate: false,
        run: open,
        checks: &[
            always(OPEN_COMMITS_IT, AtLeast(1.0)),
            check(OPEN_COMMITS_IT_FINALLY, None, AtLeast(1.0)),
        ],
        charted: &[],
    },
];

/// Waits, not for ever, until the store before is gone: some give back in the background, some when
/// their epochs move on.
fn settle() {
    for _ in 0..SETTLE_STEPS_MAX {
        let before = memory::bytes();
        for _ in 0..SETTLE_FLUSHES {
            crossbeam_epoch::pin().flush();
        }
        std::thread::sleep(SETTLE_STEP);
        if memory::bytes() == before {
            return;
        }
    }
}

/// What came of some updates.
pub struct Updates {
    /// How many there were.
    pub made: u32,
    /// How many a second, by the clock that counts.
    pub rate: f64,
    /// Nanoseconds that the thread ran for each.
    pub nanos: f64,
}

/// Updates all tasks of `picks` in turn, so often or until it has taken very long.
pub fn updates(peer: &dyn Peer, picks: &[u32], count: u32, clock: Clock) -> Option<Updates> {
    let watch = Stopwatch::start();
    let mut made = 0;
    while made < count && watch.spent_by(Clock::Wall) < UPDATES_TIME_MAX {
        let some = picks.len().min((count - made) as usize);
        peer.update_each(&picks[..some])?;
        made += u32::try_from(some).unwrap_or(u32::MAX);
    }
    let spent = watch.spent();
    Some(Updates {
        made,
        rate: f64::from(made) / spent.by(clock).as_secs_f64(),
        nanos: spent.cpu.as_nanos() as f64 / f64::from(made),
    })
}

/// k: tasks put in and taken out, at most a thousand at a time; whether memory comes back.
fn churn(kind: &Kind, scale: &Scale) -> Option<Figures> {
    let peer = (kind.load)(scale.records);
    let first = u64::from(scale.records);
    let round = |from: u64, to: u64| {
        for number in from..to + CHURN_ALIVE {
            if number < to {
                peer.insert(number)?;
            }
            if number >= from + CHURN_ALIVE {
                peer.remove(number - CHURN_ALIVE)?;
            }
        }
        Some(())
    };
    let churn = u64::from(scale.operations);
    // Once in small, so that what grows once has grown.
    round(first, first + churn / 10)?;
    peer.reclaim();
    let before = memory::bytes();
    let from = first + churn / 10;
    let watch = Stopwatch::start();
    round(from, from + churn)?;
    let (spent, count) = (watch.spent(), churn as f64 * 2.0);
    let unreclaimed = memory::bytes();
    peer.reclaim();
    let share = |after: i64| 100.0 * (after - before) as f64 / before as f64;
    Some(vec![
        (CHURN_RATE, count / spent.by(scale.clock).as_secs_f64()),
        ("CPU ns each", spent.cpu.as_nanos() as f64 / count),
        ("% memory more", share(unreclaimed)),
        (CHURN_RECLAIMED, share(memory::bytes())),
    ])
}

/// l: bytes a record beyond the task itself.
fn memory(kind: &Kind, scale: &Scale) -> Option<Figures> {
    settle();
    let before = memory::bytes();
    let peer = (kind.load)(scale.records);
    peer.reclaim();
    settle();
    // The harness's own list of keys is not the store's.
    let keys = i64::from(scale.records) * i64::try_from(kind.key_bytes).unwrap_or(0);
    let bytes = (memory::bytes() - before - keys) as f64 / f64::from(scale.records);
    Some(vec![(MEMORY_BEYOND, bytes - TASK_BYTES as f64)])
}

/// n: a transaction left open while 70,000 others commit other keys; whether it then commits. The
/// same beside a million, of a store that came through the first. What a store is too slow for is
/// not measured.
fn open(kind: &Kind, scale: &Scale) -> Option<Figures> {
    let peer = (kind.load)(scale.records.max(HELD_KEYS));
    let first = commits_beside(&*peer, OPEN_COMMITS)?;
    let finally = if first == 1.0 {
        commits_beside(&*peer, OPEN_COMMITS_FINALLY)?
    } else {
        f64::NAN
    };
    Some(vec![
        (OPEN_COMMITS_IT, first),
        (OPEN_COMMITS_IT_FINALLY, finally),
    ])
}

/// Whether a transaction commits beside so many others, 0 or 1; NaN: there were not so many.
fn commits_beside(peer: &dyn Peer, others: u32) -> Option<f64> {
    let open = peer.open(0)?;
    let picks: Vec<u32> = (1..HELD_KEYS).collect();
    let updates = updates(peer, &picks, others, Clock::Wall)?;
    if updates.made < others {
        return Some(f64::NAN);
    }
    Some(f64::from(u8::from(open.commit())))
}
