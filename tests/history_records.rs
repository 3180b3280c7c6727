//! The check of histories, checked: what is no anomaly is accepted, what is no history is refused;
//! and histories as texts.

#[path = "histories/text.rs"]
mod text;

use std::panic::catch_unwind;
use std::path::Path;

use skep::testing::history::{Anomaly, History, ReadError};
use text::{START, check, history, refused_after_start};

#[test]
fn own_writes_not_seen_are_refused() {
    for steps in [
        "put 1 stamp 11\nget 1 stamp 1 version 1",
        "put 1 stamp 11\nget 1 nothing",
        "delete 1\nget 1 stamp 1 version 1",
        "get 1 stamp 11 version 0\nput 1 stamp 11",
        "put 1 stamp 11\nput 1 stamp 12\nget 1 stamp 11 version 0",
        "put 3 stamp 11\nfind 0 from 3 to 9",
        "delete 1\nfind 0 from 1 to 1\nfound 1 stamp 1 version 1",
        "put 1 stamp 11\nat 1 value 5\nfind 1 from 6 to 9\nfound 1 stamp 11 version 0",
    ] {
        let text = format!("transaction 1 begun 3 ended 4 snapshot 1 committed 2\n{steps}");
        refused_after_start(Anomaly::OwnWrite, &text);
    }
}

#[test]
fn what_nobody_wrote_there_is_refused() {
    for steps in [
        "get 1 stamp 77 version 1",
        "get 1 stamp 2 version 1",
        "get 3 stamp 2 version 1",
        "find 1 from 0 to 9\nfound 1 stamp 1 version 1",
        "find 0 from 0 to 9\nfound 2 stamp 1 version 1",
    ] {
        let text = format!("transaction 1 begun 3 ended 4 snapshot 1 committed 1\n{steps}");
        refused_after_start(Anomaly::Unwritten, &text);
    }
}

#[test]
fn a_write_seen_at_another_version_is_refused() {
    let steps = "transaction 1 begun 3 ended 4 snapshot 1 committed 1\nget 1 stamp 1 version 7";
    refused_after_start(Anomaly::VersionOrder, steps);
}

#[test]
fn malformed_histories_are_refused() {
    for text in [
        "transaction 1 begun 3 ended 2 snapshot 1 committed 1",
        "transaction 1 begun 3 ended 4 snapshot 2 committed 1",
        "transaction 1 begun 3 ended 4 snapshot 0 committed 1\nput 3 stamp 3",
        "transaction 1 begun 3 ended 4 snapshot 1 committed 2\nput 3 stamp 1",
        "transaction 1 begun 3 ended 4 snapshot 1 committed 1\nfound 1 stamp 1 version 1",
        "transaction 1 begun 3 ended 4 snapshot 1 committed 2\nat 1 value 1",
        "transaction 1 begun 3 ended 4 snapshot 1 committed 2\nput 3 stamp 3\nat 0 value 1",
        "transaction 1 begun 3 ended 4 snapshot 1 committed 1\nfind 0 from 1 to 1\n\
         found 1 stamp 1 version 1\nfound 1 stamp 1 version 1",
    ] {
        refused_after_start(Anomaly::Malformed, text);
    }
    let mut cut = history(START);
    cut.operations.pop();
    let violation = cut.check().expect_err("an operation is missing");
    assert_eq!(violation.anomaly, Anomaly::Malformed);
}

#[test]
fn clean_histories_are_accepted() {
    let report = check(&format!(
        "
{START}
transaction 1 begun 3 ended 9 snapshot 1 committed 3
get 3 nothing
find 0 from 0 to 9
found 2 stamp 2 version 1
found 1 stamp 1 version 1
delete 1
get 1 nothing
find 0 from 1 to 2
found 2 stamp 2 version 1
put 1 stamp 11
get 1 stamp 11 version 1
transaction 2 begun 4 ended 5 snapshot 1 committed 2
put 4 stamp 24
transaction 3 begun 6 ended 20 snapshot 2 committed 2
get 1 stamp 1 version 1
get 4 stamp 24 version 2
transaction 4 begun 10 ended 11 snapshot 3 aborted
get 1 stamp 11 version 3
delete 2
transaction 4 begun 12 ended 13 snapshot 3 panicked
put 2 stamp 42
get 2 stamp 42 version 1
"
    ));
    // The first did not find key 4, which the third read beside what the first replaced.
    assert_eq!(report.expect_err("a phantom").anomaly, Anomaly::G2);
    let report = check(&format!(
        "
{START}
transaction 1 begun 3 ended 9 snapshot 1 committed 3
find 0 from 0 to 3
found 2 stamp 2 version 1
found 1 stamp 1 version 1
delete 1
put 1 stamp 11
transaction 2 begun 4 ended 5 snapshot 1 committed 2
put 4 stamp 24
at 1 value 6
at 1 value 7
transaction 3 begun 10 ended 11 snapshot 3 committed 3
find 1 from 0 to 9
found 4 stamp 24 version 2
transaction 4 begun 10 ended 11 snapshot 3 aborted
get 1 stamp 11 version 3
delete 2
"
    ))
    .expect("clean");
    assert_eq!(
        (report.committed, report.read_only, report.aborted),
        (3, 1, 1)
    );
    assert_eq!((report.reads, report.finds, report.found), (1, 2, 3));
    assert_eq!(report.writes, 4);
    assert!(
        check("")
            .expect("nothing is wrong with nothing")
            .end
            .transactions
            .is_empty()
    );
}

#[test]
fn who_comes_and_goes_between_is_not_missed() {
    // Key 3 came and went after the first one's snapshot: at its version there is nothing.
    check(
        "
transaction 1 begun 1 ended 9 snapshot 0 committed 3
find 0 from 3 to 3
get 3 nothing
put 1 stamp 11
transaction 2 begun 2 ended 3 snapshot 0 committed 1
put 3 stamp 23
transaction 2 begun 4 ended 5 snapshot 1 committed 2
delete 3
",
    )
    .expect("clean");
}

#[test]
fn an_indeterminate_one_counts_if_somebody_saw_it() {
    let seen = |read: &str| {
        check(&format!(
            "
{START}
transaction 1 begun 3 ended 4 snapshot 1 indeterminate
put 1 stamp 11
transaction 2 begun 5 ended 6 snapshot 2 committed 2
{read}
"
        ))
    };
    let report = seen("get 1 stamp 11 version 2").expect("it was committed");
    assert_eq!(report.committed, 2);
    // After whom it came nobody knows: it ended at no time.
    let late = "get 1 stamp 1 version 1
transaction 3 begun 7 ended 8 snapshot 2 committed 2
get 1 stamp 11 version 2";
    let report = check(&format!(
        "{START}
transaction 1 begun 3 ended 4 snapshot 1 indeterminate
put 1 stamp 11
transaction 2 begun 5 ended 6 snapshot 1 committed 1
{late}"
    ));
    assert_eq!(report.expect("it was committed late").committed, 2);
    // Seen by itself only, it was not.
    let report = check(&format!(
        "{START}
transaction 1 begun 3 ended 4 snapshot 1 indeterminate
put 1 stamp 11
get 1 stamp 11 version 1"
    ));
    assert_eq!(report.expect("it was not").committed, 1);
    let violation = seen("get 1 stamp 11 version 0").expect_err("at no version");
    assert_eq!(violation.anomaly, Anomaly::Malformed);
    let report = check(&format!(
        "{START}
transaction 1 begun 3 ended 4 snapshot 1 indeterminate
put 1 stamp 11
transaction 2 begun 5 ended 6 snapshot 1 committed 1
get 1 stamp 1 version 1"
    ))
    .expect("it was not");
    assert_eq!((report.committed, report.aborted), (1, 1));
}

#[test]
fn an_end_is_a_beginning() {
    let report = check(&format!(
        "
{START}
transaction 1 begun 3 ended 4 snapshot 1 committed 2
put 3 stamp 3
at 1 value 5
at 2 value 6
delete 1
"
    ))
    .expect("clean");
    let mut text = Vec::new();
    report.end.write(&mut text).expect("it fits");
    let text = String::from_utf8(text).expect("a text");
    assert_eq!(
        text,
        "skep-history 1
transaction 0 begun 0 ended 0 snapshot 0 committed 1
put 2 stamp 2
transaction 0 begun 0 ended 0 snapshot 0 committed 2
put 3 stamp 3
at 1 value 5
at 2 value 6
"
    );
    let read = History::read(text.as_bytes()).expect("a history's text");
    assert_eq!(read, report.end);
    assert_eq!(read.check().expect("clean").end, report.end);
}

#[test]
fn what_is_no_history_is_not_read() {
    for (line, text) in [
        (1, "skep-history 2"),
        (2, "skep-history 1\nget 1 nothing"),
        (3, "skep-history 1\n# a remark\ntransaction 1 begun 1"),
        (
            3,
            "skep-history 1\ntransaction 1 begun 1 ended 2 snapshot 0 aborted\nget 1",
        ),
        (
            2,
            "skep-history 1\ntransaction 1 begun 1 ended 2 snapshot 0 committed",
        ),
        (
            2,
            "skep-history 1\ntransaction x begun 1 ended 2 snapshot 0 aborted",
        ),
    ] {
        let error = History::read(text.as_bytes()).expect_err(text);
        assert!(
            matches!(error, ReadError::Line(at) if at == line),
            "{text}: {error}"
        );
    }
}

/// Two that each read what the other replaced: told with both, and kept to be looked at again.
#[test]
fn what_is_refused_is_told_and_kept() {
    let skewed = format!(
        "{START}
transaction 1 begun 3 ended 6 snapshot 1 committed 2
get 2 stamp 2 version 1
put 1 stamp 11
transaction 2 begun 4 ended 7 snapshot 1 committed 3
get 1 stamp 1 version 1
put 2 stamp 22
"
    );
    // Not below what the environment names, which wins.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kept");
    let proved = catch_unwind(|| history(&skewed).prove(&folder));
    let told = proved.expect_err("it is write skew");
    let told = told.downcast_ref::<String>().expect("words");
    let violation = check(&skewed).expect_err("as above");
    assert_eq!(violation.anomaly, Anomaly::G2Item);
    assert!(told.starts_with(&violation.to_string()), "{told}");
    for transaction in [1, 2] {
        let named = format!("transaction {transaction}");
        assert!(told.contains(&named), "{told}");
    }
    let place = told
        .lines()
        .last()
        .and_then(|line| line.rsplit(" in ").next());
    let place = place.expect("where it is kept");
    let kept = std::fs::read(place).expect(place);
    let again = History::read(&kept[..]).expect("a history's text").check();
    assert_eq!(again.expect_err("the same"), violation);
    std::fs::remove_file(place).expect("it is there");
}
