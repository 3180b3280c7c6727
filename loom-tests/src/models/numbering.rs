//! The versions of the last commits (F5): what is found of one is what was noted of it, or nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::latency::Begun;
use crate::propose::flight::Flight;
use crate::propose::numbering::Numbering;
use crate::propose::sets::ReadSet;
use crate::version::Version;

/// An older version is not accepted, though the entry of the newest is written over meanwhile.
#[test]
fn a_version_whose_entry_is_written_over() {
    let seen = outcomes(4, || {
        let numbering = Arc::new(Numbering::new(None));
        numbering.note(Version::new(1), Some(Version::new(10)));
        let other = spawn(&numbering, |numbering| {
            numbering.note(Version::new(5), None)
        });
        let neighbours = numbering.neighbours(Version::new(6), 1);
        let falls = neighbours.fits(Version::new(9)).is_ok();
        other.join().expect("no panic");
        falls
    });
    assert_eq!(seen, BTreeSet::from([false]));
}

/// F5: a commit is noted in the entry of one that is four before it, while both are looked up.
#[test]
fn an_entry_that_comes_around() {
    let seen = outcomes(4, || {
        let numbering = Arc::new(Numbering::new(None));
        let note = |numbering: &Numbering, number| {
            numbering.note(Version::new(number), Some(Version::new(number * 10)));
        };
        note(&numbering, 1);
        let other = spawn(&numbering, move |numbering| note(numbering, 5));
        let at = |number| numbering.at(Version::new(number)).map(Version::get);
        let found = (at(1), at(5));
        other.join().expect("no panic");
        assert_eq!((at(1), at(5)), (None, Some(50)));
        found
    });
    let expected = [
        (Some(10), None),
        (Some(10), Some(50)),
        (None, None),
        (None, Some(50)),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// [claim]: what is noted after a claim was given back is not taken back with it.
#[test]
fn a_claim_that_is_given_back() {
    let seen = outcomes(3, || {
        let number = Version::new(1);
        let flight = Flight::new(Version::ZERO, ReadSet::default(), Begun::UNTIMED);
        let shared = Arc::new((flight, Numbering::new(None)));
        assert!(shared.0.claim());
        shared.1.note(number, Some(Version::new(30)));
        let other = spawn(&shared, move |shared| {
            let (flight, numbering) = &**shared;
            flight.claim().then(|| {
                let taken_back = numbering.at(number).is_none();
                numbering.note(number, Some(Version::new(10)));
                taken_back
            })
        });
        shared.1.take_back(number);
        shared.0.unclaim();
        let claimed = other.join().expect("no panic");
        (claimed, shared.1.at(number).map(Version::get))
    });
    let expected = [(None, None), (Some(true), Some(10))];
    assert_eq!(seen, BTreeSet::from(expected));
}
