//! What lies below the new version of a commit that is being collected: needed, passed by, given
//! up. For the claimer of the commit's cutting.
//!
//! # Orderings
//! - [cut/trim]: a link that is left to a commit is given back when those have unpinned who were
//!   pinned as the commit was retired; it must be those who were as the link was cut off. A cutter
//!   cuts, fences, and loads up to where the log is trimmed; a trimmer moves that, fences as it
//!   retires; who walks pins, fences, and loads where a version leads. If the retirement does not
//!   wait for the walker, the trimmer's fence was before the walker's ([pin/retire]). Then the
//!   cutter's fence was before the trimmer's, and the walker finds the cut; or it was not, and the
//!   cutter finds the commit trimmed, and retires the link apart.

use super::barrier::fence;
use super::collect::Work;
use super::commit::Commit;
use super::horizon::Active;
use super::log::Log;
use super::node::VersionHeader;
use super::older::{Older, Passed};
use super::reclaim::{Garbage, Guard, at};
use crate::sync::Ordering;

/// What was cut off is given back when nobody can see it any more.
pub(super) fn defer_older(older: Older, garbage: &mut Garbage) {
    match older {
        Older::End => {}
        Older::One(version) => garbage.defer(version, Work::Link),
        Older::List(list) => garbage.defer(list, Work::List),
    }
}

/// Gives back the link from a write's new version to one that is no longer right below it, with the
/// commit if that has a link to the same.
pub(super) fn give_up(
    commit: &Commit,
    place: usize,
    version: *mut VersionHeader,
    garbage: &mut Garbage,
) {
    let is_replaced = std::ptr::eq(version, commit.writes()[place].old);
    if !is_replaced || !commit.leave_link(place) {
        garbage.defer(version, Work::Link);
    }
}

/// Gives back apart what was left to commits that are trimmed: others may trim what is claimed for
/// cutting, and what such a commit waits for may have begun before the cut. Who has pinned in
/// between walks on where was cut. Between the cuts and the end of their claimer's pin.
pub(super) fn part_from_trimmed(commits: &[&Commit], log: &Log, garbage: &mut Garbage) {
    // SeqCst: [cut/trim].
    fence(Ordering::SeqCst);
    let trimmed = log.trimmed();
    let commits = commits.iter();
    for commit in commits.take_while(|commit| commit.number() <= trimmed) {
        commit.take_links(|version| garbage.defer(version.cast_mut(), Work::Link));
    }
}

/// Leads the new version of a write past what no snapshot needs right below it: nothing if the
/// collection of that one's own commit is not through yet.
pub(super) fn pass_by_unneeded(
    _: &Guard<'_>,
    commit: &Commit,
    place: usize,
    active: &Active,
    garbage: &mut Garbage,
) {
    let number = commit.number();
    // SAFETY: V5: the commit's image, and the commit is pinned (G3).
    let new = unsafe { at(commit.writes()[place].new) };
    let stays = |below| active.needs(below, number);
    while let Older::One(below) = new.older() {
        if stays(new.below()) {
            break;
        }
        // SAFETY: V3: reached under the guard.
        let version = unsafe { at(below.cast_const()) };
        match new.pass_by(version, stays) {
            Passed::By { settled } => {
                give_up(commit, place, below, garbage);
                if settled {
                    return;
                }
            }
            Passed::Not => break,
            Passed::Cut(older) => {
                defer_older(older, garbage);
                break;
            }
        }
    }
    new.settle();
}

/// Whether some snapshot needs anything below `new`.
pub(super) fn any_needed(_: &Guard<'_>, new: &VersionHeader, number: u64, active: &Active) -> bool {
    let mut until = number;
    let mut needed = |version: &VersionHeader| {
        let from = version.number();
        active.needs(from, std::mem::replace(&mut until, from))
    };
    let mut older = new.older();
    loop {
        match older {
            Older::End => return false,
            Older::One(version) => {
                // SAFETY: V3: reached under the guard.
                let version = unsafe { at(version.cast_const()) };
                if needed(version) {
                    return true;
                }
                older = version.older();
            }
            Older::List(list) => {
                // SAFETY: V3: as above.
                let listed = unsafe { at(list.cast_const()) }.versions();
                // SAFETY: V5: the list's links.
                return listed
                    .iter()
                    .any(|&version| needed(unsafe { at(version.cast_const()) }));
            }
        }
    }
}
