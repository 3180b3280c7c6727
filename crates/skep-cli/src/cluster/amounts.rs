//! The amounts of a cluster, each its own type, so that a CPU is never added to a GPU.

use std::fmt;

/// Thousandths of a CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuMilli(pub u32);

/// Memory in MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryMib(pub u32);

/// Thousandths of one GPU: at most [`GpuMilli::WHOLE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GpuMilli(pub u16);

impl GpuMilli {
    /// Nothing of a GPU.
    pub const NONE: Self = Self(0);
    /// A GPU that is not shared.
    pub const WHOLE: Self = Self(1_000);
}

/// Simulated seconds, counted as the trace counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(pub u64);

impl Seconds {
    /// How long it is from `earlier` to here, nothing if `earlier` is later.
    pub fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

/// A task's place in the order in which the trace creates tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u32);

impl Sequence {
    /// The place as an index into the cluster's tasks.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
