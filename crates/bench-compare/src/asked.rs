//! What is asked of skep, and whether a figure meets it.

/// What a rate is asked, beside a peer or by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ask {
    /// At least so many times the peer's rate, by one thread and by two.
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

/// "met" or "MISSED".
pub fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
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
    pub fn answer(self, measured: &Measured) -> Option<String> {
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
        Some(format!("{asked}: {}", verdict(met)))
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
    pub fn answer(self, own: f64, peer: impl Fn(&str) -> Option<f64>) -> Option<String> {
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
        Some(format!("{asked}: {}", verdict(met)))
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
        let answer = ask.answer(&MEASURED).expect("it was measured");
        assert!(answer.ends_with("met") != answer.ends_with("MISSED"));
        answer.ends_with("met")
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
        assert!(answer(Bound::AtMost(2.0)).ends_with(": met"));
        assert!(answer(Bound::AtMost(1.9)).ends_with(": MISSED"));
        assert!(answer(Bound::AtLeast(2.0)).ends_with(": met"));
        assert!(answer(Bound::AtLeast(2.1)).ends_with(": MISSED"));
        assert!(answer(Bound::Times("peer", 2.0)).ends_with(": met"));
        assert!(answer(Bound::Times("peer", 2.1)).ends_with(": MISSED"));
    }
}
