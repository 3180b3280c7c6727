//! What is asked of skep, and whether a figure meets it.

use std::fmt;

/// What a rate is asked, beside a peer or by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ask {
    /// At least so many times the peer's rate, by one thread and by two: whatever more threads
    /// do is shown, and nothing is asked of it.
    Times(&'static str, f64),
    /// The same, by two threads only.
    TimesByTwo(&'static str, f64),
    /// At least so many a second by one thread.
    Rate(f64),
    /// Two threads together at least so many times one.
    Scaling(f64),
    /// No operation that takes more attempts than this.
    Attempts(u32),
}

/// What an ask looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    /// Skep's rate over the peer's, by one thread and by two.
    pub ratios: [Option<f64>; 2],
    /// Skep's own rates, by one thread and by two.
    pub rates: [Option<f64>; 2],
    /// The most attempts that an operation of skep's took.
    pub attempts: u32,
}

/// What is asked, and whether it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What is asked.
    pub asked: String,
    /// Whether it is so.
    pub met: bool,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.met { "met" } else { "MISSED" };
        write!(f, "{}: {verdict}", self.asked)
    }
}

impl Ask {
    /// The peer that it names, if it names one.
    pub fn peer(self) -> Option<&'static str> {
        match self {
            Self::Times(peer, _) | Self::TimesByTwo(peer, _) => Some(peer),
            Self::Rate(_) | Self::Scaling(_) | Self::Attempts(_) => None,
        }
    }

    /// What is asked, and whether that is so; `None`: nothing was measured that would tell.
    pub fn answer(self, measured: &Measured) -> Option<Answer> {
        let [one, two] = measured.ratios;
        let (asked, met) = match self {
            Self::Times(_, least) => {
                let worse = two.map_or(one?, |two| two.min(one.unwrap_or(two)));
                (format!(">= {least} x"), worse >= least)
            }
            Self::TimesByTwo(_, least) => (format!(">= {least} x by two"), two? >= least),
            Self::Rate(least) => (
                format!(">= {:.1} M/s", least / 1e6),
                measured.rates[0]? >= least,
            ),
            Self::Scaling(least) => {
                let scaling = measured.rates[1]? / measured.rates[0]?;
                let asked = format!("two >= {least} x one ({scaling:.2} x)");
                (asked, scaling >= least)
            }
            Self::Attempts(most) => (format!("attempts <= {most}"), measured.attempts <= most),
        };
        Some(Answer { asked, met })
    }
}

/// What a figure is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// At least so many times the peer's.
    Times(&'static str, f64),
}

impl Bound {
    /// The peer that it names, if it names one.
    pub fn peer(self) -> Option<&'static str> {
        match self {
            Self::Times(peer, _) => Some(peer),
            Self::AtLeast(_) | Self::AtMost(_) => None,
        }
    }
}

/// What one of the figures of a workload is asked.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Which figure.
    pub figure: &'static str,
    /// What is asked at first; `None`: nothing.
    pub first: Option<Bound>,
    /// What is asked finally.
    pub finally: Bound,
}

impl Bound {
    /// What is asked, and whether skep's figure meets it; `peer` finds that peer's figure.
    pub fn answer(self, own: f64, peer: impl Fn(&str) -> Option<f64>) -> Option<Answer> {
        let (asked, met) = match self {
            Self::AtLeast(least) => (format!(">= {least}"), own >= least),
            Self::AtMost(most) => (
                format!("<= {}", (most * 100.0).round() / 100.0),
                own <= most,
            ),
            Self::Times(name, least) => {
                let ratio = own / peer(name)?;
                let asked = format!(">= {least} x {name} ({ratio:.2} x)");
                (asked, ratio >= least)
            }
        };
        Some(Answer { asked, met })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEASURED: Measured = Measured {
        ratios: [Some(4.0), Some(2.0)],
        rates: [Some(10.0), Some(17.0)],
        attempts: 3,
    };

    fn is_met(ask: Ask) -> bool {
        ask.answer(&MEASURED).expect("it was measured").met
    }

    #[test]
    fn the_worse_of_two_threads_and_one_decides() {
        assert!(is_met(Ask::Times("peer", 2.0)));
        assert!(!is_met(Ask::Times("peer", 3.0)));
        assert!(is_met(Ask::TimesByTwo("peer", 2.0)));
        assert!(!is_met(Ask::TimesByTwo("peer", 2.5)));
    }

    #[test]
    fn a_rate_is_asked_by_itself() {
        assert!(is_met(Ask::Rate(10.0)) && !is_met(Ask::Rate(11.0)));
        assert!(is_met(Ask::Scaling(1.7)) && !is_met(Ask::Scaling(1.8)));
        assert!(is_met(Ask::Attempts(3)) && !is_met(Ask::Attempts(2)));
    }

    #[test]
    fn an_answer_says_what_is_asked_and_whether_it_is_so() {
        let answer = |ask: Ask| ask.answer(&MEASURED).map(|answer| answer.to_string());
        assert_eq!(
            answer(Ask::Times("peer", 2.0)),
            Some(">= 2 x: met".to_owned())
        );
        assert_eq!(
            answer(Ask::Attempts(2)),
            Some("attempts <= 2: MISSED".to_owned())
        );
    }

    #[test]
    fn what_was_not_measured_is_not_answered() {
        let nothing = Measured::default();
        assert_eq!(Ask::Rate(1.0).answer(&nothing), None);
        assert_eq!(Ask::TimesByTwo("peer", 1.0).answer(&nothing), None);
        assert_eq!(Ask::Times("peer", 1.0).answer(&nothing), None);
        assert_eq!(Bound::Times("peer", 1.0).answer(1.0, |_| None), None);
    }

    #[test]
    fn a_bound_is_met_up_to_itself() {
        let answer = |bound: Bound| bound.answer(2.0, |_| Some(1.0)).expect("both are there");
        let is_met = |bound| answer(bound).met;
        assert!(is_met(Bound::AtMost(2.0)));
        assert!(!is_met(Bound::AtMost(1.9)));
        assert!(is_met(Bound::AtLeast(2.0)));
        assert!(!is_met(Bound::AtLeast(2.1)));
        assert!(is_met(Bound::Times("peer", 2.0)));
        assert!(!is_met(Bound::Times("peer", 2.1)));
    }
}
