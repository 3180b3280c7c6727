//! How thoroughly criterion measures: as `SKEP_BENCH` asks.

use std::time::Duration;

use criterion::Criterion;
use criterion::measurement::Measurement;

/// How thoroughly criterion measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Figures to keep, and charts of them.
    Full,
    /// A look: everything within minutes, without charts.
    Quick,
}

impl Profile {
    /// The one that `SKEP_BENCH` asks for: `quick`, or else the full one.
    #[must_use]
    pub fn asked() -> Self {
        match std::env::var("SKEP_BENCH").as_deref() {
            Ok("quick") => Self::Quick,
            _ => Self::Full,
        }
    }

    /// Criterion that measures so; what the command line says goes before.
    #[must_use]
    pub fn of<M: Measurement>(self, criterion: Criterion<M>) -> Criterion<M> {
        let times = |warm_up, measured| {
            let criterion = criterion.sample_size(10);
            let criterion = criterion.warm_up_time(Duration::from_millis(warm_up));
            criterion.measurement_time(Duration::from_millis(measured))
        };
        match self {
            Self::Full => times(300, 1_000),
            Self::Quick => times(20, 100).without_plots(),
        }
        .configure_from_args()
    }
}
