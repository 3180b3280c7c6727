//! The time at which objects are written.
//!
//! Asking the system costs as much as a tenth of a short commit. So a thread asks it anew only when
//! its processor's cycle counter says that some microseconds have passed since it last did. Where
//! there is no such counter it asks each time.

use crate::version::Moment;

/// Cycles for which a time read from the system serves: at 1 to 5 GHz, 3 to 16 microseconds.
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
const FRESH_CYCLES: u64 = 1 << 14;

/// The time now, or some microseconds ago.
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
pub(crate) fn now() -> Moment {
    use std::cell::Cell;

    crate::sync::local!(LAST: Cell<(u64, Moment)> = Cell::new((0, Moment::UNKNOWN)));

    // SAFETY: every x86-64 processor has the instruction.
    let cycles = unsafe { std::arch::x86_64::_rdtsc() };
    let recent = LAST.try_with(|last| {
        let (read_at, moment) = last.get();
        // A counter that went back, on another processor, makes a large difference, too.
        if moment != Moment::UNKNOWN && cycles.wrapping_sub(read_at) < FRESH_CYCLES {
            return moment;
        }
        let moment = Moment::now();
        last.set((cycles, moment));
        moment
    });
    recent.unwrap_or_else(|_| Moment::now())
}

/// The time now.
#[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
pub(crate) fn now() -> Moment {
    Moment::now()
}
