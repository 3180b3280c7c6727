//! The simulated time, one object: whoever waits for the store is woken when time moves.

use skep::Object;

use crate::cluster::amounts::Seconds;
use crate::cluster::timeline::Ending;

/// The key of the one clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TheClock;

/// The simulated time.
#[derive(Clone, Debug, PartialEq, Eq, Object)]
#[object(table = "clock")]
pub struct Clock {
    /// There is only one.
    #[object(key)]
    pub key: TheClock,
    /// What time it is.
    pub now: Seconds,
    /// The first ending that has not come due; all below it have.
    pub due_before: Ending,
}

impl Clock {
    /// The clock that shows `now`.
    pub fn at(now: Seconds, due_before: Ending) -> Self {
        Self {
            key: TheClock,
            now,
            due_before,
        }
    }
}
