//! Transactions that put their checks off, and what is refused then.

use skep::cluster::Finder;
use skep::{CommitError, DeferredError};

use super::any::{NAMES, of_specified, pick};
use super::looks::{look, wanted};
use super::state::{Tx, is_sound};
use super::steps::random_verb;
use super::verbs::{duplicate, rejected, run};
use super::world::{Done, World};

impl World {
    /// Verbs with checks and without, in turns; what is wrong in the end is not committed.
    pub fn put_off(&mut self) {
        let store = self.store.clone();
        let (mut model, mut tx) = (self.begin(), store.begin());
        for _ in 0..1 + self.random.below(4) {
            match self.random.one_in(2) {
                true => self.some_verbs(&mut model, &mut tx),
                false => self.put_off_some(&mut model, &mut tx),
            }
            look(&mut self.random, &tx, &model.now, &self.now);
        }
        let sound = !model.put_off || is_sound(&model.now, self.kind.in_kind);
        let told = !model.told().is_empty();
        match tx.commit() {
            Ok(version) if sound && told => {
                self.note("put off");
                let done = Done::of(&model, version, self.proposed());
                self.committed(vec![done]);
            }
            Ok(version) => assert!(sound && version == self.version),
            Err(CommitError::Duplicate(error)) => {
                assert!(!sound);
                drop(duplicate(&error));
                self.note("put off and refused");
            }
            Err(CommitError::Rejected(error)) => {
                assert!(!sound);
                drop(rejected(&error));
                self.note("put off and refused");
            }
            Err(error) => panic!("{error}"),
        }
        self.nothing_happened();
    }

    fn some_verbs(&mut self, model: &mut Tx, tx: &mut skep::Transaction<'_>) {
        for _ in 0..1 + self.random.below(4) {
            let verb = random_verb(&mut self.random, &model.now);
            assert_eq!(run(tx, &verb), model.run(&verb), "{verb:?}");
        }
        if !model.put_off {
            self.look_up(model, tx);
        }
    }

    /// Names that are one's alone are found by the transaction as it has left them.
    fn look_up(&mut self, model: &Tx, tx: &skep::Transaction<'_>) {
        let table = pick(
            &mut self.random,
            &["config", "network", "service", "volume"],
        );
        let name = pick(&mut self.random, &NAMES);
        let holder = of_specified!(table, T => {
            tx.get_by(T::BY_NAME, name).map(|it| it.id)
        }, else panic!("{table} has no specs"));
        let wanted = wanted(table, &Finder::Name(name.to_owned()), &model.now);
        assert_eq!(Vec::from_iter(holder), wanted, "{table} {name}");
    }

    fn put_off_some(&mut self, model: &mut Tx, tx: &mut skep::Transaction<'_>) {
        let gives_up = self.random.one_in(8);
        // After a refusal they stay put off until the commit.
        let within = std::mem::replace(&mut model.put_off, true);
        let answer = tx.defer_checks(|tx| {
            assert!(tx.checks_deferred());
            self.some_verbs(model, tx);
            if gives_up { Err(()) } else { Ok(()) }
        });
        let sound = is_sound(&model.now, self.kind.in_kind);
        match answer {
            Ok(()) => {
                assert!((within || sound) && !gives_up);
                model.put_off = within;
            }
            Err(DeferredError::Closure(())) => assert!(gives_up),
            Err(DeferredError::Duplicate(error)) => {
                assert!(!within && !sound);
                drop(duplicate(&error));
            }
            Err(DeferredError::Rejected(error)) => {
                assert!(!within && !sound);
                drop(rejected(&error));
            }
            Err(error) => panic!("{error:?}"),
        }
        assert_eq!(tx.checks_deferred(), model.put_off);
    }
}
