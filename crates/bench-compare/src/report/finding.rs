//! What was found about skep beside one store, or by itself: whether what is asked is so.

use skep_measure::clock::Clock;

use super::{beside, short};
use crate::asked::{Answer, Ask, Bound, Check, Measured};
use crate::outcome::Outcome;
use crate::peers::SKEP;
use crate::samples::Samples;
use crate::special::{Figures, Special, summary};
use crate::workload::Rated;

/// How good it is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// What was asked at first is not so.
    MissesFirst,
    /// What is asked finally is not so.
    MissesFinally,
    /// Nothing that is asked is missed, and the store beside is faster.
    Behind,
    /// What is asked is so, and the store beside is slower.
    Reached,
    /// Nothing is asked, and the store beside is slower.
    Ahead,
}

/// What was found of one workload beside one store.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The workload.
    pub workload: String,
    /// Skep's own figures.
    pub own: String,
    /// The store beside, or skep itself.
    pub store: String,
    /// Skep's rates over the store's.
    pub ratios: String,
    /// What was asked at first.
    pub first: Vec<Answer>,
    /// What is asked finally.
    pub finally: Vec<Answer>,
    /// Whether the store beside is faster somewhere.
    pub is_behind: bool,
}

impl Finding {
    /// How good it is.
    pub fn rank(&self) -> Rank {
        let misses = |answers: &[Answer]| answers.iter().any(|answer| !answer.met);
        if misses(&self.first) {
            Rank::MissesFirst
        } else if misses(&self.finally) {
            Rank::MissesFinally
        } else if self.is_behind {
            Rank::Behind
        } else if !self.first.is_empty() || !self.finally.is_empty() {
            Rank::Reached
        } else {
            Rank::Ahead
        }
    }
}

/// Answers beside each other.
pub fn joined(answers: &[Answer]) -> String {
    let answers: Vec<String> = answers.iter().map(Answer::to_string).collect();
    answers.join("; ")
}

/// Everything that was found of a workload; nothing, where skep was not measured.
pub fn findings(outcome: &Outcome, clock: Clock) -> Vec<Finding> {
    match outcome {
        Outcome::Rates(workload, all) => rates(workload, all, clock),
        Outcome::Figures(workload, all) => figures(workload, all),
    }
}

/// Skep's rates over a store's, by its counts of threads.
pub fn ratios(own: &Samples, store: &Samples, clock: Clock) -> Vec<Option<f64>> {
    let counts = own.by_threads.iter().map(|(threads, _)| *threads);
    let ratio =
        |threads| Some(own.rate(threads, clock)?.median / store.rate(threads, clock)?.median);
    counts.map(ratio).collect()
}

/// What is asked at first and finally beside one store: beside skep, what names nobody.
pub fn answers(workload: &Rated, own: &Samples, store: &Samples, clock: Clock) -> [Vec<Answer>; 2] {
    let rate = |samples: &Samples, threads| samples.rate(threads, clock).map(|it| it.median);
    let measured = Measured {
        ratios: [1, 2].map(|threads| Some(rate(own, threads)? / rate(store, threads)?)),
        rates: [1, 2].map(|threads| rate(own, threads)),
        attempts: own.attempts(),
    };
    let is_here = |ask: &&Ask| ask.peer().unwrap_or(SKEP) == store.store;
    [workload.first, workload.finally].map(|asks| {
        let asks = asks.iter().filter(is_here);
        asks.filter_map(|ask| ask.answer(&measured)).collect()
    })
}

fn rates(workload: &Rated, all: &[Samples], clock: Clock) -> Vec<Finding> {
    let Some(own) = all.iter().find(|samples| samples.store == SKEP) else {
        return Vec::new();
    };
    let counts = own.by_threads.iter().map(|(threads, _)| *threads);
    let rates: Vec<_> = counts.map(|threads| own.rate(threads, clock)).collect();
    let medians = beside(rates.iter().map(|it| it.map(|it| it.median)), short);
    let percent = |spread: f64| format!("{spread:.0}");
    let spreads = beside(rates.iter().map(|it| it.map(|it| it.spread())), percent);
    let find = |store: &Samples| {
        let ratios = ratios(own, store, clock);
        let [first, finally] = answers(workload, own, store, clock);
        Finding {
            workload: format!("{}: {}", workload.letter, workload.title),
            own: format!("{medians} ({spreads} %)"),
            store: store.store.to_owned(),
            is_behind: ratios.iter().flatten().any(|ratio| *ratio < 1.0),
            ratios: if store.store == SKEP {
                String::new()
            } else {
                beside(ratios, |ratio| format!("{ratio:.2}"))
            },
            first,
            finally,
        }
    };
    let stores = all.iter().filter(|samples| samples.is_some());
    stores.map(find).collect()
}

/// What is asked at first and finally of one of the figures.
pub fn checked(check: &Check, all: &[(&'static str, Vec<Figures>)]) -> [Option<Answer>; 2] {
    let figure = |store: &str| {
        let (_, rounds) = all.iter().find(|(name, _)| *name == store)?;
        Some(summary(rounds, check.figure)?.median)
    };
    let answer = |bound: Bound| bound.answer(figure(SKEP)?, figure);
    [check.first.and_then(answer), answer(check.finally)]
}

fn figures(workload: &Special, all: &[(&'static str, Vec<Figures>)]) -> Vec<Finding> {
    let own = all.iter().find(|(store, _)| *store == SKEP);
    let find = |check: &Check| {
        let summary = summary(&own?.1, check.figure)?;
        let [first, finally] = checked(check, all);
        Some(Finding {
            workload: format!("{}: {}", workload.letter, check.figure),
            own: format!("{} ({:.0} %)", short(summary.median), summary.spread()),
            store: check.finally.peer().unwrap_or(SKEP).to_owned(),
            ratios: String::new(),
            first: first.into_iter().collect(),
            finally: finally.into_iter().collect(),
            is_behind: false,
        })
    };
    workload.checks.iter().filter_map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asked::Ask::{Rate, Times};
    use crate::samples::one_round as samples;
    use crate::special::SPECIAL;
    use crate::workload::RATED;

    const WORKLOAD: Rated = Rated {
        first: &[Times("peer", 1.5)],
        finally: &[Times("peer", 2.5), Rate(1e6)],
        ..RATED[0]
    };

    fn found(own: [f64; 2], peer: [f64; 2]) -> Vec<(String, Rank)> {
        let all = [
            samples(SKEP, own),
            samples("peer", peer),
            samples("other", [3e6, 9e6]),
        ];
        let found = rates(&WORKLOAD, &all, Clock::Wall);
        found
            .iter()
            .map(|it| (it.store.clone(), it.rank()))
            .collect()
    }

    #[test]
    fn what_is_asked_decides_and_beside_others_who_is_faster() {
        let ranks = |peer| {
            let found = found([4e6, 8e6], peer);
            found.into_iter().map(|it| it.1).collect::<Vec<_>>()
        };
        // Twice the peer: enough at first, and not finally. The other is faster by two threads.
        let expected = [Rank::Reached, Rank::MissesFinally, Rank::Behind];
        assert_eq!(ranks([2e6, 4e6]), expected);
        assert_eq!(ranks([1e6, 2e6])[1], Rank::Reached);
        // What is asked of a part is met by one who is behind.
        const HALF: Rated = Rated {
            first: &[Times("peer", 0.5)],
            finally: &[],
            ..RATED[0]
        };
        let all = [samples(SKEP, [6e6, 6e6]), samples("peer", [8e6, 8e6])];
        assert_eq!(rates(&HALF, &all, Clock::Wall)[1].rank(), Rank::Behind);
        // The worse of one thread and two decides.
        assert_eq!(ranks([1e6, 8e6])[1], Rank::MissesFirst);
        assert_eq!(found([9e6, 9.5e6], [1e6, 1e6])[2].1, Rank::Ahead);
    }

    #[test]
    fn ratios_are_by_the_clock_that_is_asked() {
        let mut own = samples(SKEP, [1e6, 1e6]);
        own.by_threads[0].1[0].nanos = 100.0;
        let mut peer = samples("peer", [4e6, 4e6]);
        peer.by_threads[0].1[0].nanos = 50.0;
        assert_eq!(ratios(&own, &peer, Clock::Wall)[0], Some(0.25));
        assert_eq!(ratios(&own, &peer, Clock::Cpu)[0], Some(0.5));
    }

    #[test]
    fn a_check_is_answered_by_the_figure_that_it_names() {
        let memory = SPECIAL.iter().find(|special| special.letter == 'l');
        let memory = memory.expect("l is there");
        let rounds = vec![vec![("other", 1.0), (memory.checks[0].figure, 200.0)]];
        let found = figures(memory, &[(SKEP, rounds)]);
        assert_eq!(found.len(), 1);
        assert_eq!(joined(&found[0].first), "<= 240: met");
        assert_eq!(joined(&found[0].finally), "<= 160: MISSED");
        assert_eq!(found[0].rank(), Rank::MissesFinally);
    }
}
