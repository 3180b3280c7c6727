//! The verbs on a store, and their errors in the words of the model.

use skep::cluster::{RuleError, Specified};
use skep::{
    Action, AnyChange, CreateError, DeleteError, Duplicate, Id, KeyError, Object, OutOfSequence,
    Rejected, ReplaceError, Transaction, UpsertError,
};

use super::any::{Any, Row, each, of_specified, of_table};
use super::state::{Key, Refusal, Told, Verb};

fn key(error: &KeyError) -> Key {
    let id = error.key.downcast_ref::<Id>();
    (error.table, *id.expect("all keys are IDs"))
}

fn exists(error: &KeyError) -> Refusal {
    Refusal::Exists(key(error))
}

fn not_found(error: &KeyError) -> Refusal {
    Refusal::NotFound(key(error))
}

fn out_of_sequence(error: &OutOfSequence) -> Refusal {
    let id = error.key.downcast_ref::<Id>();
    Refusal::OutOfSequence {
        key: (error.table, *id.expect("all keys are IDs")),
        expected: error.expected,
        found: error.found,
    }
}

pub fn duplicate(error: &Duplicate) -> Refusal {
    let id = error.claimant.downcast_ref::<Id>();
    Refusal::Duplicate {
        key: (error.table, *id.expect("all keys are IDs")),
    }
}

pub fn rejected(error: &Rejected) -> Refusal {
    match error
        .downcast_ref::<RuleError>()
        .expect("a rule of a cluster's")
    {
        RuleError::ExtensionInUse { extension, .. } => Refusal::InUse {
            extension: *extension,
        },
        rule => Refusal::Rule(rule.clone()),
    }
}

/// Says each of these variants of a verb's error by a function.
macro_rules! refusals {
    ($($error:ident: $($variant:ident by $say:ident),+;)+) => {$(
        impl From<$error> for Refusal {
            fn from(error: $error) -> Self {
                match &error {
                    $($error::$variant(error) => $say(error),)+
                    other => panic!("{other}"),
                }
            }
        }
    )+};
}

refusals! {
    CreateError: Exists by exists, Duplicate by duplicate, Rejected by rejected;
    ReplaceError: NotFound by not_found, OutOfSequence by out_of_sequence,
        Duplicate by duplicate, Rejected by rejected;
    UpsertError: Duplicate by duplicate, Rejected by rejected;
    DeleteError: NotFound by not_found, OutOfSequence by out_of_sequence, Rejected by rejected;
}

/// Does it in a transaction of a store.
pub fn run(tx: &mut Transaction<'_>, verb: &Verb) -> Result<(), Refusal> {
    match verb {
        Verb::Create(any) => Ok(each!(any.clone(), it => tx.create(it))?),
        Verb::Update(any) => Ok(each!(any.clone(), it => tx.update(it))?),
        Verb::UpdateAt(at, any) => Ok(each!(any.clone(), it => tx.update_at(*at, it))?),
        Verb::UpdateAtProposed(at, any) => {
            Ok(each!(any.clone(), it => tx.update_at_proposed(*at, it))?)
        }
        Verb::Upsert(any) => Ok(each!(any.clone(), it => tx.upsert(it))?),
        Verb::Modify(any) => {
            fn modify<T: Row>(tx: &mut Transaction<'_>, new: &T) -> Result<(), ReplaceError> {
                tx.modify::<T>(&new.key(), |object| *object = new.clone())
            }
            Ok(each!(any, it => modify(tx, it))?)
        }
        Verb::SpecAt(at, any) => of_specified!(any.table(), T => {
            let new = T::unwrap(any);
            Ok(T::update_spec_at(tx, &new.id, *at, new.spec().clone())?)
        }, else panic!("{any:?} has no spec")),
        Verb::Delete((table, id)) => of_table!(*table, T => Ok(tx.delete::<T>(id)?)),
        Verb::DeleteAt(at, (table, id)) => {
            of_table!(*table, T => Ok(tx.delete_at::<T>(*at, id)?))
        }
        Verb::DeleteAtProposed(at, (table, id)) => {
            of_table!(*table, T => Ok(tx.delete_at_proposed::<T>(*at, id)?))
        }
    }
}

/// What a watcher was told.
pub fn told(change: &AnyChange) -> Told {
    of_table!(change.table(), T => {
        let typed = change.of::<T>().expect("its table's");
        let (old, new) = (typed.old().cloned(), typed.new().cloned());
        let id = new.as_ref().or(old.as_ref()).expect("one of them").id;
        Told { key: (T::TABLE, id), old: old.map(Row::wrap), new: new.map(Row::wrap) }
    })
}

/// What a change did, for another store.
pub fn action(change: &AnyChange) -> Action {
    of_table!(change.table(), T => Action::of::<T>(change).expect("its table's"))
}

/// An action that puts an object, or deletes what has a key.
pub fn action_of(verb: &Verb) -> Action {
    match verb {
        Verb::Create(any) => each!(any.clone(), it => Action::create(it)),
        Verb::Update(any) => each!(any.clone(), it => Action::update(it)),
        Verb::Delete((table, id)) => of_table!(*table, T => Action::delete::<T>(id)),
        other => panic!("{other:?} is no action"),
    }
}
