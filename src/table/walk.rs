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

/// Where a walk of an index ends.
fn last_probe<'a, V, K>(span: &Span<&'a V>, reversed: bool) -> Option<EntryProbe<'a, K, V>> {
    match (reversed, &span.lower, &span.upper) {
        (false, _, Bound::Included(value)) => Some(EntryProbe::after(value, None)),
        (false, _, Bound::Excluded(value)) => Some(EntryProbe::before(value, None)),
        (true, Bound::Included(value), _) => Some(EntryProbe::before(value, None)),
        (true, Bound::Excluded(value), _) => Some(EntryProbe::after(value, None)),
        (false, _, Bound::Unbounded) | (true, Bound::Unbounded, _) => None,
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
    let from = entry_probe(span.clone(), *seen, reversed);
    let until = last_probe(&span, reversed);
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

/// Where a walk of keys begins.
fn key_probe<'a, K>(
    span: Span<&'a K>,
    seen: Option<&'a K>,
    reversed: bool,
) -> Option<KeyProbe<'a, K>> {
    let bound = if reversed { span.upper } else { span.lower };
    match (seen, bound, reversed) {
        (Some(key), _, false) | (None, Bound::Excluded(key), false) => Some(KeyProbe::after(key)),
        (Some(key), _, true) | (None, Bound::Excluded(key), true) => Some(KeyProbe::before(key)),
        (None, Bound::Included(key), false) => Some(KeyProbe::before(key)),
        (None, Bound::Included(key), true) => Some(KeyProbe::after(key)),
        (None, Bound::Unbounded, _) => None,
    }
}

/// Where a walk of keys ends.
fn last_key_probe<'a, K>(span: &Span<&'a K>, reversed: bool) -> Option<KeyProbe<'a, K>> {
    match (reversed, &span.lower, &span.upper) {
        (false, _, Bound::Included(key)) => Some(KeyProbe::after(key)),
        (false, _, Bound::Excluded(key)) => Some(KeyProbe::before(key)),
        (true, Bound::Included(key), _) => Some(KeyProbe::before(key)),
        (true, Bound::Excluded(key), _) => Some(KeyProbe::after(key)),
        (false, _, Bound::Unbounded) | (true, Bound::Unbounded, _) => None,
    }
}

/// Walks the keys in a span, from where `seen` left off, into a page.
pub(super) fn walk_keys<'s, T: Object>(
    reader: Reader<'s>,
    span: &Span<T::Key>,
    (seen, reversed): (&mut Option<&'s T::Key>, bool),
    page: &mut Page<'s, T>,
) {
    let from = key_probe(span.borrowed(), *seen, reversed);
    let until = last_key_probe(&span.borrowed(), reversed);
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
