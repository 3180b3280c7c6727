//! Histories by hand, as texts.

#![allow(dead_code, reason = "each test file uses a part")]

use skep::testing::history::{Anomaly, History, Report, Violation};

pub fn history(text: &str) -> History {
    let text = format!("skep-history 1\n{text}");
    History::read(text.as_bytes()).expect("a history's text")
}

pub fn check(text: &str) -> Result<Report, Violation> {
    history(text).check()
}

#[track_caller]
pub fn refused(anomaly: Anomaly, text: &str) -> Violation {
    let violation = check(text).expect_err("an anomaly");
    assert_eq!(violation.anomaly, anomaly, "{violation}");
    violation
}

/// Keys 1 and 2 as stamps 1 and 2, before anything else begins.
pub const START: &str = "
transaction 9 begun 1 ended 2 snapshot 0 committed 1
put 1 stamp 1
put 2 stamp 2
";

#[track_caller]
pub fn refused_after_start(anomaly: Anomaly, text: &str) -> Violation {
    refused(anomaly, &format!("{START}{text}"))
}
