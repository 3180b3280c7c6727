//! How an index or the keys are walked, a page at a time.

use std::ops::{Bound, ControlFlow};

use super::found::Page;
use super::object::{Key, Object};
use super::schema::Reader;
use super::span::Span;
use crate::kernel::entry::EntryProbe;
use crate::kernel::ordered::Ends;
use crate::kernel::reading::Stored;
use crate::kernel::record::KeyProbe;
use crate::kernel::secondary::Secondary;

/// The last entry seen: nothing up to it is to be shown again.
pub(super) type Seen<'s, V, K> = Option<(&'s V, &'s K)>;

/// The probe at a bound, which is on its own side of what it includes.
fn probe_at<P, Q>(
    bound: Bound<P>,
    including: impl Fn(P) -> Q,
    excluding: impl Fn(P) -> Q,
) -> Option<Q> {
    match bound {
        Bound::Included(place) => Some(including(place)),
        Bound::Excluded(place) => Some(excluding(place)),
        Bound::Unbounded => None,
    }
}

/// Where a walk begins, after what it has seen, and where it ends.
fn ends_of<P, Q>(
    span: Span<P>,
    (seen, reversed): (Option<P>, bool),
    before: impl Fn(P) -> Q,
    after: impl Fn(P) -> Q,
) -> (Option<Q>, Option<Q>) {
    let lower = probe_at(span.lower, &before, &after);
    let upper = probe_at(span.upper, &after, &before);
    match (reversed, seen) {
        (false, None) => (lower, upper),
        (false, Some(seen)) => (Some(after(seen)), upper),
        (true, None) => (upper, lower),
        (true, Some(seen)) => (Some(before(seen)), lower),
    }
}

/// Walks the entries of an index in a span, from where `seen` left off, or else after an entry,
/// into a page; `shown` leaves out what another entry of the same object shows.
pub(super) fn walk_index<'s, T: Object, V: Key>(
    reader: Reader<'s>,
    secondary: &Secondary<T::Key, T, V>,
    (span, after): (Span<&V>, Option<(&V, &T::Key)>),
    (seen, reversed): (&mut Seen<'s, V, T::Key>, bool),
    page: &mut Page<'s, T>,
    shown: impl Fn(&V, Stored<'s, T>) -> bool,
) {
    let whole = Span {
        lower: span.lower.map(|value| (value, None)),
        upper: span.upper.map(|value| (value, None)),
    };
    let after_seen = seen.or(after).map(|(value, key)| (value, Some(key)));
    let (from, until) = ends_of(
        whole,
        (after_seen, reversed),
        |(value, key)| EntryProbe::before(value, key),
        |(value, key)| EntryProbe::after(value, key),
    );
    let ends = Ends {
        from: from.as_ref(),
        until: until.as_ref(),
    };
    let (table, course) = (reader.table::<T>(), page.course(reversed));
    page.fill(|room| {
        secondary.scan(table, reader.reading, ends, course, |value, key, stored| {
            if !shown(value, stored) || room.push(stored) {
                return ControlFlow::Continue(());
            }
            *seen = Some((value, key));
            ControlFlow::Break(())
        });
    });
}

/// Walks the keys in a span, from where `seen` left off, into a page.
pub(super) fn walk_keys<'s, T: Object>(
    reader: Reader<'s>,
    span: Span<&T::Key>,
    (seen, reversed): (&mut Option<&'s T::Key>, bool),
    page: &mut Page<'s, T>,
) {
    let (from, until) = ends_of(span, (*seen, reversed), KeyProbe::before, KeyProbe::after);
    let ends = Ends {
        from: from.as_ref(),
        until: until.as_ref(),
    };
    let course = page.course(reversed);
    page.fill(|room| {
        let table = reader.table::<T>();
        table.scan(reader.reading, ends, course, |key, stored| {
            if room.push(stored) {
                return ControlFlow::Continue(());
            }
            *seen = Some(key);
            ControlFlow::Break(())
        });
    });
}
