//! Rules of extensions and resources: kinds that there are, extensions that stay; in each verb, in
//! the order said, and when others commit meanwhile.

mod common;
#[path = "common/cluster.rs"]
mod fixture;
#[path = "common/cluster_tables.rs"]
mod tables;

use fixture::{conflict, filled, id, no_kind, rule};
use skep::cluster::{Extension, Resource, RuleError};
use skep::{
    CommitError, CreateError, DeleteError, Error, Id, ReplaceError, UpdateError, UpsertError,
};
use tables::TABLES;

#[test]
fn an_extension_is_not_named_as_a_table() {
    let store = filled();
    for table in TABLES {
        for name in [table.to_owned(), table.to_uppercase(), capital(table)] {
            let refused = store.update(|tx| tx.create(Extension::named(id("c"), &*name)));
            assert_eq!(
                rule(refused),
                RuleError::ReservedName {
                    extension: id("c"),
                    name
                }
            );
        }
    }
    for name in ["tasks", "tas", "my-task", ""] {
        let created = store.update(|tx| tx.create(Extension::named(Id::random(), name)));
        assert_eq!(created, Ok(()), "{name}");
    }
}

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

#[test]
fn an_extension_is_never_updated() {
    let store = filled();
    let immutable = RuleError::ExtensionImmutable {
        extension: id("b1"),
    };
    let mut tx = store.begin();
    let same = tx.get::<Extension>(&id("b1")).cloned();
    let same = same.expect("it is there");
    for changed in [
        same,
        Extension::named(id("b1"), "fresh"),
        Extension::named(id("b1"), "name1"),
    ] {
        assert_eq!(rule(tx.update(changed.clone())), immutable);
        assert_eq!(rule(tx.upsert(changed)), immutable);
    }
    let changed = tx.modify::<Extension>(&id("b1"), |it| it.description = "more".into());
    assert_eq!(rule(changed), immutable);
    // That it is there, and its version, come first.
    let unknown = tx.update(Extension::named(id("d"), "fresh"));
    assert!(matches!(unknown, Err(ReplaceError::NotFound(_))));
    let stale = tx.update_at(store.version().next(), Extension::named(id("b1"), "fresh"));
    assert!(matches!(stale, Err(ReplaceError::OutOfSequence { .. })));
}

#[test]
fn an_extension_goes_when_no_resource_is_of_its_kind() {
    let store = filled();
    let in_use = RuleError::ExtensionInUse {
        extension: id("a1"),
        resource: id("a1"),
    };
    let refused = store.update(|tx| tx.delete::<Extension>(&id("a1")));
    assert!(matches!(
        refused,
        Err(UpdateError::Closure(DeleteError::Rejected(_)))
    ));
    assert_eq!(rule(refused), in_use);
    // The kind's case does not matter.
    let changed =
        store.update(|tx| tx.modify::<Resource>(&id("a1"), |it| it.kind = "NAME1".into()));
    assert_eq!(changed, Ok(()));
    assert_eq!(
        rule(store.update(|tx| tx.delete::<Extension>(&id("a1")))),
        in_use
    );
    // Without them it goes: deleted before, in the same transaction, or of another kind by then.
    let deleted = store.update(|tx| {
        tx.delete::<Resource>(&id("a1"))?;
        tx.delete::<Extension>(&id("a1"))?;
        tx.modify::<Resource>(&id("a2"), |it| it.kind = "Name3".into())?;
        tx.delete::<Extension>(&id("a2"))?;
        Ok::<_, Error>(())
    });
    assert_eq!(deleted, Ok(()));
    let unknown = store.update(|tx| tx.delete::<Extension>(&id("a1")));
    assert!(matches!(
        unknown,
        Err(UpdateError::Closure(DeleteError::NotFound(_)))
    ));
}

#[test]
fn a_resource_has_a_kind_that_there_is() {
    let store = filled();
    let mut tx = store.begin();
    let refused = tx.create(Resource::named(id("c"), "none", "fresh"));
    assert!(matches!(refused, Err(CreateError::Rejected(_))));
    assert_eq!(rule(refused), no_kind("c", "none"));
    let refused = tx.upsert(Resource::named(id("c"), "none", "fresh"));
    assert!(matches!(refused, Err(UpsertError::Rejected(_))));
    assert_eq!(rule(refused), no_kind("c", "none"));
    let refused = tx.update(Resource::named(id("a1"), "none", "name1"));
    assert_eq!(rule(refused), no_kind("a1", "none"));
    let refused = tx.modify::<Resource>(&id("a1"), |it| it.kind = "none".into());
    assert_eq!(rule(refused), no_kind("a1", "none"));
    // The name before the kind, the kind before the ID.
    let refused = tx.create(Resource::named(id("a1"), "none", "NAME2"));
    assert_eq!(rule(refused), conflict::<Resource>("a1", "NAME2", "a2"));
    let refused = tx.create(Resource::named(id("a1"), "none", "fresh"));
    assert_eq!(rule(refused), no_kind("a1", "none"));
    let refused = tx.create(Resource::named(id("a1"), "name1", "fresh"));
    assert!(matches!(refused, Err(CreateError::Exists(_))));
    let refused = tx.update(Resource::named(id("a1"), "none", "NAME2"));
    assert_eq!(rule(refused), conflict::<Resource>("a1", "NAME2", "a2"));
    // Whatever the case, and with an extension of this very transaction.
    assert_eq!(
        tx.create(Resource::named(id("c"), "NAME1", "fresh")),
        Ok(())
    );
    assert_eq!(tx.create(Extension::named(id("c"), "none")), Ok(()));
    assert_eq!(tx.create(Resource::named(id("d"), "None", "more")), Ok(()));
    assert!(tx.commit().is_ok());
}

#[test]
fn write_skew_of_an_extension_and_a_resource_is_refused() {
    for extension_first in [true, false] {
        let store = filled();
        store
            .update(|tx| tx.create(Extension::named(id("c"), "kind")))
            .expect("it is free");
        let (mut extension, mut resource) = (store.begin(), store.begin());
        extension
            .delete::<Extension>(&id("c"))
            .expect("no resource is of it");
        resource
            .create(Resource::named(id("c"), "KIND", "fresh"))
            .expect("the kind is there");
        let (first, second) = match extension_first {
            true => (extension, resource),
            false => (resource, extension),
        };
        assert!(first.commit().is_ok());
        let refused = second.commit();
        assert!(
            matches!(refused, Err(CommitError::Conflict { .. })),
            "{refused:?}"
        );
        // Run again, each is told why.
        match extension_first {
            true => {
                let refused =
                    store.update(|tx| tx.create(Resource::named(id("c"), "KIND", "fresh")));
                assert_eq!(rule(refused), no_kind("c", "KIND"));
            }
            false => {
                let (extension, resource) = (id("c"), id("c"));
                assert_eq!(
                    rule(store.update(|tx| tx.delete::<Extension>(&id("c")))),
                    RuleError::ExtensionInUse {
                        extension,
                        resource
                    }
                );
            }
        }
    }
}

/// One changes a resource to a kind, the other deletes the kind: an update is held to it as a
/// creation is.
#[test]
fn write_skew_of_an_extension_and_an_updated_resource_is_refused() {
    let store = filled();
    store
        .update(|tx| tx.create(Extension::named(id("c"), "kind")))
        .expect("it is free");
    let (mut extension, mut resource) = (store.begin(), store.begin());
    extension
        .delete::<Extension>(&id("c"))
        .expect("no resource is of it");
    resource
        .modify::<Resource>(&id("a1"), |it| it.kind = "kind".into())
        .expect("the kind is there");
    assert!(extension.commit().is_ok());
    assert!(matches!(
        resource.commit(),
        Err(CommitError::Conflict { .. })
    ));
}
