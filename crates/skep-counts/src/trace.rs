//! What many threads do to shared memory, in turns: each thread is a core, and what it does is
//! noted, to be replayed. So the traffic of 128 cores can be seen on two; not what comes of their
//! really running at once: a lost race for a slot of the log, or waiting. What they do is in
//! [`crate::loads`].

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, Sender, channel};

use skep::Store;
use skep::counted::{Access, Kind, record};

pub use crate::loads::{LOADS, Load};
use crate::operations::store;
use crate::tally::Place;

/// Bytes of a cache line.
const LINE: usize = 64;
/// Operations of a thread before it is measured, and while it is, at least: in as many commits it
/// collects garbage twice.
const OPERATIONS: usize = 64;
/// Turns of a thread at least.
const TURNS_MIN: usize = 8;

/// What a core does next.
#[derive(Clone, Copy, Debug)]
pub enum Note {
    /// It begins a turn.
    Turn,
    /// It uses a cache line.
    Access {
        /// The line's number.
        line: u32,
        /// The number of the place in the sources.
        place: u16,
        /// Whether it writes.
        writes: bool,
    },
}

/// What all cores do.
#[derive(Clone, Debug)]
pub struct Trace {
    /// By core.
    pub cores: Vec<Vec<Note>>,
    /// Places of the sources, by number.
    pub places: Vec<Place>,
    /// How many lines there are.
    pub lines: usize,
    /// Turns of each core that are not measured, at first.
    pub warm_up: usize,
    /// And then those that are.
    pub turns: usize,
    /// Operations in a turn.
    pub turn_operations: u64,
    /// How long a turn takes a core that is alone.
    pub turn_nanos: f64,
}

impl Trace {
    /// Operations that are measured, of all cores.
    #[must_use]
    pub fn operations(&self) -> f64 {
        (self.turns * self.cores.len()) as f64 * self.turn_operations as f64
    }
}

/// Gives numbers to lines and places.
#[derive(Debug, Default)]
struct Numbers {
    lines: HashMap<usize, u32>,
    places: BTreeMap<Place, u16>,
    in_order: Vec<Place>,
}

impl Numbers {
    fn note(&mut self, access: &Access) -> Option<Note> {
        let writes = match access.kind {
            Kind::Load => false,
            Kind::Store | Kind::Modify => true,
            Kind::Fence | Kind::LightFence => return None,
        };
        let line = u32::try_from(self.lines.len()).expect("fewer lines");
        let line = *self.lines.entry(access.address / LINE).or_insert(line);
        let next = u16::try_from(self.in_order.len()).expect("fewer places");
        let place = *self.places.entry(Place::of(access)).or_insert(next);
        if place == next {
            self.in_order.push(Place::of(access));
        }
        Some(Note::Access {
            line,
            place,
            writes,
        })
    }
}

/// Has so many threads run a load, in turns: in each round one turn of each, whose order is drawn,
/// the same in every run.
///
/// # Panics
/// If an operation does.
#[must_use]
pub fn trace(load: Load, cores: usize) -> Trace {
    let store = store();
    let mut numbers = Numbers::default();
    let mut notes = vec![Vec::new(); cores];
    let turns = (OPERATIONS / load.operations as usize).max(TURNS_MIN);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores)
            .map(|core| {
                let (turns, asked) = channel();
                let (answer, answers) = channel();
                let store = &store;
                scope.spawn(move || serve(load, store, core, cores, &asked, &answer));
                // It is ready, before the next one is made.
                answers.recv().expect("it answers");
                (turns, answers)
            })
            .collect();
        let mut draw = Draw(1);
        for _ in 0..2 * turns {
            for core in draw.order(cores) {
                let (turns, answers) = &threads[core];
                turns.send(()).expect("it serves");
                let accesses: Vec<Access> = answers.recv().expect("it answers");
                notes[core].push(Note::Turn);
                notes[core].extend(accesses.iter().filter_map(|it| numbers.note(it)));
            }
        }
    });
    Trace {
        cores: notes,
        places: numbers.in_order,
        lines: numbers.lines.len(),
        warm_up: turns,
        turns,
        turn_operations: load.operations,
        turn_nanos: load.alone_nanos * load.operations as f64 + load.round_nanos / cores as f64,
    }
}

/// Random numbers, the same in every run: splitmix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// So many, in some order.
    fn order(&mut self, count: usize) -> Vec<usize> {
        let mut keyed: Vec<_> = (0..count).map(|it| (self.next(), it)).collect();
        keyed.sort_unstable();
        keyed.into_iter().map(|(_, it)| it).collect()
    }
}

/// A thread's turns, until nobody asks any more.
fn serve(
    load: Load,
    store: &Store,
    core: usize,
    cores: usize,
    asked: &Receiver<()>,
    answer: &Sender<Vec<Access>>,
) {
    let mut turn = (load.make)(store, core as u64, cores as u64);
    let [before, after] = load.unseen;
    let mut answers = answer.send(Vec::new());
    for (time, ()) in (0..).zip(asked) {
        if answers.is_err() {
            return;
        }
        let (_, accesses) = record(|| turn(time));
        let before = before.iter().map(|unseen| unseen.access());
        let after = after.iter().map(|unseen| unseen.access());
        answers = answer.send(before.chain(accesses).chain(after).collect());
    }
}
