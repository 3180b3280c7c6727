//! How an index is walked, a page at a time.

use std::ops::{Bound, ControlFlow};

use super::found::Page;
use super::object::{Key, Object};
use super::schema::Reader;
use super::span::Span;
use crate::kernel::entry::EntryProbe;
use crate::kernel::reading::Stored;
use crate::kernel::secondary::Secondary;

/// The last entry seen: nothing up to it is to be shown again.
pub(super) type Seen<'s, V, K> = Option<(&'s V, &'s K)>;

/// Goes on unless the page is full: not one further to see whether there is more, which may not be
/// wanted.
pub(super) fn unless(full: bool) -> ControlFlow<()> {
    if full {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// Where a walk of an index begins.
fn entry_probe<'a, V, K>(
    span: Span<&'a V>,
    seen: Seen<'a, V, K>,
    reversed: bool,
) -> Option<EntryProbe<'a, K, V>> {
    match (seen, reversed) {
        (Some((value, key)), false) => Some(EntryProbe::after(value, Some(key))),
        (Some((value, key)), true) => Some(EntryProbe::before(value, Some(key))),
        (None, false) => match span.lower {
            Bound::Included(value) => Some(EntryProbe::before(value, None)),
            Bound::Excluded(value) => Some(EntryProbe::after(value, None)),
            Bound::Unbounded => None,
        },
        (None, true) => match span.upper {
            Bound::Included(value) => Some(EntryProbe::after(value, None)),
            Bound::Excluded(value) => Some(EntryProbe::before(value, None)),
            Bound::Unbounded => None,
        },
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
    let probe = entry_probe(span.clone(), *seen, reversed);
    let table = reader.table::<T>();
    secondary.scan(
        table,
        reader.reading,
        probe,
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
