//! Which tasks the operations of a workload meet, drawn before the clock runs.

/// Picks that a thread goes round and round through.
const PICKS: usize = 1 << 16;
/// The skew of the zipfian workload.
const ZIPF_EXPONENT: f64 = 0.99;

/// How picks are spread over the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// All alike.
    Uniform,
    /// Few often, most seldom: zipf 0.99.
    Zipf,
    /// So many, and no other.
    Few(u32),
}

/// The picks of one thread.
#[derive(Debug)]
pub struct Picks {
    picks: Vec<u32>,
    at: usize,
}

impl Picks {
    /// Draws picks; the same for the same arguments, so that all stores meet the same.
    pub fn draw(spread: Spread, records: u32, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let picks = match spread {
            Spread::Uniform => (0..PICKS).map(|_| random.u32(..records)).collect(),
            Spread::Few(few) => (0..PICKS).map(|_| random.u32(..few.min(records))).collect(),
            Spread::Zipf => {
                let shares = shares(records);
                let draw = |_| {
                    let share = random.f64();
                    let rank = shares.partition_point(|&below| below < share);
                    u32::try_from(rank).unwrap_or(0).min(records - 1)
                };
                (0..PICKS).map(draw).collect()
            }
        };
        Self { picks, at: 0 }
    }

    /// The next `count` picks.
    pub fn next(&mut self, count: usize) -> &[u32] {
        if self.at + count > self.picks.len() {
            self.at = 0;
        }
        let from = self.at;
        self.at += count;
        &self.picks[from..from + count]
    }
}

/// For each rank the share of all picks that it and the ranks before it get.
fn shares(records: u32) -> Vec<f64> {
    let weights = (1..=records).map(|rank| f64::from(rank).powf(-ZIPF_EXPONENT));
    let sums = weights.scan(0.0, |sum, weight| {
        *sum += weight;
        Some(*sum)
    });
    let sums: Vec<f64> = sums.collect();
    let whole = sums.last().copied().unwrap_or(1.0);
    sums.iter().map(|sum| sum / whole).collect()
}
