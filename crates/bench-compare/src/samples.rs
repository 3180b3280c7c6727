//! What one store's samples of one workload come to.

use skep_measure::clock::Clock;
use skep_measure::figures::Summary;

/// One round of one store, by some threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Operations a second of the wall clock, of all threads together.
    pub rate: f64,
    /// Nanoseconds that threads ran for an operation, waiting not counted.
    pub nanos: f64,
    /// The most attempts that an operation took.
    pub attempts: u32,
    /// Counters of tasks that were counted up.
    pub updates: u64,
}

impl Sample {
    /// Operations a second, of all threads together, if only the time counts that a clock sees.
    fn rate(&self, threads: usize, clock: Clock) -> f64 {
        match clock {
            Clock::Wall => self.rate,
            Clock::Cpu => threads as f64 * 1e9 / self.nanos,
        }
    }
}

/// One store's samples of one workload.
#[derive(Clone, Debug)]
pub struct Samples {
    /// The store.
    pub store: &'static str,
    /// By counts of threads, then by round.
    pub by_threads: Vec<(usize, Vec<Sample>)>,
}

impl Samples {
    /// None yet, by these counts of threads.
    pub fn none(store: &'static str, threads: &[usize]) -> Self {
        let by_threads = threads.iter().map(|&count| (count, Vec::new())).collect();
        Self { store, by_threads }
    }

    /// Notes a sample of one of the counts of threads.
    pub fn note(&mut self, threads: usize, sample: Sample) {
        let mut counts = self.by_threads.iter_mut();
        if let Some((_, samples)) = counts.find(|(count, _)| *count == threads) {
            samples.push(sample);
        }
    }

    fn by(&self, threads: usize) -> &[Sample] {
        let mut counts = self.by_threads.iter();
        counts
            .find(|(count, _)| *count == threads)
            .map_or(&[], |(_, samples)| samples)
    }

    /// Operations a second; `None`: none was measured.
    pub fn rate(&self, threads: usize, clock: Clock) -> Option<Summary> {
        let samples = self.by(threads).iter();
        Summary::of(samples.map(|sample| sample.rate(threads, clock)))
    }

    /// Nanoseconds that threads ran for an operation.
    pub fn nanos(&self, threads: usize) -> Option<f64> {
        let samples = self.by(threads).iter();
        Summary::of(samples.map(|sample| sample.nanos)).map(|nanos| nanos.median)
    }

    /// Whether the store has the operation.
    pub fn is_some(&self) -> bool {
        self.by_threads
            .iter()
            .any(|(_, samples)| !samples.is_empty())
    }

    /// The most attempts that an operation took.
    pub fn attempts(&self) -> u32 {
        let all = self.by_threads.iter().flat_map(|(_, samples)| samples);
        all.map(|sample| sample.attempts).max().unwrap_or(0)
    }
}

/// A round by one thread and by two.
#[cfg(test)]
pub fn one_round(store: &'static str, rates: [f64; 2]) -> Samples {
    let mut samples = Samples::none(store, &[1, 2]);
    for (threads, rate) in (1..).zip(rates) {
        let sample = Sample {
            rate,
            nanos: threads as f64 * 1e9 / rate,
            attempts: 1,
            updates: 0,
        };
        samples.note(threads, sample);
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rate: f64, nanos: f64) -> Sample {
        Sample {
            rate,
            nanos,
            attempts: 1,
            updates: 0,
        }
    }

    #[test]
    fn rates_are_medians_by_the_clock_that_is_asked() {
        let mut samples = Samples::none("store", &[1, 2]);
        for (rate, nanos) in [(10.0, 4.0), (30.0, 2.0), (20.0, 5.0)] {
            samples.note(2, sample(rate, nanos));
        }
        let median = |threads, clock| samples.rate(threads, clock).map(|it| it.median);
        assert_eq!(median(2, Clock::Wall), Some(20.0));
        // Two threads that each take 4 ns an operation do half a billion a second.
        assert_eq!(median(2, Clock::Cpu), Some(0.5e9));
        assert_eq!(samples.nanos(2), Some(4.0));
        assert_eq!(median(1, Clock::Wall), None);
        assert!(samples.is_some() && !Samples::none("store", &[1]).is_some());
    }

    #[test]
    fn what_is_of_no_asked_count_of_threads_is_not_noted() {
        let mut samples = Samples::none("store", &[1]);
        samples.note(4, sample(1.0, 1.0));
        assert!(!samples.is_some());
    }
}
