//! Named steps at which the progress tests stop a thread. Nothing, unless the feature `failpoints`
//! is on.

/// A step between two shared accesses of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// A snapshot has announced itself and not yet read the watermark.
    Announced,
    /// A record has been claimed and stands in the hash, not yet in the order.
    Claimed,
    /// All records, versions and index entries of a commit are in place.
    Staged,
    /// The reads hold against the log so far.
    Validated,
    /// The commit is in the log.
    Appended,
    /// About to put a new version at its record's head.
    BeforeHeadCas,
    /// The new versions are in place.
    Installed,
    /// The watermark has passed the commit.
    Visible,
    /// A range of the log has been claimed for cutting.
    CutClaimed,
    /// A range of the log has been claimed for trimming.
    TrimClaimed,
    /// A record is dead and not yet unlinked.
    Dead,
    /// Garbage has been taken and not yet freed.
    Reclaiming,
    /// A commit lies with the watchers that it concerns, and they have not been called.
    Delivered,
}

/// Every step, in the order of a commit.
#[cfg(feature = "failpoints")]
pub const STEPS: [Step; 13] = [
    Step::Announced,
    Step::Claimed,
    Step::Staged,
    Step::Validated,
    Step::Appended,
    Step::BeforeHeadCas,
    Step::Installed,
    Step::Visible,
    Step::CutClaimed,
    Step::TrimClaimed,
    Step::Dead,
    Step::Reclaiming,
    Step::Delivered,
];

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn step(_: Step) {}

#[cfg(feature = "failpoints")]
pub use hook::set_hook;
#[cfg(feature = "failpoints")]
pub(crate) use hook::step;

#[cfg(feature = "failpoints")]
mod hook {
    use super::Step;
    use std::sync::OnceLock;

    type Hook = Box<dyn Fn(Step) + Send + Sync>;
    static HOOK: OnceLock<Hook> = OnceLock::new();

    /// Has `hook` called at every step of every thread. Once a process; false: another one was set
    /// before.
    pub fn set_hook(hook: impl Fn(Step) + Send + Sync + 'static) -> bool {
        HOOK.set(Box::new(hook)).is_ok()
    }

    pub(crate) fn step(step: Step) {
        if let Some(hook) = HOOK.get() {
            hook(step);
        }
    }
}
