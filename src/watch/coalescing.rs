//! Which filters may be coalesced: that of a row of changes made one is asked whether that one
//! matches, and no state that counts is lost by it.
//!
//! Changes of an object, from a state `s0` to `s1` and so on to `sn` (no object is a state as
//! well), are made one if each was delivered: if it matches, or would but for closures and for
//! other keys of the same hash. The one goes from `s0` to `sn`. It is asked of the filter like any
//! other, so a filter that says something of the parts and nothing of the whole would lose `sn`,
//! the newest state that the watcher would have been told of, without a word. So only these are
//! coalesced:
//!
//! - [`Coalescing::Always`]: clauses that ask for conditions `C` of either image, or for none, and
//!   for every kind. Joined by or they are one such clause, whose `C` is that any of theirs holds.
//!   What such a watcher knows are the objects of which `C` holds (deleted ones are none). All that
//!   makes `C` begin or cease to hold, or that changes an object of which it holds, is delivered,
//!   whatever else is. So before a row the watcher knows `s0` if `C(s0)`, and else has nothing
//!   under that key; after it, it is to know `sn` if `C(sn)`, and else nothing. If either holds,
//!   the one change matches, and tells so. If neither does, there is nothing to be told: the object
//!   came and went, as one does that is created and deleted.
//! - [`Coalescing::Alone`]: a clause that asks for some kinds, keys or none, and nothing of images.
//!   What such a watcher knows is the last state that it was told of. All parts are of one key, so
//!   all of them match, or none. If the one change creates, so did the first part; if it deletes,
//!   so did the last; if it updates, all parts did: so it is of a kind that is asked for. If the
//!   first part creates and the last deletes, there is no change; then deletions are asked for,
//!   and nothing was known under that key before. That the clause is the only one of its table
//!   matters: where the one clause asks for updates and another for a value, the object may come by
//!   the value and be updated, and the one change is neither an update nor has the value.
//! - [`Coalescing::Never`]: all others. What a closure says of a change, it need not say of a row.
//!   An image before or after alone: the deletion of what had the value last was one of what had it
//!   not at `s0`; and what a closure accepts of `s1` alone is neither at the beginning nor at the
//!   end. Kinds and conditions together: an update that leaves the value, of what is known since
//!   before a deletion that was not asked for, is one of what neither had nor has it.

use std::sync::Arc;

use super::filter::AnyClause;

/// When changes that were delivered for a clause may be made one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coalescing {
    /// Also beside others that say so.
    Always,
    /// If no other clause is about its table.
    Alone,
    Never,
}

/// Whether a filter of these clauses may be coalesced.
pub(super) fn may_coalesce(clauses: &[Arc<dyn AnyClause>]) -> bool {
    let is_only = |clause: &dyn AnyClause| {
        let tables = clauses.iter().map(|other| other.table_name());
        tables.filter(|name| *name == clause.table_name()).count() == 1
    };
    clauses.iter().all(|clause| match clause.coalescing() {
        Coalescing::Always => true,
        Coalescing::Alone => is_only(&**clause),
        Coalescing::Never => false,
    })
}
