//! The middle of several figures, and how far they lie apart.

/// What several rounds' figures come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The least.
    pub least: f64,
    /// The middle one; of an even number, halfway between the two in the middle.
    pub median: f64,
    /// The most.
    pub most: f64,
}

impl Summary {
    /// Of some figures; `None`: there are none.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (&least, &most) = (figures.first()?, figures.last()?);
        let middle = figures.len() / 2;
        let median = if figures.len().is_multiple_of(2) {
            f64::midpoint(figures[middle - 1], figures[middle])
        } else {
            figures[middle]
        };
        Some(Self {
            least,
            median,
            most,
        })
    }

    /// The distance of the extremes over the median, in percent.
    #[must_use]
    pub fn spread(&self) -> f64 {
        100.0 * (self.most - self.least) / self.median
    }
}

/// The middle one of some figures; NaN: there are none.
#[must_use]
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    Summary::of(figures).map_or(f64::NAN, |summary| summary.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median([7.0]), 7.0);
        assert!(median([]).is_nan());
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn one_wild_round_moves_the_spread_and_not_the_median() {
        let calm = Summary::of([9.0, 10.0, 11.0]).expect("there are some");
        let wild = Summary::of([9.0, 10.0, 1000.0]).expect("there are some");
        assert_eq!(calm.median, wild.median);
        assert_eq!(calm.spread(), 20.0);
        assert_eq!(wild.spread(), 9910.0);
        assert_eq!(Summary::of([5.0]).map(|it| it.spread()), Some(0.0));
    }
}
