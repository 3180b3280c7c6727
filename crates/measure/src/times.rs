//! How long single operations took, each counted.

use hdrhistogram::Histogram;

/// Digits that a histogram keeps of a time.
const DIGITS: u8 = 3;
/// Nanoseconds beyond which times are all alike: an hour.
const NANOS_MAX: u64 = 3_600_000_000_000;

/// Nanoseconds, how often.
pub type Times = Histogram<u64>;

/// No times yet; room for all that there can be, so that noting one allocates nothing.
///
/// # Panics
/// Never: the bounds are sound.
#[must_use]
pub fn no_times() -> Times {
    Times::new_with_bounds(1, NANOS_MAX, DIGITS).expect("sound bounds")
}
