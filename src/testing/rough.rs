//! How roughly a test's proposer answers, and the thread that does it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::proposer::TestProposer;
use crate::sync::thread;

/// How a [`TestProposer`] with a thread of its own answers. Random, the same in each run of one
/// seed but for the scheduling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rough {
    /// Of the random numbers.
    pub seed: u64,
    /// How long it waits before it looks for the next proposal to answer, at most.
    pub delay: Duration,
    /// Among how many waiting proposals, the oldest, it chooses the one to answer.
    pub reorder: usize,
    /// One proposal in so many is refused; 0: none.
    pub refuse_one_in: u64,
    /// One in so many loses its leader; 0: none.
    pub lose_one_in: u64,
    /// Whether it answers every proposal a second time, otherwise.
    pub twice: bool,
}

impl Rough {
    /// Late, out of order and twice, but nothing is refused.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            delay: Duration::from_micros(50),
            reorder: 8,
            refuse_one_in: 0,
            lose_one_in: 0,
            twice: true,
        }
    }

    /// The same, and now and then one is refused or loses its leader.
    #[must_use]
    pub fn refusing(seed: u64) -> Self {
        Self {
            refuse_one_in: 5,
            lose_one_in: 11,
            ..Self::new(seed)
        }
    }

    /// Answers the proposals of `proposer` until that is gone.
    pub(super) fn run(mut self, proposer: &Arc<TestProposer>) {
        let proposer: Weak<TestProposer> = Arc::downgrade(proposer);
        thread::spawn(move || {
            while let Some(proposer) = proposer.upgrade() {
                let chance = self.next();
                let answered = proposer.answer_roughly(self, chance);
                drop(proposer);
                let delay = self.delay.as_nanos() as u64;
                let delay = if delay == 0 { 0 } else { self.next() % delay };
                if delay != 0 || !answered {
                    thread::sleep(Duration::from_nanos(delay));
                }
            }
        });
    }

    /// Random numbers: splitmix64.
    fn next(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
