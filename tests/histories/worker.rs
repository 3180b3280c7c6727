//! What one thread does: short transactions of every kind, one after another, and meanwhile, open
//! for many of these, a long one and a snapshot.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use skep::testing::history::{Outcome, Recorder, ThreadRecorder};
use skep::{CommitError, Error, Snapshot, Store, Transaction, UpdateError, Version};

use crate::common::Random;
use crate::steps::{Chooser, Shape, read_all};

/// Steps that a long transaction or a snapshot takes.
const LONG: u64 = 48;

/// Something that is open for long, with steps left to take.
struct Slow<T> {
    open: Option<(T, u64)>,
    recorder: ThreadRecorder,
}

pub struct Worker<'s> {
    store: &'s Store,
    chooser: Chooser,
    recorder: ThreadRecorder,
    long: Slow<Transaction<'s>>,
    held: Slow<Snapshot>,
    /// Whether some commits are submitted, of which each leaves an object behind.
    submits: bool,
    transactions: usize,
}

/// The recorders of a thread.
pub type Records = [ThreadRecorder; 3];

/// One for each thing that a thread has open.
pub fn records(recorder: &mut Recorder) -> Records {
    [(); 3].map(|()| recorder.thread())
}

fn outcome(committed: Result<Version, CommitError>) -> Outcome {
    committed.map_or(Outcome::Aborted, Outcome::Committed)
}

/// Why an update is given up.
#[derive(Debug)]
struct GivenUp;

impl<'s> Worker<'s> {
    /// `number` is unique to the thread and the round: its stamps are made with it.
    pub fn new(
        store: &'s Store,
        shape: Shape,
        seed: u64,
        number: u64,
        submits: bool,
        [recorder, long, held]: Records,
    ) -> Self {
        let chooser = Chooser {
            random: Random::new(seed.wrapping_mul(0x1_0000_0001) ^ number),
            shape,
            stamp: number << 32,
        };
        Self {
            store,
            chooser,
            recorder,
            long: Slow {
                open: None,
                recorder: long,
            },
            held: Slow {
                open: None,
                recorder: held,
            },
            submits,
            transactions: 0,
        }
    }

    /// Writes an object of its own, again until it is committed: then all commits that were
    /// appended before are decided. Then looks at everything.
    pub fn finish(mut self) -> Records {
        loop {
            let mut tx = self.begin();
            self.chooser.put_receipt(&mut tx, &mut self.recorder);
            let ended = outcome(tx.commit());
            self.recorder.end(ended);
            if ended != Outcome::Aborted {
                break;
            }
        }
        self.hold();
        self.end_held();
        [self.recorder, self.long.recorder, self.held.recorder]
    }

    /// Runs until there are so many transactions, whatever became of them.
    pub fn run(mut self, transactions: usize) -> Records {
        while self.transactions < transactions {
            self.turn();
        }
        self.end_long(true);
        self.end_held();
        [self.recorder, self.long.recorder, self.held.recorder]
    }

    fn turn(&mut self) {
        match self.chooser.random.below(16) {
            0 | 1 => self.long(),
            2 | 3 => self.hold(),
            4 => self.view(),
            5 | 6 => self.read_only(),
            7 => self.panicking(),
            15 if self.submits => self.submitted(),
            8..=10 => self.updated(),
            _ => self.short(),
        }
    }

    fn begin(&mut self) -> Transaction<'s> {
        self.transactions += 1;
        self.recorder.begin();
        let tx = self.store.begin();
        self.recorder.snapshot(tx.version());
        tx
    }

    /// A few steps, then a commit, or now and then a roll back.
    fn short(&mut self) {
        let mut tx = self.begin();
        for _ in 0..=self.chooser.random.below(4) {
            step(&mut self.chooser, &mut tx, &mut self.recorder);
        }
        self.chooser.rest();
        let ended = match self.chooser.random.one_in(8) {
            true => {
                drop(tx);
                Outcome::Aborted
            }
            false => outcome(tx.commit()),
        };
        self.recorder.end(ended);
    }

    fn read_only(&mut self) {
        let tx = self.begin();
        for _ in 0..=self.chooser.random.below(3) {
            self.chooser.read(&tx, &mut self.recorder);
        }
        let version = tx
            .commit()
            .expect("a transaction that only reads does not fail");
        self.recorder.end(Outcome::Committed(version));
    }

    fn view(&mut self) {
        self.transactions += 1;
        self.recorder.begin();
        let view = self.store.read();
        self.recorder.snapshot(view.version());
        for _ in 0..=self.chooser.random.below(3) {
            self.chooser.read(&view, &mut self.recorder);
        }
        self.recorder.end(Outcome::Committed(view.version()));
    }

    /// By a closure, which is run again after a conflict, and may give up.
    fn updated(&mut self) {
        self.transactions += 1;
        let Self {
            chooser, recorder, ..
        } = self;
        let gives_up = chooser.random.one_in(8);
        recorder.begin();
        let updated = self.store.update_versioned(|tx| {
            recorder.snapshot(tx.version());
            for _ in 0..=chooser.random.below(4) {
                step(chooser, tx, recorder);
            }
            if gives_up { Err(GivenUp) } else { Ok(()) }
        });
        let ended = match updated {
            Ok(((), version)) => Outcome::Committed(version),
            Err(UpdateError::Closure(GivenUp)) if gives_up => Outcome::Aborted,
            Err(UpdateError::Closure(GivenUp)) => panic!("it did not give up"),
            Err(_) => Outcome::Aborted,
        };
        recorder.end(ended);
    }

    /// Submits, and now and then does not wait for the outcome.
    fn submitted(&mut self) {
        let mut tx = self.begin();
        for _ in 0..=self.chooser.random.below(2) {
            step(&mut self.chooser, &mut tx, &mut self.recorder);
        }
        self.chooser.put_receipt(&mut tx, &mut self.recorder);
        let ended = match tx.submit() {
            Err(_) => Outcome::Aborted,
            Ok(submission) if self.chooser.random.one_in(2) => outcome(submission.wait()),
            Ok(_) => Outcome::Indeterminate,
        };
        self.recorder.end(ended);
    }

    /// A closure that panics in the middle of its writes.
    fn panicking(&mut self) {
        self.transactions += 1;
        let Self {
            chooser,
            recorder,
            store,
            ..
        } = self;
        recorder.begin();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            store.update(|tx| -> Result<(), Error> {
                recorder.snapshot(tx.version());
                for _ in 0..=chooser.random.below(3) {
                    step(chooser, tx, recorder);
                }
                // Without the panic hook, which would print it.
                resume_unwind(Box::new("as the test wants it"));
            })
        }));
        assert!(panicked.is_err(), "the panic goes on to the caller");
        recorder.end(Outcome::Panicked);
    }

    /// A step of the long transaction, or its beginning, or its end.
    fn long(&mut self) {
        let Slow { open, recorder } = &mut self.long;
        match open {
            None => {
                self.transactions += 1;
                recorder.begin();
                let tx = self.store.begin();
                recorder.snapshot(tx.version());
                *open = Some((tx, LONG));
            }
            Some((_, 0)) => self.end_long(false),
            Some((tx, left)) => {
                *left -= 1;
                // It would never be committed if it read much that others write.
                match *left < 2 {
                    true => self.chooser.write(tx, recorder),
                    false if left.is_multiple_of(8) => self.chooser.read(tx, recorder),
                    false => {}
                }
            }
        }
    }

    fn end_long(&mut self, give_up: bool) {
        if let Some((tx, _)) = self.long.open.take() {
            let ended = match give_up {
                true => {
                    drop(tx);
                    Outcome::Aborted
                }
                false => outcome(tx.commit()),
            };
            self.long.recorder.end(ended);
        }
    }

    /// A look at the held snapshot, or its beginning, or its end.
    fn hold(&mut self) {
        let Slow { open, recorder } = &mut self.held;
        match open {
            None => {
                self.transactions += 1;
                recorder.begin();
                let snapshot = self.store.snapshot();
                recorder.snapshot(snapshot.version());
                *open = Some((snapshot, LONG));
            }
            Some((_, 0)) => self.end_held(),
            Some((snapshot, left)) => {
                *left -= 1;
                self.chooser.read(snapshot, recorder);
            }
        }
    }

    fn end_held(&mut self) {
        if let Some((snapshot, _)) = self.held.open.take() {
            read_all(&snapshot, self.chooser.shape, &mut self.held.recorder);
            self.held
                .recorder
                .end(Outcome::Committed(snapshot.version()));
        }
    }
}

fn step(chooser: &mut Chooser, tx: &mut Transaction<'_>, recorder: &mut ThreadRecorder) {
    if chooser.random.one_in(2) {
        chooser.read(tx, recorder);
    } else {
        chooser.write(tx, recorder);
    }
}
