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

/// Goes on unless the page is full: not one further to see whether there is more, which may not be
/// wanted.
fn unless(full: bool) -> ControlFlow<()> {
    if full {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

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

/// Walks the entries of an index in a span, from where `seen` left off, into a page; `shown` leaves
/// out what another entry of the same object shows.
pub(super) fn walk_index<'s, T: Object, V: Key>(
    reader: Reader<'s>,
    secondary: &Secondary<T::Key, T, V>,
    span: Span<&V>,
    (seen, reversed): (&mut Seen<'s, V, T::Key>, bool),
    page: &mut Page<'s, T>,
    shown: impl Fn(&V, Stored<'s, T>) -> bool,
) {
    let mut full = false;
    let whole = Span {
        lower: span.lower.map(|value| (value, None)),
        upper: span.upper.map(|value| (value, None)),
    };
    let after_seen = seen.map(|(value, key)| (value, Some(key)));
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
    let table = reader.table::<T>();
    secondary.scan(
        table,
        reader.reading,
        ends,
        page.course(reversed),
        |value, key, stored| {
            let inside = if reversed {
                span.reaches_down_to(&value)
            } else {
                span.reaches_up_to(&value)
            };
            if !inside {
                return ControlFlow::Break(());
            }
            *seen = Some((value, key));
            if shown(value, stored) {
                page.push(stored);
            }
            full = page.is_full();
            unless(full)
        },
    );
    page.done = !full;
}

/// Walks the keys in a span, from where `seen` left off, into a page.
pub(super) fn walk_keys<'s, T: Object>(
    reader: Reader<'s>,
    span: &Span<T::Key>,
    (seen, reversed): (&mut Option<&'s T::Key>, bool),
    page: &mut Page<'s, T>,
) {
    let (from, until) = ends_of(
        span.borrowed(),
        (*seen, reversed),
        KeyProbe::before,
        KeyProbe::after,
    );
    let ends = Ends {
        from: from.as_ref(),
        until: until.as_ref(),
    };
    let mut full = false;
    reader.table::<T>().scan(
        reader.reading,
        ends,
        page.course(reversed),
        |key, stored| {
            let inside = if reversed {
                span.reaches_down_to(key)
            } else {
                span.reaches_up_to(key)
            };
            if !inside {
                return ControlFlow::Break(());
            }
            *seen = Some(key);
            page.push(stored);
            full = page.is_full();
            unless(full)
        },
    );
    page.done = !full;
}
