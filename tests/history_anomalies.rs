//! The check of histories, checked: each anomaly is refused by its name in the literature.

#[path = "histories/text.rs"]
mod text;

use skep::testing::history::Anomaly;
use text::{START, check, refused, refused_after_start};

#[test]
fn dirty_write_is_g0() {
    // Key 1 was replaced by the second last, key 2 by the first.
    let violation = refused(
        Anomaly::G0,
        "
transaction 1 begun 1 ended 4 snapshot 0 committed 1
put 1 stamp 11
put 2 stamp 12
transaction 2 begun 2 ended 3 snapshot 0 committed 2
put 1 stamp 21
put 2 stamp 22
transaction 3 begun 5 ended 6 snapshot 3 committed 3
get 1 stamp 21 version 2
get 2 stamp 12 version 3
",
    );
    assert_eq!(violation.transactions.len(), 2);
}

#[test]
fn aborted_read_is_g1a() {
    for outcome in ["aborted", "panicked"] {
        let violation = refused_after_start(
            Anomaly::G1a,
            &format!(
                "
transaction 1 begun 3 ended 6 snapshot 1 {outcome}
put 1 stamp 11
transaction 2 begun 4 ended 5 snapshot 1 committed 1
get 1 stamp 11 version 2
"
            ),
        );
        assert_eq!(violation.transactions, [2, 1]);
    }
}

#[test]
fn an_aborted_read_by_a_range_is_g1a() {
    refused_after_start(
        Anomaly::G1a,
        "
transaction 1 begun 3 ended 6 snapshot 1 aborted
put 3 stamp 11
transaction 2 begun 4 ended 5 snapshot 1 committed 1
find 0 from 0 to 9
found 1 stamp 1 version 1
found 2 stamp 2 version 1
found 3 stamp 11 version 2
",
    );
}

#[test]
fn intermediate_read_is_g1b() {
    for last in ["put 1 stamp 12", "delete 1"] {
        refused_after_start(
            Anomaly::G1b,
            &format!(
                "
transaction 1 begun 3 ended 6 snapshot 1 committed 2
put 1 stamp 11
{last}
transaction 2 begun 4 ended 7 snapshot 2 committed 2
get 1 stamp 11 version 2
"
            ),
        );
    }
}

#[test]
fn circular_information_flow_is_g1c() {
    refused_after_start(
        Anomaly::G1c,
        "
transaction 1 begun 3 ended 6 snapshot 1 committed 2
put 1 stamp 11
get 2 stamp 22 version 3
transaction 2 begun 4 ended 5 snapshot 1 committed 3
put 2 stamp 22
get 1 stamp 11 version 2
",
    );
}

#[test]
fn read_skew_is_g_single() {
    let violation = refused_after_start(
        Anomaly::GSingle,
        "
transaction 1 begun 3 ended 6 snapshot 1 committed 1
get 1 stamp 1 version 1
get 2 stamp 22 version 2
transaction 2 begun 4 ended 5 snapshot 1 committed 2
put 1 stamp 21
put 2 stamp 22
",
    );
    assert_eq!(violation.transactions.len(), 2);
    let text = violation.to_string();
    assert!(text.contains("read key 1 as it was before"), "{text}");
    assert!(text.contains("snapshot 1 committed 2"), "{text}");
}

#[test]
fn lost_update_is_g_single() {
    refused_after_start(
        Anomaly::GSingle,
        "
transaction 1 begun 3 ended 6 snapshot 1 committed 2
get 1 stamp 1 version 1
put 1 stamp 11
transaction 2 begun 4 ended 7 snapshot 1 committed 3
get 1 stamp 1 version 1
put 1 stamp 21
",
    );
}

#[test]
fn two_creations_of_one_key_are_g_single() {
    refused(
        Anomaly::GSingle,
        "
transaction 1 begun 3 ended 6 snapshot 0 committed 1
get 1 nothing
put 1 stamp 11
transaction 2 begun 4 ended 7 snapshot 0 committed 2
get 1 nothing
put 1 stamp 21
",
    );
}

#[test]
fn a_range_read_in_two_states_is_g_single() {
    // It found what the second wrote at key 2, and not what that put at key 3.
    refused_after_start(
        Anomaly::GSingle,
        "
transaction 1 begun 3 ended 6 snapshot 1 committed 1
find 0 from 1 to 9
found 1 stamp 1 version 1
found 2 stamp 22 version 2
transaction 2 begun 4 ended 5 snapshot 1 committed 2
put 2 stamp 22
put 3 stamp 23
",
    );
}

#[test]
fn write_skew_is_g2_item() {
    refused_after_start(
        Anomaly::G2Item,
        "
transaction 1 begun 3 ended 6 snapshot 1 committed 2
get 1 stamp 1 version 1
get 2 stamp 2 version 1
put 1 stamp 11
transaction 2 begun 4 ended 7 snapshot 1 committed 3
get 1 stamp 1 version 1
get 2 stamp 2 version 1
put 2 stamp 22
",
    );
}

#[test]
fn write_skew_on_absent_keys_is_g2_item() {
    refused(
        Anomaly::G2Item,
        "
transaction 1 begun 1 ended 6 snapshot 0 committed 1
get 2 nothing
put 1 stamp 11
transaction 2 begun 2 ended 7 snapshot 0 committed 2
get 1 nothing
put 2 stamp 22
",
    );
}

#[test]
fn long_fork_is_g2_item() {
    let violation = refused_after_start(
        Anomaly::G2Item,
        "
transaction 1 begun 3 ended 11 snapshot 1 committed 2
put 1 stamp 11
transaction 2 begun 4 ended 12 snapshot 1 committed 3
put 2 stamp 22
transaction 3 begun 5 ended 13 snapshot 2 committed 2
get 1 stamp 11 version 2
get 2 stamp 2 version 1
transaction 4 begun 6 ended 14 snapshot 3 committed 3
get 1 stamp 1 version 1
get 2 stamp 22 version 3
",
    );
    assert_eq!(violation.transactions.len(), 4, "{violation}");
}

#[test]
fn write_skew_by_a_predicate_is_g2() {
    // Each looks for objects with value 5 in index 1, finds none, and adds one.
    let violation = refused(
        Anomaly::G2,
        "
transaction 1 begun 3 ended 6 snapshot 0 committed 1
find 1 from 5 to 5
put 1 stamp 11
at 1 value 5
transaction 2 begun 4 ended 7 snapshot 0 committed 2
find 1 from 5 to 5
put 2 stamp 22
at 1 value 5
",
    );
    let text = violation.to_string();
    assert!(text.contains("in index 1 from 5 to 5"), "{text}");
}

#[test]
fn a_phantom_behind_other_changes_of_the_range_is_g2() {
    // Between the two is one more that changes what the first has read: its edge is not the only
    // one of the first.
    refused(
        Anomaly::G2,
        "
transaction 1 begun 1 ended 10 snapshot 0 committed 1
find 1 from 0 to 5
put 1 stamp 11
at 1 value 7
transaction 2 begun 2 ended 11 snapshot 0 committed 2
put 2 stamp 22
at 1 value 3
transaction 3 begun 3 ended 12 snapshot 0 committed 3
find 1 from 7 to 9
put 3 stamp 33
at 1 value 4
",
    );
}

#[test]
fn a_move_out_of_a_range_that_was_not_seen_is_refused() {
    refused(
        Anomaly::GSingle,
        "
transaction 1 begun 1 ended 2 snapshot 0 committed 1
put 1 stamp 11
at 1 value 5
transaction 2 begun 3 ended 10 snapshot 1 committed 3
get 2 stamp 32 version 2
find 1 from 5 to 5
found 1 stamp 11 version 1
put 9 stamp 29
transaction 3 begun 4 ended 5 snapshot 1 committed 2
put 1 stamp 31
at 1 value 6
put 2 stamp 32
",
    );
}

#[test]
fn stale_read_violates_real_time() {
    let stale = |begun: u64| {
        format!(
            "
{START}
transaction 1 begun 3 ended 5 snapshot 1 committed 2
put 1 stamp 11
transaction 2 begun {begun} ended 8 snapshot 1 committed 1
get 1 stamp 1 version 1
"
        )
    };
    let violation = refused(Anomaly::RealTime, &stale(6));
    assert!(
        violation.to_string().contains("had ended before"),
        "{violation}"
    );
    // At the same time, it is none.
    check(&stale(4)).expect("concurrent");
}

#[test]
fn a_stale_look_at_nothing_violates_real_time() {
    refused_after_start(
        Anomaly::RealTime,
        "
transaction 1 begun 3 ended 5 snapshot 1 committed 2
delete 1
transaction 2 begun 6 ended 7 snapshot 2 committed 3
put 1 stamp 21
transaction 3 begun 8 ended 9 snapshot 3 committed 3
get 1 nothing
",
    );
}

#[test]
fn a_rolled_back_one_with_a_stale_snapshot_violates_real_time() {
    for outcome in ["aborted", "panicked"] {
        refused_after_start(
            Anomaly::RealTime,
            &format!("transaction 1 begun 3 ended 4 snapshot 0 {outcome}\nget 1 nothing"),
        );
    }
}

#[test]
fn real_time_is_seen_across_many_others() {
    // What the stale one missed ended long before, and is long not the last that ended.
    let mut text = String::new();
    for version in 1..=500 {
        let (begun, ended) = (version * 2, version * 2 + 1);
        let before = version - 1;
        text += &format!(
            "transaction 1 begun {begun} ended {ended} snapshot {before} committed {version}\n\
             put {} stamp {version}\n",
            version % 7
        );
    }
    text += "transaction 2 begun 1002 ended 1003 snapshot 499 committed 499\nget 3 nothing\n";
    let violation = refused(Anomaly::RealTime, &text);
    assert_eq!(violation.transactions.len(), 2, "{violation}");
}

#[test]
fn what_was_not_read_at_its_own_version_is_out_of_order() {
    // Serializable as the second, the first; but that is not the order of their versions.
    refused_after_start(
        Anomaly::VersionOrder,
        "
transaction 1 begun 3 ended 6 snapshot 1 committed 2
put 1 stamp 11
transaction 2 begun 4 ended 7 snapshot 1 committed 3
get 1 stamp 1 version 1
put 2 stamp 22
",
    );
}

#[test]
fn the_worst_anomaly_is_named() {
    // A stale read and, apart from it, write skew.
    refused_after_start(
        Anomaly::G2Item,
        "
transaction 1 begun 3 ended 4 snapshot 0 committed 0
get 1 nothing
transaction 1 begun 5 ended 8 snapshot 1 committed 2
get 1 stamp 1 version 1
put 2 stamp 12
transaction 2 begun 6 ended 7 snapshot 1 committed 3
get 2 stamp 2 version 1
put 1 stamp 21
",
    );
}
