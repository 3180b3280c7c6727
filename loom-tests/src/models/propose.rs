//! The seam of the proposer (F1 to F6): what is pending goes out once and in order, is answered
//! once, and nobody sleeps through the answer.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, Weak};

use super::check::{outcomes, spawn};
use crate::kernel::history::HistoryLimits;
use crate::kernel::testing::{Cell, Txn, append_only, cell, kernel};
use crate::kernel::wake::{Waiter, Waiters, Waiting};
use crate::kernel::{Kernel, Kind, Limits};
use crate::latency::Begun;
use crate::propose::Proposer;
use crate::propose::decision::Decision;
use crate::propose::flight::{Flight, Verdict};
use crate::propose::line::Line;
use crate::propose::numbering::Neighbours;
use crate::propose::proposal::{AnswerError, Decides, Proposal, Ticket};
use crate::propose::sets::ReadSet;
use crate::sync::{AtomicBool, AtomicU64, Ordering, pause, thread};
use crate::version::Version;

const LIMITS: Limits = Limits {
    retention: 0,
    log_commits: 6,
    watch_commits: 6,
    history: HistoryLimits::NONE,
};

/// What the proposer does with a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Keeps,
    /// In the calls of the model's first thread it waits for the other's `send` to return.
    Stops,
    /// At commit 2.
    Panics,
}

/// A proposer that keeps the proposals, with who called.
struct Desk {
    manner: Manner,
    first: thread::ThreadId,
    /// Counted in two steps: of two calls at once, or one that does not see the one before, a count
    /// is lost.
    calls: AtomicU64,
    kept: Mutex<Vec<(Proposal, Caller)>>,
    other_is_through: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Caller {
    First,
    Other,
}

impl Proposer for Desk {
    fn propose(&self, proposal: Proposal) {
        // Relaxed: on purpose: the line is to order the calls.
        let calls = self.calls.load(Ordering::Relaxed);
        let caller = match thread::current().id() == self.first {
            true => Caller::First,
            false => Caller::Other,
        };
        // Relaxed: it only keeps us here.
        while self.manner == Manner::Stops
            && caller == Caller::First
            && !self.other_is_through.load(Ordering::Relaxed)
        {
            pause();
        }
        if self.manner == Manner::Panics && proposal.number() == Version::new(2) {
            // Without the hook: loom comes here thousands of times.
            resume_unwind(Box::new("the model's"));
        }
        // Relaxed: as above.
        self.calls.store(calls + 1, Ordering::Relaxed);
        self.kept.lock().expect("no panic").push((proposal, caller));
    }
}

/// A store, as far as the seam knows it.
struct Store {
    kernel: Arc<Kernel>,
    line: Line,
    waiters: Waiters,
    uses: AtomicU64,
}

impl Store {
    /// Orders a use before the end, as the share's count does, which loom does not see.
    fn used(&self) {
        // Release: as the count's.
        self.uses.fetch_add(1, Ordering::Release);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Acquire: as the count's.
        self.uses.fetch_add(0, Ordering::Acquire);
    }
}

impl Decides for Store {
    fn answered(&self, _: Begun) {}

    fn note(&self, number: Version, decision: Decision) -> Result<(), AnswerError> {
        self.line.note(number, decision)
    }

    fn decide(&self, number: Version, decision: Decision) {
        self.line.decide(&self.kernel, number, decision);
    }

    fn neighbours(&self, number: Version) -> Neighbours {
        let neighbours = self.line.neighbours(number);
        self.used();
        neighbours
    }

    fn wake(&self) {
        self.waiters.wake();
        self.used();
    }
}

struct World {
    store: Arc<Store>,
    cells: [Cell; 2],
    desk: Arc<Desk>,
}

impl World {
    /// With two cells, 10 in each by commit 1, which was not proposed.
    fn new(manner: Manner) -> Arc<Self> {
        let kernel = kernel(LIMITS);
        let cells = [cell(&kernel, 1), cell(&kernel, 2)];
        let made = Txn::begin(&kernel).commit(&cells.map(|cell| (cell, Some(10))));
        assert_eq!(made, Ok(1));
        let desk = Arc::new(Desk {
            manner,
            first: thread::current().id(),
            calls: AtomicU64::new(0),
            kept: Mutex::new(Vec::new()),
            other_is_through: AtomicBool::new(false),
        });
        let store = Arc::new_cyclic(|own: &Weak<Store>| Store {
            line: Line::new(Arc::clone(&desk) as _, Weak::clone(own) as _),
            kernel,
            waiters: Waiters::new(),
            uses: AtomicU64::new(0),
        });
        Arc::new(Self { store, cells, desk })
    }

    /// The same, and commit 2, which is proposed, puts 99 into the first cell.
    fn with_one_in_flight() -> (Arc<Self>, Ticket) {
        let world = Self::new(Manner::Keeps);
        assert_eq!(world.append(0, 99), 2);
        world.store.line.send(&world.store.kernel);
        let ticket = world.ticket(2);
        (world, ticket)
    }

    /// Puts a value into a cell, pending, and proposes nothing yet.
    fn append(&self, cell: usize, value: u64) -> u64 {
        let txn = Txn::begin(&self.store.kernel);
        let base = Version::new(txn.version());
        let flight = Arc::new(Flight::new(base, ReadSet::default(), Begun::UNTIMED));
        append_only(txn, self.cells[cell], value, Some(flight))
    }

    fn submit(&self, cell: usize, value: u64) -> u64 {
        let number = self.append(cell, value);
        self.store.line.send(&self.store.kernel);
        number
    }

    /// What was proposed, in order, with who called.
    fn proposed(&self) -> Vec<(u64, Caller)> {
        let kept = self.desk.kept.lock().expect("no panic");
        // Relaxed: all are through.
        let calls = self.desk.calls.load(Ordering::Relaxed);
        assert_eq!(calls, kept.len() as u64, "calls at once");
        let proposed = kept.iter().map(|(it, caller)| (it.number().get(), *caller));
        proposed.collect()
    }

    fn ticket(&self, number: u64) -> Ticket {
        let kept = self.desk.kept.lock().expect("no panic");
        let found = kept.iter().find(|(it, _)| it.number().get() == number);
        found.expect("it is proposed").0.ticket().clone()
    }

    /// The version of a new snapshot, and what it shows.
    fn look(&self) -> (u64, [u64; 2]) {
        let mut txn = Txn::begin_as(&self.store.kernel, Kind::Reader);
        let found = self.cells.map(|cell| txn.read(cell).expect("there").1);
        (txn.version(), found)
    }

    fn accepted_at(&self, number: u64) -> Option<u64> {
        self.store
            .line
            .accepted_at(Version::new(number))
            .map(Version::get)
    }
}

use Caller::{First, Other};

/// F3: two append and send at once: both are proposed when both are back.
#[test]
fn two_propose_at_once() {
    let seen = outcomes(2, || {
        let world = World::new(Manner::Keeps);
        let other = spawn(&world, |world| world.submit(1, 77));
        world.submit(0, 99);
        other.join().expect("no panic");
        world.proposed()
    });
    let callers = [
        (First, First),
        (First, Other),
        (Other, First),
        (Other, Other),
    ];
    let expected = callers.map(|(one, two)| vec![(2, one), (3, two)]);
    assert_eq!(seen, BTreeSet::from(expected));
}

/// F3, F4: one stops in its call, until the other is back from its sending: that one does not wait,
/// and its proposal goes out when the call is over.
#[test]
fn one_stops_in_its_call() {
    let seen = outcomes(2, || {
        let world = World::new(Manner::Stops);
        assert_eq!(world.append(0, 99), 2);
        let other = spawn(&world, |world| {
            world.submit(1, 77);
            // Relaxed: a sign, and nothing with it.
            world.desk.other_is_through.store(true, Ordering::Relaxed);
        });
        world.store.line.send(&world.store.kernel);
        other.join().expect("no panic");
        world.proposed()
    });
    // Whoever is the first of those counted sends both.
    let expected = [First, Other].map(|caller| vec![(2, caller), (3, caller)]);
    assert_eq!(seen, BTreeSet::from(expected));
}

/// F3: a call panics: its proposal is refused, and the others go out all the same.
#[test]
fn a_panic_in_a_call() {
    let seen = outcomes(2, || {
        let world = World::new(Manner::Panics);
        assert_eq!(world.append(0, 99), 2);
        let other = spawn(&world, |world| world.submit(1, 77));
        world.store.line.send(&world.store.kernel);
        other.join().expect("no panic");
        assert_eq!(world.look(), (2, [10, 10]), "one that panicked is refused");
        world.proposed()
    });
    let expected = [vec![(3, First)], vec![(3, Other)]];
    assert_eq!(seen, BTreeSet::from(expected));
}

type Answer = Result<(), AnswerError>;

/// In words, which have an order.
fn told(answer: &Answer) -> String {
    match answer {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// F1: accepted by one and refused by another.
#[test]
fn answered_by_two_at_once() {
    let seen = outcomes(3, || {
        let (world, ticket) = World::with_one_in_flight();
        let refuser = spawn(&world, |world| world.ticket(2).refuse("no"));
        let accepted = ticket.accept(Version::new(20));
        let refused = refuser.join().expect("no panic");
        (
            told(&accepted),
            told(&refused),
            world.look(),
            world.accepted_at(2),
        )
    });
    let (yes, no) = ((2, [99, 10]), (2, [10, 10]));
    let lost = |first: &str| format!("answered before{first}");
    let ok = || "ok".to_owned();
    let expected = [
        (ok(), lost(": accepted"), yes, Some(20)),
        (ok(), lost(""), yes, Some(20)),
        (lost(": refused: no"), ok(), no, None),
        (lost(""), ok(), no, None),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// F2, F6: who sees a verdict sees the watermark where it brought it, and who sees the watermark
/// finds the proposer's version.
#[test]
fn a_verdict_and_its_effect() {
    let seen = outcomes(3, || {
        let (world, ticket) = World::with_one_in_flight();
        let other = spawn(&world, |world| world.ticket(2).accept(Version::new(20)));
        let verdict = ticket.verdict();
        // Without a pin, whose fence would order more than the verdict does.
        let visible = world.store.kernel.horizon.visible();
        let at = world.accepted_at(visible);
        assert_eq!(other.join().expect("no panic"), Ok(()));
        (verdict == Some(Verdict::Accepted), visible, at)
    });
    let expected = [(false, 1, None), (false, 2, Some(20)), (true, 2, Some(20))];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// Two in flight, answered in any order: the later one shows with the earlier one, and not before.
#[test]
fn answered_in_any_order() {
    let seen = outcomes(2, || {
        let (world, first) = World::with_one_in_flight();
        assert_eq!(world.submit(1, 77), 3);
        let other = spawn(&world, |world| world.ticket(3).accept(Version::new(30)));
        assert_eq!(first.lose_leadership(), Ok(()));
        let seen = (world.look(), world.accepted_at(3));
        assert_eq!(other.join().expect("no panic"), Ok(()));
        assert_eq!(world.look(), (3, [10, 77]));
        let newest = world.store.line.accepted_at(Version::new(3));
        assert_eq!(newest, Some(Version::new(30)));
        seen
    });
    let expected = [
        ((2, [10, 10]), None),
        ((2, [10, 10]), Some(30)),
        ((3, [10, 77]), Some(30)),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// F7: versions that fall, given to two at once: one is told at least, and what was told is open.
#[test]
fn falling_versions_at_once() {
    let seen = outcomes(2, || {
        let (world, first) = World::with_one_in_flight();
        assert_eq!(world.submit(1, 77), 3);
        let other = spawn(&world, |world| world.ticket(3).accept(Version::new(20)));
        let accepted = first.accept(Version::new(30));
        let other = other.join().expect("no panic");
        let rest = accepted.is_err().then(|| first.accept(Version::new(10)));
        (told(&accepted), told(&other), rest.map(|it| told(&it)))
    });
    let ok = || "ok".to_owned();
    let (newer, older) = ("not newer than version 30", "not older than version 20");
    let expected = [
        (ok(), newer.to_owned(), None),
        (older.to_owned(), ok(), Some(ok())),
        (older.to_owned(), newer.to_owned(), Some(ok())),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// F2: the submitter falls asleep while the answer comes; a wake-up that is lost is a deadlock.
#[test]
fn an_answer_to_one_who_falls_asleep() {
    let seen = outcomes(3, || {
        let (world, ticket) = World::with_one_in_flight();
        let submitter = spawn(&world, |world| {
            let ticket = world.ticket(2);
            let mut waiting = Waiting::on(&world.store.waiters);
            let mut parked = 0;
            loop {
                waiting.enqueue();
                if let Some(verdict) = ticket.verdict() {
                    return (verdict.to_string(), parked);
                }
                thread::park();
                parked += 1;
            }
        });
        assert_eq!(ticket.refuse("no"), Ok(()));
        submitter.join().expect("no panic")
    });
    let refused = || "refused: no".to_owned();
    assert_eq!(seen, BTreeSet::from([(refused(), 0), (refused(), 1)]));
}

/// The submitter gives up waiting while the answer comes: it is applied all the same.
#[test]
fn an_answer_to_one_who_leaves() {
    let seen = outcomes(3, || {
        let (world, ticket) = World::with_one_in_flight();
        let submitter = spawn(&world, |world| {
            let waiter = Waiter::thread();
            world.store.waiters.enqueue(&waiter);
            let known = world.ticket(2).verdict().is_some();
            world.store.waiters.pass_on();
            world.store.waiters.abandon(&waiter);
            known
        });
        assert_eq!(ticket.accept(Version::new(20)), Ok(()));
        let known = submitter.join().expect("no panic");
        assert_eq!(world.look(), (2, [99, 10]), "a success comes too late");
        known
    });
    assert_eq!(seen, BTreeSet::from([false, true]));
}

/// F1: the last handle of the store goes while the answer comes: it counts, or the store is gone.
#[test]
fn an_answer_beside_the_end_of_the_store() {
    let seen = outcomes(3, || {
        let (world, ticket) = World::with_one_in_flight();
        let answering = ticket.clone();
        let other = thread::spawn(move || {
            // Looks, so that loom tries who is first: it sees no reference counts.
            let _ = answering.verdict();
            answering.accept(Version::new(20))
        });
        let known = ticket.verdict();
        drop(world);
        let answer = other.join().expect("no panic");
        assert_eq!(ticket.refuse("late"), Err(AnswerError::Gone));
        (known.is_some(), told(&answer), ticket.verdict().is_some())
    });
    let (ok, gone) = (|| "ok".to_owned(), || "the store is gone".to_owned());
    let expected = [
        (true, ok(), true),
        (false, ok(), true),
        (false, gone(), false),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}
