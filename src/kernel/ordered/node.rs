//! Inner nodes, and the searches in sorted hints.

use std::cmp::Ordering;
use std::ops::{Range, RangeInclusive};

use super::word::{Slot, Word};
use super::{INNER, Ordered, Probe, Shared, WIDE};
use crate::kernel::barrier::prefetch_lines;

/// So many places that hints do not decide are fetched at once: fewer need no search worth the
/// name, and of more a search looks at few. Not in models, where a fetch is a step.
pub(super) const TIES_FETCHED: RangeInclusive<usize> = if cfg!(loom) {
    usize::MAX..=usize::MAX
} else {
    3..=32
};

/// What all below a child are at or above.
pub(super) struct Bound<N: Ordered>(pub(super) N::Separator);

/// A child to be, with what is below it; the first child of an inner node has no bound there.
pub(super) struct Part<N: Ordered> {
    pub(super) low: Option<Bound<N>>,
    pub(super) word: Word<N>,
}

/// Children and what separates them. Only the cells change once it is published (O1). What a search
/// begins with stands first, on one line.
#[repr(C)]
pub(super) struct Inner<N: Ordered> {
    len: u32,
    /// What the separators share: hints begin after it (O9).
    shared: Shared,
    /// Between child i and child i + 1.
    separators: Box<[N::Separator]>,
    /// Of the separators.
    hints: [u64; WIDE],
    cells: [Slot<N>; WIDE],
}

impl<N: Ordered> Inner<N> {
    /// An inner node of these children, and the bound below the first of them.
    pub(super) fn of(parts: impl Iterator<Item = Part<N>>) -> (Option<Bound<N>>, Self) {
        let mut below = None;
        let mut words = parts
            .enumerate()
            .map(|(index, part)| (index, part.low, part.word));
        let mut separators = Vec::with_capacity(WIDE - 1);
        let mut len = 0u32;
        let cells = std::array::from_fn(|_| {
            let Some((index, low, word)) = words.next() else {
                return Slot::unused();
            };
            match (index, low) {
                (0, low) => below = low,
                (_, None) => unreachable!("only a first child has no bound"),
                (_, Some(Bound(separator))) => separators.push(separator),
            }
            len += 1;
            Slot::new(word)
        });
        assert!(
            words.next().is_none(),
            "O7: an inner node grows past its bound"
        );
        let shared = match &separators[..] {
            [first, .., last] => N::separators_shared(first, last),
            _ => Shared::NOTHING,
        };
        let mut hints = [0; WIDE];
        for (hint, separator) in hints.iter_mut().zip(&separators) {
            *hint = N::separator_hint(separator, shared);
        }
        let inner = Self {
            len,
            shared,
            separators: separators.into_boxed_slice(),
            hints,
            cells,
        };
        (below, inner)
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(super) fn cell(&self, index: usize) -> &Slot<N> {
        &self.cells[..self.len()][index]
    }

    /// Has the processor fetch the hints, for a search, which would else wait for one line after
    /// the other: as many as one that is not full has, so that its length need not have come.
    #[inline]
    pub(super) fn prefetch_hints(&self) {
        prefetch_lines(std::ptr::from_ref(self).cast::<u64>(), INNER);
    }

    /// The bound below a child; None for the first.
    pub(super) fn low(&self, index: usize) -> Option<Bound<N>> {
        let before = index.checked_sub(1)?;
        Some(Bound(self.separators[before].clone()))
    }

    /// The child below which a node that equals the probe is, if there is one.
    #[inline]
    pub(super) fn route(&self, probe: &impl Probe<N>) -> usize {
        self.count(probe, Ordering::is_ge)
    }

    /// What a probe that was led to a child is known to share with all nodes below it: between two
    /// separators what all of them share, or it would have been led to the first child or the
    /// last.
    #[inline]
    pub(super) fn known_at(&self, index: usize) -> Shared {
        match (1..self.separators.len()).contains(&index) {
            true => self.shared,
            false => Shared::NOTHING,
        }
    }

    /// How many separators are on the near side: those for which `near` holds of the probe's
    /// answer.
    #[inline]
    pub(super) fn count(&self, probe: &impl Probe<N>, near: impl Fn(Ordering) -> bool) -> usize {
        let hint = probe.hint_after(self.shared);
        let ties = ties(&self.hints[..self.separators.len()], hint);
        if TIES_FETCHED.contains(&ties.len()) {
            prefetch_lines(&raw const self.separators[ties.start], ties.len());
        }
        if self.shared != Shared::NOTHING {
            // Any of them tells what all share: one that is looked at anyway, or else the first,
            // which every search looks at that hints decide.
            let place = if ties.is_empty() { 0 } else { ties.start };
            let witness = &self.separators[place];
            let side = probe.compare_shared_separator(witness, self.shared);
            if side.is_ne() {
                return if near(side) { self.separators.len() } else { 0 };
            }
        }
        partition(ties, |index| {
            near(probe.compare_separator(&self.separators[index]))
        })
    }
}

/// The places that the hints do not decide: all before are below, all after are above.
#[inline]
pub(super) fn ties(hints: &[u64], hint: Option<u64>) -> Range<usize> {
    let Some(hint) = hint else {
        return 0..hints.len();
    };
    let start = hints.partition_point(|&other| other < hint);
    if hints.get(start) != Some(&hint) {
        return start..start;
    }
    // Most often it is one.
    let more = &hints[start + 1..];
    if more.first() != Some(&hint) {
        return start..start + 1;
    }
    start..start + 1 + more.partition_point(|&other| other == hint)
}

/// The first place of the range for which `near` does not hold; it holds for all before.
#[inline]
pub(super) fn partition(range: Range<usize>, mut near: impl FnMut(usize) -> bool) -> usize {
    let Range { start, end } = range;
    let (mut low, mut high) = (start, end);
    while low < high {
        let middle = low.midpoint(high);
        if near(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
