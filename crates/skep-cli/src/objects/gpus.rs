//! The GPUs of a node: what of each is used, and which of them a task has.

use std::fmt;

use smallvec::SmallVec;

use crate::cluster::GPUS_MAX;
use crate::cluster::amounts::GpuMilli;

/// Some of a node's GPUs: a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GpuSet(u64);

impl GpuSet {
    /// No GPU.
    pub const NONE: Self = Self(0);

    /// The set of these GPUs.
    pub fn of(indexes: impl IntoIterator<Item = usize>) -> Self {
        indexes.into_iter().fold(Self::NONE, |set, index| {
            assert!(index < GPUS_MAX, "a GPU's index is out of bounds");
            Self(set.0 | 1 << index)
        })
    }

    /// Its GPUs, lowest first.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..GPUS_MAX).filter(move |index| self.0 >> index & 1 == 1)
    }
}

/// `0|3`, as the trace writes lists; nothing for no GPU.
impl fmt::Display for GpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, index) in self.iter().enumerate() {
            let between = if place == 0 { "" } else { "|" };
            write!(f, "{between}{index}")?;
        }
        Ok(())
    }
}

/// How much of each GPU of a node is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuUse(SmallVec<[GpuMilli; 8]>);

impl GpuUse {
    /// `count` GPUs that nothing runs on.
    pub fn idle(count: u8) -> Self {
        Self(SmallVec::from_elem(GpuMilli::NONE, usize::from(count)))
    }

    /// What is free of each GPU.
    pub fn free(&self) -> impl Iterator<Item = GpuMilli> {
        self.0
            .iter()
            .map(|used| GpuMilli(GpuMilli::WHOLE.0 - used.0))
    }

    /// How many GPUs nothing runs on.
    pub fn idle_count(&self) -> u8 {
        self.0
            .iter()
            .filter(|&&used| used == GpuMilli::NONE)
            .count() as u8
    }

    /// How many GPUs have something left to give.
    pub fn open_count(&self) -> u8 {
        self.0
            .iter()
            .filter(|&&used| used < GpuMilli::WHOLE)
            .count() as u8
    }

    /// All that is used, in thousandths of a GPU.
    pub fn used_milli(&self) -> u64 {
        self.0.iter().map(|used| u64::from(used.0)).sum()
    }

    /// The GPU with the least left that still has `milli`: so that whole GPUs stay whole.
    pub fn best_share(&self, milli: GpuMilli) -> Option<GpuSet> {
        let fits = self.free().enumerate().filter(|(_, free)| *free >= milli);
        fits.min_by_key(|&(index, free)| (free, index))
            .map(|(index, _)| GpuSet::of([index]))
    }

    /// The lowest `count` GPUs that nothing runs on.
    pub fn idle_set(&self, count: u8) -> Option<GpuSet> {
        let idle = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, used)| **used == GpuMilli::NONE);
        let chosen: SmallVec<[usize; 8]> = idle
            .map(|(index, _)| index)
            .take(usize::from(count))
            .collect();
        (chosen.len() == usize::from(count)).then(|| GpuSet::of(chosen))
    }

    /// Takes `milli` of each GPU of the set. False, and nothing taken, if one has not as much.
    #[must_use]
    pub fn take(&mut self, gpus: GpuSet, milli: GpuMilli) -> bool {
        let room = |index: usize| {
            self.0
                .get(index)
                .is_some_and(|used| used.0 + milli.0 <= GpuMilli::WHOLE.0)
        };
        if !gpus.iter().all(room) {
            return false;
        }
        for index in gpus.iter() {
            self.0[index].0 += milli.0;
        }
        true
    }

    /// Gives `milli` of each GPU of the set back. False, and nothing given, if one has not as
    /// much to give.
    #[must_use]
    pub fn give_back(&mut self, gpus: GpuSet, milli: GpuMilli) -> bool {
        if !gpus
            .iter()
            .all(|index| self.0.get(index).is_some_and(|used| *used >= milli))
        {
            return false;
        }
        for index in gpus.iter() {
            self.0[index].0 -= milli.0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_goes_to_the_fullest_gpu_that_has_room() {
        let mut gpus = GpuUse::idle(3);
        assert_eq!(gpus.best_share(GpuMilli(400)), Some(GpuSet::of([0])));
        assert!(gpus.take(GpuSet::of([1]), GpuMilli(500)));
        assert_eq!(gpus.best_share(GpuMilli(400)), Some(GpuSet::of([1])));
        assert_eq!(gpus.best_share(GpuMilli(600)), Some(GpuSet::of([0])));
        assert_eq!((gpus.idle_count(), gpus.open_count()), (2, 3));
    }

    #[test]
    fn whole_gpus_are_idle_ones() {
        let mut gpus = GpuUse::idle(3);
        assert!(gpus.take(GpuSet::of([1]), GpuMilli(10)));
        assert_eq!(gpus.idle_set(2), Some(GpuSet::of([0, 2])));
        assert_eq!(gpus.idle_set(3), None);
    }

    #[test]
    fn nothing_is_taken_that_is_not_there() {
        let mut gpus = GpuUse::idle(2);
        assert!(gpus.take(GpuSet::of([0, 1]), GpuMilli::WHOLE));
        assert!(!gpus.take(GpuSet::of([1]), GpuMilli(1)));
        assert!(!gpus.take(GpuSet::of([2]), GpuMilli(1)));
        assert!(gpus.give_back(GpuSet::of([0]), GpuMilli::WHOLE));
        assert!(!gpus.give_back(GpuSet::of([0, 1]), GpuMilli(1)));
        assert_eq!(gpus.used_milli(), 1_000);
    }

    #[test]
    fn a_set_is_written_as_the_trace_writes_lists() {
        assert_eq!(GpuSet::of([3, 0]).to_string(), "0|3");
        assert_eq!(GpuSet::NONE.to_string(), "");
    }
}
